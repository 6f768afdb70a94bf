package value

import (
	"bytes"
	"encoding/hex"
	"errors"
	"math"
	"math/big"
	"net/netip"
	"net/url"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/weft-go/weft/memo/internal/raw"
	"github.com/weft-go/weft/memo/internal/shape"
)

type inner struct {
	name string
	N    int
	F    float32
}

type named []float64

type everything struct {
	B      bool
	I      int
	I8     int8
	I64    int64
	U      uint
	U16    uint16
	F      float64
	C      complex64
	S      string
	Bytes  []byte
	Floats named
	Ints   []int
	Strs   []string
	Inners []inner
	Arr    [2]inner
	M      map[string]inner
	MM     map[int]map[string][]uint16
	P      *inner
	PP     **int
	Any    any
	Next   *everything
	T      time.Time
	D      time.Duration
	hidden map[string]*inner
	Big    *big.Int
	Skip   int `memo:"-"`
	Empty  []struct{}
}

// roundTrip writes v and reads it back.
func roundTrip[T any](t testing.TB, v T, alias bool) T {
	t.Helper()
	b, err := Append(nil, reflect.ValueOf(&v).Elem())
	if err != nil {
		t.Fatal(err)
	}
	var out T
	if err := Read(b, reflect.ValueOf(&out).Elem(), alias); err != nil {
		t.Fatal(err)
	}
	return out
}

func draw(t *rapid.T, depth int) everything {
	in := rapid.Custom(func(t *rapid.T) inner {
		return inner{rapid.String().Draw(t, "name"), rapid.Int().Draw(t, "n"), rapid.Float32().Draw(t, "f")}
	})
	n := rapid.Int().Draw(t, "n")
	pn := &n
	e := everything{
		B: rapid.Bool().Draw(t, "b"), I: n, I8: rapid.Int8().Draw(t, "i8"), I64: rapid.Int64().Draw(t, "i64"),
		U: rapid.Uint().Draw(t, "u"), U16: rapid.Uint16().Draw(t, "u16"), F: rapid.Float64().Draw(t, "f"),
		C: complex(rapid.Float32().Draw(t, "re"), 1), S: rapid.String().Draw(t, "s"),
		Bytes: rapid.SliceOf(rapid.Byte()).Draw(t, "bytes"), Floats: rapid.SliceOfN(rapid.Float64(), 0, 700).Draw(t, "floats"),
		Ints: rapid.SliceOf(rapid.Int()).Draw(t, "ints"), Strs: rapid.SliceOf(rapid.String()).Draw(t, "strs"),
		Inners: rapid.SliceOf(in).Draw(t, "inners"), Arr: [2]inner{in.Draw(t, "a0"), in.Draw(t, "a1")},
		M: rapid.MapOf(rapid.String(), in).Draw(t, "m"), MM: rapid.MapOf(rapid.Int(), rapid.MapOf(rapid.String(), rapid.SliceOf(rapid.Uint16()))).Draw(t, "mm"),
		P: rapid.Ptr(in, true).Draw(t, "p"), PP: &pn,
		Any: rapid.SampledFrom([]any{nil, true, 1, int8(-1), uint64(math.MaxUint64), 1.5, "x", []any{1, nil, []string{"a"}},
			map[string]any{"k": []float64{1}}, time.Second, []byte(nil), []byte{}}).Draw(t, "any"),
		D: 5, hidden: rapid.MapOf(rapid.String(), rapid.Ptr(in, true)).Draw(t, "hidden"), Big: big.NewInt(rapid.Int64().Draw(t, "big")),
		T: time.Unix(rapid.Int64Range(0, 1e10).Draw(t, "t"), 7).UTC(), Empty: make([]struct{}, rapid.IntRange(0, 9).Draw(t, "empty")),
	}
	if depth > 0 && rapid.Bool().Draw(t, "more") {
		next := draw(t, depth-1)
		e.Next = &next
	}
	return e
}

