package weft

import (
	"context"
	"fmt"
	"iter"
	"reflect"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"github.com/weft-go/weft/internal/budget"
	"github.com/weft-go/weft/internal/plan"
)

// Stream calls f for each item of a sequence, which may be endless, and
// yields the results as the loop asks for them: in input order, or with
// [Unordered] as they come. It plans as [Map] does.
//
//	for page, err := range weft.Stream(ctx, slices.Values(urls), fetch) { ... }
//
// Items are read ahead only as far as the workers need to stay busy: about
// two chunks a worker, and no further than the memory budget allows. Under
// [PerKey] the first items of an automatic run end one after the other. A slow
// loop slows the reading down (backpressure). Results held back by an earlier
// item that is not ready count as read ahead.
//
// The first failure is the last pair of the sequence: the results before it
// that are ready come first, in order. With [KeepGoing] each failed item
// yields its own [*ItemError] and the sequence goes on. Bad arguments, a
// cancelled context and a panic in items are one pair with an error.
//
// Leaving the loop, by break, return or panic, stops everything: the contexts
// of running items end, and the loop statement is left when the last of them
// has returned. A sequence that is blocked at that moment can't be
// interrupted from outside; let it watch a context.
//
// An item that ends its goroutine with runtime.Goexit fails with a
// [*PanicError], and with [KeepGoing] the others still run. The exception are
// short items, below some 200 us, at the beginning of an automatic run: but
// for the first one they run in the goroutine that reads the sequence, which
// can't be read on when that has ended. One more pair then ends the loop and
// says so; its error is no [*ItemError].
//
// items and f are called on goroutines other than the caller's, except under
// Workers(1), where all is one plain loop. The sequence can be ranged over
// more than once if items can; each time is a run of its own. Handing an item
// over costs some 50 ns; for smaller items use a plain loop.
func Stream[T, R any](ctx context.Context, items iter.Seq[T], f func(context.Context, T) (R, error), opts ...StreamOption) iter.Seq2[R, error] {
	return func(yield func(R, error) bool) {
		var zero R
		r := &run{call: "Stream", n: -1, fn: f, feeding: true}
		for _, o := range opts {
			if o != nil {
				o.applyStream(&r.cfg)
			}
		}
		if items == nil {
			r.cfg.fail("the sequence of items is nil; slices.Values makes one of a slice")
		}
		q := newQueue[T](r)
		if err := r.start(ctx); err != nil {
			yield(zero, err)
			return
		}
		s := &stream[T, R]{run: r, queue: q, sink: newSink[R](r.cfg.unordered), items: items, f: f}
		r.lost = func(i int, err error) { s.sink.put(i, zero, err) }
		r.body = s.body
		defer r.remote.end()
		if r.fixed && r.want == 1 && r.remote == nil {
			s.plainLoop(ctx, yield)
			return
		}
		s.loop(ctx, yield)
	}
}

// stream is one loop over a Stream. The goroutine that loops takes results
// from the sink; feed runs in another and is worker 0 while the run is a
// plain loop; further workers take items from the queue.
type stream[T, R any] struct {
	run   *run
	queue *queue[T]
	sink  *sink[R]
	items iter.Seq[T]
	f     func(context.Context, T) (R, error)

	cutShort bool  // the sequence ended after the context had; with the run's mu
	broken   error // why it can't be read on; with the run's mu
}

func (s *stream[T, R]) loop(ctx context.Context, yield func(R, error) bool) {
	r := s.run
	inner, cancel := context.WithCancelCause(ctx)
	r.ctx, r.cancel = inner, cancel
	r.readCounters()
	stopProgress := r.showProgress()
	coordinated := make(chan struct{})
	left := true // until the sequence is over: the loop is being left
	defer func() {
		if left {
			r.halt(errBroke)
		}
		<-coordinated
		cancel(nil)
		stopProgress()
		r.memory.close()
		r.finishReport()
	}()
	begin := s.launch()
	go func() {
		defer close(coordinated)
		r.coordinate(ctx, begin)
	}()
	for {
		v, err, ok := s.sink.take(r.done)
		if !ok {
			break
		}
		if err != nil && !r.cfg.keepGoing {
			break // the last pair: below
		}
		if !yield(v, err) {
			return
		}
		s.queue.consumed()
	}
	if r.stopped.Load() {
		<-coordinated // the error is the one known when all have ended
	}
	left = false
	if err := s.last(ctx); err != nil {
		var zero R
		yield(zero, err)
	}
}

