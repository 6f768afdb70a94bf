package graph

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/weft-go/weft"
	"github.com/weft-go/weft/graph/internal/sched"
	"github.com/weft-go/weft/internal/budget"
	"github.com/weft-go/weft/internal/cpus"
)

const (
	// A worker is handed tasks for so long at a time, and so many at most: the
	// lock and the clock cost some 0.3 us.
	batchNanos = 100e3
	batchMost  = 4096
	// worthJoining is for how long there must be work, in nanoseconds, for
	// another worker to start: a goroutine that wakes a CPU takes some 5 us.
	worthJoining = 20e3
	// slack is how many results more than one for each worker may be held
	// beside those that one worker would hold.
	slack = 2
)

// run is one computation. It drives the machine: workers tell it what has
// happened, and do what it says.
type run struct {
	*planned
	cfg    config
	stores []store
	begun  time.Time
	cpus   cpus.Info
	exec   *remote

	stopping atomic.Bool

	mu       sync.Mutex
	m        *sched.Machine
	ctx      context.Context // of the tasks; here because workers start late
	cancel   context.CancelCauseFunc
	names    []int // of workers that are free
	live     int
	wants    budget.Waiter
	poke     chan struct{}
	done     chan struct{}
	fixed    bool // the user said how many workers
	borrowed *budget.Slot
	failures []failure
	err      error // what ended the run, if no task did
	memory   memory
	log      *log
	notes    []string // for the user
}

type failure struct {
	task uint32
	err  error
	echo bool // only says that the run was stopped
}

// worker is a goroutine that runs tasks.
type worker struct {
	name   int
	slot   *budget.Slot
	batch  []uint32
	load   []uint32
	ran    int           // tasks of the batch that have ended
	nanos  []int64       // what they took
	bytes  []int64       // how large their results are
	err    error         // of the last of them
	began  time.Duration // when the one that runs began
	spills []uint32
}

// compute runs what is asked for. The results stay in the stores.
func (g *Graph) compute(ctx context.Context, call string, asked []uint32, opts []RunOption) (_ *run, err error) {
	r := &run{begun: time.Now()}
	for _, o := range opts {
		if o != nil {
			o.applyRun(&r.cfg)
		}
	}
	switch {
	case r.cfg.err != nil:
		return nil, fmt.Errorf("graph: %s: %w", call, r.cfg.err)
	case ctx == nil:
		return nil, fmt.Errorf("graph: %s: the context is nil; pass context.Background()", call)
	}
	var j *journal
	if r.cfg.journal != "" {
		if j, err = openJournal(r.cfg.journal); err != nil {
			return nil, fmt.Errorf("graph: %s: Journal(%q): %w", call, r.cfg.journal, err)
		}
		defer func() { err = errors.Join(err, j.close()) }()
	}
	for range mostPlans - 1 {
		got, err := g.attempt(ctx, call, asked, r, j)
		gone, ok := errors.AsType[*TaskError](err)
		if !ok || j == nil || !errors.Is(err, errGone) {
			return got, err
		}
		// Somebody has removed an entry since: it is computed as well.
		j.gone[j.digests[gone.ID]] = true
		r = &run{begun: r.begun, cfg: r.cfg}
	}
	return g.attempt(ctx, call, asked, r, j)
}

// mostPlans is how often a run begins anew because entries of its journal went
// away meanwhile.
const mostPlans = 10

// attempt plans the run and carries it out.
func (g *Graph) attempt(ctx context.Context, call string, asked []uint32, r *run, j *journal) (_ *run, err error) {
	p, err := g.plan(asked, j)
	if err != nil {
		return nil, err
	}
	r.planned = p
	if err := r.open(ctx, call); err != nil {
		return nil, err
	}
	defer r.exec.end()
	defer func() {
		if cerr := r.memory.close(); err == nil && cerr != nil {
			err = fmt.Errorf("graph: %s: removing the file with results: %w", call, cerr)
		}
	}()
	if r.m.Len() > 0 {
		r.drive(ctx)
	}
	r.remember()
	err = r.outcome(ctx, call)
	if rerr := r.report(err); err == nil {
		err = rerr
	}
	return r, err
}

