package cluster_test

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/weft-go/weft"
	"github.com/weft-go/weft/cluster"
)

// A run whose history is cut again and again is one run for whoever drives or
// follows it. With -rewrite the histories are kept for TestReplay.
func TestHistoryIsCut(t *testing.T) {
	t.Parallel()
	b := newBundle(t, theServer(t))
	b.start("-slots", "2")
	c := b.dial(cluster.Cut(cluster.Config{Batch: 20 * time.Millisecond}, 60))
	got, err := weft.Map(t.Context(), slow(120, "", 2*time.Millisecond), slowly, weft.On(c), weft.Require(weft.Isolation), weft.Chunk(3))
	wantSquares(t, got, err, 120)
	var driven string
	until(t, "the run is listed", func() bool {
		rs, err := c.Runs(t.Context())
		if err != nil || len(rs) == 0 {
			return false
		}
		driven = rs[0].ID
		return rs[0].Status == "completed"
	})
	c = b.dial(cluster.Cut(cluster.Config{Batch: 4 * time.Millisecond}, 60)) // more batches than may be out at once
	submitted, err := cluster.Submit(t.Context(), c, slow(300, "", 2*time.Millisecond), slowly)
	if err != nil {
		t.Fatal(err)
	}
	r, err := c.Attach(t.Context(), submitted)
	if err != nil {
		t.Fatal(err)
	}
	got = nil
	for v, err := range cluster.Results[int](t.Context(), r) {
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, v)
	}
	wantSquares(t, got, nil, 300)
	if err := r.Wait(t.Context()); err != nil {
		t.Fatal(err)
	}
	for name, id := range map[string]string{"driven": driven, "submitted": submitted} {
		hs, err := cluster.Histories(t.Context(), c, id)
		if err != nil || len(hs) < 2 {
			t.Fatalf("%s: %d histories, %v", name, len(hs), err)
		}
		for i, h := range hs {
			if err := cluster.Replay(name, h); err != nil {
				t.Errorf("%s %d: %v", name, i, err)
			}
			if cluster.Rewrite() && i < 2 {
				file := filepath.Join("testdata", "histories", fmt.Sprintf("protocol1-%s-%d.json", name, i+1))
				if err := os.WriteFile(file, h, 0o644); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
}
