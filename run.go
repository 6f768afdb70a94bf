package weft

import (
	"context"
	"errors"
	"fmt"
	"math"
	"reflect"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"github.com/weft-go/weft/internal/budget"
	"github.com/weft-go/weft/internal/cpus"
	"github.com/weft-go/weft/internal/funcname"
	"github.com/weft-go/weft/internal/memory"
	"github.com/weft-go/weft/internal/meter"
	"github.com/weft-go/weft/internal/pilot"
	"github.com/weft-go/weft/internal/plan"
)

// run is one call of Map, Stream, Each, Reduce or For. The function that was
// called builds it, with a source of items and a body that runs some of them;
// run knows neither types nor results.
//
// The goroutine that called coordinates: it waits, and looks at the figures
// every few milliseconds (coordinate.go). Worker 0 starts with the pilot
// (first.go); from the first decision on all workers run the same loop
// (worker.go).
type run struct {
	cfg  config
	call string // "Map", "Stream", ...
	fn   any    // the user's function, for its name
	n    int    // what the source counts: items, leaves in Reduce; -1 where unknown

	items   int // Reduce: the items
	perLeaf int // Reduce: the items of a leaf

	src  source
	body body
	// careful bodies wait and try again inside; their workers add up the time
	// that f itself took.
	careful bool
	remote  *remote // where the items run elsewhere

	begun  time.Time
	cpu0   atomic.Int64 // the process's CPU time at cpuAt, 0 if not read yet
	cpuAt  atomic.Int64
	count0 pilot.Counters
	cpus   cpus.Info
	want   int          // CPU workers that the plan may use
	fixed  bool         // the user said how many
	meter  *meter.Meter // where the items' cost is charged from outside

	feeding bool             // a feeder may still bring items; with mu
	adopted chan struct{}    // Stream: closed when the run is planned or stops; with mu
	lost    func(int, error) // Stream: delivers the failure of an item that no body ran

	stopped atomic.Bool
	mode    atomic.Int32 // plan.Mode
	target  atomic.Int32 // workers wanted
	live    atomic.Int32 // workers there are
	nanos   atomic.Int64 // of one item, moving average, in picoseconds
	counted atomic.Int64 // items finished, failed ones included
	inItems atomic.Int64 // nanoseconds spent in items, summed over workers
	squares atomic.Int64 // of the chunks' microseconds, by item, for the spread
	chunks  atomic.Int64

	sampleAt    atomic.Int64 // when the next chunk is watched for its CPU time
	sampledCPU  atomic.Int64
	sampledWall atomic.Int64
	samples     atomic.Int64
	waity       atomic.Bool  // a watched chunk has waited
	looked      atomic.Int64 // when coordinate last looked, since begun
	every       atomic.Int64 // how often it means to look, nanoseconds

	io    ioFigures
	gate  gate // pauses after a back-off
	rate  *pacer
	retry atomic.Int64
	poke  chan struct{} // asks the coordinator to look now
	done  chan struct{} // closed when the last worker has left

	mu       sync.Mutex
	planned  bool // the pilot has decided
	est      plan.Estimator
	settled  plan.Estimate
	answer   plan.Answer
	decided  time.Duration // when
	again    int           // decisions for more workers in a row, by the pilot
	changes  []Decision
	workers  []*worker
	first    *worker
	borrowed *budget.Slot
	wants    budget.Waiter // for more CPU slots
	holds    int           // CPU slots that this run holds, the borrowed one included
	queued   bool          // it begins when it has got one
	lent     bool          // it has given its one back while its item waits
	root     bool          // it is in no other run
	ended    bool
	spans    []span
	failures itemErrors
	nfailed  int
	echoes   int // failures that only say that the run was stopped
	lowest   *ItemError
	cancel   context.CancelCauseFunc
	ctx      context.Context // the items' context; here because workers start late
	scaler   *plan.Scaler
	memory   memoryAccount
	explain  bool

	seen   int64 // items finished when the coordinator saw an item run
	seenAt time.Duration
	long   longLook
}

