package npy

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/weft-go/weft/internal/dtype"
)

var shape = []int{2, 3, 4}

// values are those that testdata/files.py writes, in C order.
func values[T dtype.Element](n int) []T {
	s := make([]T, n)
	for i := range s {
		switch p := any(&s[i]).(type) {
		case *bool:
			*p = i%3 == 0
		case *complex128:
			*p = complex(float64(i)*1.5-3, float64(i)+0.25)
		case *uint8:
			*p = uint8(i*7 + 250)
		case *int64:
			*p = int64(i)*1000003 - 5
		case *int32:
			*p = int32(i)*1000003 - 5
		case *float64:
			*p = float64(i)*1.5 - 3
		case *float32:
			*p = float32(i)*1.5 - 3
		}
	}
	return s
}

// fortran puts elements of shape into Fortran order.
func fortran[T any](c []T) []T {
	f := make([]T, 0, len(c))
	for k := range shape[2] {
		for j := range shape[1] {
			for i := range shape[0] {
				f = append(f, c[(i*shape[1]+j)*shape[2]+k])
			}
		}
	}
	return f
}

func TestNumPyFiles(t *testing.T) {
	t.Parallel()
	t.Run("float64", numpyFiles[float64])
	t.Run("float32", numpyFiles[float32])
	t.Run("int64", numpyFiles[int64])
	t.Run("int32", numpyFiles[int32])
	t.Run("uint8", numpyFiles[uint8])
	t.Run("bool", numpyFiles[bool])
	t.Run("complex128", numpyFiles[complex128])
}

func numpyFiles[T dtype.Element](t *testing.T) {
	t.Parallel()
	k := dtype.Of[T]()
	c := values[T](24)
	for _, v := range []struct {
		suffix  string
		want    []T
		fortran bool
		big     bool
		same    bool // as we write it
	}{
		{suffix: "_c", want: c, same: true},
		{suffix: "_f", want: fortran(c), fortran: true, same: true},
		{suffix: "_big", want: c, big: k.Size() > 1},
	} {
		path := filepath.Join("testdata", k.String()+v.suffix+".npy")
		whole, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}

		got, h, err := Read[T](bytes.NewReader(whole))
		if err != nil || !slices.Equal(got, v.want) || !slices.Equal(h.Shape, shape) || h.Fortran != v.fortran || h.Big != v.big || h.Kind != k {
			t.Errorf("%s: read %v, %+v, %v; want %v", path, got, h, err, v.want)
		}

		f, err := Open(path)
		if err != nil {
			t.Fatal(err)
		}
		part := make([]T, 5)
		if err := ReadAt(f, part, 7); err != nil || !slices.Equal(part, v.want[7:12]) {
			t.Errorf("%s: read %v at 7, %v; want %v", path, part, err, v.want[7:12])
		}
		for _, first := range []int{-1, 20, math.MaxInt} {
			if err := ReadAt(f, part, first); err == nil {
				t.Errorf("%s: 5 elements read at %d of 24", path, first)
			}
		}
		m, err := Map[T](f)
		switch {
		case k == dtype.Bool || v.big:
			if !errors.Is(err, ErrNotMapped) {
				t.Errorf("%s: mapped: %v", path, err)
			}
		case err != nil:
			t.Errorf("%s: %v", path, err)
		default:
			if !slices.Equal(m.Slice(), v.want) {
				t.Errorf("%s: mapped %v, want %v", path, m.Slice(), v.want)
			}
			m.Close()
		}
		f.Close()

		if !v.same {
			continue
		}
		var out bytes.Buffer
		if err := Write(&out, shape, v.fortran, v.want); err != nil || !bytes.Equal(out.Bytes(), whole) {
			t.Errorf("%s: written otherwise than by NumPy: %q, %v", path, out.Bytes(), err)
		}
		to := filepath.Join(t.TempDir(), "out.npy")
		w, err := Create[T](to, shape, v.fortran)
		if err != nil {
			t.Fatal(err)
		}
		for _, first := range []int{20, 0, 10} { // in any order
			if err := WriteAt(w, v.want[first:min(first+10, 24)], first); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := os.Stat(to); err == nil {
			t.Error("the file is there before Commit")
		}
		if err := w.Commit(); err != nil {
			t.Fatal(err)
		}
		if b, err := os.ReadFile(to); err != nil || !bytes.Equal(b, whole) {
			t.Errorf("%s: written in pieces: %q, %v", path, b, err)
		}
	}
}

