package shm

import (
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"syscall"
)

// FileOption is an option of [MapFile].
type FileOption func(*fileConfig)

type fileConfig struct {
	offset int64
	length int
	set    bool
}

// Offset has the elements start so many bytes into the file, behind its
// header. It must be a multiple of T's alignment. Defaults to 0.
func Offset(bytes int64) FileOption { return func(c *fileConfig) { c.offset = bytes } }

// Length is the number of elements. Defaults to all to the end of the file,
// which must then end with a whole one.
func Length(n int) FileOption {
	return func(c *fileConfig) { c.length, c.set = n, true }
}

// MapFile maps a file as a slice, like numpy.memmap: nothing is read until it
// is touched, and the file may be larger than the memory. T is as with [Make],
// but without bools, for a file may hold bytes that are none. The numbers are
// in the byte order of the machine.
//
// A file that is too short, does not end with a whole element, or is not there
// is an error. With [ReadWrite], disk space is taken for its holes first, so
// that a full disk is an error here and not a crash later, where the file
// system can do that.
//
// A file that gets shorter while it is mapped is another matter: touching what
// is gone ends the process, with SIGBUS. Nothing can keep another program from
// it. [Slice.Check] tells, [Slice.Guard] turns it into an error, and whoever
// replaces a file safely writes a new one and renames it.
func MapFile[T any](path string, mode Mode, opts ...FileOption) (*Slice[T], error) {
	var c fileConfig
	for _, o := range opts {
		o(&c)
	}
	l, err := layoutOf[T]()
	if err != nil {
		return nil, err
	}
	fail := func(err error) (*Slice[T], error) {
		return nil, fmt.Errorf("shm: MapFile %s as %s: %w", path, l.name, err)
	}
	switch {
	case l.hasBool != "":
		return fail(fmt.Errorf("%s is a bool, and a file may hold bytes that are none: use uint8", l.hasBool))
	case mode < ReadOnly || mode > Create:
		return fail(fmt.Errorf("there is no %v", mode))
	case c.set && c.length < 1:
		return fail(fmt.Errorf("length %d: at least 1 is needed", c.length))
	case mode == Create && !c.set:
		return fail(errors.New("mode Create needs a Length"))
	case c.offset < 0 || c.offset > math.MaxInt64/2:
		return fail(fmt.Errorf("offset %d: out of range", c.offset))
	case c.offset%int64(l.align) != 0:
		return fail(fmt.Errorf("offset %d: not a multiple of %d, the alignment of %s: %w", c.offset, l.align, l.name, ErrMismatch))
	}
	flags := os.O_RDONLY
	switch mode {
	case ReadWrite:
		flags = os.O_RDWR
	case Create:
		flags = os.O_RDWR | os.O_CREATE | os.O_TRUNC
	}
	flags |= syscall.O_NONBLOCK // opening a named pipe must not wait for its other end
	f, err := os.OpenFile(path, flags, 0o666)
	if err != nil {
		if p, ok := errors.AsType[*fs.PathError](err); ok {
			err = p.Err
		}
		return fail(err)
	}
	s, err := mapOpen[T](f, path, mode, l, c)
	if err != nil {
		f.Close()
		return fail(err)
	}
	return s, nil
}

func mapOpen[T any](f *os.File, path string, mode Mode, l layout, c fileConfig) (*Slice[T], error) {
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("not a regular file: %w", ErrMismatch)
	}
	rest := info.Size() - c.offset
	switch {
	case c.set:
		size, err := sizeOf(c.length, l.size)
		if err != nil {
			return nil, err
		}
		if mode != Create && rest < int64(size) {
			return nil, fmt.Errorf("the file has %d bytes; %d elements of %d bytes from %d on end at %d (is it truncated?): %w",
				info.Size(), c.length, l.size, c.offset, c.offset+int64(size), ErrMismatch)
		}
		rest = int64(size)
	case rest < int64(l.size):
		return nil, fmt.Errorf("the file has %d bytes, not one element of %d bytes from %d on: %w", info.Size(), l.size, c.offset, ErrMismatch)
	case rest%int64(l.size) != 0:
		return nil, fmt.Errorf("the file has %d bytes from %d on, %d more than whole elements of %d bytes (is it truncated? else say Length): %w",
			rest, c.offset, rest%int64(l.size), l.size, ErrMismatch)
	case rest > math.MaxInt-1<<20:
		return nil, fmt.Errorf("%w: more bytes than an address has", ErrFull)
	}
	if mode == Create || mode == ReadWrite {
		if err := reserve(f, c.offset, rest, mode == Create); err != nil {
			if mode == Create {
				f.Truncate(0) // give back what was got
			}
			return nil, err
		}
		mode = ReadWrite
	}
	st, err := statusOf(f)
	if err != nil {
		return nil, err
	}
	seg := &segment{refs: 1, path: path, ref: Ref{
		id: newID(), mode: mode, kind: ofFile, typ: l.name, fingerprint: l.fingerprint,
		elem: l.size, length: int(rest / int64(l.size)), offset: c.offset, dev: st.dev, ino: st.ino,
	}}
	if mode == ReadWrite {
		seg.rw = f
	} else {
		seg.ro = f
	}
	m, err := seg.mapped(mode)
	if err != nil {
		return nil, err
	}
	if seg.ref.mode == CopyOnWrite {
		seg.ref.mode = ReadOnly
	}
	seg.add()
	return newSlice[T](seg, m, mode), nil
}
