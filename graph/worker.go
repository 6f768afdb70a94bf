package graph

import (
	"context"
	"slices"
	"time"

	"github.com/weft-go/weft/internal/budget"
)

// worker is a goroutine that runs tasks.
type worker struct {
	name   int
	slot   *budget.Slot
	ctx    context.Context // of its tasks; here as it is made once
	holds  bool            // a CPU slot
	far    bool            // its batch is for the executor
	batch  []uint32
	load   []uint32
	ran    int           // tasks of the batch that have ended
	nanos  []int64       // what they took
	bytes  []int64       // how large their results are
	err    error         // of the last of them
	began  time.Duration // when the one that runs began
	spills []uint32
}

// giveBack returns the last worker's CPU slot.
func (r *run) giveBack() {
	budget.Shared.Enough(&r.wants)
	if r.borrowed == nil {
		budget.Shared.Release(r.slots)
		return
	}
	if r.slots == 0 {
		budget.Shared.Force()
	}
	waited := time.Duration(0)
	if r.away() {
		waited = time.Since(r.begun)
	}
	r.borrowed.Return(waited)
}

// away tells whether tasks run elsewhere, so that workers hold no CPU slots.
func (r *run) away() bool { return r.exec != nil && !r.exec.back }

// newWorker takes one of the free names. Called with r.mu held, or before there
// are others.
func (r *run) newWorker(holds bool) *worker {
	name := r.made
	if len(r.names) > 0 { // the lowest, so that few names do much
		i := slices.Index(r.names, slices.Min(r.names))
		name = r.names[i]
		r.names = slices.Delete(r.names, i, i+1)
	} else {
		r.made++
	}
	w := &worker{name: name, holds: holds}
	w.slot = budget.NewSlot(r.ctx, holds, r.wants.Depth)
	w.ctx = &taskContext{w.slot, r, w}
	return w
}

// launch starts a worker. Called with r.mu held.
func (r *run) launch(holds bool) {
	r.live++
	go r.work(r.newWorker(holds))
}

// grow starts workers as long as there is work that is worth another one, and
// a CPU slot for it. Called with r.mu held.
func (r *run) grow() {
	for r.live > 0 && r.live < r.m.Workers {
		nanos, ok := r.m.Startable()
		if !ok || nanos > 0 && nanos < worthJoining {
			break
		}
		holds := false
		switch {
		case r.away(): // the executor takes the slots
		case r.waiting != nil && r.slots > 0: // they will mostly wait
		case r.seat():
			holds = true
		default:
			budget.Shared.Want(&r.wants)
			return
		}
		r.launch(holds)
	}
	if r.wants.Listed() {
		budget.Shared.Enough(&r.wants)
	}
}

// seat takes a CPU slot for a worker, if there is one. Called with r.mu held.
func (r *run) seat() bool {
	if r.fixed || r.slots == 0 {
		budget.Shared.Force()
	} else if budget.Shared.Outranked(r.wants.Depth) || !budget.Shared.TryAcquire(r.cpus.Effective) {
		return false
	}
	r.slots++
	return true
}

// stays tells whether w, which has work, may do it: it holds a CPU slot, or
// gets one, or needs none. Called with r.mu held.
func (r *run) stays(w *worker) bool {
	if r.waiting != nil && w.holds && r.slots > 1 { // one that mostly waits needs none
		r.slots--
		w.holds = false
		w.slot.Hold(false)
		budget.Shared.Release(1)
	}
	if w.holds || r.away() || r.waiting != nil && r.slots > 0 {
		return true
	}
	if !r.seat() {
		return false
	}
	w.holds = true
	w.slot.Hold(true)
	return true
}

// work is the life of a worker.
func (r *run) work(w *worker) {
	left := false
	defer func() {
		if !left { // a task ended this goroutine with runtime.Goexit
			r.goexit(w)
			go r.work(w)
		}
	}()
	r.loop(w)
	left = true
}

// loop runs tasks until there are none for w.
func (r *run) loop(w *worker) {
	for {
		switch {
		case w.err != nil: // as a task has ended the goroutine before this one
		case w.far:
			r.shipBatch(w)
		default:
			r.runBatch(w)
		}
		r.mu.Lock()
		r.settle(w)
		for r.stays(w) {
			r.m.Take(w.name)
			if !r.obey(w) {
				break
			}
		}
		w.far = r.away()
		if len(w.batch) == 0 {
			r.leave(w)
			r.mu.Unlock()
			return
		}
		r.grow()
		r.mu.Unlock()
	}
}

// leave ends a worker. The last one ends the run. Called with r.mu held.
func (r *run) leave(w *worker) {
	r.m.Idle(w.name)
	r.grow()
	r.names = append(r.names, w.name)
	r.live--
	if r.live > 0 {
		if w.holds {
			r.slots--
			budget.Shared.Release(1)
		}
		return
	}
	if !r.m.Over() && !r.m.Stopped() {
		r.err = r.stalled()
	}
	close(r.done)
}
