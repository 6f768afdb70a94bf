package store

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/zeebo/xxh3"

	"github.com/weft-go/weft/memo/internal/key"
	"github.com/weft-go/weft/memo/internal/rangelock"
	"github.com/weft-go/weft/memo/internal/raw"
)

// Config says how a store works.
type Config struct {
	FS    FS               // the store's directory
	Locks *rangelock.Locks // nil: no locks
	// MaxBytes and MaxItems are bounds; 0 is none.
	MaxBytes int64
	MaxItems int64
	// MaxAge is how long an entry stays unused; 0 is for ever.
	MaxAge   time.Duration
	Compress bool
	Mmap     bool
	ReadOnly bool
	Sync     bool
	Log      *slog.Logger
	Now      func() time.Time
}

// Store is a directory with results. Its methods may be called concurrently.
type Store struct {
	c      Config
	fs     FS
	locks  atomic.Pointer[rangelock.Locks]
	off    bool // written by a newer version: nothing is read or written
	j      journal
	maps   mappings
	count  counters
	trim   trimmer
	warned sync.Map // what was warned of already
}

type counters struct{ evicted, damaged, failed atomic.Int64 }

// Counts is what has happened in this process.
type Counts struct {
	Evicted int64 // entries removed for the bounds
	Damaged int64 // entries that could not be used
	Failed  int64 // entries that could not be written
}

// Counts returns what has happened so far.
func (s *Store) Counts() Counts {
	return Counts{s.count.evicted.Load(), s.count.damaged.Load(), s.count.failed.Load()}
}

const formatLine = "memo 1\n"

var (
	// ErrMissing is that there is no entry.
	ErrMissing = errors.New("not in the store")
	// ErrNotStore is that a directory holds something else.
	ErrNotStore = errors.New("the directory is not empty and is no cache of memo; name an empty or a new one")
)

var folders = []string{"b", "c", "e", "f", "log", "n", "tmp"}

// OpenDir opens the store in dir, making it if need be.
func OpenDir(dir string, c Config) (*Store, error) {
	if !c.ReadOnly {
		if err := os.MkdirAll(dir, dirMode); err != nil {
			return nil, err
		}
	}
	fsys, err := Dir(dir)
	if err != nil {
		return nil, err
	}
	c.FS = fsys
	if !c.ReadOnly {
		if _, err := os.Stat(filepath.Join(dir, "format")); errors.Is(err, fs.ErrNotExist) {
			if err := Init(fsys); err != nil {
				return nil, errors.Join(err, fsys.Close())
			}
		}
		f, err := fsys.(*rooted).root.OpenFile("lock", os.O_CREATE|os.O_RDWR, fileMode)
		switch {
		case err == nil:
			if c.Locks, err = rangelock.New(f); err != nil {
				return nil, errors.Join(err, f.Close(), fsys.Close())
			}
		case errors.Is(err, fs.ErrPermission) || isReadOnlyFS(err):
			c.ReadOnly = true
			c.Log.Warn("memo: the cache can't be written; results are read from it and new ones are not kept", "dir", dir, "err", err)
		default:
			return nil, errors.Join(err, fsys.Close())
		}
	}
	s, err := Open(c)
	if err != nil {
		if c.Locks != nil {
			err = errors.Join(err, c.Locks.Close())
		}
		return nil, errors.Join(err, fsys.Close())
	}
	return s, nil
}

// Init makes an empty directory a store.
func Init(fsys FS) error {
	list, err := fsys.ReadDir(".")
	if err != nil {
		return err
	}
	for _, d := range list {
		if !ours(d.Name()) {
			return fmt.Errorf("%w (it has %s)", ErrNotStore, d.Name())
		}
	}
	for _, name := range folders {
		if err := fsys.Mkdir(name); err != nil && !errors.Is(err, fs.ErrExist) {
			return err
		}
	}
	for _, f := range []struct{ name, text string }{
		{"CACHEDIR.TAG", "Signature: 8a477f597d28d172789f06886806bc55\n# A cache made by memo (github.com/weft-go/weft/memo).\n"},
		{".gitignore", "*\n"},
		// The last one makes it a store.
		{"format", formatLine},
	} {
		if err := writeFile(fsys, f.name, []byte(f.text)); err != nil {
			return err
		}
	}
	return nil
}

