package objects

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

func hashOf(i int) string { return fmt.Sprintf("%064x", i) }

func testCache(t *testing.T, dir string, limit int64) *cache {
	t.Helper()
	c, err := openCache(dir, "mem://x", limit)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.close)
	return c
}

func (c *cache) bytes() (n int64) {
	for _, e := range c.entries() {
		n += e.size
	}
	return n
}

// The cache never holds more than its limit, and what was used last stays.
func TestCacheBound(t *testing.T) {
	t.Parallel()
	const limit = 1 << 20
	c := testCache(t, filepath.Join(t.TempDir(), "cache"), limit)
	c.put(hashOf(0), bytesOf(0, 1000))
	for i := 1; i <= 500; i++ {
		c.put(hashOf(i), bytesOf(uint64(i), 10_000))
		if n := c.bytes(); n > limit {
			t.Fatalf("%d bytes after %d entries, limit %d", n, i, limit)
		}
		// A use counts from a minute on: as if that had passed.
		past := time.Now().Add(-time.Hour + time.Duration(i)*time.Second)
		for _, name := range []string{hashOf(0), hashOf(i)} {
			if err := c.root.Chtimes(c.store+name, past, past); err != nil {
				t.Fatal(i, err)
			}
		}
		if c.get(hashOf(0), 1000) == nil {
			t.Fatalf("the entry in use is gone after %d", i)
		}
	}
	if n := c.bytes(); n < limit/2 {
		t.Errorf("%d bytes left of %d: it throws away too much", n, limit)
	}
	if c.get(hashOf(500), 10_000) == nil || c.get(hashOf(1), 10_000) != nil {
		t.Error("not the oldest went first")
	}
	c.put(hashOf(1000), make([]byte, limit+1))
	if c.get(hashOf(1000), limit+1) != nil {
		t.Error("it holds an entry larger than its limit")
	}
}

// Processes that share a directory keep to the limit together, but for a
// thirty-second each.
func TestCacheShared(t *testing.T) {
	t.Parallel()
	const limit, n = 1 << 20, 4
	dir := filepath.Join(t.TempDir(), "cache")
	var wg sync.WaitGroup
	for p := range n {
		c := testCache(t, dir, limit) // as another process has it: its own counts
		wg.Go(func() {
			for i := range 200 {
				c.put(hashOf(p<<20|i), bytesOf(uint64(i), 10_000))
				if b := c.get(hashOf(p<<20|i), 10_000); b != nil && !slices.Equal(b, bytesOf(uint64(i), 10_000)) {
					t.Errorf("entry %d of %d is wrong", i, p)
				}
			}
		})
	}
	wg.Wait()
	c := testCache(t, dir, limit)
	if got := c.bytes(); got > limit+n*limit/32+n*10_000 {
		t.Errorf("%d bytes, limit %d", got, limit)
	}
}

// What dead writers left goes, what others write now stays.
func TestCacheLeftovers(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "cache")
	c := testCache(t, dir, 1<<20)
	old, now := filepath.Join(dir, newPrefix+"old"), filepath.Join(dir, newPrefix+"now")
	for _, name := range []string{old, now} {
		if err := os.WriteFile(name, bytesOf(1, 600<<10), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	past := time.Now().Add(-2 * stale)
	if err := os.Chtimes(old, past, past); err != nil {
		t.Fatal(err)
	}
	c.put(hashOf(1), bytesOf(1, 600<<10))
	if _, err := os.Stat(old); err == nil {
		t.Error("a dead writer's file is still there")
	}
	if _, err := os.Stat(now); err != nil {
		t.Error("a living writer's file is gone:", err)
	}
}

func TestCacheOfOthers(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "cache")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	if os.Getuid() >= 0 { // systems with modes
		if err := os.Chmod(dir, 0o755); err != nil {
			t.Fatal(err)
		}
		if _, err := openCache(dir, "mem://x", 1); err == nil || !strings.Contains(err.Error(), "chmod 700") {
			t.Errorf("open to others: %v", err)
		}
		link := filepath.Join(t.TempDir(), "link")
		if err := os.Symlink(dir, link); err != nil {
			t.Fatal(err)
		}
		if _, err := openCache(link, "mem://x", 1); err == nil || !strings.Contains(err.Error(), "not a directory") {
			t.Errorf("a link: %v", err)
		}
	}
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := openCache(file, "mem://x", 1); err == nil {
		t.Error("a file was taken for a cache")
	}
	// An entry that leads out of the directory is not followed.
	if os.Getuid() >= 0 {
		c := testCache(t, filepath.Join(t.TempDir(), "cache"), 1<<20)
		if err := os.WriteFile(file, []byte("out there"), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink(file, filepath.Join(c.dir, c.store+hashOf(1))); err != nil {
			t.Fatal(err)
		}
		if b := c.get(hashOf(1), 9); b != nil {
			t.Errorf("read %q through a link", b)
		}
	}
}
