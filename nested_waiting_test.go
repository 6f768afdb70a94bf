package weft_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/weft-go/weft"
	"github.com/weft-go/weft/internal/budget"
	"github.com/weft-go/weft/internal/cpus"
)

// inWaitingItems calls f in the items of a run that has turned to waiting: the
// first ones wait for each other, so that many are in flight at once.
func inWaitingItems(ctx context.Context, items, together int, f func(ctx context.Context, i int) error) error {
	all := newBarrier(together)
	return weft.Each(ctx, ints(items), func(ctx context.Context, i int) error {
		if i < together && !all.wait(ctx) {
			return context.Cause(ctx)
		}
		return f(ctx, i)
	})
}

// J4, M8: runs that compute in the items of one that waits. Its workers have
// no CPU slots to lend, and yet no more leaves compute at once than there are
// slots.
func TestNestedInWaitingItemsStaysWithinTheBudget(t *testing.T) {
	slots := int64(cpus.Get().Effective)
	const short, long = 200 * time.Microsecond, 15 * time.Millisecond // of a long one Go lets others run meanwhile
	for _, row := range []struct {
		depth, width, items int
		leaf                time.Duration
	}{{1, 8, 96, short}, {2, 5, 96, short}, {3, 3, 96, short}, {4, 2, 96, short}, {1, 2, 32, long}} {
		t.Run(fmt.Sprintf("%d levels, %v", row.depth, row.leaf), func(t *testing.T) {
			var p peak
			leaves := int64(row.items)
			for range row.depth {
				leaves *= int64(row.width)
			}
			mustEnd(t, func() {
				err := inWaitingItems(t.Context(), row.items, row.items/2, func(ctx context.Context, i int) error {
					return nest(ctx, row.depth, row.width, func() error {
						p.enter()
						defer p.leave()
						computeFor(row.leaf)
						return nil
					})
				})
				if err != nil {
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

// What computes in the items of a run that waits gets every CPU slot, though
// the waiting run goes on: its leaves meet in twos.
func TestNestedInWaitingItemsUsesAllSlots(t *testing.T) {
	slots := cpus.Workers(0, cpus.Get())
	if slots < 2 {
		t.Skip("needs two CPU slots")
	}
	meet := newBarrier(slots)
	mustEnd(t, func() {
		err := inWaitingItems(t.Context(), 40, 40, func(ctx context.Context, i int) error {
			if i > 0 {
				meet.waitOnly(ctx)
				return nil
			}
			return weft.Each(ctx, ints(200), func(ctx context.Context, i int) error {
				computeFor(300 * time.Microsecond)
				if i >= 100 {
					meet.wait(ctx)
				}
				return nil
			})
		})
		if err != nil {
			t.Error(err)
		}
	})
}

// Runs that wait do not stand in line behind each other: each of 40 nested ones
// has an item that returns only when an item of every other has begun.
func TestNestedWaitingRunsBeginAtOnce(t *testing.T) {
	for _, n := range []int{1, 3} {
		const together = 40
		meet := newBarrier(together)
		mustEnd(t, func() {
			err := inWaitingItems(t.Context(), together, together, func(ctx context.Context, _ int) error {
				return weft.Each(ctx, ints(n), func(ctx context.Context, i int) error {
					if i == 0 && !meet.wait(ctx) {
						return context.Cause(ctx)
					}
					return nil
				})
			})
			if err != nil {
				t.Error(err)
			}
		})
		if used := budget.Shared.Used(); used != 0 {
			t.Errorf("%d slots are still taken", used)
		}
	}
}

// A run that holds a slot waits for one that has none, while goroutines that
// are not Weft's keep all CPUs busy.
func TestNestedHolderWaitsForAWaiter(t *testing.T) {
	var quit atomic.Bool
	var busy sync.WaitGroup
	defer busy.Wait()
	defer quit.Store(true)
	const together = 6
	meet := newBarrier(together)
	mustEnd(t, func() {
		err := inWaitingItems(t.Context(), together, together, func(ctx context.Context, i int) error {
			if i == 0 {
				for range 2 * cpus.Get().Effective {
					busy.Go(func() {
						for !quit.Load() {
							compute(1000)
						}
					})
				}
			}
			return weft.Each(ctx, ints(4), func(ctx context.Context, i int) error {
				if i == 3 && !meet.wait(ctx) {
					return context.Cause(ctx)
				}
				compute(1000)
				return nil
			})
		})
		if err != nil {
			t.Error(err)
		}
	})
	if used := budget.Shared.Used(); used != 0 {
		t.Errorf("%d slots are still taken", used)
	}
}

// A call that waits for a slot ends with its context.
func TestNestedStopsWhileItWaitsForASlot(t *testing.T) {
	for _, stream := range []bool{false, true} {
		var running, refused atomic.Int64
		mustEnd(t, func() {
			err := inWaitingItems(t.Context(), 32, 32, func(ctx context.Context, i int) error {
				inner, cancel := context.WithCancelCause(ctx)
				defer cancel(nil)
				f := func(_ context.Context, i int) (int, error) {
					running.Add(1)
					for running.Load() > 0 && refused.Load() < 10 {
						computeFor(100 * time.Microsecond)
					}
					return i, nil
				}
				time.AfterFunc(20*time.Millisecond, func() { cancel(errStop) })
				var err error
				if stream {
					for _, err = range weft.Stream(inner, upTo(1), f) {
					}
				} else {
					_, err = weft.Map(inner, ints(1), f)
				}
				if errors.Is(err, errStop) {
					refused.Add(1)
				} else if err != nil {
					return err
				}
				return nil
			})
			if err != nil {
				t.Error(err)
			}
		})
		if refused.Load() < 10 {
			t.Errorf("stream %v: %d of 32 calls were stopped while they waited", stream, refused.Load())
		}
		if used := budget.Shared.Used(); used != 0 {
			t.Errorf("%d slots are still taken", used)
		}
	}
}
