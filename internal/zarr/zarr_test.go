package zarr

import (
	"archive/zip"
	"bytes"
	"errors"
	"fmt"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/weft-go/weft/internal/dtype"
)

var shape = []int{5, 7}

// written unpacks the arrays that zarr-python wrote.
func written(t testing.TB) string {
	t.Helper()
	z, err := zip.OpenReader("testdata/arrays.zip")
	if err != nil {
		t.Fatal(err)
	}
	defer z.Close()
	dir := t.TempDir()
	if err := os.CopyFS(dir, z); err != nil {
		t.Fatal(err)
	}
	return dir
}

// values are those that testdata/arrays.py writes, in C order.
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

// only keeps the rows and columns below the limits, and puts fill elsewhere.
func only[T any](s []T, rows, columns int, fill T) []T {
	s = slices.Clone(s)
	for i := range s {
		if i/shape[1] >= rows || i%shape[1] >= columns {
			s[i] = fill
		}
	}
	return s
}

func equal[T dtype.Element](a, b []T) bool { return bytes.Equal(dtype.Bytes(a), dtype.Bytes(b)) }

// readAll reads an array as a whole, and blocks of it, and compares.
func readAll[T dtype.Element](t *testing.T, dir, name string, want []T) {
	t.Helper()
	a, err := Open(filepath.Join(dir, name))
	if err != nil {
		t.Error(err)
		return
	}
	defer a.Close()
	got := make([]T, a.Elements())
	if err := Read(a, got, make([]int, len(a.Shape)), a.Shape); err != nil {
		t.Error(err)
		return
	}
	if !equal(got, want) {
		t.Errorf("%s holds %v, want %v", name, got, want)
		return
	}
	if len(a.Shape) != 2 {
		return
	}
	for _, r0 := range []int{0, 1, 4} {
		for _, c0 := range []int{0, 2, 5} {
			for _, r := range []int{0, 1, min(3, shape[0]-r0)} {
				for _, c := range []int{1, shape[1] - c0} {
					part := make([]T, r*c)
					if err := Read(a, part, []int{r0, c0}, []int{r, c}); err != nil {
						t.Fatal(err)
					}
					for i := range r {
						row := want[(r0+i)*shape[1]+c0:][:c]
						if !equal(part[i*c:(i+1)*c], row) {
							t.Fatalf("%s: block of %d x %d at %d, %d: %v, want row %v", name, r, c, r0, c0, part, row)
						}
					}
				}
			}
		}
	}
}

func TestReadWhatPythonWrote(t *testing.T) {
	t.Parallel()
	dir := written(t)
	for _, v := range []string{"v2_", "v3_"} {
		readAll(t, dir, v+"float64", values[float64](35))
		readAll(t, dir, v+"float32", values[float32](35))
		readAll(t, dir, v+"int64", values[int64](35))
		readAll(t, dir, v+"int32", values[int32](35))
		readAll(t, dir, v+"uint8", values[uint8](35))
		readAll(t, dir, v+"bool", values[bool](35))
		readAll(t, dir, v+"complex128", values[complex128](35))
		readAll(t, dir, v+"complex_part", only(values[complex128](35), 2, 3, 1+2i))
		readAll(t, dir, v+"scalar", values[float64](1))
	}
	for _, name := range []string{"v2_gzip", "v2_zlib", "v2_none", "v2_big", "v2_fortran", "v2_slashes", "v3_gzip", "v3_none", "v3_crc32c", "v3_big", "v3_transposed", "v3_dots", "v3_oldkeys", "v3_sharded"} {
		readAll(t, dir, name, values[float64](35))
	}
	nan := math.Float64frombits(0x7ff8000000000000)
	readAll(t, dir, "v2_part", only(values[float64](35), 2, 3, nan))
	readAll(t, dir, "v3_part", only(values[float64](35), 2, 3, math.Inf(-1)))
	readAll(t, dir, "v3_sharded_part", only(values[float64](35), 2, 3, nan))

	for name, c := range map[string]struct {
		is   error
		says string
	}{
		"refused_blosc":  {ErrFormat, `"blosc" is not known; write it with gzip, zstd or none`},
		"refused_group":  {ErrNode, "open one of the arrays below it"},
		"refused_group2": {ErrNode, "open one of the arrays below it"},
		".":              {ErrNode, "neither zarr.json nor .zarray"},
	} {
		if _, err := Open(filepath.Join(dir, name)); !errors.Is(err, c.is) || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v", name, err)
		}
	}
	a, err := Open(filepath.Join(dir, "v3_float32"))
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	if err := Read(a, make([]float64, 35), []int{0, 0}, shape); !errors.Is(err, ErrType) || !strings.Contains(err.Error(), "float32, not float64") {
		t.Error(err)
	}
	for _, b := range [][2][]int{{{0, 0}, {6, 7}}, {{-1, 0}, {1, 1}}, {{0}, {1}}, {{4, 0}, {2, 1}}, {{1, 1}, {math.MaxInt, 1}}} {
		if err := Read(a, make([]float32, 1), b[0], b[1]); err == nil {
			t.Errorf("a block of %v at %v was read", b[1], b[0])
		}
	}
	if v, err := Fill[float32](a); err != nil || v != 0 {
		t.Error(v, err)
	}
}

