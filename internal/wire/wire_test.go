package wire

import (
	"bytes"
	"encoding/hex"
	"errors"
	"math"
	"reflect"
	"strings"
	"testing"
	"time"
	"unsafe"
)

type point struct {
	X, Y int
	Tag  *string
}

type tree struct {
	Kids []*tree
	Name string
}

type ignored struct {
	A int `json:"-" cbor:"-"`
	B string
}

type named []float64

func roundTrip(t *testing.T, v any) any {
	t.Helper()
	var e Encoder
	if err := e.Append(reflect.ValueOf(v)); err != nil {
		t.Fatalf("%T: %v", v, err)
	}
	d := Decoder{Buf: e.Buf}
	got := reflect.New(reflect.TypeOf(v)).Elem()
	if err := d.Value(got); err != nil {
		t.Fatalf("%T: %v in % x", v, err, e.Buf)
	}
	if len(d.Buf) > 0 {
		t.Fatalf("%T: %d bytes left", v, len(d.Buf))
	}
	return got.Interface()
}

func TestRoundTrip(t *testing.T) {
	t.Parallel()
	s := "tag"
	for _, v := range []any{
		true, false, 0, 23, 24, -1, -24, -25, 255, 256, 65535, 65536, math.MaxInt64, math.MinInt64, uint64(math.MaxUint64),
		int8(-128), uint8(200), int16(-3), uint16(9), int32(-9), uint32(math.MaxUint32), float32(0.1), 0.1, math.Inf(-1),
		complex64(complex(1, 2)), complex(3, -4), "", "text", "not utf-8 \xff\x00", time.Minute,
		[]byte{}, []byte(nil), []byte{1}, []int{}, []int(nil), []int{-1, 1 << 40}, []int8{-1}, []int16{-2}, []int32{3}, []uint16{1},
		[]uint32{1}, []uint64{math.MaxUint64}, []uint{7}, []float32{0.5}, []float64{math.Pi}, named{1, 2}, [3]float64{1, 2, 3}, [0]int{},
		[]bool{true, false}, []string{"a", ""}, []string(nil), [2]string{"x", "y"}, [][]int{{1}, nil, {}},
		map[string]int{"a": 1}, map[string]int{}, map[string]int(nil), map[point]string{{X: 1}: "p"},
		point{1, -2, &s}, point{}, &point{X: 3}, (*point)(nil), []*point{nil, {X: 1}}, struct{}{}, []struct{}{{}, {}},
		tree{Kids: []*tree{{Name: "a"}, {Kids: []*tree{{}}}}}, ignored{A: 7, B: "b"}, (**int)(nil),
		struct{ T time.Time }{time.Unix(1, 2).UTC()},
	} {
		got := roundTrip(t, v)
		if !reflect.DeepEqual(got, v) {
			t.Errorf("%T: %#v came as %#v", v, v, got)
		}
	}
	var nothing *int
	if got := roundTrip(t, &nothing).(**int); got == nil || *got != nil {
		t.Error("a pointer to a nil pointer is not nil")
	}
	nan := math.Float32frombits(0x7f800001)
	if got := roundTrip(t, nan).(float32); math.Float32bits(got) != 0x7f800001 {
		t.Errorf("the bits of a NaN: %x", math.Float32bits(got))
	}
}

// The bytes are what other CBOR tools expect (RFC 8949, appendix A; RFC 8746).
func TestBytes(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		v    any
		want string
	}{
		{0, "00"}, {23, "17"}, {24, "1818"}, {1000, "1903e8"}, {-1, "20"}, {-1000, "3903e7"}, {uint64(math.MaxUint64), "1bffffffffffffffff"},
		{1.1, "fb3ff199999999999a"}, {true, "f5"}, {[]byte{1, 2}, "420102"}, {point{1, 2, nil}, "830102f6"},
		{[]string{"a"}, "814161"}, {map[string]int{"a": 1}, "a1416101"},
		{[]uint16{1}, "d845420100"}, {[]int32{-1}, "d84e44ffffffff"}, {[]float64{1}, "d85648000000000000f03f"}, {[]int8{-1}, "d84841ff"}, {[]float32{1}, "d855440000803f"},
	} {
		var e Encoder
		if err := e.Append(reflect.ValueOf(c.v)); err != nil {
			t.Fatal(err)
		}
		if got := hex.EncodeToString(e.Buf); got != c.want && bigEndian == 0 {
			t.Errorf("%T %v: %s, want %s", c.v, c.v, got, c.want)
		}
	}
}

