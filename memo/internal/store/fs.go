package store

import (
	"io"
	"io/fs"
	"os"
	"strings"
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
// entries are kept open: a hit is then one openat away.
type rooted struct {
	root   *os.Root
	shards [shardCount]atomic.Pointer[os.Root]
	temp   atomic.Pointer[os.Root]
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

// within is the innermost open directory that a name is in, and the rest of
// the name.
func (r *rooted) within(name string) (*os.Root, string) {
	open, dir := &r.temp, "tmp"
	rest, ok := strings.CutPrefix(name, "tmp/")
	if !ok {
		var i int
		if i, rest, ok = shardOf(name); !ok {
			return r.root, name
		}
		open, dir = &r.shards[i], name[:len("e/a")]
	}
	if sub := open.Load(); sub != nil {
		return sub, rest
	}
	sub, err := r.root.OpenRoot(dir)
	if err != nil {
		return r.root, name
	}
	if !open.CompareAndSwap(nil, sub) {
		_ = sub.Close()
		return r.within(name)
	}
	return sub, rest
}

func (r *rooted) Open(name string) (File, error) {
	root, name := r.within(name)
	return file(root.Open(name))
}

func (r *rooted) Create(name string) (File, error) {
	root, name := r.within(name)
	return file(root.OpenFile(name, os.O_CREATE|os.O_EXCL|os.O_WRONLY, fileMode))
}

func (r *rooted) Append(name string) (File, error) {
	return file(r.root.OpenFile(name, os.O_CREATE|os.O_APPEND|os.O_WRONLY, fileMode))
}

func (r *rooted) Mkdir(name string) error {
	err := r.root.Mkdir(name, dirMode)
	if err != nil {
		return err
	}
	// If one is open, someone has removed it.
	open := &r.temp
	if i, _, ok := shardOf(name + "/"); ok {
		open = &r.shards[i]
	} else if name != "tmp" {
		return nil
	}
	if old := open.Swap(nil); old != nil {
		_ = old.Close()
	}
	return nil
}

func (r *rooted) Rename(from, to string) error { return r.root.Rename(from, to) }

func (r *rooted) Remove(name string) error {
	root, name := r.within(name)
	return root.Remove(name)
}

func (r *rooted) Stat(name string) (fs.FileInfo, error) {
	root, name := r.within(name)
	return root.Lstat(name)
}

func (r *rooted) Chtimes(name string, t time.Time) error {
	root, name := r.within(name)
	return root.Chtimes(name, t, t)
}

func (r *rooted) ReadDir(name string) ([]fs.DirEntry, error) { return fs.ReadDir(r.root.FS(), name) }

func (r *rooted) Close() error {
	for i := range r.shards {
		if sub := r.shards[i].Swap(nil); sub != nil {
			_ = sub.Close()
		}
	}
	if sub := r.temp.Swap(nil); sub != nil {
		_ = sub.Close()
	}
	return r.root.Close()
}

// file keeps a nil *os.File from becoming a File.
func file(f *os.File, err error) (File, error) {
	if err != nil {
		return nil, err
	}
	return f, nil
}
