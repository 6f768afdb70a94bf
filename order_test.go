package weft_test

import (
	"context"
	"fmt"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/weft-go/weft"
)

// sizes of the work: the pilot alone, a few blocks, many chunks.
var sizes = []int{1, 2, 3, 64, 1000}

// uneven makes items differ in cost, so that they finish out of order.
func uneven(i int) int {
	switch i % 7 {
	case 0:
		computeFor(50 * time.Microsecond)
	case 3:
		compute(300)
	}
	return i * i
}

func TestMapKeepsInputOrder(t *testing.T) {
	t.Parallel()
	for _, w := range ways() {
		for _, n := range sizes {
			t.Run(fmt.Sprintf("%s/%d", w.name, n), func(t *testing.T) {
				t.Parallel()
				got, err := weft.Map(t.Context(), ints(n), func(_ context.Context, i int) (int, error) { return uneven(i), nil }, w.mapped()...)
				if err != nil {
					t.Fatal(err)
				}
				if len(got) != n {
					t.Fatalf("%d results for %d items", len(got), n)
				}
				for i, v := range got {
					if v != i*i {
						t.Fatalf("result %d is %d, want %d", i, v, i*i)
					}
				}
			})
		}
	}
}

func TestEachRunsEveryItemOnce(t *testing.T) {
	t.Parallel()
	for _, w := range ways() {
		for _, n := range sizes {
			t.Run(fmt.Sprintf("%s/%d", w.name, n), func(t *testing.T) {
				t.Parallel()
				ran := make([]atomic.Int32, n)
				err := weft.Each(t.Context(), ints(n), func(_ context.Context, i int) error {
					uneven(i)
					ran[i].Add(1)
					return nil
				}, w.mapped()...)
				if err != nil {
					t.Fatal(err)
				}
				for i := range ran {
					if k := ran[i].Load(); k != 1 {
						t.Fatalf("item %d ran %d times", i, k)
					}
				}
			})
		}
	}
}

func TestStreamKeepsInputOrder(t *testing.T) {
	t.Parallel()
	for _, w := range ways() {
		for _, n := range sizes {
			t.Run(fmt.Sprintf("%s/%d", w.name, n), func(t *testing.T) {
				t.Parallel()
				next := 0
				for v, err := range weft.Stream(t.Context(), upTo(n), func(_ context.Context, i int) (int, error) { return uneven(i), nil }, w.streamed()...) {
					if err != nil {
						t.Fatal(err)
					}
					if v != next*next {
						t.Fatalf("result %d is %d, want %d", next, v, next*next)
					}
					next++
				}
				if next != n {
					t.Fatalf("%d results for %d items", next, n)
				}
			})
		}
	}
}

func TestStreamUnorderedYieldsEachOnce(t *testing.T) {
	t.Parallel()
	for _, w := range ways() {
		for _, n := range sizes {
			t.Run(fmt.Sprintf("%s/%d", w.name, n), func(t *testing.T) {
				t.Parallel()
				var got []int
				for v, err := range weft.Stream(t.Context(), upTo(n), func(_ context.Context, i int) (int, error) { uneven(i); return i, nil }, w.streamed(weft.Unordered())...) {
					if err != nil {
						t.Fatal(err)
					}
					got = append(got, v)
				}
				slices.Sort(got)
				if !slices.Equal(got, ints(n)) {
					t.Fatalf("got %d values, sorted %v", len(got), got)
				}
			})
		}
	}
}

// A result that is ready is yielded though an earlier item is not: that is
// what Unordered is for.
func TestUnorderedOvertakes(t *testing.T) {
	t.Parallel()
	release := make(chan struct{})
	var first int
	mustEnd(t, func() {
		n := 0
		for v, err := range weft.Stream(t.Context(), upTo(2), func(_ context.Context, i int) (int, error) {
			if i == 0 {
				<-release
			}
			return i, nil
		}, weft.Unordered(), weft.Workers(2), weft.Chunk(1)) {
			if err != nil {
				t.Error(err)
			}
			if n == 0 {
				first = v
				close(release)
			}
			n++
		}
	})
	if first != 1 {
		t.Errorf("the first result is that of item %d, which is not ready", first)
	}
}

