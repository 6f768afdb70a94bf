package zarr

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os"
	"path"
	"path/filepath"
	"slices"

	"github.com/weft-go/weft/internal/dtype"
)

// Codec says how chunks are compressed.
type Codec int

// The codecs. Zstd is the default: for numbers it is smaller than gzip and
// several times as fast.
const (
	Zstd Codec = iota
	Gzip
	None
)

// Options say how an array is written.
type Options struct {
	// Format is the version, 2 or 3. Defaults to 3.
	Format int
	// Chunks is the shape of the chunks. Defaults to the whole array.
	Chunks []int
	// Shards, in version 3, puts the chunks of each block of this shape into
	// one file; a multiple of Chunks. Defaults to a file a chunk.
	Shards []int
	// Codec compresses the chunks. Defaults to Zstd.
	Codec Codec
	// Level is the codec's. Defaults to 3 for Zstd, 5 for Gzip.
	Level int
	// Checksum, in version 3, adds a crc32c to each chunk.
	Checksum bool
	// Fortran has the first axis vary fastest in each chunk.
	Fortran bool
	// Separator stands between the numbers in the names of chunks, "." or "/".
	// Defaults to "." in version 2, "/" in version 3.
	Separator string
}

// Writer writes an array.
type Writer struct {
	meta Meta
	path string
	temp string
	root *os.Root
	done bool
}

