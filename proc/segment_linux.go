package proc

import (
	"encoding"
	"fmt"
	"reflect"
	"sync"
	"sync/atomic"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/weft-go/weft"
	"github.com/weft-go/weft/internal/wire"
	"github.com/weft-go/weft/shm"
)

// memory returns the descriptor of an empty file in memory that has no name.
func memory(what string) (fd int, err error) {
	fd, err = unix.MemfdCreate(what, unix.MFD_CLOEXEC|unix.MFD_ALLOW_SEALING)
	switch err { //nolint:errorlint // system calls return it as it is
	case unix.ENOSYS, unix.EPERM, unix.EACCES:
		// An old kernel, or a container that forbids it.
		tmp, tmpErr := unix.Open("/dev/shm", unix.O_TMPFILE|unix.O_EXCL|unix.O_RDWR|unix.O_CLOEXEC, 0o600)
		if tmpErr == nil {
			return tmp, nil
		}
		return -1, fmt.Errorf("memfd_create: %w; and a file in /dev/shm instead: %w", err, tmpErr)
	case nil:
		return fd, nil
	}
	return -1, fmt.Errorf("memfd_create: %w", err)
}

// newSegment returns the descriptor of shared memory with a copy of b.
func newSegment(b []byte) (fd int, err error) {
	var l unix.Rlimit
	// Past this limit the kernel sends a signal that ends a Go program.
	if err := unix.Getrlimit(unix.RLIMIT_FSIZE, &l); err == nil && uint64(len(b)) > l.Cur {
		return -1, fmt.Errorf("%d bytes of shared memory, where files may have %d (RLIMIT_FSIZE, ulimit -f): %w", len(b), l.Cur, unix.EFBIG)
	}
	fd, err = memory("weft-proc")
	if err != nil {
		return -1, err
	}
	defer func() {
		if err != nil {
			_ = unix.Close(fd)
		}
	}()
	// Written and not mapped: a lack of memory is an error here and no SIGBUS
	// later, and the kernel has no zeros to write first.
	for at := 0; at < len(b); {
		n, err := unix.Pwrite(fd, b[at:], int64(at))
		if err == unix.EINTR { //nolint:errorlint // system calls return it as it is
			continue
		}
		if err == nil && n == 0 {
			err = unix.ENOSPC
		}
		if err != nil {
			return -1, fmt.Errorf("%d bytes of shared memory: %w", len(b), err)
		}
		at += n
	}
	// It can't shrink under those who map it. A file in /dev/shm can't be
	// sealed; the other side is this program, and does not.
	_, err = unix.FcntlInt(uintptr(fd), unix.F_ADD_SEALS, unix.F_SEAL_SHRINK|unix.F_SEAL_GROW)
	if err == unix.EINVAL || err == unix.EPERM { //nolint:errorlint // system calls return it as it is
		err = nil
	}
	return fd, err
}

// mapSegment maps the whole of a segment and closes its descriptor. The memory
// may be written; nobody else sees that.
func mapSegment(fd int) ([]byte, error) {
	defer unix.Close(fd) //nolint:errcheck // the mapping stays
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return nil, err
	}
	if st.Size <= 0 {
		return nil, fmt.Errorf("a segment of %d bytes", st.Size)
	}
	return unix.Mmap(fd, 0, int(st.Size), unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE)
}

// arrivals holds the segments whose descriptors have come, by id.
type arrivals struct {
	mu      sync.Mutex
	changed *sync.Cond
	mapped  map[uint64][]byte
	failed  map[uint64]error
	come    uint64 // control messages that brought something
	closed  bool
}

func (a *arrivals) init() {
	a.changed = sync.NewCond(&a.mu)
	a.mapped, a.failed = map[uint64][]byte{}, map[uint64]error{}
}

func (a *arrivals) arrived(id uint64, fd int) {
	b, err := mapSegment(fd)
	a.mu.Lock()
	defer a.mu.Unlock()
	if err != nil {
		a.failed[id] = err
	} else if old := a.mapped[id]; old != nil {
		_ = unix.Munmap(b)
	} else {
		a.mapped[id] = b
	}
}

// get returns a segment. Its descriptor came before the message that names it,
// which was held back until it had.
func (a *arrivals) get(id uint64) ([]byte, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	switch {
	case a.mapped[id] != nil:
		return a.mapped[id], nil
	case a.failed[id] != nil:
		return nil, fmt.Errorf("shared memory %d: %w", id, a.failed[id])
	}
	return nil, fmt.Errorf("%w: shared memory %d was never passed here; is it of another run?", wire.ErrCorrupt, id)
}

// count is called after each control message that brings something. wait
// returns when n have come, or no more will.
func (a *arrivals) count() {
	a.mu.Lock()
	a.come++
	a.mu.Unlock()
	a.changed.Broadcast()
}

func (a *arrivals) wait(n uint64) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for a.come < n && !a.closed {
		a.changed.Wait()
	}
}

