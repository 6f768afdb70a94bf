// Package budget is the one account of CPU slots of this process. Every
// worker that computes holds a slot. A worker that calls Weft again (a nested
// Map, say) lends its slot to the inner run while it waits, and gets it back;
// further workers of the inner run start only when a slot is free. Nobody ever
// blocks on a slot, so nesting can't deadlock at any depth, and the number of
// computing workers never passes the number of slots, except by those that
// users ask for explicitly or start on goroutines of their own, and by the
// first workers of runs nested in items of a run that mostly waits: its
// workers hold no slots and have none to lend.
//
// A run that could use more slots than there are says so ([Pool.Want]) and is
// woken when one is released. Outer runs come first: their items are larger,
// so a slot does more there. The extra workers of an inner run make room for
// them ([Pool.Outranked]).
package budget

import (
	"cmp"
	"slices"
	"sync"
	"sync/atomic"
)

// Pool is an account of slots. All methods are safe for concurrent use; the
// zero value has no slot in use.
type Pool struct {
	used atomic.Int64

	mu        sync.Mutex
	waiting   []*Waiter    // outermost first
	outermost atomic.Int64 // depth of the first of them, plus one; 0 if there is none
}

// Shared is the account of the process.
var Shared Pool

// Waiter is a run that could use more slots.
type Waiter struct {
	Depth int             // of its nesting: 0 for a run that is in no other
	Wake  chan<- struct{} // gets a value when a slot is released, if it has room

	listed atomic.Bool
}

// Listed tells whether w is waiting. Costs next to nothing.
func (w *Waiter) Listed() bool { return w.listed.Load() }

// TryAcquire takes a slot if fewer than size are in use.
func (p *Pool) TryAcquire(size int) bool {
	for {
		u := p.used.Load()
		if u >= int64(size) {
			return false
		}
		if p.used.CompareAndSwap(u, u+1) {
			return true
		}
	}
}

// Force takes a slot in any case: for a goroutine that runs already.
func (p *Pool) Force() { p.used.Add(1) }

// Release gives back n slots and wakes the outermost run that wants one.
func (p *Pool) Release(n int) {
	if p.used.Add(-int64(n)) < 0 {
		panic("budget: more slots released than taken")
	}
	if p.outermost.Load() == 0 {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, w := range p.waiting[:min(n, len(p.waiting))] {
		select {
		case w.Wake <- struct{}{}:
		default:
		}
	}
}

// Want lists w, once, until Enough is called.
func (p *Pool) Want(w *Waiter) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if w.listed.Swap(true) {
		return
	}
	at, _ := slices.BinarySearchFunc(p.waiting, w.Depth+1, func(v *Waiter, depth int) int { return cmp.Compare(v.Depth, depth) })
	p.waiting = slices.Insert(p.waiting, at, w)
	p.noteOutermost()
}

// Enough takes w off the list.
func (p *Pool) Enough(w *Waiter) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !w.listed.Swap(false) {
		return
	}
	at := slices.Index(p.waiting, w)
	p.waiting = slices.Delete(p.waiting, at, at+1)
	p.noteOutermost()
}

func (p *Pool) noteOutermost() {
	depth := 0
	if len(p.waiting) > 0 {
		depth = p.waiting[0].Depth + 1
	}
	p.outermost.Store(int64(depth))
}

// Outranked tells whether a run further out than depth wants a slot.
func (p *Pool) Outranked(depth int) bool {
	d := p.outermost.Load()
	return d > 0 && d <= int64(depth)
}

// Used is the number of slots in use.
func (p *Pool) Used() int { return int(p.used.Load()) }
