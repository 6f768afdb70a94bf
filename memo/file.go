package memo

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/weft-go/weft/memo/internal/key"
	"github.com/zeebo/blake3"
)

// File is the name of a file, as an argument or a part of one, that stands for
// the file's content: another name with the same content is the same argument,
// so let no result depend on the name. The content is hashed (some 2 GB/s) when
// the size or the times of the file are not those of the last time; what was
// seen is remembered in the cache.
//
// A file that changes while the function runs gives a result that is not kept.
type File string

// fileState is what was seen of a file.
type fileState struct {
	Path  string `json:"path"`
	Size  int64  `json:"size"`
	Mtime int64  `json:"mtime"` // Unix nanoseconds
	Ident string `json:"ident"` // what else the system says: inode, change time
	// Sure is that a change right after the look would have shown in the times.
	Sure bool   `json:"sure"`
	Hash string `json:"hash"`
	// Before are hashes of earlier contents, newest first.
	Before []earlier `json:"before,omitempty"`
}

// earlier is a content that a file had.
type earlier struct {
	Hash  string `json:"hash"`
	Size  int64  `json:"size"`
	Mtime int64  `json:"mtime"`
}

// mostBefore is how many earlier contents are remembered, for Why.
const mostBefore = 4

func (s fileState) same(o fileState) bool {
	return s.Size == o.Size && s.Mtime == o.Mtime && s.Ident == o.Ident
}

// files remembers files within the process.
type files struct {
	mu sync.Mutex
	m  map[string]fileState // by absolute path
}

func (f *files) forget() {
	f.mu.Lock()
	defer f.mu.Unlock()
	clear(f.m)
}

// look returns what a file is now, without its hash.
func lookAt(path string) (fileState, error) {
	info, err := os.Stat(path)
	if err != nil {
		return fileState{}, err
	}
	if !info.Mode().IsRegular() {
		return fileState{}, fmt.Errorf("%s is no regular file; memo.File stands for the content of one", path)
	}
	return fileState{Path: path, Size: info.Size(), Mtime: info.ModTime().UnixNano(), Ident: fileIdent(info)}, nil
}

// coarse is how far apart two changes must be to have different times, on file
// systems with fine and with coarse ones.
const (
	fineClock   = 50 * time.Millisecond
	coarseClock = 2 * time.Second
)

// file returns the state of a file with the hash of its content.
func (c *Cache) file(name File) (fileState, error) {
	path, err := filepath.Abs(string(name))
	if err != nil {
		return fileState{}, err
	}
	now, err := lookAt(path)
	if err != nil {
		return fileState{}, err
	}
	c.files.mu.Lock()
	known, ok := c.files.m[path]
	c.files.mu.Unlock()
	record := recordName("f", key.Of([]byte(path)))
	if !ok && c.store != nil {
		ok = json.Unmarshal(c.store.ReadRecord(record), &known) == nil && known.Path == path
	}
	if ok && known.Sure && known.same(now) {
		c.remember(known)
		return known, nil
	}
	hash, state, err := hashFile(path)
	if err != nil {
		return fileState{}, err
	}
	state.Hash = hash
	if ok {
		state.Before = known.Before
		if known.Hash != hash {
			state.Before = slices.Insert(slices.Clone(known.Before), 0, earlier{known.Hash, known.Size, known.Mtime})
			state.Before = state.Before[:min(len(state.Before), mostBefore)]
		}
	}
	c.remember(state)
	if c.store != nil && (!ok || known.Hash != hash || !known.same(state) || known.Sure != state.Sure) {
		if b, err := json.Marshal(state); err == nil {
			_ = c.store.WriteRecord(record, b) // it only saves hashing
		}
	}
	return state, nil
}

func (c *Cache) remember(s fileState) {
	c.files.mu.Lock()
	defer c.files.mu.Unlock()
	if c.files.m == nil {
		c.files.m = map[string]fileState{}
	}
	c.files.m[s.Path] = s
}

// hashFile hashes a file's content, again if it changes meanwhile.
func hashFile(path string) (string, fileState, error) {
	for range 3 {
		before, err := lookAt(path)
		if err != nil {
			return "", before, err
		}
		looked := time.Now()
		f, err := os.Open(path)
		if err != nil {
			return "", before, err
		}
		h := blake3.New()
		buf := fileBuffers.Get().(*[]byte)
		_, err = io.CopyBuffer(struct{ io.Writer }{h}, struct{ io.Reader }{f}, *buf)
		fileBuffers.Put(buf)
		if err = errors.Join(err, f.Close()); err != nil {
			return "", before, err
		}
		after, err := lookAt(path)
		if err != nil {
			return "", before, err
		}
		if !after.same(before) {
			continue
		}
		clock := fineClock
		if after.Mtime%int64(time.Second) == 0 {
			clock = coarseClock
		}
		after.Sure = looked.Sub(time.Unix(0, after.Mtime)) > clock
		return key.Of(h.Sum(nil)).String(), after, nil
	}
	return "", fileState{}, fmt.Errorf("%s changes while it is read", path)
}

var fileBuffers = sync.Pool{New: func() any { b := make([]byte, 256<<10); return &b }}

// recordName is where a small record is kept.
func recordName(dir string, k key.Key) string {
	s := k.String()
	return dir + "/" + s[:2] + "/" + s[2:]
}
