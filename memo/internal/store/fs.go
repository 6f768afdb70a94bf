package store

import (
	"io"
	"io/fs"
	"os"
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

// rooted is a directory of the system, confined by os.Root.
type rooted struct{ root *os.Root }

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
	return rooted{root}, nil
}

func (r rooted) Open(name string) (File, error) { return file(r.root.Open(name)) }
func (r rooted) Create(name string) (File, error) {
	return file(r.root.OpenFile(name, os.O_CREATE|os.O_EXCL|os.O_WRONLY, fileMode))
}

func (r rooted) Append(name string) (File, error) {
	return file(r.root.OpenFile(name, os.O_CREATE|os.O_APPEND|os.O_WRONLY, fileMode))
}
func (r rooted) Mkdir(name string) error                    { return r.root.Mkdir(name, dirMode) }
func (r rooted) Rename(from, to string) error               { return r.root.Rename(from, to) }
func (r rooted) Remove(name string) error                   { return r.root.Remove(name) }
func (r rooted) Stat(name string) (fs.FileInfo, error)      { return r.root.Lstat(name) }
func (r rooted) Chtimes(name string, t time.Time) error     { return r.root.Chtimes(name, t, t) }
func (r rooted) ReadDir(name string) ([]fs.DirEntry, error) { return fs.ReadDir(r.root.FS(), name) }
func (r rooted) Close() error                               { return r.root.Close() }

// file keeps a nil *os.File from becoming a File.
func file(f *os.File, err error) (File, error) {
	if err != nil {
		return nil, err
	}
	return f, nil
}
