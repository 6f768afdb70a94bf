package weft_test

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/weft-go/weft"
	"github.com/weft-go/weft/internal/budget"
	"github.com/weft-go/weft/internal/cpus"
)

// nest maps depth levels of width items and computes in the leaves.
func nest(ctx context.Context, depth, width int, leaf func() error, opts ...weft.MapOption) error {
	_, err := weft.Map(ctx, ints(width), func(ctx context.Context, i int) (int, error) {
		if depth > 1 {
			return 0, nest(ctx, depth-1, width, leaf, opts...)
		}
		return 0, leaf()
	}, opts...)
	return err
}

// J4, M8: at no depth do more items compute at once than the process has CPU
// slots, and all are run.
func TestNestedStaysWithinTheBudget(t *testing.T) {
	slots := int64(cpus.Get().Effective)
	for _, row := range []struct{ depth, width int }{{1, 200}, {2, 20}, {3, 7}, {4, 5}} {
		t.Run(fmt.Sprintf("%d levels", row.depth), func(t *testing.T) {
			var p peak
			leaves := int64(1)
			for range row.depth {
				leaves *= int64(row.width)
			}
			mustEnd(t, func() {
				if err := nest(t.Context(), row.depth, row.width, func() error {
					p.enter()
					defer p.leave()
					computeFor(300 * time.Microsecond)
					return nil
				}); err != nil {
					t.Error(err)
				}
			})
			if n := p.total.Load(); n != leaves {
				t.Errorf("%d of %d leaves ran", n, leaves)
			}
			if m := p.most.Load(); m > slots {
				t.Errorf("%d leaves computed at once; there are %d CPU slots", m, slots)
			}
			if used := budget.Shared.Used(); used != 0 {
				t.Errorf("%d slots are still taken", used)
			}
		})
	}
}

// The outer loop is not starved: its items go on while an inner loop runs
// (the opposite fault, all CPUs on one outer item, is as bad with uneven
// inner loops).
func TestNestedOuterLoopGoesOn(t *testing.T) {
	if cpus.Get().Effective < 2 {
		t.Skip("needs two CPU slots")
	}
	var p peak
	mustEnd(t, func() {
		err := weft.Each(t.Context(), ints(40), func(ctx context.Context, i int) error {
			p.enter()
			defer p.leave()
			return weft.Each(ctx, ints(10), func(context.Context, int) error { computeFor(500 * time.Microsecond); return nil })
		})
		if err != nil {
			t.Error(err)
		}
	})
	if p.most.Load() < 2 {
		t.Error("the outer items ran one after the other on a machine with free CPU slots")
	}
}

// Explicit numbers of workers are what the user asked for, also when nested.
func TestNestedExplicitWorkersAreForced(t *testing.T) {
	t.Parallel()
	all := newBarrier(9)
	mustEnd(t, func() {
		if err := nest(t.Context(), 2, 3, func() error { all.wait(context.Background()); return nil }, weft.Workers(3)); err != nil {
			t.Error(err)
		}
	})
}

// Whatever ends an inner run, the slots come back.
func TestNestedEndings(t *testing.T) {
	for _, w := range ways() {
		for _, keep := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s/keepGoing=%v", w.name, keep), func(t *testing.T) {
				var opts []weft.MapOption
				if keep {
					opts = append(opts, weft.KeepGoing())
				}
				opts = w.mapped(opts...)
				mustEnd(t, func() {
					var k atomic.Int64
					if err := nest(t.Context(), 3, 6, func() error {
						compute(2000)
						if k.Add(1)%20 == 0 {
							return errBoom
						}
						return nil
					}, opts...); !errors.Is(err, errBoom) {
						t.Errorf("failures: %v", err)
					}
				})
				mustEnd(t, func() {
					var k atomic.Int64
					err := nest(t.Context(), 3, 6, func() error {
						compute(2000)
						if k.Add(1)%20 == 0 {
							panic(errBoom)
						}
						return nil
					}, opts...)
					if _, ok := errors.AsType[*weft.PanicError](err); !ok || !errors.Is(err, errBoom) {
						t.Errorf("panics: %v", err)
					}
				})
				mustEnd(t, func() {
					ctx, cancel := context.WithCancelCause(t.Context())
					defer cancel(nil)
					var k atomic.Int64
					err := nest(ctx, 3, 6, func() error {
						compute(2000)
						if k.Add(1) == 20 {
							cancel(errStop)
						}
						if k.Load() > 20 {
							computeFor(time.Millisecond)
						}
						return nil
					}, opts...)
					if !errors.Is(err, context.Canceled) {
						t.Errorf("cancel: %v", err)
					}
				})
				if used := budget.Shared.Used(); used != 0 {
					t.Errorf("%d slots are still taken", used)
				}
			})
		}
	}
}

// An item may use Weft from several goroutines: the slot is lent once.
func TestNestedFromSeveralGoroutines(t *testing.T) {
	mustEnd(t, func() {
		err := weft.Each(t.Context(), ints(8), func(ctx context.Context, i int) error {
			errs := make(chan error, 3)
			for range 3 {
				go func() {
					errs <- weft.Each(ctx, ints(30), func(context.Context, int) error { compute(500); return nil })
				}()
			}
			return errors.Join(<-errs, <-errs, <-errs)
		})
		if err != nil {
			t.Error(err)
		}
	})
	if used := budget.Shared.Used(); used != 0 {
		t.Errorf("%d slots are still taken", used)
	}
}

// The functions nest in each other.
func TestNestedFunctionsMix(t *testing.T) {
	mustEnd(t, func() {
		total, err := weft.Reduce(t.Context(), ints(20), func(a, i int) int {
			var n atomic.Int64
			if err := weft.For(t.Context(), 100, func(lo, hi int) error {
				for v, err := range weft.Stream(t.Context(), upTo(hi-lo), identity) {
					if err != nil {
						return err
					}
					compute(100 + v)
					n.Add(1)
				}
				return nil
			}); err != nil {
				t.Error(err)
			}
			return a + int(n.Load())
		}, sum)
		if err != nil || total != 2000 {
			t.Errorf("%d, %v", total, err)
		}
	})
	if used := budget.Shared.Used(); used != 0 {
		t.Errorf("%d slots are still taken", used)
	}
}

// A call in the first item has taken every CPU slot before the outer loop
// knows what its items take: it makes room for the second item.
func TestInnerCallMakesRoomForOuterItems(t *testing.T) {
	if cpus.Get().Effective < 2 {
		t.Skip("needs two CPU slots")
	}
	var second atomic.Bool
	var ran atomic.Int64
	mustEnd(t, func() {
		err := weft.Each(t.Context(), ints(2), func(ctx context.Context, i int) error {
			if i == 1 {
				second.Store(true)
				return nil
			}
			return weft.Each(ctx, ints(100_000), func(context.Context, int) error {
				if second.Load() {
					return nil
				}
				computeFor(500 * time.Microsecond)
				ran.Add(1)
				return nil
			})
		})
		if err != nil {
			t.Error(err)
		}
	})
	if n := ran.Load(); n == 100_000 {
		t.Error("the second outer item began when the inner call of the first was over")
	}
	if used := budget.Shared.Used(); used != 0 {
		t.Errorf("%d slots are still taken", used)
	}
}
