package key

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"math/big"
	"net/netip"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/weft-go/weft/memo/internal/shape"
)

func of(t testing.TB, v any) Key {
	t.Helper()
	k, err := Value(reflect.ValueOf(v), Options{})
	if err != nil {
		t.Fatal(err)
	}
	return k
}

type leaf struct {
	S string
	n int
	F float64
}

type tree struct {
	Leaves []leaf
	ByName map[string]*leaf
	Any    any
	At     time.Time
	Raw    []float64
	Small  [3]int16
	Next   *tree
	hidden map[int][]string
}

var anyTree = rapid.Custom(func(t *rapid.T) tree { return makeTree(t, 3) })

func makeTree(t *rapid.T, depth int) tree {
	l := rapid.Custom(func(t *rapid.T) leaf {
		return leaf{rapid.String().Draw(t, "s"), rapid.Int().Draw(t, "n"), rapid.Float64().Draw(t, "f")}
	})
	out := tree{
		Leaves: rapid.SliceOf(l).Draw(t, "leaves"),
		ByName: rapid.MapOf(rapid.String(), rapid.Ptr(l, true)).Draw(t, "by name"),
		Any:    rapid.SampledFrom([]any{nil, 1, int64(1), "1", []any{1, "x"}, map[string]any{"a": 1.5}}).Draw(t, "any"),
		At:     time.Unix(rapid.Int64Range(-1e10, 1e10).Draw(t, "sec"), rapid.Int64Range(0, 999_999_999).Draw(t, "ns")),
		Raw:    rapid.SliceOf(rapid.Float64()).Draw(t, "raw"),
		hidden: rapid.MapOf(rapid.Int(), rapid.SliceOf(rapid.String())).Draw(t, "hidden"),
	}
	if depth > 0 && rapid.Bool().Draw(t, "more") {
		next := makeTree(t, depth-1)
		out.Next = &next
	}
	return out
}

// clone makes a value that is equal and shares nothing.
func clone(x tree) tree {
	x.Leaves = append(x.Leaves[:0:0], x.Leaves...)
	if x.ByName != nil {
		m := map[string]*leaf{}
		for k, v := range x.ByName {
			if v != nil {
				c := *v
				v = &c
			}
			m[strings.Clone(k)] = v
		}
		x.ByName = m
	}
	x.Raw = append(x.Raw[:0:0], x.Raw...)
	if x.hidden != nil {
		m := map[int][]string{}
		for k, v := range x.hidden {
			m[k] = append(v[:0:0], v...)
		}
		x.hidden = m
	}
	if x.Next != nil {
		next := clone(*x.Next)
		x.Next = &next
	}
	return x
}

// Equal values have equal keys; a change anywhere gives another.
func TestEqualValuesEqualKeys(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		x := anyTree.Draw(rt, "x")
		y := clone(x)
		if of(t, x) != of(t, y) || of(t, &x) != of(t, &y) {
			rt.Fatal("equal values have different keys")
		}
		switch rapid.IntRange(0, 7).Draw(rt, "change") {
		case 0:
			y.Leaves = append(y.Leaves, leaf{})
		case 1:
			if y.ByName == nil {
				y.ByName = map[string]*leaf{}
			}
			y.ByName["a new key, and a long one"] = nil
		case 2:
			y.Any = "another"
		case 3:
			y.At = y.At.Add(1)
		case 4:
			y.Raw = append(y.Raw, 0)
		case 5:
			y.Small[1]++
		case 6:
			next := clone(x)
			next.Next = nil
			y.Next = &tree{Next: &next}
		case 7:
			if y.hidden == nil {
				y.hidden = map[int][]string{}
			}
			y.hidden[12345678901] = nil
		}
		if of(t, x) == of(t, y) {
			rt.Fatal("different values have the same key")
		}
	})
}

