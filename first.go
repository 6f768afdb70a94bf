package weft

import (
	"fmt"
	"time"

	"github.com/weft-go/weft/internal/budget"
	"github.com/weft-go/weft/internal/pilot"
	"github.com/weft-go/weft/internal/plan"
)

const (
	// firstCheck is the time in items after which the pilot first asks for a
	// decision, given four blocks or enoughWork; it asks again each time it has
	// doubled.
	firstCheck = 20 * time.Microsecond
	enoughWork = 500 * time.Microsecond
	// Below smallItem nanoseconds one hiccup of the machine is a hundred
	// items' time: a decision for more workers must be found twice in a row.
	// And the first such items cost several times as much as later ones, while
	// caches are cold: they get warmUp before more workers are thought of,
	// those of less than tinyItem nanoseconds twice that.
	smallItem = 5_000
	tinyItem  = 100
	warmUp    = 100 * time.Microsecond
	// An item of less than canWait nanoseconds has no time to wait: what it
	// did not compute, it was kept from computing.
	canWait = 1000
	// blockAim is how long a block of the plain loop should take: long enough
	// that its clock reading (50 ns) does not count, short enough that a plan
	// can change and a cancel is seen.
	blockAim = 100 * time.Microsecond
	// sampling is how long worker 0 stays locked to its thread at most.
	sampling = 2 * time.Millisecond
	// longItem is when the coordinator looks into an item that is running.
	longItem = time.Millisecond
	// verifyFrom is how long a run must last for its number of workers to be
	// compared with fewer once, which costs half a millisecond or so.
	verifyFrom = 20 * time.Millisecond
	// explained is how long Explain measures.
	explained = 20 * time.Millisecond
)

// nextBlock doubles the block until it takes long enough.
func nextBlock(block, ran int, took time.Duration) int {
	switch {
	case took < blockAim/64:
		return min(4*block, 1<<20)
	case took < blockAim/4:
		return min(2*block, 1<<20)
	case took > blockAim && ran > 0:
		return max(1, min(block, int(float64(ran)*float64(blockAim)/float64(took))))
	}
	return block
}

// firstItems is the pilot: worker 0 runs items one block after the other,
// as the plain loop would, until a decision says otherwise.
func (r *run) firstItems(w *worker) {
	if r.meter != nil {
		// The items run elsewhere and are charged when they end. Until then:
		// one for each CPU, as xargs -P and joblib do.
		a := plan.Answer{
			Mode: plan.CPU, Workers: r.allowed(r.want),
			Reason: "the items run in processes of their own: starts with one for each CPU slot and measures them",
		}
		if r.memory.explicit && r.memory.user == 0 {
			a.Workers = 1
			a.Reason = "the items run in processes of their own: the first one alone, to see how much of the memory limit it takes"
		}
		r.mu.Lock()
		r.adopt(a, "")
		r.mu.Unlock()
		return
	}
	w.sampleThread()
	defer w.releaseThread()
	block := 1
	if r.cfg.chunk > 0 {
		block = r.cfg.chunk
	}
	check := firstCheck
	now := r.now()
	locked := now
	for !r.stopped.Load() {
		took, ok := r.turn(w, block, &now)
		if !ok {
			return
		}
		r.mu.Lock()
		if r.src.left() > 0 {
			r.takeBack(w)
		}
		r.est.Add(w.ran, took)
		decided := r.planned
		in := time.Duration(r.inItems.Load())
		if !decided && in >= check && (r.est.Blocks() >= 4 || in >= enoughWork) && r.worthAsking(in) {
			if w.tid.Load() == 0 || r.shareIsClear(w, in) {
				decided = r.consider(now)
			}
			check = 2 * in
		}
		r.mu.Unlock()
		if decided {
			return
		}
		if now-locked > sampling {
			w.releaseThread()
		}
		if r.cfg.chunk == 0 {
			block = nextBlock(block, w.ran, took)
		}
	}
}

// worthAsking tells whether enough is left for any other plan than the loop.
func (r *run) worthAsking(in time.Duration) bool {
	done := r.counted.Load()
	if r.explain || r.n < 0 || done == 0 {
		return true
	}
	return float64(in)/float64(done)*float64(r.src.left()) >= float64(plan.LeastWork)
}

