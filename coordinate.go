package weft

import (
	"context"
	"math"
	"time"

	"github.com/weft-go/weft/internal/budget"
	"github.com/weft-go/weft/internal/pilot"
	"github.com/weft-go/weft/internal/plan"
)

const (
	firstLook = 500 * time.Microsecond
	// Early on a run is looked at more often: a wrong start costs most then.
	earlyOn  = 100 * time.Millisecond
	cpuLook  = 5 * time.Millisecond
	slowLook = 10 * time.Millisecond
	// fullWindow is the least time over which rates are compared, early on a
	// quarter of the time since the start.
	fullWindow  = 2 * time.Millisecond
	probeWindow = 30 * time.Millisecond
	// mostNaps is how often a thread that hardly computes is given time to go to
	// sleep before others are believed to have its CPU.
	mostNaps = 50
	// longWindow is when a window ends though little was finished.
	longWindow = 100 * time.Millisecond
)

// coordinate waits for the run to end. Meanwhile it looks at the figures,
// feeds them to the planner and does what it says.
func (r *run) coordinate(ctx context.Context, begin func()) {
	if r.queued && !r.awaitSlot(ctx) {
		return
	}
	r.every.Store(int64(firstLook))
	var look <-chan time.Time
	var timer *time.Timer
	// Of a single item only the memory is to be watched, and whether it needs
	// the slot that others may stand in line for.
	if r.n != 1 || r.memory.explicit || r.wants.Depth > 0 && r.borrowed == nil {
		timer = time.NewTimer(firstLook)
		defer timer.Stop()
		look = timer.C
	}
	stop := ctx.Done()
	var win cpuWindow
	begin()
	for {
		select {
		case <-r.done:
			return
		case <-stop:
			stop = nil
			r.halt(context.Cause(ctx))
		case <-look:
			timer.Reset(r.lookAgain(&win))
		case <-r.poke:
			if timer != nil {
				timer.Reset(r.lookAgain(&win))
			}
		}
	}
}

// lookAgain looks, and returns when to look next.
func (r *run) lookAgain(win *cpuWindow) time.Duration {
	next := r.look(win)
	r.every.Store(int64(next))
	r.looked.Store(int64(r.now()))
	return next
}

// look is one look at the figures. It returns when to look again.
func (r *run) look(win *cpuWindow) time.Duration {
	r.countCPU()
	now := r.now()
	r.watchMemory(now)
	r.mu.Lock()
	planned := r.planned
	r.mu.Unlock()
	var next time.Duration
	switch {
	case !planned:
		next = r.watchFirst(now)
	case plan.Mode(r.mode.Load()) == plan.IO:
		next = r.lookIO(now)
	default:
		next = r.lookCPU(now, win)
	}
	if r.live.Load() < r.target.Load() {
		r.grow()
	}
	return next
}

// watchFirst looks into a pilot item that takes long: the plain loop must not
// hold up the others until it is over.
func (r *run) watchFirst(now time.Duration) time.Duration {
	r.mu.Lock()
	defer r.mu.Unlock()
	w := r.first
	began := w.began.Load()
	if began == unknownStart {
		// Known to run since the last look if nothing was finished since.
		if n := r.counted.Load(); n != r.seen || r.seenAt == 0 {
			r.seen, r.seenAt = n, now
			return firstLook
		}
		began = int64(r.seenAt)
	}
	if r.planned || began < 0 || r.meter != nil {
		return firstLook
	}
	running := now - time.Duration(began)
	if running < longItem/4 {
		return firstLook
	}
	tid := int(w.tid.Load())
	if r.long.began != began || r.long.tid != tid {
		r.long = longLook{began: began, tid: tid, at: now, real: pilot.RealTime()}
		if tid != 0 {
			r.long.cpu = pilot.CPUOf(tid)
		}
		return firstLook
	}
	if running < longItem {
		return firstLook
	}
	if w.size.Load() > 1 {
		w.stop.Store(true)
	}
	if tid != 0 {
		cpu := pilot.CPUOf(tid) - r.long.cpu
		if cpu < (now-r.long.at)*9/10 && now-r.long.at < longDoubt && r.crowded(pilot.Read(), 1) {
			// It waits, or stands in a queue for a CPU. There is no hurry to
			// tell: the CPUs are full.
			return min(slowLook, max(firstLook, running/2))
		}
		r.measureShare(w, cpu, now-r.long.at, 1, r.robbed(cpu))
	}
	est := r.est.Estimate()
	items := r.counted.Load()
	est.Nanos = float64(r.inItems.Load()+int64(running)) / float64(items+1)
	est.Wall = time.Duration(est.Nanos)
	if tid == 0 {
		// Not locked to a thread any more, or no thread clock here: if the
		// whole process hardly computes, neither does this item.
		r.countCPU()
		wall := max(1, float64(int64(now)-r.cpuAt.Load()))
		est.Share = min(1, float64(int64(pilot.ProcessCPU())-r.cpu0.Load())/wall)
		if w.slot.Computes() || w.size.Load() > 1 && items > 0 && float64(r.inItems.Load())/float64(items) < canWait {
			est.Share = 1 // no long item, but a block of small ones that other programs rob
		}
	}
	est.CPU = time.Duration(est.Nanos * est.Share)
	est.Items = int(items) + 1
	est.Bytes = r.memory.perItem()
	est.Running = items == 0
	a := r.ask(est, true)
	r.answer, r.settled, r.decided = a, est, now
	if r.explain {
		r.planned = true
		r.haltLocked(errExplained)
		return slowLook
	}
	if a.Mode != plan.Plain {
		r.adopt(a, a.Reason)
		return firstLook
	}
	if tid != 0 && r.n >= 0 && now-r.long.at > noDoubt && pilot.CPUOf(tid)-r.long.cpu < noDoubt/100 {
		r.lend(w)
	}
	return min(slowLook, max(firstLook, running/2))
}

