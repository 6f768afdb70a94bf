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
	depth int // of the runs nested in the worker's items
	held  atomic.Bool
	lent  atomic.Bool

	waits  atomic.Bool  // the run it is lent to waits rather than computes
	lends  atomic.Int64 // how often it was lent
	waited atomic.Int64 // nanoseconds that the runs it was lent to only waited
}

// NewSlot returns the context of a worker that holds a slot or not, of a run
// of the given depth.
func NewSlot(ctx context.Context, held bool, depth int) *Slot {
	s := &Slot{Context: ctx, depth: depth + 1}
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

// Depth is how many runs a run with this context is nested in.
func Depth(ctx context.Context) int {
	if s, _ := ctx.Value(slotKey{}).(*Slot); s != nil {
		return s.depth
	}
	return 0
}

// Nested tells whether a run with this context is in an item of another.
func Nested(ctx context.Context) bool {
	s, _ := ctx.Value(slotKey{}).(*Slot)
	return s != nil
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

// Return gives a borrowed slot back. waited is how long the run that borrowed
// it had no use for a CPU.
func (s *Slot) Return(waited time.Duration) {
	s.lends.Add(1)
	s.waited.Add(int64(waited))
	s.waits.Store(false)
	s.lent.Store(false)
}

// Waits says that the run that borrowed the slot mostly waits.
func (s *Slot) Waits() { s.waits.Store(true) }

// Computes tells whether the slot is lent to a run that computes: the worker
// waits, but its item needs the CPU.
func (s *Slot) Computes() bool { return s.lent.Load() && !s.waits.Load() }

// Nested tells how often the slot was lent so far, and for how long the runs
// that borrowed it only waited.
func (s *Slot) Nested() (lends int64, waited time.Duration) {
	return s.lends.Load(), time.Duration(s.waited.Load())
}

// Held tells whether the worker holds a slot.
func (s *Slot) Held() bool { return s.held.Load() }
