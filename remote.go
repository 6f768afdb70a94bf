package weft

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"sync/atomic"
	"time"

	"github.com/weft-go/weft/internal/budget"
	"github.com/weft-go/weft/internal/cpus"
	"github.com/weft-go/weft/internal/meter"
	"github.com/weft-go/weft/internal/plan"
)

// OnOption fits the functions whose items can run elsewhere: [Map], [Each],
// [Stream] and [Reduce].
type OnOption struct{ set func(*config) }

func (o OnOption) applyMap(c *config)    { Option(o).apply(c) }
func (o OnOption) applyStream(c *config) { Option(o).apply(c) }
func (o OnOption) applyReduce(c *config) { Option(o).apply(c) }

// On runs the items on e instead of in this process's goroutines: in child
// processes, say (package proc). The function must be registered ([Register]),
// of [Reduce] the fold; merge is called in this process. What the items and
// results hold must be able to cross; if it can't, the call says which field.
//
// All options keep their meaning. Workers bounds how many items run at once on
// e, which otherwise is what e can; Timeout ends an item's context where it
// runs. When encoding the items turns out to take longer than their work, the
// rest runs in goroutines, and the plan says so, unless [Require] asks for
// [Isolation].
func On(e Executor) OnOption {
	return OnOption{func(c *config) {
		if e == nil {
			c.fail("On(nil): give an executor, the pool that proc.Start returned say")
		}
		c.exec = e
	}}
}

// Wish is a property of the place where items run. Wishes can be joined with |.
type Wish int

const (
	// Isolation keeps an item that crashes, leaks or hangs from harming
	// anything but itself.
	Isolation Wish = 1 << iota
	// SharedMemory passes large arrays by reference.
	SharedMemory
)

func (w Wish) String() string {
	switch w {
	case Isolation:
		return "Isolation"
	case SharedMemory:
		return "SharedMemory"
	case Isolation | SharedMemory:
		return "Isolation|SharedMemory"
	}
	return fmt.Sprintf("Wish(%d)", int(w))
}

// Prefer says what the place where the items run should offer. The plan warns
// where it does not. With Isolation the items stay on their executor until
// encoding takes four times their work. Defaults to no wish.
func Prefer(w Wish) OnOption {
	return OnOption{func(c *config) { c.preferred |= checkWish(c, "Prefer", w) }}
}

// Require says what the place where the items run must offer; where it does
// not, the call returns an error before anything has run. With Isolation no
// item ever runs in this process. Defaults to no requirement.
func Require(w Wish) OnOption {
	return OnOption{func(c *config) { c.required |= checkWish(c, "Require", w) }}
}

func checkWish(c *config, what string, w Wish) Wish {
	if w <= 0 || w > Isolation|SharedMemory {
		c.fail("%s(%d): there is no such wish; use weft.Isolation or weft.SharedMemory", what, int(w))
		return 0
	}
	return w
}

func (t Traits) lacks(w Wish) Wish {
	if t.Isolated {
		w &^= Isolation
	}
	if t.SharedMemory {
		w &^= SharedMemory
	}
	return w
}

// remote is the part of a run whose items run on an executor. The run's
// workers then only hand batches over and wait; they hold no CPU slots, as the
// executor accounts for its own. All methods take a nil *remote as a run in
// this process.
type remote struct {
	exec   Executor
	traits Traits
	fn     *Func
	life   *Lifetime
	back   atomic.Bool // the rest runs in this process
	meter  meter.Meter

	encoding atomic.Int64 // nanoseconds
	bytes    atomic.Int64
	why      string

	seen, seenIn int64 // batches, and nanoseconds in them, when last looked at
}

