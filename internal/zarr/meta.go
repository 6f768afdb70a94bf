package zarr

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/weft-go/weft/internal/dtype"
)

// The classes of errors. Others are those of the system.
var (
	ErrFormat = errors.New("not a well-formed Zarr array")
	ErrType   = errors.New("another element type")
	ErrNode   = errors.New("not a Zarr array")
)

const (
	maxMeta  = 16 << 20 // bytes of a description
	maxDims  = 64
	maxChunk = 1<<31 - 1 // bytes of a chunk; numcodecs has the same limit
)

// Meta is what the description says.
type Meta struct {
	Format int   // 2 or 3
	Shape  []int // no axis: one element
	// Chunks is the shape of the pieces that are read by themselves, Cells of
	// those that are a file each: with sharding a multiple, else the same.
	Chunks, Cells []int
	Kind          dtype.Kind

	fill      []byte // of one element, in the machine's order
	separator string
	prefixed  bool // chunk names start with c
	chain     chain
}

// chain is how a chunk becomes bytes.
type chain struct {
	order []int // axis i of the file is axis order[i] of the array; nil is the same
	big   bool
	steps []step
	shard *shard
}

// shard is the codec sharding_indexed.
type shard struct {
	chunk   []int
	chain   chain
	index   []step
	bigAt   bool // the index is big endian
	atStart bool
}

// Elements is how many there are.
func (m Meta) Elements() int { return product(m.Shape) }

func product(shape []int) int {
	n := 1
	for _, s := range shape {
		n *= s
	}
	return n
}

func malformed(format string, args ...any) error {
	return fmt.Errorf("%w: %w", ErrFormat, fmt.Errorf(format, args...))
}

// readMeta looks for either version's description.
func readMeta(root *os.Root) (Meta, error) {
	for _, v := range []struct {
		name  string
		parse func([]byte) (Meta, error)
	}{{"zarr.json", parse3}, {".zarray", parse2}} {
		f, err := root.Open(v.name)
		if errors.Is(err, os.ErrNotExist) {
			continue
		}
		if err != nil {
			return Meta{}, err
		}
		text, err := io.ReadAll(io.LimitReader(f, maxMeta+1))
		f.Close()
		if err == nil && len(text) > maxMeta {
			err = malformed("more than %d bytes", maxMeta)
		}
		var m Meta
		if err == nil {
			m, err = v.parse(text)
		}
		if err != nil {
			return Meta{}, fmt.Errorf("%s: %w", v.name, err)
		}
		return m, nil
	}
	if _, err := root.Stat(".zgroup"); err == nil {
		return Meta{}, fmt.Errorf("%w but a group: open one of the arrays below it", ErrNode)
	}
	return Meta{}, fmt.Errorf("%w: neither zarr.json nor .zarray is there", ErrNode)
}

func (m *Meta) check() error {
	if len(m.Shape) > maxDims {
		return malformed("%d axes; at most %d", len(m.Shape), maxDims)
	}
	if err := bounded(m.Shape, m.Kind, math.MaxInt, 0); err != nil {
		return malformed("shape %v: %w", m.Shape, err)
	}
	if len(m.Cells) != len(m.Shape) {
		return malformed("chunks %v for shape %v", m.Cells, m.Shape)
	}
	if err := bounded(m.Cells, m.Kind, maxChunk, 1); err != nil {
		return malformed("chunks %v: %w", m.Cells, err)
	}
	return nil
}

// bounded checks that each axis is at least low and all elements take at most
// most bytes, zero axes not counted.
func bounded(shape []int, k dtype.Kind, most, low int) error {
	n := k.Size()
	for _, s := range shape {
		if s < low {
			return fmt.Errorf("an axis of %d", s)
		}
		if s > 0 {
			if n > most/s {
				return fmt.Errorf("more than %d bytes", most)
			}
			n *= s
		}
	}
	return nil
}

func decodeJSON(text []byte, to any) error {
	d := json.NewDecoder(strings.NewReader(string(text)))
	d.UseNumber()
	if err := d.Decode(to); err != nil {
		return malformed("%w", err)
	}
	return nil
}