// The keys of these values are part of the format: they must be the same on
// every platform, and after every change here.
func TestKeysAreWhatTheyWere(t *testing.T) {
	t.Parallel()
	long := make([]float64, 10_000)
	for i := range long {
		long[i] = float64(i) / 3
	}
	long[5000] = math.NaN()
	for i, v := range []any{
		nil, true, 1, int8(1), uint(1), 1.5, float32(1.5), "text", []byte("text"), []int{1, 2, 3}, [3]int{1, 2, 3}, long,
		map[string]int{"a": 1, "b": 2}, leaf{"s", 1, 2}, &leaf{"s", 1, 2}, time.Date(2026, 1, 2, 3, 4, 5, 6, time.UTC),
		big.NewInt(77), complex(1, -2), []complex64{1}, []any{1, "x", nil},
	} {
		got := of(t, v).String()
		if want := goldenKeys[i]; got != want {
			t.Errorf("%d, %T: %q, want %q", i, v, got, want)
		}
	}
}

func TestWhatIsDefined(t *testing.T) {
	t.Parallel()
	same := func(a, b any) {
		t.Helper()
		if of(t, a) != of(t, b) {
			t.Errorf("%v and %v have different keys", a, b)
		}
	}
	differ := func(a, b any) {
		t.Helper()
		if of(t, a) == of(t, b) {
			t.Errorf("%#v and %#v have the same key", a, b)
		}
	}
	nan := math.Float64frombits(0xfff8000000000123)
	same(math.NaN(), nan)
	same([]float64{1, math.NaN()}, []float64{1, nan})
	same([2]float64{1, math.NaN()}, [2]float64{1, nan})
	same([]float32{float32(math.NaN())}, []float32{math.Float32frombits(0xffc00001)})
	same([]complex128{complex(nan, 1)}, []complex128{complex(math.NaN(), 1)})
	differ(0.0, math.Copysign(0, -1))
	differ([]float64{0}, []float64{math.Copysign(0, -1)})
	differ([]int(nil), []int{})
	differ(map[string]int(nil), map[string]int{})
	differ([]string{"ab", "c"}, []string{"a", "bc"})
	differ([][]int{{1}, {}}, [][]int{{}, {1}})
	differ(struct{ A any }{1}, struct{ A any }{int64(1)})
	now := time.Now()
	same(now, now.Round(0))
	differ(now, now.In(time.FixedZone("there", 3600)))
	differ(netip.MustParseAddr("1.2.3.4"), netip.MustParseAddr("1.2.3.5"))
	// A pointer is what it points to.
	a, b := leaf{S: "x"}, leaf{S: "x"}
	same(&a, &b)
	same([]*leaf{&a, &a}, []*leaf{&a, &b})
	// A slice of int is the same where it is looked at one by one.
	same([]int{1, 2}, [2]int{1, 2})
}

type node struct {
	Name string
	Next *node
	Kids map[string]*node
	List []any
}

func TestErrorsNameThePath(t *testing.T) {
	t.Parallel()
	cycle := &node{Name: "a"}
	cycle.Next = &node{Next: cycle}
	loop := &node{Kids: map[string]*node{}}
	loop.Kids["me"] = loop
	self := &node{}
	self.List = []any{1, self}
	deep := &node{}
	for range 3 * mostDepth {
		deep = &node{Next: deep}
	}
	for want, v := range map[string]any{
		"node.Next": cycle, "node.Kids[me]": loop, "node.List[1]": self, "nested more than": deep,
		".Do (func())":       struct{ Do func() }{},
		"[1].C (chan int)":   []struct{ C chan int }{{}, {}}[:2],
		".mu (sync.Mutex)":   struct{ mu sync.Mutex }{},
		".P (unsafe":         nil,
		"[k].X (chan error)": map[string]struct{ X any }{"k": {make(chan error)}},
	} {
		if v == nil {
			continue
		}
		_, err := Value(reflect.ValueOf(v), Options{})
		se, ok := errors.AsType[*shape.Error](err)
		if want == "[1].C (chan int)" {
			want = "[0].C (chan int)" // the first one fails
		}
		if !ok || !strings.Contains(se.Error(), want) {
			t.Errorf("%v does not name %q", err, want)
		}
	}
	// Long is not wrong.
	long := &node{}
	for range mostDepth / 2 {
		long = &node{Next: long}
	}
	if _, err := Value(reflect.ValueOf(long), Options{}); err != nil {
		t.Error(err)
	}
}

