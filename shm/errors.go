package shm

import (
	"errors"
	"fmt"
)

// What an error of this package wraps, for errors.Is.
var (
	// ErrClosed is of something that was closed in this process.
	ErrClosed = errors.New("closed")
	// ErrFull is of memory or disk space that is not there. Nothing was
	// made; free some, or ask for less.
	ErrFull = errors.New("not enough space")
	// ErrMismatch is of a handle, a descriptor or a file that is not what it
	// should be: another type, another length, another segment.
	ErrMismatch = errors.New("mismatch")
	// ErrReadOnly is of writing, or of asking for it, where only reading is
	// granted.
	ErrReadOnly = errors.New("read-only")
	// ErrUnknown is of a handle whose segment this process does not have and
	// could not get.
	ErrUnknown = errors.New("unknown segment")
	// ErrUnsupported is of what this system can't do.
	ErrUnsupported = errors.ErrUnsupported
)

// FaultError is what [Slice.Guard] returns when memory could not be read or
// written: a file became shorter after it was mapped, its disk is full or
// broken, or the memory is read-only.
type FaultError struct {
	// Index is the element that could not be reached.
	Index int
	// Path is the file, or empty for memory.
	Path string
	// Err says more, where more is known.
	Err error
}

func (e *FaultError) Error() string {
	what := "shared memory"
	if e.Path != "" {
		what = e.Path
	}
	return fmt.Sprintf("shm: %s: element %d can't be reached: %v", what, e.Index, e.Err)
}

func (e *FaultError) Unwrap() error { return e.Err }