func TestVersionsAndShapes(t *testing.T) {
	t.Parallel()
	for name, want := range map[string][]int{
		"float64_v2": shape, "float64_v3": shape, "float64_0d": {}, "float64_1d": {7}, "float64_empty": {3, 0, 2},
	} {
		whole, err := os.ReadFile(filepath.Join("testdata", name+".npy"))
		if err != nil {
			t.Fatal(err)
		}
		got, h, err := Read[float64](bytes.NewReader(whole))
		if err != nil || !slices.Equal(h.Shape, want) || !slices.Equal(got, values[float64](h.Elements())) {
			t.Errorf("%s: %v, %+v, %v", name, got, h, err)
		}
		if whole[6] != 1 {
			continue
		}
		var out bytes.Buffer
		if err := Write(&out, want, false, got); err != nil || !bytes.Equal(out.Bytes(), whole) {
			t.Errorf("%s: written otherwise than by NumPy: %q, %v", name, out.Bytes(), err)
		}
	}
}

func TestSpecialValues(t *testing.T) {
	t.Parallel()
	f, err := os.Open("testdata/special.npy")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	got, _, err := Read[float64](f)
	if err != nil {
		t.Fatal(err)
	}
	want := []float64{math.NaN(), math.Inf(1), math.Inf(-1), 0, math.Copysign(0, -1), 5e-324, -math.MaxFloat64}
	for i := range want {
		if math.Float64bits(got[i]) != math.Float64bits(want[i]) && (want[i] == want[i] || got[i] == got[i]) {
			t.Errorf("element %d is %v, want %v", i, got[i], want[i])
		}
	}
}

func TestArchives(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"stored", "deflated"} {
		a, err := OpenArchive(filepath.Join("testdata", name+".npz"))
		if err != nil {
			t.Fatal(err)
		}
		defer a.Close()
		if got := a.Names(); len(got) != 7 || got[0] != "float64" {
			t.Errorf("%s has %q", name, got)
		}
		got, h, err := ReadNamed[complex128](a, "complex128")
		if err != nil || !slices.Equal(got, values[complex128](24)) || !slices.Equal(h.Shape, shape) {
			t.Errorf("%s: %v, %+v, %v", name, got, h, err)
		}
		if h, err := a.Header("int32"); err != nil || h.Kind != dtype.Int32 {
			t.Errorf("%s: %+v, %v", name, h, err)
		}
		if _, _, err := ReadNamed[float64](a, "complex128"); !errors.Is(err, ErrType) || !strings.Contains(err.Error(), "complex128, not float64") {
			t.Errorf("%s: %v", name, err)
		}
		if _, _, err := ReadNamed[float64](a, "float46"); err == nil || !strings.Contains(err.Error(), `"float64"`) {
			t.Errorf("%s: %v", name, err)
		}

		to := filepath.Join(t.TempDir(), "out.npz")
		w, err := CreateArchive(to, name == "deflated")
		if err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(Add(w, "x", shape, true, values[int32](24)), Add(w, "y", nil, false, []bool{true})); err != nil {
			t.Fatal(err)
		}
		if err := Add(w, "x", nil, false, []bool{true}); err == nil {
			t.Error("a name twice")
		}
		if err := w.Commit(); err != nil {
			t.Fatal(err)
		}
		b, err := OpenArchive(to)
		if err != nil {
			t.Fatal(err)
		}
		defer b.Close()
		if got, h, err := ReadNamed[int32](b, "x"); err != nil || !h.Fortran || !slices.Equal(got, values[int32](24)) {
			t.Errorf("%v, %+v, %v", got, h, err)
		}
		if got, h, err := ReadNamed[bool](b, "y"); err != nil || len(h.Shape) != 0 || !slices.Equal(got, []bool{true}) {
			t.Errorf("%v, %+v, %v", got, h, err)
		}
	}
	if _, err := OpenArchive("testdata/float64_c.npy"); !errors.Is(err, ErrFormat) {
		t.Error(err)
	}
}

