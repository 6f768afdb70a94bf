package weft

import (
	"runtime"
	"sync/atomic"
	"time"

	"github.com/weft-go/weft/internal/budget"
	"github.com/weft-go/weft/internal/pilot"
	"github.com/weft-go/weft/internal/plan"
)

// worker is one goroutine of a run.
type worker struct {
	// stop asks the body to return after the item it is at: to share the rest
	// of its chunk, or because the run ends. Read once an item.
	stop atomic.Bool

	lo, hi int           // the chunk
	at, in int           // their sum is the item that runs; kept by bodies
	grain  int           // items between two looks at stop: 1 unless they are tiny
	ran    int           // items that the last turn ran
	busy   time.Duration // time in f during this turn, kept by careful bodies
	local  any           // what the source keeps with a chunk
	key    string        // of the item, under PerKey
	epoch  int64         // of the I/O figures, when the item started
	place  int           // in run.workers

	slot             *budget.Slot
	done             []span
	began            atomic.Int64 // when the chunk began, nanoseconds since the run did, -1 between chunks
	size             atomic.Int64 // items in the chunk
	base             atomic.Int64 // the first of them
	tid              atomic.Int64 // while locked to a thread
	waits, preempted int64        // the thread's switches when the pilot began

	watched watch // the pilot's closer look

	_ [64]byte // workers are allocated one by one; keep their flags apart
}

func (r *run) newWorker() *worker {
	w := &worker{slot: budget.NewSlot(r.ctx, true, r.wants.Depth), grain: 1}
	w.began.Store(-1)
	w.place = len(r.workers)
	r.workers = append(r.workers, w)
	return w
}

// grow starts workers until there are as many as wanted, as far as there is
// work and the process has CPU slots for them.
func (r *run) grow() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.growLocked()
}

func (r *run) growLocked() {
	if r.live.Load() >= r.target.Load() {
		budget.Shared.Enough(&r.wants)
		return
	}
	for left := r.src.left(); left > 0 && !r.stopped.Load() && r.live.Load() < r.target.Load(); left-- {
		computes := plan.Mode(r.mode.Load()) == plan.CPU && !r.remote.active()
		if computes && r.live.Load() > 0 { // the first has the run's own slot
			if r.fixed {
				budget.Shared.Force()
			} else if budget.Shared.Outranked(r.wants.Depth) || !budget.Shared.TryAcquire(r.cpus.Effective) {
				budget.Shared.Want(&r.wants)
				return
			}
			r.holds++
		}
		r.live.Add(1)
		w := r.newWorker()
		w.slot.Hold(computes)
		go r.work(w)
	}
}

// work is the life of a worker.
func (r *run) work(w *worker) {
	left := false
	defer func() {
		if left {
			return
		}
		// f ended this goroutine with runtime.Goexit. Its error is recorded.
		r.replace(w)
	}()
	if r.needsPilot() {
		r.firstItems(w)
	}
	retired := r.loop(w)
	left = true
	r.leave(w, retired)
}

// replace starts another worker in the place of w, whose goroutine ends.
func (r *run) replace(w *worker) {
	r.mu.Lock()
	r.forget(w)
	next := r.newWorker()
	next.slot.Hold(w.slot.Held())
	if r.first == w {
		r.first = next // the coordinator looks at who is the pilot now
	}
	r.mu.Unlock()
	go r.work(next)
}

// loop takes chunks and runs them until there are none, or until w is one
// worker too many.
func (r *run) loop(w *worker) (retired bool) {
	now := r.now()
	for !r.stopped.Load() {
		live, target := r.live.Load(), r.target.Load()
		if live > target {
			if r.retire() {
				return true
			}
		} else if live < target {
			r.grow()
		}
		if live > 1 && budget.Shared.Outranked(r.wants.Depth) && r.makeRoom() {
			return true
		}
		took, ok := r.sampledTurn(w, r.chunk(now), &now)
		if !ok {
			r.askToShare(now)
			return false
		}
		r.learn(w.ran, took)
		if plan.Mode(r.mode.Load()) == plan.IO && w.slot.Held() {
			r.mu.Lock()
			if plan.Mode(r.mode.Load()) == plan.IO {
				r.drop(w)
			}
			r.mu.Unlock()
		}
		if int64(now)-r.looked.Load() > 2*r.every.Load() {
			// All CPUs are busy and the coordinator's timer is overdue: let
			// the scheduler look at its timers.
			runtime.Gosched()
			now = r.now()
		}
	}
	return false
}

