package store

import (
	"io"
	"io/fs"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// FS is what a store needs of a file system. Names are slash-separated and
// relative; nothing outside the store's directory is ever reached.
type FS interface {
	Open(name string) (File, error)
	// Create makes a new file for writing; it must not exist.
	Create(name string) (File, error)
	// Append opens a file for adding at its end, making it if need be.
	Append(name string) (File, error)
	Mkdir(name string) error
	Rename(from, to string) error
	Remove(name string) error
	Stat(name string) (fs.FileInfo, error)
	ReadDir(name string) ([]fs.DirEntry, error)
	Chtimes(name string, t time.Time) error
	// SyncDir has the names in a directory reach the disk, where the system
	// can do that.
	SyncDir(name string) error
	Close() error
}

// File is an open file of an FS.
type File interface {
	io.Reader
	io.ReaderAt
	io.Writer
	io.Closer
	Stat() (fs.FileInfo, error)
	Sync() error
}

// rooted is a directory of the system, confined by os.Root. The directories of
// entries, and the one of temporary files, are kept open: a hit is then one
// openat away.
type rooted struct {
	root *os.Root
	open [shardCount + 1]atomic.Pointer[dirHandle] // the last is tmp

	mu  sync.Mutex
	old []*dirHandle // of directories that someone has removed
}

const (
	dirMode  = 0o700
	fileMode = 0o600
)

// Dir is the file system below dir, which must exist.
func Dir(dir string) (FS, error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, err
	}
	return &rooted{root: root}, nil
}

// place is which of the open directories a name is in, and the name there.
func place(name string) (i int, rest string, ok bool) {
	if rest, ok := strings.CutPrefix(name, "tmp/"); ok {
		return shardCount, rest, true
	}
	return shardOf(name)
}

// within is the open directory that a name is in; nil if it is in none.
func (r *rooted) within(name string) (*dirHandle, string) {
	i, rest, ok := place(name)
	if !ok {
		return nil, name
	}
	if d := r.open[i].Load(); d != nil {
		return d, rest
	}
	d, err := openDir(r.root, name[:len(name)-len(rest)-1])
	if err != nil {
		return nil, name
	}
	if !r.open[i].CompareAndSwap(nil, d) {
		_ = d.Close()
		return r.within(name)
	}
	return d, rest
}

func (r *rooted) Open(name string) (File, error) {
	if d, name := r.within(name); d != nil {
		return d.Open(name)
	}
	return file(r.root.Open(name))
}

func (r *rooted) Create(name string) (File, error) {
	if d, name := r.within(name); d != nil {
		return d.Create(name)
	}
	return file(r.root.OpenFile(name, os.O_CREATE|os.O_EXCL|os.O_WRONLY, fileMode))
}

func (r *rooted) Append(name string) (File, error) {
	return file(r.root.OpenFile(name, os.O_CREATE|os.O_APPEND|os.O_WRONLY, fileMode))
}

func (r *rooted) Mkdir(name string) error {
	err := r.root.Mkdir(name, dirMode)
	if i, _, ok := place(name + "/"); ok && err == nil {
		// If one is open, someone has removed it. Others may be using it at
		// this moment, so it is closed at the end.
		if d := r.open[i].Swap(nil); d != nil {
			r.mu.Lock()
			r.old = append(r.old, d)
			r.mu.Unlock()
		}
	}
	return err
}

func (r *rooted) Rename(from, to string) error {
	if !canMove {
		return r.root.Rename(from, to)
	}
	a, oldName := r.within(from)
	b, newName := r.within(to)
	if a == nil || b == nil {
		return r.root.Rename(from, to)
	}
	return a.Move(oldName, b, newName)
}

func (r *rooted) Remove(name string) error {
	if d, name := r.within(name); d != nil {
		return d.Remove(name)
	}
	return r.root.Remove(name)
}

func (r *rooted) Stat(name string) (fs.FileInfo, error) {
	if d, name := r.within(name); d != nil {
		return d.Stat(name)
	}
	return r.root.Lstat(name)
}

func (r *rooted) Chtimes(name string, t time.Time) error {
	if d, name := r.within(name); d != nil {
		return d.Chtimes(name, t)
	}
	return r.root.Chtimes(name, t, t)
}

func (r *rooted) SyncDir(name string) error {
	if d, _ := r.within(name + "/x"); d != nil {
		return d.Sync()
	}
	return fs.ErrNotExist
}

func (r *rooted) ReadDir(name string) ([]fs.DirEntry, error) { return fs.ReadDir(r.root.FS(), name) }

func (r *rooted) Close() error {
	for i := range r.open {
		if d := r.open[i].Swap(nil); d != nil {
			_ = d.Close()
		}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, d := range r.old {
		_ = d.Close()
	}
	r.old = nil
	return r.root.Close()
}

// file keeps a nil *os.File from becoming a File.
func file(f *os.File, err error) (File, error) {
	if err != nil {
		return nil, err
	}
	return f, nil
}