// An entry whose bytes changed is told by its sum.
func TestCorruptArchive(t *testing.T) {
	t.Parallel()
	whole, err := os.ReadFile("testdata/stored.npz")
	if err != nil {
		t.Fatal(err)
	}
	whole[300] ^= 1 // an element of the first array
	path := filepath.Join(t.TempDir(), "corrupt.npz")
	if err := os.WriteFile(path, whole, 0o644); err != nil {
		t.Fatal(err)
	}
	a, err := OpenArchive(path)
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	if _, _, err := ReadNamed[float64](a, "float64"); err == nil || !strings.Contains(err.Error(), "checksum") {
		t.Error(err)
	}
}

func file(version byte, text string) []byte {
	b := append([]byte(magic), version, 0)
	if version == 1 {
		b = binary.LittleEndian.AppendUint16(b, uint16(len(text)))
	} else {
		b = binary.LittleEndian.AppendUint32(b, uint32(len(text)))
	}
	return append(b, text...)
}

func dict(shape string) string {
	return "{'descr': '<f8', 'fortran_order': False, 'shape': " + shape + "}"
}

func TestRefused(t *testing.T) {
	t.Parallel()
	whole, err := os.ReadFile("testdata/float64_c.npy")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name string
		data []byte
		is   error
		says string
	}{
		{"empty", nil, ErrTruncated, "first 8 bytes, 0"},
		{"magic", []byte("\x89PNG\r\n\x1a\n....."), ErrFormat, `not with "\x93NUMPY"`},
		{"version", file(4, dict("(1,)")), ErrFormat, "version 4.0"},
		{"short length", whole[:9], ErrTruncated, "length of the header"},
		{"short header", whole[:60], ErrTruncated, "50 bytes of a header of 118"},
		{"short data", whole[:len(whole)-1], ErrTruncated, "needs 192 bytes, 191 are there"},
		{"header of 4 GB", append([]byte(magic), 2, 0, 255, 255, 255, 255), ErrFormat, "4294967295 bytes"},
		{"no data, huge", file(1, dict("(1000000000, 1000000)")), ErrTruncated, "8000000000000000 bytes, 0 are there"},
		{"overflow", file(1, dict("(4294967296, 4294967296, 0)")), ErrFormat, "more bytes than an address"},
		{"axis overflow", file(1, dict("(99999999999999999999,)")), ErrFormat, "no int"},
		{"negative", file(1, dict("(-1,)")), ErrFormat, "negative axis"},
		{"axes", file(1, dict("("+strings.Repeat("1,", 65)+")")), ErrFormat, "more than 64 axes"},
		{"a number", file(1, dict("(3)")), ErrFormat, "where a tuple"},
		{"expression", file(1, dict("(2*3,)")), ErrFormat, `"*3,)}"`},
		{"no key", file(1, "{'descr': '<f8', 'shape': ()}"), ErrFormat, `no key "fortran_order"`},
		{"twice", file(1, "{'descr': '<f8', 'descr': '<f8'}"), ErrFormat, "twice"},
		{"unknown", file(1, "{'extra': 1}"), ErrFormat, `unknown key "extra"`},
		{"behind", file(1, dict("(1,)")+"import os"), ErrFormat, "behind the closing brace"},
		{"no dictionary", file(1, ""), ErrFormat, `"{" is expected`},
		{"boolean", file(1, "{'fortran_order': 1}"), ErrFormat, "True or False"},
		{"string", file(1, "{'descr': 'x"), ErrFormat, "without end"},
		{"not UTF-8", file(3, "{\xff}"), ErrFormat, "UTF-8"},
	} {
		_, _, err := Read[float64](bytes.NewReader(c.data))
		if !errors.Is(err, c.is) || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v; want %q that says %q", c.name, err, c.is, c.says)
		}
		path := filepath.Join(t.TempDir(), "x.npy")
		if err := os.WriteFile(path, c.data, 0o644); err != nil {
			t.Fatal(err)
		}
		if f, err := Open(path); err == nil {
			f.Close()
			t.Errorf("%s: opened", c.name)
		} else if !errors.Is(err, c.is) || !strings.Contains(err.Error(), path) {
			t.Errorf("%s: %v", c.name, err)
		}
	}
	for name, says := range map[string]string{
		"int16": "astype", "text": "<U2", "record": "named fields", "object": "Python objects",
	} {
		_, err := Open("testdata/refused_" + name + ".npy")
		if !errors.Is(err, ErrType) || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := Open(t.TempDir()); err == nil {
		t.Error("a directory was opened")
	}
}

