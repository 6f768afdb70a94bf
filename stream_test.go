package weft_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/weft-go/weft"
)

// Leaving the loop over an endless sequence ends everything before the next
// statement: no item runs, the sequence is not read.
func TestStreamBreak(t *testing.T) {
	t.Parallel()
	for _, w := range ways() {
		for _, stop := range []int{0, 1, 10, 2000} {
			for _, unordered := range []bool{false, true} {
				t.Run(fmt.Sprintf("%s/after %d/unordered=%v", w.name, stop, unordered), func(t *testing.T) {
					t.Parallel()
					var opts []weft.StreamOption
					if unordered {
						opts = append(opts, weft.Unordered())
					}
					var inside, read atomic.Int64
					mustEnd(t, func() {
						n := 0
						for _, err := range weft.Stream(t.Context(), func(yield func(int) bool) {
							inside.Add(1)
							defer inside.Add(-1)
							for i := 0; ; i++ {
								read.Add(1)
								if !yield(i) {
									return
								}
							}
						}, func(_ context.Context, i int) (int, error) {
							inside.Add(1)
							defer inside.Add(-1)
							compute(500)
							return i, nil
						}, w.streamed(opts...)...) {
							if err != nil {
								t.Error(err)
							}
							if n++; n > stop {
								break
							}
						}
						if k := inside.Load(); k != 0 {
							t.Errorf("%d functions run after the loop", k)
						}
						was := read.Load()
						for range 1000 {
							compute(100)
						}
						if read.Load() != was {
							t.Error("the sequence is read after the loop")
						}
					})
				})
			}
		}
	}
}

// The items' contexts end when the loop is left.
func TestStreamBreakCancelsItems(t *testing.T) {
	t.Parallel()
	mustEnd(t, func() {
		var cause error
		started := make(chan struct{})
		for v, err := range weft.Stream(t.Context(), upTo(-1), func(ctx context.Context, i int) (int, error) {
			if i == 1 {
				close(started)
				<-ctx.Done()
				cause = context.Cause(ctx)
			}
			return i, ctx.Err()
		}, weft.Workers(2), weft.Chunk(1)) {
			if v != 0 || err != nil {
				t.Error(v, err)
			}
			<-started
			break
		}
		if cause == nil {
			t.Error("the context of the running item did not end")
		}
	})
}

func TestStreamReturnInsideTheLoop(t *testing.T) {
	t.Parallel()
	for _, w := range ways() {
		mustEnd(t, func() {
			got := func() int {
				for v := range weft.Stream(t.Context(), upTo(-1), identity, w.streamed()...) {
					if v == 5 {
						return v
					}
				}
				return -1
			}()
			if got != 5 {
				t.Errorf("%s: %d", w.name, got)
			}
		})
	}
}

// A panic in the loop's body is the caller's own: it goes on as it is, after
// everything has stopped.
func TestStreamPanicInTheLoop(t *testing.T) {
	t.Parallel()
	for _, w := range ways() {
		mustEnd(t, func() {
			var inside atomic.Int64
			defer func() {
				if v := recover(); v != any(errBoom) {
					t.Errorf("%s: recovered %v", w.name, v)
				}
				if n := inside.Load(); n != 0 {
					t.Errorf("%s: %d items run", w.name, n)
				}
			}()
			for v := range weft.Stream(t.Context(), upTo(-1), func(_ context.Context, i int) (int, error) {
				inside.Add(1)
				defer inside.Add(-1)
				compute(200)
				return i, nil
			}, w.streamed()...) {
				if v == 20 {
					panic(errBoom)
				}
			}
		})
	}
}

// aheadOf counts how far reading runs ahead of the loop.
type aheadOf struct{ read, had, most atomic.Int64 }

func (a *aheadOf) reads() {
	d := a.read.Add(1) - a.had.Load()
	for {
		old := a.most.Load()
		if d <= old || a.most.CompareAndSwap(old, d) {
			return
		}
	}
}

