// Package budget is the one account of CPU slots of this process. Every
// worker that computes holds a slot. A worker that calls Weft again (a nested
// Map, say) lends its slot to the inner run while it waits, and gets it back;
// further workers of the inner run start only when a slot is free. Nobody ever
// waits for a slot, so nesting can't deadlock at any depth, and the number of
// computing workers never passes the number of slots, except by those that
// users ask for explicitly or start on goroutines of their own.
package budget

import "sync/atomic"

// Pool is an account of slots. All methods are safe for concurrent use.
type Pool struct {
	used atomic.Int64
}

// Shared is the account of the process.
var Shared Pool

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

// Release gives back n slots.
func (p *Pool) Release(n int) {
	if p.used.Add(-int64(n)) < 0 {
		panic("budget: more slots released than taken")
	}
}

// Used is the number of slots in use.
func (p *Pool) Used() int { return int(p.used.Load()) }
