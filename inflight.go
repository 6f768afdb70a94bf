package weft

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/weft-go/weft/internal/plan"
)

// ioFigures is what is measured while items wait: per epoch, which is a time
// with the same number in flight. Items that span two epochs do not count.
type ioFigures struct {
	gradient *plan.Gradient // used by the coordinator only
	epoch    atomic.Int64
	items    atomic.Int64
	enough   atomic.Int64 // items that make a round
	latency  atomic.Int64
	backOffs atomic.Int64
	calm     atomic.Int64 // items of earlier epochs have been answered by a halving
	paced    atomic.Int64 // items that waited for the rate limit
	began    time.Duration
	counted  int64
	cpu      time.Duration
	idle     time.Duration

	samples, sampledWall, sampledCPU int64 // when they were last looked at
	turns                            int   // back to computing
}

// add records items of this epoch. It returns true when they make a round
// full.
func (f *ioFigures) add(items int, took time.Duration) bool {
	f.latency.Add(int64(took))
	n, enough := f.items.Add(int64(items)), f.enough.Load()
	return n >= enough && n-int64(items) < enough
}

func (f *ioFigures) reset(now time.Duration, counted int64, cpu time.Duration) {
	f.epoch.Add(1)
	f.items.Store(0)
	f.enough.Store(int64(f.gradient.Enough()))
	f.latency.Store(0)
	f.paced.Store(0)
	f.began, f.counted, f.cpu = now, counted, cpu
}

func (r *run) lookIO(now time.Duration) time.Duration {
	f := &r.io
	g := f.gradient
	items, latency := f.items.Load(), time.Duration(f.latency.Load())
	why := ""
	switch {
	case f.backOffs.Load() > 0:
		why = g.Halve()
		f.backOffs.Store(0)
		f.calm.Store(f.epoch.Load() + 1)
	case items < int64(g.Enough()):
		if limit, what := r.mostInFlight(); limit < g.Level() {
			g.Cap(limit, what)
			r.target.Store(int32(g.Level()))
		}
		if now-f.began > 0 && g.TooSlow(now-f.began, float64(r.counted.Load()-f.counted)/(now-f.began).Seconds()) {
			why = g.Step(plan.Round{Items: int(max(1, items)), Latency: now - f.began, Rate: float64(r.counted.Load()-f.counted) / (now - f.began).Seconds()})
			break
		}
		if items == 0 {
			// Long items, or an input that brings none: look less often.
			f.idle = min(slowLook, max(firstLook, 2*f.idle))
			return f.idle
		}
		f.idle = 0
		return clamp(latency/time.Duration(items)/4, firstLook, cpuLook)
	default:
		wall := now - f.began
		round := plan.Round{Items: int(items), Latency: latency / time.Duration(items), Left: r.leftOver()}
		if wall > 0 {
			round.Rate = float64(r.counted.Load()-f.counted) / wall.Seconds()
			round.Busy = float64(r.cpuTime()-f.cpu) / float64(wall) / float64(r.cpus.Effective)
		}
		switch {
		case f.paced.Load() > items/2:
			round.Limited = "the rate limit"
		case int(r.live.Load())*10 < g.Level()*9:
			round.Limited = "the input"
		}
		if r.computesAfterAll() {
			return firstLook
		}
		g.Cap(r.mostInFlight())
		why = g.Step(round)
	}
	f.reset(now, r.counted.Load(), r.cpuTime())
	r.mu.Lock()
	defer r.mu.Unlock()
	r.note(g.Level(), why)
	r.target.Store(int32(g.Level()))
	return firstLook
}

// computesAfterAll looks at the chunks whose threads were watched since the
// turn to many in flight; if they kept their CPUs busy, it turns back.
func (r *run) computesAfterAll() bool {
	f := &r.io
	n, wall := r.samples.Load()-f.samples, r.sampledWall.Load()-f.sampledWall
	if n < 4 || wall <= 0 {
		return false
	}
	share := float64(r.sampledCPU.Load()-f.sampledCPU) / float64(wall)
	f.samples, f.sampledWall, f.sampledCPU = r.samples.Load(), r.sampledWall.Load(), r.sampledCPU.Load()
	if plan.Bound(share) != "cpu" || f.turns >= mostTurns {
		return false
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	f.turns++
	r.toCPU(float64(wall) / float64(n))
	return true
}

// mostTurns is how often a run turns back from waiting to computing; work that
// does both in turns is best left with many in flight.
const mostTurns = 3

// leftOver is how many items have not begun, 0 if that is not known.
func (r *run) leftOver() int {
	if r.n < 0 || r.memory.explicit { // with a limit the search goes on by small steps
		return 0
	}
	return r.src.left()
}

func clamp(d, lo, hi time.Duration) time.Duration { return max(lo, min(hi, d)) }

// backOff obeys an item that asked for less.
func (r *run) backOff(w *worker, b BackOff) {
	if w.epoch >= r.io.calm.Load() {
		// One halving for all that was in flight: a burst of refusals is one
		// message.
		r.io.backOffs.Add(1)
	}
	if b.After > 0 {
		r.gate.close(time.Now().Add(min(b.After, time.Hour)))
		// Chunks end after the item they are at.
		r.mu.Lock()
		for _, w := range r.workers {
			w.stop.Store(true)
		}
		r.mu.Unlock()
	}
}

// gate keeps items from starting until a moment has come.
type gate struct {
	until atomic.Int64 // Unix nanoseconds, 0 if open
}

func (g *gate) shut() bool { return g.until.Load() != 0 }

func (g *gate) close(until time.Time) {
	for {
		old := g.until.Load()
		if old >= until.UnixNano() || g.until.CompareAndSwap(old, until.UnixNano()) {
			return
		}
	}
}

func (g *gate) open() { g.until.Store(0) }

// wait returns when the gate is open, false when ctx ended before.
func (g *gate) wait(ctx context.Context) bool {
	for {
		until := g.until.Load()
		if until == 0 {
			return ctx.Err() == nil
		}
		d := time.Until(time.Unix(0, until))
		if d <= 0 {
			g.until.CompareAndSwap(until, 0)
			continue
		}
		if !pause(ctx, d) {
			return false
		}
	}
}

// pause waits for d, or returns false when ctx ends.
func pause(ctx context.Context, d time.Duration) bool {
	if d <= 0 {
		return ctx.Err() == nil
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}
