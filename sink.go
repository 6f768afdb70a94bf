package weft

import (
	"sync"
	"sync/atomic"
)

// sink takes the results of a stream from the workers and hands them to the
// loop: in order, through a ring of cells that a worker fills and the loop
// empties, without a lock; or as they come, through a queue.
type sink[R any] struct {
	unordered bool
	parked    atomic.Bool // the loop waits
	wake      chan struct{}

	head     atomic.Int64 // ordered: the next to take
	segments [mostAhead / segment]atomic.Pointer[[segment]cell[R]]

	mu    sync.Mutex // unordered
	ready []cell[R]
	batch []cell[R] // belongs to the loop
	at    int
}

// cell is one result.
type cell[R any] struct {
	val  R
	err  error
	full atomic.Bool
}

// segment is how many cells are allocated together.
const segment = 256

func newSink[R any](unordered bool) *sink[R] {
	return &sink[R]{unordered: unordered, wake: make(chan struct{}, 1)}
}

func (s *sink[R]) cell(i int64) *cell[R] {
	p := &s.segments[i/segment%int64(len(s.segments))]
	seg := p.Load()
	if seg == nil {
		p.CompareAndSwap(nil, new([segment]cell[R]))
		seg = p.Load()
	}
	return &seg[i%segment]
}

// put delivers the result of item i.
func (s *sink[R]) put(i int, v R, err error) {
	if s.unordered {
		s.mu.Lock()
		s.ready = append(s.ready, cell[R]{val: v, err: err})
		s.mu.Unlock()
		if s.parked.Load() {
			s.unpark()
		}
		return
	}
	c := s.cell(int64(i))
	c.val, c.err = v, err
	c.full.Store(true)
	if s.parked.Load() && s.head.Load() == int64(i) {
		s.unpark()
	}
}

func (s *sink[R]) unpark() {
	if s.parked.CompareAndSwap(true, false) {
		s.wake <- struct{}{}
	}
}

// take waits for the next result. It returns false when done is closed and
// there is none.
func (s *sink[R]) take(done <-chan struct{}) (v R, err error, ok bool) {
	for last := false; ; {
		if v, err, ok := s.poll(); ok {
			return v, err, true
		}
		if last {
			return v, err, false
		}
		s.parked.Store(true)
		if v, err, ok := s.poll(); ok {
			if !s.parked.CompareAndSwap(true, false) {
				<-s.wake // somebody is about to wake us
			}
			return v, err, true
		}
		select {
		case <-s.wake:
		case <-done:
			if !s.parked.CompareAndSwap(true, false) {
				<-s.wake
			}
			last = true
		}
	}
}

func (s *sink[R]) poll() (v R, err error, ok bool) {
	if s.unordered {
		if s.at == len(s.batch) {
			s.mu.Lock()
			clear(s.batch)
			s.ready, s.batch = s.batch[:0], s.ready
			s.mu.Unlock()
			s.at = 0
			if len(s.batch) == 0 {
				return v, nil, false
			}
		}
		c := &s.batch[s.at]
		s.at++
		return c.val, c.err, true
	}
	head := s.head.Load()
	c := s.cell(head)
	if !c.full.Load() {
		return v, nil, false
	}
	v, err = c.val, c.err
	var zero R
	c.val, c.err = zero, nil
	c.full.Store(false)
	s.head.Store(head + 1)
	return v, err, true
}
