package weft_test

import (
	"context"
	"errors"
	"iter"
	"os"
	"runtime"
	"runtime/pprof"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/weft-go/weft"
	"github.com/weft-go/weft/internal/cpus"
)

var errBoom = errors.New("boom")

// ints returns 0 to n-1.
func ints(n int) []int {
	xs := make([]int, n)
	for i := range xs {
		xs[i] = i
	}
	return xs
}

// upTo yields 0 to n-1, without end if n is negative.
func upTo(n int) iter.Seq[int] {
	return func(yield func(int) bool) {
		for i := 0; n < 0 || i < n; i++ {
			if !yield(i) {
				return
			}
		}
	}
}

// compute uses the CPU for some nanoseconds a round.
func compute(rounds int) {
	x := uint64(rounds) | 1
	for range rounds {
		x ^= x << 13
		x ^= x >> 7
		x ^= x << 17
	}
	runtime.KeepAlive(x)
}

// computeFor uses the CPU for about d on an idle machine; on a busy one it
// ends no earlier.
func computeFor(d time.Duration) {
	for end := time.Now().Add(d); time.Now().Before(end); {
		compute(200)
	}
}

// hangs is how long a call may take in which everything is ready to go on.
const hangs = 20 * time.Second

// mustEnd fails the test if f does not return. f runs in a goroutine of its
// own and must not call t.FailNow.
func mustEnd(t *testing.T, f func()) {
	t.Helper()
	done := make(chan struct{})
	go func() {
		defer close(done)
		f()
	}()
	// A test's context ends before its clean-up: a call that hangs may end
	// then, and must not log when the test is over.
	t.Cleanup(func() {
		select {
		case <-done:
		case <-time.After(time.Second):
		}
	})
	mustClose(t, done)
}

// mustClose fails the test if c is not closed.
func mustClose(t *testing.T, c <-chan struct{}) {
	t.Helper()
	timer := time.NewTimer(hangs)
	defer timer.Stop()
	select {
	case <-c:
	case <-timer.C:
		var b strings.Builder
		_ = pprof.Lookup("goroutine").WriteTo(&b, 1)
		if os.Getenv("WEFT_STACKS") != "" {
			t.Log(b.String())
		}
		t.Fatalf("hangs: not over after %v (WEFT_STACKS=1 prints all stacks)", hangs)
	}
}

// way is one way to run the same work.
type way struct {
	name string
	opts []weft.Option
}

// ways are the ways in which every call must give the same result.
func ways() []way {
	return []way{
		{"automatic", nil},
		{"Workers(1)", []weft.Option{weft.Workers(1)}},
		{"Workers(2)", []weft.Option{weft.Workers(2)}},
		{"Workers(7)", []weft.Option{weft.Workers(7)}},
		{"Workers(-1)", []weft.Option{weft.Workers(-1)}},
		{"Workers(3), Chunk(5)", []weft.Option{weft.Workers(3), weft.Chunk(5)}},
		{"Chunk(3)", []weft.Option{weft.Chunk(3)}},
	}
}

// concurrent are the ways in which the user's function is not called in the
// caller's goroutine. With one CPU, Workers(-1) is Workers(1).
func concurrent() []way {
	return slices.DeleteFunc(ways(), func(w way) bool {
		return w.name == "Workers(1)" || w.name == "Workers(-1)" && cpus.Get().Effective == 1
	})
}

func (w way) mapped(more ...weft.MapOption) []weft.MapOption {
	for _, o := range w.opts {
		more = append(more, o)
	}
	return more
}

func (w way) streamed(more ...weft.StreamOption) []weft.StreamOption {
	for _, o := range w.opts {
		more = append(more, o)
	}
	return more
}

func (w way) reduced(more ...weft.ReduceOption) []weft.ReduceOption {
	for _, o := range w.opts {
		more = append(more, o)
	}
	return more
}

func (w way) ranged(more ...weft.ForOption) []weft.ForOption {
	for _, o := range w.opts {
		more = append(more, o)
	}
	return more
}

// peak counts how many are inside at once.
type peak struct{ now, most, total atomic.Int64 }

func (p *peak) enter() {
	n := p.now.Add(1)
	p.total.Add(1)
	for {
		old := p.most.Load()
		if n <= old || p.most.CompareAndSwap(old, n) {
			return
		}
	}
}

func (p *peak) leave() { p.now.Add(-1) }

// barrier lets nobody pass until n have come.
type barrier struct {
	n    int64
	come atomic.Int64
	open chan struct{}
}

func newBarrier(n int) *barrier { return &barrier{n: int64(n), open: make(chan struct{})} }

// wait returns false if ctx ends first.
func (b *barrier) wait(ctx context.Context) bool {
	if b.come.Add(1) == b.n {
		close(b.open)
	}
	select {
	case <-b.open:
		return true
	case <-ctx.Done():
		return false
	}
}

// waitOnly waits without being one of those who must come.
func (b *barrier) waitOnly(ctx context.Context) {
	select {
	case <-b.open:
	case <-ctx.Done():
	}
}

// pair is what a Stream yields.
type pair[R any] struct {
	val R
	err error
}

func collect[R any](seq iter.Seq2[R, error]) (ps []pair[R]) {
	for v, err := range seq {
		ps = append(ps, pair[R]{v, err})
	}
	return ps
}
