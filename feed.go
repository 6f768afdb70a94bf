package weft

import (
	"fmt"
	"runtime/debug"
	"sync/atomic"
	"time"

	"github.com/weft-go/weft/internal/pilot"
)

// feed reads the sequence. As long as the run is a plain loop it runs the
// items too; the first one and those after a long one run apart, on a
// goroutine of their own, so that the plan can begin while they run.
func (s *stream[T, R]) feed(w *worker) {
	r := s.run
	normal, inItem, i := false, false, 0
	var a *apart[T]
	own := true // w is the feeder's, and not one of the run's workers
	defer func() {
		v := recover()
		if !normal {
			r.mu.Lock()
			if !inItem {
				if r.lowest == nil {
					err := &PanicError{Value: v, Stack: debug.Stack()}
					r.lowest = &ItemError{Index: i, Err: fmt.Errorf("reading the input: %w", err)}
				}
				r.haltLocked(stopCause{r.lowest})
			} else {
				// f ended the goroutine; the sequence can't be read on. The
				// item's failure is recorded.
				w.began.Store(-1)
				r.counted.Add(1)
				s.broken = fmt.Errorf("weft: %s: the input can't be read on after item %d: the function ended the goroutine that reads it with runtime.Goexit; return an error instead", r.name(), i)
				r.haltLocked(s.broken)
			}
			r.mu.Unlock()
		}
		if a != nil {
			a.dismiss()
		}
		if own {
			w.releaseThread()
			r.endFeeding(w)
		} else {
			r.endFeeding(nil)
		}
	}()
	p := feederPilot{sampled: true, apart: 1}
	inline := !r.fixed && r.remote == nil
	planned := r.adopted
	if r.cfg.key != nil {
		planned = nil // an item apart has no place among those of its key: it ends first
	}
	if inline && r.meter != nil {
		r.firstItems(w)
		inline = false
	}
	for x := range s.items {
		if r.stopped.Load() || !s.queue.room() {
			break
		}
		s.queue.fed.Add(1)
		if inline && r.isPlanned() {
			inline = false
			if a != nil {
				a.dismiss()
				a = nil
			}
			w.releaseThread()
		}
		if !inline {
			s.queue.push(i, x)
			i++
			if live := r.live.Load(); live < r.target.Load() {
				r.grow()
			}
			continue
		}
		if r.gate.shut() && !r.gate.wait(r.ctx) {
			break
		}
		if p.apart > 0 {
			if a == nil {
				w.releaseThread()
				a = s.standApart(w, &p, indexed[T]{i, x})
			} else {
				a.over.Store(false)
				a.items <- indexed[T]{i, x}
			}
			i++
			select {
			case on := <-a.back:
				if !on {
					a = nil
				}
			case <-planned:
				// It goes on as a worker when its item is over, unless it is.
				r.mu.Lock()
				handed := a.over.CompareAndSwap(false, true)
				if handed {
					r.live.Add(1)
				}
				r.mu.Unlock()
				if handed {
					a, own, inline = nil, false, false
				} else if !<-a.back {
					a = nil
				}
			}
			if r.stopped.Load() {
				break
			}
			continue
		}
		if i == 1 && w.tid.Load() == 0 && r.now() < sampling {
			w.sampleThread()
		}
		inItem = true
		p.before(r, w)
		v, err := s.one(w.slot, w, i, x)
		inItem = false
		i++
		p.after(r, w)
		r.counted.Add(1)
		s.sink.put(i-1, v, err)
		if err != nil && !r.cfg.keepGoing {
			break
		}
	}
	normal = true
	r.mu.Lock()
	s.cutShort = r.ctx.Err() != nil
	r.mu.Unlock()
}

// apart is the goroutine that runs the feeder's items while these are long,
// one after the other: the feeder waits until the item is over or the run is
// planned, and reads on in either case.
type apart[T any] struct {
	items chan indexed[T] // after the first
	back  chan bool       // the item is over; false if the goroutine is, too
	over  atomic.Bool     // whoever sets it goes on with w: the feeder, or this goroutine as a worker
	ended chan struct{}   // closed when it was dismissed
}

type indexed[T any] struct {
	i int
	x T
}