// open makes room for the results and the machine.
func (r *run) open(ctx context.Context, call string) error {
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("graph: %s: stopped before it began: %w", call, stopReason(ctx))
	}
	r.cpus = cpus.Get()
	r.fixed = r.cfg.workers != 0
	l := sched.Limits{
		Workers: cpus.Workers(r.cfg.workers, r.cpus), Slack: slack, KeepGoing: r.cfg.keepGoing,
		Batch: batchNanos, Most: batchMost,
	}
	if err := r.openResources(&l); err != nil {
		return fmt.Errorf("graph: %s: %w", call, err)
	}
	if err := r.openRemote(&l); err != nil {
		return fmt.Errorf("graph: %s: %w", call, err)
	}
	r.openMemory(&l)
	r.stores = make([]store, len(r.columns))
	for i, c := range r.columns {
		r.stores[i] = c.open(r.counts[i])
	}
	r.m = sched.New(r.Plan, l)
	r.openLog()
	r.names = make([]int, l.Workers)
	for i := range r.names {
		r.names[i] = l.Workers - 1 - i
	}
	r.poke = make(chan struct{}, 1)
	r.wants = budget.Waiter{Depth: budget.Depth(ctx), Wake: r.poke}
	r.done = make(chan struct{})
	for _, f := range r.cfg.live {
		f(r)
	}
	return nil
}

// openResources numbers the resources that tasks take.
func (r *run) openResources(l *sched.Limits) error {
	number := map[string]int32{}
	for i, k := range r.keys {
		c := &r.Classes[i]
		c.CPU = min(c.CPU, int32(l.Workers))
		if k.resource == "" {
			continue
		}
		have, ok := r.cfg.capacity[k.resource]
		switch {
		case !ok:
			return fmt.Errorf("%s takes of the resource %q, and the run does not say how much of it there is; add graph.Capacity(%q, n)", r.exampleOf(uint32(i)), k.resource, k.resource)
		case have < k.amount:
			return fmt.Errorf("%s takes %d of the resource %q, and there is %d; raise graph.Capacity", r.exampleOf(uint32(i)), k.amount, k.resource, have)
		}
		if number[k.resource] == 0 {
			l.Resources = append(l.Resources, have)
			number[k.resource] = int32(len(l.Resources))
		}
		c.Resource = number[k.resource]
	}
	return nil
}

// exampleOf is the name of a task of a class.
func (r *run) exampleOf(class uint32) string {
	return r.nameOf(uint32(slices.Index(r.Class, class)))
}

// drive runs the tasks, and returns when no goroutine of it runs.
func (r *run) drive(ctx context.Context) {
	inner, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	r.ctx, r.cancel = inner, cancel
	r.borrowed = budget.Borrow(ctx)
	switch {
	case r.exec != nil && r.borrowed != nil: // the executor takes what it uses
		r.borrowed.Waits()
		budget.Shared.Release(1)
	case r.exec == nil && r.borrowed == nil:
		budget.Shared.Force()
	}
	unwatch := context.AfterFunc(ctx, func() {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.halt(context.Cause(ctx))
	})
	defer unwatch()
	if r.cfg.workers == 1 && r.exec == nil {
		w := r.newWorker()
		r.live = 1
		ended := false
		defer func() { // also when a task leaves by runtime.Goexit
			if !ended {
				r.goexit(w)
				r.mu.Lock()
				r.settle(w)
				r.halt(errors.New("a task ended the caller's goroutine"))
				r.leave(w)
				r.mu.Unlock()
				r.giveBack()
			}
		}()
		r.loop(w)
		ended = true
		r.giveBack()
		return
	}
	r.mu.Lock()
	r.launch()
	r.mu.Unlock()
	for {
		select {
		case <-r.done:
			r.giveBack()
			return
		case <-r.poke:
			r.mu.Lock()
			r.grow()
			r.mu.Unlock()
		}
	}
}

// giveBack returns the first worker's CPU slot.
func (r *run) giveBack() {
	budget.Shared.Enough(&r.wants)
	switch {
	case r.borrowed != nil && r.exec != nil:
		budget.Shared.Force()
		r.borrowed.Return(time.Since(r.begun))
	case r.borrowed != nil:
		r.borrowed.Return(0)
	case r.exec == nil:
		budget.Shared.Release(1)
	}
}

// newWorker takes one of the free names. Called with r.mu held, or before there
// are others.
func (r *run) newWorker() *worker {
	name := r.names[len(r.names)-1]
	r.names = r.names[:len(r.names)-1]
	return &worker{name: name, slot: budget.NewSlot(r.ctx, r.exec == nil, r.wants.Depth)}
}

// launch starts a worker. Called with r.mu held.
func (r *run) launch() {
	r.live++
	go r.work(r.newWorker())
}

