package store

import (
	"errors"
	"io"
	"io/fs"
	"maps"
	"path"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"
)

// memFS is a file system in memory that can fail at any operation, and can be
// looked at as a power cut would leave it.
type memFS struct {
	mu    sync.Mutex
	files map[string]*memFile
	dirs  map[string]bool
	// ops counts what was changed; from failAt on, everything fails with err.
	// In a torn write half of the bytes arrive first.
	ops    int
	failAt int
	torn   bool
	err    error
	// trace names the changes, for messages.
	trace []string
	// disk are the names that have reached the disk for sure.
	disk map[string]*memFile
}

type memFile struct {
	data   []byte
	time   time.Time
	synced int // how much of data has reached the disk for sure
}

// loss is what a power cut does to what was not synced.
type loss int

const (
	nothing loss = iota
	content      // files are empty from where they were not synced
	zeros        // there are zeros instead
	names        // and files have their old names, or none
)

var errPower = errors.New("the power is gone")

func newMemFS() *memFS {
	return &memFS{files: map[string]*memFile{}, disk: map[string]*memFile{}, dirs: map[string]bool{".": true}, failAt: -1, err: errPower}
}

// change counts an operation that changes something, and fails when its turn
// has come. last is set for the one that fails first.
func (m *memFS) change(what string) (last bool, err error) {
	m.trace = append(m.trace, what)
	m.ops++
	if m.failAt >= 0 && m.ops > m.failAt {
		return m.ops == m.failAt+1, m.err
	}
	return false, nil
}

// afterwards is the file system as it is after the cut, when it works again.
func (m *memFS) afterwards(lost loss) *memFS {
	m.mu.Lock()
	defer m.mu.Unlock()
	out := newMemFS()
	files := m.files
	if lost == names {
		files = m.disk
	}
	for n, f := range files {
		data := slices.Clone(f.data)
		switch lost {
		case content, names:
			data = data[:f.synced]
		case zeros:
			clear(data[f.synced:])
		}
		out.files[n] = &memFile{data: data, time: f.time}
	}
	for d := range m.dirs {
		out.dirs[d] = true
	}
	return out
}

// settle has everything reach the disk.
func (m *memFS) settle() {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, f := range m.files {
		f.synced = len(f.data)
	}
	m.disk = maps.Clone(m.files)
}

func notExist(op, name string) error { return &fs.PathError{Op: op, Path: name, Err: fs.ErrNotExist} }

func (m *memFS) Open(name string) (File, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	f := m.files[name]
	if f == nil {
		return nil, notExist("open", name)
	}
	return &memHandle{m: m, f: f, name: name}, nil
}

func (m *memFS) Create(name string) (File, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if !m.dirs[path.Dir(name)] {
		return nil, notExist("create", name)
	}
	if m.files[name] != nil {
		return nil, &fs.PathError{Op: "create", Path: name, Err: fs.ErrExist}
	}
	if _, err := m.change("create " + name); err != nil {
		return nil, err
	}
	f := &memFile{time: time.Now()}
	m.files[name] = f
	return &memHandle{m: m, f: f, name: name}, nil
}

func (m *memFS) Append(name string) (File, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	f := m.files[name]
	if f == nil {
		if !m.dirs[path.Dir(name)] {
			return nil, notExist("append", name)
		}
		if _, err := m.change("create " + name); err != nil {
			return nil, err
		}
		f = &memFile{time: time.Now()}
		m.files[name] = f
	}
	return &memHandle{m: m, f: f, name: name}, nil
}

func (m *memFS) Mkdir(name string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.dirs[name] {
		return &fs.PathError{Op: "mkdir", Path: name, Err: fs.ErrExist}
	}
	if !m.dirs[path.Dir(name)] {
		return notExist("mkdir", name)
	}
	if _, err := m.change("mkdir " + name); err != nil {
		return err
	}
	m.dirs[name] = true
	return nil
}

func (m *memFS) Rename(from, to string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	f := m.files[from]
	if f == nil || !m.dirs[path.Dir(to)] {
		return notExist("rename", from)
	}
	if _, err := m.change("rename " + from + " " + to); err != nil {
		return err
	}
	delete(m.files, from)
	m.files[to] = f
	return nil
}

