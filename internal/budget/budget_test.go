package budget

import (
	"context"
	"sync"
	"sync/atomic"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestPoolCounts(t *testing.T) {
	t.Parallel()
	var p Pool
	for i, want := range []bool{true, true, false} {
		if got := p.TryAcquire(2); got != want {
			t.Fatalf("slot %d of 2: %v", i, got)
		}
	}
	if p.Used() != 2 {
		t.Fatalf("%d in use", p.Used())
	}
	p.Force()
	if p.Used() != 3 || p.TryAcquire(3) {
		t.Fatal("a forced slot counts")
	}
	p.Release(2)
	if p.Used() != 1 || p.TryAcquire(0) || p.TryAcquire(1) || !p.TryAcquire(2) {
		t.Fatal("released")
	}
	defer func() {
		if recover() == nil {
			t.Error("more released than taken, and nobody minds")
		}
	}()
	p.Release(3)
}

// However many try at once, no more than size get a slot.
func TestPoolIsNeverOverdrawn(t *testing.T) {
	t.Parallel()
	const size = 3
	var p Pool
	var now, most atomic.Int64
	var wg sync.WaitGroup
	for range 16 {
		wg.Go(func() {
			for range 2000 {
				if !p.TryAcquire(size) {
					continue
				}
				if n := now.Add(1); n > most.Load() {
					most.Store(n)
				}
				now.Add(-1)
				p.Release(1)
			}
		})
	}
	wg.Wait()
	if most.Load() > size || p.Used() != 0 {
		t.Errorf("%d at once of %d, %d in the end", most.Load(), size, p.Used())
	}
}

type otherKey struct{}

func TestSlotIsLentOnce(t *testing.T) {
	t.Parallel()
	if Borrow(t.Context()) != nil {
		t.Fatal("a slot from a context without one")
	}
	s := NewSlot(t.Context(), true, 0)
	inner, cancel := context.WithCancel(context.WithValue(s, otherKey{}, 1))
	defer cancel()
	if Borrow(inner) != s || Borrow(inner) != nil {
		t.Fatal("lent once")
	}
	if !s.Computes() {
		t.Error("a lent slot is one to compute with")
	}
	s.Waits()
	if s.Computes() {
		t.Error("the borrower said that it waits")
	}
	s.Return(3)
	if Borrow(inner) != s || !s.Computes() {
		t.Fatal("lent again after it came back")
	}
	s.Return(4)
	if n, waited := s.Nested(); n != 2 || waited != 7 || s.Computes() {
		t.Errorf("lent %d times, waited %v", n, waited)
	}
	s.Hold(false)
	if s.Held() || Borrow(inner) != nil {
		t.Fatal("who holds none lends none")
	}
	// The innermost worker counts.
	in := NewSlot(NewSlot(t.Context(), true, 0), false, 1)
	if Borrow(in) != nil {
		t.Fatal("the outer worker's slot is not the inner one's to lend")
	}
	if in.Value(otherKey{}) != nil {
		t.Fatal("other values come from outside")
	}
}

func TestSlotIsLentToOneOfMany(t *testing.T) {
	t.Parallel()
	s := NewSlot(t.Context(), true, 0)
	var got atomic.Int64
	var wg sync.WaitGroup
	for range 32 {
		wg.Go(func() {
			if Borrow(s) != nil {
				got.Add(1)
			}
		})
	}
	wg.Wait()
	if got.Load() != 1 {
		t.Errorf("lent to %d", got.Load())
	}
}

// A slot that comes free goes to the outermost run first, and inner runs know
// that they are outranked until it has enough.
func TestOuterRunsComeFirst(t *testing.T) {
	t.Parallel()
	var p Pool
	wakes := [3]chan struct{}{}
	ws := [3]*Waiter{}
	for i, depth := range []int{2, 0, 0} {
		wakes[i] = make(chan struct{}, 1)
		ws[i] = &Waiter{Depth: depth, Wake: wakes[i]}
	}
	inner, outer, second := ws[0], ws[1], ws[2]
	woken := func() (s string) {
		for i, name := range []string{"inner", "outer", "second"} {
			select {
			case <-wakes[i]:
				s += name + " "
			default:
			}
		}
		return s
	}
	for range 4 {
		p.Force()
	}
	if p.Outranked(5) {
		t.Error("outranked by nobody")
	}
	p.Want(inner)
	p.Want(inner) // once is enough
	if p.Outranked(2) || !p.Outranked(3) {
		t.Error("a run is outranked by those further out, and not by itself")
	}
	p.Want(outer)
	p.Want(second)
	if !inner.Listed() || !p.Outranked(2) || !p.Outranked(1) || p.Outranked(0) {
		t.Error("the outer run wants a slot")
	}
	p.Release(2)
	if got := woken(); got != "outer second " {
		t.Errorf("woke %s", got)
	}
	p.Release(1)
	p.Release(0)
	p.Enough(outer)
	p.Enough(outer)
	p.Enough(second)
	if got := woken(); got != "outer " || outer.Listed() || p.Outranked(2) || !p.Outranked(3) {
		t.Errorf("woke %s; only the inner run wants one now", got)
	}
	p.Release(1)
	p.Enough(inner)
	if got := woken(); got != "inner " || p.Outranked(9) {
		t.Errorf("woke %s", got)
	}
}
