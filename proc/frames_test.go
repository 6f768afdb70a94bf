//go:build linux

package proc

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"reflect"
	"slices"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/weft-go/weft"
	"github.com/weft-go/weft/internal/crossing"
	"github.com/weft-go/weft/internal/wire"
)

func frame(t testing.TB, k kind, payload string) []byte {
	t.Helper()
	b := append(beginFrame(nil), payload...)
	if err := endFrame(b, k); err != nil {
		t.Fatal(err)
	}
	return b
}

func TestFrames(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("x", 3<<20)
	stream := slices.Concat(frame(t, kindHello, ""), frame(t, kindBatch, "ab"), frame(t, kindResults, long), frame(t, kindBatch, "c"))
	for _, r := range []io.Reader{bytes.NewReader(stream), iotest.OneByteReader(bytes.NewReader(stream)), iotest.HalfReader(bytes.NewReader(stream))} {
		f := frames{r: r}
		for _, want := range []string{"", "ab", long, "c"} {
			k, p, err := f.next()
			if err != nil || string(p) != want || k == 0 {
				t.Fatalf("%d bytes of kind %d, %v", len(p), k, err)
			}
		}
		if _, _, err := f.next(); !errors.Is(err, io.EOF) {
			t.Errorf("at the end: %v", err)
		}
	}
	cut := frames{r: bytes.NewReader(stream[:len(stream)-1])}
	for range 3 {
		if _, _, err := cut.next(); err != nil {
			t.Fatal(err)
		}
	}
	if _, _, err := cut.next(); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("cut off: %v", err)
	}
}

func TestHeads(t *testing.T) {
	t.Parallel()
	e := wire.Encoder{}
	in := batchHead{fn: "a.b", first: 7, keepGoing: true, timeout: 5, most: 6}
	in.append(&e)
	binary.LittleEndian.PutUint64(e.Buf, 9)
	binary.LittleEndian.PutUint64(e.Buf[8:], 4)
	var out batchHead
	in.seq, in.controls = 9, 4
	if err := out.read(&wire.Decoder{Buf: e.Buf}); err != nil || out != in {
		t.Errorf("%+v, %v", out, err)
	}
	e = wire.Encoder{}
	res := resultHead{seq: 1, controls: 2, first: 3, count: 4, final: true, wall: 5, cpu: 6, encoding: 7, refused: "no", failures: 2}
	res.append(&e)
	var got resultHead
	if err := got.read(&wire.Decoder{Buf: e.Buf}); err != nil || got != res {
		t.Errorf("%+v, %v", got, err)
	}
}

// Another build, or another protocol, says so and what to do.
func TestMismatch(t *testing.T) {
	t.Parallel()
	a := hello{Protocol: 1, Build: "aa"}
	if s := mismatch(a, hello{Protocol: 2}); !strings.Contains(s, "protocol 1 and the worker 2") {
		t.Error(s)
	}
	if s := mismatch(a, hello{Protocol: 1, Build: "bb"}); !strings.Contains(s, "build aa and the worker bb") || !strings.Contains(s, "start it again") {
		t.Error(s)
	}
}

func TestFailuresCross(t *testing.T) {
	t.Parallel()
	mine := errors.New("proc: test: mine")
	known := map[string]error{mine.Error(): mine}
	f := crossing.Pack(errors.Join(mine, weft.BackOff{After: 3}, weft.ErrPermanent), known)
	err := f.Unpack(known)
	b, ok := errors.AsType[weft.BackOff](err)
	if !errors.Is(err, mine) || !errors.Is(err, weft.ErrPermanent) || !ok || b.After != 3 || errors.Is(err, io.EOF) {
		t.Errorf("%v", err)
	}
	p := crossing.Pack(&weft.PanicError{Value: mine, Stack: []byte("stack")}, known).Unpack(known)
	if pe, ok := errors.AsType[*weft.PanicError](p); !ok || string(pe.Stack) != "stack" || !errors.Is(p, mine) {
		t.Errorf("%v", p)
	}
	wrapped := crossing.Pack(&weft.ItemError{Index: 2, Err: &weft.PanicError{Value: "v", Stack: []byte("stack")}}, known).Unpack(known)
	if pe, ok := errors.AsType[*weft.PanicError](wrapped); !ok || string(pe.Stack) != "stack" || !strings.HasPrefix(wrapped.Error(), "item 2: panic: v") {
		t.Errorf("%v", wrapped)
	}
	if err := wire.Check(reflect.TypeFor[failed]()); err != nil {
		t.Error(err)
	}
}

// Whatever comes on the socket ends in a message or an error, and takes no more
// memory than came.
func FuzzFrames(f *testing.F) {
	e := wire.Encoder{Buf: beginFrame(nil)}
	(&resultHead{seq: 1, count: 1}).append(&e)
	if err := e.Append(reflect.ValueOf([]failed{{0, crossing.Failure{Text: "x"}}})); err != nil {
		f.Fatal(err)
	}
	if err := endFrame(e.Buf, kindResults); err != nil {
		f.Fatal(err)
	}
	f.Add(e.Buf)
	f.Add(frame(f, kindBatch, "0123456789abcdef"))
	f.Add([]byte("\xff\xff\xff\x7f\x02few"))
	f.Fuzz(func(t *testing.T, data []byte) {
		fr := frames{r: iotest.HalfReader(bytes.NewReader(data))}
		for {
			k, p, err := fr.next()
			if err != nil {
				break
			}
			d := wire.Decoder{Buf: p}
			switch k {
			case kindBatch:
				var h batchHead
				if h.read(&d) == nil {
					var items []int
					_ = d.Value(reflect.ValueOf(&items).Elem())
				}
			case kindResults:
				var h resultHead
				if h.read(&d) == nil {
					if h.first < 0 || h.count < 0 || h.failures > h.count {
						t.Fatalf("%+v", h)
					}
					var fs []failed
					_ = d.Value(reflect.ValueOf(&fs).Elem())
				}
			case kindHello:
				var h hello
				_ = d.Value(reflect.ValueOf(&h).Elem())
			}
		}
		if cap(fr.buf) > 4*len(data)+(1<<20) {
			t.Fatalf("%d bytes of buffer for %d of input", cap(fr.buf), len(data))
		}
	})
}
