package weft_test

import (
	"context"
	"runtime/debug"
	"testing"

	"github.com/weft-go/weft"
)

// The soft limit of the Go runtime is as before when a run with a limit of
// its own has ended, one without items too. Not parallel: the limit is the
// process's.
func TestMemoryLimitIsPutBack(t *testing.T) {
	before := debug.SetMemoryLimit(-1)
	for _, n := range []int{0, 1, 100} {
		if _, err := weft.Map(t.Context(), make([]int, n), func(_ context.Context, x int) (int, error) { return x, nil }, weft.MemoryLimit(1<<30)); err != nil {
			t.Fatal(err)
		}
		if after := debug.SetMemoryLimit(-1); after != before {
			t.Errorf("after %d items the soft limit is %d, it was %d", n, after, before)
		}
	}
}
