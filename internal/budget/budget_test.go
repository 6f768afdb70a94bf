package budget

import (
	"context"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

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

// Runs without a slot stand in line, ahead of all that only want more.
func TestRunsWithoutASlotStandInLine(t *testing.T) {
	t.Parallel()
	busy := func() bool { return false }
	var p Pool
	p.Root(1)
	for range 2 {
		if !p.AcquireFirst(2, busy) {
			t.Fatal("there are two slots")
		}
	}
	if p.AcquireFirst(2, busy) || p.Line() {
		t.Fatal("a third one of two")
	}
	more := &Waiter{Wake: make(chan struct{}, 1)}
	p.Want(more)
	wakes := [2]chan struct{}{make(chan struct{}, 1), make(chan struct{}, 1)}
	one, two := &Waiter{Depth: 3, Wake: wakes[0]}, &Waiter{Depth: 1, Wake: wakes[1]}
	for _, w := range []*Waiter{one, two} {
		if got, again := p.Await(w, 2, busy); got || again <= 0 {
			t.Fatal("none is free")
		}
	}
	if !p.Line() || !p.Outranked(0) {
		t.Error("who has none comes before an outermost run that wants more")
	}
	p.Release(1)
	if len(wakes[0]) != 1 || len(wakes[1]) != 0 {
		t.Error("the first in line is woken")
	}
	if got, _ := p.Await(two, 2, busy); got {
		t.Error("the second in line was served first")
	}
	if p.AcquireFirst(2, busy) {
		t.Error("a newcomer was served before the line")
	}
	if got, _ := p.Await(one, 2, busy); !got || one.Listed() || len(wakes[1]) != 1 {
		t.Error("the first in line gets it, and the next one is told")
	}
	p.Enough(two) // gives up
	if p.Line() || p.Outranked(0) || !p.Outranked(1) || p.Used() != 2 {
		t.Error("the run that wants more is left")
	}
	p.Root(2)
	if !p.AcquireFirst(2, busy) {
		t.Error("three runs that are in no other, and one has no slot")
	}
}

// Who holds a slot may wait for one who has none: nobody waits for ever.
func TestTheLineMovesOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, row := range []struct {
			name        string
			idle        func(look int) bool
			least, most time.Duration
		}{
			{"idle CPUs", func(int) bool { return true }, time.Millisecond, 20 * time.Millisecond},
			{"idle, and looked at", func(n int) bool { return n%2 == 0 }, time.Millisecond, 50 * time.Millisecond},
			{"busy, seen idle now and then", func(n int) bool { return n%4 == 0 }, patience, patience + 10*time.Millisecond},
			{"busy", func(int) bool { return false }, patience, patience + 10*time.Millisecond},
		} {
			var p Pool
			p.Force()
			looks := 0
			idle := func() bool { looks++; return row.idle(looks) }
			begin := time.Now()
			w := &Waiter{Wake: make(chan struct{}, 1)}
			for {
				got, again := p.Await(w, 1, idle)
				if got {
					break
				}
				time.Sleep(again)
			}
			if d := time.Since(begin); d < row.least || d > row.most {
				t.Errorf("%s: waited %v, want %v to %v", row.name, d, row.least, row.most)
			}
			if p.Used() != 2 || p.Line() {
				t.Errorf("%s: %d in use", row.name, p.Used())
			}
		}
		// Patience doubles while it is in vain, up to a bound.
		var p Pool
		p.Force()
		for _, want := range []time.Duration{1, 2, 4, 8, 10, 10} {
			begin := time.Now()
			w := &Waiter{Wake: make(chan struct{}, 1)}
			for got, again := p.Await(w, 1, func() bool { return false }); !got; got, again = p.Await(w, 1, func() bool { return false }) {
				time.Sleep(again)
			}
			if d := time.Since(begin); d < want*time.Second || d > want*time.Second+10*time.Millisecond {
				t.Errorf("waited %v, want %d s", d, want)
			}
		}
	})
}
