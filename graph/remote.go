package graph

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"time"

	"github.com/weft-go/weft"
	"github.com/weft-go/weft/internal/cpus"
	"github.com/weft-go/weft/internal/plan"
	"github.com/weft-go/weft/internal/sched"
)

// On runs the tasks on e, in child processes say (package proc), instead of in
// goroutines of this process. Their functions must be registered
// (weft.Register), with any number of arguments after the context; a task of
// another function is an error before anything runs. What the tasks take and
// return must be able to cross. Results come back to this process, so that the
// loss of a worker costs the tasks that it ran: they are run again, up to two
// times.
//
// When encoding turns out to take longer than the work, the rest runs in
// goroutines, and the run's notes ([Record]) say so, unless [Require] asks for
// weft.Isolation.
//
// Slices of numbers of a megabyte and more go through shared memory where e has
// it, once for all tasks that use them. Constants with the same contents are one.
func On(e weft.Executor) RunOption {
	return runOption(func(c *config) {
		if e == nil {
			c.fail("On(nil): give an executor, the pool that proc.Start returned say")
		}
		c.exec = e
	})
}

// remote is the part of a run whose tasks run on an executor. The run's workers
// then hand tasks over and wait; they hold no CPU slots, as the executor takes
// its own.
type remote struct {
	exec   weft.Executor
	traits weft.Traits
	funcs  []*weft.Func // by class
	life   *weft.Lifetime
	losses map[uint32]int     // with run.mu
	chains weft.ChainExecutor // nil if tasks that need each other go one after the other

	// With run.mu too: what was run there, and what handing it over took.
	back           bool // the rest runs in this process
	ran            int
	wall, encoding time.Duration
}

const (
	// A run turns back from its executor, as weft.Map does, when encoding has
	// taken longer than the work, over enough tasks and time that first costs are
	// a small part, and if the rest would take worthTurning more than it has to.
	turnTasks    = 1000
	turnAfter    = 20 * time.Millisecond
	worthTurning = 20 * time.Millisecond
	// preferFactor is how much longer encoding may take under
	// Prefer(weft.Isolation).
	preferFactor = 4
)

// Require says what the place where the tasks run must offer; where it does not,
// the run is refused before anything has run. With weft.Isolation no task ever
// runs in this process. Defaults to no requirement.
func Require(w weft.Wish) RunOption {
	return runOption(func(c *config) { c.required |= checkWish(c, "Require", w) })
}

// Prefer says what the place where the tasks run should offer; the run's notes
// say where it does not. With weft.Isolation tasks stay on their executor until
// encoding takes four times their work. Defaults to no wish.
func Prefer(w weft.Wish) RunOption {
	return runOption(func(c *config) { c.preferred |= checkWish(c, "Prefer", w) })
}

func checkWish(c *config, what string, w weft.Wish) weft.Wish {
	if w <= 0 || w > weft.Isolation|weft.SharedMemory {
		c.fail("%s(%d): there is no such wish; use weft.Isolation or weft.SharedMemory", what, int(w))
		return 0
	}
	return w
}

// lacks is what of the wishes a place does not offer.
func lacks(t weft.Traits, w weft.Wish) weft.Wish {
	if t.Isolated {
		w &^= weft.Isolation
	}
	if t.SharedMemory {
		w &^= weft.SharedMemory
	}
	return w
}

// mostDeaths is how many workers a task may lose.
const mostDeaths = 2