// take is get for a segment that is needed once; the caller unmaps it.
func (a *arrivals) take(id uint64) ([]byte, error) {
	b, err := a.get(id)
	a.mu.Lock()
	delete(a.mapped, id)
	a.mu.Unlock()
	return b, err
}

func (a *arrivals) close() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.closed = true
	for id, b := range a.mapped {
		_ = unix.Munmap(b)
		delete(a.mapped, id)
	}
	a.changed.Broadcast()
}

// segments are what a worker has of the parent: shared memory, and values that
// many items point to.
type segments struct {
	arrivals
	forgotten []uint64 // to drop when no batch may use them
	blobs     map[uint64]*blobValue
}

// blobValue is a value that was sent once, decoded when first needed.
type blobValue struct {
	data  []byte
	value reflect.Value
}

func newSegments() *segments {
	s := &segments{blobs: map[uint64]*blobValue{}}
	s.init()
	return s
}

// forget drops a segment or value once the batch that runs is over.
func (s *segments) forget(id uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.forgotten = append(s.forgotten, id)
}

// begin is called when no batch runs.
func (s *segments) begin() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, id := range s.forgotten {
		if b := s.mapped[id]; b != nil {
			_ = unix.Munmap(b)
			delete(s.mapped, id)
		}
		delete(s.failed, id)
		delete(s.blobs, id)
	}
	s.forgotten = s.forgotten[:0]
}

func (s *segments) bulk(id uint64) ([]byte, error) { return s.get(id) }

// blob keeps a value for later.
func (s *segments) blob(payload []byte) error {
	d := wire.Decoder{Buf: payload}
	id, err := d.Uint()
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.blobs[id] = &blobValue{data: append([]byte(nil), d.Buf...)}
	return nil
}

func (s *segments) shared(id uint64, t reflect.Type, decode func([]byte) (reflect.Value, error)) (reflect.Value, error) {
	s.mu.Lock()
	b := s.blobs[id]
	s.mu.Unlock()
	if b == nil {
		return reflect.Value{}, fmt.Errorf("%w: value %d was never passed here; is it of another run?", wire.ErrCorrupt, id)
	}
	if !b.value.IsValid() {
		v, err := decode(b.data)
		if err != nil {
			return v, err
		}
		b.value, b.data = v, nil
	}
	if b.value.Type() != t {
		return b.value, fmt.Errorf("%w: value %d is a %v and not a %v", wire.ErrCorrupt, id, b.value.Type(), t)
	}
	return b.value, nil
}

// shelf is what the parent keeps for one run: what it has put into shared
// memory or encoded once, by the address of the original.
type shelf struct {
	pool *Pool
	mu   sync.Mutex
	// fixed: the items do not change while the run lasts, so what is at an
	// address stays the same.
	fixed bool
	last  atomic.Int64 // how long the last batch took, nanoseconds
	byKey map[shelfKey]*shared
	order []*shared // the least recently used first

	run     *weft.Lifetime  // nil: a batch by itself
	watched <-chan struct{} // of the run's context, once it is watched
	unwatch func() bool
	stopped chan struct{} // closed when what unwatch could not prevent is over
}

type shelfKey struct {
	p unsafe.Pointer // keeps what is there from being freed, and its address from being used again
	n int            // bytes; -1 for a pointer to a value
	t reflect.Type
}

// shared is one thing on the shelf.
type shared struct {
	id    uint64
	key   shelfKey
	fd    int       // of the segment, or -1
	data  []byte    // the encoded value
	needs []*shared // segments that the value refers to
	users int       // batches under way and values that use it
}

const (
	// shelfSize is how many things are kept for a run beyond those in use.
	shelfSize = 16
	// shareValuesFrom is how large an encoded value must be to be kept.
	shareValuesFrom = 64 << 10
)

// parcel is one message with items: its bytes, and what it refers to.
type parcel struct {
	shelf *shelf
	uses  []*shared
	since []*shared // segments used since a value was asked for
	refs  []shm.Ref // handles in the items
}

// notice is wire.Encoder.Notice: it takes the handles of package shm that are
// in the items.
func (p *parcel) notice(v encoding.BinaryMarshaler) {
	if h, ok := v.(interface{ Ref() shm.Ref }); ok {
		p.refs = append(p.refs, h.Ref())
	}
}

// bulk is wire.Encoder.Bulk.
func (p *parcel) bulk(memory []byte) (uint64, bool, error) {
	key := shelfKey{unsafe.Pointer(unsafe.SliceData(memory)), len(memory), nil}
	if s := p.known(key); s != nil {
		p.since = append(p.since, s)
		return s.id, true, nil
	}
	fd, err := newSegment(memory)
	if err != nil {
		return 0, false, nil //nolint:nilerr // no room, or no descriptors: it is copied through the socket
	}
	s := p.add(&shared{key: key, fd: fd})
	p.since = append(p.since, s)
	return s.id, true, nil
}

