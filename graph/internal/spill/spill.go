// Package spill keeps results on disk while there is no room for them in memory.
// A File is private to one run: one file in a directory of its own, which only
// the user can read, and which has no name any more, where the system can do
// that, as soon as it is open. So nothing is left over, not after kill -9 either.
//
// A result is encoded by internal/wire. Its large slices of numbers go to the
// file from where they are, and come back into the memory that they will have,
// so that writing takes no second copy of what there was no room for. Every
// piece has a checksum (CRC-32C), and one that does not fit is ErrDamaged.
package spill

import (
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"slices"
	"sync"

	"github.com/weft-go/weft/internal/wire"
)

// ErrDamaged is wrapped by the error of reading what is not what was written.
var ErrDamaged = errors.New("the file does not hold what was written there")

// bulkFrom is the size from which slices are written from where they are.
const bulkFrom = 16 << 10

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// Disk is what a File writes to, an *os.File. Tests have others.
type Disk interface {
	io.ReaderAt
	io.WriterAt
	io.Closer
}

// File is a place on disk for results. Its methods are safe for concurrent use.
type File struct {
	f    Disk
	dir  string
	name string // "" if it has none any more

	mu   sync.Mutex
	end  int64
	free []piece // by place
	held int64
}

// piece is a part of the file.
type piece struct {
	at, size int64
	sum      uint32
}

// Ref says where a result is. The last piece is its encoding, those before are
// its large slices.
type Ref struct{ pieces []piece }

// Size is the number of bytes on disk.
func (r Ref) Size() (n int64) {
	for _, p := range r.pieces {
		n += p.size
	}
	return n
}

// On is a File on d.
func On(d Disk) *File { return &File{f: d} }

// Create makes a file in a new directory in dir.
func Create(dir string) (*File, error) {
	if dir == "" {
		dir = os.TempDir()
	}
	d, err := os.MkdirTemp(dir, "weft-spill-")
	if err != nil {
		return nil, fmt.Errorf("no directory for results that do not fit into memory: %w", err)
	}
	name := filepath.Join(d, "results")
	f, err := os.OpenFile(name, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		_ = os.Remove(d)
		return nil, fmt.Errorf("no file for results that do not fit into memory: %w", err)
	}
	s := &File{f: f, dir: d, name: name}
	if runtime.GOOS != "windows" && os.Remove(name) == nil {
		_ = os.Remove(d)
		s.name = ""
	}
	return s, nil
}

// Close removes it.
func (s *File) Close() error {
	err := s.f.Close()
	if s.name != "" {
		err = errors.Join(err, os.Remove(s.name), os.Remove(s.dir))
	}
	return err
}

// Held is the number of bytes in use.
func (s *File) Held() int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.held
}

// Write puts v to disk. ErrEncode is wrapped if it has no encoding.
func (s *File) Write(v reflect.Value) (ref Ref, err error) {
	defer func() {
		if err != nil {
			s.Forget(ref)
			ref = Ref{}
		}
	}()
	put := func(b []byte) error {
		p := s.room(int64(len(b)))
		p.sum = crc32.Checksum(b, castagnoli)
		ref.pieces = append(ref.pieces, p)
		_, err := s.f.WriteAt(b, p.at)
		return err
	}
	var failed error
	e := wire.Encoder{BulkFrom: bulkFrom, Bulk: func(b []byte) (uint64, bool, error) {
		if failed = put(b); failed != nil {
			return 0, false, failed
		}
		return uint64(len(ref.pieces) - 1), true, nil
	}}
	if err := encode(&e, v); err != nil {
		if failed != nil {
			return ref, fmt.Errorf("writing a result to disk: %w", failed)
		}
		return ref, fmt.Errorf("%w: %w", ErrEncode, err)
	}
	if err := put(e.Buf); err != nil {
		return ref, fmt.Errorf("writing a result to disk: %w", err)
	}
	return ref, nil
}

// ErrEncode is wrapped by the error of a value that has no encoding.
var ErrEncode = errors.New("the result can't go to disk")

// encode turns a panic of a user's MarshalBinary into an error.
func encode(e *wire.Encoder, v reflect.Value) (err error) {
	normal := false
	defer func() {
		if !normal {
			err = fmt.Errorf("encoding it panicked: %v", recover())
		}
	}()
	err = e.Append(v)
	normal = true
	return err
}

// Read puts what ref stands for into v, which is settable and zero.
func (s *File) Read(ref Ref, v reflect.Value) error {
	get := func(p piece) ([]byte, error) {
		b := make([]byte, p.size)
		if _, err := s.f.ReadAt(b, p.at); err != nil {
			return nil, fmt.Errorf("reading a result from disk: %w: %w", ErrDamaged, err)
		}
		if crc32.Checksum(b, castagnoli) != p.sum {
			return nil, fmt.Errorf("reading a result from disk: %w", ErrDamaged)
		}
		return b, nil
	}
	if len(ref.pieces) == 0 {
		return fmt.Errorf("reading a result from disk: %w: there is none", ErrDamaged)
	}
	last := len(ref.pieces) - 1
	b, err := get(ref.pieces[last])
	if err != nil {
		return err
	}
	return decode(b, last, func(i int) ([]byte, error) { return get(ref.pieces[i]) }, v)
}

// decode reads an encoding, whose large slices are pieces.
func decode(b []byte, pieces int, piece func(i int) ([]byte, error), v reflect.Value) (err error) {
	normal := false
	defer func() {
		if !normal {
			err = fmt.Errorf("%w: decoding it panicked: %v", ErrDamaged, recover())
		}
	}()
	d := wire.Decoder{Buf: b, Bulk: func(id uint64) ([]byte, error) {
		if id >= uint64(pieces) {
			return nil, fmt.Errorf("%w: piece %d of %d", ErrDamaged, id, pieces)
		}
		return piece(int(id))
	}}
	err = d.Value(v)
	normal = true
	if err != nil && !errors.Is(err, ErrDamaged) {
		err = fmt.Errorf("%w: %w", ErrDamaged, err)
	}
	return err
}

// Forget gives the place of a result to others.
func (s *File) Forget(ref Ref) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, p := range ref.pieces {
		s.held -= p.size
		i, _ := slices.BinarySearchFunc(s.free, p.at, func(f piece, at int64) int { return int(f.at - at) })
		s.free = slices.Insert(s.free, i, p)
		if i+1 < len(s.free) && p.at+p.size == s.free[i+1].at {
			s.free[i].size += s.free[i+1].size
			s.free = slices.Delete(s.free, i+1, i+2)
		}
		if i > 0 && s.free[i-1].at+s.free[i-1].size == s.free[i].at {
			s.free[i-1].size += s.free[i].size
			s.free = slices.Delete(s.free, i, i+1)
		}
	}
}

// room finds size bytes, the first that are free, else at the end.
func (s *File) room(size int64) piece {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.held += size
	for i := range s.free {
		if f := &s.free[i]; f.size >= size {
			p := piece{at: f.at, size: size}
			f.at, f.size = f.at+size, f.size-size
			if f.size == 0 {
				s.free = slices.Delete(s.free, i, i+1)
			}
			return p
		}
	}
	p := piece{at: s.end, size: size}
	s.end += size
	return p
}