// body runs the items of w's chunk until one asks to stop, and returns the
// index after the last item that it ran.
type body func(ctx context.Context, w *worker) (next int)

// span is the half-open range of items that have been run.
type span struct{ lo, hi int }

// start checks the arguments that all functions have in common, and begins.
// It returns an error that says the mend, or nil.
func (r *run) start(ctx context.Context) error {
	r.begun = time.Now()
	if err := r.check(ctx); err != nil {
		r.finishReport()
		return err
	}
	c := &r.cfg
	if c.report != nil || !pilot.HasThreadCPU {
		r.countCPU() // else when somebody looks: short runs need not pay for it
	}
	r.cpus = cpus.Get()
	r.meter = meter.From(ctx)
	r.careful = c.timeout > 0 || c.attempts > 1 || c.rate > 0
	if c.rate > 0 {
		r.rate = newPacer(c.rate)
	}
	r.fixed = c.workers != 0
	r.want = cpus.Workers(c.workers, r.cpus)
	r.openRemote()
	if c.memory > 0 || r.n >= manyItems {
		r.memory.open(c, pilot.Read().Held) // before there is room made for results
	}
	r.poke = make(chan struct{}, 1)
	r.wants.Depth, r.wants.Wake = budget.Depth(ctx), r.poke
	r.done = make(chan struct{})
	return nil
}

func (r *run) check(ctx context.Context) error {
	c := &r.cfg
	switch {
	case c.err != nil:
		return fmt.Errorf("weft: %s: %w", r.call, c.err)
	case ctx == nil:
		return fmt.Errorf("weft: %s: the context is nil; pass context.Background()", r.call)
	case r.fn == nil || reflect.ValueOf(r.fn).IsNil():
		return fmt.Errorf("weft: %s: the function is nil; pass the one to call for each item", r.call)
	case c.perItem > 0 && c.memory > 0 && c.perItem > c.memory:
		return fmt.Errorf("weft: %s: one item needs %s (MemoryPerItem) and the budget is %s (MemoryLimit); raise the limit or make items smaller",
			r.call, memory.Text(c.perItem), memory.Text(c.memory))
	case ctx.Err() != nil:
		return r.stoppedErr(ctx)
	}
	return r.checkRemote()
}

// run carries it out and returns when every goroutine of it has ended.
func (r *run) run(ctx context.Context) error {
	defer r.memory.close()
	if r.n == 0 {
		r.finishReport()
		return nil
	}
	stopProgress := r.showProgress()
	defer stopProgress()

	r.readCounters()
	inner, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	r.ctx, r.cancel = inner, cancel

	defer r.remote.end()
	if r.fixed && r.want == 1 && r.remote == nil {
		r.plainLoop(ctx)
	} else {
		r.launch()
		r.coordinate(ctx, func() {
			// The last thing before the caller waits: the worker then runs
			// on the same CPU, with the caller's data in its cache.
			go r.work(r.first)
			if r.fixed || r.remote != nil {
				r.grow()
			}
		})
	}
	return r.result(ctx)
}

// manyItems is from how many items on the room for their results is worth a
// microsecond to count.
const manyItems = 1 << 14

// readCounters is where what the items allocate begins to count.
func (r *run) readCounters() {
	r.count0 = pilot.Read()
	if !r.memory.opened {
		r.memory.open(&r.cfg, r.count0.Held)
	}
}