// Create starts an array, whose elements are fill until they are written. The
// path must be free. Commit or Discard must be called.
func Create[T dtype.Element](path string, shape []int, fill T, o Options) (*Writer, error) {
	m, err := o.meta(shape, dtype.Of[T](), bytesOf(fill))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	if _, err := os.Lstat(path); err == nil {
		return nil, fmt.Errorf("%s: %w; remove it first, or choose another path", path, os.ErrExist)
	}
	temp, err := os.MkdirTemp(filepath.Dir(path), "."+filepath.Base(path)+".*.part")
	if err != nil {
		return nil, err
	}
	w := &Writer{meta: m, path: path, temp: temp}
	err = os.Chmod(temp, 0o755)
	if err == nil {
		w.root, err = os.OpenRoot(temp)
	}
	if err == nil {
		name, text := m.describe()
		err = w.root.WriteFile(name, text, 0o644)
	}
	if err != nil {
		w.Discard()
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return w, nil
}

func (o Options) meta(shape []int, k dtype.Kind, fill []byte) (Meta, error) {
	m := Meta{Format: cmp.Or(o.Format, 3), Shape: slices.Clone(shape), Chunks: slices.Clone(o.Chunks), Kind: k, fill: fill, separator: o.Separator}
	if m.Format != 2 && m.Format != 3 {
		return m, fmt.Errorf("format %d; 2 and 3 are known", m.Format)
	}
	if o.Chunks == nil {
		for _, s := range shape {
			m.Chunks = append(m.Chunks, max(s, 1))
		}
	}
	m.Cells = m.Chunks
	if o.Shards != nil {
		m.Cells = slices.Clone(o.Shards)
	}
	if err := m.check(); err != nil {
		return m, err
	}
	if m.separator == "" {
		m.separator = map[int]string{2: ".", 3: "/"}[m.Format]
	}
	if m.separator != "." && m.separator != "/" {
		return m, fmt.Errorf(`separator %q; "." and "/" are known`, m.separator)
	}
	m.prefixed = m.Format == 3
	var c chain
	if o.Fortran {
		c.order = reversed(len(shape))
	}
	switch o.Codec {
	case Zstd:
		c.steps = []step{{"zstd", cmp.Or(o.Level, 3)}}
	case Gzip:
		c.steps = []step{{"gzip", cmp.Or(o.Level, 5)}}
	case None:
	default:
		return m, fmt.Errorf("codec %d is not known", o.Codec)
	}
	if o.Checksum {
		if m.Format == 2 {
			return m, errors.New("version 2 has no checksum")
		}
		c.steps = append(c.steps, step{name: "crc32c"})
	}
	m.chain = c
	if o.Shards != nil {
		if m.Format == 2 {
			return m, errors.New("version 2 has no shards")
		}
		if len(m.Chunks) != len(m.Cells) {
			return m, fmt.Errorf("chunks %v in shards %v", m.Chunks, m.Cells)
		}
		for i, n := range m.Chunks {
			if n < 1 || m.Cells[i]%n != 0 {
				return m, fmt.Errorf("chunks %v do not divide shards %v", m.Chunks, m.Cells)
			}
		}
		m.chain = chain{shard: &shard{chunk: m.Chunks, chain: c, index: []step{{name: "crc32c"}}}}
	}
	return m, nil
}

type object = map[string]any

// describe is the file that describes the array.
func (m *Meta) describe() (name string, text []byte) {
	var j object
	if m.Format == 2 {
		name = ".zarray"
		order := "C"
		if m.chain.order != nil {
			order = "F"
		}
		var compressor any
		for _, s := range m.chain.steps {
			compressor = object{"id": s.name, "level": s.level}
		}
		j = object{
			"zarr_format": 2, "shape": list(m.Shape), "chunks": list(m.Cells), "dtype": m.Kind.Code(m.chain.big), "fill_value": fillJSON(m.Kind, m.fill),
			"order": order, "filters": nil, "dimension_separator": m.separator, "compressor": compressor,
		}
	} else {
		name = "zarr.json"
		j = object{
			"zarr_format": 3, "node_type": "array", "shape": list(m.Shape), "data_type": m.Kind.String(), "fill_value": fillJSON(m.Kind, m.fill),
			"chunk_grid":         object{"name": "regular", "configuration": object{"chunk_shape": list(m.Cells)}},
			"chunk_key_encoding": object{"name": "default", "configuration": object{"separator": m.separator}},
			"attributes":         object{}, "codecs": m.chain.describe(m.Kind),
		}
	}
	text, err := json.MarshalIndent(j, "", "  ")
	if err != nil {
		panic(err) // only strings and numbers
	}
	return name, append(text, '\n')
}

// list is never null.
func list(s []int) []int { return append([]int{}, s...) }

func (c chain) describe(k dtype.Kind) []any {
	codec := func(name string, config object) any {
		if config == nil {
			return object{"name": name}
		}
		return object{"name": name, "configuration": config}
	}
	little := codec("bytes", object{"endian": "little"})
	if s := c.shard; s != nil {
		return []any{codec("sharding_indexed", object{
			"chunk_shape": list(s.chunk), "codecs": s.chain.describe(k), "index_location": "end",
			"index_codecs": []any{little, codec("crc32c", nil)},
		})}
	}
	var all []any
	if c.order != nil {
		all = append(all, codec("transpose", object{"order": c.order}))
	}
	if k.Size() > 1 {
		all = append(all, little)
	} else {
		all = append(all, codec("bytes", nil))
	}
	for _, s := range c.steps {
		switch s.name {
		case "zstd":
			all = append(all, codec("zstd", object{"level": s.level, "checksum": false}))
		case "crc32c":
			all = append(all, codec("crc32c", nil))
		default:
			all = append(all, codec(s.name, object{"level": s.level}))
		}
	}
	return all
}

// Meta is what the array will be.
func (w *Writer) Meta() Meta { return w.meta }

// Write writes the block of this shape from start on; src is in C order. It
// must be of whole cells (Meta.Cells): along each axis it starts at a multiple
// of the cell, and ends at one or with the array. A chunk that is all fill
// takes no space.
func Write[T dtype.Element](w *Writer, src []T, start, shape []int) error {
	if err := sameType[T](w.path, w.meta.Kind); err != nil {
		return err
	}
	if err := checkBlock(w.meta.Shape, start, shape); err != nil {
		return fmt.Errorf("%s: %w", w.path, err)
	}
	if n := product(shape); len(src) != n {
		return fmt.Errorf("%s: %d elements for a block of %v", w.path, len(src), shape)
	}
	for i, c := range w.meta.Cells {
		if end := start[i] + shape[i]; start[i]%c != 0 || end%c != 0 && end != w.meta.Shape[i] {
			return fmt.Errorf("%s: the block of %v at %v is not of whole chunks of %v", w.path, shape, start, w.meta.Cells)
		}
	}
	if len(src) == 0 {
		return nil
	}
	in := window{dtype.Bytes(src), start, shape, strides(shape, nil), w.meta.Kind.Size()}
	return eachCell(w.meta.Cells, start, shape, func(at []int) error {
		name := w.meta.name(at)
		if err := w.writeCell(name, at, in); err != nil {
			return fmt.Errorf("%s: chunk %s: %w", w.path, name, err)
		}
		return nil
	})
}

func (w *Writer) writeCell(name string, at []int, in window) error {
	m := &w.meta
	origin := make([]int, len(at))
	for i := range at {
		origin[i] = at[i] * m.Cells[i]
	}
	var b []byte
	var err error
	if m.chain.shard != nil {
		b, err = m.encodeShard(origin, in)
	} else {
		b, err = m.encodeChunk(origin, m.Cells, &m.chain, in)
	}
	if err != nil || b == nil {
		return err
	}
	if dir := path.Dir(name); dir != "." {
		if err := w.root.MkdirAll(dir, 0o755); err != nil {
			return err
		}
	}
	return w.root.WriteFile(name, b, 0o644)
}

// encodeChunk is nil for a chunk that is all fill.
func (m *Meta) encodeChunk(origin, shape []int, c *chain, in window) ([]byte, error) {
	out := window{make([]byte, product(shape)*m.Kind.Size()), origin, shape, strides(shape, c.order), m.Kind.Size()}
	out.fillFrom(origin, shape, m.fill)
	empty := bytes.Clone(out.b)
	out.copyFrom(in)
	if bytes.Equal(empty, out.b) {
		return nil, nil
	}
	m.Kind.Turn(out.b, c.big)
	return encode(c.steps, out.b)
}

// encodeShard is the chunks, and behind them the index; nil if there are none.
func (m *Meta) encodeShard(origin []int, in window) ([]byte, error) {
	s := m.chain.shard
	var b, index []byte
	some := false
	err := eachCell(s.chunk, make([]int, len(origin)), m.Cells, func(at []int) error {
		inner := make([]int, len(at))
		for i := range at {
			inner[i] = origin[i] + at[i]*s.chunk[i]
		}
		chunk, err := m.encodeChunk(inner, s.chunk, &s.chain, in)
		if err != nil {
			return err
		}
		from, length := uint64(len(b)), uint64(len(chunk))
		if chunk == nil {
			from, length = math.MaxUint64, math.MaxUint64
		} else {
			some = true
		}
		index = binary.LittleEndian.AppendUint64(index, from)
		index = binary.LittleEndian.AppendUint64(index, length)
		b = append(b, chunk...)
		return nil
	})
	if err != nil || !some {
		return nil, err
	}
	index, err = encode(s.index, index)
	return append(b, index...), err
}

// Commit puts the array at its path, in one step.
func (w *Writer) Commit() error {
	if w.done {
		return fmt.Errorf("%s: committed or discarded before", w.path)
	}
	w.done = true
	err := w.root.Close()
	if err == nil {
		err = os.Rename(w.temp, w.path)
	}
	if err != nil {
		os.RemoveAll(w.temp)
		return fmt.Errorf("%s: %w", w.path, err)
	}
	return nil
}

// Discard removes what was written. It does nothing after Commit.
func (w *Writer) Discard() {
	if w.done {
		return
	}
	w.done = true
	if w.root != nil {
		w.root.Close()
	}
	os.RemoveAll(w.temp)
}
