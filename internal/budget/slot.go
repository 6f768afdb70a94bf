package budget

import (
	"context"
	"sync/atomic"
	"time"
)

// Slot is the context of one worker's items. It tells runs nested in them
// that their caller is a worker and may have a CPU slot to lend.
type Slot struct {
	context.Context
	held atomic.Bool
	lent atomic.Bool

	waits  atomic.Bool  // the run it is lent to waits rather than computes
	nested atomic.Int64 // CPU nanoseconds of the runs that worked for the items
}

// NewSlot returns the context of a worker that holds a slot or not.
func NewSlot(ctx context.Context, held bool) *Slot {
	s := &Slot{Context: ctx}
	s.held.Store(held)
	return s
}

// Hold says whether the worker holds a slot from now on.
func (s *Slot) Hold(held bool) { s.held.Store(held) }

type slotKey struct{}

// Value makes the slot visible to nested runs.
func (s *Slot) Value(k any) any {
	if k == (slotKey{}) {
		return s
	}
	return s.Context.Value(k)
}

// Borrow takes the slot of the worker that works with ctx, which waits
// meanwhile. It returns nil if there is none or if it is lent already, as
// happens when an item calls Weft from several goroutines.
func Borrow(ctx context.Context) *Slot {
	s, _ := ctx.Value(slotKey{}).(*Slot)
	if s == nil || !s.held.Load() || !s.lent.CompareAndSwap(false, true) {
		return nil
	}
	return s
}

// Return gives a borrowed slot back. cpu is what the run that borrowed it
// computed on behalf of the lender's item.
func (s *Slot) Return(cpu time.Duration) {
	s.nested.Add(int64(cpu))
	s.waits.Store(false)
	s.lent.Store(false)
}

// Waits says that the run that borrowed the slot mostly waits.
func (s *Slot) Waits() { s.waits.Store(true) }

// Computes tells whether the slot is lent to a run that computes: the worker
// waits, but its item needs the CPU.
func (s *Slot) Computes() bool { return s.lent.Load() && !s.waits.Load() }

// Nested is the CPU time of the runs that the slot was lent to.
func (s *Slot) Nested() time.Duration { return time.Duration(s.nested.Load()) }

// Held tells whether the worker holds a slot.
func (s *Slot) Held() bool { return s.held.Load() }
