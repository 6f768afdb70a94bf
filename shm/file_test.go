package shm

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// fileOf writes a header of some bytes, then numbers.
func fileOf(t testing.TB, header int, numbers ...float64) string {
	t.Helper()
	b := make([]byte, header)
	for _, v := range numbers {
		b = binary.NativeEndian.AppendUint64(b, math.Float64bits(v))
	}
	path := filepath.Join(t.TempDir(), "numbers")
	if err := os.WriteFile(path, b, 0o666); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestMapFileModes(t *testing.T) {
	t.Parallel()
	for mode, want := range map[Mode]float64{ReadWrite: 9, CopyOnWrite: 2} {
		t.Run(mode.String(), func(t *testing.T) {
			t.Parallel()
			path := fileOf(t, 0, 1, 2, 3)
			s, err := MapFile[float64](path, mode)
			open(t, s, err)
			if s.Len() != 3 || s.Slice()[2] != 3 {
				t.Fatalf("got %v", s.Slice())
			}
			s.Slice()[1] = 9
			if err := s.Flush(); err != nil {
				t.Fatal(err)
			}
			r, err := MapFile[float64](path, ReadOnly)
			open(t, r, err)
			if got := r.Slice()[1]; got != want {
				t.Errorf("the file has %v, want %v", got, want)
			}
			if err := r.Flush(); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestMapFileHeader(t *testing.T) {
	t.Parallel()
	// Behind a header longer than a page, which is where mappings begin.
	for _, header := range []int{8, 128, 4096, 10_000} {
		path := fileOf(t, header, 1, 2, 3, 4)
		s, err := MapFile[float64](path, ReadOnly, Offset(int64(header)))
		if open(t, s, err); s.Len() != 4 || s.Slice()[3] != 4 {
			t.Errorf("header of %d: %v", header, s.Slice())
		}
		s, err = MapFile[float64](path, ReadOnly, Offset(int64(header)+8), Length(2))
		if open(t, s, err); s.Len() != 2 || s.Slice()[1] != 3 {
			t.Errorf("a part: %v", s.Slice())
		}
	}
}

func TestMapFileCreates(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "new")
	s, err := MapFile[int32](path, Create, Length(1000), Offset(64))
	open(t, s, err)
	s.Slice()[999] = 5
	if s.Mode() != ReadWrite {
		t.Error(s.Mode())
	}
	if info, err := os.Stat(path); err != nil || info.Size() != 64+4000 {
		t.Errorf("%v %v", info, err)
	}
	again, err := MapFile[int32](path, Create, Length(1))
	if open(t, again, err); again.Slice()[0] != 0 {
		t.Error("not emptied")
	}
	wantError(t, s.Check(), ErrMismatch, "truncated") // the first mapping has lost its file
}

func TestMapFileErrors(t *testing.T) {
	t.Parallel()
	path := fileOf(t, 3, 1, 2)
	check := func(err, is error, words ...string) {
		t.Helper()
		wantError(t, err, is, append(words, "MapFile")...)
	}
	_, err := MapFile[float64](path+"x", ReadOnly)
	check(err, os.ErrNotExist, path+"x")
	_, err = MapFile[float64](path+"x", ReadWrite)
	check(err, os.ErrNotExist)
	_, err = MapFile[float64](path, ReadOnly)
	check(err, ErrMismatch, "19 bytes", "3 more than whole elements of 8", "truncated")
	_, err = MapFile[float64](path, ReadOnly, Offset(3))
	check(err, ErrMismatch, "multiple of 8")
	_, err = MapFile[float64](path, ReadOnly, Length(3))
	check(err, ErrMismatch, "has 19 bytes", "end at 24", "truncated")
	_, err = MapFile[float64](path, ReadOnly, Offset(16))
	check(err, ErrMismatch, "not one element")
	_, err = MapFile[float64](path, ReadOnly, Offset(1<<40))
	check(err, ErrMismatch)
	_, err = MapFile[float64](path, ReadOnly, Offset(-8))
	check(err, nil, "offset -8")
	_, err = MapFile[float64](path, ReadOnly, Length(0))
	check(err, nil, "length 0")
	_, err = MapFile[float64](path, ReadOnly, Length(math.MaxInt))
	check(err, ErrFull)
	_, err = MapFile[float64](path, Create)
	check(err, nil, "needs a Length")
	_, err = MapFile[float64](path, 0)
	check(err, nil, "Mode(0)")
	_, err = MapFile[struct{ A [3]struct{ B bool } }](path, ReadOnly)
	check(err, nil, ".A[].B is a bool", "uint8")
	_, err = MapFile[float64](t.TempDir(), ReadOnly)
	check(err, ErrMismatch, "regular file")
	_, err = MapFile[byte](os.DevNull, ReadWrite)
	check(err, ErrMismatch, "regular file")
	if err := os.WriteFile(path, nil, 0o666); err != nil {
		t.Fatal(err)
	}
	_, err = MapFile[byte](path, ReadOnly)
	check(err, ErrMismatch, "has 0 bytes")
}

func TestGuard(t *testing.T) {
	t.Parallel()
	numbers := make([]float64, 4096)
	path := fileOf(t, 0, numbers...)
	s, err := MapFile[float64](path, ReadOnly)
	open(t, s, err)
	sum := func(data []float64) error {
		total := 0.0
		for _, v := range data {
			total += v
		}
		if total != 0 {
			return fmt.Errorf("sum %v", total)
		}
		return nil
	}
	if err := errors.Join(s.Guard(sum), s.Check()); err != nil {
		t.Fatal(err)
	}
	broken := errors.New("broken")
	if err := s.Guard(func([]float64) error { return broken }); err != broken {
		t.Errorf("the error of f became %v", err)
	}
	func() {
		defer func() {
			if v := recover(); v != "mine" {
				t.Errorf("the panic of f became %v", v)
			}
		}()
		s.Guard(func([]float64) error { panic("mine") })
	}()
	func() {
		defer func() {
			if v := fmt.Sprint(recover()); !strings.Contains(v, "index out of range") {
				t.Errorf("the panic of f became %v", v)
			}
		}()
		s.Guard(func(data []float64) error { data[len(data)] = 1; return nil })
	}()

	err = s.Guard(func(data []float64) error { data[17] = 1; return nil })
	if fault, ok := errors.AsType[*FaultError](err); !ok || fault.Index != 17 || fault.Path != path {
		t.Errorf("writing read-only memory: %v", err)
	}
	wantError(t, err, ErrReadOnly, path, "element 17")

	if err := os.Truncate(path, 4096); err != nil {
		t.Fatal(err)
	}
	wantError(t, s.Check(), ErrMismatch, "truncated", "4096 bytes")
	err = s.Guard(sum)
	if fault, ok := errors.AsType[*FaultError](err); !ok || fault.Index < 512 {
		t.Errorf("reading what is gone: %v", err)
	}
	wantError(t, err, ErrMismatch, "truncated", path)
}

func init() {
	// truncated PATH: touches a file that is gone, without Guard.
	children["truncated"] = func(args []string, in *bufio.Reader) error {
		s, err := MapFile[float64](args[0], ReadOnly)
		if err != nil {
			return err
		}
		if err := os.Truncate(args[0], 0); err != nil {
			return err
		}
		fmt.Println("touched", s.Slice()[0])
		return nil
	}
}

// What Guard is for: without it the process ends. If this ever changes, the
// words about it should.
func TestTruncatedWithoutGuardEndsTheProcess(t *testing.T) {
	t.Parallel()
	c := start(t, "truncated", nil, fileOf(t, 0, 1, 2))
	if err := c.wait(); err == nil || !strings.Contains(c.stderr.String(), "SIGBUS") {
		t.Errorf("it ended with %v: %s", err, c.stderr.String())
	}
}

func TestFileAcrossProcesses(t *testing.T) {
	t.Parallel()
	path := fileOf(t, 4096, 1, 2, 3)
	s, err := MapFile[float64](path, ReadWrite, Offset(4096))
	open(t, s, err)
	h, f := pass(t, s, ReadOnly)
	c := start(t, "sum", []*os.File{f}, h)
	if got := c.line(); got != "6" {
		t.Errorf("the sum is %s", got)
	}
	c.done()
	h, f = pass(t, s, ReadWrite)
	c = start(t, "sum", []*os.File{f}, h)
	c.line()
	c.done()
	if s.Slice()[0] != -1 {
		t.Error("the other process's write is not seen")
	}
}
