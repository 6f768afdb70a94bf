package spool

import (
	"bytes"
	"errors"
	"io"
	"os"
	"strings"
	"syscall"
	"testing"
)

func content(t *testing.T, b *Buffer) string {
	t.Helper()
	got, err := io.ReadAll(b.Reader())
	if err != nil {
		t.Fatal(err)
	}
	return string(got)
}

func TestBuffer(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := New(Config{Each: 10, All: 15, Dir: dir})
	for _, chunks := range [][]string{nil, {"a"}, {"12345", "67890"}, {"12345", "678901"}, {strings.Repeat("x", 100)}, {"1", "2", strings.Repeat("y", 50), "3"}} {
		b := s.Buffer()
		for _, c := range chunks {
			if n, err := b.Write([]byte(c)); n != len(c) || err != nil {
				t.Fatalf("%q: %d, %v", c, n, err)
			}
		}
		want := strings.Join(chunks, "")
		content(t, b) // it can be read more than once
		if content(t, b) != want || b.Len() != int64(len(want)) {
			t.Errorf("%q came back otherwise", chunks)
		}
		if spilled := b.file != nil; spilled != (len(want) > 10) {
			t.Errorf("%q: in a file: %v", chunks, spilled)
		}
		// Also kill -9 must leave no file.
		if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
			t.Errorf("%v in the directory, %v", left, err)
		}
		b.Close()
		b.Close()
		if held := s.held.Load(); held != 0 {
			t.Errorf("%d bytes still counted", held)
		}
	}
}

// TestAllTogether has many small outputs wait for their turn.
func TestAllTogether(t *testing.T) {
	t.Parallel()
	s := New(Config{Each: 10, All: 25, Dir: t.TempDir()})
	var bufs []*Buffer
	files := 0
	for range 5 {
		b := s.Buffer()
		if _, err := b.Write([]byte("12345678")); err != nil {
			t.Fatal(err)
		}
		if s.held.Load() > 25 {
			t.Errorf("%d bytes in memory", s.held.Load())
		}
		if b.file != nil {
			files++
		}
		bufs = append(bufs, b)
	}
	if files != 2 {
		t.Errorf("%d in files", files)
	}
	for _, b := range bufs {
		if content(t, b) != "12345678" {
			t.Error("lost")
		}
		b.Close()
	}
}

// disk is a file on a disk that has so much room.
type disk struct {
	bytes.Buffer
	room   int
	closed bool
}

func (d *disk) Write(p []byte) (int, error) {
	if n := d.room - d.Len(); len(p) > n {
		_, _ = d.Buffer.Write(p[:n])
		return n, &os.PathError{Op: "write", Path: "x", Err: syscall.ENOSPC}
	}
	return d.Buffer.Write(p)
}

func (d *disk) ReadAt(p []byte, at int64) (int, error) {
	return bytes.NewReader(d.Bytes()).ReadAt(p, at)
}

func (d *disk) Close() error { d.closed = true; return nil }

func TestFullDisk(t *testing.T) {
	t.Parallel()
	for _, room := range []int{0, 5, 12} { // in the first write and later
		d := &disk{room: room}
		s := New(Config{Each: 4, Dir: "/spool", Create: func() (File, error) { return d, nil }})
		b := s.Buffer()
		var err error
		for range 5 {
			if _, err = b.Write([]byte("123")); err != nil {
				break
			}
		}
		_, again := b.Write([]byte("x"))
		if _, ok := errors.AsType[*Error](err); !ok || !errors.Is(err, syscall.ENOSPC) || again != err { //nolint:errorlint // the very same
			t.Errorf("room %d: %v, then %v", room, err, again)
		}
		if want := "output of jobs can not be kept in /spool: no space left on device; make room there, or set TMPDIR to a directory with more"; err.Error() != want {
			t.Errorf("%q", err)
		}
		b.Close()
		if !d.closed || s.held.Load() != 0 {
			t.Errorf("room %d: left open", room)
		}
	}
	s := New(Config{Each: 1, Dir: "/no/such/directory"})
	if _, err := s.Buffer().Write([]byte("ab")); err == nil || !strings.Contains(err.Error(), "can not be kept in /no/such/directory: no such file or directory") {
		t.Errorf("%v", err)
	}
}