// checkRemote refuses what can't run where it should.
func (r *run) checkRemote() error {
	c := &r.cfg
	if c.exec == nil {
		if lacks := (Traits{}).lacks(c.required); lacks != 0 {
			return fmt.Errorf("weft: %s: Require(%v): goroutines of one process do not offer that; add weft.On(pool) with a pool from proc.Start", r.call, lacks)
		}
		return nil
	}
	if r.explain {
		return errors.New("weft: Explain: On leaves nothing to choose; leave the option out, or run it with ReportTo")
	}
	t := c.exec.Traits()
	if lacks := t.lacks(c.required); lacks != 0 {
		return fmt.Errorf("weft: %s: Require(%v): %s do not offer that", r.call, lacks, t.Name)
	}
	fn, err := Registered(r.fn)
	if err != nil {
		return fmt.Errorf("weft: %s: On(%s): %w", r.call, t.Name, err)
	}
	if err := c.exec.Check(fn); err != nil {
		return fmt.Errorf("weft: %s: On(%s): %w", r.name(), t.Name, err)
	}
	r.remote = &remote{exec: c.exec, traits: t, fn: fn, life: &Lifetime{Steady: r.n >= 0}}
	return nil
}

// openRemote settles how many batches are under way at once.
func (r *run) openRemote() {
	m := r.remote
	if m == nil {
		return
	}
	n := max(1, m.traits.Workers)
	if w := r.cfg.workers; w > 0 {
		n = min(w, n)
	} else if w < 0 {
		n = min(n, cpus.Workers(w, r.cpus))
	}
	r.want = n
	if n == m.traits.Workers {
		r.want += m.traits.Ahead
	}
	m.why = fmt.Sprintf("On asks for %s: %s", m.traits.Name, counted(n, "item"))
}

func counted(n int, what string) string {
	if n == 1 {
		return "1 " + what + " at a time"
	}
	return fmt.Sprintf("%d %ss at a time", n, what)
}

func (m *remote) active() bool { return m != nil && !m.back.Load() }

// far tells that the way there counts: an item's time limit then begins where
// it runs.
func (m *remote) far() bool { return m.active() && m.traits.Trip > 0 }

func (m *remote) end() {
	if m != nil {
		m.life.End()
	}
}

func (m *remote) cpu() time.Duration {
	if m == nil {
		return 0
	}
	return m.meter.Sum().CPU
}

// launchRemote starts the first worker. The slot of a caller that is a worker
// itself is free meanwhile: the executor takes what it uses.
func (r *run) launchRemote() {
	if slot := budget.Borrow(r.ctx); slot != nil {
		r.borrowed = slot
		slot.Waits()
		budget.Shared.Release(1)
	}
	r.holds = 1
	r.planned = true
	w := r.newWorker()
	w.slot.Hold(false)
	r.first = w
	r.mode.Store(int32(plan.CPU))
	r.answer = plan.Answer{Mode: plan.CPU, Workers: r.want, Reason: r.remote.why}
	r.target.Store(int32(r.allowed(r.want)))
	r.live.Store(1)
}

// landRemote is the end of a run that stayed remote. Called with r.mu held.
func (r *run) landRemote() {
	if r.borrowed != nil {
		budget.Shared.Force()
		r.borrowed.Return(r.now())
	}
}

const (
	// A run turns back from its executor when encoding has taken longer than
	// the work, over enough items and time that first costs (caches, types
	// seen for the first time) are a small part, and if the rest would take
	// worthTurning more than it has to.
	turnItems    = 1000
	turnAfter    = 20 * time.Millisecond
	worthTurning = 20 * time.Millisecond
	// preferFactor is how much longer encoding may take under
	// Prefer(Isolation).
	preferFactor = 4
)

// lookRemote looks at what the items cost, and turns back to goroutines if
// handing them over costs more than they do.
func (r *run) lookRemote(now time.Duration) {
	m := r.remote
	sum := m.meter.Sum()
	if sum.Items == 0 {
		return
	}
	encoding := time.Duration(m.encoding.Load())
	r.mu.Lock()
	defer r.mu.Unlock()
	r.settle(sum)
	r.runAhead()
	factor := 1.0
	if r.cfg.preferred&Isolation != 0 {
		factor = preferFactor
	}
	if r.cfg.required&Isolation != 0 || r.homeward(sum, factor) || sum.Items < turnItems || now < turnAfter || float64(encoding) <= factor*float64(sum.Wall) {
		return
	}
	perItem := func(d time.Duration) float64 { return float64(d) / float64(sum.Items) }
	if left := r.src.left(); r.n >= 0 && perItem(encoding)*float64(left)/float64(max(1, m.traits.Workers)) < float64(worthTurning) {
		return
	}
	why := fmt.Sprintf("encoding an item takes %s and its work %s: the rest stays in goroutines (weft.Require(weft.Isolation) keeps it in %s)",
		plan.Nanos(perItem(encoding)), plan.Nanos(perItem(sum.Wall)), m.traits.Name)
	r.comeBack(why)
}

