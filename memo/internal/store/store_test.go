package store

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/weft-go/weft/memo/internal/key"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func keyOf(i int) key.Key { return key.Of(binary.LittleEndian.AppendUint64(nil, uint64(i))) }

// payloadOf is what the entry of key i holds.
func payloadOf(i int) []byte { return bytes.Repeat([]byte{byte(i), byte(i >> 8), 7}, 40+i%50) }

type testStore struct {
	*Store
	log *bytes.Buffer
	now time.Time
}

func open(t *testing.T, fsys FS, c Config) *testStore {
	t.Helper()
	s := &testStore{log: &bytes.Buffer{}, now: time.Now()}
	c.FS, c.Log = fsys, slog.New(slog.NewTextHandler(s.log, nil))
	if c.Now == nil {
		c.Now = func() time.Time { return s.now }
	}
	if !c.ReadOnly {
		if err := Init(fsys); err != nil {
			t.Fatal(err)
		}
	}
	var err error
	if s.Store, err = Open(c); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func (s *testStore) put(i int) error { return s.putAs(i, false) }

func (s *testStore) putAs(i int, fresh bool) error {
	return s.Put(Head{Key: keyOf(i), Code: keyOf(-1), Function: "f", Args: fmt.Sprint(i), Level: "exact", Took: time.Second}, payloadOf(i), fresh)
}

// get returns what is stored for i, and fails the test if it is not what was.
func (s *testStore) get(t *testing.T, i int) error {
	t.Helper()
	return s.Get(keyOf(i), func(e *Entry) error {
		if !bytes.Equal(e.Payload, payloadOf(i)) || e.Args != fmt.Sprint(i) || e.Took != time.Second || e.Code != keyOf(-1) {
			t.Errorf("entry %d: %+v", i, e)
		}
		return nil
	})
}

func TestPutGetDelete(t *testing.T) {
	t.Parallel()
	for _, c := range []Config{{}, {Compress: true}, {Sync: true}} {
		s := open(t, newMemFS(), c)
		for i := range 100 {
			if err := s.get(t, i); !errors.Is(err, ErrMissing) {
				t.Error(err)
			}
			if err := s.putAs(i, i%2 == 0); err != nil {
				t.Fatal(err)
			}
		}
		if err := s.putAs(5, true); err != nil { // there is one all the same
			t.Error(err)
		}
		for i := range 100 {
			if err := s.get(t, i); err != nil {
				t.Error(err)
			}
		}
		if items, n := s.Totals(); items != 100 || n < 100*128 {
			t.Error(items, n)
		}
		if err := s.Delete(keyOf(3)); err != nil {
			t.Error(err)
		}
		if err := s.Delete(keyOf(3)); !errors.Is(err, ErrMissing) {
			t.Error(err)
		}
		if err := s.put(4); err != nil { // again
			t.Error(err)
		}
		if items, _ := s.Totals(); items != 99 {
			t.Error(items)
		}
	}
}

// Each prefix of what is written, torn or not, leaves a store that opens and
// whose entries are right or not there.
func TestPowerCut(t *testing.T) {
	t.Parallel()
	for _, fresh := range []bool{false, true} {
		for _, lost := range []loss{nothing, content, zeros} {
			t.Run(fmt.Sprint("fresh ", fresh, ", lost ", lost), func(t *testing.T) {
				t.Parallel()
				powerCuts(t, fresh, lost)
			})
		}
	}
}

// powerCuts tries every cut. fresh says that entries are written at their place.
func powerCuts(t *testing.T, fresh bool, lost loss) {
	work := func(m *memFS) (int, error) {
		err := Init(m)
		if err != nil {
			return 0, err
		}
		s, err := Open(Config{FS: m, Log: slog.New(slog.DiscardHandler), MaxItems: 6, Sync: true})
		if err != nil {
			return 0, err
		}
		defer s.Close()
		ts := &testStore{Store: s}
		done := 0
		for i := range 10 {
			if ts.putAs(i, fresh) == nil {
				done++
			}
			s.Idle()
		}
		_ = s.WriteRecord("n/aa/bb", []byte("record"))
		_, _ = s.Trim(context.Background(), Limits{MaxItems: 2})
		_, _ = s.Verify(context.Background())
		return done, nil
	}
	whole := newMemFS()
	if done, err := work(whole); done != 10 || err != nil {
		t.Fatal(done, err)
	}
	if whole.ops < 60 {
		t.Fatalf("only %d changes: %v", whole.ops, whole.trace)
	}
	for _, torn := range []bool{false, true} {
		for cut := range whole.ops {
			m := newMemFS()
			m.failAt, m.torn = cut, torn
			_, _ = work(m)
			after := m.afterwards(lost)
			where := fmt.Sprintf("cut after %d (%s), torn %v", cut, m.trace[min(cut, len(m.trace)-1)], torn)
			if err := Init(after); err != nil {
				t.Fatalf("%s: %v", where, err)
			}
			log := &bytes.Buffer{}
			s, err := Open(Config{FS: after, Log: slog.New(slog.NewTextHandler(log, nil))})
			if err != nil {
				t.Fatalf("%s: %v", where, err)
			}
			ts := &testStore{Store: s, log: log}
			for i := range 10 {
				err := ts.get(t, i)
				if err != nil && !errors.Is(err, ErrMissing) {
					if _, ok := errors.AsType[*DamageError](err); !ok {
						t.Fatalf("%s: %v", where, err)
					}
				}
				if err := ts.putAs(i, fresh && errors.Is(err, ErrMissing)); err != nil {
					t.Fatalf("%s: %v", where, err)
				}
				if err := ts.get(t, i); err != nil {
					t.Fatalf("%s: %v", where, err)
				}
			}
			if b := s.ReadRecord("n/aa/bb"); b != nil && string(b) != "record" {
				t.Fatalf("%s: record %q", where, b)
			}
			v, err := s.Verify(t.Context())
			if err != nil || v.Items != 10 {
				t.Fatalf("%s: %+v %v", where, v, err)
			}
			if items, _ := s.Totals(); items != 10 {
				t.Fatalf("%s: %d items", where, items)
			}
			if tr, err := s.Trim(t.Context(), Limits{MaxItems: 3}); tr.Items != 7 || err != nil {
				t.Fatalf("%s: %+v %v", where, tr, err)
			}
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// With Sync, what was stored outlasts a power cut that takes all the rest.
func TestSync(t *testing.T) {
	t.Parallel()
	for _, fresh := range []bool{false, true} {
		m := newMemFS()
		s := open(t, m, Config{Sync: true})
		m.settle()
		for i := range 20 {
			if err := s.putAs(i, fresh); err != nil {
				t.Fatal(err)
			}
			after := open(t, m.afterwards(names), Config{})
			for j := range i + 1 {
				if err := after.get(t, j); err != nil {
					t.Fatalf("fresh %v: of %d entries, %d: %v", fresh, i+1, j, err)
				}
			}
		}
	}
	// Without it, a cut takes them.
	m := newMemFS()
	s := open(t, m, Config{})
	m.settle()
	if err := s.putAs(1, true); err != nil {
		t.Fatal(err)
	}
	after := open(t, m.afterwards(names), Config{})
	if err := after.get(t, 1); !errors.Is(err, ErrMissing) {
		t.Error(err)
	}
}

// An entry that somebody is writing is not there yet, and no damage.
func TestUnwritten(t *testing.T) {
	t.Parallel()
	m := newMemFS()
	now := time.Now()
	s := open(t, m, Config{Now: func() time.Time { return now }})
	if err := s.put(1); err != nil {
		t.Fatal(err)
	}
	if err := s.put(2); err != nil {
		t.Fatal(err)
	}
	name := entryName(keyOf(1))
	m.mu.Lock()
	m.files[name].data = nil
	m.mu.Unlock()
	if err := s.get(t, 1); !errors.Is(err, ErrMissing) {
		t.Error(err)
	}
	if v, err := s.Verify(t.Context()); err != nil || v.Items != 1 || len(v.Damaged) != 0 {
		t.Error(v, err)
	}
	if _, err := m.Stat(name); err != nil || s.log.Len() > 0 {
		t.Error(err, s.log)
	}
	// Whoever computes it has its lock, so then nobody is writing it.
	if err := s.putAs(1, true); err != nil {
		t.Error(err)
	}
	if err := s.get(t, 1); err != nil || !strings.Contains(s.log.String(), "an entry was empty") {
		t.Error(err, s.log)
	}
	// Nobody writes one for minutes.
	m.mu.Lock()
	m.files[name].data = nil
	m.mu.Unlock()
	now = now.Add(2 * time.Minute)
	if v, err := s.Verify(t.Context()); err != nil || v.Items != 1 || len(v.Damaged) != 1 || v.Removed != 1 {
		t.Error(v, err)
	}
}

// A full disk fails the puts, with a clear error, and no more.
func TestDiskFull(t *testing.T) {
	t.Parallel()
	for _, fresh := range []bool{false, true} {
		// The first write is the journal's or the entry's.
		for ops := range 3 {
			diskFull(t, fresh, ops)
		}
	}
}

func diskFull(t *testing.T, fresh bool, ops int) {
	m := newMemFS()
	s := open(t, m, Config{})
	if err := s.put(1); err != nil {
		t.Fatal(err)
	}
	m.mu.Lock()
	m.failAt, m.torn, m.err = m.ops+ops, true, syscall.ENOSPC
	m.mu.Unlock()
	err := s.putAs(2, fresh)
	if !errors.Is(err, syscall.ENOSPC) || !strings.Contains(err.Error(), "keep a result") {
		t.Error(err)
	}
	if err := s.get(t, 1); err != nil {
		t.Error(err)
	}
	if err := s.get(t, 2); !errors.Is(err, ErrMissing) {
		t.Error(err)
	}
	if s.Counts().Failed != 1 {
		t.Error(s.Counts())
	}
	m.mu.Lock()
	m.failAt = -1
	m.mu.Unlock()
	if err := s.putAs(2, fresh); err != nil {
		t.Error(err)
	}
	// If not even the journal can be written, the count may be one too high.
	if items, _ := s.Totals(); items != 2 && !(fresh && ops == 2 && items == 3) {
		t.Errorf("fresh %v, full after %d: %d items", fresh, ops, items)
	}
}

// Whatever happens to an entry's file, it is a miss or right.
func TestDamage(t *testing.T) {
	t.Parallel()
	for _, compress := range []bool{false, true} {
		m := newMemFS()
		s := open(t, m, Config{Compress: compress})
		h := Head{Key: keyOf(1), Code: keyOf(-1), Function: "f", Args: "1", Level: "exact", Took: time.Second}
		payload := bytes.Repeat([]byte("compressible"), 1000)
		if err := s.Put(h, payload, true); err != nil {
			t.Fatal(err)
		}
		name := entryName(keyOf(1))
		good := slices.Clone(m.files[name].data)
		if (len(good) < 12000) != compress {
			t.Error(len(good))
		}
		try := func(what string, data []byte) {
			m.files[name].data = data
			right := false
			err := s.Get(keyOf(1), func(e *Entry) error {
				right = bytes.Equal(e.Payload, payload) && e.Function == "f" && e.Took == time.Second
				return nil
			})
			d, damaged := errors.AsType[*DamageError](err)
			if len(data) == 0 && errors.Is(err, ErrMissing) {
				return // as if it were being written: see TestUnwritten
			}
			if err == nil && !right || err != nil && (!damaged || d.Name != name || d.Why == "") {
				t.Errorf("%s: %v, right %v", what, err, right)
			}
			if err == nil && !strings.HasPrefix(what, "flip") {
				t.Errorf("%s: was not noticed", what)
			}
		}
		r := rand.New(rand.NewPCG(1, 2))
		for i := range len(good) {
			if i > 400 && i%37 != 0 {
				continue
			}
			bad := slices.Clone(good)
			bad[i] ^= 1 << r.IntN(8)
			try(fmt.Sprint("flip ", i), bad)
		}
		for _, n := range []int{0, 1, 8, 100, 127, 128, 150, 200, len(good) - 1} {
			try(fmt.Sprint("cut to ", n), good[:n])
		}
		try("longer", append(slices.Clone(good), 0))
		try("zeros", make([]byte, len(good)))
		try("foreign", []byte(strings.Repeat("a letter to a friend\n", 500)))
		newer := slices.Clone(good)
		newer[8] = 2
		try("newer", newer)
		m.files[name].data = good
		if err := s.Get(keyOf(1), func(*Entry) error { return nil }); err != nil {
			t.Error(err)
		}
	}
}

// The padding between head and payload is the only part that no checksum
// covers.
func TestOnlyPaddingIsUnchecked(t *testing.T) {
	t.Parallel()
	m := newMemFS()
	s := open(t, m, Config{})
	if err := s.put(1); err != nil {
		t.Fatal(err)
	}
	name := entryName(keyOf(1))
	good := slices.Clone(m.files[name].data)
	h, _, err := parseHead(good)
	if err != nil {
		t.Fatal(err)
	}
	meta := int(binary.LittleEndian.Uint32(good[12:]))
	for i := range good {
		bad := slices.Clone(good)
		bad[i] ^= 0x10
		m.files[name].data = bad
		err := s.Get(keyOf(1), func(*Entry) error { return nil })
		padding := i >= headerSize+meta && int64(i) < h.offset
		if (err == nil) != padding {
			t.Errorf("byte %d: %v", i, err)
		}
	}
}

func TestDamagedEntryIsRemovedAndNewerIsNot(t *testing.T) {
	t.Parallel()
	m := newMemFS()
	s := open(t, m, Config{})
	for i := range 2 {
		if err := s.put(i); err != nil {
			t.Fatal(err)
		}
	}
	m.files[entryName(keyOf(0))].data[200] ^= 1
	m.files[entryName(keyOf(1))].data[8] = 9
	for i := range 2 {
		d, _ := errors.AsType[*DamageError](s.get(t, i))
		if d == nil {
			t.Fatal("no damage")
		}
		s.Damage(keyOf(i), d)
	}
	if m.files[entryName(keyOf(0))] != nil || m.files[entryName(keyOf(1))] == nil {
		t.Error("the wrong one was removed")
	}
	if s.Counts().Damaged != 2 || strings.Count(s.log.String(), "WARN") != 2 {
		t.Error(s.Counts(), s.log)
	}
}

func TestNewerStoreIsLeftAlone(t *testing.T) {
	t.Parallel()
	m := newMemFS()
	s := open(t, m, Config{})
	if err := s.put(1); err != nil {
		t.Fatal(err)
	}
	m.files["format"].data = []byte("memo 2\n")
	before := m.ops
	newer := open(t, m, Config{})
	if err := newer.get(t, 1); !errors.Is(err, ErrMissing) {
		t.Error(err)
	}
	if err := newer.put(2); err != nil {
		t.Error(err)
	}
	if m.ops != before || !strings.Contains(newer.log.String(), "newer version") {
		t.Error(m.trace[before:], newer.log)
	}
}

// Least recently used first, by the journal alone.
func TestTrimByUse(t *testing.T) {
	t.Parallel()
	m := newMemFS()
	s := open(t, m, Config{})
	for i := range 10 {
		s.now = s.now.Add(time.Hour)
		if err := s.put(i); err != nil {
			t.Fatal(err)
		}
	}
	s.now = s.now.Add(time.Hour)
	for _, i := range []int{0, 3} {
		if err := s.Get(keyOf(i), func(e *Entry) error { s.Touch(e); return nil }); err != nil {
			t.Fatal(err)
		}
	}
	tr, err := s.Trim(t.Context(), Limits{MaxItems: 4})
	if err != nil || tr.Items != 6 {
		t.Fatal(tr, err)
	}
	for i := range 10 {
		err := s.get(t, i)
		want := i == 0 || i == 3 || i >= 8
		if (err == nil) != want {
			t.Errorf("%d: %v", i, err)
		}
		if s.Evicted(keyOf(i)) == want {
			t.Errorf("%d: evicted is %v", i, !want)
		}
	}
	if items, n := s.Totals(); items != 4 || n == 0 {
		t.Error(items, n)
	}
	// By bytes, and by age.
	_, n := s.Totals()
	if tr, err := s.Trim(t.Context(), Limits{MaxBytes: n - 1}); tr.Items != 1 || err != nil {
		t.Error(tr, err)
	}
	if tr, err := s.Trim(t.Context(), Limits{MaxAge: 30 * time.Minute}); tr.Items != 1 || err != nil {
		t.Error(tr, err)
	}
	if items, _ := s.Totals(); items != 2 {
		t.Error(items)
	}
}

// The bounds hold by themselves.
func TestBoundsHold(t *testing.T) {
	t.Parallel()
	m := newMemFS()
	s := open(t, m, Config{MaxItems: 50})
	for i := range 500 {
		if err := s.put(i); err != nil {
			t.Fatal(err)
		}
		if i%10 == 0 {
			s.Idle()
			if items, _ := s.Totals(); items > 60 {
				t.Fatalf("%d items after %d", items, i)
			}
		}
	}
	s.Idle()
	items, _ := s.Totals()
	n := 0
	for i := range 500 {
		if s.get(t, i) == nil {
			n++
		}
	}
	if int64(n) != items || n > 50 || n < 40 || s.get(t, 499) != nil {
		t.Errorf("%d entries, %d counted", n, items)
	}
	if got := s.Counts().Evicted; got != int64(500-n) {
		t.Errorf("%d evicted", got)
	}
}

// A journal that is gone, or says nonsense, is made anew from the directory.
func TestLostJournal(t *testing.T) {
	t.Parallel()
	for name, spoil := range map[string]func(m *memFS){
		"gone": func(m *memFS) {
			for n := range m.files {
				if strings.HasPrefix(n, "log/") {
					delete(m.files, n)
				}
			}
		},
		"garbage": func(m *memFS) {
			for n, f := range m.files {
				if strings.HasPrefix(n, "log/") {
					f.data = []byte(strings.Repeat("garbage", 100))
				}
			}
		},
		"empty": func(m *memFS) {
			for n, f := range m.files {
				if strings.HasPrefix(n, "log/") {
					f.data = nil
				}
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := newMemFS()
			s := open(t, m, Config{})
			for i := range 20 {
				if err := s.put(i); err != nil {
					t.Fatal(err)
				}
			}
			after := m.afterwards(nothing)
			spoil(after)
			s = open(t, after, Config{})
			if tr, err := s.Trim(t.Context(), Limits{MaxItems: 5}); tr.Items != 15 || err != nil {
				t.Fatal(tr, err)
			}
			if items, _ := s.Totals(); items != 5 {
				t.Error(items)
			}
		})
	}
}

// Records of a journal survive what was torn between them.
func TestTornRecords(t *testing.T) {
	t.Parallel()
	var b []byte
	var want []key.Key
	for i := range 20 {
		r := record{kind: put, key: keyOf(i), time: time.Unix(int64(i), 5), items: 1, bytes: int64(-i)}
		whole := r.append(nil)
		if i%3 == 0 {
			b = append(b, whole[:17+i]...) // torn
			continue
		}
		b = append(b, whole...)
		want = append(want, r.key)
	}
	var got []key.Key
	records(b, func(r record, _ int) bool {
		if r.kind != put || r.items != 1 || !r.time.Equal(time.Unix(-r.bytes, 5)) {
			t.Errorf("%+v", r)
		}
		got = append(got, r.key)
		return true
	})
	if !slices.Equal(got, want) {
		t.Errorf("%d records, want %d", len(got), len(want))
	}
}

func TestClearLeavesOtherFiles(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s, err := OpenDir(dir, Config{Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	ts := &testStore{Store: s}
	for i := range 30 {
		if err := ts.put(i); err != nil {
			t.Fatal(err)
		}
	}
	mine := filepath.Join(dir, "notes.txt")
	if err := os.WriteFile(mine, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := s.Clear(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(mine); err != nil {
		t.Error(err)
	}
	if items, n := s.Totals(); items != 0 || n != 0 {
		t.Error(items, n)
	}
	if err := ts.put(1); err != nil {
		t.Error(err)
	}
	if err := errors.Join(ts.get(t, 1), s.Close()); err != nil {
		t.Error(err)
	}
}

// The directory is removed under a store that is open: puts make what they
// need again.
func TestDirectoryRemoved(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s, err := OpenDir(dir, Config{Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	ts := &testStore{Store: s}
	if err := ts.put(1); err != nil {
		t.Fatal(err)
	}
	for _, sub := range []string{"e", "tmp"} {
		list, err := filepath.Glob(filepath.Join(dir, sub, "*"))
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range list {
			if err := os.RemoveAll(name); err != nil {
				t.Fatal(err)
			}
		}
	}
	for i := range 5 {
		if err := ts.put(i); err != nil {
			t.Error(err)
		}
		if err := ts.get(t, i); err != nil {
			t.Error(i, err)
		}
	}
}

// FuzzEntry reads files that anyone may have written.
func FuzzEntry(f *testing.F) {
	m := newMemFS()
	if err := Init(m); err != nil {
		f.Fatal(err)
	}
	s, err := Open(Config{FS: m, Log: slog.New(slog.DiscardHandler), Compress: true})
	if err != nil {
		f.Fatal(err)
	}
	for _, payload := range [][]byte{nil, []byte("x"), bytes.Repeat([]byte("long"), 3000)} {
		if err := s.Put(Head{Key: keyOf(1), Function: "f"}, payload, true); err != nil {
			f.Fatal(err)
		}
		f.Add(m.files[entryName(keyOf(1))].data)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		m := newMemFS()
		if err := Init(m); err != nil {
			t.Fatal(err)
		}
		s, err := Open(Config{FS: m, Log: slog.New(slog.DiscardHandler)})
		if err != nil {
			t.Fatal(err)
		}
		name := entryName(keyOf(1))
		_ = m.Mkdir(name[:3])
		m.files[name] = &memFile{data: b}
		err = s.Get(keyOf(1), func(e *Entry) error {
			if e.Key != keyOf(1) || int64(len(e.Payload)) != e.Size {
				t.Errorf("%+v", e)
			}
			return nil
		})
		if _, ok := errors.AsType[*DamageError](err); err != nil && !ok {
			t.Error(err)
		}
	})
}