// M5, R10: a slow loop slows the reading down. With a fixed number of workers
// the bound is known: two chunks a worker, the item in the reader's hand, and
// the one in the loop's.
func TestStreamReadsAheadBoundedly(t *testing.T) {
	for _, row := range []struct {
		workers, chunk int
		most           int64
	}{
		{1, 0, 2},
		{2, 1, 2*2 + 2},
		{4, 8, 2*4*8 + 2},
	} {
		for _, unordered := range []bool{false, true} {
			t.Run(fmt.Sprintf("Workers(%d),Chunk(%d)/unordered=%v", row.workers, row.chunk, unordered), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					var a aheadOf
					opts := []weft.StreamOption{weft.Workers(row.workers), weft.Chunk(row.chunk)}
					if unordered {
						opts = append(opts, weft.Unordered())
					}
					n := 0
					for _, err := range weft.Stream(t.Context(), func(yield func(int) bool) {
						for i := 0; ; i++ {
							a.reads()
							if !yield(i) {
								return
							}
						}
					}, identity, opts...) {
						if err != nil {
							t.Fatal(err)
						}
						time.Sleep(time.Second) // everything that can run ahead does
						a.had.Add(1)
						if n++; n == 200 {
							break
						}
					}
					if m := a.most.Load(); m > row.most {
						t.Errorf("read %d items ahead of the loop, at most %d are allowed", m, row.most)
					}
				})
			})
		}
	}
}

// In automatic mode the look-ahead may grow with the workers, but not with
// the length of the input.
func TestStreamReadsAheadBoundedlyInAutomaticMode(t *testing.T) {
	for _, row := range []struct {
		name string
		f    func(context.Context, int) (int, error)
		most int64
	}{
		{"tiny", identity, 1 << 13},
		{"waiting", func(_ context.Context, i int) (int, error) { time.Sleep(20 * time.Millisecond); return i, nil }, 1 << 13},
	} {
		t.Run(row.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var a aheadOf
				n := 0
				for _, err := range weft.Stream(t.Context(), func(yield func(int) bool) {
					for i := 0; ; i++ {
						a.reads()
						if !yield(i) {
							return
						}
					}
				}, row.f) {
					if err != nil {
						t.Fatal(err)
					}
					time.Sleep(time.Second)
					a.had.Add(1)
					if n++; n == 300 {
						break
					}
				}
				if m := a.most.Load(); m > row.most {
					t.Errorf("read %d items ahead of a loop that took %d", m, n)
				}
			})
		})
	}
}

// With a memory budget the items in flight, read ahead ones included, stay
// within it.
func TestStreamReadsAheadWithinMemory(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var a aheadOf
		n := 0
		for _, err := range weft.Stream(t.Context(), func(yield func(int) bool) {
			for i := 0; ; i++ {
				a.reads()
				if !yield(i) {
					return
				}
			}
		}, func(_ context.Context, i int) (int, error) { time.Sleep(20 * time.Millisecond); return i, nil },
			weft.MemoryPerItem(1<<30), weft.MemoryLimit(5<<30)) {
			if err != nil {
				t.Fatal(err)
			}
			time.Sleep(time.Second)
			a.had.Add(1)
			if n++; n == 100 {
				break
			}
		}
		if m := a.most.Load(); m > 5+2 {
			t.Errorf("read %d items ahead; the budget has room for 5", m)
		}
	})
}

// A crawler: the loop feeds what it finds back into the sequence, so each
// result must be seen before the next item is there.
func TestStreamFeedsBack(t *testing.T) {
	for _, w := range ways() {
		for _, slow := range []bool{false, true} { // slow items take it into parallel mode
			for _, unordered := range []bool{false, true} {
				t.Run(fmt.Sprintf("%s/slow=%v/unordered=%v", w.name, slow, unordered), func(t *testing.T) {
					synctest.Test(t, func(t *testing.T) {
						var opts []weft.StreamOption
						if unordered {
							opts = append(opts, weft.Unordered())
						}
						links := make(chan int, 1)
						links <- 0
						n := 0
						for v, err := range weft.Stream(t.Context(), func(yield func(int) bool) {
							for v := range links {
								if !yield(v) {
									return
								}
							}
						}, func(_ context.Context, i int) (int, error) {
							if slow {
								time.Sleep(30 * time.Millisecond)
							}
							return i + 1, nil
						}, w.streamed(opts...)...) {
							if err != nil {
								t.Fatal(err)
							}
							if n++; n == 200 {
								close(links)
								continue
							}
							links <- v
						}
						if n != 200 {
							t.Errorf("%d pages", n)
						}
					})
				})
			}
		}
	}
}