// last is the error that ends the sequence, if any.
func (s *stream[T, R]) last(ctx context.Context) error {
	r := s.run
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case ctx.Err() != nil && (r.stopped.Load() || s.cutShort) && r.lowest == nil:
		return r.stoppedErr(ctx)
	case r.lowest != nil:
		return r.lowest
	case r.memory.failed != nil:
		return r.memory.failed
	}
	return s.broken
}

// launch starts feed as worker 0, or returns what starts it once there is a CPU
// slot for it.
func (s *stream[T, R]) launch() (begin func()) {
	r := s.run
	if r.remote != nil {
		r.mu.Lock()
		r.launchRemote()
		w := r.first // the feeder is no worker here
		r.live.Store(0)
		r.mu.Unlock()
		go s.feed(w)
		return func() {}
	}
	r.firstSlot()
	r.adopted = make(chan struct{})
	r.mu.Lock()
	w := r.newWorker()
	r.first = w
	if r.fixed {
		r.planned = true
		r.mode.Store(int32(plan.CPU))
		r.answer = plan.Answer{Mode: plan.CPU, Workers: r.want, Reason: fmt.Sprintf("Workers(%d) asks for it", r.cfg.workers)}
		r.target.Store(int32(r.allowed(r.want)))
	}
	r.mu.Unlock()
	if r.queued {
		return func() { go s.feed(w) }
	}
	go s.feed(w)
	return func() {}
}

// body runs the items of a chunk.
func (s *stream[T, R]) body(ctx context.Context, w *worker) (next int) {
	r := s.run
	c := w.local.(*piece[T])
	if r.remote.active() {
		out := make([]R, w.hi-w.lo)
		return r.ship(ctx, w, reflect.ValueOf(c.items), reflect.ValueOf(out), func(i int, err error) bool {
			w.ran = i + 1 - w.lo
			v := out[i-w.lo]
			if err != nil {
				r.failed(w, i, err)
				err = &ItemError{Index: i, Err: err}
			}
			s.sink.put(i, v, err)
			return err != nil && !r.cfg.keepGoing
		})
	}
	for i := w.lo; i < w.hi; i++ {
		x := c.items[i-w.lo]
		w.ran = i + 1 - w.lo
		v, err := s.one(ctx, w, i, x)
		s.sink.put(i, v, err)
		if err != nil && !r.cfg.keepGoing || w.stop.Load() {
			return i + 1
		}
	}
	return w.hi
}

// one runs one item. A panic becomes its error; runtime.Goexit puts the error
// where the result would be, and goes on.
func (s *stream[T, R]) one(ctx context.Context, w *worker, i int, x T) (v R, err error) {
	r := s.run
	normal := false
	defer func() {
		if normal {
			return
		}
		p := recover()
		err = &ItemError{Index: i, Err: &PanicError{Value: p, Stack: debug.Stack()}}
		r.failed(w, i, err.(*ItemError).Err) //nolint:errorlint // just made
		if p == nil {
			s.sink.put(i, v, err)
		}
	}()
	if r.careful {
		err = r.attempts(ctx, w, func(ctx context.Context) (err error) {
			v, err = s.f(ctx, x)
			return err
		})
	} else {
		v, err = s.f(ctx, x)
	}
	normal = true
	if err != nil {
		r.failed(w, i, err)
		err = &ItemError{Index: i, Err: err}
	}
	return v, err
}

