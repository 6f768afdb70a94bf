package weft

import (
	"sync"
	"sync/atomic"
)

// source hands out items by index. Implementations are safe for concurrent
// use.
type source interface {
	// claim sets w.lo and w.hi to up to k items that nobody else gets, and
	// returns false when there are none.
	claim(w *worker, k int) bool
	// release ends a claim: the items before next have been run, the others
	// are given back. It tells whether that made items claimable.
	release(w *worker, next int) bool
	// left is how many items can be claimed now.
	left() int
}

// slice is the source of items that are all there from the beginning.
type slice struct {
	n      int
	cursor atomic.Int64
	spares atomic.Int64 // items in spare
	mu     sync.Mutex
	spare  []span // given back
}

func (s *slice) claim(w *worker, k int) bool {
	if s.spares.Load() > 0 && s.claimSpare(w, k) {
		return true
	}
	lo := s.cursor.Add(int64(k)) - int64(k)
	if lo >= int64(s.n) {
		s.cursor.Store(int64(s.n))
		return s.claimSpare(w, k)
	}
	w.lo, w.hi = int(lo), int(min(lo+int64(k), int64(s.n)))
	return true
}

func (s *slice) claimSpare(w *worker, k int) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.spare) == 0 {
		return false
	}
	last := &s.spare[len(s.spare)-1]
	w.lo, w.hi = last.lo, min(last.lo+k, last.hi)
	s.spares.Add(-int64(w.hi - w.lo))
	last.lo = w.hi
	if last.lo == last.hi {
		s.spare = s.spare[:len(s.spare)-1]
	}
	return true
}

func (s *slice) release(w *worker, next int) bool {
	if next >= w.hi {
		return false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.spare = append(s.spare, span{next, w.hi})
	s.spares.Add(int64(w.hi - next))
	return true
}

func (s *slice) left() int {
	return max(0, s.n-int(s.cursor.Load())) + int(s.spares.Load())
}

// keyed holds items back whose key has as many running as it may. It takes
// items from another source one by one.
type keyed struct {
	src   source
	limit int
	key   func(w *worker) string         // of the item that w has claimed
	crash func(w *worker, recovered any) // the key function panicked on it

	mu      sync.Mutex
	active  map[string]int
	waiting map[string][]keyedItem
	ready   []keyedItem // have their place among the active
}

type keyedItem struct {
	i     int
	local any
	key   string
}

func newKeyed(r *run, src source, key func(w *worker) string) *keyed {
	return &keyed{
		src: src, limit: r.cfg.keyLimit, key: key, crash: r.crashedKey,
		active: map[string]int{}, waiting: map[string][]keyedItem{},
	}
}

func (s *keyed) claim(w *worker, _ int) bool {
	for {
		if s.claimReady(w) {
			return true
		}
		if !s.src.claim(w, 1) {
			// Another worker may have made one ready between the two looks.
			return s.claimReady(w)
		}
		key, ok := s.keyOf(w)
		if !ok {
			continue
		}
		s.mu.Lock()
		if s.active[key] < s.limit {
			s.active[key]++
			s.mu.Unlock()
			w.key = key
			return true
		}
		s.waiting[key] = append(s.waiting[key], keyedItem{w.lo, w.local, key})
		s.mu.Unlock()
		w.local = nil
	}
}

func (s *keyed) claimReady(w *worker) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.ready) == 0 {
		return false
	}
	it := s.ready[0]
	s.ready = s.ready[1:]
	w.lo, w.hi, w.local, w.key = it.i, it.i+1, it.local, it.key
	return true
}

func (s *keyed) keyOf(w *worker) (key string, ok bool) {
	defer func() {
		if !ok {
			s.crash(w, recover())
		}
	}()
	return s.key(w), true
}

func (s *keyed) release(w *worker, _ int) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	key := w.key
	if q := s.waiting[key]; len(q) > 0 {
		s.ready = append(s.ready, q[0])
		if len(q) == 1 {
			delete(s.waiting, key)
		} else {
			s.waiting[key] = q[1:]
		}
		return true
	}
	if s.active[key]--; s.active[key] == 0 {
		delete(s.active, key)
	}
	return false
}

func (s *keyed) left() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.ready) + s.src.left()
}

func (s *keyed) wake() {
	if q, ok := s.src.(interface{ wake() }); ok {
		q.wake()
	}
}