// standApart starts the goroutine with its first item. w and p are its own
// until it gives an item back, for good when it is handed to the run.
func (s *stream[T, R]) standApart(w *worker, p *feederPilot, first indexed[T]) *apart[T] {
	a := &apart[T]{items: make(chan indexed[T]), back: make(chan bool, 1), ended: make(chan struct{})}
	go s.runApart(a, w, p, first)
	return a
}

func (s *stream[T, R]) runApart(a *apart[T], w *worker, p *feederPilot, it indexed[T]) {
	r := s.run
	normal := false
	defer func() {
		if normal {
			return
		}
		// f ended this goroutine with runtime.Goexit; one delivered the error.
		w.began.Store(-1)
		r.counted.Add(1)
		w.releaseThread()
		if a.over.CompareAndSwap(false, true) {
			a.back <- false
		} else {
			r.replace(w)
		}
	}()
	w.sampleThread()
	for {
		p.before(r, w)
		v, err := s.one(w.slot, w, it.i, it.x)
		p.after(r, w)
		between, _ := pilot.Switches()
		r.counted.Add(1)
		s.sink.put(it.i, v, err)
		stays := p.apart > 0
		if !stays {
			w.releaseThread() // to wait, or to wake others, is dear for who is locked to a thread
		}
		if !a.over.CompareAndSwap(false, true) {
			normal = true
			w.releaseThread()
			r.work(w)
			return
		}
		a.back <- stays
		if !stays {
			normal = true
			return
		}
		var ok bool
		if it, ok = <-a.items; !ok {
			break
		}
		// That the thread waited for an item is not the item's doing.
		now, _ := pilot.Switches()
		w.waits += now - between
	}
	normal = true
	w.releaseThread()
	close(a.ended)
}

// dismiss ends the goroutine, which has no item.
func (a *apart[T]) dismiss() {
	close(a.items)
	<-a.ended
}

// endFeeding is the feeder's last act: no more items will come. w is the
// feeder's worker, nil if it is one of the run's by now.
func (r *run) endFeeding(w *worker) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.feeding = false
	if w != nil {
		r.forget(w)
	}
	r.endLocked()
}

func (r *run) isPlanned() bool {
	// The target is 0 until the pilot has decided.
	return r.target.Load() > 0
}

// feederPilot times the items that the feeder runs itself: each of the first,
// then one of sixteen, so that tiny items are not slowed by clock readings.
type feederPilot struct {
	apart   int // items to come that run apart
	n       int
	sampled bool
	began   time.Duration
	check   time.Duration
	timed   time.Duration
	items   int
}

const (
	timeAll   = 64
	timeOneOf = 16
	// An item of apartFrom is long, and so may the next ones be: handing
	// those over costs some microseconds each.
	apartFrom  = 200 * time.Microsecond
	apartItems = 8
)

func (p *feederPilot) before(r *run, w *worker) {
	p.sampled = p.apart > 0 || p.n < timeAll || p.n%timeOneOf == 0
	p.n++
	w.busy = 0
	w.size.Store(1)
	if !p.sampled {
		w.began.Store(unknownStart)
		return
	}
	p.began = r.now()
	w.began.Store(int64(p.began))
}

func (p *feederPilot) after(r *run, w *worker) {
	w.began.Store(-1)
	if !p.sampled {
		if r.careful {
			r.inItems.Add(int64(w.busy))
		} else {
			r.inItems.Add(int64(r.itemNanos()))
		}
		return
	}
	now := r.now()
	took := now - p.began
	if r.careful {
		took = w.busy
	}
	r.inItems.Add(int64(took))
	r.learn(1, took)
	if took >= apartFrom {
		p.apart = apartItems
	} else if p.apart > 0 {
		p.apart--
	}
	p.timed += took
	p.items++
	r.mu.Lock()
	defer r.mu.Unlock()
	r.est.Add(1, took)
	in := time.Duration(r.inItems.Load())
	if r.planned || in < max(p.check, firstCheck) || p.n < 4 && in < enoughWork {
		return
	}
	// The thread also read the input: what it computed there is not the
	// items', so their share is an upper bound.
	if w.tid.Load() != 0 && !r.shareIsClear(w, in) || !r.consider(now) {
		p.check = 2 * in
	}
	if now > sampling {
		w.releaseThread()
	}
}

// unknownStart marks an item that runs since an unknown moment.
const unknownStart = -2