// plainLoop is Workers(1): the caller's goroutine does all.
func (s *stream[T, R]) plainLoop(ctx context.Context, yield func(R, error) bool) {
	r := s.run
	inner, cancel := context.WithCancelCause(ctx)
	r.ctx, r.cancel = inner, cancel
	r.readCounters()
	r.answer = plan.Answer{Mode: plan.Plain, Workers: 1, Reason: "Workers(1) asks for the plain loop"}
	w := r.newWorker()
	slot := budget.Borrow(ctx)
	if slot == nil {
		budget.Shared.Force()
	}
	if !budget.Nested(ctx) {
		budget.Shared.Root(1)
		defer budget.Shared.Root(-1)
	}
	stopProgress := r.showProgress()
	i := 0
	reading := true
	defer func() {
		if slot == nil {
			budget.Shared.Release(1)
		} else {
			slot.Return(r.waited())
		}
		cancel(nil)
		stopProgress()
		r.memory.close()
		r.finishReport()
	}()
	var zero R
	var failure error
	func() {
		defer func() {
			// Only what reading the input throws is ours; the loop's own
			// panics go their way.
			if !reading {
				return
			}
			if v := recover(); v != nil {
				failure = &ItemError{Index: i, Err: fmt.Errorf("reading the input: %w", &PanicError{Value: v, Stack: debug.Stack()})}
			}
		}()
		for x := range s.items {
			reading = false
			if ctx.Err() != nil {
				failure = r.stoppedErr(ctx)
				break
			}
			if r.gate.shut() && !r.gate.wait(inner) {
				failure = r.stoppedErr(ctx)
				break
			}
			begin := r.now()
			w.base.Store(int64(i))
			v, err := s.one(w.slot, w, i, x)
			took := r.now() - begin
			r.est.Add(1, took)
			r.inItems.Add(int64(took))
			i++
			r.counted.Add(1)
			if err != nil && !r.cfg.keepGoing {
				failure = err
				break
			}
			if !yield(v, err) {
				failure = nil
				return
			}
			if r.watchMemory(begin + took); r.memory.failed != nil {
				failure = r.memory.failed
				break
			}
			reading = true
		}
		reading = false
		if failure == nil && ctx.Err() != nil {
			failure = r.stoppedErr(ctx)
		}
	}()
	if failure != nil {
		yield(zero, failure)
	}
}

// piece is a worker's chunk of a queue.
type piece[T any] struct {
	items []T
}

// queue holds the items that are read and not yet taken.
type queue[T any] struct {
	run   *run
	items ring[T]
	first int // index of the first item in items
	spare []sparePiece[T]

	claimable atomic.Int64
	fed       atomic.Int64
	eaten     atomic.Int64
	waiting   atomic.Bool // the feeder waits for room
	roomy     chan struct{}
	mu        sync.Mutex
}

type sparePiece[T any] struct {
	lo    int
	items []T
}

func newQueue[T any](r *run) *queue[T] {
	q := &queue[T]{run: r, roomy: make(chan struct{}, 1)}
	r.src = q
	if r.cfg.key == nil {
		return q
	}
	key, ok := r.cfg.key.(func(T) string)
	if !ok {
		r.cfg.fail("PerKey: the key function takes a %v and the items are of type %v; make them the same", r.cfg.keyType, reflect.TypeFor[T]())
		return q
	}
	r.src = newKeyed(r, q, func(w *worker) string { return key(w.local.(*piece[T]).items[0]) })
	return q
}

func (q *queue[T]) push(i int, x T) {
	q.mu.Lock()
	if q.items.n == 0 {
		q.first = i
	}
	q.items.push(x)
	q.mu.Unlock()
	q.claimable.Add(1)
}

