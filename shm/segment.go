package shm

import (
	"cmp"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"unsafe"
)

// ID names a segment among all of all processes. It is random in its first
// half and never used again. It can be compared and sent.
type ID [16]byte

// origin is the first half of the IDs of this process.
var origin = sync.OnceValue(func() (o [8]byte) {
	rand.Read(o[:]) // never fails
	return o
})

var lastSegment atomic.Uint64

func newID() (id ID) {
	o := origin()
	copy(id[:8], o[:])
	binary.LittleEndian.PutUint64(id[8:], lastSegment.Add(1))
	return id
}

// ours tells whether this process made the segment.
func (id ID) ours() bool { return [8]byte(id[:8]) == origin() }

// A segment of memory starts with a header, then come the elements.
const (
	headerSize  = 4096
	headerMagic = 0x316d687374666577 // "weftshm1"
)

// header is the start of a segment of memory. It lets a process that got a
// descriptor make sure that it is the right one.
type header struct {
	magic       uint64
	id          ID
	fingerprint uint64
	elem        uint64
	length      uint64
	// nextOwner numbers the processes that use mutexes in the segment.
	nextOwner atomic.Uint32
}

// segment is what this process has of a piece of memory or of a file. It lives
// while somebody in this process refers to it: an open Slice, or the table for
// one that came from another process.
type segment struct {
	ref      Ref // its mode is the most that this process may do
	path     string
	imported bool

	mu       sync.Mutex
	refs     int
	rw, ro   *os.File          // rw is nil if only reading is granted; ro may be nil if rw is not
	mappings [3]*mapping       // by mode, for ReadOnly and ReadWrite
	private  map[*mapping]bool // copy-on-write, one a Slice

	owner ownership // of the mutexes
	gates sync.Map  // of chan struct{} by offset: see Mutex
}

// mapping is memory of a segment at some address.
type mapping struct {
	seg  *segment
	mode Mode
	all  []byte // what was mapped, from a page on
	data []byte // the elements
}

func (m *mapping) header() *header { return (*header)(unsafe.Pointer(unsafe.SliceData(m.all))) }

// table holds the segments that this process has.
var table = struct {
	sync.Mutex
	segments  map[ID]*segment
	hooks     map[*hook]bool
	resolve   *resolver
	resolving sync.Mutex // one fetch at a time
}{segments: map[ID]*segment{}, hooks: map[*hook]bool{}}

// spans are all mappings by address, to find a segment from a pointer into it.
var spans atomic.Pointer[[]*mapping]

// spanOf returns the mapping that p lies in, or nil.
func spanOf(p unsafe.Pointer) *mapping {
	list := spans.Load()
	if list == nil {
		return nil
	}
	at := uintptr(p)
	i, found := slices.BinarySearchFunc(*list, at, func(m *mapping, at uintptr) int { return cmp.Compare(m.start(), at) })
	if !found {
		i--
	}
	if i < 0 {
		return nil
	}
	if m := (*list)[i]; at-m.start() < uintptr(len(m.all)) {
		return m
	}
	return nil
}

func (m *mapping) start() uintptr { return uintptr(unsafe.Pointer(unsafe.SliceData(m.all))) }

// changeSpans is called with table locked.
func changeSpans(change func([]*mapping) []*mapping) {
	var list []*mapping
	if old := spans.Load(); old != nil {
		list = slices.Clone(*old)
	}
	list = change(list)
	slices.SortFunc(list, func(a, b *mapping) int { return cmp.Compare(a.start(), b.start()) })
	spans.Store(&list)
}

// add puts a segment into the table.
func (s *segment) add() {
	table.Lock()
	defer table.Unlock()
	table.segments[s.ref.id] = s
}

// acquire adds a reference to the segment of id, if it is there.
func acquire(id ID) *segment {
	table.Lock()
	defer table.Unlock()
	s := table.segments[id]
	if s == nil {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.refs++
	return s
}

// release drops a reference, and with the last one the memory.
func (s *segment) release() error {
	table.Lock()
	s.mu.Lock()
	s.refs--
	if s.refs > 0 {
		s.mu.Unlock()
		table.Unlock()
		return nil
	}
	if table.segments[s.ref.id] == s {
		delete(table.segments, s.ref.id)
	}
	var gone []*mapping
	for _, m := range s.mappings {
		if m != nil {
			gone = append(gone, m)
		}
	}
	for m := range s.private {
		gone = append(gone, m)
	}
	s.mappings, s.private = [3]*mapping{}, nil
	if len(gone) > 0 {
		changeSpans(func(list []*mapping) []*mapping {
			return slices.DeleteFunc(list, func(m *mapping) bool { return slices.Contains(gone, m) })
		})
	}
	s.mu.Unlock()
	var hooks []func(ID)
	if !s.imported {
		hooks = closeHooks()
	}
	table.Unlock()

	var errs []error
	for _, m := range gone {
		errs = append(errs, unmap(m.all))
	}
	errs = append(errs, s.owner.close(), closeFile(s.rw), closeFile(s.ro))
	for _, f := range hooks {
		f(s.ref.id)
	}
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("shm: close %s: %w", s.describe(), err)
	}
	return nil
}

func closeFile(f *os.File) error {
	if f == nil {
		return nil
	}
	return f.Close()
}

func (s *segment) describe() string {
	if s.path != "" {
		return s.path
	}
	return s.ref.String()
}

// mapped returns the segment's memory in a mode. The caller has a reference.
func (s *segment) mapped(mode Mode) (*mapping, error) {
	table.Lock() // the order is table, then segment
	defer table.Unlock()
	s.mu.Lock()
	defer s.mu.Unlock()
	shared := mode != CopyOnWrite
	if shared && s.mappings[mode] != nil {
		return s.mappings[mode], nil
	}
	file := s.rw
	if !mode.writes() && s.ro != nil {
		file = s.ro
	}
	if file == nil {
		return nil, fmt.Errorf("shm: map %s: %w: this process was given it to read", s.describe(), ErrReadOnly)
	}
	page := int64(os.Getpagesize())
	start := s.ref.offset / page * page
	skip := int(s.ref.offset - start)
	all, err := mapMemory(file, start, skip+s.ref.bytes(), mode)
	if err != nil {
		return nil, fmt.Errorf("shm: map %s: %w", s.describe(), err)
	}
	m := &mapping{seg: s, mode: mode, all: all, data: all[skip:]}
	if shared {
		s.mappings[mode] = m
	} else {
		if s.private == nil {
			s.private = map[*mapping]bool{}
		}
		s.private[m] = true
	}
	changeSpans(func(list []*mapping) []*mapping { return append(list, m) })
	return m, nil
}

// unmapPrivate gives a copy-on-write mapping back.
func (s *segment) unmapPrivate(m *mapping) error {
	table.Lock()
	s.mu.Lock()
	mine := s.private[m]
	delete(s.private, m)
	if mine {
		changeSpans(func(list []*mapping) []*mapping {
			return slices.DeleteFunc(list, func(o *mapping) bool { return o == m })
		})
	}
	s.mu.Unlock()
	table.Unlock()
	if !mine {
		return nil
	}
	return unmap(m.all)
}
