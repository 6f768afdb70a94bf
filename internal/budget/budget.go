// Package budget is the one account of CPU slots of this process. Every
// worker that computes holds a slot. A worker that calls Weft again (a nested
// Map, say) lends its slot to the inner run while it waits, and gets it back;
// further workers of the inner run start only when a slot is free. So the
// number of computing workers never passes the number of slots, except by those
// that users ask for explicitly or start on goroutines of their own.
//
// The workers of a run that mostly waits hold no slots and have none to lend. A
// run nested in their items waits for one before its first worker starts
// ([Pool.Await]). Who holds a slot may itself wait, for just that run perhaps,
// so the first in line begins without one while the CPUs are idle, and when
// nobody in line has been served for longer than the pool's patience: nesting
// can't deadlock at any depth.
//
// A run that could use more slots than there are says so ([Pool.Want]) and is
// woken when one is released. Runs without any come first, then outer runs:
// their items are larger, so a slot does more there. The extra workers of other
// runs make room for them ([Pool.Outranked]).
package budget

import (
	"cmp"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// Pool is an account of slots. All methods are safe for concurrent use; the
// zero value has no slot in use.
type Pool struct {
	used  atomic.Int64
	roots atomic.Int64 // runs that are in no other

	mu      sync.Mutex
	waiting []*Waiter    // by rank
	first   atomic.Int64 // rank of the first of them, plus one; 0 if there is none

	idle   int           // evidence that the CPUs are idle: see enoughIdle
	looked time.Time     // the last of them
	served time.Time     // when a waiter for a first slot last got one
	doubt  time.Duration // how much longer than patience to wait, after it was in vain
}

// patience is how long runs wait for a first slot without any of them being
// served. It is there for the case that a holder waits for one of them while
// other goroutines keep the CPUs busy; then no figure tells that it waits.
// Doubled each time that it runs out, up to mostPatience, so that items which
// really compute for minutes get few companions, and as before once a slot is
// had by waiting.
const (
	patience     = time.Second
	mostPatience = 10 * time.Second
)

// enoughIdle is the evidence from which it is believed that holders of slots
// wait. A look that finds the CPUs idle adds idleLook, as now and then one does
// that are busy: goroutines on their way to a CPU are not in the runtime's
// figures. One that finds them busy takes 1 away, no more, as the goroutines
// that look at other runs are among those that run. Looks are lookEvery apart,
// lookAgain while there is no evidence.
const (
	enoughIdle = 8
	idleLook   = 2
	lookEvery  = 500 * time.Microsecond
	lookAgain  = 2 * time.Millisecond
)

// Shared is the account of the process.
var Shared Pool

// Waiter is a run that could use more slots.
type Waiter struct {
	Depth int             // of its nesting: 0 for a run that is in no other
	Wake  chan<- struct{} // gets a value when a slot is released, if it has room

	none   bool // has no slot at all
	since  time.Time
	listed atomic.Bool
}

// rank orders the waiters: 0 for runs without a slot, in the order of their
// coming, then by depth.
func (w *Waiter) rank() int64 {
	if w.none {
		return 0
	}
	return int64(w.Depth) + 1
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
	if p.first.Load() == 0 {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, w := range p.waiting[:min(n, len(p.waiting))] {
		w.wake()
	}
}

func (w *Waiter) wake() {
	select {
	case w.Wake <- struct{}{}:
	default:
	}
}

// Want lists w, once, until Enough is called.
func (p *Pool) Want(w *Waiter) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.list(w)
}

func (p *Pool) list(w *Waiter) {
	if w.listed.Swap(true) {
		return
	}
	at, _ := slices.BinarySearchFunc(p.waiting, w.rank()+1, func(v *Waiter, rank int64) int { return cmp.Compare(v.rank(), rank) })
	p.waiting = slices.Insert(p.waiting, at, w)
	p.noteFirst()
}

// Enough takes w off the list.
func (p *Pool) Enough(w *Waiter) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.unlist(w)
}

func (p *Pool) unlist(w *Waiter) {
	if !w.listed.Swap(false) {
		return
	}
	at := slices.Index(p.waiting, w)
	p.waiting = slices.Delete(p.waiting, at, at+1)
	w.none = false
	p.noteFirst()
	if at == 0 && len(p.waiting) > 0 && p.waiting[0].none { // it may have its turn, too
		p.waiting[0].wake()
	}
}

func (p *Pool) noteFirst() {
	rank := int64(0)
	if len(p.waiting) > 0 {
		rank = p.waiting[0].rank() + 1
	}
	p.first.Store(rank)
}

// Outranked tells whether a run without a slot, or one further out than depth,
// wants one.
func (p *Pool) Outranked(depth int) bool {
	r := p.first.Load()
	return r > 0 && r < int64(depth)+2
}

// Root counts a run that is in no other; n is 1 when it begins and -1 when it
// ends. Each is worth a slot, also where there are more of them than CPUs: what
// is nested in one that waits must not wait for one that computes for ever.
func (p *Pool) Root(n int) { p.roots.Add(int64(n)) }

// AcquireFirst takes a slot for the first worker of a run nested in an item
// that has none to lend. idle tells whether fewer than size goroutines run or
// could run: then those who hold the slots wait, and one more may compute. It
// returns false if the run has to wait its turn; then [Pool.Await] it.
func (p *Pool) AcquireFirst(size int, idle func() bool) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.Line() {
		return false // others have waited longer
	}
	return p.firstFor(size, idle)
}

func (p *Pool) firstFor(size int, idle func() bool) bool {
	if p.TryAcquire(max(size, int(p.roots.Load()))) {
		return true
	}
	free := idle()
	counts := false
	if now := time.Now(); now.Sub(p.looked) >= lookEvery {
		counts = true
		p.looked = now
		if free {
			p.idle = min(p.idle+idleLook, enoughIdle+idleLook)
		} else {
			p.idle = max(0, p.idle-1)
		}
	}
	if p.idle < enoughIdle || !free && !counts {
		return false
	}
	p.Force()
	return true
}

// Line tells whether runs without a slot stand in line for one.
func (p *Pool) Line() bool { return p.first.Load() == 1 }

// Await lists w as a run without any slot and tells whether it has got one. If
// not, ask again when w is woken, and after the time returned at the latest. To
// give up, call [Pool.Enough].
func (p *Pool) Await(w *Waiter, size int, idle func() bool) (got bool, again time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !w.listed.Load() {
		w.none, w.since = true, time.Now()
		p.list(w)
	}
	if p.waiting[0] != w {
		return false, patience // is woken before
	}
	now := time.Now()
	switch {
	case p.firstFor(size, idle):
		p.doubt = 0
	case now.Sub(later(w.since, p.served)) > patience+p.doubt:
		p.Force()
		p.doubt = min(2*p.doubt+patience, mostPatience-patience)
	case p.idle > 0:
		return false, lookEvery
	default:
		return false, lookAgain
	}
	p.served = now
	p.unlist(w)
	return true, 0
}

func later(a, b time.Time) time.Time {
	if a.Before(b) {
		return b
	}
	return a
}

// Used is the number of slots in use.
func (p *Pool) Used() int { return int(p.used.Load()) }
