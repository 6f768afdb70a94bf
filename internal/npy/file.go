package npy

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/weft-go/weft/internal/dtype"
	"github.com/weft-go/weft/shm"
)

// firstTaken is how many bytes are taken before anything has arrived.
const firstTaken = 1 << 20

// Read reads one array, in the order of the file (Header.Fortran), and leaves
// r behind it. It holds at most twice the bytes that have arrived.
func Read[T dtype.Element](r io.Reader) ([]T, Header, error) {
	h, err := ReadHeader(r)
	if err != nil {
		return nil, Header{}, err
	}
	if err := same[T](h); err != nil {
		return nil, Header{}, err
	}
	n := h.Elements()
	got := 0
	all := make([]T, min(n, firstTaken/h.Kind.Size()))
	for {
		m, err := io.ReadFull(r, dtype.Bytes(all[got:]))
		if err != nil {
			if err == io.EOF || err == io.ErrUnexpectedEOF {
				err = tooShort(h, int64(got)*int64(h.Kind.Size())+int64(m))
			}
			return nil, Header{}, err
		}
		got = len(all)
		if got == n {
			break
		}
		all = append(all, make([]T, min(n-got, got))...)
	}
	dtype.Mend(all, h.Big)
	return all, h, nil
}

func tooShort(h Header, bytes int64) error {
	return fmt.Errorf("%w: shape %v of %s needs %d bytes, %d are there", ErrTruncated, h.Shape, h.Kind, h.Bytes(), bytes)
}

func same[T dtype.Element](h Header) error {
	if k := dtype.Of[T](); h.Kind != k {
		return fmt.Errorf("%w: it holds %s, not %s", ErrType, h.Kind, k)
	}
	return nil
}

// File is an array in a file, to be read in pieces.
type File struct {
	Header
	path string
	f    *os.File
}

