package cluster_test

import (
	"errors"
	"fmt"
	"os"
	"syscall"
)

// mountSmall makes dir a disk of a megabyte.
func mountSmall(dir string) error {
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=1m"); err != nil {
		return fmt.Errorf("mount a small tmpfs: %w", err)
	}
	return nil
}

// unmount takes it away, also while a worker that is being killed has files on it.
func unmount(dir string) error { return syscall.Unmount(dir, syscall.MNT_DETACH) }

// fill writes a file until its disk is full.
func fill(name string) error {
	f, err := os.Create(name)
	if err != nil {
		return err
	}
	for err == nil {
		_, err = f.Write(make([]byte, 4096))
	}
	if !errors.Is(err, syscall.ENOSPC) {
		return err
	}
	return f.Close()
}
