package weft_test

import (
	"context"
	"errors"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"testing"
	"time"

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

// Past its budget a run fails and names the item, also where nothing runs
// beside the items: in the plain loop, and with one item only. Not parallel:
// what other tests allocate would count.
func TestMemoryLimitHoldsForOneAtATime(t *testing.T) {
	const limit = 64 << 20
	past := func(t *testing.T, err error) {
		t.Helper()
		if _, ok := errors.AsType[*weft.ItemError](err); !ok || !strings.Contains(err.Error(), "MemoryLimit") {
			t.Errorf("the error is %v", err)
		}
	}
	// Each item holds 4 MiB and takes long enough to be looked at.
	hold := func(context.Context, int) ([]byte, error) {
		b := make([]byte, 4<<20)
		computeFor(3 * time.Millisecond)
		return b, nil
	}
	fresh := func() { debug.FreeOSMemory() }

	t.Run("Map", func(t *testing.T) {
		fresh()
		var rep weft.Report
		out, err := weft.Map(t.Context(), ints(60), hold, weft.Workers(1), weft.MemoryLimit(limit), weft.ReportTo(&rep))
		past(t, err)
		if rep.PeakMemory < limit {
			t.Errorf("the report's peak is %d", rep.PeakMemory)
		}
		runtime.KeepAlive(out)
	})
	t.Run("Stream", func(t *testing.T) {
		fresh()
		var held [][]byte
		var failure error
		for b, err := range weft.Stream(t.Context(), slices.Values(ints(60)), hold, weft.Workers(1), weft.MemoryLimit(limit)) {
			if held = append(held, b); err != nil {
				failure = err
			}
		}
		past(t, failure)
		runtime.KeepAlive(held)
	})
	t.Run("one item", func(t *testing.T) {
		fresh()
		mustEnd(t, func() {
			_, err := weft.Map(t.Context(), ints(1), func(ctx context.Context, _ int) (int, error) {
				b := make([]byte, 2*limit)
				<-ctx.Done()
				runtime.KeepAlive(b)
				return 0, nil
			}, weft.MemoryLimit(limit))
			past(t, err)
		})
	})
}