// ways are ways to write; all read back the same.
var ways = map[string]Options{
	"v3":            {},
	"v3_gzip":       {Chunks: []int{2, 3}, Codec: Gzip},
	"v3_none":       {Chunks: []int{2, 3}, Codec: None},
	"v3_checksum":   {Chunks: []int{2, 3}, Codec: None, Checksum: true},
	"v3_fortran":    {Chunks: []int{2, 3}, Fortran: true},
	"v3_dots":       {Chunks: []int{5, 1}, Separator: "."},
	"v3_shards":     {Chunks: []int{2, 3}, Shards: []int{4, 6}, Checksum: true},
	"v3_shards_f":   {Chunks: []int{1, 7}, Shards: []int{2, 7}, Fortran: true, Codec: Gzip},
	"v2":            {Format: 2, Chunks: []int{2, 3}},
	"v2_gzip":       {Format: 2, Chunks: []int{2, 3}, Codec: Gzip, Level: 9},
	"v2_none":       {Format: 2, Chunks: []int{3, 2}, Codec: None, Separator: "/"},
	"v2_fortran":    {Format: 2, Chunks: []int{2, 3}, Fortran: true},
	"v3_part":       {Chunks: []int{2, 3}},
	"v3_shard_part": {Chunks: []int{2, 3}, Shards: []int{4, 6}},
	"v2_part":       {Format: 2, Chunks: []int{2, 3}},
}