// grow starts workers as long as there is work that is worth another one, and
// a CPU slot for it. Called with r.mu held.
func (r *run) grow() {
	for r.live > 0 && len(r.names) > 0 {
		nanos, ok := r.m.Startable()
		if !ok || nanos > 0 && nanos < worthJoining {
			break
		}
		if r.exec != nil {
			// The executor takes the slots.
		} else if r.fixed {
			budget.Shared.Force()
		} else if budget.Shared.Outranked(r.wants.Depth) || !budget.Shared.TryAcquire(r.cpus.Effective) {
			budget.Shared.Want(&r.wants)
			return
		}
		r.launch()
	}
	if r.wants.Listed() {
		budget.Shared.Enough(&r.wants)
	}
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
		case r.exec != nil:
			r.shipBatch(w)
		default:
			r.runBatch(w)
		}
		r.mu.Lock()
		r.settle(w)
		for {
			r.m.Take(w.name)
			if !r.obey(w) {
				break
			}
		}
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
		if r.exec == nil {
			budget.Shared.Release(1)
		}
		return
	}
	if !r.m.Over() && !r.m.Stopped() {
		r.err = r.stalled()
	}
	close(r.done)
}

// runBatch runs w's batch until one fails: those after it may need it.
func (r *run) runBatch(w *worker) {
	normal := false
	defer func() {
		if normal {
			return
		}
		if v := recover(); v != nil {
			r.crashed(w, v)
		} // else runtime.Goexit: whoever deferred before sees to it
	}()
	w.began = time.Since(r.begun)
	for w.ran < len(w.batch) && !r.stopping.Load() {
		t := w.batch[w.ran]
		n := &r.nodes[r.nodeOf[t]]
		in := r.In[r.InOff[t]:r.InOff[t+1]]
		var err error
		if n.opts.careful() || r.journal != nil {
			err = r.attempts(w, n, t, in)
		} else {
			err = n.do.run(w.slot, r, t, in)
		}
		r.ended(w, t, n, err)
		if err != nil {
			break
		}
	}
	normal = true
}

// ended notes that w has run t.
func (r *run) ended(w *worker, t uint32, n *node, err error) {
	now := time.Since(r.begun)
	bytes := int64(0)
	if err != nil {
		w.err = err
	} else {
		bytes = r.stores[n.column].size(r.slot[t])
	}
	w.nanos = append(w.nanos, int64(now-w.began))
	w.bytes = append(w.bytes, bytes)
	if r.log != nil {
		r.log.ran(t, w.name, w.began, now, bytes)
	}
	w.began = now
	w.ran++
	if err != nil && !r.cfg.keepGoing && !(r.exec != nil && lost(err)) {
		r.stopping.Store(true)
	}
}

// crashed notes that the task that w was at has panicked.
func (r *run) crashed(w *worker, v any) {
	t := w.batch[w.ran]
	r.ended(w, t, &r.nodes[r.nodeOf[t]], &weft.PanicError{Value: v, Stack: debug.Stack()})
}

// goexit notes that the task that w was at has ended the goroutine.
func (r *run) goexit(w *worker) {
	if w.ran < len(w.batch) {
		r.crashed(w, nil)
	}
}

// settle tells the machine what became of w's batch. Called with r.mu held.
func (r *run) settle(w *worker) {
	for i, t := range w.batch[:w.ran] {
		if i < w.ran-1 || w.err == nil {
			r.m.Finished(w.name, t, w.nanos[i], w.bytes[i])
		}
	}
	for _, t := range w.batch[w.ran:] {
		r.m.Again(w.name, t) // not begun
	}
	if w.err != nil {
		t := w.batch[w.ran-1]
		if r.exec != nil && lost(w.err) && r.exec.losses[t]+1 < mostDeaths && r.ctx.Err() == nil {
			r.exec.losses[t]++
			r.m.Again(w.name, t)
		} else {
			r.failed(w, t, w.err)
		}
		w.err = nil
	}
	w.batch, w.ran, w.nanos, w.bytes = w.batch[:0], 0, w.nanos[:0], w.bytes[:0]
	r.sweep()
}

// sweep lets go of what nobody needs any more. Called with r.mu held.
func (r *run) sweep() {
	o := &r.m.Out
	for _, t := range o.Free {
		r.stores[r.nodes[r.nodeOf[t]].column].free(r.slot[t])
	}
	for _, t := range o.Unspill {
		r.memory.forget(t)
	}
	o.Free, o.Unspill, o.Skip = o.Free[:0], o.Unspill[:0], o.Skip[:0]
	r.watchMemory()
	if r.log != nil {
		r.log.sample(r)
	}
}

// obey takes over what the machine has said to w. It tells whether w is to ask
// again. Called with r.mu held; writes and reads files without it.
func (r *run) obey(w *worker) (again bool) {
	o := &r.m.Out
	defer o.Reset()
	for _, t := range o.Refused {
		r.refused(t, o.NeedMem)
		again = true
	}
	r.sweep()
	if r.m.Stopped() {
		return false
	}
	if len(o.Spill) > 0 {
		w.spills = append(w.spills[:0], o.Spill...)
		o.Reset()
		r.spill(w)
		return true
	}
	w.batch = append(w.batch, o.Run...)
	if len(o.Load) > 0 {
		w.load = append(w.load[:0], o.Load...)
		o.Reset()
		return r.load(w)
	}
	return again && len(w.batch) == 0
}

