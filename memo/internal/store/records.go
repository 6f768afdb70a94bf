package store

import (
	"errors"
	"io"
	"io/fs"
	"math/rand/v2"
	"strconv"
	"strings"

	"github.com/zeebo/xxh3"
)

// ReadRecord reads a small record beside the entries: nil if there is none, or
// none that is whole.
func (s *Store) ReadRecord(name string) []byte {
	if s.off {
		return nil
	}
	b, err := s.readFile(name, mostRecord)
	if err != nil || len(b) < 8 {
		return nil
	}
	if xxh3.Hash(b[8:]) != leUint64(b) {
		return nil
	}
	return b[8:]
}

const mostRecord = 16 << 20

// WriteRecord writes one.
func (s *Store) WriteRecord(name string, b []byte) error {
	if !s.Writable() {
		return nil
	}
	return s.replace(name, append(appendUint64(nil, xxh3.Hash(b)), b...))
}

// replace puts a whole file in place of another.
func (s *Store) replace(name string, b []byte) error {
	temp := "tmp/" + strconv.FormatUint(rand.Uint64(), 36)
	_, err := s.writeTemp(temp, s.c.Now(), b)
	if err == nil {
		err = s.fs.Rename(temp, name)
		if dir, _, ok := cutLast(name); ok && errors.Is(err, fs.ErrNotExist) {
			if err = s.fs.Mkdir(dir); err == nil || errors.Is(err, fs.ErrExist) {
				err = s.fs.Rename(temp, name)
			}
		}
	}
	if err != nil {
		_ = s.fs.Remove(temp)
	}
	return err
}

func cutLast(name string) (dir, base string, ok bool) {
	i := strings.LastIndexByte(name, '/')
	if i < 0 {
		return "", name, false
	}
	return name[:i], name[i+1:], true
}

func (s *Store) readFile(name string, most int64) ([]byte, error) {
	f, err := s.fs.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(io.LimitReader(f, most))
}

// writeFile writes a file that may be there already.
func writeFile(fsys FS, name string, b []byte) error {
	f, err := fsys.Create(name)
	if errors.Is(err, fs.ErrExist) {
		return nil
	}
	if err != nil {
		return err
	}
	_, err = f.Write(b)
	return errors.Join(err, f.Close())
}