// ours tells whether a name may stand in a store that was not finished.
func ours(name string) bool {
	switch name {
	case "CACHEDIR.TAG", ".gitignore", "format", "lock":
		return true
	}
	for _, f := range folders {
		if name == f {
			return true
		}
	}
	return false
}

// Open opens the store in c.FS, which Init has made.
func Open(c Config) (*Store, error) {
	if c.Now == nil {
		c.Now = time.Now
	}
	s := &Store{c: c, fs: c.FS}
	s.trim.lookAfter, s.trim.lookMost = lookAfter, lookMost
	s.locks.Store(c.Locks)
	b, err := s.readFile("format", 64)
	if err != nil && !(c.ReadOnly && errors.Is(err, fs.ErrNotExist)) {
		return nil, err
	}
	if err == nil && string(b) != formatLine {
		n, ok := strings.CutPrefix(strings.TrimSpace(string(b)), "memo ")
		v, err := strconv.Atoi(n)
		switch {
		case ok && err == nil && v > version:
			s.off = true
			c.Log.Warn("memo: the cache was written by a newer version and is not used; update this program, or name another directory", "format", v)
			return s, nil
		case strings.HasPrefix(formatLine, string(b)) || len(bytes.Trim(b, "\x00")) == 0:
			// Cut short: a power cut while the store was made.
			if !c.ReadOnly {
				if err := s.replace("format", []byte(formatLine)); err != nil {
					return nil, err
				}
			}
		default:
			return nil, ErrNotStore
		}
	}
	if err := s.j.open(s); err != nil {
		return nil, err
	}
	return s, nil
}

// Writable tells whether results are kept.
func (s *Store) Writable() bool { return !s.c.ReadOnly && !s.off }

// Close waits for what runs in the background and closes the directory. Slices
// that were mapped stay.
func (s *Store) Close() error {
	s.trim.stop()
	err := s.j.close()
	if l := s.locks.Swap(nil); l != nil {
		err = errors.Join(err, l.Close())
	}
	return errors.Join(err, s.fs.Close())
}

// shardCount is the number of directories of entries. Directories of hundreds
// of thousands of files are no burden for today's file systems, but making one
// costs as much as ten entries: with 1024 of them the first thousand misses took
// three times as long (ext4 puts each into a block group of its own).
const shardCount = 32

// entryName is "e/", the first of the key's letters, "/", the others.
func entryName(k key.Key) string {
	name := k.String()
	return "e/" + name[:1] + "/" + name[1:]
}

// shardOf is the directory that an entry's name is in, by its place, and the
// name there.
func shardOf(name string) (i int, rest string, ok bool) {
	if len(name) < len("e/a/") || name[:2] != "e/" || name[3] != '/' {
		return 0, "", false
	}
	i = strings.IndexByte("abcdefghijklmnopqrstuvwxyz234567", name[2])
	return i, name[len("e/a/"):], i >= 0
}

// warn says something once for each what.
func (s *Store) warn(what, msg string, args ...any) {
	if _, known := s.warned.LoadOrStore(what, true); !known {
		s.c.Log.Warn("memo: "+msg, args...)
	}
}

// buffers hold small entries while they are decoded.
var buffers = sync.Pool{New: func() any { b := make([]byte, firstRead); return &b }}

const firstRead = 8 << 10

// Entry is an entry that was read. Payload is valid only until the function
// that got it returns, unless Mapped is set: then it stays.
type Entry struct {
	Head
	Payload []byte
	Mapped  bool
	Used    time.Time
}