// writeAll writes one array in every way, in blocks of cells, last first.
func writeAll[T dtype.Element](t *testing.T, dir string, fill T) {
	t.Helper()
	all := values[T](35)
	for name, o := range ways {
		name := fmt.Sprintf("%s_%s", dtype.Of[T](), name)
		w, err := Create(filepath.Join(dir, name), shape, fill, o)
		if err != nil {
			t.Fatal(err)
		}
		cells := w.Meta().Cells
		for r0 := (shape[0] - 1) / cells[0] * cells[0]; r0 >= 0; r0 -= cells[0] {
			if strings.HasSuffix(name, "_part") && r0 >= 4 {
				continue
			}
			r := min(cells[0], shape[0]-r0)
			if err := Write(w, all[r0*shape[1]:(r0+r)*shape[1]], []int{r0, 0}, []int{r, shape[1]}); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := os.Stat(filepath.Join(dir, name)); err == nil {
			t.Errorf("%s is there before Commit", name)
		}
		if err := w.Commit(); err != nil {
			t.Fatal(err)
		}
		want := all
		if strings.HasSuffix(name, "_part") {
			want = only(all, 4, 7, fill)
		}
		readAll(t, dir, name, want)
	}
}

func writeKinds(t *testing.T, dir string) {
	writeAll(t, dir, math.Float64frombits(0x7ff8000000000000))
	writeAll(t, dir, float32(math.Inf(1)))
	writeAll(t, dir, int64(math.MinInt64))
	writeAll(t, dir, int32(7))
	writeAll(t, dir, uint8(255))
	writeAll(t, dir, true)
	writeAll(t, dir, complex(0.1, math.Inf(-1)))
}

func TestWrite(t *testing.T) {
	t.Parallel()
	writeKinds(t, t.TempDir())
}

// python finds an interpreter that has zarr: WEFT_PYTHON, or that of the
// benchmarks.
func python(t *testing.T) string {
	t.Helper()
	p := os.Getenv("WEFT_PYTHON")
	if p == "" {
		p = filepath.Join("..", "..", "bench", "peers", "venv", "bin", "python")
	}
	if err := exec.Command(p, "-c", "import zarr").Run(); err != nil {
		t.Skipf("NOT TESTED: zarr-python reads what is written: %s cannot import zarr: %v; set WEFT_PYTHON, or `make peers`", p, err)
	}
	return p
}

// What is written is read by zarr-python.
func TestPythonReads(t *testing.T) {
	t.Parallel()
	p := python(t)
	dir := t.TempDir()
	writeKinds(t, dir)
	out, err := exec.Command(p, "testdata/arrays.py", dir).CombinedOutput()
	if err != nil || !strings.Contains(string(out), fmt.Sprintf("%d arrays read", 7*len(ways))) {
		t.Errorf("%v: %s", err, out)
	}
}

func TestWriteRefuses(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for says, o := range map[string]Options{
		"format 4":               {Format: 4},
		"an axis of 0":           {Chunks: []int{0, 1}},
		"chunks [1]":             {Chunks: []int{1}},
		"no shards":              {Format: 2, Chunks: []int{1, 1}, Shards: []int{2, 2}},
		"do not divide":          {Chunks: []int{2, 2}, Shards: []int{4, 3}},
		"no checksum":            {Format: 2, Checksum: true},
		"codec 9":                {Codec: 9},
		`separator "-"`:          {Separator: "-"},
		"more than 2147483647 b": {Chunks: []int{1 << 20, 1 << 20}},
	} {
		if w, err := Create(filepath.Join(dir, "x"), shape, 0.0, o); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%+v: %v; want %q", o, err, says)
			if err == nil {
				w.Discard()
			}
		}
	}
	w, err := Create(filepath.Join(dir, "x"), shape, 0.0, Options{Chunks: []int{2, 3}})
	if err != nil {
		t.Fatal(err)
	}
	for _, b := range [][2][]int{{{1, 0}, {1, 7}}, {{0, 0}, {3, 7}}, {{0, 0}, {6, 7}}, {{0, 0}, {2, 4}}} {
		if err := Write(w, make([]float64, product(b[1])), b[0], b[1]); err == nil {
			t.Errorf("a block of %v at %v was written", b[1], b[0])
		}
	}
	if err := Write(w, make([]float32, 35), []int{0, 0}, shape); !errors.Is(err, ErrType) {
		t.Error(err)
	}
	w.Discard()
	w.Discard()
	if err := w.Commit(); err == nil {
		t.Error("committed after Discard")
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) != 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
	if err := os.Mkdir(filepath.Join(dir, "taken"), 0o755); err != nil {
		t.Fatal(err)
	}
	if _, err := Create(filepath.Join(dir, "taken"), shape, 0.0, Options{}); !errors.Is(err, os.ErrExist) {
		t.Error(err)
	}
}

// Chunks that are all fill take no file.
func TestEmptyChunksAreNotWritten(t *testing.T) {
	t.Parallel()
	for _, o := range []Options{{Chunks: []int{2, 3}}, {Chunks: []int{2, 3}, Shards: []int{4, 6}}} {
		path := filepath.Join(t.TempDir(), "x")
		w, err := Create(path, shape, 7.0, o)
		if err != nil {
			t.Fatal(err)
		}
		all := slices.Repeat([]float64{7}, 35)
		all[34] = 8
		if err := Write(w, all, []int{0, 0}, shape); err != nil {
			t.Fatal(err)
		}
		if err := w.Commit(); err != nil {
			t.Fatal(err)
		}
		var files int
		filepath.WalkDir(path, func(_ string, d os.DirEntry, _ error) error {
			if !d.IsDir() {
				files++
			}
			return nil
		})
		if files != 2 { // the description and one chunk
			t.Errorf("%d files", files)
		}
		readAll(t, filepath.Dir(path), "x", all)
	}
}

// A chunk, or the directory of chunks, that is a link out of the array is not
// followed.
func TestConfined(t *testing.T) {
	t.Parallel()
	dir := written(t)
	secret := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(secret, make([]byte, 48), 0o644); err != nil {
		t.Fatal(err)
	}
	chunk := filepath.Join(dir, "v3_none", "c", "0", "0")
	if err := os.Remove(chunk); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(secret, chunk); err != nil {
		t.Skipf("NOT TESTED: links out of an array: %v", err)
	}
	a, err := Open(filepath.Join(dir, "v3_none"))
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	if err := Read(a, make([]float64, 35), []int{0, 0}, shape); err == nil || !strings.Contains(err.Error(), "escapes") {
		t.Error(err)
	}
}