type special string

func TestIgnoreAndSpecial(t *testing.T) {
	t.Parallel()
	type inner struct {
		Level int
		Keep  int
	}
	type outer struct {
		Log  inner
		Tag  int `memo:"-"`
		File special
	}
	o := Options{Ignore: []string{"Log.Level"}, SpecialType: reflect.TypeFor[special](), Special: func(v reflect.Value) ([]byte, error) {
		if v.String() == "gone" {
			return nil, errors.New("is gone")
		}
		return []byte(strings.ToUpper(v.String())), nil
	}}
	k := func(x outer) Key {
		k, err := Value(reflect.ValueOf(x), o)
		if err != nil {
			t.Fatal(err)
		}
		return k
	}
	base := k(outer{Log: inner{1, 1}, File: "a"})
	if k(outer{Log: inner{2, 1}, Tag: 7, File: "A"}) != base {
		t.Error("what is ignored counts")
	}
	if k(outer{Log: inner{1, 2}, File: "a"}) == base || k(outer{Log: inner{1, 1}, File: "b"}) == base {
		t.Error("what counts is ignored")
	}
	if _, err := Value(reflect.ValueOf([]special{"a", "gone"}), o); err == nil || !strings.Contains(err.Error(), "is gone") {
		t.Error(err)
	}
	if err := Check(reflect.TypeFor[[]*outer](), []string{"Log.Level", "Tag"}); err != nil {
		t.Error(err)
	}
	for _, bad := range []string{"Nope", "Log.Nope", "File.X"} {
		if Check(reflect.TypeFor[outer](), []string{bad}) == nil {
			t.Errorf("%s is no field", bad)
		}
	}
}

func TestParse(t *testing.T) {
	t.Parallel()
	k := Of([]byte("x"))
	if got, err := Parse(k.String()); got != k || err != nil {
		t.Error(got, err)
	}
	for _, bad := range []string{"", "x", strings.Repeat("1", 32), strings.ToUpper(k.String()), k.String() + "a"} {
		if _, err := Parse(bad); err == nil {
			t.Errorf("%q is a key", bad)
		}
	}
	if Of([]byte("a"), []byte("b")) == Of([]byte("ab")) {
		t.Error("borders don't count")
	}
}

// FuzzKey makes two values of the same bytes, in different ways, and others of
// different bytes.
func FuzzKey(f *testing.F) {
	f.Add([]byte("abc"), []byte("abd"))
	f.Add([]byte{}, bytes.Repeat([]byte{0x7f, 0xf8}, 40_000))
	f.Fuzz(func(t *testing.T, a, b []byte) {
		build := func(b []byte) any {
			m := map[string][]byte{}
			var fs []float64
			for i := 0; i+8 <= len(b); i += 8 {
				fs = append(fs, math.Float64frombits(binary.LittleEndian.Uint64(b[i:])))
				m[fmt.Sprint(i)] = b[i : i+8]
			}
			return struct {
				M map[string][]byte
				F []float64
				B []byte
				S string
			}{m, fs, b, string(b)}
		}
		ka, kb := of(t, build(a)), of(t, build(b))
		if ka != of(t, build(bytes.Clone(a))) {
			t.Error("not the same")
		}
		if (ka == kb) != bytes.Equal(a, b) {
			t.Error("collision, or a difference that is none")
		}
	})
}

func BenchmarkLargeSlice(b *testing.B) {
	x := make([]float64, 8<<20)
	for i := range x {
		x[i] = float64(i)
	}
	v := reflect.ValueOf(x)
	b.SetBytes(int64(8 * len(x)))
	for b.Loop() {
		if _, err := Value(v, Options{}); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkSmallStruct(b *testing.B) {
	v := reflect.ValueOf(leaf{"some text", 1, 2})
	for b.Loop() {
		if _, err := Value(v, Options{}); err != nil {
			b.Fatal(err)
		}
	}
}
