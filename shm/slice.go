package shm

import (
	"errors"
	"fmt"
	"math"
	"math/bits"
	"os"
	"runtime/debug"
	"sync/atomic"
	"unsafe"
)

// Slice is a slice of T in memory that other processes can share: made by
// [Make], mapped from a file by [MapFile], or opened from a [Handle].
//
// A Slice is a reference to memory that the garbage collector does not know.
// The memory stays until [Slice.Close]; a Slice that is forgotten keeps it
// until the process ends.
//
// The methods can be called from several goroutines at once. What the memory
// holds is as with any slice: who writes must be alone, or use atomics or a
// [Mutex]. The race detector does not see it.
type Slice[T any] struct {
	seg    *segment
	mem    *mapping
	mode   Mode
	data   []T
	closed atomic.Bool
}

// Make makes a slice of n zeros in shared memory. T is of fixed size: numbers,
// bools, arrays and structs of them. Anything with a pointer in it is an error
// that names the field, as is sync.Mutex; [Mutex], [Counter] and the types of
// sync/atomic can be shared.
//
// The memory is there when Make returns: that takes some 40 µs, from 1 MiB on
// 0.9 ms a megabyte (bench/RESULTS.md, shm). If there is too
// little, an error that wraps [ErrFull] says so. On Linux it has no name anywhere
// and can't be left behind: it is gone when the last process that has it closes
// it or ends. It counts as memory of this process's cgroup.
func Make[T any](n int) (*Slice[T], error) {
	return create[T]("Make", n, nil)
}

// Copy makes a slice in shared memory that holds what data holds. It is like
// [Make] and copy, but takes about half the time, as the kernel has no zeros to
// write first. data must not change meanwhile.
func Copy[T any](data []T) (*Slice[T], error) {
	return create("Copy", len(data), data)
}

// create makes n elements, zeros if data is nil.
func create[T any](caller string, n int, data []T) (*Slice[T], error) {
	l, err := layoutOf[T]()
	if err != nil {
		return nil, err
	}
	what := fmt.Sprintf("%d elements of %s", n, l.name)
	if n < 1 {
		return nil, fmt.Errorf("shm: %s: %s: the length must be at least 1", caller, what)
	}
	size, err := sizeOf(n, l.size)
	if err != nil {
		return nil, fmt.Errorf("shm: %s: %s: %w", caller, what, err)
	}
	var content []byte
	if data != nil {
		content = unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(data))), size)
	}
	rw, ro, err := makeMemory(headerSize+int64(size), content)
	if err != nil {
		return nil, fmt.Errorf("shm: %s: %s (%s): %w", caller, what, bytesText(int64(size)), err)
	}
	seg := &segment{rw: rw, ro: ro, refs: 1, ref: Ref{
		id: newID(), mode: ReadWrite, kind: ofMemory, typ: l.name, fingerprint: l.fingerprint,
		elem: l.size, length: n,
	}}
	m, err := seg.mapped(ReadWrite)
	if err != nil {
		return nil, errors.Join(err, seg.release())
	}
	if data == nil {
		populate(m.all)
	}
	h := m.header()
	h.magic, h.id, h.fingerprint, h.elem, h.length = headerMagic, seg.ref.id, l.fingerprint, uint64(l.size), uint64(n)
	seg.add()
	return newSlice[T](seg, m, ReadWrite), nil
}

func newSlice[T any](seg *segment, m *mapping, mode Mode) *Slice[T] {
	data := m.data
	if seg.ref.kind == ofMemory {
		data = data[headerSize:]
	}
	return &Slice[T]{seg: seg, mem: m, mode: mode,
		data: unsafe.Slice((*T)(unsafe.Pointer(unsafe.SliceData(data))), seg.ref.length)}
}

// sizeOf returns n*elem, or an error if a mapping can't be so large.
func sizeOf(n, elem int) (int, error) {
	hi, size := bits.Mul64(uint64(n), uint64(elem))
	if hi != 0 || size > math.MaxInt-1<<20 {
		return 0, fmt.Errorf("%w: more bytes than an address has", ErrFull)
	}
	return int(size), nil
}

