package graph

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/weft-go/weft"
	"github.com/weft-go/weft/internal/budget"
	"github.com/weft-go/weft/internal/cpus"
	"github.com/weft-go/weft/internal/sched"
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
	made     int   // names so far
	live     int
	slots    int      // CPU slots that the run holds
	base     int      // workers for tasks that compute
	parallel bool     // some tasks compute on several CPUs
	waiting  *waiting // nil while tasks compute
	looks    looks
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
	r.base = l.Workers
	r.poke = make(chan struct{}, 1)
	r.wants = budget.Waiter{Depth: budget.Depth(ctx), Wake: r.poke}
	r.done = make(chan struct{})
	return nil
}

// openResources numbers the resources that tasks take.
func (r *run) openResources(l *sched.Limits) error {
	number := map[string]int32{}
	for i, k := range r.keys {
		c := &r.Classes[i]
		r.parallel = r.parallel || c.CPU > 1
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
	defer r.showProgress()()
	r.borrowed = budget.Borrow(ctx)
	switch {
	case r.exec != nil && r.borrowed != nil: // the executor takes what it uses
		r.borrowed.Waits()
		budget.Shared.Release(1)
	case r.exec == nil && r.borrowed == nil:
		budget.Shared.Force()
	}
	if r.exec == nil {
		r.slots = 1
	}
	unwatch := context.AfterFunc(ctx, func() {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.halt(context.Cause(ctx))
	})
	defer unwatch()
	if r.cfg.workers == 1 && r.exec == nil {
		w := r.newWorker(true)
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
	r.launch(!r.away())
	r.mu.Unlock()
	look := time.NewTimer(firstLook)
	defer look.Stop()
	if r.fixed || r.exec != nil {
		look.Stop()
	}
	for {
		select {
		case <-r.done:
			r.giveBack()
			return
		case <-r.poke:
			r.mu.Lock()
			r.grow()
			r.mu.Unlock()
		case <-look.C:
			look.Reset(r.look())
		}
	}
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
		if r.log != nil {
			r.noteCached(n, t, in)
		}
		var err error
		if n.opts.careful() || r.journal != nil {
			err = r.attempts(w, n, t, in)
		} else {
			err = n.do.run(w.ctx, r, t, in)
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
			if r.waiting != nil {
				r.waiting.tasks++
				r.waiting.nanos += w.nanos[i]
			}
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
