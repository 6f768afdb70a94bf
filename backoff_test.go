package weft_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/weft-go/weft"
)

// An item that asks to back off for a time keeps all items from starting for
// that time, further attempts included, in every way to run.
func TestBackOffPausesStarts(t *testing.T) {
	for _, w := range ways() {
		for _, retry := range []int{1, 3} {
			for _, stream := range []bool{false, true} {
				t.Run(fmt.Sprintf("%s/Retry(%d)/stream=%v", w.name, retry, stream), func(t *testing.T) {
					synctest.Test(t, func(t *testing.T) {
						const n, pause = 200, 10 * time.Second
						var mu sync.Mutex
						var asked time.Time
						early := 0
						f := func(_ context.Context, i int) (int, error) {
							mu.Lock()
							if !asked.IsZero() && time.Since(asked) > 0 && time.Since(asked) < pause {
								early++
							}
							mu.Unlock()
							time.Sleep(time.Duration(1+i%3) * time.Millisecond)
							mu.Lock()
							defer mu.Unlock()
							if i == 60 && asked.IsZero() {
								asked = time.Now()
								return 0, fmt.Errorf("429: %w", weft.BackOff{After: pause})
							}
							if retry > 1 && i%5 == 0 && asked.IsZero() {
								return 0, errBoom // others wait for their second attempt
							}
							return i, nil
						}
						begin := time.Now()
						if stream {
							if k := len(collect(weft.Stream(t.Context(), upTo(n), f, w.streamed(weft.KeepGoing(), weft.Retry(retry))...))); k != n {
								t.Errorf("%d pairs", k)
							}
						} else {
							_, err := weft.Map(t.Context(), ints(n), f, w.mapped(weft.KeepGoing(), weft.Retry(retry))...)
							if b, ok := errors.AsType[weft.BackOff](err); retry == 1 && (!ok || b.After != pause) {
								t.Errorf("the error is %v", err)
							}
						}
						if early > 0 {
							t.Errorf("%d items started within %v after an item asked to back off for it", early, pause)
						}
						if d := time.Since(begin); d > pause+10*time.Second {
							t.Errorf("took %v", d)
						}
					})
				})
			}
		}
	}
}

// The pause ends at once when the context does.
func TestBackOffEndsWithTheContext(t *testing.T) {
	for _, w := range ways() {
		t.Run(w.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithCancel(t.Context())
				time.AfterFunc(time.Second, cancel)
				begin := time.Now()
				err := weft.Each(ctx, ints(100), func(context.Context, int) error { return weft.BackOff{After: time.Hour} }, w.mapped(weft.KeepGoing())...)
				if !errors.Is(err, context.Canceled) {
					t.Errorf("the error is %.100v", err)
				}
				if d := time.Since(begin); d > 1100*time.Millisecond {
					t.Errorf("stopped after %v", d)
				}
			})
		})
	}
}

// A refusal halves what is in flight.
func TestBackOffHalvesTheConcurrency(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var p peak
		var refused atomic.Bool
		var before, after atomic.Int64
		var rep weft.Report
		err := weft.Each(t.Context(), ints(4000), func(ctx context.Context, i int) error {
			p.enter()
			defer p.leave()
			if refused.Load() {
				// From the next round on: what was in flight may still be.
				if n := p.now.Load(); i > 1200 && i < 1300 {
					after.Store(max(after.Load(), n))
				}
			}
			time.Sleep(200 * time.Millisecond)
			if i == 1000 && refused.CompareAndSwap(false, true) {
				before.Store(p.now.Load())
				return weft.BackOff{}
			}
			return nil
		}, weft.KeepGoing(), weft.MemoryPerItem(1<<20), weft.MemoryLimit(64<<20), weft.ReportTo(&rep)) // at most 64 at once
		if !errors.Is(err, weft.BackOff{}) {
			t.Errorf("the error is %.100v", err)
		}
		if b, a := before.Load(), after.Load(); a > b*3/4 {
			t.Errorf("%d were in flight when an item asked for less, %d after\n%v", b, a, rep)
		}
	})
}

func TestBackOffPrints(t *testing.T) {
	t.Parallel()
	if s := (weft.BackOff{After: time.Second}).Error(); s != "asked to back off for 1s" {
		t.Error(s)
	}
	if s := (weft.BackOff{}).Error(); s != "asked to back off" {
		t.Error(s)
	}
}
