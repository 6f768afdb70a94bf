package weft_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/weft-go/weft"
)

var errStop = errors.New("the user pressed Ctrl-C")

// Cancelling in the middle ends all items' contexts; the call returns, with
// the cause, when they have ended.
func TestCancelEndsTheItems(t *testing.T) {
	t.Parallel()
	const n = 4
	for _, items := range []int{n, 1000} { // all in flight, or more to come
		for _, keep := range []bool{false, true} {
			t.Run(fmt.Sprintf("%d items, keepGoing=%v", items, keep), func(t *testing.T) {
				t.Parallel()
				ctx, cancel := context.WithCancelCause(t.Context())
				all := newBarrier(n)
				var ran, ended atomic.Int64
				var opts []weft.MapOption
				if keep {
					opts = append(opts, weft.KeepGoing())
				}
				go func() {
					<-all.open
					cancel(errStop)
				}()
				mustEnd(t, func() {
					_, err := weft.Map(ctx, ints(items), func(ctx context.Context, i int) (int, error) {
						ran.Add(1)
						all.wait(context.Background())
						<-ctx.Done()
						if errors.Is(context.Cause(ctx), errStop) {
							ended.Add(1)
						}
						return 0, ctx.Err()
					}, append(opts, weft.Workers(n), weft.Chunk(1))...)
					if !errors.Is(err, context.Canceled) || !errors.Is(err, errStop) {
						t.Errorf("the error is %v", err)
					}
					if keep && len(indices(err)) != items {
						t.Errorf("%d of %d items are listed as not done", len(indices(err)), items)
					}
				})
				if ran.Load() < n || ended.Load() != ran.Load() {
					t.Errorf("%d items ran, %d saw the cause", ran.Load(), ended.Load())
				}
			})
		}
	}
}

// The same for the plan that Weft chooses, at every moment of a run, and for
// one item.
func TestCancelInAutomaticMode(t *testing.T) {
	for _, n := range []int{1, 2, 100} {
		for _, after := range []time.Duration{0, time.Millisecond, 50 * time.Millisecond, time.Second} {
			t.Run(fmt.Sprintf("%d/%v", n, after), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					ctx, cancel := context.WithCancelCause(t.Context())
					time.AfterFunc(after, func() { cancel(errStop) })
					begin := time.Now()
					_, err := weft.Map(ctx, ints(n), func(ctx context.Context, i int) (int, error) {
						<-ctx.Done()
						return 0, ctx.Err()
					})
					if !errors.Is(err, context.Canceled) || !errors.Is(err, errStop) {
						t.Errorf("the error is %v", err)
					}
					if late := time.Since(begin) - after; late > 100*time.Millisecond {
						t.Errorf("returns %v after the cancelling", late)
					}
				})
			})
		}
	}
}

// An error that wraps the context's counts as an echo of the cancelling, not
// as success.
func TestCancelOfTheOnlyItemIsAnError(t *testing.T) {
	t.Parallel()
	for _, w := range ways() {
		ctx, cancel := context.WithCancel(t.Context())
		out, err := weft.Map(ctx, ints(1), func(ctx context.Context, i int) (int, error) {
			cancel()
			<-ctx.Done()
			return 0, fmt.Errorf("GET /: %w", ctx.Err())
		}, w.mapped()...)
		if !errors.Is(err, context.Canceled) {
			t.Errorf("%s: the only item was cancelled and Map returns %v, %v", w.name, out, err)
		}
		ctx, cancel = context.WithCancel(t.Context())
		ps := collect(weft.Stream(ctx, upTo(1), func(ctx context.Context, i int) (int, error) {
			cancel()
			<-ctx.Done()
			return 0, fmt.Errorf("GET /: %w", ctx.Err())
		}, w.streamed()...))
		if len(ps) != 1 || !errors.Is(ps[0].err, context.Canceled) {
			t.Errorf("%s: the only item was cancelled and Stream yields %v", w.name, ps)
		}
	}
}

// With KeepGoing the results that exist are there after a cancel, and the
// items that did not run are listed.
func TestCancelKeepsResults(t *testing.T) {
	t.Parallel()
	for _, w := range ways() {
		t.Run(w.name, func(t *testing.T) {
			t.Parallel()
			const n, stopAt = 5000, 100
			ctx, cancel := context.WithCancelCause(t.Context())
			defer cancel(nil)
			var ran [n]atomic.Bool
			mustEnd(t, func() {
				out, err := weft.Map(ctx, ints(n), func(_ context.Context, i int) (int, error) {
					ran[i].Store(true)
					if i == stopAt {
						cancel(errStop)
					} else if ctx.Err() != nil {
						computeFor(time.Millisecond) // until the run has stopped
					}
					return i + 1, nil
				}, w.mapped(weft.KeepGoing())...)
				if !errors.Is(err, context.Canceled) || !errors.Is(err, errStop) {
					t.Errorf("the error is %.200v", err)
				}
				var missing []int
				for i := range n {
					if ran[i].Load() {
						if out[i] != i+1 {
							t.Errorf("item %d ran and its result is %d", i, out[i])
						}
					} else {
						missing = append(missing, i)
					}
				}
				if got := indices(err); fmt.Sprint(got) != fmt.Sprint(missing) {
					t.Errorf("%d items are listed as not run, want %d", len(got), len(missing))
				}
				if len(missing) == 0 {
					t.Error("all items ran though the context was cancelled")
				}
			})
		})
	}
}