// Get reads the entry for k and hands it to use. It returns ErrMissing, a
// *DamageError, or what use returned; if that is not nil, the payload was
// damaged.
func (s *Store) Get(k key.Key, use func(e *Entry) error) error {
	if s.off {
		return ErrMissing
	}
	return s.read(entryName(k), &k, readPayload, use)
}

// Head reads what stands before the payload for k, which is not checked.
func (s *Store) Head(k key.Key) (*Entry, error) {
	if s.off {
		return nil, ErrMissing
	}
	var out Entry
	err := s.read(entryName(k), &k, readHead, func(e *Entry) error { out = *e; out.Payload = nil; return nil })
	return &out, err
}

// extent says how much of an entry is read.
type extent int

const (
	readHead    extent = iota
	readPayload        // mapped, if so configured
	readAll            // never mapped, always checked
)

// read reads an entry's file.
func (s *Store) read(name string, k *key.Key, how extent, use func(e *Entry) error) error {
	f, err := s.fs.Open(name)
	if err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			return ErrMissing
		}
		return err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	damaged := func(why error) error { return &DamageError{name, why.Error()} }
	if !info.Mode().IsRegular() {
		return damaged(errors.New("is not a file"))
	}
	if info.Size() == 0 {
		// Being written at this moment, or never finished: see putAt.
		return ErrMissing
	}
	buf := buffers.Get().(*[]byte)
	defer buffers.Put(buf)
	b := (*buf)[:min(info.Size(), firstRead)]
	if _, err := f.ReadAt(b, 0); err != nil {
		return ioDamage(damaged, err)
	}
	h, need, err := parseHead(b)
	if need > 0 && int64(need) <= info.Size() {
		long := make([]byte, need)
		if _, err := f.ReadAt(long, 0); err != nil {
			return ioDamage(damaged, err)
		}
		h, _, err = parseHead(long)
	} else if need > 0 {
		err = errShort
	}
	if err != nil {
		return damaged(err)
	}
	if h.Key != *k {
		return damaged(errors.New("holds another key"))
	}
	if info.Size() != h.FileSize() {
		return damaged(fmt.Errorf("has %d bytes instead of %d", info.Size(), h.FileSize()))
	}
	e := &Entry{Head: h, Used: info.ModTime()}
	if how == readHead {
		return use(e)
	}
	switch {
	case int64(len(b)) == info.Size():
		e.Payload = b[h.offset:]
	case how == readPayload && s.c.Mmap && !h.Packed() && h.Stored >= mapFrom && raw.CanMap:
		if m, ok := s.maps.get(h.Key, info, f); ok {
			// Not read, so not checked: that is what Verify is for.
			e.Payload, e.Mapped = m[h.offset:], true
			break
		}
		fallthrough
	default:
		e.Payload = make([]byte, h.Stored)
		if _, err := f.ReadAt(e.Payload, h.offset); err != nil {
			return ioDamage(damaged, err)
		}
	}
	if !e.Mapped && xxh3.Hash128(e.Payload) != h.sum {
		return damaged(errors.New("the checksum of the payload is wrong"))
	}
	if h.Packed() {
		if e.Payload, err = unpack(e.Payload, h.Size); err != nil {
			return damaged(err)
		}
	}
	if err := use(e); err != nil {
		return damaged(err)
	}
	return nil
}

// ioDamage tells a file that is shorter than it said from a failing disk.
func ioDamage(damaged func(error) error, err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return damaged(errShort)
	}
	return damaged(err)
}

// touchEvery is how old the last noted use must be for a new one to be noted.
// Go's build cache takes an hour; ten minutes cost a hit on an entry in steady
// use 5 us every ten minutes.
const touchEvery = 10 * time.Minute