type holder struct {
	In struct {
		List []map[string]inner
	}
}

type inner struct{ F func() }

func TestCheckNamesTheField(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		v    any
		want string
	}{
		{holder{}, "wire.holder.In.List[...][...].F can't cross to another process: it is a function"},
		{make(chan int), "chan int can't cross to another process: it is a channel"},
		{struct{ A any }{}, "struct { A interface {} }.A can't cross to another process: it is the interface interface {}"},
		{struct{ Err error }{}, ".Err can't cross"},
		{struct{ n int }{}, ".n can't cross to another process: it is not exported"},
		{struct{ P unsafe.Pointer }{}, ".P can't cross to another process: it is an address"},
		{uintptr(0), "it is an address"},
		{map[chan int]int{}, "map[chan int]int[key] can't cross"},
	} {
		err := Check(reflect.TypeOf(c.v))
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%T: %v", c.v, err)
		}
		if again := Check(reflect.TypeOf(c.v)); !errors.Is(again, err) {
			t.Errorf("%T: asked again: %v", c.v, again)
		}
	}
	for _, v := range []any{tree{}, point{}, time.Time{}, ignored{}} {
		if err := Check(reflect.TypeOf(v)); err != nil {
			t.Errorf("%T: %v", v, err)
		}
	}
}

func TestCyclesAreAnError(t *testing.T) {
	t.Parallel()
	n := &tree{}
	n.Kids = []*tree{n}
	var e Encoder
	if err := e.Append(reflect.ValueOf(n)); err == nil || !strings.Contains(err.Error(), "does it contain itself?") {
		t.Errorf("%v", err)
	}
	// The encoder works afterwards.
	e.Buf = nil
	if err := e.Append(reflect.ValueOf(tree{})); err != nil {
		t.Error(err)
	}
}

func TestCorrupt(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		hex string
		v   any
	}{
		{"", 0}, {"18", 0}, {"1901", 0}, {"1c", 0}, {"1f", 0}, {"f5", 0}, {"1901ff", int8(0)}, {"3b8000000000000000", 0}, {"00", true},
		{"5affffffff", []byte{}}, {"9b7fffffffffffffff", []string{}}, {"bb00ffffffffffffff", map[string]int{}},
		{"8101", point{}}, {"d8454101", []uint16{}}, {"d85641ff", []float64{}}, {"d84841ff", []float64{}}, {"fb00", 0.0}, {"fa00", float32(0)},
		{"820102", [3]string{}}, {"db7765667400010001" + "00", []byte{}}, {"db7765667400000002" + "00", &point{}}, {"8200f6", &point{}},
		{"82fb0000000000000000", complex(0, 0)}, {strings.Repeat("81", 3000), tree{}},
	} {
		b, err := hex.DecodeString(c.hex)
		if err != nil {
			t.Fatal(err)
		}
		d := Decoder{Buf: b}
		if err := d.Value(reflect.New(reflect.TypeOf(c.v)).Elem()); !errors.Is(err, ErrCorrupt) {
			t.Errorf("%s as %T: %v", c.hex, c.v, err)
		}
	}
}

func TestBulk(t *testing.T) {
	t.Parallel()
	kept := map[uint64][]byte{}
	e := Encoder{BulkFrom: 64, Bulk: func(m []byte) (uint64, bool, error) {
		id := uint64(len(kept) + 1)
		kept[id] = bytes.Clone(m)
		return id, true, nil
	}}
	v := struct {
		Small, Large []float64
		Text         string
	}{make([]float64, 7), make([]float64, 1000), strings.Repeat("x", 100)}
	v.Large[999] = 5
	if err := e.Append(reflect.ValueOf(v)); err != nil {
		t.Fatal(err)
	}
	if len(kept) != 2 || len(e.Buf) > 100 {
		t.Fatalf("%d taken, %d bytes beside", len(kept), len(e.Buf))
	}
	d := Decoder{Buf: e.Buf, Bulk: func(id uint64) ([]byte, error) { return kept[id], nil }}
	got := reflect.New(reflect.TypeOf(v)).Elem()
	if err := d.Value(got); err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(got.Interface(), v) {
		t.Errorf("%v", got)
	}
	// The memory is the slice's own, not a copy.
	if p := got.Field(1).UnsafePointer(); p != unsafe.Pointer(unsafe.SliceData(kept[1])) {
		t.Error("it was copied")
	}
	if got.Field(1).Cap() != 1000 {
		t.Errorf("capacity %d", got.Field(1).Cap())
	}
}

