package objects

import (
	"cmp"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"
)

// cache keeps objects as stored (sealed ones sealed) in a directory that the
// processes of one user share. There is no lock and no index: an entry is a
// file that appears whole, its time is when it was last used, and whoever
// finds the directory too large removes the oldest. Each process looks at the
// directory again after it added a thirty-second of the limit, so n processes
// may go over the limit by n thirty-seconds of it. A failing disk costs the
// cache, never a value.
type cache struct {
	dir   string
	store string // begins the names of this store's entries
	root  *os.Root

	mu    sync.Mutex
	limit int64
	held  int64 // bytes at the last look and what was added since; -1 before the first look
	added int64 // bytes since the last look
}

const (
	newPrefix = ".new-"   // entries being written
	stale     = time.Hour // after that their writer is dead
	freshness = time.Minute
)

// openCache opens the directory, and makes it if it is not there.
func openCache(dir, url string, limit int64) (*cache, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("objects: cache: %w", err)
	}
	info, err := os.Lstat(dir)
	if err != nil {
		return nil, fmt.Errorf("objects: cache: %w", err)
	}
	if !info.IsDir() {
		return nil, fmt.Errorf("objects: cache: %s is not a directory", dir)
	}
	if err := private(dir, info); err != nil {
		return nil, err
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, fmt.Errorf("objects: cache: %w", err)
	}
	h := sha256.Sum256([]byte(url))
	return &cache{dir: dir, store: hex.EncodeToString(h[:8]) + "-", root: root, limit: limit, held: -1}, nil
}

// defaultCacheDir is for the user alone.
func defaultCacheDir() string {
	if dir, err := os.UserCacheDir(); err == nil {
		return filepath.Join(dir, "weft", "objects")
	}
	return filepath.Join(os.TempDir(), fmt.Sprintf("weft-objects-%d", os.Getuid()))
}

// get returns the entry's bytes, nil if there is none of this size.
func (c *cache) get(name string, size int64) []byte {
	f, err := c.root.Open(c.store + name)
	if err != nil {
		return nil
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil || !info.Mode().IsRegular() || info.Size() != size {
		return nil
	}
	b := make([]byte, size)
	if _, err := io.ReadFull(f, b); err != nil {
		return nil
	}
	if now := time.Now(); now.Sub(info.ModTime()) > freshness {
		_ = c.root.Chtimes(c.store+name, now, now)
	}
	return b
}

// drop removes an entry that is no good.
func (c *cache) drop(name string) { _ = c.root.Remove(c.store + name) }

// put keeps b under name if there is room for it.
func (c *cache) put(name string, b []byte) {
	size := int64(len(b))
	if info, err := c.root.Lstat(c.store + name); err == nil && info.Size() == size {
		return
	}
	if !c.room(size) {
		return
	}
	if err := c.write(name, b); errors.Is(err, syscall.ENOSPC) {
		c.shrink()
	}
}

func (c *cache) write(name string, b []byte) (err error) {
	temp := newPrefix + rand.Text()
	f, err := c.root.OpenFile(temp, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(b)
	err = cmp.Or(err, f.Close())
	if err == nil {
		err = c.root.Rename(temp, c.store+name)
	}
	if err != nil {
		_ = c.root.Remove(temp)
	}
	return err
}

// room counts size bytes and removes what is oldest to make room for them. It
// says no if they are too many.
func (c *cache) room(size int64) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if size > c.limit {
		return false
	}
	if c.held < 0 || c.added+size > c.limit/32 || c.held+size > c.limit {
		// Some more than needed, so that the next need not look again.
		c.held = c.trim(c.limit-size, c.limit-size-c.limit/8)
		c.added = 0
	}
	c.held += size
	c.added += size
	return true
}

// shrink halves the cache after the disk was full, for as long as this
// process runs: others need the disk more.
func (c *cache) shrink() {
	c.mu.Lock()
	defer c.mu.Unlock()
	var held int64
	for _, e := range c.entries() {
		held += e.size
	}
	c.limit = held / 2
	c.held, c.added = c.trim(c.limit, c.limit), 0
}

// trim looks at the directory. If it holds more than limit bytes it removes
// entries, the longest unused first, until there are at most target. It
// returns what is left.
func (c *cache) trim(limit, target int64) (held int64) {
	entries := c.entries()
	for _, e := range entries {
		held += e.size
	}
	if held <= limit {
		return held
	}
	slices.SortFunc(entries, func(a, b entry) int { return a.used.Compare(b.used) })
	for _, e := range entries {
		if held <= max(target, 0) {
			break
		}
		if e.temp {
			continue
		}
		if err := c.root.Remove(e.name); err == nil || errors.Is(err, fs.ErrNotExist) {
			held -= e.size
		}
	}
	return held
}

type entry struct {
	name string
	size int64
	used time.Time
	temp bool // being written
}

// entries looks at the files of all stores, and removes what dead writers
// left.
func (c *cache) entries() (es []entry) {
	d, err := c.root.Open(".")
	if err != nil {
		return nil
	}
	defer d.Close()
	infos, _ := d.Readdir(-1)
	for _, info := range infos {
		if !info.Mode().IsRegular() {
			continue
		}
		temp := strings.HasPrefix(info.Name(), newPrefix)
		if temp && time.Since(info.ModTime()) > stale {
			_ = c.root.Remove(info.Name())
			continue
		}
		es = append(es, entry{info.Name(), info.Size(), info.ModTime(), temp})
	}
	return es
}

func (c *cache) close() { _ = c.root.Close() }
