package weft

import (
	"context"
	"errors"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/weft-go/weft/internal/budget"
	"github.com/weft-go/weft/internal/pilot"
)

// A worker that was taken off the count still has to account for what it did:
// the run is over only when it has.
func TestRunEndsAfterRetiredWorkers(t *testing.T) {
	t.Parallel()
	r := &run{n: 2, src: &slice{}, ctx: t.Context(), done: make(chan struct{}), holds: 2}
	budget.Shared.Force()
	budget.Shared.Force()
	retired, last := r.newWorker(), r.newWorker()
	r.live.Store(2)
	r.target.Store(1)
	over := func() bool {
		select {
		case <-r.done:
			return true
		default:
			return false
		}
	}
	if !r.retire() {
		t.Fatal("one worker too many, and none retires")
	}
	r.leave(last, false)
	if over() {
		t.Error("the run is over while a worker has not left")
	}
	r.leave(retired, true)
	if !over() {
		t.Error("all have left, and the run is not over")
	}
}

// The worker that takes the place of one that runtime.Goexit ended is the
// pilot from then on.
func TestGoexitHandsThePilotOver(t *testing.T) {
	t.Parallel()
	r := &run{call: "Map", n: 2, cfg: config{keepGoing: true}}
	var pilots []bool
	_, err := mapRun(t.Context(), r, make([]int, r.n), func(ctx context.Context, _ int) (int, error) {
		r.mu.Lock()
		pilots = append(pilots, ctx == context.Context(r.first.slot))
		first := len(pilots) == 1
		r.mu.Unlock()
		if first {
			runtime.Goexit()
		}
		return 0, nil
	})
	if _, ok := errors.AsType[*PanicError](err); !ok {
		t.Errorf("the error is %v", err)
	}
	if len(pilots) != 2 || !pilots[0] || !pilots[1] {
		t.Errorf("ran on the pilot: %v", pilots)
	}
}

// Cancelled early, nearly all of a large input has not run. To say so of each
// item must not take longer than a cancel may.
func TestNotRunCostsLittle(t *testing.T) {
	r := &run{n: 100_000, spans: []span{{10, 20}, {50, 60}}, failures: itemErrors{{55, errLate}, {15, errLate}}}
	var es itemErrors
	allocations := testing.AllocsPerRun(1, func() { es = r.joined(context.Canceled) })
	if allocations > 20 {
		t.Errorf("%v allocations for %d items", allocations, r.n)
	}
	at := 0
	for i := range r.n {
		ran := i >= 10 && i < 20 || i >= 50 && i < 60
		why := context.Canceled
		switch {
		case i == 15 || i == 55:
			why = errLate
		case ran:
			continue
		}
		if at >= len(es) || es[at].Index != i || !errors.Is(es[at], why) {
			t.Fatalf("item %d is not the failure at place %d", i, at)
		}
		at++
	}
	if at != len(es) {
		t.Errorf("%d failures, want %d", len(es), at)
	}
}

var errLate = errors.New("too late")

// Only as many workers hold a CPU slot as slots were taken, when a run turns
// from waiting to computing; and those that stay hold them.
func TestTurningToComputeCountsSlots(t *testing.T) {
	t.Parallel()
	const want, in = 3, 7
	r := &run{n: 100, src: &slice{}, ctx: t.Context(), done: make(chan struct{}), holds: 1, want: want}
	r.cpus.Effective = 1 << 30 // whatever other tests have taken, there is room
	budget.Shared.Force()
	ws := make([]*worker, in)
	for i := range ws {
		ws[i] = r.newWorker()
		ws[i].slot.Hold(false)
	}
	r.live.Store(in)
	held := func() (n int) {
		for _, w := range r.workers {
			if w.slot.Held() {
				n++
			}
		}
		return n
	}
	r.mu.Lock()
	r.toCPU(1000)
	r.mu.Unlock()
	if n := held(); n != want || r.holds != want {
		t.Fatalf("%d workers think that they hold a slot; %d slots were taken, for %d workers", n, r.holds, want)
	}
	for i, w := range ws { // those with a slot leave first
		r.leave(w, r.retire())
		if n, left := held(), in-1-i; n != min(want, left) || r.holds != max(1, min(want, left)) && left > 0 {
			t.Errorf("%d workers are left: %d hold a slot, %d slots are taken", left, n, r.holds)
		}
	}
	select {
	case <-r.done:
	default:
		t.Error("all have left, and the run is not over")
	}
}

// What is to be mended stands in the plan and in the report, and is printed
// once.
func TestWarningsAreInThePlanToo(t *testing.T) {
	t.Parallel()
	var rep Report
	const tiny = "the items are so small"
	r := &run{call: "Stream", n: -1, ctx: t.Context(), done: make(chan struct{}), cfg: config{report: &rep}}
	r.begun = time.Now()
	r.count0 = pilot.Read()
	r.counted.Store(5000)
	r.inItems.Store(5000 * 10)
	r.finishReport()
	for what, ws := range map[string][]string{"plan": rep.Plan.Warnings, "report": rep.Warnings} {
		if n := len(slices.DeleteFunc(slices.Clone(ws), func(w string) bool { return !strings.Contains(w, tiny) })); n != 1 {
			t.Errorf("the %s warns %d times of tiny items: %q", what, n, ws)
		}
	}
	if n := strings.Count(rep.String(), tiny); n != 1 {
		t.Errorf("printed %d times:\n%v", n, rep)
	}
}
