package shm

import (
	"bufio"
	"errors"
	"fmt"
	"math"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"unsafe"
)

func make1[T any](t testing.TB, n int) *Slice[T] {
	t.Helper()
	s, err := Make[T](n)
	return open(t, s, err)
}

func TestMakeIsZeroAndSized(t *testing.T) {
	t.Parallel()
	s := make1[float64](t, 1000)
	if s.Len() != 1000 || len(s.Slice()) != 1000 || cap(s.Slice()) != 1000 {
		t.Fatalf("length %d, %d, capacity %d", s.Len(), len(s.Slice()), cap(s.Slice()))
	}
	for i, v := range s.Slice() {
		if v != 0 {
			t.Fatalf("element %d is %v", i, v)
		}
	}
	s.Slice()[999] = 7
	if s.Slice()[999] != 7 {
		t.Error("a write was lost")
	}
	if err := s.Flush(); err != nil {
		t.Error(err)
	}
	if err := s.Check(); err != nil {
		t.Error(err)
	}
}

func TestCopy(t *testing.T) {
	t.Parallel()
	for _, n := range []int{1, 1000, 3 << 20} {
		data := make([]int32, n)
		for i := range data {
			data[i] = int32(i * 7)
		}
		s, err := Copy(data)
		open(t, s, err)
		data[0] = 5
		if s.Len() != n || s.Slice()[0] != 0 || s.Slice()[n-1] != int32((n-1)*7) || !slices.Equal(s.Slice()[1:], data[1:]) {
			t.Errorf("%d elements are not the same", n)
		}
		h, f := pass(t, s, ReadOnly)
		if err := (func() error { h, err := decode[int32](h); return errors.Join(err, h.Ref().verify(f), f.Close()) })(); err != nil {
			t.Error(err)
		}
	}
	_, err := Copy([]int{})
	wantError(t, err, nil, "Copy", "at least 1")
	_, err = Copy[int](nil)
	wantError(t, err, nil, "Copy", "at least 1")
	_, err = Copy([]string{"a"})
	wantError(t, err, nil, "string")
}

func TestMakeOfStructsAndArrays(t *testing.T) {
	t.Parallel()
	type point struct {
		X, Y float64
		Tag  [3]int16
		On   bool
		N    atomic.Int64
		C    Counter
		Mu   Mutex
	}
	s := make1[point](t, 3)
	if at := uintptr(unsafe.Pointer(&s.Slice()[0])); at%64 != 0 {
		t.Errorf("the first element is at %x", at)
	}
	s.Slice()[2].Tag[1] = -4
	s.Slice()[2].On = true
	if p := &s.Slice()[2]; p.Tag != [3]int16{0, -4, 0} || !p.On || p.C.Add(2) != 2 {
		t.Errorf("got %v %v", p.Tag, p.On)
	}
}

func TestWhatCanNotBeShared(t *testing.T) {
	t.Parallel()
	type inner struct {
		A int
		B [2]struct{ Name string }
	}
	type outer struct {
		ID   int
		Deep inner
	}
	type locked struct {
		N  int
		Mu sync.Mutex
	}
	check := func(name string, err error, words ...string) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			wantError(t, err, nil, words...)
		})
	}
	_, err := Make[outer](1)
	check("string", err, "shm.outer.Deep.B[].Name", "string", "[32]byte")
	_, err = Make[*int](1)
	check("pointer", err, "*int", "points into the memory of one process")
	_, err = Make[[]int](1)
	check("slice", err, "[]int", "fixed length")
	_, err = Make[map[int]int](1)
	check("map", err, "map[int]int")
	_, err = Make[struct{ F func() }](1)
	check("func", err, ".F is a func()")
	_, err = Make[any](1)
	check("interface", err, "interface {}")
	_, err = Make[struct{ C chan int }](1)
	check("chan", err, ".C is a chan int")
	_, err = Make[unsafe.Pointer](1)
	check("unsafe", err, "unsafe.Pointer")
	_, err = Make[uintptr](1)
	check("uintptr", err, "uint64")
	_, err = Make[locked](1)
	check("mutex", err, "shm.locked.Mu", "shm.Mutex")
	_, err = Make[atomic.Pointer[int]](1)
	check("atomic pointer", err, "atomic.Pointer")
	_, err = Make[struct{}](1)
	check("nothing", err, "no size")
	_, err = MapFile[outer]("x", ReadOnly)
	check("file", err, "shm.outer.Deep.B[].Name")
}

func TestWrongLengths(t *testing.T) {
	t.Parallel()
	for _, n := range []int{0, -1, math.MinInt} {
		_, err := Make[int64](n)
		wantError(t, err, nil, strconv.Itoa(n), "at least 1")
	}
	for _, n := range []int{math.MaxInt, math.MaxInt/2 + 1} {
		_, err := Make[[1 << 20]int64](n)
		wantError(t, err, ErrFull)
	}
}

func TestCloseTwiceAndUseAfter(t *testing.T) {
	t.Parallel()
	s, err := Make[int](10)
	if err != nil {
		t.Fatal(err)
	}
	h := s.Handle(ReadOnly)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Errorf("closing twice: %v", err)
	}
	func() {
		defer func() {
			if v := fmt.Sprint(recover()); !strings.Contains(v, "after Close") {
				t.Errorf("panic %q", v)
			}
		}()
		s.Slice()
	}()
	wantError(t, s.Check(), ErrClosed)
	wantError(t, s.Flush(), ErrClosed)
	wantError(t, s.Freeze(), ErrClosed)
	_, err = s.Clone()
	wantError(t, err, ErrClosed)
	_, err = h.Open()
	wantError(t, err, ErrClosed, "the process that made it")
	_, err = h.Ref().File()
	wantError(t, err, ErrClosed)
	_, err = s.Handle(ReadOnly).Open()
	wantError(t, err, ErrClosed)
	_, err = s.Handle(ReadOnly).MarshalBinary()
	wantError(t, err, ErrClosed)
	if s.Len() != 10 {
		t.Errorf("length %d", s.Len())
	}
}

