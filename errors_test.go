package weft_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/weft-go/weft"
)

// The other items' contexts end when one fails, with a cause that tells which
// one and why.
func TestFailureCancelsTheOthersWithACause(t *testing.T) {
	t.Parallel()
	const n = 4
	var causes [n]error
	all := newBarrier(n)
	mustEnd(t, func() {
		_, err := weft.Map(t.Context(), ints(n), func(ctx context.Context, i int) (int, error) {
			all.wait(ctx)
			if i == 2 {
				return 0, errBoom
			}
			<-ctx.Done()
			causes[i] = context.Cause(ctx)
			return 0, ctx.Err()
		}, weft.Workers(n))
		item, ok := errors.AsType[*weft.ItemError](err)
		if !ok || item.Index != 2 || !errors.Is(err, errBoom) {
			t.Errorf("the error is %v, want that of item 2", err)
		}
	})
	for i, cause := range causes {
		if i == 2 {
			continue
		}
		if cause == nil || !errors.Is(cause, errBoom) || !strings.Contains(cause.Error(), "item 2") || !strings.Contains(cause.Error(), "boom") {
			t.Errorf("the context of item %d ended with the cause %v", i, cause)
		}
	}
}

// Of several failures the one with the lowest index is returned, whichever
// came first.
func TestFailFastReturnsTheLowestKnown(t *testing.T) {
	t.Parallel()
	const n = 8
	for _, first := range []int{n - 1, n / 2, 0} {
		all := newBarrier(n)
		failed := make(chan struct{})
		mustEnd(t, func() {
			err := weft.Each(t.Context(), ints(n), func(ctx context.Context, i int) error {
				all.wait(context.Background())
				if i != first {
					<-failed
				} else {
					defer close(failed)
				}
				return fmt.Errorf("own failure of %d", i)
			}, weft.Workers(n))
			item, ok := errors.AsType[*weft.ItemError](err)
			if !ok || item.Index != 0 {
				t.Errorf("item %d failed first and all others after: the error is %v, want item 0's", first, err)
			}
		})
	}
}

// After a failure no further item starts, in any way to run.
func TestFailureStopsTheRun(t *testing.T) {
	t.Parallel()
	for _, w := range ways() {
		t.Run(w.name, func(t *testing.T) {
			t.Parallel()
			const n, bad = 100_000, 50
			var ran atomic.Int64
			var out []int
			mustEnd(t, func() {
				var err error
				out, err = weft.Map(t.Context(), ints(n), func(_ context.Context, i int) (int, error) {
					ran.Add(1)
					compute(2000)
					if i == bad {
						return 0, errBoom
					}
					return i + 1, nil
				}, w.mapped()...)
				if item, ok := errors.AsType[*weft.ItemError](err); !ok || item.Index != bad {
					t.Errorf("error %v", err)
				}
			})
			if r := ran.Load(); r > n/2 {
				t.Errorf("%d of %d items ran though item %d failed", r, n, bad)
			}
			if len(out) != n {
				t.Fatalf("%d places for %d items", len(out), n)
			}
			for i, v := range out {
				if v != 0 && v != i+1 {
					t.Fatalf("place %d holds %d", i, v)
				}
			}
			if out[bad] != 0 {
				t.Errorf("the failed place holds %d", out[bad])
			}
		})
	}
}

// odd is an error type of the user's.
type odd struct{ error }

func (o odd) Unwrap() error { return o.error }

func TestKeepGoingReturnsAllResultsAndErrors(t *testing.T) {
	t.Parallel()
	for _, w := range ways() {
		for _, n := range sizes {
			t.Run(fmt.Sprintf("%s/%d", w.name, n), func(t *testing.T) {
				t.Parallel()
				got, err := weft.Map(t.Context(), ints(n), func(_ context.Context, i int) (int, error) {
					uneven(i)
					switch {
					case i%10 == 3:
						return -1, fmt.Errorf("item: %w", odd{errBoom})
					case i%10 == 7:
						panic(fmt.Sprintf("panic of %d", i))
					}
					return i + 1, nil
				}, w.mapped(weft.KeepGoing())...)
				var bad []int
				for i := range n {
					want := i + 1
					if i%10 == 3 || i%10 == 7 {
						want = 0
						bad = append(bad, i)
					}
					if got[i] != want {
						t.Fatalf("place %d holds %d, want %d", i, got[i], want)
					}
				}
				if len(bad) == 0 {
					if err != nil {
						t.Fatal(err)
					}
					return
				}
				if !slices.Equal(indices(err), bad) {
					t.Fatalf("the errors are of %v, want %v", indices(err), bad)
				}
				if !errors.Is(err, errBoom) {
					t.Error("errors.Is does not see through")
				}
				if _, ok := errors.AsType[odd](err); !ok {
					t.Error("errors.AsType does not see the user's type")
				}
				if n > 7 {
					if p, ok := errors.AsType[*weft.PanicError](err); !ok || p.Value != "panic of 7" {
						t.Errorf("errors.AsType does not see the panic: %v", p)
					}
				}
			})
		}
	}
}