// chunk is how many items to take next. Early in a run chunks are small: the
// first windows then show enough of them to judge by.
func (r *run) chunk(now time.Duration) int {
	if r.cfg.chunk > 0 {
		return r.cfg.chunk
	}
	if plan.Mode(r.mode.Load()) == plan.IO {
		return 1
	}
	nanos := r.itemNanos()
	if nanos == 0 {
		return 1
	}
	left := r.src.left()
	if left < 0 {
		left = 1 << 30
	}
	if r.remote.active() {
		// A round trip is worth more than an early look.
		n, t := int(r.target.Load()), r.remote.traits
		if t.Batch > 0 { // however many are under way, so many run
			n = min(n, 2*max(1, t.Workers))
		}
		return plan.FarChunkSize(left, n, nanos, t.Batch)
	}
	size := plan.ChunkSize(left, int(r.target.Load()), nanos)
	return min(size, max(1, int(float64(max(plan.LeastChunk, now/8))/nanos)))
}

// turn takes up to k items and runs them. It returns their time and false if
// there was nothing to take.
func (r *run) turn(w *worker, k int, now *time.Duration) (took time.Duration, ok bool) {
	w.stop.Store(false)
	if r.stopped.Load() || r.ctx.Err() != nil {
		return 0, false
	}
	if r.gate.shut() {
		if !r.gate.wait(r.ctx) {
			return 0, false
		}
		*now = r.now() // the pause is nobody's time
	}
	if !r.src.claim(w, k) {
		return 0, false
	}
	if r.wants.Listed() && r.src.left() == 0 {
		budget.Shared.Enough(&r.wants) // nothing is left for a further worker
	}
	begin := *now
	epoch := r.io.epoch.Load()
	w.epoch = epoch
	w.busy = 0
	w.size.Store(int64(w.hi - w.lo))
	w.base.Store(int64(w.lo))
	w.began.Store(int64(begin))
	normal := false
	defer func() {
		if !normal { // runtime.Goexit: the item at w.lo+ran failed
			r.after(w, 0)
		}
	}()
	next := r.body(w.slot, w)
	normal = true
	*now = r.now()
	took = *now - begin
	w.ran = next - w.lo
	w.grain = grain(w.ran, took)
	w.began.Store(-1)
	if r.careful || r.remote.active() {
		took = w.busy
	}
	if plan.Mode(r.mode.Load()) == plan.IO && epoch == r.io.epoch.Load() {
		if r.io.add(w.ran, took) {
			r.wakeUp()
		}
	}
	r.after(w, took)
	return took, true
}

// sampleEvery is how often one worker's chunk is watched for its CPU time, a
// quarter as often where items wait: a thread of their own is dear to them.
const sampleEvery = 5 * time.Millisecond

// sampledTurn is turn. Now and then it keeps to one thread meanwhile, to tell
// how much of its time the chunk spent on a CPU: whether the items compute, or
// wait. It is the one measurement that other goroutines of the process and
// other programs do not blur.
func (r *run) sampledTurn(w *worker, k int, now *time.Duration) (took time.Duration, ok bool) {
	due, every := r.sampleAt.Load(), sampleEvery
	mode := plan.Mode(r.mode.Load())
	if mode == plan.IO {
		every *= 4
	}
	if !pilot.HasThreadCPU || r.meter != nil || r.remote.active() || int64(*now) < due ||
		mode == plan.Plain || !r.sampleAt.CompareAndSwap(due, int64(*now+every)) {
		return r.turn(w, k, now)
	}
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	lends, waited := w.slot.Nested()
	var delay time.Duration
	watched := r.waity.Load()
	if watched {
		delay = pilot.RunDelay()
	}
	waits, _ := pilot.Switches()
	cpu := pilot.ThreadCPU()
	*now = r.now()
	took, ok = r.turn(w, k, now)
	cpu = pilot.ThreadCPU() - cpu
	waitsNow, _ := pilot.Switches()
	switch lends2, waited2 := w.slot.Nested(); {
	case lends2 > lends: // a nested run did the work
		cpu = max(0, took-(waited2-waited))
	case waitsNow == waits: // never gave its CPU up: others took what is missing
		cpu = took
	case !watched: // reading the delay is dear: from the next sample on
		r.waity.Store(true)
		return took, ok
	default: // time without a CPU, though ready for one, is computing kept waiting
		cpu += pilot.RunDelay() - delay
	}
	if ok {
		r.sampledCPU.Add(int64(min(cpu, took)))
		r.sampledWall.Add(int64(took))
		r.samples.Add(1)
	}
	return took, ok
}

// grain is how many items a body may run between two looks at the stop flag,
// given how long the last ones took: half a microsecond's worth. A look costs
// a tenth of an item of two nanoseconds.
func grain(ran int, took time.Duration) int {
	if ran == 0 || took >= time.Duration(ran)*grainAim {
		return 1
	}
	return max(1, min(mostGrain, int(float64(ran)*float64(grainAim)/float64(max(1, took)))))
}

const (
	grainAim  = 512 * time.Nanosecond
	mostGrain = 256
)

