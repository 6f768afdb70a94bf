//go:build unix && !solaris && !aix

package raw

import "golang.org/x/sys/unix"

// CanMap tells whether Map works on this system.
const CanMap = true

// Map maps the first size bytes of a file for reading. Writing to them ends
// the program. The mapping outlives the file's closing and its removal.
func Map(fd uintptr, size int) ([]byte, error) {
	return unix.Mmap(int(fd), 0, size, unix.PROT_READ, unix.MAP_SHARED)
}