// homeward turns back if what is left would be done here before it could be
// done there, given the way. Called with r.mu held.
func (r *run) homeward(sum meter.Sum, factor float64) bool {
	m := r.remote
	left := r.src.left()
	if m.traits.Trip <= 0 || r.n < 0 || left <= 0 || m.back.Load() {
		return false
	}
	n := float64(sum.Items)
	item := float64(sum.Wall) / n
	size := float64(m.bytes.Load()) / n
	workers := min(max(1, cpus.Workers(r.cfg.workers, r.cpus)), left)
	home := item * float64(left) / float64(workers)
	way := float64(m.traits.Trip) + float64(m.encoding.Load())/n*float64(left)/float64(workers)
	if m.traits.BytesPerSecond > 0 {
		way += size * float64(left) / m.traits.BytesPerSecond * float64(time.Second)
	}
	there := way + item*float64(left)/float64(max(1, min(m.traits.Workers, left)))
	if factor*home >= there {
		return false
	}
	why := fmt.Sprintf("the rest takes %s here and %s on %s, of which %s are for the way there: it stays in goroutines (weft.Require(weft.Isolation) keeps it there)",
		plan.Nanos(home), plan.Nanos(there), m.traits.Name, plan.Nanos(way))
	r.comeBack(why)
	return true
}

// shortBatch is how long a batch may take for many to be under way.
const shortBatch = 100 * time.Microsecond

// runAhead has more batches under way while they are short. Called with r.mu
// held.
func (r *run) runAhead() {
	m := r.remote
	batches := r.chunks.Load()
	if r.want <= m.traits.Workers || batches == m.seen {
		return
	}
	in := r.inItems.Load()
	mean := time.Duration((in - m.seenIn) / (batches - m.seen))
	m.seen, m.seenIn = batches, in
	n := r.want
	if mean < shortBatch {
		n = m.traits.Workers + max(m.traits.Ahead, m.traits.AheadShort)
	}
	r.target.Store(int32(r.allowed(n)))
}

// settle puts what the items cost elsewhere where a pilot's figures are.
// Called with r.mu held.
func (r *run) settle(sum meter.Sum) {
	r.settled.Items = int(sum.Items)
	r.settled.Nanos = float64(sum.Wall) / float64(sum.Items)
	r.settled.Wall = time.Duration(r.settled.Nanos)
	r.settled.CPU = sum.CPU / time.Duration(sum.Items)
	r.settled.Share = 1
	if sum.Wall > 0 {
		r.settled.Share = min(1, float64(sum.CPU)/float64(sum.Wall))
	}
}

// comeBack runs what is left in this process. Called with r.mu held.
func (r *run) comeBack(why string) {
	r.remote.back.Store(true)
	r.remote.why = why
	budget.Shared.Force()
	r.want = cpus.Workers(r.cfg.workers, r.cpus)
	est := r.settled
	if est.Nanos < canWait {
		est.Share = 1
	}
	a := r.ask(est, false)
	n := a.Workers
	if a.Mode != plan.CPU {
		n = 1
	}
	for r.holds < n && budget.Shared.TryAcquire(r.cpus.Effective) {
		r.holds++
	}
	n = r.holds
	r.answer, r.decided = a, r.now()
	r.answer.Reason = why
	r.note(n, why)
	r.scaler = plan.NewScaler(n, max(n, r.want), est.Nanos, est.CPU)
	r.nanos.Store(max(1, int64(min(est.Nanos, 1e15)*1e3)))
	for _, w := range r.workers {
		w.slot.Hold(true)
	}
	r.target.Store(int32(n))
}