// after accounts for the items w.lo to w.lo+w.ran and gives the rest of the
// chunk back.
func (r *run) after(w *worker, took time.Duration) {
	next := w.lo + w.ran
	if n := len(w.done); n > 0 && w.done[n-1].hi == w.lo {
		w.done[n-1].hi = next
	} else {
		w.done = append(w.done, span{w.lo, next})
	}
	r.counted.Add(int64(w.ran))
	r.inItems.Add(int64(took))
	if w.ran > 0 {
		us := int64(took / time.Microsecond)
		r.squares.Add(us * us / int64(w.ran))
		r.chunks.Add(1)
	}
	more := r.src.release(w, next)
	if next < w.hi && !r.stopped.Load() {
		more = true
	}
	if more {
		r.grow()
	}
}

// askToShare is called by a worker that found nothing to do: chunks that turn
// out long are cut short so that another worker can take the rest.
func (r *run) askToShare(now time.Duration) {
	if plan.Mode(r.mode.Load()) == plan.IO {
		return // chunks are single items
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	nanos := r.itemNanos()
	for _, w := range r.workers {
		began, size := w.began.Load(), w.size.Load()
		if began < 0 || size < 2 {
			continue
		}
		left := float64(size)*nanos - float64(now-time.Duration(began))
		if left > 0 && left < float64(plan.LeastChunk) {
			continue
		}
		w.stop.Store(true)
	}
}

// retire takes a worker off the count if there is one too many.
func (r *run) retire() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.live.Load() <= r.target.Load() {
		return false
	}
	r.live.Add(-1)
	return true
}

// makeRoom takes a worker that computes off the count, so that an outer run
// gets its slot.
func (r *run) makeRoom() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.fixed || r.live.Load() <= 1 || r.holds <= 1 || plan.Mode(r.mode.Load()) != plan.CPU {
		return false
	}
	r.live.Add(-1)
	return true
}

// leave is a worker's last act.
func (r *run) leave(w *worker, retired bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.forget(w)
	if !retired {
		r.live.Add(-1)
	}
	switch {
	case plan.Mode(r.mode.Load()) == plan.IO:
		r.drop(w)
	case r.holds > max(1, int(r.live.Load())):
		r.holds--
		budget.Shared.Release(1)
	case w.slot.Held():
		r.inherit()
	}
	// Items may have come between the last look at the source and now.
	r.growLocked()
	r.endLocked()
}

// drop gives back the slot that a worker kept when the run turned to waiting,
// because it was lent to a run that computes. Called with r.mu held.
func (r *run) drop(w *worker) {
	if !w.slot.Held() {
		return
	}
	w.slot.Hold(false)
	if r.borrowed == nil || r.holds > 1 {
		r.holds--
		budget.Shared.Release(1)
	}
}

// inherit gives the slot of a worker that left to one that has none, as there
// are some after toCPU. Called with r.mu held.
func (r *run) inherit() {
	for _, w := range r.workers {
		if !w.slot.Held() {
			w.slot.Hold(true)
			return
		}
	}
}

// endLocked ends the run if nobody is left and nothing will come. A worker that
// was taken off the count is there until it is off the list. Called with r.mu
// held by whoever leaves.
func (r *run) endLocked() {
	if r.live.Load() > 0 || len(r.workers) > 0 || r.feeding || r.ended {
		return
	}
	r.ended = true
	budget.Shared.Enough(&r.wants)
	if r.root {
		budget.Shared.Root(-1)
	}
	// The caller goes on: it takes its slot back.
	if r.remote.active() {
		r.landRemote()
	} else if r.borrowed != nil {
		r.borrowed.Return(r.waited())
		r.holds--
	}
	if r.holds > 0 && !r.remote.active() {
		budget.Shared.Release(r.holds)
	}
	r.holds = 0
	close(r.done)
}

// forget takes w off the list and keeps what it did.
func (r *run) forget(w *worker) {
	last := len(r.workers) - 1
	moved := r.workers[last]
	r.workers[w.place], moved.place = moved, w.place
	r.workers[last] = nil
	r.workers = r.workers[:last]
	r.keep(w)
}

func (r *run) keep(w *worker) {
	if r.cfg.keepGoing {
		r.spans = append(r.spans, w.done...)
	}
	w.done = nil
}

func (r *run) needsPilot() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return !r.planned
}

// sampleThread locks the goroutine to its thread, so that what the items cost
// can be told.
func (w *worker) sampleThread() {
	if !pilot.HasThreadCPU {
		return
	}
	runtime.LockOSThread()
	w.watched = watch{}
	w.waits, w.preempted = pilot.Switches()
	w.tid.Store(int64(pilot.ThreadID()))
}

func (w *worker) releaseThread() {
	if w.tid.Swap(0) != 0 {
		runtime.UnlockOSThread()
	}
}