// Touch notes that an entry was used, at most once in a while.
func (s *Store) Touch(e *Entry) {
	if !s.Writable() {
		return
	}
	now := s.c.Now()
	every := touchEvery
	if s.c.MaxAge > 0 {
		every = max(2*time.Second, min(every, s.c.MaxAge/16))
	}
	// A use in the future is one by a clock that was wrong.
	if since := now.Sub(e.Used); since < every && since > -every {
		return
	}
	s.touch(e.Key, now)
}

func (s *Store) touch(k key.Key, now time.Time) {
	if s.fs.Chtimes(entryName(k), now) == nil {
		s.j.add(s, record{kind: touched, key: k, time: now})
	}
}

// Put keeps an entry. Key, Code, Function, Args, Level and Took must be set;
// payload is not changed. fresh says that there is none yet, as far as the
// caller knows.
func (s *Store) Put(h Head, payload []byte, fresh bool) error {
	if !s.Writable() {
		return nil
	}
	err := s.put(&h, payload, fresh)
	if err != nil {
		s.count.failed.Add(1)
		return fmt.Errorf("keep a result: %w", err)
	}
	s.limit()
	return nil
}

func (s *Store) put(h *Head, payload []byte, fresh bool) error {
	now := s.c.Now()
	h.Created, h.Size = now, int64(len(payload))
	h.flags = 0
	if s.c.Compress {
		if packed, ok := pack(payload); ok {
			payload, h.flags = packed, flagZstd
		}
	}
	h.Stored, h.sum = int64(len(payload)), xxh3.Hash128(payload)
	if len(h.Function)+len(h.Args)+len(h.Level) > mostMeta-32 {
		h.Args = ""
	}
	name := entryName(h.Key)
	rec := record{kind: put, key: h.Key, time: now, items: 1}
	buf := buffers.Get().(*[]byte)
	defer buffers.Put(buf)
	b := h.appendHead((*buf)[:0])
	if len(payload) <= cap(b)-len(b) {
		b, payload = append(b, payload...), nil
	}
	rec.bytes = h.FileSize()
	if fresh && canPutAt && payload == nil && len(b) <= mostAtOnce {
		if err := s.putAt(name, rec, b); !errors.Is(err, fs.ErrExist) && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		fresh = false
	}
	if !fresh {
		if old, err := s.fs.Stat(name); err == nil {
			rec.items, rec.bytes = 0, rec.bytes-old.Size()
			if old.Size() == 0 {
				s.cutShort(name)
			}
		}
	}
	temp := "tmp/" + strconv.FormatUint(rand.Uint64(), 36)
	var err error
	if rec.time, err = s.writeTemp(temp, now, b, payload); err != nil {
		_ = s.fs.Remove(temp)
		return err
	}
	// The journal first: an entry that it does not know would never be
	// trimmed, while one that is not there does no harm.
	s.j.add(s, rec)
	err = s.fs.Rename(temp, name)
	if errors.Is(err, fs.ErrNotExist) {
		if err = s.fs.Mkdir(name[:len("e/a")]); err == nil || errors.Is(err, fs.ErrExist) {
			err = s.fs.Rename(temp, name)
		}
	}
	if err != nil {
		_ = s.fs.Remove(temp)
		s.j.add(s, record{kind: adjust, time: now, items: -rec.items, bytes: -rec.bytes})
		return err
	}
	if s.c.Sync {
		// The file's content has reached the disk; now its name.
		return s.fs.SyncDir(name[:len("e/a")])
	}
	return nil
}

// mostAtOnce is the size up to which an entry is written at its place: a page,
// of which a reader sees nothing or all.
const mostAtOnce = 4 << 10

// timeSlack is how far ahead a record is dated that is written before the time
// of the file is known. It must be less than the shortest time between two
// notes of a use (see Touch).
const timeSlack = time.Second

