package rangelock

import (
	"errors"
	"os"

	"golang.org/x/sys/windows"
)

// Locks are the locks that one open file may take.
type Locks struct{ f *os.File }

// New takes locks on f, which must be open for reading and writing.
func New(f *os.File) (*Locks, error) { return &Locks{f}, nil }

// Close gives all locks back and closes the file.
func (l *Locks) Close() error { return l.f.Close() }

// Try locks the byte at off; false if someone else has it.
func (l *Locks) Try(off int64) (bool, error) {
	err := windows.LockFileEx(windows.Handle(l.f.Fd()), windows.LOCKFILE_EXCLUSIVE_LOCK|windows.LOCKFILE_FAIL_IMMEDIATELY, 0, 1, 0, at(off))
	switch {
	case err == nil:
		return true, nil
	case errors.Is(err, windows.ERROR_LOCK_VIOLATION), errors.Is(err, windows.ERROR_IO_PENDING):
		return false, nil
	case errors.Is(err, windows.ERROR_NOT_SUPPORTED), errors.Is(err, windows.ERROR_CALL_NOT_IMPLEMENTED):
		return false, ErrUnsupported
	}
	return false, err
}

// Unlock gives the byte at off back.
func (l *Locks) Unlock(off int64) {
	_ = windows.UnlockFileEx(windows.Handle(l.f.Fd()), 0, 1, 0, at(off))
}

func at(off int64) *windows.Overlapped {
	return &windows.Overlapped{Offset: uint32(off), OffsetHigh: uint32(off >> 32)}
}
