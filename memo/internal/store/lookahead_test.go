package store

import (
	"io/fs"
	"math/rand/v2"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// countingFS counts the entries that are looked at.
type countingFS struct {
	FS
	looks atomic.Int64
}

func (c *countingFS) Stat(name string) (fs.FileInfo, error) {
	if strings.HasPrefix(name, "e/") {
		c.looks.Add(1)
	}
	return c.FS.Stat(name)
}

// The least recently used entries go, and no others, when trimming reads on in
// the journal; and it looks at few entries that were used since.
func TestTrimReadsOn(t *testing.T) {
	t.Parallel()
	for _, most := range []int64{300, 1000, 1 << 20} {
		m := &countingFS{FS: newMemFS()}
		s := open(t, m, Config{})
		s.trim.lookAfter, s.trim.lookMost = 10, most
		const n, again = 2000, 3
		step := func() { s.now = s.now.Add(time.Second) }
		for i := range n {
			step()
			if err := s.put(i); err != nil {
				t.Fatal(err)
			}
		}
		draw := rand.New(rand.NewPCG(1, uint64(most)))
		var order []int // the last round
		for round := range again {
			order = draw.Perm(n)
			for j, i := range order {
				step()
				s.touch(keyOf(i), s.now)
				if j == n/2 {
					_, _ = s.j.f.Write([]byte("torn record")) // is skipped
				}
				if j%500 == 0 && round > 0 {
					if err := s.j.rotate(s.Store); err != nil {
						t.Fatal(err)
					}
				}
			}
		}
		m.looks.Store(0)
		const gone = 700
		tr, err := s.Trim(t.Context(), Limits{MaxItems: n - gone})
		if err != nil || tr.Items != gone {
			t.Fatal(tr, err)
		}
		// Without reading on: n for each round, and those that go.
		if looks := m.looks.Load(); most > n && looks > gone+100 {
			t.Errorf("%d in the table: looked at %d entries to remove %d", most, looks, gone)
		}
		for j, i := range order {
			if err := s.get(t, i); (err == nil) != (j >= gone) {
				t.Errorf("%d in the table: entry %d, used as number %d: %v", most, i, j, err)
			}
		}
		// What is left goes on being trimmed in order.
		if tr, err := s.Trim(t.Context(), Limits{MaxItems: 1}); err != nil || tr.Items != n-gone-1 {
			t.Error(tr, err)
		}
		if err := s.get(t, order[n-1]); err != nil {
			t.Error(err)
		}
	}
}
