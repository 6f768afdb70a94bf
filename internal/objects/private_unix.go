//go:build unix

package objects

import (
	"fmt"
	"io/fs"
	"os"
	"syscall"
)

// private refuses a cache that others could read or plant entries in.
func private(dir string, info fs.FileInfo) error {
	if st, ok := info.Sys().(*syscall.Stat_t); ok && int(st.Uid) != os.Geteuid() {
		return fmt.Errorf("objects: cache: %s belongs to user %d, not to this one (%d): choose another CacheDir", dir, st.Uid, os.Geteuid())
	}
	if info.Mode().Perm()&0o077 != 0 {
		return fmt.Errorf("objects: cache: %s is open to others (%v): chmod 700 it, or choose another CacheDir", dir, info.Mode().Perm())
	}
	return nil
}