func parse2(text []byte) (Meta, error) {
	var j struct {
		Format     int             `json:"zarr_format"`
		Shape      []int           `json:"shape"`
		Chunks     []int           `json:"chunks"`
		Dtype      json.RawMessage `json:"dtype"`
		Compressor *struct {
			ID    string `json:"id"`
			Level int    `json:"level"`
		} `json:"compressor"`
		Fill      any               `json:"fill_value"`
		Order     string            `json:"order"`
		Filters   []json.RawMessage `json:"filters"`
		Separator string            `json:"dimension_separator"`
	}
	if err := decodeJSON(text, &j); err != nil {
		return Meta{}, err
	}
	if j.Format != 2 {
		return Meta{}, malformed("zarr_format %d in .zarray", j.Format)
	}
	var code string
	if err := json.Unmarshal(j.Dtype, &code); err != nil {
		return Meta{}, fmt.Errorf("%w: records with named fields: save each field by itself", ErrType)
	}
	m := Meta{Format: 2, Shape: j.Shape, Chunks: j.Chunks, Cells: j.Chunks, separator: j.Separator}
	var err error
	if m.Kind, m.chain.big, err = dtype.Parse(code); err != nil {
		return Meta{}, fmt.Errorf("%w: %w; convert it with astype", ErrType, err)
	}
	switch m.separator {
	case "":
		m.separator = "."
	case ".", "/":
	default:
		return Meta{}, malformed("the dimension separator %q", m.separator)
	}
	switch j.Order {
	case "C", "":
	case "F":
		m.chain.order = reversed(len(m.Shape))
	default:
		return Meta{}, malformed("the order %q", j.Order)
	}
	if len(j.Filters) > 0 {
		return Meta{}, fmt.Errorf("%w: it has filters, of which none is known; write it with filters=None", ErrFormat)
	}
	if c := j.Compressor; c != nil {
		s, err := newStep(c.ID, c.Level)
		if err != nil {
			return Meta{}, err
		}
		m.chain.steps = []step{s}
	}
	if err := m.check(); err != nil {
		return Meta{}, err
	}
	m.fill, err = parseFill(m.Kind, j.Fill)
	return m, err
}

func reversed(n int) []int {
	order := make([]int, n)
	for i := range order {
		order[i] = n - 1 - i
	}
	return order
}

type named struct {
	Name   string          `json:"name"`
	Config json.RawMessage `json:"configuration"`
}

// UnmarshalJSON takes a bare name as well.
func (n *named) UnmarshalJSON(b []byte) error {
	if len(b) > 0 && b[0] == '"' {
		return json.Unmarshal(b, &n.Name)
	}
	type plain named
	return json.Unmarshal(b, (*plain)(n))
}

func (n named) config(to any) error {
	if len(n.Config) == 0 {
		return nil
	}
	if err := decodeJSON(n.Config, to); err != nil {
		return fmt.Errorf("%s: %w", n.Name, err)
	}
	return nil
}

// known3 are the keys of an array's zarr.json; others must say that they may
// be ignored.
var known3 = []string{"zarr_format", "node_type", "shape", "data_type", "chunk_grid", "chunk_key_encoding", "fill_value", "codecs", "attributes", "storage_transformers", "dimension_names", "consolidated_metadata"}

func parse3(text []byte) (Meta, error) {
	var j struct {
		Format       int               `json:"zarr_format"`
		Node         string            `json:"node_type"`
		Shape        []int             `json:"shape"`
		Type         json.RawMessage   `json:"data_type"`
		Grid         named             `json:"chunk_grid"`
		Keys         named             `json:"chunk_key_encoding"`
		Fill         any               `json:"fill_value"`
		Codecs       []named           `json:"codecs"`
		Transformers []json.RawMessage `json:"storage_transformers"`
	}
	if err := decodeJSON(text, &j); err != nil {
		return Meta{}, err
	}
	if j.Format != 3 {
		return Meta{}, malformed("zarr_format %d in zarr.json", j.Format)
	}
	if j.Node != "array" {
		return Meta{}, fmt.Errorf("%w but a %s: open one of the arrays below it", ErrNode, strconv.Quote(j.Node))
	}
	var all map[string]json.RawMessage
	if err := decodeJSON(text, &all); err != nil {
		return Meta{}, err
	}
	for key, value := range all {
		var may struct {
			Must *bool `json:"must_understand"`
		}
		if !slices.Contains(known3, key) && (json.Unmarshal(value, &may) != nil || may.Must == nil || *may.Must) {
			return Meta{}, malformed("the unknown key %q, which must be understood", key)
		}
	}
	if len(j.Transformers) > 0 {
		return Meta{}, malformed("storage transformers, of which none is known")
	}
	m := Meta{Format: 3, Shape: j.Shape}
	var name string
	if err := json.Unmarshal(j.Type, &name); err != nil {
		return Meta{}, fmt.Errorf("%w: data_type %.40s", ErrType, j.Type)
	}
	var err error
	if m.Kind, err = dtype.Named(name); err != nil {
		return Meta{}, fmt.Errorf("%w: %w; convert it with astype", ErrType, err)
	}
	if j.Grid.Name != "regular" {
		return Meta{}, malformed("the chunk grid %q; regular is known", j.Grid.Name)
	}
	var grid struct {
		Chunk []int `json:"chunk_shape"`
	}
	if err := j.Grid.config(&grid); err != nil {
		return Meta{}, err
	}
	m.Cells = grid.Chunk
	if err := m.check(); err != nil {
		return Meta{}, err
	}

	var keys struct {
		Separator string `json:"separator"`
	}
	if err := j.Keys.config(&keys); err != nil {
		return Meta{}, err
	}
	m.separator = keys.Separator
	switch j.Keys.Name {
	case "default":
		m.prefixed = true
		if m.separator == "" {
			m.separator = "/"
		}
	case "v2":
		if m.separator == "" {
			m.separator = "."
		}
	default:
		return Meta{}, malformed("the chunk key encoding %q", j.Keys.Name)
	}
	if m.separator != "/" && m.separator != "." {
		return Meta{}, malformed("the separator %q", m.separator)
	}
	if m.chain, err = parseChain(j.Codecs, m.Cells, m.Kind, true); err != nil {
		return Meta{}, err
	}
	m.Chunks = m.Cells
	if m.chain.shard != nil {
		m.Chunks = m.chain.shard.chunk
	}
	if j.Fill == nil {
		return Meta{}, malformed("no fill_value")
	}
	m.fill, err = parseFill(m.Kind, j.Fill)
	return m, err
}