func (p *parcel) known(key shelfKey) *shared {
	s := p.shelf
	s.mu.Lock()
	defer s.mu.Unlock()
	got := s.byKey[key]
	for _, u := range p.uses {
		if u.key == key {
			got = u
		}
	}
	if got == nil {
		return nil
	}
	p.use(got)
	return got
}

// use is called with the shelf locked. What s needs comes before it.
func (p *parcel) use(s *shared) {
	for _, need := range s.needs {
		p.use(need)
	}
	for _, u := range p.uses {
		if u == s {
			return
		}
	}
	s.users++
	p.uses = append(p.uses, s)
	for i, o := range p.shelf.order {
		if o == s {
			copy(p.shelf.order[i:], p.shelf.order[i+1:])
			p.shelf.order[len(p.shelf.order)-1] = s
			break
		}
	}
}

func (p *parcel) add(s *shared) *shared {
	s.id = p.shelf.pool.nextID.Add(1)
	sh := p.shelf
	sh.mu.Lock()
	defer sh.mu.Unlock()
	if old := sh.byKey[s.key]; old != nil && sh.fixed {
		// Another batch was quicker.
		if s.fd >= 0 {
			_ = unix.Close(s.fd)
		}
		p.use(old)
		return old
	}
	if sh.fixed {
		sh.byKey[s.key] = s
		sh.order = append(sh.order, s)
	}
	for _, need := range s.needs {
		need.users++
	}
	p.use(s)
	return s
}

// Known and Offer make a parcel a wire.Sharer.
func (p *parcel) Known(at unsafe.Pointer, t reflect.Type) (uint64, bool) {
	if s := p.known(shelfKey{at, -1, t}); s != nil {
		return s.id, true
	}
	p.since = p.since[:0]
	return 0, false
}

func (p *parcel) Offer(at unsafe.Pointer, t reflect.Type, data []byte) (uint64, bool) {
	if len(data) < shareValuesFrom {
		return 0, false
	}
	return p.add(&shared{
		key: shelfKey{at, -1, t}, fd: -1,
		data: append([]byte(nil), data...), needs: append([]*shared(nil), p.since...),
	}).id, true
}

// release ends the parcel's use of what it refers to.
func (p *parcel) release() {
	if len(p.uses) == 0 {
		return
	}
	s := p.shelf
	s.mu.Lock()
	var drop []*shared
	for _, u := range p.uses {
		s.unuse(u, &drop)
	}
	for i := 0; len(s.order) > shelfSize && i < len(s.order); {
		u := s.order[i]
		if u.users > 0 {
			i++
			continue
		}
		s.order = append(s.order[:i], s.order[i+1:]...)
		delete(s.byKey, u.key)
		s.lose(u, &drop)
		i = 0 // what it needed may go too
	}
	s.mu.Unlock()
	clear(p.uses)
	p.uses = p.uses[:0]
	for _, u := range drop {
		s.pool.drop(u)
	}
}

// unuse and lose are called with the shelf locked.
func (s *shelf) unuse(u *shared, drop *[]*shared) {
	if u.users--; u.users == 0 && !s.fixed {
		s.lose(u, drop)
	}
}

func (s *shelf) lose(u *shared, drop *[]*shared) {
	*drop = append(*drop, u)
	for _, need := range u.needs {
		s.unuse(need, drop)
	}
}

// clear drops everything: the run is over, and so are its batches.
func (s *shelf) clear() {
	s.mu.Lock()
	all := s.order
	s.order, s.byKey = nil, map[shelfKey]*shared{}
	s.mu.Unlock()
	for _, u := range all {
		s.pool.drop(u)
	}
}

// drop lets go of something, here and in the workers.
func (p *Pool) drop(s *shared) {
	if s.fd >= 0 {
		_ = unix.Close(s.fd)
	}
	p.mu.Lock()
	var had []*worker
	for w := range p.workers {
		if w.has[s.id] {
			delete(w.has, s.id)
			had = append(had, w)
		}
	}
	p.mu.Unlock()
	for _, w := range had {
		_ = w.tell(controlForget, s.id, nil, -1)
	}
}

const (
	// shortBatch is how long a batch may take for another one to queue behind
	// it, tinyBatch for mostDepth of them to: the worker then goes from one to
	// the next without waiting for this process, and reads and answers several
	// at once.
	shortBatch = 5 * time.Millisecond
	tinyBatch  = 100 * time.Microsecond
	mostDepth  = 32
)

func (s *shelf) took(d time.Duration) { s.last.Store(max(1, int64(d))) }

// depth is how many batches of this run may be at one worker.
func (s *shelf) depth() int {
	switch last := time.Duration(s.last.Load()); {
	case last == 0 || last >= shortBatch:
		return 1
	case last >= tinyBatch:
		return 2
	}
	return mostDepth
}
