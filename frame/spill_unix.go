//go:build cgo && unix

package frame

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"syscall"
)

// newSpillDir chooses a directory for this process in parent, and removes those
// of processes that are gone. A lock on a file in it says that it is in use,
// and the kernel takes the lock off when the process ends, however that comes.
func newSpillDir(parent string) (*spillDir, error) {
	left, _ := filepath.Glob(filepath.Join(parent, "weft-frame-*"))
	for _, dir := range left {
		if f, err := lockDir(dir, os.O_RDWR); err == nil {
			_ = os.RemoveAll(dir)
			_ = f.Close()
		}
	}
	dir, err := os.MkdirTemp(parent, "weft-frame-")
	if err != nil {
		return nil, err
	}
	return &spillDir{path: dir}, os.Remove(dir)
}

// lock makes the directory, if it is not there, and takes it.
func (d *spillDir) lock() error {
	for {
		if err := os.Mkdir(d.path, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
			return err
		}
		f, err := lockDir(d.path, os.O_RDWR|os.O_CREATE)
		if errors.Is(err, syscall.EWOULDBLOCK) || errors.Is(err, fs.ErrNotExist) {
			runtime.Gosched()
			continue // another process takes it for one that was left, and removes it
		}
		if err != nil {
			return errors.Join(err, os.Remove(d.path))
		}
		if _, err := os.Stat(f.Name()); err != nil {
			_ = f.Close() // the same, but it was faster
			continue
		}
		d.held = f
		return nil
	}
}

func lockDir(dir string, flags int) (*os.File, error) {
	f, err := os.OpenFile(filepath.Join(dir, "lock"), flags|syscall.O_NOFOLLOW, 0o600)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		_ = f.Close()
		return nil, err
	}
	return f, nil
}

// diskFree is what can be written to the disk that dir is on, 0 if not known.
func diskFree(dir string) int64 {
	var s syscall.Statfs_t
	if syscall.Statfs(dir, &s) != nil {
		return 0
	}
	return int64(s.Bavail) * int64(s.Bsize)
}