// Open opens a file and checks that all its elements are there. It must be
// closed.
func Open(path string) (*File, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	file := &File{path: path, f: f}
	if err := file.check(); err != nil {
		f.Close()
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return file, nil
}

func (f *File) check() error {
	info, err := f.f.Stat()
	if err != nil {
		return err
	}
	if !info.Mode().IsRegular() {
		return errors.New("not a regular file")
	}
	if f.Header, err = ReadHeader(f.f); err != nil {
		return err
	}
	if rest := info.Size() - f.Offset; rest < f.Bytes() {
		return tooShort(f.Header, rest)
	}
	return nil
}

// Path is where the file is.
func (f *File) Path() string { return f.path }

// Close closes the file.
func (f *File) Close() error { return f.f.Close() }

// ReadAt fills dst with the elements from first on, in the order of the file.
func ReadAt[T dtype.Element](f *File, dst []T, first int) error {
	if err := same[T](f.Header); err != nil {
		return fmt.Errorf("%s: %w", f.path, err)
	}
	if first < 0 || first > f.Elements()-len(dst) {
		return fmt.Errorf("%s: elements %d to %d of %d", f.path, first, first+len(dst), f.Elements())
	}
	size := int64(f.Kind.Size())
	n, err := f.f.ReadAt(dtype.Bytes(dst), f.Offset+int64(first)*size)
	if n < len(dst)*int(size) {
		if err == io.EOF {
			err = fmt.Errorf("%w since it was opened", ErrTruncated)
		}
		return fmt.Errorf("%s: elements %d to %d: %w", f.path, first, first+len(dst), err)
	}
	dtype.Mend(dst, f.Big)
	return nil
}

// ErrNotMapped is the class of errors of Map for an array that can be read,
// but not be mapped.
var ErrNotMapped = errors.New("cannot be mapped")

// Map maps the elements of a file, in its order, as shm.MapFile does, whose
// warnings hold: nothing is read until it is touched. The slice must be
// closed. An array of another byte order than the machine's, of bools (a byte
// of the file may be neither true nor false), without elements, or that starts
// at an odd place, is ErrNotMapped: read it.
func Map[T dtype.Element](f *File) (*shm.Slice[T], error) {
	if err := same[T](f.Header); err != nil {
		return nil, fmt.Errorf("%s: %w", f.path, err)
	}
	why := ""
	switch {
	case f.Kind.Size() > 1 && f.Big != dtype.BigMachine:
		why = "its byte order is not the machine's"
	case f.Kind == dtype.Bool:
		why = "its bytes may be neither true nor false"
	case f.Elements() == 0:
		why = "it has no elements"
	case f.Offset%int64(min(f.Kind.Size(), 8)) != 0:
		why = fmt.Sprintf("its elements start at byte %d", f.Offset)
	}
	if why != "" {
		return nil, fmt.Errorf("%s: %w: %s", f.path, ErrNotMapped, why)
	}
	return shm.MapFile[T](f.path, shm.ReadOnly, shm.Offset(f.Offset), shm.Length(f.Elements()))
}

// Write writes an array; all are its elements, in C order, or in Fortran order
// if that is said.
func Write[T dtype.Element](w io.Writer, shape []int, fortran bool, all []T) error {
	k := dtype.Of[T]()
	if err := checkShape(shape, k); err != nil {
		return err
	}
	h := Header{Shape: shape, Kind: k}
	if h.Elements() != len(all) {
		return fmt.Errorf("shape %v has %d elements, not %d", shape, h.Elements(), len(all))
	}
	if _, err := w.Write(appendHeader(nil, shape, fortran, k)); err != nil {
		return err
	}
	if !dtype.BigMachine {
		_, err := w.Write(dtype.Bytes(all))
		return err
	}
	part := make([]byte, 64<<10)
	for b := dtype.Bytes(all); len(b) > 0; {
		n := copy(part, b)
		b = b[n:]
		k.Turn(part[:n], false)
		if _, err := w.Write(part[:n]); err != nil {
			return err
		}
	}
	return nil
}

// Writer writes an array to a file in pieces. Until Commit, nothing is at the
// path; a file that was there stays.
type Writer struct {
	header Header
	path   string
	f      *os.File
	done   bool
}

// Create starts a file of this shape. It is filled with zeros, and takes disk
// space as it is written. Commit or Discard must be called.
func Create[T dtype.Element](path string, shape []int, fortran bool) (*Writer, error) {
	k := dtype.Of[T]()
	if err := checkShape(shape, k); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".*.part")
	if err != nil {
		return nil, err
	}
	head := appendHeader(nil, shape, fortran, k)
	w := &Writer{path: path, f: f, header: Header{Shape: shape, Fortran: fortran, Kind: k, Offset: int64(len(head))}}
	_, err = f.Write(head)
	if err == nil {
		err = f.Truncate(w.header.Offset + w.header.Bytes())
	}
	if err == nil {
		err = f.Chmod(0o644) // CreateTemp's is for this user alone
	}
	if err != nil {
		w.Discard()
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return w, nil
}

// WriteAt writes the elements from first on, in the order of the file.
func WriteAt[T dtype.Element](w *Writer, src []T, first int) error {
	if err := same[T](w.header); err != nil {
		return fmt.Errorf("%s: %w", w.path, err)
	}
	if first < 0 || first > w.header.Elements()-len(src) {
		return fmt.Errorf("%s: elements %d to %d of %d", w.path, first, first+len(src), w.header.Elements())
	}
	b := dtype.Bytes(src)
	if dtype.BigMachine {
		b = append([]byte(nil), b...)
		w.header.Kind.Turn(b, false)
	}
	_, err := w.f.WriteAt(b, w.header.Offset+int64(first)*int64(w.header.Kind.Size()))
	if err != nil {
		return fmt.Errorf("%s: elements %d to %d: %w", w.path, first, first+len(src), err)
	}
	return nil
}

// Commit writes all to the disk and puts the file at its path, in one step: a
// reader sees the old file or the whole new one.
func (w *Writer) Commit() error {
	if w.done {
		return fmt.Errorf("%s: committed or discarded before", w.path)
	}
	err := w.f.Sync()
	if c := w.f.Close(); err == nil {
		err = c
	}
	if err == nil {
		err = os.Rename(w.f.Name(), w.path)
	}
	w.done = true
	if err != nil {
		os.Remove(w.f.Name())
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
	w.f.Close()
	os.Remove(w.f.Name())
}
