//go:build !linux && !darwin && !freebsd

package shm

import (
	"fmt"
	"os"
	"runtime"
)

var errNotHere = fmt.Errorf("shm: not supported on %s yet: %w", runtime.GOOS, ErrUnsupported)

type status struct {
	size     int64
	dev, ino uint64
	writable bool
	unsealed bool
}

func makeMemory(int64, []byte) (rw, ro *os.File, err error) { return nil, nil, errNotHere }
func mapMemory(*os.File, int64, int, Mode) ([]byte, error)  { return nil, errNotHere }
func populate([]byte)                                       {}
func unmap([]byte) error                                    { return errNotHere }
func flush([]byte) error                                    { return errNotHere }
func duplicate(*os.File) (*os.File, error)                  { return nil, errNotHere }
func statusOf(*os.File) (status, error)                     { return status{}, errNotHere }
func reserve(*os.File, int64, int64, bool) error            { return errNotHere }
func reopenReadOnly(*os.File) (*os.File, error)             { return nil, errNotHere }
func frozen(*os.File) bool                                  { return false }
func freeze(*os.File) error                                 { return errNotHere }