// shareIsClear measures how much of their time the items compute. A thread
// that never gave its CPU up computed. If it did, a closer look begins, with an
// eye on its CPU time and on how long it stands ready without a CPU, as other
// programs may have had it; until that is long enough the answer is false.
func (r *run) shareIsClear(w *worker, in time.Duration) bool {
	quick := float64(in)/float64(max(1, r.counted.Load())) < canWait
	waits, preempted := pilot.Switches()
	if preempted != w.preempted && r.est.Estimate().Nanos < smallItem && r.est.Restart() {
		w.preempted = preempted
		return false // the figures are those of other programs
	}
	waited := waits != w.waits && !quick
	if waited && !w.watched.on {
		w.watched = watch{on: true, in: in, cpu: pilot.ThreadCPU(), delay: pilot.RunDelay()}
		w.waits = waits
		return false
	}
	wall := in - w.watched.in
	cpu := wall
	if waited {
		cpu = pilot.ThreadCPU() - w.watched.cpu + pilot.RunDelay() - w.watched.delay
	}
	r.measureShare(w, cpu, wall, 0, !waited)
	return plan.Bound(r.est.Estimate().Share) == "cpu" || wall >= longItem // too short a look to call it waiting
}

// watch is where a closer look at worker 0's thread began.
type watch struct {
	on    bool
	in    time.Duration // time in items until then
	cpu   time.Duration
	delay time.Duration // time ready without a CPU
}

// measureShare tells the estimator that items which took wall on the clock
// had cpu of CPU time on worker 0's thread. If the thread never waited by its
// own will, what is missing went to other programs: it would have computed.
// beside is how many goroutines besides worker 0 run because of this look.
func (r *run) measureShare(w *worker, cpu, wall time.Duration, beside int, neverWaited bool) {
	lends, waited := w.slot.Nested()
	switch {
	case lends > 0: // a nested run did the work
		cpu = max(0, wall-waited)
	case neverWaited || w.slot.Computes():
		cpu = wall
	}
	counts := pilot.Read()
	switch {
	case counts.Runnable > 0 && cpu > wall/5:
		// Goroutines stand ready without a place to run: worker 0 may have
		// been one of them.
		cpu = wall
	case r.crowded(counts, beside) && (cpu > wall/20 || wall < longDoubt):
		cpu = wall
	}
	r.est.CPU(cpu, wall)
	if items := r.counted.Load(); items > 0 {
		allocated := (counts.Allocated - r.count0.Allocated) / items
		r.memory.item(min(allocated, max(0, counts.Live-r.count0.Live)))
	}
}

// crowded tells whether a run in an item of another one may lack CPU time
// because the CPUs are full: others stand in line for a slot, or as many
// goroutines run or could run as there are slots, beside not counted. Such a
// run has little to gain from many items in flight, and there may be hundreds
// of such runs.
func (r *run) crowded(counts pilot.Counters, beside int) bool {
	return r.wants.Depth > 0 && (budget.Shared.Line() || int(counts.Running)-beside >= r.cpus.Effective)
}

// longDoubt is for how long an item of a crowded run may get no CPU time to
// speak of
// and still be taken for one that computes: goroutines take turns of 10 ms.
const longDoubt = 20 * time.Millisecond

// noDoubt is from when on an item without CPU time waits for certain.
const noDoubt = 100 * time.Millisecond

// consider asks for a decision and carries it out. It returns true when the
// pilot is over. Called with r.mu held.
func (r *run) consider(now time.Duration) bool {
	if r.planned {
		return true
	}
	est := r.est.Estimate()
	est.Bytes = r.memory.perItem()
	a := r.ask(est, false)
	r.answer, r.settled, r.decided = a, est, now
	if r.explain {
		if now >= explained {
			r.planned = true
			r.haltLocked(errExplained)
			return true
		}
		return false
	}
	if a.Mode == plan.Plain {
		r.again = 0
		return false
	}
	warm := warmUp
	if est.Nanos < tinyItem {
		warm *= 2
	}
	if r.again++; est.Nanos < smallItem && (r.again < 2 || time.Duration(r.inItems.Load()) < warm) {
		return false
	}
	r.adopt(a, a.Reason)
	return true
}