// Each file of each array is cut short, and changed, at each place: an error
// or, where no checksum guards it, other values; never a crash.
func TestDamage(t *testing.T) {
	t.Parallel()
	dir := written(t)
	for name, guarded := range map[string]bool{"v3_crc32c": true, "v3_none": false, "v3_sharded": false, "v2_gzip": true, "v2_zlib": true, "v3_transposed": false} {
		path := filepath.Join(dir, name)
		err := filepath.WalkDir(path, func(file string, d os.DirEntry, err error) error {
			if err != nil || d.IsDir() || strings.HasPrefix(d.Name(), ".") || d.Name() == "zarr.json" {
				return err
			}
			whole, err := os.ReadFile(file)
			if err != nil {
				return err
			}
			read := func(b []byte) error {
				if err := os.WriteFile(file, b, 0o644); err != nil {
					t.Fatal(err)
				}
				a, err := Open(path)
				if err != nil {
					t.Fatal(err)
				}
				defer a.Close()
				return Read(a, make([]float64, 35), []int{0, 0}, shape)
			}
			for n := range whole {
				if err := read(whole[:n]); err == nil || !errors.Is(err, ErrFormat) {
					t.Errorf("%s cut to %d of %d bytes: %v", file, n, len(whole), err)
				}
				if !guarded && n%5 != 0 {
					continue
				}
				b := bytes.Clone(whole)
				b[n] ^= 0x55
				if err := read(b); guarded && err == nil && !(strings.HasSuffix(name, "gzip") && n < 10) {
					t.Errorf("%s changed at %d of %d bytes and read", file, n, len(whole))
				}
			}
			if err := read(append(bytes.Clone(whole), make([]byte, 1<<20)...)); err == nil {
				t.Errorf("%s with 1 MiB more was read", file)
			}
			return os.WriteFile(file, whole, 0o644)
		})
		if err != nil {
			t.Fatal(err)
		}
	}
}

func TestMalformedDescriptions(t *testing.T) {
	t.Parallel()
	const good = `{"zarr_format":3,"node_type":"array","shape":[5,7],"data_type":"float64","chunk_grid":{"name":"regular","configuration":{"chunk_shape":[2,3]}},"chunk_key_encoding":{"name":"default"},"fill_value":0,"codecs":[{"name":"bytes","configuration":{"endian":"little"}}]}`
	if _, err := parse3([]byte(good)); err != nil {
		t.Fatal(err)
	}
	shard := func(chunk, inner, index string) string {
		return `"codecs":[{"name":"sharding_indexed","configuration":{"chunk_shape":` + chunk + `,"codecs":` + inner + `,"index_codecs":` + index + `}}]`
	}
	const codecs, little = `"codecs":[{"name":"bytes","configuration":{"endian":"little"}}]`, `[{"name":"bytes","configuration":{"endian":"little"}}]`
	for _, c := range []struct{ old, new, says string }{
		{good, "", "EOF"},
		{good, "[]", "cannot unmarshal"},
		{`"zarr_format":3`, `"zarr_format":4`, "zarr_format 4"},
		{`[5,7]`, `[5,-7]`, "an axis of -7"},
		{`[5,7]`, `[4294967296,4294967296]`, "more than"},
		{`[5,7]`, `[` + strings.Repeat("1,", 64) + `1]`, "65 axes"},
		{`[5,7]`, `[5]`, "chunks [2 3] for shape [5]"},
		{`[2,3]`, `[0,3]`, "an axis of 0"},
		{`[2,3]`, `[100000,100000]`, "more than 2147483647 bytes"},
		{`"float64"`, `"float16"`, "float16"},
		{`"float64"`, `{"name":"x"}`, "data_type"},
		{`"regular"`, `"rectilinear"`, "rectilinear"},
		{`"default"`, `"other"`, "key encoding"},
		{`{"name":"default"}`, `{"name":"default","configuration":{"separator":"../"}}`, "separator"},
		{`"fill_value":0`, `"fill_value":"x"`, "fill value x"},
		{`"fill_value":0,`, ``, "no fill_value"},
		{`"little"`, `"middle"`, "endian"},
		{codecs, `"codecs":["crc32c"]`, "before one that makes bytes"},
		{codecs, `"codecs":[]`, "no codec that makes bytes"},
		{codecs, `"codecs":["bytes"]`, "no endian"},
		{codecs, `"codecs":[{"name":"transpose","configuration":{"order":[0,0]}},"bytes"]`, "transpose by"},
		{codecs, shard("[2,2]", little, little), "do not divide"},
		{codecs, shard("[0,1]", little, little), "chunks [0 1] in shards"},
		{codecs, shard("[1,1]", little, `[{"name":"bytes","configuration":{"endian":"little"}},"gzip"]`), "in the index"},
		{codecs, shard("[1,1]", shard("[1,1]", little, little)[len(`"codecs":`):], little), "wrong place"},
		{`"fill_value":0`, `"fill_value":0,"secret":{}`, "must be understood"},
		{`"fill_value":0`, `"fill_value":0,"storage_transformers":[1]`, "storage transformers"},
	} {
		text := strings.Replace(good, c.old, c.new, 1)
		if _, err := parse3([]byte(text)); err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v; want %q", text, err, c.says)
		}
	}
	if _, err := parse3([]byte(strings.Replace(good, `"fill_value":0`, `"fill_value":0,"note":{"must_understand":false}`, 1))); err != nil {
		t.Error(err)
	}

	const old = `{"zarr_format":2,"shape":[5,7],"chunks":[2,3],"dtype":"<f8","fill_value":null,"order":"C","filters":null,"compressor":null}`
	if _, err := parse2([]byte(old)); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ old, new, says string }{
		{`"<f8"`, `"<M8[ns]"`, "astype"},
		{`"<f8"`, `[["x","<f8"]]`, "each field"},
		{`"C"`, `"A"`, "order"},
		{`"filters":null`, `"filters":[{"id":"delta"}]`, "filters"},
		{`"zarr_format":2`, `"zarr_format":3`, "zarr_format 3"},
		{`"order"`, `"dimension_separator":"..","order"`, "separator"},
		{`"compressor":null`, `"compressor":{"id":"lz4"}`, "lz4"},
		{`"fill_value":null`, `"fill_value":[1,2]`, "fill value"},
	} {
		text := strings.Replace(old, c.old, c.new, 1)
		if _, err := parse2([]byte(text)); err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v; want %q", text, err, c.says)
		}
	}
}

