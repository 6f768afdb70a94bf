package weft_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/weft-go/weft"
)

func TestTimeoutEndsTheItem(t *testing.T) {
	for _, w := range ways() {
		t.Run(w.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				begin := time.Now()
				var cause error
				_, err := weft.Map(t.Context(), ints(1), func(ctx context.Context, i int) (int, error) {
					<-ctx.Done()
					cause = context.Cause(ctx)
					return 0, ctx.Err()
				}, w.mapped(weft.Timeout(3*time.Second))...)
				if d := time.Since(begin); d != 3*time.Second {
					t.Errorf("took %v", d)
				}
				item, ok := errors.AsType[*weft.ItemError](err)
				if !ok || item.Index != 0 || !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "3s") {
					t.Errorf("the error is %v", err)
				}
				if cause == nil || !strings.Contains(cause.Error(), "3s") || !errors.Is(cause, context.DeadlineExceeded) {
					t.Errorf("the cause is %v", cause)
				}
			})
		})
	}
}

// A function that does not look at its context is waited for; a result that
// comes late is kept, an error that comes late says that time was up too.
func TestTimeoutOfAFunctionThatDoesNotLook(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		out, err := weft.Map(t.Context(), ints(2), func(_ context.Context, i int) (int, error) {
			time.Sleep(5 * time.Second)
			if i == 1 {
				return 0, errBoom
			}
			return 7, nil
		}, weft.Timeout(time.Second), weft.KeepGoing())
		if out[0] != 7 {
			t.Error("the late result is lost")
		}
		if !slices.Equal(indices(err), []int{1}) || !errors.Is(err, errBoom) || !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("the error is %v", err)
		}
	})
}

// The limit is for each attempt, not for all together.
func TestTimeoutIsForEachAttempt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := 0
		out, err := weft.Map(t.Context(), ints(1), func(ctx context.Context, i int) (int, error) {
			if n++; n < 3 {
				<-ctx.Done()
				return 0, ctx.Err()
			}
			time.Sleep(900 * time.Millisecond)
			return 1, ctx.Err()
		}, weft.Timeout(time.Second), weft.Retry(3))
		if err != nil || out[0] != 1 || n != 3 {
			t.Errorf("%v, %v after %d attempts", out, err, n)
		}
	})
}

func TestRetryCountsAttempts(t *testing.T) {
	for _, w := range ways() {
		for _, row := range []struct{ attempts, failures, calls int }{
			{1, 0, 1}, {1, 5, 1}, {3, 0, 1}, {3, 2, 3}, {3, 3, 3}, {5, 9, 5},
		} {
			t.Run(fmt.Sprintf("%s/Retry(%d) of %d", w.name, row.attempts, row.failures), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					const n = 20
					var calls [n]atomic.Int32
					var rep weft.Report
					_, err := weft.Map(t.Context(), ints(n), func(_ context.Context, i int) (int, error) {
						if k := calls[i].Add(1); int(k) <= row.failures {
							return 0, fmt.Errorf("attempt %d: %w", k, errBoom)
						}
						return i, nil
					}, w.mapped(weft.Retry(row.attempts), weft.KeepGoing(), weft.ReportTo(&rep))...)
					fails := row.failures >= row.attempts
					if fails != (err != nil) {
						t.Errorf("the error is %v", err)
					}
					if fails && !strings.Contains(err.Error(), fmt.Sprintf("attempt %d", row.attempts)) {
						t.Errorf("the error is not that of the last attempt: %v", err)
					}
					for i := range calls {
						if int(calls[i].Load()) != row.calls {
							t.Fatalf("item %d was tried %d times, want %d", i, calls[i].Load(), row.calls)
						}
					}
					if rep.Retried != n*(row.calls-1) {
						t.Errorf("the report counts %d attempts after the first, want %d", rep.Retried, n*(row.calls-1))
					}
				})
			})
		}
	}
}

// Delays double from 100 ms, a random half of each left out.
func TestRetryDelays(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const items, attempts = 50, 12
		var mu sync.Mutex
		times := map[int][]time.Time{}
		_ = weft.Each(t.Context(), ints(items), func(_ context.Context, i int) error {
			mu.Lock()
			defer mu.Unlock()
			times[i] = append(times[i], time.Now())
			return errBoom
		}, weft.Retry(attempts), weft.KeepGoing(), weft.Workers(items), weft.Chunk(1))
		for k := 1; k < attempts; k++ {
			full := min(30*time.Second, 100*time.Millisecond<<(k-1))
			seen := map[time.Duration]bool{}
			for i := range items {
				d := times[i][k].Sub(times[i][k-1])
				if d < full/2 || d > full {
					t.Errorf("the pause after attempt %d was %v, want %v to %v", k, d, full/2, full)
				}
				seen[d] = true
			}
			if len(seen) < items/2 {
				t.Errorf("after attempt %d the %d items come back at %d moments only: no jitter", k, items, len(seen))
			}
		}
	})
}

