package store

import (
	"cmp"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/zeebo/xxh3"

	"github.com/weft-go/weft/memo/internal/key"
)

// The journal says what was put and used, oldest first, so that trimming finds
// the least recently used entries without looking at the others. It is a row of
// segments, files named by a rising number; all processes add to the last one.
// A segment begins with the totals at its start, so that opening a store reads
// one segment. Records have a fixed size and a checksum, and one write each.
//
// A journal that lost records, or all of itself, is mended by Rebuild: nothing
// but the order of trimming and the totals depends on it.

type recordKind byte

const (
	put     recordKind = 'p'
	touched recordKind = 't'
	removed recordKind = 'd'
	adjust  recordKind = 'a' // of the totals; has no key
	head    recordKind = 'h' // the totals at a segment's start
)

type record struct {
	kind  recordKind
	key   key.Key
	time  time.Time
	items int64
	bytes int64 // change of the totals; in a head the totals
}

// recordSize: key 20, kind 1, zero 3, items 8, time 8, bytes 8, checksum 4.
const recordSize = 52

func (r record) append(b []byte) []byte {
	le := binary.LittleEndian
	begin := len(b)
	b = append(b, r.key[:]...)
	b = append(b, byte(r.kind), 0, 0, 0)
	b = le.AppendUint64(b, uint64(r.items))
	b = le.AppendUint64(b, uint64(r.time.UnixNano()))
	b = le.AppendUint64(b, uint64(r.bytes))
	return le.AppendUint32(b, uint32(xxh3.Hash(b[begin:])))
}

func parseRecord(b []byte) (r record, ok bool) {
	le := binary.LittleEndian
	if le.Uint32(b[recordSize-4:]) != uint32(xxh3.Hash(b[:recordSize-4])) {
		return r, false
	}
	copy(r.key[:], b)
	r.kind = recordKind(b[20])
	r.items = int64(le.Uint64(b[24:]))
	r.time = time.Unix(0, int64(le.Uint64(b[32:])))
	r.bytes = int64(le.Uint64(b[40:]))
	return r, true
}

// records calls f for each whole record in b and returns how much of b was
// used up. A record that was torn is skipped.
func records(b []byte, f func(r record, end int) bool) int {
	i := 0
	for len(b)-i >= recordSize {
		r, ok := parseRecord(b[i:])
		if !ok {
			i++ // look for the next one behind what was torn
			continue
		}
		i += recordSize
		if !f(r, i) {
			return i
		}
	}
	return i
}

const (
	// segmentSize is when a new segment begins: 80,000 records, read in 5 ms.
	segmentSize = 4 << 20
	// lookEvery is how long a process may add to a segment that is no longer
	// the last one. Segments are kept for graceTime after that.
	lookEvery = time.Second
	graceTime = time.Minute
)

type journal struct {
	mu     sync.Mutex
	seq    uint64
	f      File  // open for adding; nil when read only
	read   int64 // how much of the segment is in the totals
	items  int64
	bytes  int64
	looked time.Time // when a newer segment was looked for
	lost   bool      // there is none, or it has no totals: rebuild
	failed bool      // could not be written; said once
}

func segmentName(seq uint64) string { return fmt.Sprintf("log/%016x", seq) }

// segments are the numbers of all segments, oldest first.
func (s *Store) segments() ([]uint64, error) {
	list, err := s.fs.ReadDir("log")
	if err != nil {
		return nil, err
	}
	var out []uint64
	for _, d := range list {
		if n, err := strconv.ParseUint(d.Name(), 16, 64); err == nil && len(d.Name()) == 16 {
			out = append(out, n)
		}
	}
	slices.Sort(out)
	return out, nil
}

func (j *journal) open(s *Store) error {
	list, err := s.segments()
	if errors.Is(err, fs.ErrNotExist) {
		if s.c.ReadOnly {
			return nil
		}
		err = s.fs.Mkdir("log")
	}
	if err != nil {
		return err
	}
	if len(list) == 0 && s.c.ReadOnly {
		j.seq = 1
		return nil
	}
	if len(list) == 0 {
		if list, err = j.begin(s); err != nil {
			return err
		}
	}
	j.seq = list[len(list)-1]
	if !s.c.ReadOnly {
		if j.f, err = s.fs.Append(segmentName(j.seq)); err != nil {
			return err
		}
	}
	j.looked = s.c.Now()
	j.catchUp(s)
	if j.read == 0 {
		j.lost = true // there is not even a head
	}
	return nil
}

// begin makes the first segment, unless another process does.
func (j *journal) begin(s *Store) ([]uint64, error) {
	unlock, err := s.lockMaintenance(context.Background())
	if err != nil {
		return nil, err
	}
	defer unlock()
	list, err := s.segments()
	if err != nil || len(list) > 0 {
		return list, err
	}
	j.lost = s.hasEntries()
	return []uint64{1}, s.replace(segmentName(1), record{kind: head, time: s.c.Now()}.append(nil))
}

// hasEntries tells whether there is an entry, or a directory for one.
func (s *Store) hasEntries() bool {
	list, err := s.fs.ReadDir("e")
	return err == nil && len(list) > 0
}

func (j *journal) close() error {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.f == nil {
		return nil
	}
	f := j.f
	j.f = nil
	return f.Close()
}