// Ready results are yielded while the sequence is blocked.
func TestStreamYieldsWhileTheInputIsBlocked(t *testing.T) {
	for _, w := range ways() {
		t.Run(w.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				const first = 100
				begin := time.Now()
				n := 0
				for _, err := range weft.Stream(t.Context(), func(yield func(int) bool) {
					for i := range first {
						if !yield(i) {
							return
						}
					}
					time.Sleep(20 * time.Second)
					yield(first)
				}, func(_ context.Context, i int) (int, error) { time.Sleep(5 * time.Millisecond); return i, nil }, w.streamed()...) {
					if err != nil {
						t.Fatal(err)
					}
					if n++; n == first && time.Since(begin) > 10*time.Second {
						t.Errorf("the result of item %d is held back while the input is blocked", n-1)
					}
				}
			})
		})
	}
}

func TestStreamRangesTwice(t *testing.T) {
	t.Parallel()
	for _, w := range ways() {
		s := weft.Stream(t.Context(), slices.Values(ints(100)), identity, w.streamed()...)
		for range 2 {
			for i, p := range collect(s) {
				if p.err != nil || p.val != i {
					t.Fatalf("%s: pair %d is %v", w.name, i, p)
				}
			}
		}
		// At the same time, too.
		var k int
		for range s {
			k += len(collect(s))
			break
		}
		if k != 100 {
			t.Errorf("%s: the inner loop had %d pairs", w.name, k)
		}
	}
}

func TestStreamInsideMap(t *testing.T) {
	t.Parallel()
	for _, w := range ways() {
		mustEnd(t, func() {
			got, err := weft.Map(t.Context(), ints(30), func(ctx context.Context, i int) (int, error) {
				s := 0
				for v, err := range weft.Stream(ctx, upTo(40), func(_ context.Context, j int) (int, error) {
					compute(500)
					return i * j, nil
				}, w.streamed()...) {
					if err != nil {
						return 0, err
					}
					s += v
				}
				return s, nil
			}, w.mapped()...)
			if err != nil {
				t.Error(err)
			}
			for i, v := range got {
				if v != i*40*39/2 {
					t.Errorf("%s: result %d is %d", w.name, i, v)
				}
			}
		})
	}
}

// Building a stream does nothing: only ranging over it does (contract 10).
func TestStreamIsLazy(t *testing.T) {
	t.Parallel()
	ran := false
	_ = weft.Stream(t.Context(), func(yield func(int) bool) { ran = true }, func(context.Context, int) (int, error) { ran = true; return 0, nil })
	if ran {
		t.Error("something ran")
	}
}

// After an error a new stream works: nothing of the old one is left
// (dask's D4).
func TestStreamAfterAnError(t *testing.T) {
	t.Parallel()
	for range 200 {
		ps := collect(weft.Stream(t.Context(), upTo(100), func(_ context.Context, i int) (int, error) {
			if i == 20 {
				return 0, errBoom
			}
			return i, nil
		}))
		if !errors.Is(ps[len(ps)-1].err, errBoom) {
			t.Fatal(ps[len(ps)-1])
		}
		if n := len(collect(weft.Stream(t.Context(), upTo(100), identity))); n != 100 {
			t.Fatalf("%d pairs", n)
		}
	}
}

// Long enough to pass several times around the ring of results.
func TestStreamLong(t *testing.T) {
	t.Parallel()
	for _, w := range ways() {
		t.Run(w.name, func(t *testing.T) {
			t.Parallel()
			next := 0
			for v, err := range weft.Stream(t.Context(), upTo(30_000), func(_ context.Context, i int) (int, error) {
				if i%1000 == 0 {
					computeFor(200 * time.Microsecond)
				}
				return i, nil
			}, w.streamed()...) {
				if err != nil || v != next {
					t.Fatalf("pair %d is %d, %v", next, v, err)
				}
				next++
			}
			if next != 30_000 {
				t.Errorf("%d pairs", next)
			}
		})
	}
}
