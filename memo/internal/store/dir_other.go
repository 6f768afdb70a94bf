//go:build !unix || solaris || aix

package store

import (
	"errors"
	"io/fs"
	"os"
	"time"
)

// dirHandle is an open directory.
type dirHandle struct{ root *os.Root }

func openDir(root *os.Root, name string) (*dirHandle, error) {
	sub, err := root.OpenRoot(name)
	if err != nil {
		return nil, err
	}
	return &dirHandle{sub}, nil
}

func (d *dirHandle) Close() error                           { return d.root.Close() }
func (d *dirHandle) Open(name string) (File, error)         { return file(d.root.Open(name)) }
func (d *dirHandle) Remove(name string) error               { return d.root.Remove(name) }
func (d *dirHandle) Stat(name string) (fs.FileInfo, error)  { return d.root.Lstat(name) }
func (d *dirHandle) Chtimes(name string, t time.Time) error { return d.root.Chtimes(name, t, t) }

func (d *dirHandle) Create(name string) (File, error) {
	return file(d.root.OpenFile(name, os.O_CREATE|os.O_EXCL|os.O_WRONLY, fileMode))
}

// Sync does nothing: directories can't be synced here.
func (d *dirHandle) Sync() error { return nil }

// canMove tells whether Move works on this system.
const canMove = false

// canPutAt tells whether a small entry may be written at its place.
const canPutAt = false

// Move would rename a file into another directory.
func (d *dirHandle) Move(string, *dirHandle, string) error { return errors.ErrUnsupported }

func sameFile(a, b fs.FileInfo) bool { return os.SameFile(a, b) }