// openRemote refuses what can't run where it should.
func (r *run) openRemote(l *sched.Limits) error {
	e := r.cfg.exec
	if e == nil {
		if r.cfg.required != 0 {
			return fmt.Errorf("Require(%v): goroutines of one process do not offer that; add graph.On(pool) with a pool from proc.Start", r.cfg.required)
		}
		return nil
	}
	if miss := lacks(e.Traits(), r.cfg.required); miss != 0 {
		return fmt.Errorf("Require(%v): %s do not offer that", miss, e.Traits().Name)
	}
	if miss := lacks(e.Traits(), r.cfg.preferred); miss != 0 {
		r.notes = append(r.notes, fmt.Sprintf("Prefer(%v): %s do not offer that", miss, e.Traits().Name))
	}
	m := &remote{exec: e, traits: e.Traits(), life: &weft.Lifetime{Steady: true}, losses: map[uint32]int{}}
	for c := range r.keys {
		n := &r.nodes[r.nodeOf[slices.Index(r.Class, uint32(c))]]
		if n.opts != nil && n.opts.cache != nil {
			return fmt.Errorf("On(%s): %s: Cache: a cache of this process can't be used there; leave out Cache, or wrap what the function calls with memo", m.traits.Name, n.name())
		}
		fn, err := weft.Registered(n.do.fn())
		if err == nil {
			err = e.Check(fn)
		}
		if err != nil {
			return fmt.Errorf("On(%s): %s: %w", m.traits.Name, n.name(), err)
		}
		m.funcs = append(m.funcs, fn)
	}
	workers := max(1, m.traits.Workers)
	switch n := r.cfg.workers; {
	case n > 0 && n < workers:
		workers = n
	case n < 0:
		workers = min(workers, cpus.Workers(n, r.cpus))
	default:
		workers += m.traits.Ahead
	}
	l.Workers = workers
	m.openChains(l)
	r.exec = m
	r.share()
	return nil
}

// end lets the executor drop what it kept for the run.
func (m *remote) end() {
	if m != nil {
		m.life.End()
	}
}

// input is what task t is called with at place i.
func (r *run) input(n *node, i int, d uint32) reflect.Value {
	s := r.stores[n.do.input(i)]
	if d&sched.Const != 0 {
		return s.constant(d &^ sched.Const)
	}
	return s.value(r.slot[d])
}

// item puts what t is called with into v, as its function's Item has it.
func (r *run) item(n *node, t uint32, v reflect.Value) {
	in := r.In[r.InOff[t]:r.InOff[t+1]]
	switch n.do.takes() {
	case single:
		v.Set(r.input(n, 0, in[0]))
	case slice:
		v.Set(reflect.MakeSlice(v.Type(), len(in), len(in)))
		for i, d := range in {
			v.Index(i).Set(r.input(n, i, d))
		}
	case fields:
		for i, d := range in {
			v.Field(i).Set(r.input(n, i, d))
		}
	}
}

// shipBatch runs w's batch on the executor, those tasks together that don't need
// each other, until one fails.
func (r *run) shipBatch(w *worker) {
	for w.ran < len(w.batch) && w.err == nil && !r.stopping.Load() {
		if r.shipChain(w) {
			continue
		}
		if r.cut != nil && r.cut[w.batch[w.ran]] {
			t := w.batch[w.ran]
			n := &r.nodes[r.nodeOf[t]]
			w.began = time.Since(r.begun)
			err := r.recall(w.slot, n, t)
			if r.ended(w, t, n, err); err != nil {
				return
			}
			continue
		}
		k := w.ran + 1
		for k < len(w.batch) && r.Class[w.batch[k]] == r.Class[w.batch[w.ran]] && (r.cut == nil || !r.cut[w.batch[k]]) && !r.needsAny(w.batch[k], w.batch[w.ran:k]) {
			k++
		}
		if err := r.ship(w, w.batch[w.ran:k]); err != nil {
			return
		}
	}
}

// needsAny tells whether t needs one of ts.
func (r *run) needsAny(t uint32, ts []uint32) bool {
	for _, d := range r.In[r.InOff[t]:r.InOff[t+1]] {
		if slices.Contains(ts, d) {
			return true
		}
	}
	return false
}