// plainLoop is Workers(1): everything happens in the caller's goroutine.
func (r *run) plainLoop(ctx context.Context) {
	r.answer = plan.Answer{Mode: plan.Plain, Workers: 1, Reason: "Workers(1) asks for the plain loop"}
	r.planned = true
	r.target.Store(1)
	r.live.Store(1)
	w := r.newWorker()
	slot := budget.Borrow(ctx)
	if !budget.Nested(ctx) {
		budget.Shared.Root(1)
		defer budget.Shared.Root(-1)
	}
	if slot == nil {
		budget.Shared.Force()
		defer budget.Shared.Release(1)
	} else {
		defer func() { slot.Return(r.waited()) }()
	}
	defer func() { // also when f leaves by runtime.Goexit
		if r.live.Load() != 0 {
			r.live.Store(0)
			r.keep(w)
			r.finishReport()
		}
	}()
	unwatch := context.AfterFunc(ctx, func() { r.halt(context.Cause(ctx)) })
	defer unwatch()
	block := 1
	if r.cfg.chunk > 0 {
		block = r.cfg.chunk
	}
	now := r.now()
	for !r.stopped.Load() {
		took, ok := r.turn(w, block, &now)
		if !ok {
			break
		}
		r.est.Add(w.ran, took)
		r.watchMemory(now)
		if r.cfg.chunk == 0 {
			block = nextBlock(block, w.ran, took)
		}
	}
	r.live.Store(0)
	r.keep(w)
}

// launch makes the first worker.
func (r *run) launch() {
	if r.remote != nil {
		r.launchRemote()
		return
	}
	r.firstSlot()
	w := r.newWorker()
	r.first = w
	r.target.Store(1)
	r.live.Store(1)
	if r.fixed {
		r.planned = true
		r.mode.Store(int32(plan.CPU))
		r.answer = plan.Answer{Mode: plan.CPU, Workers: r.want, Reason: fmt.Sprintf("Workers(%d) asks for it", r.cfg.workers)}
		r.target.Store(int32(r.allowed(r.want)))
	}
}

// firstSlot takes the CPU slot of the first worker: the caller's, if that is a
// worker that has one. A call that is in no other gets one in any case; one in
// an item that waits may have to stand in line, unless the user said how many
// workers it has.
func (r *run) firstSlot() {
	r.root = !budget.Nested(r.ctx)
	r.borrowed = budget.Borrow(r.ctx)
	switch {
	case r.borrowed != nil:
	case r.root:
		budget.Shared.Root(1)
		budget.Shared.Force()
	case r.fixed:
		budget.Shared.Force()
	case !budget.Shared.AcquireFirst(r.cpus.Effective, r.cpusIdle):
		r.queued = true
		return
	}
	r.holds = 1
}

// cpusIdle tells whether fewer goroutines run, or could, than there are CPU
// slots, not counting the one that asks. Looks twice, as the runtime's figures
// are of no single moment.
func (r *run) cpusIdle() bool {
	// The time of all CPUs that the process had lately.
	u := &usage
	if now := pilot.RealTime(); now-u.at > usageWindow {
		cpu := pilot.ProcessCPU()
		u.full = now-u.at < 10*usageWindow && float64(cpu-u.cpu) > 0.25*float64(r.cpus.Effective)*float64(now-u.at)
		u.at, u.cpu = now, cpu
	}
	if u.full {
		return false
	}
	for range 2 {
		if int(pilot.Read().Running)-1 >= r.cpus.Effective {
			return false
		}
	}
	return true
}

// usage is what cpusIdle has last seen. The pool of slots calls it for one run
// at a time.
var usage struct {
	at, cpu time.Duration
	full    bool
}

const usageWindow = 3 * time.Millisecond