// indices returns the indices of the ItemErrors that are joined in err, in
// the order in which they are joined.
func indices(err error) (is []int) {
	switch e := err.(type) { //nolint:errorlint // walks the tree itself
	case nil:
	case *weft.ItemError:
		is = append(is, e.Index)
	case interface{ Unwrap() []error }:
		for _, err := range e.Unwrap() {
			is = append(is, indices(err)...)
		}
	case interface{ Unwrap() error }:
		is = indices(e.Unwrap())
	}
	return is
}

func TestManyErrorsPrintShort(t *testing.T) {
	t.Parallel()
	err := weft.Each(t.Context(), ints(1000), func(context.Context, int) error { return errBoom }, weft.KeepGoing())
	text := err.Error()
	if lines := strings.Count(text, "\n"); lines > 12 {
		t.Errorf("1,000 failures print %d lines", lines)
	}
	for _, want := range []string{"1000 items failed", "item 0: boom", "item 9: boom", "990 more"} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is not in\n%s", want, text)
		}
	}
	one := weft.Each(t.Context(), ints(3), func(_ context.Context, i int) error {
		if i == 1 {
			return errBoom
		}
		return nil
	}, weft.KeepGoing())
	if got := one.Error(); got != "1 item failed\nitem 1: boom" {
		t.Errorf("one failure prints as %q", got)
	}
}

func TestStreamKeepGoingYieldsEachFailureInPlace(t *testing.T) {
	t.Parallel()
	for _, w := range ways() {
		for _, n := range sizes {
			t.Run(fmt.Sprintf("%s/%d", w.name, n), func(t *testing.T) {
				t.Parallel()
				i := 0
				for v, err := range weft.Stream(t.Context(), upTo(n), func(_ context.Context, i int) (int, error) {
					uneven(i)
					switch {
					case i%10 == 3:
						return -1, errBoom
					case i%10 == 7:
						panic(i)
					}
					return i + 1, nil
				}, w.streamed(weft.KeepGoing())...) {
					if i%10 == 3 || i%10 == 7 {
						item, ok := errors.AsType[*weft.ItemError](err)
						if !ok || item.Index != i {
							t.Fatalf("pair %d has the error %v", i, err)
						}
					} else if err != nil || v != i+1 {
						t.Fatalf("pair %d is %d, %v", i, v, err)
					}
					i++
				}
				if i != n {
					t.Fatalf("%d pairs for %d items", i, n)
				}
			})
		}
	}
}

func TestStreamFailureIsTheLastPair(t *testing.T) {
	t.Parallel()
	for _, w := range ways() {
		for _, unordered := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s/unordered=%v", w.name, unordered), func(t *testing.T) {
				t.Parallel()
				var opts []weft.StreamOption
				if unordered {
					opts = append(opts, weft.Unordered())
				}
				var ps []pair[int]
				mustEnd(t, func() {
					ps = collect(weft.Stream(t.Context(), upTo(-1), func(_ context.Context, i int) (int, error) {
						compute(500)
						if i == 300 {
							return 0, errBoom
						}
						return i, nil
					}, w.streamed(opts...)...))
				})
				for i, p := range ps {
					last := i == len(ps)-1
					switch {
					case last:
						item, ok := errors.AsType[*weft.ItemError](p.err)
						if !ok || item.Index != 300 || !errors.Is(p.err, errBoom) {
							t.Errorf("the last pair is %d, %v", p.val, p.err)
						}
					case p.err != nil:
						t.Errorf("pair %d of %d has the error %v", i, len(ps), p.err)
					case !unordered && p.val != i:
						t.Errorf("pair %d is %d", i, p.val)
					}
				}
			})
		}
	}
}

func explodes(v any) { panic(v) }