// A lying header costs no more than what is there.
func TestNothingIsTakenForAHeader(t *testing.T) {
	// Not parallel: it looks at what the whole process allocated.
	data := append(file(1, dict("(1000000000000,)")), make([]byte, 3<<20)...)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	_, _, err := Read[float64](bytes.NewReader(data))
	runtime.ReadMemStats(&after)
	if !errors.Is(err, ErrTruncated) || !strings.Contains(err.Error(), "3145728 are there") {
		t.Error(err)
	}
	if took := after.TotalAlloc - before.TotalAlloc; took > 16<<20 {
		t.Errorf("%d bytes taken for 3 MiB", took)
	}
}

// A file that gets shorter after it was opened is an error, not zeros.
func TestShortenedFile(t *testing.T) {
	t.Parallel()
	whole, err := os.ReadFile("testdata/float64_c.npy")
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "x.npy")
	if err := os.WriteFile(path, whole, 0o644); err != nil {
		t.Fatal(err)
	}
	f, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := os.Truncate(path, 200); err != nil {
		t.Fatal(err)
	}
	if err := ReadAt(f, make([]float64, 24), 0); !errors.Is(err, ErrTruncated) {
		t.Error(err)
	}
}

func TestWriterKeepsWhatWasThere(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path := filepath.Join(dir, "x.npy")
	if err := os.WriteFile(path, []byte("old"), 0o644); err != nil {
		t.Fatal(err)
	}
	w, err := Create[int32](path, []int{4}, false)
	if err != nil {
		t.Fatal(err)
	}
	if err := WriteAt(w, []int32{1, 2}, 3); err == nil {
		t.Error("two elements written at 3 of 4")
	}
	if err := WriteAt(w, []int64{1}, 0); !errors.Is(err, ErrType) {
		t.Error(err)
	}
	w.Discard()
	w.Discard()
	if err := w.Commit(); err == nil {
		t.Error("committed after Discard")
	}
	if b, err := os.ReadFile(path); err != nil || string(b) != "old" {
		t.Errorf("%q, %v", b, err)
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) != 1 {
		t.Errorf("%v, %v", left, err)
	}
	if _, err := Create[float64](path, []int{-1}, false); err == nil {
		t.Error("a negative axis")
	}
	if err := Write(io.Discard, []int{2}, false, []float64{1}); err == nil {
		t.Error("one element for a shape of two")
	}
}

func FuzzRead(f *testing.F) {
	files, err := filepath.Glob("testdata/*.npy")
	if err != nil || len(files) == 0 {
		f.Fatal(files, err)
	}
	for _, name := range files {
		b, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		h, err := ReadHeader(bytes.NewReader(data))
		if err != nil {
			return
		}
		if h.Elements() < 0 || h.Bytes() < 0 || h.Offset > int64(len(data)) {
			t.Fatalf("%+v", h)
		}
		switch h.Kind {
		case dtype.Float64:
			again[float64](t, data)
		case dtype.Float32:
			again[float32](t, data)
		case dtype.Int64:
			again[int64](t, data)
		case dtype.Int32:
			again[int32](t, data)
		case dtype.Uint8:
			again[uint8](t, data)
		case dtype.Bool:
			again[bool](t, data)
		case dtype.Complex128:
			again[complex128](t, data)
		}
	})
}

// again reads, writes and reads: the same bytes.
func again[T dtype.Element](t *testing.T, data []byte) {
	all, h, err := Read[T](bytes.NewReader(data))
	if err != nil {
		return
	}
	var out bytes.Buffer
	if err := Write(&out, h.Shape, h.Fortran, all); err != nil {
		t.Fatal(err)
	}
	got, g, err := Read[T](&out)
	if err != nil || !slices.Equal(g.Shape, h.Shape) || g.Fortran != h.Fortran || !bytes.Equal(dtype.Bytes(got), dtype.Bytes(all)) {
		t.Fatalf("%+v, %v after %+v", g, err, h)
	}
}