// awaitSlot waits for the first CPU slot. It returns false if the run ends
// without one.
func (r *run) awaitSlot(ctx context.Context) bool {
	from := r.now()
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	for {
		got, again := budget.Shared.Await(&r.wants, r.cpus.Effective, r.cpusIdle)
		if got {
			break
		}
		timer.Reset(again)
		select {
		case <-r.poke:
		case <-timer.C:
		case <-ctx.Done():
		}
		if ctx.Err() != nil || r.stopped.Load() {
			r.halt(context.Cause(ctx))
			r.mu.Lock()
			defer r.mu.Unlock()
			r.feeding = false
			r.forget(r.first)
			r.live.Store(0)
			r.endLocked()
			return false
		}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.holds = 1
	if waited := r.now() - from; waited >= time.Millisecond {
		r.note(1, fmt.Sprintf("waited %s for a CPU slot: other runs had them all", plan.Short(waited)))
	}
	return true
}

// result joins what happened into the error of the call.
func (r *run) result(ctx context.Context) error {
	err := r.outcome(ctx)
	r.finishReport()
	return err
}

func (r *run) outcome(ctx context.Context) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	all := r.n >= 0 && int(r.counted.Load()) >= r.n && r.echoes == 0
	if ctx.Err() != nil && !all {
		err := r.stoppedErr(ctx)
		switch {
		case r.cfg.keepGoing:
			return errors.Join(err, r.joined(context.Cause(ctx)))
		case r.lowest != nil:
			return errors.Join(r.lowest, err)
		}
		return err
	}
	if r.explain {
		return nil
	}
	if r.cfg.keepGoing {
		var why error
		if r.memory.failed != nil {
			why = r.memory.failed
		}
		if es := r.joined(why); len(es) > 0 {
			return es
		}
		return nil
	}
	if r.lowest != nil {
		return r.lowest
	}
	if r.memory.failed != nil {
		return r.memory.failed
	}
	return nil
}

// joined returns all failures in input order. Items that did not run because
// of why are among them.
func (r *run) joined(why error) itemErrors {
	failed := r.failures
	sortErrors(failed)
	if why == nil || r.n <= 0 {
		return failed
	}
	gaps := r.gaps()
	n := 0
	for _, gap := range gaps {
		n += gap.hi - gap.lo
	}
	// Nearly all of ten million items, perhaps: one error for all, their places
	// in one piece, and what is in order already is not sorted again.
	notRun := fmt.Errorf("not run: %w", why)
	places := make([]ItemError, 0, n)
	es := make(itemErrors, 0, len(failed)+n)
	for _, gap := range gaps {
		for len(failed) > 0 && failed[0].Index < gap.lo {
			es, failed = append(es, failed[0]), failed[1:]
		}
		for i := gap.lo; i < gap.hi; i++ {
			places = append(places, ItemError{Index: i, Err: notRun})
			es = append(es, &places[len(places)-1])
		}
	}
	return append(es, failed...)
}

func (r *run) stoppedErr(ctx context.Context) error {
	err := ctx.Err()
	if cause := context.Cause(ctx); cause != err { //nolint:errorlint // the very same value
		err = fmt.Errorf("%w: %w", err, cause)
	}
	n := "items"
	if r.n >= 0 {
		n = fmt.Sprintf("%d items", r.n)
	}
	return fmt.Errorf("weft: %s: stopped after %d of %s: %w", r.name(), r.counted.Load(), n, err)
}