func (q *queue[T]) claim(w *worker, k int) bool {
	if q.claimable.Load() == 0 {
		return false
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	p, _ := w.local.(*piece[T])
	if p == nil {
		p = &piece[T]{}
		w.local = p
	}
	clear(p.items)
	p.items = p.items[:0]
	if n := len(q.spare); n > 0 {
		last := &q.spare[n-1]
		k = min(k, len(last.items))
		w.lo, w.hi = last.lo, last.lo+k
		p.items = append(p.items, last.items[:k]...)
		last.lo, last.items = last.lo+k, last.items[k:]
		if len(last.items) == 0 {
			q.spare = q.spare[:n-1]
		}
	} else if q.items.n > 0 {
		k = min(k, q.items.n)
		w.lo, w.hi = q.first, q.first+k
		for range k {
			p.items = append(p.items, q.items.pop())
		}
		q.first += k
	} else {
		return false
	}
	q.claimable.Add(-int64(k))
	return true
}

func (q *queue[T]) release(w *worker, next int) bool {
	if next >= w.hi {
		return false
	}
	p := w.local.(*piece[T])
	rest := append([]T(nil), p.items[next-w.lo:]...)
	q.mu.Lock()
	q.spare = append(q.spare, sparePiece[T]{next, rest})
	q.mu.Unlock()
	q.claimable.Add(int64(len(rest)))
	return true
}

func (q *queue[T]) left() int { return int(q.claimable.Load()) }

// room waits until the feeder may read one more item. It returns false when
// the run has stopped.
func (q *queue[T]) room() bool {
	for {
		if q.run.stopped.Load() {
			return false
		}
		if q.ahead() < int64(q.window()) {
			return true
		}
		q.waiting.Store(true)
		if q.ahead() < int64(q.window()) || q.run.stopped.Load() {
			q.waiting.Store(false)
			continue
		}
		<-q.roomy
	}
}

// ahead is how many items have been read that the loop has not got.
func (q *queue[T]) ahead() int64 {
	return q.fed.Load() - q.eaten.Load()
}

// consumed is told that the loop has had one more result.
func (q *queue[T]) consumed() {
	q.eaten.Add(1)
	if q.waiting.Load() && q.ahead() <= int64(q.window())*3/4 {
		q.wake()
	}
}

func (q *queue[T]) wake() {
	if q.waiting.CompareAndSwap(true, false) || q.run.stopped.Load() {
		select {
		case q.roomy <- struct{}{}:
		default:
		}
	}
}

const (
	// mostAhead is how far a stream reads ahead at most; it is the size of
	// the ring of results.
	mostAhead = 1 << 13
	// aheadAim is how much work the plain loop runs ahead of a slow consumer.
	aheadAim = 200 * time.Microsecond
)

// window is how many items may be read ahead of the loop.
func (q *queue[T]) window() int {
	r := q.run
	target := int(r.target.Load())
	var n int
	nanos := r.itemNanos()
	switch {
	case target == 0: // the plain loop
		n = 2
		if nanos > 0 {
			n = max(2, int(min(1024, float64(aheadAim)/nanos)))
		}
	case plan.Mode(r.mode.Load()) == plan.IO:
		n = 2 * target
	case r.cfg.chunk > 0:
		n = 2 * target * r.cfg.chunk
	case nanos > 0:
		lead := plan.LeastChunk
		if r.remote.active() {
			lead = max(lead, r.remote.traits.Batch)
		}
		n = 2 * target * max(1, int(min(mostAhead, float64(lead)/nanos)))
	default:
		n = 2 * target
	}
	if fits := int(r.memory.fits.Load()); fits > 0 {
		n = min(n, fits)
	}
	return max(1, min(n, mostAhead))
}

// ring is a growing first-in-first-out queue.
type ring[T any] struct {
	buf     []T
	head, n int
}

func (q *ring[T]) push(x T) {
	if q.n == len(q.buf) {
		bigger := make([]T, max(16, 2*len(q.buf)))
		for i := range q.n {
			bigger[i] = q.buf[(q.head+i)&(len(q.buf)-1)]
		}
		q.buf, q.head = bigger, 0
	}
	q.buf[(q.head+q.n)&(len(q.buf)-1)] = x
	q.n++
}

func (q *ring[T]) pop() T {
	var zero T
	x := q.buf[q.head]
	q.buf[q.head] = zero
	q.head = (q.head + 1) & (len(q.buf) - 1)
	q.n--
	return x
}
