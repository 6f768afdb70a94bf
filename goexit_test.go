package weft_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"testing"

	"github.com/weft-go/weft"
)

func gone(t *testing.T, what string, err error) {
	t.Helper()
	p, ok := errors.AsType[*weft.PanicError](err)
	if !ok || p.Value != nil || !strings.Contains(err.Error(), "runtime.Goexit") {
		t.Errorf("%s: the error is %v", what, err)
	}
	if _, ok := errors.AsType[*weft.ItemError](err); !ok {
		t.Errorf("%s: the error names no item: %v", what, err)
	}
}

// t.FailNow and its kin end the goroutine that calls them. The call returns
// all the same, with an error.
func TestGoexitIsAnError(t *testing.T) {
	t.Parallel()
	for _, w := range concurrent() {
		for _, bad := range []int{0, 40} {
			t.Run(fmt.Sprintf("%s/item %d", w.name, bad), func(t *testing.T) {
				t.Parallel()
				const n = 100
				at := func(i int) {
					compute(3000)
					if i == bad {
						runtime.Goexit()
					}
				}
				mustEnd(t, func() {
					_, err := weft.Map(t.Context(), ints(n), func(_ context.Context, i int) (int, error) { at(i); return i, nil }, w.mapped()...)
					gone(t, "Map", err)
				})
				mustEnd(t, func() {
					gone(t, "Map with a time limit", weft.Each(t.Context(), ints(n), func(_ context.Context, i int) error { at(i); return nil }, w.mapped(weft.Timeout(hangs), weft.Retry(2))...))
				})
				mustEnd(t, func() {
					gone(t, "Each", weft.Each(t.Context(), ints(n), func(_ context.Context, i int) error { at(i); return nil }, w.mapped()...))
				})
				mustEnd(t, func() {
					gone(t, "For", weft.For(t.Context(), n, func(lo, hi int) error {
						for i := lo; i < hi; i++ {
							at(i)
						}
						return nil
					}, w.ranged()...))
				})
				mustEnd(t, func() {
					_, err := weft.Reduce(t.Context(), ints(n), func(a, i int) int { at(i); return a + i }, func(a, b int) int { return a + b }, w.reduced()...)
					gone(t, "Reduce, fold", err)
				})
				mustEnd(t, func() {
					_, err := weft.Reduce(t.Context(), ints(n), func(a, i int) int { compute(100); return a + i }, func(a, b int) int { runtime.Goexit(); return a + b }, w.reduced()...)
					gone(t, "Reduce, merge", err)
				})
				for _, more := range [][]weft.StreamOption{nil, {weft.Unordered()}} {
					mustEnd(t, func() {
						ps := collect(weft.Stream(t.Context(), upTo(n), func(_ context.Context, i int) (int, error) { at(i); return i, nil }, w.streamed(more...)...))
						gone(t, "Stream", ps[len(ps)-1].err)
					})
				}
			})
		}
	}
}

// With KeepGoing the item that ended its goroutine is one failure among
// others: all other items run.
func TestGoexitAndKeepGoing(t *testing.T) {
	t.Parallel()
	for _, w := range concurrent() {
		t.Run(w.name, func(t *testing.T) {
			t.Parallel()
			const n = 200
			f := func(_ context.Context, i int) (int, error) {
				compute(3000)
				if i%50 == 7 {
					runtime.Goexit()
				}
				return i + 1, nil
			}
			mustEnd(t, func() {
				out, err := weft.Map(t.Context(), ints(n), f, w.mapped(weft.KeepGoing())...)
				gone(t, "Map", err)
				if got := fmt.Sprint(indices(err)); got != "[7 57 107 157]" {
					t.Errorf("failed: %s", got)
				}
				for i, v := range out {
					if i%50 != 7 && v != i+1 {
						t.Errorf("item %d did not run", i)
					}
				}
			})
		})
	}
}

// In a stream it may be the reader's own goroutine that has ended. Then the
// stream can't go on; it must say so and not just stop.
func TestGoexitAndKeepGoingInAStream(t *testing.T) {
	t.Parallel()
	for _, w := range concurrent() {
		t.Run(w.name, func(t *testing.T) {
			t.Parallel()
			const n, bad = 200, 7
			mustEnd(t, func() {
				ps := collect(weft.Stream(t.Context(), upTo(n), func(_ context.Context, i int) (int, error) {
					compute(3000)
					if i == bad {
						runtime.Goexit()
					}
					return i + 1, nil
				}, w.streamed(weft.KeepGoing())...))
				if len(ps) > bad {
					gone(t, "Stream", ps[bad].err)
				} else {
					t.Errorf("%d pairs", len(ps))
				}
				if len(ps) != n && (len(ps) <= bad+1 || ps[len(ps)-1].err == nil) {
					t.Errorf("the stream ends after %d of %d pairs without a word", len(ps), n)
				}
			})
		})
	}
}

// Whoever runs the item, it is reported once; and the last pair says when the
// input can't be read on.
func TestGoexitInAStreamIsReportedOnce(t *testing.T) {
	t.Parallel()
	for _, w := range concurrent() {
		for _, rounds := range []int{0, 30_000, 1_000_000} { // inline; apart or in a worker; apart and looked into
			for _, bad := range []int{0, 5} {
				t.Run(fmt.Sprintf("%s/%d rounds/item %d", w.name, rounds, bad), func(t *testing.T) {
					t.Parallel()
					const n = 12
					mustEnd(t, func() {
						var rep weft.Report
						ps := collect(weft.Stream(t.Context(), upTo(n), func(_ context.Context, i int) (int, error) {
							compute(rounds)
							if i == bad {
								runtime.Goexit()
							}
							return i, nil
						}, w.streamed(weft.KeepGoing(), weft.ReportTo(&rep))...))
						about := 0
						for _, p := range ps {
							if e, ok := errors.AsType[*weft.ItemError](p.err); ok {
								about++
								if e.Index != bad {
									t.Errorf("item %d failed: %v", e.Index, p.err)
								}
								gone(t, "Stream", p.err)
							}
						}
						if about != 1 {
							t.Errorf("%d errors about item %d: %v", about, bad, ps)
						}
						last := ps[len(ps)-1].err
						if cut := last != nil && strings.Contains(last.Error(), fmt.Sprintf("can't be read on after item %d", bad)); !cut && len(ps) != n {
							t.Errorf("%d of %d pairs, the last with %v", len(ps), n, last)
						} else if cut && bad == 0 {
							t.Errorf("the first item runs on a goroutine of its own; it ended the stream: %v", last)
						}
						if rep.Failed != 1 {
							t.Errorf("the report says that %d failed", rep.Failed)
						}
					})
				})
			}
		}
	}
}