// Contract 5: no call returns while its goroutines run, though f ignores its
// context.
func TestCancelWaitsForItemsThatIgnoreIt(t *testing.T) {
	for _, w := range ways() {
		t.Run(w.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithCancel(t.Context())
				var running atomic.Int64
				time.AfterFunc(500*time.Millisecond, cancel)
				_, err := weft.Map(ctx, ints(100), func(context.Context, int) (int, error) {
					running.Add(1)
					defer running.Add(-1)
					time.Sleep(3 * time.Second)
					return 0, nil
				}, w.mapped()...)
				if !errors.Is(err, context.Canceled) {
					t.Errorf("the error is %v", err)
				}
				if n := running.Load(); n != 0 {
					t.Errorf("%d items run after the call", n)
				}
			})
		})
	}
}

// J10: folding does not see the context; it stops between two items, not
// after a whole leaf.
func TestCancelStopsReduceWithinASecond(t *testing.T) {
	for _, w := range ways() {
		if strings.Contains(w.name, "Chunk") {
			continue
		}
		t.Run(w.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithCancel(t.Context())
				time.AfterFunc(50*time.Millisecond, cancel)
				begin := time.Now()
				_, err := weft.Reduce(ctx, ints(256*1000), func(a, i int) int { // leaves of 1,000 items, 10 s
					time.Sleep(10 * time.Millisecond)
					return a + i
				}, sum, w.reduced()...)
				if !errors.Is(err, context.Canceled) {
					t.Errorf("the error is %v", err)
				}
				if d := time.Since(begin); d > time.Second {
					t.Errorf("stops %v after the start, cancelled at 50ms", d)
				}
			})
		})
	}
}

func TestCancelStopsForAndEach(t *testing.T) {
	for _, w := range ways() {
		t.Run(w.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				for _, c := range []struct {
					name string
					do   func(ctx context.Context) error
				}{
					{"For", func(ctx context.Context) error {
						return weft.For(ctx, 10_000_000, func(lo, hi int) error {
							time.Sleep(time.Duration(hi-lo) * time.Millisecond)
							return nil
						}, w.ranged()...)
					}},
					{"Each", func(ctx context.Context) error {
						return weft.Each(ctx, ints(1_000_000), func(context.Context, int) error { time.Sleep(time.Millisecond); return nil }, w.mapped()...)
					}},
				} {
					ctx, cancel := context.WithCancel(t.Context())
					time.AfterFunc(50*time.Millisecond, cancel)
					begin := time.Now()
					if err := c.do(ctx); !errors.Is(err, context.Canceled) {
						t.Errorf("%s: the error is %v", c.name, err)
					}
					if d := time.Since(begin); d > time.Second {
						t.Errorf("%s stops %v after the start, cancelled at 50ms", c.name, d)
					}
				}
			})
		})
	}
}

// A context that ends when all is done changes nothing.
func TestCancelAfterTheLastItem(t *testing.T) {
	t.Parallel()
	for _, w := range ways() {
		ctx, cancel := context.WithCancel(t.Context())
		const n = 50
		var left atomic.Int64
		left.Store(n)
		out, err := weft.Map(ctx, ints(n), func(_ context.Context, i int) (int, error) {
			if left.Add(-1) == 0 {
				cancel()
			}
			return i + 1, nil
		}, w.mapped()...)
		cancel()
		if err != nil {
			t.Errorf("%s: all %d results exist, and the error is %v", w.name, len(out), err)
		}
	}
}

// A sequence that watches the same context ends early when it is cancelled.
// That must not look like the end of the input.
func TestCancelledStreamSaysSo(t *testing.T) {
	t.Parallel()
	for _, w := range ways() {
		for range 20 {
			ctx, cancel := context.WithCancel(t.Context())
			n := 0
			ps := collect(weft.Stream(ctx, func(yield func(int) bool) {
				for ; ctx.Err() == nil && yield(n); n++ {
					if n == 5 {
						cancel()
					}
				}
			}, identity, w.streamed()...))
			cancel()
			if len(ps) == 0 || !errors.Is(ps[len(ps)-1].err, context.Canceled) {
				t.Errorf("%s: the stream was cancelled and its %d pairs end without an error", w.name, len(ps))
				break
			}
		}
	}
}

func TestDeadlineIsTheError(t *testing.T) {
	for _, w := range ways() {
		t.Run(w.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithTimeout(t.Context(), time.Second)
				defer cancel()
				_, err := weft.Map(ctx, ints(10_000), func(ctx context.Context, i int) (int, error) {
					select {
					case <-time.After(300 * time.Millisecond):
						return i, nil
					case <-ctx.Done():
						return 0, ctx.Err()
					}
				}, w.mapped()...)
				if !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "of 10000 items") {
					t.Errorf("the error is %v", err)
				}
			})
		})
	}
}

// Explain is a run like any other: cancelled, it says so.
func TestCancelExplain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		_, err := weft.Explain(ctx, ints(100), func(ctx context.Context, i int) (int, error) {
			cancel()
			<-ctx.Done()
			return 0, ctx.Err()
		})
		if !errors.Is(err, context.Canceled) {
			t.Errorf("the error is %v", err)
		}
	})
}