// parseChain reads the codecs of chunks of a shape: array to array, array to
// bytes, bytes to bytes.
func parseChain(codecs []named, chunk []int, k dtype.Kind, outer bool) (chain, error) {
	var c chain
	toBytes := false
	for _, n := range codecs {
		switch n.Name {
		case "transpose":
			if toBytes || c.order != nil {
				return c, malformed("the codec transpose in a wrong place")
			}
			var j struct {
				Order []int `json:"order"`
			}
			if err := n.config(&j); err != nil {
				return c, err
			}
			if sorted := slices.Sorted(slices.Values(j.Order)); len(sorted) != len(chunk) || !slices.EqualFunc(sorted, reversed(len(chunk)), func(a, b int) bool { return a == len(chunk)-1-b }) {
				return c, malformed("transpose by %v of %d axes", j.Order, len(chunk))
			}
			c.order = j.Order
		case "bytes":
			if toBytes {
				return c, malformed("two codecs that make bytes")
			}
			toBytes = true
			var j struct {
				Endian string `json:"endian"`
			}
			if err := n.config(&j); err != nil {
				return c, err
			}
			switch j.Endian {
			case "little":
			case "big":
				c.big = k.Size() > 1
			case "":
				if k.Size() > 1 {
					return c, malformed("the codec bytes says no endian")
				}
			default:
				return c, malformed("the endian %q", j.Endian)
			}
		case "sharding_indexed":
			if toBytes || !outer || c.order != nil {
				return c, malformed("the codec sharding_indexed in a wrong place")
			}
			toBytes = true
			s, err := parseShard(n, chunk, k)
			if err != nil {
				return c, err
			}
			c.shard = s
		default:
			if !toBytes {
				return c, malformed("the codec %q before one that makes bytes; bytes and sharding_indexed do, and transpose may come before", n.Name)
			}
			var j struct {
				Level int `json:"level"`
			}
			if err := n.config(&j); err != nil {
				return c, err
			}
			s, err := newStep(n.Name, j.Level)
			if err != nil {
				return c, err
			}
			c.steps = append(c.steps, s)
		}
	}
	if !toBytes {
		return c, malformed("no codec that makes bytes")
	}
	if c.shard != nil && len(c.steps) > 0 {
		return c, malformed("a codec behind sharding_indexed: single chunks could not be read")
	}
	return c, nil
}

func parseShard(n named, cell []int, k dtype.Kind) (*shard, error) {
	var j struct {
		Chunk    []int   `json:"chunk_shape"`
		Codecs   []named `json:"codecs"`
		Index    []named `json:"index_codecs"`
		Location string  `json:"index_location"`
	}
	if err := n.config(&j); err != nil {
		return nil, err
	}
	if len(j.Chunk) != len(cell) || bounded(j.Chunk, k, maxChunk, 1) != nil {
		return nil, malformed("chunks %v in shards %v", j.Chunk, cell)
	}
	for i, c := range j.Chunk {
		if cell[i]%c != 0 {
			return nil, malformed("chunks %v do not divide shards %v", j.Chunk, cell)
		}
	}
	s := &shard{chunk: j.Chunk}
	var err error
	if s.chain, err = parseChain(j.Codecs, j.Chunk, k, false); err != nil {
		return nil, fmt.Errorf("in a shard: %w", err)
	}
	index, err := parseChain(j.Index, j.Chunk, dtype.Int64, false)
	if err != nil {
		return nil, fmt.Errorf("index of a shard: %w", err)
	}
	if index.order != nil {
		return nil, malformed("a transposed index")
	}
	for _, st := range index.steps {
		if st.name != "crc32c" {
			return nil, malformed("the codec %q in the index of a shard, whose size it would change", st.name)
		}
	}
	s.index, s.bigAt = index.steps, index.big
	switch j.Location {
	case "end", "":
	case "start":
		s.atStart = true
	default:
		return nil, malformed("the index at %q", j.Location)
	}
	return s, nil
}

// name of the file of a cell.
func (m *Meta) name(at []int) string {
	var b strings.Builder
	if m.prefixed {
		b.WriteString("c")
	}
	for i, v := range at {
		if i > 0 || m.prefixed {
			b.WriteString(m.separator)
		}
		b.WriteString(strconv.Itoa(v))
	}
	if b.Len() == 0 {
		return "0"
	}
	return b.String()
}
