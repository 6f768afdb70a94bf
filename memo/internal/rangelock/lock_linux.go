package rangelock

import (
	"errors"
	"io"
	"os"

	"golang.org/x/sys/unix"
)

// Locks are the locks that one open file may take. Two of them exclude each
// other within one process as well (open file description locks).
type Locks struct{ f *os.File }

// New takes locks on f, which must be open for reading and writing.
func New(f *os.File) (*Locks, error) { return &Locks{f}, nil }

// Close gives all locks back and closes the file.
func (l *Locks) Close() error { return l.f.Close() }

// Try locks the byte at off; false if someone else has it.
func (l *Locks) Try(off int64) (bool, error) {
	err := l.set(unix.F_WRLCK, off)
	switch {
	case err == nil:
		return true, nil
	case errors.Is(err, unix.EAGAIN), errors.Is(err, unix.EACCES):
		return false, nil
	case errors.Is(err, unix.ENOLCK), errors.Is(err, unix.EOPNOTSUPP), errors.Is(err, unix.ENOSYS), errors.Is(err, unix.EINVAL):
		return false, ErrUnsupported
	}
	return false, err
}

// Unlock gives the byte at off back.
func (l *Locks) Unlock(off int64) { _ = l.set(unix.F_UNLCK, off) }

func (l *Locks) set(kind int16, off int64) error {
	// Fd would put the file into blocking mode, which a regular file is in
	// anyway; the raw connection keeps it open meanwhile.
	c, err := l.f.SyscallConn()
	if err != nil {
		return err
	}
	var lockErr error
	err = c.Control(func(fd uintptr) {
		for {
			lk := unix.Flock_t{Type: kind, Whence: io.SeekStart, Start: off, Len: 1}
			if lockErr = unix.FcntlFlock(fd, unix.F_OFD_SETLK, &lk); lockErr != unix.EINTR {
				return
			}
		}
	})
	return errors.Join(err, lockErr)
}