type shareAll struct{ at map[unsafe.Pointer]int }

func (s *shareAll) Known(p unsafe.Pointer, _ reflect.Type) (uint64, bool) {
	id, ok := s.at[p]
	return uint64(id), ok
}

func (s *shareAll) Offer(p unsafe.Pointer, _ reflect.Type, data []byte) (uint64, bool) {
	offered[len(s.at)] = bytes.Clone(data)
	s.at[p] = len(s.at)
	return uint64(len(s.at) - 1), true
}

var offered = map[int][]byte{}

func TestSharedValuesTravelOnce(t *testing.T) {
	t.Parallel()
	s := &shareAll{at: map[unsafe.Pointer]int{}}
	big := &point{X: 9}
	items := []*point{big, big, nil, {X: 1}, big}
	e := Encoder{Shared: s}
	if err := e.Append(reflect.ValueOf(items)); err != nil {
		t.Fatal(err)
	}
	if len(s.at) != 2 {
		t.Fatalf("%d offered", len(s.at))
	}
	decoded := map[uint64]reflect.Value{}
	d := Decoder{Buf: e.Buf, Shared: func(id uint64, _ reflect.Type, decode func([]byte) (reflect.Value, error)) (reflect.Value, error) {
		v, ok := decoded[id]
		if !ok {
			var err error
			if v, err = decode(offered[int(id)]); err != nil {
				return v, err
			}
			decoded[id] = v
		}
		return v, nil
	}}
	var got []*point
	if err := d.Value(reflect.ValueOf(&got).Elem()); err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(got, items) || got[0] != got[1] || got[0] != got[4] {
		t.Errorf("%v", got)
	}
}

type fuzzed struct {
	N    int
	S    string
	B    []byte
	F    []float64
	M    map[string]int16
	P    *fuzzed
	L    [][]string
	A    [2]bool
	T    time.Time
	C    complex64
	Tree tree
}

// Whatever comes, decoding ends with a value that can be encoded again, or with
// an error; it neither panics nor takes much more memory than it got bytes.
func FuzzDecode(f *testing.F) {
	var e Encoder
	if err := e.Append(reflect.ValueOf(fuzzed{N: 1, S: "s", B: []byte{1}, F: []float64{1}, M: map[string]int16{"a": 1}, P: &fuzzed{}, L: [][]string{{"x"}}, Tree: tree{Kids: []*tree{{}}}})); err != nil {
		f.Fatal(err)
	}
	f.Add(e.Buf)
	f.Add([]byte{0x8b})
	f.Fuzz(func(t *testing.T, data []byte) {
		d := Decoder{Buf: bytes.Clone(data)}
		var v fuzzed
		if d.Value(reflect.ValueOf(&v).Elem()) != nil {
			return
		}
		var e Encoder
		if err := e.Append(reflect.ValueOf(v)); err != nil {
			t.Skip(err) // a time before or after what its type can write
		}
		var again fuzzed
		d = Decoder{Buf: e.Buf}
		if err := d.Value(reflect.ValueOf(&again).Elem()); err != nil {
			t.Fatal(err)
		}
	})
}

func BenchmarkStruct(b *testing.B) {
	s := "tag"
	v := reflect.ValueOf([]point{{1, 2, &s}})
	var e Encoder
	for b.Loop() {
		e.Buf = e.Buf[:0]
		if err := e.Append(v); err != nil {
			b.Fatal(err)
		}
		d := Decoder{Buf: e.Buf}
		var got []point
		if err := d.Value(reflect.ValueOf(&got).Elem()); err != nil {
			b.Fatal(err)
		}
	}
}