// lend gives the slot of a run nested in an item that has none back to the pool,
// while the item of its one worker waits: others may stand in line for it, and
// it may wait for one of them. Called with r.mu held.
func (r *run) lend(w *worker) {
	if r.wants.Depth == 0 || r.borrowed != nil || r.fixed || r.holds != 1 || !w.slot.Held() || w.slot.Computes() {
		return
	}
	r.lent = true
	r.holds = 0
	w.slot.Hold(false)
	budget.Shared.Release(1)
}

// takeBack ends lend: the worker goes on. Called with r.mu held.
func (r *run) takeBack(w *worker) {
	if !r.lent {
		return
	}
	r.lent = false
	budget.Shared.Force()
	r.holds = 1
	w.slot.Hold(true)
}

// longLook is where the coordinator's look into a long item began: what the
// item did before, to open a connection say, tells little of the rest.
type longLook struct {
	began int64 // the item's start, as in worker
	tid   int   // its thread, 0 if it has none of its own
	at    time.Duration
	cpu   time.Duration // of the thread
	real  time.Duration // by the system's clock
}

// robbed tells whether worker 0, which had cpu of its thread's time since the
// look began, is ready for a CPU that other programs, or other goroutines of
// this one, have. Time that only passed on a test's clock does not count.
func (r *run) robbed(cpu time.Duration) bool {
	if pilot.RealTime()-r.long.real-cpu < longItem/8 {
		return false
	}
	for range mostNaps {
		if pilot.Blocked(r.long.tid) {
			if pilot.Read().Runnable == 0 {
				return false
			}
			pilot.Nap() // a collection's worker, say, is ready for a moment only
			return pilot.Read().Runnable > 0
		}
		if cpu > (pilot.RealTime()-r.long.real)/10 || r.first.began.Load() != r.long.began {
			break
		}
		pilot.Nap() // on a busy machine it may still be on its way to sleep
		cpu = pilot.CPUOf(r.long.tid) - r.long.cpu
	}
	return true
}

// cpuWindow is where the window that is being measured began.
type cpuWindow struct {
	open                    bool
	at                      time.Duration
	workers                 int32
	counted                 int64
	inItems                 int64
	cpu                     time.Duration
	squares                 int64
	sampledCPU, sampledWall int64
	chunks                  int64
	counts                  pilot.Counters
	ready                   pilot.ReadyTimes // while the scaler compares
	looks                   int
	running, runnable       float64 // goroutines beside the coordinator, summed over the looks
	still                   plan.Standstill
}

// spread is the standard error of the window's mean item time, as a share of
// it: how little the window's rate is to be trusted.
func (w *cpuWindow) spread(r *run) float64 {
	chunks := float64(r.chunks.Load() - w.chunks)
	items := float64(r.counted.Load() - w.counted)
	micros := float64(r.inItems.Load()-w.inItems) / 1e3
	if chunks < 2 || items < 2 || micros <= 0 {
		return 1
	}
	mean := micros / items
	variance := float64(r.squares.Load()-w.squares)/items - mean*mean
	return math.Sqrt(max(0, variance)/chunks) / mean
}