// failed records the failure of item i and tells whether the run stops.
func (r *run) failed(w *worker, i int, err error) (stop bool) {
	b, backsOff, echo := r.inspect(err)
	if backsOff {
		r.backOff(w, b)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if echo {
		r.echoes++
	}
	if r.cfg.keepGoing {
		if echo {
			err = fmt.Errorf("not finished: %w", err)
		}
		r.nfailed++
		if r.n >= 0 { // a stream yields its failures
			r.failures = append(r.failures, &ItemError{Index: i, Err: err})
		}
		return false
	}
	// A sibling that was cancelled because of the first failure says nothing
	// new; one that failed by itself with a lower index does.
	if !echo {
		r.nfailed++
	}
	if !echo && (r.lowest == nil || i < r.lowest.Index) {
		r.lowest = &ItemError{Index: i, Err: err}
	}
	r.haltLocked(stopCause{&ItemError{Index: i, Err: err}})
	return true
}

// inspect looks into a failure: does it ask to back off, is it only the echo
// of the run being stopped? The error is the user's, and what it panicked
// with: looking into it may panic.
func (r *run) inspect(err error) (b BackOff, backsOff, echo bool) {
	defer func() {
		if recover() != nil {
			backsOff, echo = false, false
		}
	}()
	b, backsOff = errors.AsType[BackOff](err)
	echo = r.ctx.Err() != nil && (errors.Is(err, context.Canceled) || errors.Is(err, context.Cause(r.ctx)))
	return b, backsOff, echo
}

// crashed turns what ended item i abnormally into its failure. recovered is
// nil after runtime.Goexit.
func (r *run) crashed(w *worker, i int, recovered any) (stop bool) {
	return r.failed(w, i, &PanicError{Value: recovered, Stack: debug.Stack()})
}

// crashedAt is crashed for the item at w.at, for bodies. It returns the index
// after it; w.ran is set too, as nobody sees the result after
// runtime.Goexit.
func (r *run) crashedAt(w *worker, recovered any) (next int) {
	at := w.at + w.in
	w.in = 0
	r.crashed(w, at, recovered)
	w.ran = at + 1 - w.lo
	return at + 1
}

// crashedKey does the same for the key function of PerKey: its item counts as
// run, and failed.
func (r *run) crashedKey(w *worker, recovered any) {
	err := fmt.Errorf("the key function of PerKey: %w", &PanicError{Value: recovered, Stack: debug.Stack()})
	r.failed(w, w.lo, err)
	r.counted.Add(1)
	w.done = append(w.done, span{w.lo, w.lo + 1})
	if r.lost != nil {
		r.lost(w.lo, &ItemError{Index: w.lo, Err: err})
	}
}

// halt stops the run: no item starts from here on.
func (r *run) halt(cause error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.haltLocked(cause)
}

func (r *run) haltLocked(cause error) {
	if r.stopped.Swap(true) {
		return
	}
	r.cancel(cause)
	r.tellFeeder()
	r.gate.open()
	for _, w := range r.workers {
		w.stop.Store(true)
	}
	if q, ok := r.src.(interface{ wake() }); ok {
		q.wake() // the feeder may wait for room
	}
}

// tellFeeder says that the run is planned, or stops. Called with r.mu held.
func (r *run) tellFeeder() {
	if r.adopted == nil {
		return
	}
	select {
	case <-r.adopted:
	default:
		close(r.adopted)
	}
}

// waited is how long the run had no use for a CPU, for the worker that lent it
// its slot: none of its time, unless its items mostly wait.
func (r *run) waited() time.Duration {
	if plan.Mode(r.mode.Load()) == plan.IO {
		return max(0, r.now()-r.cpuTime())
	}
	return 0
}

// wakeUp asks the coordinator to look at the figures now.
func (r *run) wakeUp() {
	select {
	case r.poke <- struct{}{}:
	default: // it is asked already
	}
}

func (r *run) now() time.Duration { return time.Since(r.begun) }

func (r *run) name() string { return r.nameOf(r.call) }

// nameOf is the run's name, as one of the given function.
func (r *run) nameOf(call string) string {
	if r.cfg.name != "" {
		return r.cfg.name
	}
	if r.fn != nil {
		if name := funcname.Of(r.fn); name != "" {
			return call + "(" + shortFunc(name) + ")"
		}
	}
	return call
}

// itemNanos is the moving average of an item's time, in nanoseconds.
func (r *run) itemNanos() float64 { return float64(r.nanos.Load()) / 1e3 }

func (r *run) learn(items int, took time.Duration) {
	if items <= 0 {
		return
	}
	ps := float64(took) * 1e3 / float64(items)
	if ps > math.MaxInt64/4 {
		ps = math.MaxInt64 / 4
	}
	if old := r.nanos.Load(); old > 0 {
		ps = 0.7*float64(old) + 0.3*ps
	}
	r.nanos.Store(max(1, int64(ps)))
}
