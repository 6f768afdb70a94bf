package plan

import (
	"testing"
	"time"

	"pgregory.net/rapid"
)

// Chunks taken one after the other cover the items, none is empty, and at
// equal costs they never grow.
func TestChunksCoverAndShrink(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(0, 200_000).Draw(t, "n")
		workers := rapid.IntRange(0, 64).Draw(t, "workers")
		nanos := rapid.Float64Range(0, 1e9).Draw(t, "nanos")
		far := func(aim time.Duration) func(int, int, float64) int {
			return func(remaining, workers int, nanos float64) int {
				return FarChunkSize(remaining, workers, nanos, aim)
			}
		}
		most := MostChunk
		size := rapid.SampledFrom([]func(int, int, float64) int{ChunkSize, far(0), far(time.Second)}).Draw(t, "size")
		if size(1<<30, 1, 1) > int(MostChunk) {
			most = time.Second
		}
		last := n
		for left := n; left > 0; {
			k := size(left, workers, nanos)
			if k < 1 || k > left {
				t.Fatalf("a chunk of %d of %d items", k, left)
			}
			if k > last {
				t.Fatalf("a chunk of %d after one of %d", k, last)
			}
			// More than one item takes no longer than the most.
			if d := time.Duration(float64(k) * nanos); k > 1 && d > most {
				t.Fatalf("a chunk of %d items takes %v", k, d)
			}
			// Nobody gets more than an even share while others could have it.
			if share := (left + max(1, workers) - 1) / max(1, workers); k > share {
				t.Fatalf("a chunk of %d of %d items for %d workers", k, left, workers)
			}
			last, left = k, left-k
		}
	})
}

func TestChunkSizeOfNothing(t *testing.T) {
	t.Parallel()
	for _, n := range []int{0, 1} {
		if k := ChunkSize(n, 4, 100); k != n {
			t.Errorf("%d of %d", k, n)
		}
	}
	// A stream does not know how much is left.
	if k := ChunkSize(1<<30, 8, 1000); k < 100 || k > 10_000 {
		t.Errorf("%d items of a microsecond", k)
	}
}

func TestSchedule(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		mode  Mode
		nanos float64
		fixed int
		want  string
	}{
		{Plain, 100, 0, "none"}, {Plain, 100, 5, "none"},
		{CPU, 100, 5, "static"}, {CPU, 100, 0, "guided"}, {CPU, 1e8, 0, "dynamic"},
		{IO, 100, 0, "dynamic"}, {IO, 100, 3, "static"},
	} {
		if got := Schedule(row.mode, row.nanos, 0, row.fixed); got != row.want {
			t.Errorf("%v, %v ns, fixed %d: %q, want %q", row.mode, row.nanos, row.fixed, got, row.want)
		}
	}
}
