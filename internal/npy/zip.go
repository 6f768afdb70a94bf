package npy

import (
	"archive/zip"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/weft-go/weft/internal/dtype"
)

// Archive is an .npz file, open for reading. Its arrays may be read
// concurrently.
type Archive struct {
	path string
	z    *zip.ReadCloser
}

// OpenArchive opens an .npz file. It must be closed.
func OpenArchive(path string) (*Archive, error) {
	z, err := zip.OpenReader(path)
	if errors.Is(err, zip.ErrFormat) {
		return nil, fmt.Errorf("%s: %w: an .npz file is a zip archive, and this is none, or not a whole one: %w", path, ErrFormat, err)
	}
	if err != nil {
		return nil, err
	}
	return &Archive{path, z}, nil
}

// Close closes the file.
func (a *Archive) Close() error { return a.z.Close() }

// Names are the arrays in their order in the file, without ".npy".
func (a *Archive) Names() []string {
	var names []string
	for _, f := range a.z.File {
		if name, ok := strings.CutSuffix(f.Name, ".npy"); ok {
			names = append(names, name)
		}
	}
	return names
}

// Header reads what the archive says of an array.
func (a *Archive) Header(name string) (h Header, err error) {
	err = a.read(name, func(r io.Reader) error {
		h, err = ReadHeader(r)
		return err
	})
	return h, err
}

// ReadNamed reads one array of the archive, as Read does, and checks its sum.
func ReadNamed[T dtype.Element](a *Archive, name string) (all []T, h Header, err error) {
	err = a.read(name, func(r io.Reader) error {
		if all, h, err = Read[T](r); err != nil {
			return err
		}
		// The sum is checked where the entry ends.
		if n, err := io.Copy(io.Discard, io.LimitReader(r, 1<<20)); err != nil {
			return err
		} else if n > 0 {
			return fmt.Errorf("%w: more bytes behind its elements", ErrFormat)
		}
		return nil
	})
	if err != nil {
		return nil, Header{}, err
	}
	return all, h, nil
}

func (a *Archive) read(name string, f func(io.Reader) error) error {
	for _, e := range a.z.File {
		if e.Name != name+".npy" {
			continue
		}
		r, err := e.Open()
		if err == nil {
			err = f(r)
			r.Close()
		}
		if err != nil {
			return fmt.Errorf("%s: array %q: %w", a.path, name, err)
		}
		return nil
	}
	return fmt.Errorf("%s: no array %q; there are %q", a.path, name, a.Names())
}

// ArchiveWriter writes an .npz file. Until Commit, nothing is at the path.
type ArchiveWriter struct {
	path   string
	f      *os.File
	z      *zip.Writer
	method uint16
	names  map[string]bool
	done   bool
}

// CreateArchive starts an .npz file, stored as numpy.savez does, or deflated
// as numpy.savez_compressed. Commit or Discard must be called.
func CreateArchive(path string, deflate bool) (*ArchiveWriter, error) {
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".*.part")
	if err != nil {
		return nil, err
	}
	w := &ArchiveWriter{path: path, f: f, z: zip.NewWriter(f), names: map[string]bool{}}
	if deflate {
		w.method = zip.Deflate
	}
	if err := f.Chmod(0o644); err != nil {
		w.Discard()
		return nil, err
	}
	return w, nil
}

// Add writes an array under a name, as Write does.
func Add[T dtype.Element](w *ArchiveWriter, name string, shape []int, fortran bool, all []T) error {
	if name == "" || w.names[name] {
		return fmt.Errorf("%s: the name %q is empty or taken", w.path, name)
	}
	w.names[name] = true
	e, err := w.z.CreateHeader(&zip.FileHeader{Name: name + ".npy", Method: w.method, Modified: time.Date(1980, 1, 1, 0, 0, 0, 0, time.UTC)})
	if err == nil {
		err = Write(e, shape, fortran, all)
	}
	if err != nil {
		return fmt.Errorf("%s: array %q: %w", w.path, name, err)
	}
	return nil
}

// Commit writes all to the disk and puts the file at its path, in one step.
func (w *ArchiveWriter) Commit() error {
	if w.done {
		return fmt.Errorf("%s: committed or discarded before", w.path)
	}
	err := w.z.Close()
	if err == nil {
		err = w.f.Sync()
	}
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
func (w *ArchiveWriter) Discard() {
	if w.done {
		return
	}
	w.done = true
	w.f.Close()
	os.Remove(w.f.Name())
}
