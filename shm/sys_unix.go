//go:build linux || darwin || freebsd

package shm

import (
	"errors"
	"fmt"
	"io"
	"os"

	"golang.org/x/sys/unix"
)

// mapMemory maps a part of a file; start is at a page.
func mapMemory(f *os.File, start int64, size int, mode Mode) ([]byte, error) {
	prot, flags := unix.PROT_READ, unix.MAP_SHARED
	switch mode {
	case ReadWrite:
		prot |= unix.PROT_WRITE
	case CopyOnWrite:
		prot |= unix.PROT_WRITE
		flags = unix.MAP_PRIVATE
	}
	b, err := unix.Mmap(int(f.Fd()), start, size, prot, flags)
	switch {
	case err == nil:
		return b, nil
	case mode == ReadWrite && (err == unix.EPERM || err == unix.EACCES):
		return nil, fmt.Errorf("%w: %w", ErrReadOnly, os.NewSyscallError("mmap", err))
	case err == unix.ENOMEM:
		return nil, fmt.Errorf("%w: no addresses left, or too many mappings: %w", ErrFull, os.NewSyscallError("mmap", err))
	}
	return nil, os.NewSyscallError("mmap", err)
}

func unmap(b []byte) error { return os.NewSyscallError("munmap", unix.Munmap(b)) }

func flush(b []byte) error { return os.NewSyscallError("msync", unix.Msync(b, unix.MS_SYNC)) }

func duplicate(f *os.File) (*os.File, error) {
	fd, err := unix.FcntlInt(f.Fd(), unix.F_DUPFD_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("shm: duplicate a descriptor: %w", os.NewSyscallError("fcntl", err))
	}
	return os.NewFile(uintptr(fd), f.Name()), nil
}

type status struct {
	size     int64
	dev, ino uint64
	writable bool
	unsealed bool
}

func statusOf(f *os.File) (st status, err error) {
	var s unix.Stat_t
	if err := unix.Fstat(int(f.Fd()), &s); err != nil {
		return st, os.NewSyscallError("fstat", err)
	}
	if s.Mode&unix.S_IFMT != unix.S_IFREG {
		return st, fmt.Errorf("the descriptor is of no file: %w", ErrMismatch)
	}
	flags, err := unix.FcntlInt(f.Fd(), unix.F_GETFL, 0)
	if err != nil {
		return st, os.NewSyscallError("fcntl", err)
	}
	return status{
		size: int64(s.Size), dev: uint64(s.Dev), ino: uint64(s.Ino),
		writable: flags&unix.O_ACCMODE == unix.O_RDWR, unsealed: couldShrink(f),
	}, nil
}

// writeZeros allocates by writing, where nothing else does.
func writeZeros(f *os.File, start, size int64) error {
	zeros := make([]byte, min(size, 1<<20))
	for done := int64(0); done < size; done += int64(len(zeros)) {
		if err := writeAll(f, start+done, zeros[:min(int64(len(zeros)), size-done)]); err != nil {
			return err
		}
	}
	return nil
}

// writeAll writes b, a part at a time, so that no call is long.
func writeAll(f *os.File, start int64, b []byte) error {
	const part = 8 << 20
	for done := 0; done < len(b); {
		n, err := f.WriteAt(b[done:min(done+part, len(b))], start+int64(done))
		done += n
		if errors.Is(err, unix.ENOSPC) || errors.Is(err, unix.EDQUOT) || errors.Is(err, unix.ENOMEM) || errors.Is(err, io.ErrShortWrite) {
			return fmt.Errorf("%w: the system took %s of %s: %w", ErrFull, bytesText(int64(done)), bytesText(int64(len(b))), err)
		}
		if err != nil {
			return err
		}
	}
	return nil
}