// References keep the memory, whichever is closed first.
func TestReferences(t *testing.T) {
	t.Parallel()
	s, err := Make[int](10)
	if err != nil {
		t.Fatal(err)
	}
	clone, err := s.Clone()
	if err != nil {
		t.Fatal(err)
	}
	s.Slice()[3] = 3
	opened, err := s.Handle(ReadOnly).Open()
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	clone.Slice()[4] = 4
	if got := opened.Slice()[3:5]; got[0] != 3 || got[1] != 4 {
		t.Errorf("got %v", got)
	}
	if err := clone.Close(); err != nil {
		t.Fatal(err)
	}
	if opened.Slice()[4] != 4 {
		t.Error("the memory is gone")
	}
	id := opened.Handle(ReadOnly).Ref().ID()
	if err := opened.Close(); err != nil {
		t.Fatal(err)
	}
	if s := acquire(id); s != nil {
		t.Error("the segment is still there")
	}
}

// Opening, cloning and closing from many goroutines, the last of which
// releases.
func TestReferencesConcurrently(t *testing.T) {
	t.Parallel()
	s := make1[int64](t, 100)
	h, c := s.Handle(ReadWrite), s.Handle(CopyOnWrite)
	var wg sync.WaitGroup
	for g := range 8 {
		wg.Go(func() {
			for i := range 200 {
				o, err := h.Open()
				if err != nil {
					t.Error(err)
					return
				}
				atomic.AddInt64(&o.Slice()[g], 1)
				p, err := c.Open()
				if err != nil {
					t.Error(err)
					return
				}
				p.Slice()[50] = int64(i)
				o.Close()
				p.Close()
			}
		})
	}
	wg.Wait()
	for g := range 8 {
		if n := s.Slice()[g]; n != 200 {
			t.Errorf("goroutine %d counted %d", g, n)
		}
	}
	if s.Slice()[50] != 0 {
		t.Error("a private write was shared")
	}
}

func init() {
	// sum FD HANDLE: adds up and changes the first element if it may.
	children["sum"] = func(args []string, in *bufio.Reader) error {
		s, err := take[float64](args[0], 3)
		if err != nil {
			return err
		}
		sum := 0.0
		for _, v := range s.Slice() {
			sum += v
		}
		if s.Mode() != ReadOnly {
			s.Slice()[0] = -1
		}
		fmt.Println(sum)
		in.ReadString('\n')
		return s.Close()
	}
}

func TestAcrossProcesses(t *testing.T) {
	t.Parallel()
	for _, mode := range []Mode{ReadOnly, ReadWrite, CopyOnWrite} {
		t.Run(mode.String(), func(t *testing.T) {
			t.Parallel()
			s := make1[float64](t, 100_000)
			want := 0.0
			for i := range s.Slice() {
				s.Slice()[i] = float64(i)
				want += float64(i)
			}
			h, f := pass(t, s, mode)
			c := start(t, "sum", []*os.File{f}, h)
			if got := c.line(); got != fmt.Sprint(want) {
				t.Errorf("the child added up to %s, not %v", got, want)
			}
			if got, want := s.Slice()[0], map[Mode]float64{ReadWrite: -1}[mode]; got != want {
				t.Errorf("element 0 is %v, want %v", got, want)
			}
			c.done()
		})
	}
}

func BenchmarkMake(b *testing.B) {
	for b.Loop() {
		s, err := Make[byte](64 << 20)
		if err != nil {
			b.Fatal(err)
		}
		b.StopTimer() // giving it back
		s.Close()
		b.StartTimer()
	}
	b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(b.N)/64, "µs/MiB")
}

// Make and copy is the alternative to Copy.
func BenchmarkCopy(b *testing.B) {
	data := make([]byte, 64<<20)
	for i := range data {
		data[i] = byte(i)
	}
	b.Run("Copy", func(b *testing.B) {
		for b.Loop() {
			s, err := Copy(data)
			if err != nil {
				b.Fatal(err)
			}
			s.Close()
		}
	})
	b.Run("MakeAndCopy", func(b *testing.B) {
		for b.Loop() {
			s, err := Make[byte](len(data))
			if err != nil {
				b.Fatal(err)
			}
			copy(s.Slice(), data)
			s.Close()
		}
	})
}

func BenchmarkMakeSmall(b *testing.B) {
	for b.Loop() {
		s, err := Make[byte](1000)
		if err != nil {
			b.Fatal(err)
		}
		s.Close()
	}
}

func BenchmarkCheck(b *testing.B) {
	s := make1[byte](b, 1)
	for b.Loop() {
		s.Check()
	}
}

func BenchmarkGuard(b *testing.B) {
	s := make1[byte](b, 1)
	for b.Loop() {
		s.Guard(func([]byte) error { return nil })
	}
}

func BenchmarkCounter(b *testing.B) {
	c := &make1[Counter](b, 1).Slice()[0]
	for b.Loop() {
		c.Add(1)
	}
}