// putAt writes a small new entry at its place, with one write. That takes two
// thirds of the time of a temporary file and its renaming, and it is as safe:
// until the write the file is empty, which is no entry to those who read it, and
// after a power cut the checksums tell. The error is fs.ErrExist if there is a
// file, fs.ErrNotExist if there is no directory.
func (s *Store) putAt(name string, rec record, b []byte) error {
	f, err := s.fs.Create(name)
	if err != nil {
		return err
	}
	// The journal first, as an entry that it does not know would never be
	// trimmed.
	begin := rec.time
	rec.time = begin.Add(timeSlack)
	s.j.add(s, rec)
	_, err = f.Write(b)
	if err == nil && s.c.Sync {
		if err = f.Sync(); err == nil {
			err = s.fs.SyncDir(name[:len("e/a")])
		}
	}
	info, statErr := f.Stat()
	if err = errors.Join(err, statErr, f.Close()); err == nil {
		switch gap := begin.Sub(info.ModTime()); {
		case gap > clockGap || gap < -clockGap:
			err = s.fs.Chtimes(name, begin)
		case info.ModTime().After(rec.time):
			s.j.add(s, record{kind: touched, key: rec.key, time: info.ModTime()})
		}
	}
	if err != nil {
		_ = s.fs.Remove(name)
		s.j.add(s, record{kind: adjust, time: begin, items: -rec.items, bytes: -rec.bytes})
	}
	return err
}

// cutShort tells of an empty file in the place of an entry. Whoever calls it
// has the lock of its key, so nobody is writing it.
func (s *Store) cutShort(name string) {
	s.c.Log.Warn("memo: an entry was empty, after a power cut or as its writer was killed; it was computed anew", "file", name)
}

// clockGap is how far the file system's clock may be from ours before a file
// gets our time.
const clockGap = time.Minute

// writeTemp writes a file and returns the time that it has.
func (s *Store) writeTemp(name string, now time.Time, parts ...[]byte) (time.Time, error) {
	f, err := s.fs.Create(name)
	if errors.Is(err, fs.ErrNotExist) {
		if err = s.fs.Mkdir("tmp"); err == nil || errors.Is(err, fs.ErrExist) {
			f, err = s.fs.Create(name)
		}
	}
	if err != nil {
		return now, err
	}
	for _, p := range parts {
		if len(p) > 0 && err == nil {
			_, err = f.Write(p)
		}
	}
	if err == nil && s.c.Sync {
		err = f.Sync()
	}
	info, statErr := f.Stat()
	if err = errors.Join(err, statErr, f.Close()); err != nil {
		return now, err
	}
	if gap := now.Sub(info.ModTime()); gap > clockGap || gap < -clockGap {
		return now, s.fs.Chtimes(name, now)
	}
	return info.ModTime(), nil
}

// Delete removes the entry for k; ErrMissing if there is none.
func (s *Store) Delete(k key.Key) error {
	if !s.Writable() {
		return ErrMissing
	}
	return s.remove(k, "")
}

// remove removes an entry and notes why, if there is a reason that a user may
// ask for.
func (s *Store) remove(k key.Key, why string) error {
	name := entryName(k)
	info, err := s.fs.Stat(name)
	if err == nil {
		err = s.fs.Remove(name)
	}
	if errors.Is(err, fs.ErrNotExist) {
		return ErrMissing
	}
	if err != nil {
		return err
	}
	s.j.add(s, record{kind: removed, key: k, time: s.c.Now(), items: -1, bytes: -info.Size()})
	if why != "" {
		s.noteGone([]key.Key{k})
	}
	return nil
}

// Damage counts and reports an entry that can't be used, and removes it unless
// a newer version of memo wrote it.
func (s *Store) Damage(k key.Key, d *DamageError) {
	s.count.damaged.Add(1)
	s.c.Log.Warn("memo: an entry can't be used and is computed anew", "file", d.Name, "why", d.Why)
	if s.Writable() && d.Why != errNewer.Error() {
		_ = s.remove(k, "")
	}
}
