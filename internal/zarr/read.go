package zarr

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"os"

	"github.com/weft-go/weft/internal/dtype"
)

// Array is an array on disk, open for reading.
type Array struct {
	Meta
	path string
	root *os.Root
}

// Open opens the array in a directory. It must be closed.
func Open(path string) (*Array, error) {
	root, err := os.OpenRoot(path)
	if err != nil {
		return nil, err
	}
	m, err := readMeta(root)
	if err != nil {
		root.Close()
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return &Array{Meta: m, path: path, root: root}, nil
}

// Close closes the directory.
func (a *Array) Close() error { return a.root.Close() }

// Path is where the directory is.
func (a *Array) Path() string { return a.path }

// Fill is the value of elements that were never written.
func Fill[T dtype.Element](a *Array) (T, error) {
	if err := sameType[T](a.path, a.Kind); err != nil {
		var none T
		return none, err
	}
	return elementOf[T](a.fill), nil
}

func sameType[T dtype.Element](path string, k dtype.Kind) error {
	if want := dtype.Of[T](); k != want {
		return fmt.Errorf("%s: %w: it holds %s, not %s", path, ErrType, k, want)
	}
	return nil
}

// Read fills dst with the block of this shape from start on, in C order. It
// reads each chunk that the block touches once, one at a time; blocks of whole
// chunks waste nothing.
func Read[T dtype.Element](a *Array, dst []T, start, shape []int) error {
	if err := sameType[T](a.path, a.Kind); err != nil {
		return err
	}
	if err := checkBlock(a.Shape, start, shape); err != nil {
		return fmt.Errorf("%s: %w", a.path, err)
	}
	if n := product(shape); len(dst) != n {
		return fmt.Errorf("%s: %d elements for a block of %v", a.path, len(dst), shape)
	}
	if len(dst) == 0 {
		return nil
	}
	out := window{dtype.Bytes(dst), start, shape, strides(shape, nil), a.Kind.Size()}
	err := eachCell(a.Cells, start, shape, func(at []int) error {
		name := a.name(at)
		if err := a.readCell(name, at, out); err != nil {
			return fmt.Errorf("%s: chunk %s: %w", a.path, name, err)
		}
		return nil
	})
	if err != nil {
		return err
	}
	if a.Kind == dtype.Bool {
		dtype.Mend(dst, dtype.BigMachine)
	}
	return nil
}

func checkBlock(whole, start, shape []int) error {
	if len(start) != len(whole) || len(shape) != len(whole) {
		return fmt.Errorf("a block of %v at %v of an array of %v", shape, start, whole)
	}
	for i := range whole {
		if start[i] < 0 || shape[i] < 0 || shape[i] > whole[i]-start[i] {
			return fmt.Errorf("a block of %v at %v of an array of %v", shape, start, whole)
		}
	}
	return nil
}

// eachCell calls f for each cell of a grid that a block touches, in C order.
func eachCell(cell, start, shape []int, f func(at []int) error) error {
	n := len(cell)
	first, last, at := make([]int, n), make([]int, n), make([]int, n)
	for i := range cell {
		first[i] = start[i] / cell[i]
		last[i] = (start[i] + shape[i] - 1) / cell[i]
	}
	copy(at, first)
	for {
		if err := f(at); err != nil {
			return err
		}
		i := n - 1
		for ; i >= 0; i-- {
			if at[i]++; at[i] <= last[i] {
				break
			}
			at[i] = first[i]
		}
		if i < 0 {
			return nil
		}
	}
}

// readCell puts what a cell's file has of a block there.
func (a *Array) readCell(name string, at []int, out window) error {
	origin := make([]int, len(at))
	for i := range at {
		origin[i] = at[i] * a.Cells[i]
	}
	f, err := a.root.Open(name)
	if errors.Is(err, os.ErrNotExist) {
		out.fillFrom(origin, a.Cells, a.fill)
		return nil
	}
	if err != nil {
		return err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	if !info.Mode().IsRegular() {
		return malformed("not a regular file")
	}
	if s := a.chain.shard; s != nil {
		return a.readShard(f, info.Size(), origin, s, out)
	}
	return a.readChunk(f, 0, info.Size(), origin, a.Cells, &a.chain, out)
}

// readChunk decodes the bytes of one chunk and copies what the block wants.
func (a *Array) readChunk(r io.ReaderAt, from, size int64, origin, shape []int, c *chain, out window) error {
	want := int64(product(shape)) * int64(a.Kind.Size())
	if size > room(want)+int64(len(c.steps))*64<<10 {
		return malformed("%d bytes for a chunk of %d", size, want)
	}
	b := make([]byte, size)
	if n, err := r.ReadAt(b, from); n < len(b) {
		return fmt.Errorf("read %d of %d bytes: %w", n, size, err)
	}
	b, err := decode(c.steps, b, want)
	if err != nil {
		return err
	}
	a.Kind.Turn(b, c.big)
	out.copyFrom(window{b, origin, shape, strides(shape, c.order), a.Kind.Size()})
	return nil
}

// missing is what the index of a shard says of a chunk that is not there.
const missing = math.MaxUint64

// readShard looks up each chunk of the block in the index of its shard.
func (a *Array) readShard(f *os.File, size int64, origin []int, s *shard, out window) error {
	grid := make([]int, len(origin))
	for i := range grid {
		grid[i] = a.Cells[i] / s.chunk[i]
	}
	chunks := int64(product(grid))
	length := chunks*16 + int64(len(s.index))*4
	if length > size {
		return malformed("a shard of %d bytes, with an index of %d", size, length)
	}
	at := size - length
	if s.atStart {
		at = 0
	}
	index := make([]byte, length)
	if n, err := f.ReadAt(index, at); n < len(index) {
		return fmt.Errorf("index: %d of %d bytes: %w", n, length, err)
	}
	index, err := decode(s.index, index, chunks*16)
	if err != nil {
		return fmt.Errorf("index: %w", err)
	}
	order := binary.ByteOrder(binary.LittleEndian)
	if s.bigAt {
		order = binary.BigEndian
	}
	// The part of the block that lies in this shard, counted from its origin.
	start, shape := make([]int, len(origin)), make([]int, len(origin))
	for i := range origin {
		low := max(out.start[i], origin[i])
		start[i] = low - origin[i]
		shape[i] = min(out.start[i]+out.shape[i], origin[i]+a.Cells[i]) - low
	}
	return eachCell(s.chunk, start, shape, func(at []int) error {
		n := 0
		inner := make([]int, len(at))
		for i := range at {
			n = n*grid[i] + at[i]
			inner[i] = origin[i] + at[i]*s.chunk[i]
		}
		from, length := order.Uint64(index[16*n:]), order.Uint64(index[16*n+8:])
		if from == missing && length == missing {
			out.fillFrom(inner, s.chunk, a.fill)
			return nil
		}
		if from > uint64(size) || length > uint64(size)-from {
			return malformed("chunk %v of a shard is said to be %d bytes at %d, of %d", at, length, from, size)
		}
		if err := a.readChunk(f, int64(from), int64(length), inner, s.chunk, &s.chain, out); err != nil {
			return fmt.Errorf("chunk %v of a shard: %w", at, err)
		}
		return nil
	})
}