func bytesText(n int64) string {
	switch {
	case n >= 1<<30:
		return fmt.Sprintf("%.1f GiB", float64(n)/(1<<30))
	case n >= 1<<20:
		return fmt.Sprintf("%.1f MiB", float64(n)/(1<<20))
	}
	return fmt.Sprintf("%d bytes", n)
}

// Slice returns the memory. It is valid until Close: using it after that, or
// what was cut from it, ends the process. Slice itself panics after Close.
func (s *Slice[T]) Slice() []T {
	if s.closed.Load() {
		panic("shm: Slice called after Close of " + s.seg.describe())
	}
	return s.data
}

// Len returns the number of elements. It can be called after Close.
func (s *Slice[T]) Len() int { return s.seg.ref.length }

// Mode returns what may be done with the memory.
func (s *Slice[T]) Mode() Mode { return s.mode }

// Close gives up this reference; call it when no goroutine uses the memory any
// more. The memory of this process goes with its last reference, and all of it
// when every process has given it up. Closing twice does nothing.
//
// Handles of a segment that this process made are worth nothing once its last
// reference here is closed. Those who opened one before keep the memory.
func (s *Slice[T]) Close() error {
	if s.closed.Swap(true) {
		return nil
	}
	var err error
	if s.mode == CopyOnWrite {
		err = s.seg.unmapPrivate(s.mem)
	}
	return errors.Join(err, s.seg.release())
}

// Clone returns one more reference to the same memory, in the same mode, that
// must be closed by itself. A clone of copy-on-write memory is not made: it
// would not have what was written.
func (s *Slice[T]) Clone() (*Slice[T], error) {
	if s.mode == CopyOnWrite {
		return nil, fmt.Errorf("shm: Clone of %s: copy-on-write memory belongs to one Slice: %w", s.seg.describe(), errors.ErrUnsupported)
	}
	if s.closed.Load() {
		return nil, fmt.Errorf("shm: Clone of %s: %w", s.seg.describe(), ErrClosed)
	}
	s.seg.mu.Lock()
	defer s.seg.mu.Unlock()
	if s.seg.refs == 0 {
		return nil, fmt.Errorf("shm: Clone of %s: %w", s.seg.describe(), ErrClosed)
	}
	s.seg.refs++
	return newSlice[T](s.seg, s.mem, s.mode), nil
}

// Flush writes a file's changes to its disk and waits for that. For memory,
// and where nothing shared was written, it does nothing.
func (s *Slice[T]) Flush() error {
	if s.closed.Load() {
		return fmt.Errorf("shm: Flush of %s: %w", s.seg.describe(), ErrClosed)
	}
	if s.seg.ref.kind != ofFile || !s.mode.writes() {
		return nil
	}
	if err := flush(s.mem.all); err != nil {
		return fmt.Errorf("shm: Flush of %s: %w", s.seg.describe(), err)
	}
	return nil
}

// Check tells whether the memory can still be reached: a file may have become
// shorter since it was mapped. It takes about a microsecond. What is true now
// need not be a moment later; [Slice.Guard] is for files that others truncate.
func (s *Slice[T]) Check() error {
	if s.closed.Load() {
		return fmt.Errorf("shm: Check of %s: %w", s.seg.describe(), ErrClosed)
	}
	s.seg.mu.Lock()
	f := s.seg.rw
	if f == nil {
		f = s.seg.ro
	}
	s.seg.mu.Unlock()
	info, err := f.Stat()
	if err != nil {
		return fmt.Errorf("shm: Check of %s: %w", s.seg.describe(), err)
	}
	if want := s.seg.ref.offset + int64(s.seg.ref.bytes()); info.Size() < want {
		return fmt.Errorf("shm: %s was truncated: it has %d bytes and the %d elements end at %d: %w",
			s.seg.describe(), info.Size(), s.Len(), want, ErrMismatch)
	}
	return nil
}