// ask asks the planner about what is left; beside says that an item runs
// beside it.
func (r *run) ask(est plan.Estimate, beside bool) plan.Answer {
	left := r.src.left()
	if r.n < 0 {
		left = -1
	}
	if left == 0 {
		return plan.Answer{Mode: plan.Plain, Workers: 1, Reason: fmt.Sprintf("all %d items were done before a decision was due", r.n)}
	}
	limit, _ := r.mostInFlight()
	return plan.Decide(plan.Question{Estimate: est, Remaining: left, Workers: r.want, Limit: limit, Beside: beside, Careful: r.memory.explicit && r.memory.perItem() == 0})
}

// adopt ends the pilot with a decision. Called with r.mu held.
func (r *run) adopt(a plan.Answer, why string) {
	r.planned = true
	r.answer, r.decided = a, r.now()
	if r.settled.Items == 0 {
		r.settled = r.est.Estimate()
	}
	r.note(a.Workers, why)
	switch a.Mode {
	case plan.CPU:
		r.takeBack(r.first)
		if r.settled.Nanos > 0 {
			r.nanos.Store(max(1, int64(min(r.settled.Nanos, 1e15)*1e3)))
		}
		promised := r.settled.Nanos
		if r.settled.Running {
			promised = 0 // nothing has finished: a lower bound promises nothing
		}
		r.scaler = plan.NewScaler(a.Workers, a.Workers, promised, r.settled.CPU)
		if left := float64(r.src.left()) * r.settled.Nanos / float64(a.Workers); left > float64(verifyFrom) {
			r.scaler.Verify(r.settled.Best)
		}
		r.mode.Store(int32(plan.CPU))
		r.target.Store(int32(a.Workers))
	case plan.IO:
		r.toIO(a.Workers)
	}
	r.tellFeeder()
}

// toIO turns to many items in flight. Called with r.mu held.
func (r *run) toIO(level int) {
	limit, why := r.mostInFlight()
	r.io.gradient = plan.NewGradient(level, limit, why)
	r.io.reset(r.now(), r.counted.Load(), r.cpuTime())
	r.io.samples, r.io.sampledWall, r.io.sampledCPU = r.samples.Load(), r.sampledWall.Load(), r.sampledCPU.Load()
	r.mode.Store(int32(plan.IO))
	if r.borrowed != nil {
		r.borrowed.Waits()
	}
	// Workers that mostly wait hold no CPU slot, unless theirs is lent to a run
	// that computes; the caller's stays with the run.
	keep := 0
	for _, w := range r.workers {
		if w.slot.Held() && w.slot.Computes() {
			keep++
		} else {
			w.slot.Hold(false)
		}
		if w.size.Load() > 1 {
			w.stop.Store(true) // the rest of its chunk need not wait for the item it is at
		}
	}
	if r.borrowed != nil {
		keep = max(1, keep)
	}
	if r.holds > keep {
		budget.Shared.Release(r.holds - keep)
		r.holds = keep
	}
	r.target.Store(int32(r.io.gradient.Level()))
}

// toCPU turns back from many items in flight to one worker a CPU slot: the
// items compute after all. Workers without a slot are the first to have none
// to lend; one that stays gets that of one that leaves. Called with r.mu held.
func (r *run) toCPU(nanos float64) {
	n := r.allowed(r.want)
	for r.holds < n && budget.Shared.TryAcquire(r.cpus.Effective) {
		r.holds++
	}
	if r.holds == 0 {
		budget.Shared.Force() // somebody has to go on
		r.holds = 1
	}
	n = r.holds
	r.scaler = plan.NewScaler(n, r.want, nanos, 0)
	r.nanos.Store(max(1, int64(min(nanos, 1e15)*1e3)))
	r.io.gradient = nil
	r.answer = plan.Answer{Mode: plan.CPU, Workers: n, Reason: fmt.Sprintf("the items compute after all: %d workers", n)}
	r.mode.Store(int32(plan.CPU))
	for i, w := range r.workers {
		w.slot.Hold(i < n) // the others retire after their item
	}
	r.target.Store(int32(n))
	r.note(n, r.answer.Reason)
}

// note records a change of plan. Called with r.mu held.
func (r *run) note(workers int, why string) {
	if why == "" || len(r.changes) >= mostDecisions {
		return
	}
	r.changes = append(r.changes, Decision{At: r.now(), Workers: workers, Why: why})
}

const mostDecisions = 200