func TestForCoversTheRangeOnce(t *testing.T) {
	t.Parallel()
	for _, w := range ways() {
		for _, n := range append(sizes, 100_000) {
			t.Run(fmt.Sprintf("%s/%d", w.name, n), func(t *testing.T) {
				t.Parallel()
				seen := make([]int32, n) // no atomics: the race detector sees overlaps
				err := weft.For(t.Context(), n, func(lo, hi int) error {
					if lo < 0 || hi > n || lo >= hi {
						return fmt.Errorf("range [%d, %d) of [0, %d)", lo, hi, n)
					}
					for i := lo; i < hi; i++ {
						seen[i]++
					}
					if n <= 1000 {
						uneven(lo)
					}
					return nil
				}, w.ranged()...)
				if err != nil {
					t.Fatal(err)
				}
				for i, k := range seen {
					if k != 1 {
						t.Fatalf("index %d was covered %d times", i, k)
					}
				}
			})
		}
	}
}

// Chunk gives For equal pieces, as its documentation says.
func TestForCutsEqualPieces(t *testing.T) {
	t.Parallel()
	const n, chunk = 1000, 7
	for _, workers := range []int{0, 1, 2, 7} {
		t.Run(fmt.Sprintf("Workers(%d)", workers), func(t *testing.T) {
			t.Parallel()
			var odd atomic.Int64
			err := weft.For(t.Context(), n, func(lo, hi int) error {
				compute(500)
				if hi-lo != chunk && hi != n || lo%chunk != 0 {
					odd.Store(int64(lo)<<32 | int64(hi))
				}
				return nil
			}, weft.Workers(workers), weft.Chunk(chunk))
			if err != nil {
				t.Fatal(err)
			}
			if o := odd.Load(); o != 0 {
				t.Errorf("with Chunk(%d) there was a range [%d, %d)", chunk, o>>32, o&0xffffffff)
			}
		})
	}
}

// Workers(n) has n items running at once, no fewer and no more.
func TestWorkersRunsThatManyAtOnce(t *testing.T) {
	t.Parallel()
	for _, n := range []int{2, 5, 16} {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			t.Parallel()
			var p peak
			full := newBarrier(n)
			mustEnd(t, func() {
				err := weft.Each(t.Context(), ints(4*n), func(ctx context.Context, i int) error {
					p.enter()
					defer p.leave()
					full.wait(ctx)
					compute(1000)
					return nil
				}, weft.Workers(n), weft.Chunk(1))
				if err != nil {
					t.Error(err)
				}
			})
			if m := p.most.Load(); m != int64(n) {
				t.Errorf("%d items ran at once, want %d", m, n)
			}
		})
	}
}

// Workers(1) is the plain loop in the caller's goroutine: items come in order,
// one by one, and a goroutine's own state (its labels, a held lock) is there.
func TestWorkers1IsThePlainLoop(t *testing.T) {
	t.Parallel()
	caller := goroutineID()
	var order []int // no lock: the race detector watches
	_, err := weft.Map(t.Context(), ints(100), func(_ context.Context, i int) (int, error) {
		if id := goroutineID(); id != caller {
			return 0, fmt.Errorf("runs in goroutine %s, the caller is %s", id, caller)
		}
		order = append(order, i)
		return i, nil
	}, weft.Workers(1))
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(order, ints(100)) {
		t.Errorf("order %v", order)
	}
	order = nil
	for v, err := range weft.Stream(t.Context(), upTo(100), func(_ context.Context, i int) (int, error) {
		if id := goroutineID(); id != caller {
			return 0, fmt.Errorf("runs in goroutine %s, the caller is %s", id, caller)
		}
		return i, nil
	}, weft.Workers(1)) {
		if err != nil {
			t.Fatal(err)
		}
		order = append(order, v)
	}
	if !slices.Equal(order, ints(100)) {
		t.Errorf("order %v", order)
	}
}
