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
	// Tasks wait if all workers were at tasks for leastWindow, and until
	// windowTasks tasks for each of them had ended, and took less than
	// waitingShare of the time in CPU. Tasks that both wait and compute stay
	// below: they would rob each other of the CPUs, and hold more results.
	leastWindow  = 50 * time.Millisecond
	windowTasks  = 4
	waitingShare = 0.15
	// fullyBusy is the part of the CPUs' time from which tasks compute,
	// looksToTurn how many looks in a row must say so. The run then stays at as
	// many workers as there are CPUs.
	fullyBusy   = 0.85
	looksToTurn = 2
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

// looks is what a run saw when it looked.
type looks struct {
	at, cpu time.Duration // when, and what the process had used
	busy    int           // looks in a row in which the CPUs were full
	turned  bool          // back to computing, for good
	noted   int           // place in run.notes plus 1
	most    int

	// The window in which all workers were at tasks so far.
	since, used time.Duration
	done        int
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
	switch {
	case l.turned || r.parallel:
		return time.Hour
	case r.waiting != nil:
		if wall > 0 {
			r.lookWaiting(now, cpu, float64(used)/float64(wall)/float64(r.cpus.Effective))
		}
		return firstLook
	case first || r.live < r.base:
		l.since, l.used, l.done = now, cpu, r.m.Done()
		return min(slowLook, 2*max(firstLook, wall))
	}
	window := now - l.since
	share := float64(cpu-l.used) / float64(max(1, window)) / float64(r.base)
	switch {
	case window < leastWindow:
		return firstLook
	case share >= waitingShare:
		l.since, l.used, l.done = now, cpu, r.m.Done()
		return min(slowLook, 2*max(firstLook, wall))
	case r.m.Done()-l.done < windowTasks*r.base:
		return firstLook
	}
	level := max(r.base+1, min(mostWaiting, plan.FirstInFlight(share, r.cpus.Effective)))
	r.waiting = &waiting{gradient: plan.NewGradient(level, mostWaiting, "that each may hold a result"), since: now, cpu: cpu}
	r.level(level)
	return firstLook
}

// lookWaiting finds how many tasks to have waiting at once, and turns back if
// they compute after all. Called with r.mu held.
func (r *run) lookWaiting(now, cpu time.Duration, busy float64) {
	w, l := r.waiting, &r.looks
	if busy < fullyBusy {
		l.busy = 0
	} else if l.busy++; l.busy >= looksToTurn {
		r.waiting, l.turned = nil, true
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
