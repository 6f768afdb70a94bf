package shm

import (
	"bytes"
	"encoding/hex"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
)

// importAnew opens a handle as another process would: as memory that this
// process does not know yet.
func importAnew[T any](t testing.TB, handle string, f *os.File) (*Slice[T], error) {
	t.Helper()
	h, err := decode[T](handle)
	if err != nil {
		return nil, err
	}
	if err := h.ref.verify(f); err != nil {
		return nil, err
	}
	l, err := layoutOf[T]()
	if err := errors.Join(err, h.ref.fits(l)); err != nil {
		return nil, err
	}
	seg := &segment{ref: h.ref, imported: true, refs: 1}
	if h.ref.mode.writes() {
		seg.rw = f
	} else {
		seg.ro = f
	}
	m, err := seg.mapped(h.ref.mode)
	if err != nil {
		return nil, err
	}
	return newSlice[T](seg, m, h.ref.mode), nil
}

// foreign returns a Ref of s as another process would have made it: this
// process does not know its ID.
func foreign[T any](s *Slice[T], mode Mode) Ref {
	r := s.Handle(mode).Ref()
	r.id[0]++
	s.mem.header().id = r.id
	return r
}

func TestHandleRoundTrip(t *testing.T) {
	t.Parallel()
	s := make1[float64](t, 10)
	h := s.Handle(ReadOnly)
	back, err := decode[float64](encode(t, h))
	if err != nil {
		t.Fatal(err)
	}
	if back != h || back.Len() != 10 || back.Ref().Mode() != ReadOnly {
		t.Errorf("got %v, want %v", back, h)
	}
	if got := h.String(); !strings.Contains(got, "10 of float64, read-only") {
		t.Error(got)
	}
	if n := len(encode(t, h)) / 2; n > 100 {
		t.Errorf("%d bytes", n)
	}
}

func TestHandleOfAnotherType(t *testing.T) {
	t.Parallel()
	type a struct{ X, Y float32 }
	type b struct{ X, Z float32 }
	s := make1[a](t, 10)
	text := encode(t, s.Handle(ReadOnly))
	_, err := decode[b](text)
	wantError(t, err, ErrMismatch, "10 of shm.a", "opened as shm.b")
	_, err = decode[int32](text)
	wantError(t, err, ErrMismatch, "4 bytes each, not 8")
	_, err = decode[string](text)
	wantError(t, err, nil, "string")
}

func TestZeroHandle(t *testing.T) {
	t.Parallel()
	var h Handle[int]
	_, err := h.Open()
	wantError(t, err, nil, "zero handle")
	_, err = h.MarshalBinary()
	wantError(t, err, nil, "zero handle")
	_, err = h.Ref().File()
	wantError(t, err, nil, "zero handle")
	f, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	wantError(t, h.Ref().Accept(f), nil, "zero handle")
	wantError(t, h.Ref().Accept(nil), nil, "no descriptor")
	if got := h.String(); got != "the zero handle" {
		t.Error(got)
	}
}

func TestHandleOfAnotherRun(t *testing.T) {
	t.Parallel()
	s := make1[int](t, 10)
	h := s.Handle(ReadOnly)
	h.ref.id[0]++
	_, err := h.Open()
	wantError(t, err, ErrUnknown, "another run")
}

func TestDamagedHandles(t *testing.T) {
	t.Parallel()
	s := make1[int64](t, 10)
	good, err := s.Handle(ReadOnly).MarshalBinary()
	if err != nil {
		t.Fatal(err)
	}
	for i := range good {
		bad := bytes.Clone(good)
		bad[i] ^= 0x81
		var h Handle[int64]
		if err := h.UnmarshalBinary(bad); err != nil {
			continue
		}
		o, err := h.Open()
		if err == nil {
			o.Close()
			t.Errorf("byte %d changed, and the handle opens: %v", i, h)
		}
	}
	for _, n := range []int{0, 1, refFixed - 1, len(good) - 1} {
		var h Handle[int64]
		wantError(t, h.UnmarshalBinary(good[:n]), ErrMismatch)
	}
	var h Handle[int64]
	wantError(t, h.UnmarshalBinary(append(bytes.Clone(good), 0)), ErrMismatch)
}