// describe puts what the executor did into the plan. An item of the run is
// leaf of the user's.
func (m *remote) describe(p *Plan, leaf float64) {
	if m == nil {
		return
	}
	sum := m.meter.Sum()
	if sum.Items > 0 {
		n := float64(sum.Items) * leaf
		p.Measured.EncodeNanos = float64(m.encoding.Load()) / n
		p.Measured.EncodedBytes = int64(float64(m.bytes.Load()) / n)
	}
	if !m.active() {
		return
	}
	p.Mode = m.traits.Name
	p.Workers = max(1, min(p.Workers, m.traits.Workers))
	if sum.Items > 0 && sum.Wall > 0 {
		n := float64(sum.Items) * leaf
		p.Measured.Sampled = int(n)
		p.Measured.ItemNanos = float64(sum.Wall) / n
		p.Measured.Item = time.Duration(p.Measured.ItemNanos)
		p.Measured.ItemCPU = time.Duration(float64(sum.CPU) / n)
		p.Measured.CPUShare = min(1, float64(sum.CPU)/float64(sum.Wall))
		p.Bound = plan.Bound(p.Measured.CPUShare)
	}
}

// serial is what the plain loop would have taken, given what the items took
// as the run's workers saw it.
func (m *remote) serial(in time.Duration) time.Duration {
	if m.active() {
		return m.meter.Sum().Wall
	}
	return in
}

// mostBatch is how long a batch may take, where the planner means it to take
// at most plan.MostChunk, before the rest of it is shared out anew.
const mostBatch = 2 * plan.MostChunk

// ship runs a chunk on the executor. items is the slice of w's items, results
// of their results or the zero Value. deliver is told what became of each item
// in order, after its last attempt, and says whether the run stops. ship
// returns the index after the last item that ran.
func (r *run) ship(ctx context.Context, w *worker, items, results reflect.Value, deliver func(i int, err error) (stop bool)) (next int) {
	n := w.hi - w.lo
	if r.cfg.rate > 0 {
		for k := range n {
			w.at = w.lo + k
			err := r.attempts(ctx, w, func(ctx context.Context) error { return r.shipOne(ctx, w, k, items, results) })
			if deliver(w.lo+k, err) || w.stop.Load() {
				return w.lo + k + 1
			}
		}
		return w.hi
	}
	b := r.batch(w.lo, items, results)
	b.KeepGoing = r.cfg.keepGoing || r.cfg.attempts > 1
	if r.cfg.chunk == 0 {
		b.Most = max(mostBatch, 2*r.remote.traits.Batch)
	}
	err := r.remote.run(ctx, w, b)
	for k := range b.Ran {
		w.at = w.lo + k
		failure := b.Errs[k]
		if failure != nil && r.cfg.attempts > 1 {
			failure = r.attemptsFrom(ctx, w, 1, failure, func(ctx context.Context) error { return r.shipOne(ctx, w, k, items, results) })
		}
		if deliver(w.at, failure) {
			return w.at + 1
		}
	}
	next = w.lo + b.Ran
	if err != nil && ctx.Err() == nil && next < w.hi {
		deliver(next, err)
		next++
	}
	return next
}

func (r *run) batch(first int, items, results reflect.Value) *Batch {
	return &Batch{
		Func: r.remote.fn, First: first, Items: items, Results: results, Run: r.remote.life,
		Timeout: r.cfg.timeout, Errs: make([]error, items.Len()),
	}
}

// shipOne is one attempt at the item at place k of a chunk.
func (r *run) shipOne(ctx context.Context, w *worker, k int, items, results reflect.Value) error {
	if results.IsValid() {
		results = results.Slice(k, k+1)
	}
	b := r.batch(w.lo+k, items.Slice(k, k+1), results)
	if !r.remote.far() {
		b.Timeout = 0 // ctx has it
	}
	err := r.remote.run(ctx, w, b)
	if b.Ran > 0 {
		return b.Errs[0]
	}
	if err == nil {
		err = context.Cause(ctx)
	}
	if err == nil {
		err = fmt.Errorf("%s did not run the item and did not say why", r.remote.traits.Name)
	}
	return err
}

// run hands a batch over and charges what it cost.
func (m *remote) run(ctx context.Context, w *worker, b *Batch) error {
	err := m.exec.Run(ctx, b)
	c := b.Cost
	if b.Ran > 0 {
		m.meter.ChargeMany(b.Ran, c.Wall, c.CPU, c.PeakBytes)
	}
	m.encoding.Add(int64(c.Encoding))
	m.bytes.Add(c.Bytes)
	w.busy += c.Wall + c.Encoding
	return err
}
