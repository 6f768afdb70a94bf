package cluster

import (
	"context"
	"sync"
	"time"

	"go.temporal.io/sdk/worker"

	"github.com/weft-go/weft/internal/memory"
)

// account is the memory of a worker: what its batches may hold, and what one of
// them takes as far as has been seen.
type account struct {
	limit int64
	held  func() int64 // anonymous memory now, 0 if not known

	mu    sync.Mutex
	idle  int64 // what was held when nothing ran
	each  int64 // the most that one more batch has added
	busy  int
	grown chan struct{} // closed and made anew when a batch has ended
}

func newAccount(limit int64, held func() int64) *account {
	if limit == 0 {
		if n, _ := memory.Limit(); n > 0 {
			limit = n / 4 * 3
		}
	}
	return &account{limit: limit, held: held, grown: make(chan struct{}), idle: held()}
}

// room tells whether one more batch fits. One by itself always does, so that
// nothing waits for ever.
func (a *account) room(busy int) bool {
	if busy == 0 || a.limit <= 0 {
		return true
	}
	held := a.held()
	if held == 0 {
		return true
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	return held+a.each <= a.limit
}

func (a *account) begin() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.busy++
}

func (a *account) end() {
	held := a.held()
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.busy > 0 {
		// It falls slowly, so that one large batch of long ago is forgotten.
		a.each = max((held-a.idle)/int64(a.busy), a.each-a.each/8)
		a.busy--
	}
	if a.busy == 0 {
		a.idle = held
	}
	close(a.grown)
	a.grown = make(chan struct{})
}

func (a *account) changed() chan struct{} {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.grown
}

// slotSupplier admits batches: up to a number, and as far as there is memory.
type slotSupplier struct {
	most   int
	memory *account

	mu   sync.Mutex
	used int // reserved
	busy map[*worker.SlotPermit]bool
	free chan struct{}
}

func newSlots(n int, m *account) *slotSupplier {
	return &slotSupplier{most: n, memory: m, busy: map[*worker.SlotPermit]bool{}, free: make(chan struct{}, 1)}
}

// ReserveSlot implements worker.SlotSupplier.
func (s *slotSupplier) ReserveSlot(ctx context.Context, info worker.SlotReservationInfo) (*worker.SlotPermit, error) {
	for {
		if p := s.TryReserveSlot(info); p != nil {
			return p, nil
		}
		select {
		case <-s.free:
		case <-s.memory.changed():
		case <-time.After(memoryLook): // memory may fall by itself
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

const memoryLook = 200 * time.Millisecond

// TryReserveSlot implements worker.SlotSupplier.
func (s *slotSupplier) TryReserveSlot(worker.SlotReservationInfo) *worker.SlotPermit {
	s.mu.Lock()
	used, busy := s.used, len(s.busy)
	s.mu.Unlock()
	if used >= s.most || !s.memory.room(busy) {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.used >= s.most {
		return nil
	}
	s.used++
	if s.used < s.most {
		s.poke()
	}
	return &worker.SlotPermit{}
}

// MarkSlotUsed implements worker.SlotSupplier.
func (s *slotSupplier) MarkSlotUsed(i worker.SlotMarkUsedInfo) {
	s.mu.Lock()
	s.busy[i.Permit()] = true
	s.mu.Unlock()
	s.memory.begin()
}

// ReleaseSlot implements worker.SlotSupplier.
func (s *slotSupplier) ReleaseSlot(i worker.SlotReleaseInfo) {
	s.mu.Lock()
	was := s.busy[i.Permit()]
	delete(s.busy, i.Permit())
	s.used--
	s.poke()
	s.mu.Unlock()
	if was {
		s.memory.end()
	}
}

func (s *slotSupplier) poke() {
	select {
	case s.free <- struct{}{}:
	default:
	}
}

// MaxSlots implements worker.SlotSupplier.
func (s *slotSupplier) MaxSlots() int { return s.most }
