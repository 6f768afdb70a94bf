package shm

import (
	"encoding/binary"
	"fmt"
	"math"
	"slices"
)

// Handle is a small value that stands for shared memory and can cross to
// another process: as an argument, or a field of one. It does not hold the
// memory. The zero Handle stands for nothing.
type Handle[T any] struct {
	ref Ref
	err error
}

// Open returns the memory that h stands for, in h's mode; close it after use.
// In a process that has the memory already, it takes well below a microsecond
// and maps nothing: a worker keeps what it was given until the process that
// made it closes it. A segment that was closed, a handle of another run or of
// another type is an error.
func (h Handle[T]) Open() (*Slice[T], error) {
	l, err := layoutOf[T]()
	if err != nil {
		return nil, err
	}
	if h.err != nil {
		return nil, h.err
	}
	if err := h.ref.fits(l); err != nil {
		return nil, err
	}
	seg, err := h.ref.segment()
	if err != nil {
		return nil, err
	}
	if h.ref.mode.writes() {
		err = seg.notFrozen()
	}
	var m *mapping
	if err == nil {
		m, err = seg.mapped(h.ref.mode)
	}
	if err != nil {
		seg.release()
		return nil, err
	}
	return newSlice[T](seg, m, h.ref.mode), nil
}

// Len returns the number of elements.
func (h Handle[T]) Len() int { return h.ref.length }

// Ref returns the handle without its type, for whoever carries it.
func (h Handle[T]) Ref() Ref { return h.ref }

// MarshalBinary encodes the handle in some 80 bytes.
func (h Handle[T]) MarshalBinary() ([]byte, error) {
	if h.err != nil {
		return nil, h.err
	}
	return h.ref.MarshalBinary()
}

// UnmarshalBinary decodes a handle. One of another type is an error.
func (h *Handle[T]) UnmarshalBinary(data []byte) error {
	l, err := layoutOf[T]()
	if err != nil {
		return err
	}
	var r Ref
	if err := r.UnmarshalBinary(data); err != nil {
		return err
	}
	if err := r.fits(l); err != nil {
		return err
	}
	*h = Handle[T]{ref: r}
	return nil
}

func (h Handle[T]) String() string { return h.ref.String() }

type kind uint8

const (
	ofMemory kind = 1 + iota
	ofFile
)

// Ref is a [Handle] without its type, for a package that carries handles and
// their descriptors between processes. It can be compared and be the key of a
// map. NOTE: Experimental.
type Ref struct {
	id          ID
	mode        Mode
	kind        kind
	typ         string // shortened
	fingerprint uint64
	elem        int
	length      int
	// of a file
	offset   int64
	dev, ino uint64
}

// ID names the segment. Refs of the same segment in several modes have the
// same.
func (r Ref) ID() ID { return r.id }

// Mode is what the one who opens it may do.
func (r Ref) Mode() Mode { return r.mode }

func (r Ref) String() string {
	if r.kind == 0 {
		return "the zero handle"
	}
	what := "shared memory"
	if r.kind == ofFile {
		what = "a mapped file"
	}
	return fmt.Sprintf("%s %x-%d (%d of %s, %v)", what, r.id[:4], binary.LittleEndian.Uint64(r.id[8:]), r.length, r.typ, r.mode)
}

// payload is the size of the elements, bytes that of all that is mapped.
func (r Ref) payload() int { return r.elem * r.length }

func (r Ref) bytes() int {
	if r.kind == ofMemory {
		return headerSize + r.payload()
	}
	return r.payload()
}

// fits tells whether r is a handle of memory of the type.
func (r Ref) fits(l layout) error {
	if r.kind == 0 {
		return fmt.Errorf("shm: the zero handle stands for nothing; take one from Slice.Handle")
	}
	if r.fingerprint != l.fingerprint || r.elem != l.size {
		return fmt.Errorf("shm: %v is opened as %s (%d bytes each, not %d): %w", r, l.name, l.size, r.elem, ErrMismatch)
	}
	return nil
}

// same tells whether two refs agree on everything but the mode.
func (r Ref) same(o Ref) bool {
	r.mode = o.mode
	return r == o
}

const (
	refVersion = 1
	refFixed   = 3 + 16 + 8 + 8 + 8 + 8 + 8 + 8 + 1
)

// MarshalBinary encodes r. See [Handle.MarshalBinary].
func (r Ref) MarshalBinary() ([]byte, error) {
	if r.kind == 0 {
		return nil, fmt.Errorf("shm: the zero handle stands for nothing and can't be sent; take one from Slice.Handle")
	}
	b := make([]byte, 0, refFixed+len(r.typ))
	b = append(b, refVersion, byte(r.mode), byte(r.kind))
	b = append(b, r.id[:]...)
	for _, v := range []uint64{r.fingerprint, uint64(r.elem), uint64(r.length), uint64(r.offset), r.dev, r.ino} {
		b = binary.LittleEndian.AppendUint64(b, v)
	}
	b = append(b, byte(len(r.typ)))
	return append(b, r.typ...), nil
}

// UnmarshalBinary decodes what MarshalBinary made and refuses all else.
func (r *Ref) UnmarshalBinary(data []byte) error {
	bad := func(what string) error { return fmt.Errorf("shm: not a handle: %s: %w", what, ErrMismatch) }
	if len(data) < refFixed {
		return bad(fmt.Sprintf("%d bytes, at least %d are needed", len(data), refFixed))
	}
	if data[0] != refVersion {
		return bad(fmt.Sprintf("version %d, this build reads %d", data[0], refVersion))
	}
	got := Ref{mode: Mode(data[1]), kind: kind(data[2]), id: ID(data[3:19])}
	var nums [6]uint64
	for i := range nums {
		nums[i] = binary.LittleEndian.Uint64(data[19+8*i:])
	}
	name := data[refFixed:]
	if int(data[refFixed-1]) != len(name) || len(name) > maxName {
		return bad("the name of its type has the wrong length")
	}
	switch {
	case !slices.Contains([]Mode{ReadOnly, ReadWrite, CopyOnWrite}, got.mode):
		return bad(fmt.Sprintf("there is no %v", got.mode))
	case got.kind != ofMemory && got.kind != ofFile:
		return bad("neither memory nor a file")
	case nums[1] < 1 || nums[1] > math.MaxInt32:
		return bad(fmt.Sprintf("elements of %d bytes", nums[1]))
	case nums[2] < 1 || nums[2] > math.MaxInt:
		return bad(fmt.Sprintf("%d elements", nums[2]))
	case nums[3] > math.MaxInt64-1<<32 || got.kind == ofMemory && (nums[3] != 0 || nums[4] != 0 || nums[5] != 0):
		return bad("a wrong offset")
	}
	size, err := sizeOf(int(nums[2]), int(nums[1]))
	if err != nil || int64(nums[3]) > math.MaxInt64-1<<20-int64(size) {
		return bad(fmt.Sprintf("%d elements of %d bytes", nums[2], nums[1]))
	}
	got.fingerprint, got.elem, got.length = nums[0], int(nums[1]), int(nums[2])
	got.offset, got.dev, got.ino = int64(nums[3]), nums[4], nums[5]
	got.typ = string(name)
	*r = got
	return nil
}