// Guard calls f with the memory and returns its error. If f touches memory
// that is not there (a file that was truncated, a full disk) or may not be
// written, Guard returns a [FaultError]; without it such an access ends the
// process. It holds for the goroutine that calls it, not for those that f
// starts; f is left at once and only what it deferred runs.
//
// It costs some 20 ns a call and nothing an access.
func (s *Slice[T]) Guard(f func([]T) error) (err error) {
	data := s.Slice()
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		v := recover()
		if v == nil {
			return
		}
		fault, ok := v.(interface{ Addr() uintptr })
		if !ok {
			panic(v)
		}
		start := uintptr(unsafe.Pointer(unsafe.SliceData(data)))
		at := fault.Addr() - start
		if at >= uintptr(s.seg.ref.payload()) {
			panic(v) // not ours
		}
		fe := &FaultError{Index: int(at) / s.seg.ref.elem, Path: s.seg.path}
		switch err := s.Check(); {
		case err != nil:
			fe.Err = err
		case s.mode == ReadOnly:
			fe.Err = fmt.Errorf("%w: it was written, or its file can't be read", ErrReadOnly)
		default:
			fe.Err = errors.New("the system gave no memory for it; its disk may be full or broken")
		}
		err = fe
	}()
	return f(data)
}

// Freeze makes that nobody can write the memory any more except through
// mappings that exist already; neither this process nor any other gets a new
// one, whatever it does with the descriptor. A handle for [ReadWrite] is an
// error from then on. It can't be taken back. It needs Linux 5.1 and memory
// of [Make]; else it is an error.
//
// A read-only handle does without: the process that gets it has a descriptor
// that does not write. But a process of the same user that means to cheat can
// open that again for writing, and after Freeze it can't.
func (s *Slice[T]) Freeze() error {
	if s.closed.Load() {
		return fmt.Errorf("shm: Freeze of %s: %w", s.seg.describe(), ErrClosed)
	}
	s.seg.mu.Lock()
	f := s.seg.rw
	s.seg.mu.Unlock()
	if f == nil {
		return fmt.Errorf("shm: Freeze of %s: %w: only a process that may write can freeze", s.seg.describe(), ErrReadOnly)
	}
	if err := freeze(f); err != nil {
		return fmt.Errorf("shm: Freeze of %s: %w", s.seg.describe(), err)
	}
	return nil
}

// Handle returns what another process needs to open the memory in a mode:
// [ReadOnly], [ReadWrite] or [CopyOnWrite]. Keep the Slice open until the other
// side has opened it. A mode that this Slice does not allow is an error when
// the handle is used.
func (s *Slice[T]) Handle(mode Mode) Handle[T] {
	h := Handle[T]{ref: s.seg.ref}
	h.ref.mode = mode
	switch {
	case s.closed.Load():
		h.err = fmt.Errorf("shm: handle of %s: %w", s.seg.describe(), ErrClosed)
	case mode < ReadOnly || mode > CopyOnWrite:
		h.err = fmt.Errorf("shm: handle of %s: %v: a handle is read-only, read-write or copy-on-write", s.seg.describe(), mode)
	case s.mode == CopyOnWrite:
		h.err = fmt.Errorf("shm: handle of %s: what a copy-on-write slice holds is seen by this process only", s.seg.describe())
	case mode == ReadWrite && s.mode != ReadWrite:
		h.err = fmt.Errorf("shm: handle of %s: %w: it can be handed on to read or copy-on-write", s.seg.describe(), ErrReadOnly)
	}
	return h
}

// file returns a descriptor of the segment for another process, that the
// caller closes.
func (s *segment) file(mode Mode) (*os.File, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if mode.writes() {
		if s.rw == nil {
			return nil, fmt.Errorf("shm: %s: %w: this process was given it to read", s.describe(), ErrReadOnly)
		}
		if frozen(s.rw) {
			return nil, s.frozenError()
		}
		return duplicate(s.rw)
	}
	if s.ro != nil {
		return duplicate(s.ro)
	}
	return reopenReadOnly(s.rw)
}

func (s *segment) notFrozen() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.rw != nil && frozen(s.rw) {
		return s.frozenError()
	}
	return nil
}

func (s *segment) frozenError() error {
	return fmt.Errorf("shm: %s: %w: it was frozen, and nobody can get it to write any more", s.describe(), ErrReadOnly)
}