func TestRetryLeavesPanicsAlone(t *testing.T) {
	t.Parallel()
	for _, w := range ways() {
		var calls atomic.Int32
		err := weft.Each(t.Context(), ints(1), func(context.Context, int) error { calls.Add(1); panic("once") }, w.mapped(weft.Retry(5))...)
		if _, ok := errors.AsType[*weft.PanicError](err); !ok || calls.Load() != 1 {
			t.Errorf("%s: %d calls, %v", w.name, calls.Load(), err)
		}
	}
}

// Cancelling ends the pause between two attempts.
func TestRetryStopsWaitingWhenCancelled(t *testing.T) {
	for _, w := range ways() {
		t.Run(w.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithCancel(t.Context())
				begin := time.Now()
				time.AfterFunc(40*time.Millisecond, cancel)
				err := weft.Each(ctx, ints(3), func(context.Context, int) error { return errBoom }, w.mapped(weft.Retry(100))...)
				if err == nil {
					t.Error("no error")
				}
				if d := time.Since(begin); d > 100*time.Millisecond {
					t.Errorf("stopped after %v", d)
				}
			})
		})
	}
}

func TestRetryInAStream(t *testing.T) {
	for _, w := range ways() {
		t.Run(w.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var calls [30]atomic.Int32
				n := 0
				for v, err := range weft.Stream(t.Context(), upTo(30), func(_ context.Context, i int) (int, error) {
					if calls[i].Add(1) < 3 {
						return 0, errBoom
					}
					return i, nil
				}, w.streamed(weft.Retry(3))...) {
					if err != nil || v != n {
						t.Fatalf("pair %d is %d, %v", n, v, err)
					}
					n++
				}
				if n != 30 {
					t.Errorf("%d pairs", n)
				}
			})
		})
	}
}

// starts records when items start.
type starts struct {
	mu sync.Mutex
	at []time.Time
}

func (s *starts) add() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.at = append(s.at, time.Now())
}

// Rate: in no stretch of time do more items start than the rate allows, but
// for a slack of some milliseconds, and the rate is used.
func TestRate(t *testing.T) {
	for _, w := range ways() {
		for _, row := range []struct {
			perSecond float64
			n         int
			takes     time.Duration
		}{
			{10, 30, 0},
			{1000, 1000, 0},
			{100, 200, 5 * time.Millisecond},
			{0.5, 4, time.Millisecond},
		} {
			t.Run(fmt.Sprintf("%s/%v a second, %v each", w.name, row.perSecond, row.takes), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					var s starts
					begin := time.Now()
					err := weft.Each(t.Context(), ints(row.n), func(context.Context, int) error {
						s.add()
						time.Sleep(row.takes)
						return nil
					}, w.mapped(weft.Rate(row.perSecond))...)
					if err != nil {
						t.Fatal(err)
					}
					checkRate(t, s.at, row.perSecond)
					want := time.Duration(float64(row.n-1) / row.perSecond * float64(time.Second))
					if d := time.Since(begin); d > want+want/10+row.takes+100*time.Millisecond {
						t.Errorf("took %v, the rate allows %v", d, want)
					}
				})
			})
		}
	}
}

func checkRate(t *testing.T, at []time.Time, perSecond float64) {
	t.Helper()
	slices.SortFunc(at, time.Time.Compare)
	const slack = 5 * time.Millisecond
	for i := range at {
		for _, k := range []int{1, 2, 10, 100} {
			if i+k >= len(at) {
				break
			}
			least := time.Duration(float64(k)/perSecond*float64(time.Second)) - slack - time.Microsecond
			if d := at[i+k].Sub(at[i]); d < least {
				t.Errorf("starts %d and %d are %v apart, at least %v are asked for", i, i+k, d, least)
				return
			}
		}
	}
}

// Further attempts count as starts.
func TestRateCountsRetries(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var s starts
		_ = weft.Each(t.Context(), ints(40), func(context.Context, int) error { s.add(); return errBoom },
			weft.Rate(20), weft.Retry(3), weft.KeepGoing(), weft.Workers(40), weft.Chunk(1))
		if len(s.at) != 120 {
			t.Errorf("%d attempts", len(s.at))
		}
		checkRate(t, s.at, 20)
	})
}

func TestRateInAStream(t *testing.T) {
	for _, w := range ways() {
		t.Run(w.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var s starts
				ps := collect(weft.Stream(t.Context(), upTo(60), func(_ context.Context, i int) (int, error) {
					s.add()
					time.Sleep(70 * time.Millisecond)
					return i, nil
				}, w.streamed(weft.Rate(25))...))
				if len(ps) != 60 {
					t.Errorf("%d pairs", len(ps))
				}
				checkRate(t, s.at, 25)
			})
		})
	}
}

// A rate below one in many years is a rate all the same.
func TestRateThatIsTiny(t *testing.T) {
	for _, perSecond := range []float64{1e-6, 1e-10, 1e-15, 5e-324} {
		t.Run(fmt.Sprint(perSecond), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithTimeout(t.Context(), time.Second)
				defer cancel()
				var s starts
				err := weft.Each(ctx, ints(5), func(context.Context, int) error { s.add(); return nil }, weft.Rate(perSecond))
				if len(s.at) > 1 || !errors.Is(err, context.DeadlineExceeded) {
					t.Errorf("%d items started within a second, %v", len(s.at), err)
				}
			})
		})
	}
}
