package graph

import (
	"fmt"
	"time"

	"github.com/weft-go/weft/internal/pilot"
	"github.com/weft-go/weft/internal/plan"
)

const (
	// A run looks at what its tasks do after firstLook, and then less and less
	// often while they compute. A look takes a microsecond.
	firstLook = 10 * time.Millisecond
	slowLook  = 100 * time.Millisecond
	// looksToTurn is how many looks in a row must agree.
	looksToTurn = 3
	// fullyBusy is the part of the CPUs' time from which tasks compute.
	fullyBusy = 0.85
	// mostTurns is how often a run turns from waiting to computing.
	mostTurns = 3
	// mostWaiting bounds how many tasks wait at once: each may hold a part.
	mostWaiting = 128
)

// waiting is what a run knows while its tasks wait rather than compute.
type waiting struct {
	gradient *plan.Gradient
	since    time.Duration // when the round began
	cpu      time.Duration // what the process had used then
	tasks    int           // of the round
	nanos    int64         // what they took
}

// looks is what a run saw when it last looked.
type looks struct {
	at, cpu time.Duration
	waits   int // looks in a row in which the workers waited
	busy    int // looks in a row in which the CPUs were full
	turns   int
	noted   int // place in run.notes plus 1
	most    int
}

// look finds out whether the tasks wait, for a network say, rather than compute,
// and has more of them run at once if so. It returns when to look again.
func (r *run) look() time.Duration {
	r.mu.Lock()
	defer r.mu.Unlock()
	l := &r.looks
	now, cpu := time.Since(r.begun), pilot.ProcessCPU()
	wall, used := now-l.at, cpu-l.cpu
	first := l.at == 0
	l.at, l.cpu = now, cpu
	if first || wall <= 0 {
		return firstLook
	}
	busy := float64(used) / float64(wall) / float64(r.cpus.Effective)
	if r.waiting != nil {
		r.lookWaiting(now, cpu, busy)
		return firstLook
	}
	if r.live < r.base || l.turns >= mostTurns || plan.Bound(float64(used)/float64(wall)/float64(r.live)) != "io" || !r.mayWait() {
		l.waits = 0
		return min(slowLook, 2*max(firstLook, wall))
	}
	if l.waits++; l.waits < looksToTurn || r.m.Done() < r.base {
		return firstLook
	}
	share := float64(used) / float64(wall) / float64(r.live)
	level := max(r.base+1, min(mostWaiting, plan.FirstInFlight(share, r.cpus.Effective)))
	r.waiting = &waiting{gradient: plan.NewGradient(level, mostWaiting, "that each may hold a result"), since: now, cpu: cpu}
	l.busy = 0
	if r.borrowed != nil {
		r.borrowed.Waits()
	}
	r.level(level)
	return firstLook
}

// mayWait tells whether no task said that it computes on several CPUs.
func (r *run) mayWait() bool {
	for i := range r.Classes {
		if r.Classes[i].CPU > 1 {
			return false
		}
	}
	return true
}

// lookWaiting finds how many tasks to have waiting at once, and turns back if
// they compute after all. Called with r.mu held.
func (r *run) lookWaiting(now, cpu time.Duration, busy float64) {
	w, l := r.waiting, &r.looks
	if busy < fullyBusy {
		l.busy = 0
	} else if l.busy++; l.busy >= looksToTurn {
		r.waiting = nil
		l.waits, l.turns = 0, l.turns+1
		r.m.SetWorkers(r.base)
		return
	}
	if w.tasks < w.gradient.Enough() {
		return
	}
	wall := now - w.since
	round := plan.Round{
		Items: w.tasks, Latency: time.Duration(w.nanos / int64(w.tasks)), Rate: float64(w.tasks) / wall.Seconds(),
		Busy: float64(cpu-w.cpu) / float64(wall) / float64(r.cpus.Effective), Left: r.m.Len() - r.m.Ended() - r.m.Running(),
	}
	if r.live*10 < w.gradient.Level()*9 {
		round.Limited = "the graph"
	}
	w.gradient.Step(round)
	w.since, w.cpu, w.tasks, w.nanos = now, cpu, 0, 0
	r.level(w.gradient.Level())
}

// level has n tasks run at once. Called with r.mu held.
func (r *run) level(n int) {
	r.m.SetWorkers(n)
	r.grow()
	l := &r.looks
	if l.most = max(l.most, n); l.noted == 0 {
		r.notes = append(r.notes, "")
		l.noted = len(r.notes)
	}
	r.notes[l.noted-1] = fmt.Sprintf("the tasks mostly wait rather than compute: up to %d at once, on %d CPUs; Workers says another number", l.most, r.cpus.Effective)
}
