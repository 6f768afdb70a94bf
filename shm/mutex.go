package shm

import (
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"runtime"
	"sync"
	"sync/atomic"
	"time"
	"unsafe"
)

// Mutex is a lock that processes share, and goroutines of one as well: a T for
// [Make], or a field of one, in memory opened read-write. The zero Mutex is
// unlocked.
//
// It survives the death of its holder: when a process is killed that holds it,
// the next one gets it within some 20 ms and is told. It works across PID
// namespaces and needs no process of its own. It is not fair.
//
// Taking it when it is free, and giving it back, costs some 50 ns and no system
// call. Linux only;
// elsewhere Lock is an error that wraps [ErrUnsupported].
type Mutex struct {
	// word is 0, or owner<<1, and the lowest bit says that somebody waits.
	word atomic.Uint32
	_    uint32
}

const waiters = 1

// probe is how often one who waits looks whether the holder still lives. It
// is also the longest time that a lost wake-up costs.
const probe = 20 * time.Millisecond

// Lock waits until it has the lock, or ctx ends. When it returns without an
// error the lock is held, by this process, and any of its goroutines may
// Unlock it.
//
// orphaned says that the one who held it before died, or closed the memory,
// without Unlock. What the lock guards may be half-changed then: mend it, or
// give up, but Unlock in any case.
//
// It is an error, and the lock is not held, if ctx ended (its cause; noticed
// within 20 ms), if the Mutex is not in memory of [Make], or if that is not
// open read-write.
func (m *Mutex) Lock(ctx context.Context) (orphaned bool, err error) {
	seg, me, err := m.segment()
	if err != nil {
		return false, err
	}
	if m.word.CompareAndSwap(0, me<<1) {
		return false, nil
	}
	return m.wait(ctx, seg, me)
}

// Unlock gives the lock back. It panics if this process does not hold it.
func (m *Mutex) Unlock() {
	_, me, err := m.segment()
	if err != nil {
		panic(err.Error())
	}
	if m.word.Load()>>1 != me {
		panic("shm: Unlock of a Mutex that this process does not hold")
	}
	if m.word.Swap(0)&waiters != 0 {
		futexWake(&m.word)
	}
}

// segment returns the segment that m lies in and this process's number in it.
func (m *Mutex) segment() (*segment, uint32, error) {
	mem := spanOf(unsafe.Pointer(m))
	switch {
	case mem == nil || mem.seg.ref.kind != ofMemory:
		return nil, 0, errors.New("shm: the Mutex is not in memory of shm.Make; use sync.Mutex inside of one process")
	case !mem.mode.writes():
		return nil, 0, fmt.Errorf("shm: Mutex in %s: %w: open the handle read-write", mem.seg.describe(), ErrReadOnly)
	}
	me, err := mem.seg.owner.claim(mem)
	if err != nil {
		return nil, 0, fmt.Errorf("shm: Mutex in %s: %w", mem.seg.describe(), err)
	}
	return mem.seg, me, nil
}

// wait takes the lock when it is free or its holder dead. Of each process only
// one goroutine waits in the kernel, and costs a thread; the others queue at
// the gate.
func (m *Mutex) wait(ctx context.Context, seg *segment, me uint32) (orphaned bool, err error) {
	at := uintptr(unsafe.Pointer(m)) - seg.base()
	g, ok := seg.gates.Load(at)
	if !ok {
		g, _ = seg.gates.LoadOrStore(at, make(chan struct{}, 1))
	}
	gate := g.(chan struct{})
	select {
	case gate <- struct{}{}:
		defer func() { <-gate }()
	case <-ctx.Done():
		return false, waitError(ctx)
	}
	for range 4 {
		if m.word.CompareAndSwap(0, me<<1|waiters) {
			return false, nil
		}
		runtime.Gosched()
	}
	for {
		old := m.word.Load()
		if old == 0 {
			// Others may wait as well; the mark has Unlock wake one.
			if m.word.CompareAndSwap(0, me<<1|waiters) {
				return false, nil
			}
			continue
		}
		if owner := old >> 1; owner != me {
			alive, err := seg.owner.alive(owner)
			if err != nil {
				return false, fmt.Errorf("shm: Mutex in %s: %w", seg.describe(), err)
			}
			if !alive {
				// Only one can be the next: the word must be as it was.
				if m.word.CompareAndSwap(old, me<<1|waiters) {
					return true, nil
				}
				continue
			}
		}
		if err := ctx.Err(); err != nil {
			return false, waitError(ctx)
		}
		if old&waiters == 0 && !m.word.CompareAndSwap(old, old|waiters) {
			continue
		}
		if err := futexWait(&m.word, old|waiters, probe); err != nil {
			return false, fmt.Errorf("shm: Mutex in %s: %w", seg.describe(), err)
		}
	}
}

func waitError(ctx context.Context) error {
	return fmt.Errorf("shm: waiting for a Mutex: %w", context.Cause(ctx))
}

func (s *segment) base() uintptr {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.mappings[ReadWrite].start()
}

// ownership is this process's number among those that use mutexes in a segment.
// The process holds a lock of the kernel on the byte of the segment's file
// that the number names. The kernel drops the lock when the process ends, in
// whatever way, even while it waits to be reaped; and a number is never used
// again. So whoever finds the byte unlocked knows that the owner is dead.
type ownership struct {
	number atomic.Uint32 // 0 until claimed
	mu     sync.Mutex
	file   *os.File // an open file description that nobody shares
}

const maxOwner = math.MaxUint32 >> 1

func (o *ownership) claim(mem *mapping) (uint32, error) {
	if n := o.number.Load(); n != 0 {
		return n, nil
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	if n := o.number.Load(); n != 0 {
		return n, nil
	}
	n := mem.header().nextOwner.Add(1)
	if n >= maxOwner {
		mem.header().nextOwner.Store(maxOwner)
		return 0, errors.New("2^31 processes have used mutexes in it; make a new segment")
	}
	mem.seg.mu.Lock()
	rw := mem.seg.rw
	mem.seg.mu.Unlock()
	f, err := claimOwner(rw, n)
	if err != nil {
		return 0, err
	}
	o.file = f
	o.number.Store(n)
	return n, nil
}

func (o *ownership) alive(owner uint32) (bool, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.file == nil {
		return false, ErrClosed
	}
	return ownerAlive(o.file, owner)
}

func (o *ownership) close() error {
	o.mu.Lock()
	defer o.mu.Unlock()
	f := o.file
	o.file = nil
	return closeFile(f)
}
