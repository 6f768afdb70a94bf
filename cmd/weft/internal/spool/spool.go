// Package spool keeps the output of jobs until it is their turn: a little in
// memory, more in temporary files. Memory is bounded for all jobs together.
package spool

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"sync/atomic"
)

// File is where output goes that is too long for memory. It is gone when it is
// closed.
type File interface {
	io.Writer
	io.ReaderAt
	io.Closer
}

// Config bounds a Spool.
type Config struct {
	// Each is the most bytes of one buffer in memory. Defaults to 256 KiB.
	Each int
	// All is the most bytes of all buffers in memory. Defaults to 64 MiB.
	All int64
	// Dir is where the files are. Defaults to the system's directory for
	// temporary files.
	Dir string
	// Create makes a file. Defaults to a temporary file in Dir, which has no
	// name any more where the system allows that: also kill -9 leaves nothing.
	Create func() (File, error)
}

// Spool makes buffers that share its memory.
type Spool struct {
	each   int
	all    int64
	dir    string
	create func() (File, error)
	held   atomic.Int64
}

// New returns a Spool.
func New(c Config) *Spool {
	s := &Spool{each: c.Each, all: c.All, dir: c.Dir, create: c.Create}
	if s.each == 0 {
		s.each = 256 << 10
	}
	if s.all == 0 {
		s.all = 64 << 20
	}
	if s.dir == "" {
		s.dir = os.TempDir()
	}
	if s.create == nil {
		s.create = func() (File, error) { return temporary(s.dir) }
	}
	return s
}

// Error is output that could not be kept.
type Error struct {
	Dir string
	Err error
}

func (e *Error) Error() string {
	err := e.Err
	if pe, ok := errors.AsType[*fs.PathError](err); ok {
		err = pe.Err
	}
	return fmt.Sprintf("output of jobs can not be kept in %s: %v; make room there, or set TMPDIR to a directory with more", e.Dir, err)
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// Buffer holds one output. One goroutine writes it, then one reads it.
type Buffer struct {
	s    *Spool
	mem  []byte
	file File
	n    int64
	err  error
}

// Buffer returns an empty buffer.
func (s *Spool) Buffer() *Buffer { return &Buffer{s: s} }

// Len is the number of bytes kept.
func (b *Buffer) Len() int64 { return b.n }

// Write keeps p. Its error is an *Error, and is the same from then on.
func (b *Buffer) Write(p []byte) (int, error) {
	if b.err != nil {
		return 0, b.err
	}
	if b.file == nil {
		if len(b.mem)+len(p) <= b.s.each {
			if b.s.held.Add(int64(len(p))) <= b.s.all {
				b.mem = append(b.mem, p...)
				b.n += int64(len(p))
				return len(p), nil
			}
			b.s.held.Add(-int64(len(p)))
		}
		if err := b.spill(); err != nil {
			return 0, b.fail(err)
		}
	}
	n, err := b.file.Write(p)
	b.n += int64(n)
	if err != nil {
		return n, b.fail(err)
	}
	return n, nil
}

func (b *Buffer) fail(err error) error {
	b.err = &Error{b.s.dir, err}
	return b.err
}

func (b *Buffer) spill() error {
	f, err := b.s.create()
	if err != nil {
		return err
	}
	if _, err := f.Write(b.mem); err != nil {
		_ = f.Close()
		return err
	}
	b.s.held.Add(-int64(len(b.mem)))
	b.mem, b.file = nil, f
	return nil
}

// Reader reads what is kept from its start.
func (b *Buffer) Reader() io.Reader {
	if b.file != nil {
		return io.NewSectionReader(b.file, 0, b.n)
	}
	return bytes.NewReader(b.mem)
}

// Close lets go of everything. It may be called twice.
func (b *Buffer) Close() {
	b.s.held.Add(-int64(len(b.mem)))
	b.mem = nil
	if b.file != nil {
		_ = b.file.Close()
		b.file = nil
	}
	b.n = 0
}