// FuzzRead reads an array of 5 x 7 of which each chunk has the same bytes.
func FuzzRead(f *testing.F) {
	err := filepath.WalkDir(written(f), func(path string, d os.DirEntry, err error) error {
		if err != nil || d.Name() != "zarr.json" && d.Name() != ".zarray" {
			return err
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		chunk := []byte{}
		for _, name := range []string{"c/0/0", "c.0.0", "0.0", "0/0", "c", "0"} {
			if b, err := os.ReadFile(filepath.Join(filepath.Dir(path), name)); err == nil {
				chunk = b
			}
		}
		f.Add(d.Name() == "zarr.json", text, chunk)
		return nil
	})
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, v3 bool, text, chunk []byte) {
		parse := parse2
		if v3 {
			parse = parse3
		}
		m, err := parse(text)
		if err != nil || product(m.Shape) > 1<<12 || product(m.Cells) > 1<<12 || len(m.Cells) > 4 {
			return
		}
		cells := 1
		for i, c := range m.Cells {
			cells *= m.Shape[i]/c + 1
		}
		if cells > 64 {
			return
		}
		dir := t.TempDir()
		root, err := os.OpenRoot(dir)
		if err != nil {
			t.Fatal(err)
		}
		a := &Array{Meta: m, path: dir, root: root}
		defer a.Close()
		start := make([]int, len(m.Shape))
		if a.Elements() > 0 {
			eachCell(m.Cells, start, m.Shape, func(at []int) error {
				name := m.name(at)
				os.MkdirAll(filepath.Join(dir, filepath.Dir(name)), 0o755)
				return os.WriteFile(filepath.Join(dir, name), chunk, 0o644)
			})
		}
		switch m.Kind {
		case dtype.Float64:
			Read(a, make([]float64, a.Elements()), start, m.Shape)
		case dtype.Float32:
			Read(a, make([]float32, a.Elements()), start, m.Shape)
		case dtype.Int64:
			Read(a, make([]int64, a.Elements()), start, m.Shape)
		case dtype.Int32:
			Read(a, make([]int32, a.Elements()), start, m.Shape)
		case dtype.Uint8:
			Read(a, make([]uint8, a.Elements()), start, m.Shape)
		case dtype.Bool:
			all := make([]bool, a.Elements())
			Read(a, all, start, m.Shape)
			for _, b := range dtype.Bytes(all) {
				if b > 1 {
					t.Fatal("a bool that is neither")
				}
			}
		case dtype.Complex128:
			Read(a, make([]complex128, a.Elements()), start, m.Shape)
		}
	})
}
