//go:build unix && !linux

package rangelock

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"sync"

	"golang.org/x/sys/unix"
)

// Here a lock belongs to the process, and closing any descriptor of the file
// drops all of them. So a process opens each file once, and keeps a list of
// what it has locked itself.
var (
	mu     sync.Mutex
	shared = map[string]*one{}
)

type one struct {
	f    *os.File
	refs int
	held map[int64]*Locks
}

// Locks are the locks that one user of a file may take.
type Locks struct {
	name string
	one  *one
}

// New takes locks on f, which must be open for reading and writing.
func New(f *os.File) (*Locks, error) {
	name, err := filepath.Abs(f.Name())
	if err != nil {
		return nil, err
	}
	if real, err := filepath.EvalSymlinks(name); err == nil {
		name = real
	}
	mu.Lock()
	defer mu.Unlock()
	o := shared[name]
	if o == nil {
		o = &one{f: f, held: map[int64]*Locks{}}
		shared[name] = o
	} else if o.f != f {
		// Closing f would drop the locks of the other: it is kept, for the
		// life of the process.
		kept = append(kept, f)
	}
	o.refs++
	return &Locks{name, o}, nil
}

var kept []*os.File

// Close gives all locks back; the last one closes the file.
func (l *Locks) Close() error {
	mu.Lock()
	defer mu.Unlock()
	for off, by := range l.one.held {
		if by == l {
			delete(l.one.held, off)
			_ = set(l.one.f, unix.F_UNLCK, off)
		}
	}
	if l.one.refs--; l.one.refs == 0 {
		delete(shared, l.name)
		return l.one.f.Close()
	}
	return nil
}

// Try locks the byte at off; false if someone else has it.
func (l *Locks) Try(off int64) (bool, error) {
	mu.Lock()
	defer mu.Unlock()
	if l.one.held[off] != nil {
		return false, nil
	}
	err := set(l.one.f, unix.F_WRLCK, off)
	switch {
	case err == nil:
		l.one.held[off] = l
		return true, nil
	case errors.Is(err, unix.EAGAIN), errors.Is(err, unix.EACCES):
		return false, nil
	case errors.Is(err, unix.ENOLCK), errors.Is(err, unix.EOPNOTSUPP), errors.Is(err, unix.ENOSYS):
		return false, ErrUnsupported
	}
	return false, err
}

// Unlock gives the byte at off back.
func (l *Locks) Unlock(off int64) {
	mu.Lock()
	defer mu.Unlock()
	if l.one.held[off] == l {
		delete(l.one.held, off)
		_ = set(l.one.f, unix.F_UNLCK, off)
	}
}

func set(f *os.File, kind int16, off int64) error {
	for {
		lk := unix.Flock_t{Type: kind, Whence: io.SeekStart, Start: off, Len: 1}
		if err := unix.FcntlFlock(f.Fd(), unix.F_SETLK, &lk); err != unix.EINTR {
			return err
		}
	}
}
