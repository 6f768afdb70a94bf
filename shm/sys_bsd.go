//go:build darwin || freebsd

package shm

import (
	"errors"
	"fmt"
	"os"
)

// makeMemory makes a file in the directory for temporary files and takes its
// name away at once. Its space is taken by writing, so that a full disk is an
// error here. Both descriptors are opened while it has the name.
func makeMemory(size int64, content []byte) (rw, ro *os.File, err error) {
	rw, err = os.CreateTemp("", "weft-shm-*")
	if err != nil {
		return nil, nil, err
	}
	ro, err = os.Open(rw.Name())
	if err = errors.Join(err, os.Remove(rw.Name())); err == nil {
		if content == nil {
			err = writeZeros(rw, 0, size)
		} else {
			err = errors.Join(writeZeros(rw, 0, headerSize), writeAll(rw, headerSize, content))
		}
	}
	if err != nil {
		rw.Close()
		if ro != nil {
			ro.Close()
		}
		return nil, nil, err
	}
	return rw, ro, nil
}

// reserve makes a file as long as it is to be. Holes stay holes.
func reserve(f *os.File, start, size int64, grow bool) error {
	if !grow {
		return nil
	}
	return writeZeros(f, 0, start+size)
}

func reopenReadOnly(f *os.File) (*os.File, error) {
	r, err := os.Open(f.Name()) // a mapped file has a name
	if err != nil {
		return nil, fmt.Errorf("shm: a descriptor that only reads: %w", err)
	}
	return r, nil
}

func populate([]byte) {}

func frozen(*os.File) bool { return false }

func freeze(*os.File) error { return fmt.Errorf("Linux only: %w", ErrUnsupported) }

func couldShrink(*os.File) bool { return false }
