//go:build unix && !solaris && !aix

package store

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// dirHandle is an open directory. It takes names without a slash only and
// follows no links, so nothing outside is reached, as with os.Root, from which
// the directory itself comes. It saves half of the system calls of a hit: no
// parents are opened, and no file is tried with the poller.
type dirHandle struct{ f *os.File }

func openDir(root *os.Root, name string) (*dirHandle, error) {
	f, err := root.Open(name)
	if err != nil {
		return nil, err
	}
	return &dirHandle{f}, nil
}

func (d *dirHandle) Close() error { return d.f.Close() }

// at calls f with the directory's descriptor until no signal disturbs it.
func (d *dirHandle) at(op, name string, f func(fd int) error) error {
	if name == "" || name == "." || name == ".." || strings.ContainsRune(name, '/') {
		return &fs.PathError{Op: op, Path: name, Err: fs.ErrInvalid}
	}
	if err := again(func() error { return f(int(d.f.Fd())) }); err != nil {
		return &fs.PathError{Op: op, Path: name, Err: err}
	}
	return nil
}

func again(f func() error) error {
	for {
		if err := f(); err != unix.EINTR {
			return err
		}
	}
}

func (d *dirHandle) open(name string, flags int) (File, error) {
	r := &rawFile{name: name}
	err := d.at("open", name, func(fd int) (err error) {
		r.fd, err = unix.Openat(fd, name, flags|unix.O_NOFOLLOW|unix.O_CLOEXEC, fileMode)
		return err
	})
	if err != nil {
		return nil, err
	}
	return r, nil
}

func (d *dirHandle) Open(name string) (File, error) { return d.open(name, unix.O_RDONLY) }

func (d *dirHandle) Create(name string) (File, error) {
	return d.open(name, unix.O_WRONLY|unix.O_CREAT|unix.O_EXCL)
}

func (d *dirHandle) Remove(name string) error {
	return d.at("remove", name, func(fd int) error { return unix.Unlinkat(fd, name, 0) })
}

func (d *dirHandle) Stat(name string) (fs.FileInfo, error) {
	info := &rawInfo{name: name}
	err := d.at("stat", name, func(fd int) error { return unix.Fstatat(fd, name, &info.st, unix.AT_SYMLINK_NOFOLLOW) })
	return info, err
}

func (d *dirHandle) Chtimes(name string, t time.Time) error {
	ts, err := unix.TimeToTimespec(t)
	if err != nil {
		return err
	}
	return d.at("chtimes", name, func(fd int) error {
		return unix.UtimesNanoAt(fd, name, []unix.Timespec{ts, ts}, unix.AT_SYMLINK_NOFOLLOW)
	})
}

// Sync has the names in the directory reach the disk. Some file systems can't
// do that, and need not.
func (d *dirHandle) Sync() error {
	err := again(func() error { return unix.Fsync(int(d.f.Fd())) })
	if err == nil || errors.Is(err, unix.EINVAL) || errors.Is(err, unix.ENOTSUP) {
		return nil
	}
	return &fs.PathError{Op: "sync", Path: d.f.Name(), Err: err}
}

// canMove tells whether Move works on this system.
const canMove = true

// canPutAt tells whether a small entry may be written at its place: a file can
// be read while another has it open, and a page is seen as a whole.
const canPutAt = true

// Move renames a file into another directory.
func (d *dirHandle) Move(from string, to *dirHandle, name string) error {
	return d.at("rename", from, func(fd int) error {
		return to.at("rename", name, func(toFD int) error { return unix.Renameat(fd, from, toFD, name) })
	})
}

// rawFile is an open file without a poller.
type rawFile struct {
	fd   int
	name string
}

func (r *rawFile) fail(op string, err error) error {
	if err == nil {
		return nil
	}
	return &fs.PathError{Op: op, Path: r.name, Err: err}
}

// most is what one system call moves at most: more is cut short or refused by
// some systems.
const most = 1 << 30

func (r *rawFile) Read(b []byte) (n int, err error) {
	if len(b) == 0 {
		return 0, nil
	}
	err = again(func() error { n, err = unix.Read(r.fd, b[:min(len(b), most)]); return err })
	if err == nil && n == 0 {
		return 0, io.EOF
	}
	return max(0, n), r.fail("read", err)
}

func (r *rawFile) ReadAt(b []byte, off int64) (n int, err error) {
	for n < len(b) {
		var m int
		err = again(func() error {
			m, err = unix.Pread(r.fd, b[n:min(len(b), n+most)], off+int64(n))
			return err
		})
		if err != nil {
			return n, r.fail("read", err)
		}
		if m == 0 {
			return n, io.EOF
		}
		n += m
	}
	return n, nil
}

func (r *rawFile) Write(b []byte) (n int, err error) {
	for n < len(b) {
		var m int
		err = again(func() error { m, err = unix.Write(r.fd, b[n:min(len(b), n+most)]); return err })
		if err != nil {
			return n, r.fail("write", err)
		}
		if m == 0 {
			return n, r.fail("write", io.ErrShortWrite)
		}
		n += m
	}
	return n, nil
}

func (r *rawFile) Stat() (fs.FileInfo, error) {
	info := &rawInfo{name: r.name}
	return info, r.fail("stat", again(func() error { return unix.Fstat(r.fd, &info.st) }))
}

func (r *rawFile) Sync() error {
	return r.fail("sync", again(func() error { return unix.Fsync(r.fd) }))
}

func (r *rawFile) Close() error {
	fd := r.fd
	r.fd = -1
	// After EINTR the descriptor is closed, or another file's.
	if err := unix.Close(fd); err != nil && !errors.Is(err, unix.EINTR) {
		return r.fail("close", err)
	}
	return nil
}

// Fd is for mapping.
func (r *rawFile) Fd() uintptr { return uintptr(r.fd) }

// rawInfo is what the system knows of a file.
type rawInfo struct {
	name string
	st   unix.Stat_t
}

func (i *rawInfo) Name() string       { return i.name }
func (i *rawInfo) Size() int64        { return i.st.Size }
func (i *rawInfo) IsDir() bool        { return i.Mode().IsDir() }
func (i *rawInfo) Sys() any           { return &i.st }
func (i *rawInfo) ModTime() time.Time { return time.Unix(i.st.Mtim.Unix()) }

func (i *rawInfo) Mode() fs.FileMode {
	m := fs.FileMode(i.st.Mode & 0o777)
	switch i.st.Mode & unix.S_IFMT {
	case unix.S_IFREG:
	case unix.S_IFDIR:
		m |= fs.ModeDir
	case unix.S_IFLNK:
		m |= fs.ModeSymlink
	default:
		m |= fs.ModeIrregular
	}
	return m
}

// sameFile tells whether two files are one.
func sameFile(a, b fs.FileInfo) bool {
	x, ok1 := a.(*rawInfo)
	y, ok2 := b.(*rawInfo)
	return ok1 && ok2 && x.st.Dev == y.st.Dev && x.st.Ino == y.st.Ino
}
