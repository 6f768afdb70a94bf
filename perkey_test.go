package weft_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/weft-go/weft"
)

// perKey counts how many items of each key run at once.
type perKey struct {
	mu   sync.Mutex
	now  map[string]int
	most map[string]int
}

func newPerKey() *perKey { return &perKey{now: map[string]int{}, most: map[string]int{}} }

func (p *perKey) enter(k string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.now[k]++
	p.most[k] = max(p.most[k], p.now[k])
}

func (p *perKey) leave(k string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.now[k]--
}

func mod(k int) func(int) string {
	return func(i int) string { return strconv.Itoa(i % k) }
}

// Never more than the limit at once for a key, all items run, and no time is
// lost: n items of k keys take as long as the limit makes them.
func TestPerKeyLimits(t *testing.T) {
	for _, w := range ways() {
		for _, limit := range []int{1, 3} {
			for _, stream := range []bool{false, true} {
				t.Run(fmt.Sprintf("%s/limit %d/stream=%v", w.name, limit, stream), func(t *testing.T) {
					synctest.Test(t, func(t *testing.T) {
						const n, keys = 120, 4
						p := newPerKey()
						f := func(_ context.Context, i int) (int, error) {
							k := mod(keys)(i)
							p.enter(k)
							defer p.leave(k)
							time.Sleep(100 * time.Millisecond)
							return i, nil
						}
						begin := time.Now()
						var got []int
						if stream {
							for v, err := range weft.Stream(t.Context(), upTo(n), f, w.streamed(weft.PerKey(mod(keys), limit))...) {
								if err != nil {
									t.Fatal(err)
								}
								got = append(got, v)
							}
						} else {
							var err error
							if got, err = weft.Map(t.Context(), ints(n), f, w.mapped(weft.PerKey(mod(keys), limit))...); err != nil {
								t.Fatal(err)
							}
						}
						if !slices.Equal(got, ints(n)) {
							t.Errorf("results %v", got)
						}
						for k, m := range p.most {
							if m > limit {
								t.Errorf("%d items of key %s ran at once", m, k)
							}
						}
						if w.name == "automatic" && !stream {
							if d, least := time.Since(begin), 100*time.Millisecond*n/keys/time.Duration(limit); d > least*3/2+100*time.Millisecond {
								t.Errorf("took %v, the limit for a key allows %v", d, least)
							}
						}
					})
				})
			}
		}
	}
}

// Items of other keys overtake those that wait for theirs.
func TestPerKeyLetsOthersGoAhead(t *testing.T) {
	t.Parallel()
	others := newBarrier(8)
	mustEnd(t, func() {
		// Items 0 to 9 have one key, and the first of them waits for all of
		// the other key.
		err := weft.Each(t.Context(), ints(18), func(ctx context.Context, i int) error {
			if i == 0 {
				select {
				case <-others.open:
				case <-ctx.Done():
					return ctx.Err()
				}
			}
			if i >= 10 && others.come.Add(1) == others.n {
				close(others.open)
			}
			return nil
		}, weft.Workers(2), weft.PerKey(func(i int) string {
			if i < 10 {
				return "slow"
			}
			return "fast"
		}, 1))
		if err != nil {
			t.Error(err)
		}
	})
}

// The limit itself is used: limit items of one key do run at once.
func TestPerKeyUsesItsLimit(t *testing.T) {
	t.Parallel()
	three := newBarrier(3)
	mustEnd(t, func() {
		err := weft.Each(t.Context(), ints(9), func(ctx context.Context, i int) error {
			three.wait(ctx)
			return nil
		}, weft.Workers(9), weft.PerKey(func(int) string { return "" }, 3))
		if err != nil {
			t.Error(err)
		}
	})
}

// A panic in the key function is that item's failure.
func TestPerKeyThatPanics(t *testing.T) {
	t.Parallel()
	const n, bad = 50, 20
	for name, explode := range map[string]func(){"panic": func() { panic(errBoom) }, "Goexit": runtime.Goexit} {
		for _, w := range concurrent() {
			for _, keep := range []bool{false, true} {
				t.Run(fmt.Sprintf("%s/%s/keepGoing=%v", name, w.name, keep), func(t *testing.T) {
					t.Parallel()
					opt := weft.PerKey(func(i int) string {
						if i == bad {
							explode()
						}
						return ""
					}, 2)
					opts := []weft.ItemOption{opt}
					if keep {
						opts = append(opts, weft.KeepGoing())
					}
					var mo []weft.MapOption
					var so []weft.StreamOption
					for _, o := range opts {
						mo, so = append(mo, o), append(so, o)
					}
					f := func(_ context.Context, i int) (int, error) { compute(500); return i + 1, nil }
					failed := func(what string, err error) {
						item, ok := errors.AsType[*weft.ItemError](err)
						_, isPanic := errors.AsType[*weft.PanicError](err)
						if !ok || item.Index != bad || !isPanic || name == "panic" && !errors.Is(err, errBoom) {
							t.Errorf("%s: the error is %v", what, err)
						}
					}
					mustEnd(t, func() {
						out, err := weft.Map(t.Context(), ints(n), f, w.mapped(mo...)...)
						failed("Map", err)
						for i, v := range out {
							if keep && i != bad && v != i+1 {
								t.Errorf("item %d did not run", i)
							}
						}
					})
					mustEnd(t, func() {
						var pairs, failures int
						for _, err := range weft.Stream(t.Context(), upTo(n), f, w.streamed(so...)...) {
							pairs++
							if err != nil {
								failures++
								failed("Stream", err)
							}
						}
						// The plain loop asks for no keys: none can have two.
						if failures > 1 || keep && pairs != n {
							t.Errorf("Stream: %d pairs, %d failures", pairs, failures)
						}
					})
				})
			}
		}
	}
}

// Keys, failures and stopping together leave nothing behind.
func TestPerKeyAndFailures(t *testing.T) {
	t.Parallel()
	for _, w := range ways() {
		for _, stop := range []int{0, 3, 30} {
			mustEnd(t, func() {
				err := weft.Each(t.Context(), ints(200), func(_ context.Context, i int) error {
					compute(300)
					if i == stop {
						return errBoom
					}
					return nil
				}, w.mapped(weft.PerKey(mod(3), 1))...)
				if !errors.Is(err, errBoom) {
					t.Errorf("%s: %v", w.name, err)
				}
			})
		}
		// Leaving a stream whose items wait for their key.
		mustEnd(t, func() {
			var ran atomic.Int64
			for range weft.Stream(t.Context(), upTo(-1), func(_ context.Context, i int) (int, error) { ran.Add(1); return i, nil },
				w.streamed(weft.PerKey(func(int) string { return "one" }, 1))...) {
				if ran.Load() > 50 {
					break
				}
			}
		})
	}
}