// catchUp reads what all processes have added since the last time.
func (j *journal) catchUp(s *Store) {
	f, err := s.fs.Open(segmentName(j.seq))
	if err != nil {
		return
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil || info.Size() <= j.read {
		return
	}
	b := make([]byte, info.Size()-j.read)
	n, err := f.ReadAt(b, j.read)
	if err != nil && !errors.Is(err, io.EOF) {
		return
	}
	begun := j.read > 0
	j.read += int64(records(b[:n], func(r record, _ int) bool {
		if r.kind == head {
			j.items, j.bytes, begun = r.items, r.bytes, true
		} else {
			j.items += r.items
			j.bytes += r.bytes
		}
		return true
	}))
	if !begun {
		j.lost = true
	}
}

// follow goes on to the last segment, if others have begun one.
func (j *journal) follow(s *Store, now time.Time) {
	if since := now.Sub(j.looked); since >= 0 && since < lookEvery {
		return
	}
	j.looked = now
	moved := false
	for {
		if _, err := s.fs.Stat(segmentName(j.seq + 1)); err != nil {
			break
		}
		j.seq++
		moved = true
	}
	if !moved {
		// After a Clear or a rebuild the numbers may have jumped.
		if _, err := s.fs.Stat(segmentName(j.seq)); err == nil || !errors.Is(err, fs.ErrNotExist) {
			return
		}
		list, err := s.segments()
		if err != nil || len(list) == 0 {
			return
		}
		j.seq = list[len(list)-1]
	}
	if f, err := s.fs.Append(segmentName(j.seq)); err == nil {
		if j.f != nil {
			_ = j.f.Close()
		}
		j.f = f
	}
	j.read, j.items, j.bytes = 0, 0, 0
	j.catchUp(s)
}

// add notes records.
func (j *journal) add(s *Store, rs ...record) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.f == nil {
		return
	}
	j.follow(s, s.c.Now())
	b := make([]byte, 0, recordSize*len(rs))
	for _, r := range rs {
		b = r.append(b)
	}
	if _, err := j.f.Write(b); err != nil && !j.failed {
		j.failed = true
		s.c.Log.Warn("memo: the journal can't be written; the bounds may not hold until weft cache verify has been run", "err", err)
	}
}

// totals are the numbers of entries and bytes.
func (j *journal) totals(s *Store) (items, bytes int64) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.seq == 0 {
		return 0, 0
	}
	j.follow(s, s.c.Now())
	j.catchUp(s)
	return max(0, j.items), max(0, j.bytes)
}

// rotate begins a new segment. Whoever does it must hold the maintenance lock.
func (j *journal) rotate(s *Store) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.looked = time.Time{}
	j.follow(s, s.c.Now())
	j.catchUp(s)
	first := record{kind: head, time: s.c.Now(), items: j.items, bytes: j.bytes}.append(nil)
	if err := s.replace(segmentName(j.seq+1), first); err != nil {
		return err
	}
	j.looked = time.Time{}
	j.follow(s, s.c.Now())
	return nil
}

// Totals are the numbers of entries and bytes in the store, all processes
// together. It costs some 10 us and reads no entry.
func (s *Store) Totals() (items, bytes int64) {
	if s.off {
		return 0, 0
	}
	return s.j.totals(s)
}

// Rebuild reads the whole directory and writes the journal anew. It takes
// about 10 us an entry. The maintenance lock must be held.
func (s *Store) rebuild(entries []walked) error {
	slices.SortFunc(entries, func(a, b walked) int {
		return cmp.Or(a.used.Compare(b.used), cmp.Compare(a.key.String(), b.key.String()))
	})
	old, err := s.segments()
	if err != nil {
		return err
	}
	s.j.mu.Lock()
	defer s.j.mu.Unlock()
	seq := s.j.seq
	if len(old) > 0 {
		seq = max(seq, old[len(old)-1])
	}
	// One segment that says it all, and a new one to go on with: others keep
	// adding to the old one for a moment, what they add is lost to the order
	// but not to the totals of the next rebuild.
	b := record{kind: head, time: s.c.Now()}.append(nil)
	var bytes int64
	for _, e := range entries {
		b = record{kind: put, key: e.key, time: e.used, items: 1, bytes: e.size}.append(b)
		bytes += e.size
	}
	if err := s.replace(segmentName(seq+1), b); err != nil {
		return err
	}
	first := record{kind: head, time: s.c.Now(), items: int64(len(entries)), bytes: bytes}.append(nil)
	if err := s.replace(segmentName(seq+2), first); err != nil {
		return err
	}
	for _, n := range old {
		_ = s.fs.Remove(segmentName(n))
	}
	s.j.lost = false
	s.j.looked = time.Time{}
	s.j.follow(s, s.c.Now())
	return nil
}

// goneFile lists keys of entries that were evicted, newest last. It is cut in
// two when it is full, so it holds at least goneKeys/2 keys.
const (
	goneFile = "log/gone"
	goneOld  = "log/gone-old"
	goneKeys = 1 << 16
)

func (s *Store) noteGone(keys []key.Key) {
	if info, err := s.fs.Stat(goneFile); err == nil && info.Size() > goneKeys*key.Size {
		_ = s.fs.Rename(goneFile, goneOld)
	}
	f, err := s.fs.Append(goneFile)
	if err != nil {
		return
	}
	defer f.Close()
	b := make([]byte, 0, len(keys)*key.Size)
	for _, k := range keys {
		b = append(b, k[:]...)
	}
	_, _ = f.Write(b)
}

// Evicted tells whether an entry was removed for the bounds, as far back as is
// remembered: at least the last 30,000.
func (s *Store) Evicted(k key.Key) bool {
	for _, name := range []string{goneFile, goneOld} {
		b, err := s.readFile(name, 2*goneKeys*key.Size)
		if err != nil {
			continue
		}
		for len(b) >= key.Size {
			if key.Key(b[:key.Size]) == k {
				return true
			}
			b = b[key.Size:]
		}
	}
	return false
}