func FuzzHandle(f *testing.F) {
	s := make1[int64](f, 10)
	for _, mode := range []Mode{ReadOnly, ReadWrite, CopyOnWrite} {
		b, err := s.Handle(mode).MarshalBinary()
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	file, err := MapFile[int64](filepath.Join(f.TempDir(), "f"), Create, Length(3), Offset(16))
	b, err2 := open(f, file, err).Handle(ReadOnly).MarshalBinary()
	if err2 != nil {
		f.Fatal(err2)
	}
	f.Add(b)
	f.Fuzz(func(t *testing.T, data []byte) {
		var r Ref
		if err := r.UnmarshalBinary(data); err != nil {
			if r != (Ref{}) {
				t.Error("changed by an error")
			}
			return
		}
		again, err := r.MarshalBinary()
		if err != nil || !bytes.Equal(again, data) {
			t.Errorf("%x became %x: %v", data, again, err)
		}
		if int64(r.bytes())+r.offset < 0 || r.elem < 1 || r.length < 1 {
			t.Errorf("sizes of %v", r)
		}
		// What no one made can't be opened, except for what the seeds are of.
		o, err := Handle[int64]{ref: r}.Open()
		if err == nil {
			if o.Len() != 10 && o.Len() != 3 {
				t.Errorf("opened %v", r)
			}
			o.Close()
		}
	})
}

func TestWhatADescriptorMustBe(t *testing.T) {
	t.Parallel()
	s, other := make1[int64](t, 10), make1[int64](t, 10)
	r := foreign(s, ReadOnly)
	descriptor := func(r Ref) *os.File {
		f, err := r.File()
		if err != nil {
			t.Fatal(err)
		}
		return f
	}
	wantError(t, r.Accept(descriptor(other.Handle(ReadOnly).Ref())), ErrMismatch, "another segment")
	wantError(t, r.Accept(descriptor(other.Handle(ReadWrite).Ref())), ErrMismatch, "read-only, and the descriptor is not")

	writes := r
	writes.mode = ReadWrite
	wantError(t, writes.Accept(descriptor(s.Handle(ReadOnly).Ref())), ErrMismatch, "read-write, and the descriptor is not")
	long := r
	long.length++
	wantError(t, long.Accept(descriptor(s.Handle(ReadOnly).Ref())), ErrMismatch)
	longer := r
	longer.length = 1 << 20
	wantError(t, longer.Accept(descriptor(s.Handle(ReadOnly).Ref())), ErrMismatch, "are needed")
	typed := r
	typed.fingerprint++
	wantError(t, typed.Accept(descriptor(s.Handle(ReadOnly).Ref())), ErrMismatch, "another type or number")

	pipe, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	w.Close()
	wantError(t, r.Accept(pipe), ErrMismatch, "no file")

	path := filepath.Join(t.TempDir(), "f")
	file, err := MapFile[int64](path, Create, Length(2))
	fr := foreign(open(t, file, err), ReadOnly)
	fr.kind = ofFile
	if err := os.WriteFile(path+"2", make([]byte, 100), 0o666); err != nil {
		t.Fatal(err)
	}
	f, err := os.Open(path + "2")
	if err != nil {
		t.Fatal(err)
	}
	wantError(t, fr.Accept(f), ErrMismatch, "another file")
}

// A process that does not have the memory asks for it, once; what its maker
// closes it is told to forget, and what it uses stays.
func TestFetchAndForget(t *testing.T) {
	// Not parallel: the resolver is the process's.
	s := make1[int64](t, 10)
	ask := s.Handle(ReadOnly).Ref()
	askToWrite := s.Handle(ReadWrite).Ref()
	s.Slice()[1] = 42
	r := foreign(s, ReadOnly)
	var asked atomic.Int32
	var last atomic.Pointer[Ref]
	defer SetResolver(func(r Ref) (*os.File, error) {
		asked.Add(1)
		last.Store(&r)
		if r.Mode() == ReadWrite {
			return askToWrite.File()
		}
		return ask.File()
	})()
	h := Handle[int64]{ref: r}
	first, err := h.Open()
	if err != nil {
		t.Fatal(err)
	}
	second, err := h.Open()
	if err != nil {
		t.Fatal(err)
	}
	if n := asked.Load(); n != 1 || *last.Load() != r {
		t.Errorf("asked %d times, last for %v", n, *last.Load())
	}
	if first.Slice()[1] != 42 || &first.Slice()[0] != &second.Slice()[0] {
		t.Error("not the same memory")
	}

	// What came to read can't be handed on to write.
	wantError(t, first.Handle(ReadWrite).err, ErrReadOnly)
	wantError(t, first.Freeze(), ErrReadOnly)

	// A handle to write is fetched again.
	w := Handle[int64]{ref: r}
	w.ref.mode = ReadWrite
	writer, err := w.Open()
	if err != nil {
		t.Fatal(err)
	}
	writer.Slice()[2] = 7
	if asked.Load() != 2 || first.Slice()[2] != 7 || s.Slice()[2] != 7 {
		t.Errorf("asked %d times; %d", asked.Load(), first.Slice()[2])
	}
	writer.Close()

	var told atomic.Int32
	stop := OnClose(func(id ID) {
		if id == r.ID() {
			told.Add(1)
		}
	})
	defer stop()
	second.Close()
	if err := Forget(r.ID()); err != nil {
		t.Fatal(err)
	}
	if told.Load() != 1 {
		t.Errorf("told %d times", told.Load())
	}
	if first.Slice()[1] != 42 {
		t.Error("the memory is gone while it is used")
	}
	first.Close()
	if err := Forget(r.ID()); err != nil {
		t.Errorf("forgetting twice: %v", err)
	}

	again, err := h.Open()
	if err != nil {
		t.Fatal(err)
	}
	again.Close()
	if asked.Load() != 3 {
		t.Errorf("asked %d times after forgetting", asked.Load())
	}
	Forget(r.ID())

	broken := errors.New("broken")
	restore := SetResolver(func(Ref) (*os.File, error) { return nil, broken })
	_, err = h.Open()
	wantError(t, err, broken, "fetch shared memory")
	restore()
}

func TestCloseIsTold(t *testing.T) {
	t.Parallel()
	s, err := Make[int](1)
	if err != nil {
		t.Fatal(err)
	}
	id := s.Handle(ReadOnly).Ref().ID()
	var told atomic.Int32
	defer OnClose(func(got ID) {
		if got == id {
			told.Add(1)
		}
	})()
	if err := Forget(id); err != nil { // its maker can't forget
		t.Fatal(err)
	}
	clone, err := s.Clone()
	if err != nil {
		t.Fatal(err)
	}
	clone.Close()
	if told.Load() != 0 {
		t.Error("told while it is open")
	}
	s.Close()
	if told.Load() != 1 {
		t.Errorf("told %d times", told.Load())
	}
}

func TestHandleModes(t *testing.T) {
	t.Parallel()
	s := make1[int](t, 4)
	wantError(t, s.Handle(Create).err, nil, "read-only, read-write or copy-on-write")
	wantError(t, s.Handle(0).err, nil, "Mode(0)")
	cow, err := s.Handle(CopyOnWrite).Open()
	open(t, cow, err)
	cow.Slice()[0] = 9
	if s.Slice()[0] != 0 {
		t.Error("a private write is shared")
	}
	_, err = cow.Clone()
	wantError(t, err, ErrUnsupported)
	wantError(t, cow.Handle(ReadOnly).err, nil, "this process only")
	ro, err := s.Handle(ReadOnly).Open()
	open(t, ro, err)
	_, err = ro.Handle(ReadWrite).Open()
	wantError(t, err, ErrReadOnly)
	again, err := ro.Handle(CopyOnWrite).Open()
	open(t, again, err)
}

func TestLongTypeNames(t *testing.T) {
	t.Parallel()
	s := make1[struct {
		AVeryLongNameOfAField, AnotherVeryLongNameOfAField, YetAnotherVeryLongNameOfAField int64
		TheLastOfThem                                                                      int32
	}](t, 2)
	text := encode(t, s.Handle(ReadOnly))
	if len(text)/2 > refFixed+maxName {
		t.Errorf("%d bytes", len(text)/2)
	}
	if b, err := hex.DecodeString(text); err != nil || !bytes.HasSuffix(b, []byte("...")) {
		t.Errorf("%s %v", b, err)
	}
}

func BenchmarkOpen(b *testing.B) {
	h := make1[float64](b, 1<<20).Handle(ReadOnly)
	for b.Loop() {
		s, err := h.Open()
		if err != nil {
			b.Fatal(err)
		}
		s.Close()
	}
}