func (r *run) lookCPU(now time.Duration, win *cpuWindow) time.Duration {
	live := r.live.Load()
	every := clamp(now/8, firstLook/2, cpuLook)
	if now < earlyOn {
		every = min(every, 2*firstLook)
	}
	if r.remote.active() {
		r.lookRemote(now)
		return every
	}
	if r.meter != nil {
		if !r.fixed {
			r.judgeCharges()
		}
		return every
	}
	if r.scaler == nil {
		return slowLook
	}
	counts := pilot.Read()
	switch win.still.Look(now, counts.Running-1, r.counted.Load(), r.cpuTime()) { // this goroutine runs too
	case 0:
	case 1:
		return firstLook
	default:
		r.mu.Lock()
		defer r.mu.Unlock()
		r.note(int(live), "none of the workers runs, and nothing gets finished: the items wait")
		limit, _ := r.mostInFlight()
		level := plan.FirstInFlight(0, r.want)
		if r.memory.explicit && r.memory.perItem() == 0 {
			level = 2 * int(live) // what an item takes is not known yet
		}
		r.toIO(min(limit, level))
		return firstLook
	}
	if !win.open || live != win.workers || live > r.target.Load() {
		*win = cpuWindow{
			open: true, at: now, workers: live, counted: r.counted.Load(), inItems: r.inItems.Load(),
			cpu: r.cpuTime(), counts: counts,
			squares: r.squares.Load(), chunks: r.chunks.Load(),
			sampledCPU: r.sampledCPU.Load(), sampledWall: r.sampledWall.Load(),
			still: win.still,
		}
		if r.scaler.Probing() {
			win.ready = pilot.ReadReady()
		}
		return every
	}
	win.looks++
	win.running += float64(min(int64(live), counts.Running-1))
	win.runnable += float64(counts.Runnable)
	wall, items := now-win.at, r.counted.Load()-win.counted
	r.cutShort(now)
	sampled, onCPU := r.sampledWall.Load()-win.sampledWall, r.sampledCPU.Load()-win.sampledCPU
	waits := sampled > int64(fullWindow) && onCPU < sampled/2
	if wall < clamp(now/4, firstLook, fullWindow) || items < 4*int64(live) && wall < longWindow && !waits {
		return every
	}
	if wall < clamp(now/8, 2*fullWindow, probeWindow) && r.scaler.WantsMore(win.spread(r)) {
		return every
	}
	ready := time.Duration(0)
	if r.scaler.Probing() {
		ready = pilot.OneInTen(win.ready, pilot.ReadReady())
	}
	v := r.scaler.Step(plan.Window{
		Wall: wall, Workers: int(live), Items: int(items),
		InItems:  time.Duration(r.inItems.Load() - win.inItems),
		Error:    win.spread(r),
		Ready:    ready,
		Sampled:  time.Duration(r.sampledWall.Load() - win.sampledWall),
		OnCPU:    time.Duration(r.sampledCPU.Load() - win.sampledCPU),
		CPU:      r.cpuTime() - win.cpu,
		LockWait: counts.LockWait - win.counts.LockWait,
		GCShare:  pilot.GCShare(win.counts, counts),
		Running:  win.running / float64(win.looks),
		Runnable: win.runnable / float64(win.looks),
	})
	win.open = false
	r.mu.Lock()
	defer r.mu.Unlock()
	limit, _ := r.mostInFlight()
	if v.IO && r.crowded(counts, 1) {
		return every
	}
	if v.IO {
		r.note(int(live), v.Why)
		r.toIO(min(limit, max(int(live)*2, plan.FirstInFlight(v.Share, r.want))))
		return firstLook
	}
	if v.Why != "" {
		r.note(v.Workers, v.Why)
	}
	r.target.Store(int32(min(v.Workers, limit)))
	return every
}

// cutShort makes workers give up chunks that take far longer than they should:
// the items have become dearer, and others can share them.
func (r *run) cutShort(now time.Duration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, w := range r.workers {
		began, size := w.began.Load(), w.size.Load()
		if began >= 0 && size > 1 && now-time.Duration(began) > plan.MostChunk/2 &&
			float64(now-time.Duration(began)) > 4*float64(size)*r.itemNanos() {
			w.stop.Store(true)
		}
	}
}

// judgeCharges looks at items that run elsewhere: as many run at once as their
// memory allows, and if they mostly wait, more than there are CPUs. They are
// charged when they end; what they do until then is not known.
func (r *run) judgeCharges() {
	sum := r.meter.Sum()
	if sum.Items == 0 || sum.Wall <= 0 {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.memory.item(sum.PeakBytes)
	r.target.Store(int32(r.allowed(r.want)))
	if sum.Items < int64(r.live.Load()) {
		return
	}
	share := min(1, float64(sum.CPU)/float64(sum.Wall))
	r.settled.Items = int(sum.Items)
	r.settled.Nanos = float64(sum.Wall) / float64(sum.Items)
	r.settled.Wall = time.Duration(r.settled.Nanos)
	r.settled.CPU = sum.CPU / time.Duration(sum.Items)
	r.settled.Share = share
	if share >= chargedBound {
		return
	}
	a := r.ask(r.settled, true)
	if a.Mode != plan.IO {
		return
	}
	r.answer = a
	r.note(a.Workers, a.Reason)
	r.toIO(max(a.Workers, int(r.live.Load())))
}

// chargedBound is the CPU share below which items that run elsewhere count as
// waiting. Lower than for functions: a process also waits for its own start.
const chargedBound = 0.7

// countCPU reads where the process's CPU time begins to count, if that has not
// been done.
func (r *run) countCPU() {
	if r.cpu0.Load() == 0 {
		r.cpuAt.CompareAndSwap(0, int64(r.now()))
		r.cpu0.CompareAndSwap(0, int64(pilot.ProcessCPU()))
	}
}

// cpuTime is the CPU time that the run has used, as far as it can be told
// from the process's, plus what was charged from outside.
func (r *run) cpuTime() time.Duration {
	r.countCPU()
	t := pilot.ProcessCPU() - time.Duration(r.cpu0.Load())
	if r.meter != nil {
		t += r.meter.Sum().CPU
	}
	return t + r.remote.cpu()
}