func TestRoundTrip(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		v := draw(rt, 2)
		for _, alias := range []bool{false, true} {
			if got := roundTrip(t, v, alias); !reflect.DeepEqual(got, v) {
				rt.Fatalf("%+v\n%+v", got, v)
			}
		}
	})
}

func TestComesBackAsItWas(t *testing.T) {
	t.Parallel()
	nan := math.Float64frombits(0xfff8000000000123)
	if got := roundTrip(t, nan, false); math.Float64bits(got) != 0xfff8000000000123 {
		t.Errorf("%x", math.Float64bits(got))
	}
	if got := roundTrip(t, []float64{nan}, false); math.Float64bits(got[0]) != 0xfff8000000000123 {
		t.Error(got)
	}
	if got := roundTrip(t, math.Copysign(0, -1), false); !math.Signbit(got) {
		t.Error(got)
	}
	if got := roundTrip(t, []int(nil), false); got != nil {
		t.Error("nil became empty")
	}
	if got := roundTrip(t, []int{}, false); got == nil {
		t.Error("empty became nil")
	}
	if got := roundTrip(t, map[string]int(nil), false); got != nil {
		t.Error("nil became empty")
	}
	if got := roundTrip(t, everything{Skip: 3, I: 4}, false); got.Skip != 0 || got.I != 4 {
		t.Errorf("%+v", got)
	}
	u, _ := url.Parse("https://user@example.com/a?b=c")
	if got := roundTrip(t, struct{ U *url.URL }{u}, false); got.U.String() != u.String() {
		t.Error(got)
	}
	a := netip.MustParseAddr("::1")
	if got := roundTrip(t, a, false); got != a {
		t.Error(got)
	}
	var deep *everything
	for range 5000 {
		deep = &everything{Next: deep}
	}
	n := 0
	for d := roundTrip(t, deep, false); d != nil; d = d.Next {
		n++
	}
	if n != 5000 {
		t.Error(n)
	}
}

// Long slices of numbers are used where they lie.
func TestAlias(t *testing.T) {
	t.Parallel()
	type result struct {
		Name string
		X    []float64
		Y    []int32
		Z    []byte
	}
	v := result{"n", make([]float64, 1000), make([]int32, 3000), make([]byte, 5000)}
	v.X[999], v.Y[5], v.Z[4999] = 1, 2, 3
	b, err := Append(nil, reflect.ValueOf(&v).Elem())
	if err != nil {
		t.Fatal(err)
	}
	b = aligned(b)
	var got result
	if err := Read(b, reflect.ValueOf(&got).Elem(), true); err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(got, v) {
		t.Error("not the same")
	}
	if !raw.Little {
		return
	}
	clear(b)
	if got.X[999] != 0 || got.Y[5] != 0 || got.Z[4999] != 0 {
		t.Error("a copy was made")
	}
	if cap(got.X) != 1000 {
		t.Error("append would write behind")
	}
}

// aligned copies b to a multiple of 64.
func aligned(b []byte) []byte {
	big := make([]byte, len(b)+64)
	for i := range 64 {
		if raw.Aligned(big[i:], reflect.TypeFor[[8]complex128]()) && raw.Aligned(big[i:], reflect.TypeFor[float64]()) {
			copy(big[i:], b)
			return big[i : i+len(b)]
		}
	}
	return b
}

type loop struct{ Next *loop }

type stringer interface{ String() string }