func (m *memFS) Remove(name string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.files[name] == nil {
		return notExist("remove", name)
	}
	if _, err := m.change("remove " + name); err != nil && err != syscall.ENOSPC { // which takes no room
		return err
	}
	delete(m.files, name)
	return nil
}

func (m *memFS) Stat(name string) (fs.FileInfo, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	f := m.files[name]
	if f == nil {
		return nil, notExist("stat", name)
	}
	return memInfo{path.Base(name), int64(len(f.data)), f.time, false}, nil
}

func (m *memFS) ReadDir(name string) ([]fs.DirEntry, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if !m.dirs[name] {
		return nil, notExist("readdir", name)
	}
	var out []fs.DirEntry
	for n, f := range m.files {
		if path.Dir(n) == name {
			out = append(out, fs.FileInfoToDirEntry(memInfo{path.Base(n), int64(len(f.data)), f.time, false}))
		}
	}
	for d := range m.dirs {
		if d != "." && path.Dir(d) == name {
			out = append(out, fs.FileInfoToDirEntry(memInfo{path.Base(d), 0, time.Time{}, true}))
		}
	}
	slices.SortFunc(out, func(a, b fs.DirEntry) int { return strings.Compare(a.Name(), b.Name()) })
	return out, nil
}

func (m *memFS) Chtimes(name string, t time.Time) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	f := m.files[name]
	if f == nil {
		return notExist("chtimes", name)
	}
	if _, err := m.change("chtimes " + name); err != nil {
		return err
	}
	f.time = t
	return nil
}

func (m *memFS) SyncDir(name string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if !m.dirs[name] {
		return notExist("sync", name)
	}
	if _, err := m.change("sync " + name); err != nil {
		return err
	}
	maps.DeleteFunc(m.disk, func(n string, _ *memFile) bool { return path.Dir(n) == name })
	for n, f := range m.files {
		if path.Dir(n) == name {
			m.disk[n] = f
		}
	}
	return nil
}

func (m *memFS) Close() error { return nil }

type memInfo struct {
	name string
	size int64
	time time.Time
	dir  bool
}

func (i memInfo) Name() string       { return i.name }
func (i memInfo) Size() int64        { return i.size }
func (i memInfo) ModTime() time.Time { return i.time }
func (i memInfo) IsDir() bool        { return i.dir }
func (i memInfo) Sys() any           { return nil }
func (i memInfo) Mode() fs.FileMode {
	if i.dir {
		return fs.ModeDir | 0o700
	}
	return 0o600
}

type memHandle struct {
	m    *memFS
	f    *memFile
	name string
	at   int64
}

func (h *memHandle) Read(b []byte) (int, error) {
	n, err := h.ReadAt(b, h.at)
	h.at += int64(n)
	if n > 0 {
		err = nil
	}
	return n, err
}

func (h *memHandle) ReadAt(b []byte, off int64) (int, error) {
	h.m.mu.Lock()
	defer h.m.mu.Unlock()
	if off >= int64(len(h.f.data)) {
		return 0, io.EOF
	}
	n := copy(b, h.f.data[off:])
	if n < len(b) {
		return n, io.EOF
	}
	return n, nil
}

func (h *memHandle) Write(b []byte) (int, error) {
	h.m.mu.Lock()
	defer h.m.mu.Unlock()
	last, err := h.m.change("write " + h.name)
	if err != nil {
		n := 0
		if last && h.m.torn {
			n = len(b) / 2
			h.f.data = append(h.f.data, b[:n]...)
		}
		return n, err
	}
	h.f.data = append(h.f.data, b...)
	return len(b), nil
}

func (h *memHandle) Stat() (fs.FileInfo, error) {
	h.m.mu.Lock()
	defer h.m.mu.Unlock()
	return memInfo{path.Base(h.name), int64(len(h.f.data)), h.f.time, false}, nil
}

func (h *memHandle) Sync() error {
	h.m.mu.Lock()
	defer h.m.mu.Unlock()
	_, err := h.m.change("sync " + h.name)
	if err == nil {
		h.f.synced = len(h.f.data)
	}
	return err
}

func (h *memHandle) Close() error { return nil }