// failed notes the failure of t. Called with r.mu held.
func (r *run) failed(w *worker, t uint32, err error) {
	echo := r.ctx.Err() != nil && isEcho(r.ctx, err)
	r.failures = append(r.failures, failure{t, err, echo})
	r.m.Fail(w.name, t)
	if !r.cfg.keepGoing {
		r.halt(stopCause{r.taskError(t, err)})
	}
}

// isEcho tells whether a failure only says that the run was stopped. The error
// is the user's, and looking into it may panic.
func isEcho(ctx context.Context, err error) (yes bool) {
	defer func() { _ = recover() }()
	return errors.Is(err, context.Canceled) || errors.Is(err, context.Cause(ctx))
}

// halt stops the run: no task starts from here on. Called with r.mu held.
func (r *run) halt(cause error) {
	if r.ctx.Err() == nil {
		r.cancel(cause)
	}
	r.stopping.Store(true)
	r.m.Stop()
}

func (r *run) taskError(t uint32, err error) *TaskError {
	return &TaskError{Task: r.nameOf(t), ID: int(r.task[t]), Inputs: r.inputNames(t), Path: r.path(t), Err: err}
}

// outcome joins what happened into the error of the call.
func (r *run) outcome(ctx context.Context, call string) error {
	slices.SortStableFunc(r.failures, func(a, b failure) int { return int(a.task) - int(b.task) })
	var all taskErrors
	for _, f := range r.failures {
		if !f.echo {
			all.errs = append(all.errs, r.taskError(f.task, f.err))
			if !r.cfg.keepGoing {
				break
			}
		}
	}
	if r.cfg.keepGoing && len(all.errs) > 0 {
		for t := range uint32(r.m.Len()) {
			if r.m.State(t) == sched.Skipped {
				all.skipped++
			}
		}
	}
	errs := []error{r.err}
	if ctx.Err() != nil && r.m.Done() < r.m.Len() {
		errs = append(errs, fmt.Errorf("graph: %s: stopped after %d of %d tasks: %w", call, r.m.Done(), r.m.Len(), stopReason(ctx)))
	}
	switch {
	case len(all.errs) == 0:
	case r.cfg.keepGoing:
		errs = append(errs, &all)
	default:
		errs = append(errs, all.errs[0])
	}
	errs = slices.DeleteFunc(errs, func(err error) bool { return err == nil })
	switch {
	case len(errs) == 1:
		return errs[0]
	case len(errs) == 0 && r.m.Done() < r.m.Len():
		return fmt.Errorf("graph: %s: stopped after %d of %d tasks", call, r.m.Done(), r.m.Len())
	}
	return errors.Join(errs...)
}

func stopReason(ctx context.Context) error {
	err := ctx.Err()
	if cause := context.Cause(ctx); cause != err { //nolint:errorlint // the very same value
		return fmt.Errorf("%w: %w", err, cause)
	}
	return err
}

// stalled is the error of a run in which nothing runs and nothing can start:
// it says what waits for what.
func (r *run) stalled() error {
	ws, more := r.m.Stalled(20)
	var b strings.Builder
	fmt.Fprintf(&b, "graph: nothing runs and nothing can start, with %d of %d tasks ended; what waits for what:", r.m.Ended(), r.m.Len())
	for _, w := range ws {
		fmt.Fprintf(&b, "\n  %s (task %d), %s", r.nameOf(w.Task), r.task[w.Task], w.State)
		switch {
		case len(w.For) > 0:
			b.WriteString(", for ")
			var names []string
			for _, d := range w.For {
				names = append(names, fmt.Sprintf("%s (task %d)", r.nameOf(d), r.task[d]))
			}
			list(&b, names, ", ")
		case w.Why != "":
			b.WriteString(": " + w.Why)
		}
	}
	if more > 0 {
		fmt.Fprintf(&b, "\n  ... and %d more", more)
	}
	return errors.New(b.String())
}

// remember keeps what tasks took, for later runs of the graph.
func (r *run) remember() {
	r.g.mu.Lock()
	defer r.g.mu.Unlock()
	if r.g.learned == nil {
		r.g.learned = map[classKey]measured{}
	}
	for i, k := range r.keys {
		if c := &r.m.Classes[i]; c.Count() > 0 {
			r.g.learned[k] = measured{c.Nanos, c.Bytes, c.Count()}
		}
	}
}
