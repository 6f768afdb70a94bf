package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/weft-go/weft"
	"github.com/weft-go/weft/cluster"
	"github.com/weft-go/weft/internal/clustertest"
)

var _ = weft.Register(wait)

func wait(ctx context.Context, n int) (int, error) {
	if n == 0 {
		return 0, nil
	}
	<-ctx.Done()
	return n, ctx.Err()
}

func TestCluster(t *testing.T) {
	t.Parallel()
	s := clustertest.Start(t, clustertest.Options{})
	url := s.URL + "/default?queue=cli&store=file://" + filepath.ToSlash(t.TempDir())
	call := func(args ...string) (code int, out, errs string) {
		var o, e bytes.Buffer
		code = Main(Env{In: strings.NewReader(""), Out: &o, Err: &e, Args: append([]string{"cluster"}, args...), Environ: []string{"WEFT_CLUSTER=" + url}})
		return code, o.String(), e.String()
	}
	expect := func(code int, want string, args ...string) string {
		t.Helper()
		got, out, errs := call(args...)
		if got != code || !strings.Contains(out+errs, want) {
			t.Errorf("weft cluster %s: exit %d, want %d and a word of %q:\n%s%s", strings.Join(args, " "), got, code, want, out, errs)
		}
		return out
	}
	expect(0, "no workers", "workers")
	expect(0, "no runs", "runs")
	ctx, cancel := context.WithCancel(t.Context())
	served := make(chan error, 1)
	joined := make(chan struct{}, 1)
	go func() {
		served <- cluster.Serve(ctx, url, cluster.WorkerConfig{Slots: 1, Log: notify{joined}})
	}()
	t.Cleanup(func() {
		cancel()
		if err := <-served; err != nil {
			t.Error(err)
		}
	})
	<-joined
	c, err := cluster.Dial(t.Context(), url, cluster.Config{Warnings: io.Discard})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	id, err := cluster.Submit(t.Context(), c, []int{0, 1, 1}, wait, cluster.SubmitConfig{ID: "by-hand"})
	if err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(30 * time.Second); ; {
		_, out, _ := call("runs")
		if strings.Contains(out, id) && strings.Contains(out, "running") && strings.Contains(out, "cli.wait") {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("the run is not listed:\n%s", out)
		}
	}
	expect(0, "1 workers with 1 slots", "status")
	expect(0, `"Slots": 1`, "workers", "--json")
	out := expect(0, "of 3 items done", "status", id)
	if !strings.Contains(out, "/namespaces/default/workflows/by-hand") {
		t.Errorf("the link to its page:\n%s", out)
	}
	expect(1, "no run", "status", "nothing")
	expect(0, "asked to end", "cancel", id)
	r, err := c.Attach(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	if err := r.Wait(t.Context()); err == nil {
		t.Error("a run that was cancelled has ended well")
	}
	expect(0, "deleted", "gc", "--keep", "0s")
	expect(2, "must not be negative", "runs", "--limit=-1")
	_, out, _ = call("runs", "--json")
	var rs []cluster.RunInfo
	if err := json.Unmarshal([]byte(out), &rs); err != nil || len(rs) != 1 || rs[0].Status != "cancelled" {
		t.Errorf("%v: %s", err, out)
	}
	if code := Main(Env{In: strings.NewReader(""), Out: io.Discard, Err: io.Discard, Args: []string{"cluster", "status"}}); code != 2 {
		t.Errorf("without a URL it exits with %d", code)
	}
}

// notify tells when something is printed.
type notify struct{ to chan struct{} }

func (n notify) Write(p []byte) (int, error) {
	if strings.Contains(string(p), " joined ") {
		n.to <- struct{}{}
	}
	return len(p), nil
}
