//go:build cgo

package frame

import (
	"errors"
	"os"
	"path/filepath"
)

// spillDir is the directory that an engine spills to. It is the engine's own,
// as engines that share one write over each other's files, and there only while
// queries run, so that a program that ends leaves nothing.
type spillDir struct {
	path string
	made string   // the directory that it is in, if that was made for it
	held *os.File // the lock
}

// spillIn chooses a directory in parent, which is made if it is not there.
func spillIn(parent string) (*spillDir, error) {
	parent, err := filepath.Abs(parent)
	if err != nil {
		return nil, err
	}
	made := ""
	if _, err := os.Stat(parent); errors.Is(err, os.ErrNotExist) {
		made = parent
	}
	if err := os.MkdirAll(parent, 0o700); err != nil {
		return nil, err
	}
	d, err := newSpillDir(parent)
	if err == nil {
		err = d.take() // to see that it can be made
	}
	if err != nil {
		return nil, err
	}
	d.made = made
	d.give()
	return d, nil
}

// take is for the first of the queries that run.
func (d *spillDir) take() error {
	if d.held != nil {
		return nil
	}
	return d.lock()
}

// give is for the last of them. What the engine has lost sight of, as it does
// with a block that did not fit on the disk, keeps its name until the engine
// ends, but no room.
func (d *spillDir) give() {
	left, err := os.ReadDir(d.path)
	lost := err != nil
	for _, f := range left {
		if f.Name() != "lock" {
			lost = true
			_ = os.Truncate(filepath.Join(d.path, f.Name()), 0)
		}
	}
	if !lost {
		d.clear()
	}
}

func (d *spillDir) clear() {
	_ = os.RemoveAll(d.path)
	if d.held != nil {
		_ = d.held.Close()
		d.held = nil
	}
}

// remove is for the end of the engine.
func (d *spillDir) remove() {
	d.clear()
	if d.made != "" {
		_ = os.Remove(d.made) // if it is empty
	}
}
