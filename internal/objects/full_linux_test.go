package objects

import (
	"bytes"
	"os"
	"path/filepath"
	"syscall"
	"testing"
)

// A full disk costs the cache, not the value.
func TestCacheFullDisk(t *testing.T) {
	t.Parallel()
	disk := t.TempDir()
	if err := syscall.Mount("tmpfs", disk, "tmpfs", 0, "size=1m"); err != nil {
		t.Skipf("NOT TESTED: a cache on a full disk, as a small tmpfs cannot be mounted: %v", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(disk, 0); err != nil {
			t.Error(err)
		}
	})
	// Closed before the disk goes, as cleanups run in reverse.
	s := open(t, "mem://"+t.Name(), Options{CacheDir: filepath.Join(disk, "cache"), CacheBytes: 1 << 30})
	var refs []Ref
	for i := range 40 {
		refs = append(refs, put(t, s, "x", bytesOf(uint64(i), 100<<10)))
	}
	for i, ref := range refs {
		if !bytes.Equal(get(t, s, ref), bytesOf(uint64(i), 100<<10)) {
			t.Errorf("value %d is wrong", i)
		}
	}
	if s.cache.limit > 1<<20 {
		t.Errorf("the cache still takes %d bytes of a disk of 1 MiB", s.cache.limit)
	}
	// Others find room on the disk again.
	if err := os.WriteFile(filepath.Join(disk, "other"), bytesOf(1, 200<<10), 0o600); err != nil {
		t.Error(err)
	}
}