// ship runs tasks of one class. It returns the failure of the last that ran.
func (r *run) ship(w *worker, ts []uint32) error {
	m := r.exec
	n := &r.nodes[r.nodeOf[ts[0]]]
	fn := m.funcs[r.Class[ts[0]]]
	b := &weft.Batch{
		Func: fn, First: int(r.task[ts[0]]), Run: m.life, Errs: make([]error, len(ts)),
		Items:   reflect.MakeSlice(reflect.SliceOf(fn.Item()), len(ts), len(ts)),
		Results: reflect.MakeSlice(reflect.SliceOf(fn.Result()), len(ts), len(ts)),
	}
	for i, t := range ts {
		r.item(n, t, b.Items.Index(i))
	}
	tries := 1
	if n.opts != nil {
		b.Timeout, tries = n.opts.timeout, max(1, n.opts.attempts)
	}
	w.began = time.Since(r.begun)
	var cost weft.Cost
	for k := 1; ; {
		before := b.Ran
		b.Cost = weft.Cost{}
		err := m.exec.Run(w.slot, b)
		r.weigh(b.Ran-before, b.Cost)
		cost.Wall += b.Cost.Wall
		b.Cost = cost
		at := b.Ran - 1
		if err != nil || b.Ran == 0 {
			if err == nil {
				err = context.Cause(r.ctx)
			}
			if err == nil {
				err = fmt.Errorf("%s did not run the task and did not say why", m.traits.Name)
			}
			r.shipped(w, n, ts[:b.Ran], b, nil)
			if w.ran < len(w.batch) {
				r.ended(w, w.batch[w.ran], n, err)
			}
			return err
		}
		failure := b.Errs[at]
		if failure != nil && k < tries && !lost(failure) && !errors.Is(failure, weft.ErrPermanent) && pause(r.ctx, delay(k)) {
			k++
			b.Ran, b.Errs[at] = at, nil
			continue
		}
		if failure != nil || b.Ran == len(ts) {
			r.shipped(w, n, ts[:b.Ran], b, failure)
			return failure
		}
		k = 1 // it ended early
	}
}

// weigh adds up what tasks took there, and what handing them over did, and
// turns back if that is more.
func (r *run) weigh(ran int, c weft.Cost) {
	m := r.exec
	r.mu.Lock()
	defer r.mu.Unlock()
	m.ran += ran
	m.wall += c.Wall
	m.encoding += c.Encoding
	factor := time.Duration(1)
	if r.cfg.preferred&weft.Isolation != 0 {
		factor = preferFactor
	}
	if m.back || r.cfg.required&weft.Isolation != 0 || m.ran < turnTasks || time.Since(r.begun) < turnAfter || m.encoding <= factor*m.wall {
		return
	}
	each := float64(m.encoding) / float64(m.ran)
	if left := r.m.Len() - r.m.Ended(); each*float64(left)/float64(max(1, m.traits.Workers)) < float64(worthTurning) {
		return
	}
	m.back = true
	r.notes = append(r.notes, fmt.Sprintf("encoding a task takes %s and its work %s: after %s, the rest ran in goroutines (graph.Require(weft.Isolation) keeps it in %s)",
		plan.Nanos(each), plan.Nanos(float64(m.wall)/float64(m.ran)), counted(m.ran, "task"), m.traits.Name))
	r.base = cpus.Workers(r.cfg.workers, r.cpus)
	r.m.SetWorkers(r.base)
}

// lost looks into the user's error, which may panic.
func lost(err error) (yes bool) {
	defer func() { _ = recover() }()
	return errors.Is(err, weft.ErrLost) && !errors.Is(err, weft.ErrPermanent)
}

// shipped takes over what has run. failure is that of the last.
func (r *run) shipped(w *worker, n *node, ts []uint32, b *weft.Batch, failure error) {
	for i, t := range ts {
		if i == len(ts)-1 && failure != nil {
			r.ended(w, t, n, failure)
			return
		}
		r.stores[n.column].value(r.slot[t]).Set(b.Results.Index(i))
		var err error
		if r.journal != nil {
			err = r.keep(w.slot, n, t)
		}
		if r.ended(w, t, n, err); err != nil {
			return
		}
		if c := b.Cost; c.Wall > 0 { // as it was there, not on the way
			w.nanos[len(w.nanos)-1] = int64(c.Wall) / int64(b.Ran)
		}
	}
}