// A panic keeps its value, and the stack shows where it was.
func TestPanicKeepsValueAndStack(t *testing.T) {
	t.Parallel()
	check := func(t *testing.T, err error) {
		t.Helper()
		item, ok := errors.AsType[*weft.ItemError](err)
		if !ok {
			t.Fatalf("the error is %v", err)
		}
		p, ok := errors.AsType[*weft.PanicError](item)
		if !ok || p.Value != "value" {
			t.Fatalf("the error is %v", err)
		}
		if !strings.Contains(string(p.Stack), "explodes") {
			t.Errorf("the stack does not show the function that panicked:\n%s", p.Stack)
		}
		for _, want := range []string{"value", "explodes", fmt.Sprintf("item %d", item.Index)} {
			if !strings.Contains(err.Error(), want) {
				t.Errorf("the text lacks %q: %v", want, err)
			}
		}
	}
	for _, w := range ways() {
		t.Run(w.name, func(t *testing.T) {
			t.Parallel()
			const n = 100
			at := func(i int) {
				compute(3000)
				if i == 61 {
					explodes("value")
				}
			}
			mustEnd(t, func() {
				_, err := weft.Map(t.Context(), ints(n), func(_ context.Context, i int) (int, error) { at(i); return i, nil }, w.mapped()...)
				check(t, err)
				check(t, weft.Each(t.Context(), ints(n), func(_ context.Context, i int) error { at(i); return nil }, w.mapped()...))
				check(t, weft.For(t.Context(), n, func(lo, hi int) error {
					for i := lo; i < hi; i++ {
						at(i)
					}
					return nil
				}, w.ranged()...))
				_, err = weft.Reduce(t.Context(), ints(n), func(a, i int) int { at(i); return a + i }, func(a, b int) int { return a + b }, w.reduced()...)
				check(t, err)
				if item, _ := errors.AsType[*weft.ItemError](err); item == nil || item.Index != 61 {
					t.Errorf("Reduce: the panic was in item 61: %v", item.Index)
				}
				_, err = weft.Reduce(t.Context(), ints(n), func(a, i int) int { return a + i }, func(a, b int) int { explodes("value"); return a + b }, w.reduced()...)
				check(t, err)
				ps := collect(weft.Stream(t.Context(), upTo(n), func(_ context.Context, i int) (int, error) { at(i); return i, nil }, w.streamed()...))
				check(t, ps[len(ps)-1].err)
			})
		})
	}
}

func TestPanicWithAnErrorUnwraps(t *testing.T) {
	t.Parallel()
	err := weft.Each(t.Context(), ints(3), func(context.Context, int) error { panic(fmt.Errorf("deep: %w", errBoom)) })
	if !errors.Is(err, errBoom) {
		t.Errorf("errors.Is does not see the error that was passed to panic: %v", err)
	}
	// panic(nil) and a nil error are panics too (since Go 1.21).
	for name, v := range map[string]any{"nil": nil, "nil error": error(nil)} {
		err := weft.Each(t.Context(), ints(3), func(context.Context, int) error { panic(v) })
		p, ok := errors.AsType[*weft.PanicError](err)
		if !ok || p.Value == nil {
			t.Errorf("panic(%s) gives %v", name, err)
		}
	}
}

// rude is an error whose methods do not bear being called.
type rude struct{ error }

func (rude) Unwrap() error { panic("Unwrap was called") }

// An error is the user's value: looking into it must not bring the program
// down, as a nil pointer with methods would. Workers(1), where a panic can be
// seen from here; with more workers it would end the program.
func TestErrorsThatPanicWhenLookedInto(t *testing.T) {
	t.Parallel()
	for _, f := range []func(context.Context, int) error{
		func(context.Context, int) error { return rude{errBoom} },
		func(context.Context, int) error { var e *weft.ItemError; return e },
		func(context.Context, int) error { var e *weft.ItemError; panic(e) },
	} {
		func() {
			defer func() {
				if v := recover(); v != nil {
					t.Errorf("panics: %v", v)
				}
			}()
			if err := weft.Each(t.Context(), ints(3), f, weft.Workers(1)); err == nil {
				t.Error("no error")
			}
		}()
	}
}

// Results that exist are returned beside the error.
func TestResultsSurviveAFailure(t *testing.T) {
	t.Parallel()
	const n = 4
	all, others := newBarrier(n), newBarrier(n-1)
	mustEnd(t, func() {
		out, err := weft.Map(t.Context(), ints(n), func(ctx context.Context, i int) (int, error) {
			all.wait(ctx)
			if i == 1 {
				<-others.open
				return 9, errBoom
			}
			others.wait(context.Background())
			return i + 1, nil
		}, weft.Workers(n))
		if err == nil || !slices.Equal(out, []int{1, 0, 3, 4}) {
			t.Errorf("%v, %v", out, err)
		}
	})
}

// An item's own failure is not hidden by the context's end: users cancel
// because an item failed.
func TestFailureIsKeptWhenTheContextIsCancelledToo(t *testing.T) {
	t.Parallel()
	for _, w := range ways() {
		t.Run(w.name, func(t *testing.T) {
			t.Parallel()
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			failed := make(chan struct{})
			mustEnd(t, func() {
				err := weft.Each(ctx, ints(1000), func(_ context.Context, i int) error {
					switch i {
					case 5:
						close(failed)
						cancel()
						return errBoom
					}
					return nil
				}, w.mapped()...)
				if !errors.Is(err, errBoom) {
					t.Errorf("the item's failure is lost: %v", err)
				}
			})
			<-failed
		})
	}
}
