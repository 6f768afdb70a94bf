//go:build unix && !solaris && !aix

package joblog

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

// lock keeps a second weft out for as long as the file is open; the system
// drops it with the process. A file system without locks is no hindrance.
func lock(f *os.File) error {
	err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
	if errors.Is(err, unix.EWOULDBLOCK) {
		return err
	}
	return nil
}

// unlock does not leave that to the closing: a program that is being started
// at this moment may have the file open until it is loaded.
func unlock(f *os.File) { _ = unix.Flock(int(f.Fd()), unix.LOCK_UN) }