func TestRefused(t *testing.T) {
	t.Parallel()
	for want, typ := range map[string]reflect.Type{
		"struct { C chan int }.C (chan int)":          reflect.TypeFor[struct{ C chan int }](),
		"[]func()[] (func())":                         reflect.TypeFor[[]func()](),
		"struct { M map[string]*sync.Mutex }.M[] (sy": reflect.TypeFor[struct{ M map[string]*sync.Mutex }](),
		"uintptr (uintptr)":                           reflect.TypeFor[uintptr](),
	} {
		err := Check(typ)
		if se, ok := errors.AsType[*shape.Error](err); !ok || !strings.HasPrefix(se.Error(), want) {
			t.Errorf("%v, want %s", err, want)
		}
	}
	if err := Check(reflect.TypeFor[everything]()); err != nil {
		t.Error(err)
	}
	l := &loop{}
	l.Next = &loop{l}
	for want, v := range map[string]any{
		"points back to itself": l,
		"S (netip.Addr): can't be stored behind the interface value.stringer": struct{ S stringer }{netip.Addr{}},
		"[x][0] (value.inner)": map[string]any{"x": []any{inner{}}},
	} {
		_, err := Append(nil, reflect.ValueOf(v))
		if se, ok := errors.AsType[*shape.Error](err); !ok || !strings.Contains(se.Error(), want) {
			t.Errorf("%v, want %s", err, want)
		}
	}
}

// The form of these is part of the format.
func TestForm(t *testing.T) {
	t.Parallel()
	for _, c := range forms {
		b, err := Append(nil, reflect.ValueOf(c.v))
		if err != nil || hex.EncodeToString(b) != c.want {
			t.Errorf("%#v: %x %v, want %s", c.v, b, err, c.want)
		}
	}
}

var forms = []struct {
	v    any
	want string
}{
	{true, "01"},
	{-2, "03"},
	{uint(300), "ac02"},
	{1.5, "000000000000f83f"},
	{"x", "0178"},
	{[]int(nil), "00"},
	{[]int{}, "01"},
	{[]int{1, -2}, "030100000000000000feffffffffffffff"},
	{map[string]int{"a": 1}, "02016102"},
	{new(1), "0102"},
	{inner{"x", 1, 4}, "01780200008040"},
	{[]any{1, "b", nil}, "04020210016200"},
	{[2]bool{true, false}, "0100"},
	{time.Second, "80a8d6b907"},
}

func FuzzRead(f *testing.F) {
	for _, v := range []everything{{}, {S: "x", Ints: []int{1}, Any: []any{1, "x"}, P: &inner{}, M: map[string]inner{"a": {}}, Big: big.NewInt(4)}} {
		b, err := Append(nil, reflect.ValueOf(&v).Elem())
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		var v, again everything
		if err := Read(b, reflect.ValueOf(&v).Elem(), false); err != nil {
			if !errors.Is(err, ErrDamaged) {
				t.Error(err)
			}
			return
		}
		// What can be read can be written, and read again as the same.
		out, err := Append(nil, reflect.ValueOf(&v).Elem())
		if err != nil {
			t.Fatal(err)
		}
		if err := Read(out, reflect.ValueOf(&again).Elem(), false); err != nil {
			t.Fatal(err)
		}
		out2, err := Append(nil, reflect.ValueOf(&again).Elem())
		if err != nil || len(out) != len(out2) || len(v.M) < 2 && len(v.MM) < 2 && len(v.hidden) < 2 && !hasMap(v) && !bytes.Equal(out, out2) {
			t.Errorf("%x\n%x", out, out2)
		}
	})
}

// hasMap tells whether maps make the order of the bytes random.
func hasMap(v everything) bool {
	if v.Next != nil {
		return true
	}
	switch v.Any.(type) {
	case nil, bool, int, string, float64:
		return false
	}
	for _, m := range v.MM {
		if len(m) > 1 {
			return true
		}
	}
	return true
}

func BenchmarkSmall(b *testing.B) {
	v := inner{"some text", 1, 2}
	var buf []byte
	for b.Loop() {
		var err error
		if buf, err = Append(buf[:0], reflect.ValueOf(&v).Elem()); err != nil {
			b.Fatal(err)
		}
		var out inner
		if err := Read(buf, reflect.ValueOf(&out).Elem(), false); err != nil {
			b.Fatal(err)
		}
	}
}
