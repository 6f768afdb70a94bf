package array_test

import (
	"context"
	"errors"
	"math"
	"math/rand/v2"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/weft-go/weft/array"
	"github.com/weft-go/weft/graph"
)

// Sums have the same bits for any number of workers, blocks and memory limits.
//
// It does not run beside others: its memory limit is that of the Go runtime,
// and they would take it for theirs.
func TestSameBits(t *testing.T) {
	const rows, cols = 300, 700
	x := array.Normal(7, rows, cols)
	data, err := x.Compute(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	forms := map[string]array.Array[float64]{
		"made":       x,
		"memory":     array.FromSlice(data, rows, cols),
		"blocks":     x.Rechunk(100, 77),
		"rows":       x.Rechunk(1, -1),
		"turned":     x.Transpose().Rechunk(64, 640).Transpose(),
		"in columns": array.Concatenate(1, x.Slice(1, 0, 333), x.Slice(1, 333, cols)),
	}
	reductions := map[string]func(a array.Array[float64]) array.Array[float64]{
		"sum":    func(a array.Array[float64]) array.Array[float64] { return a.Sum() },
		"sum 0":  func(a array.Array[float64]) array.Array[float64] { return a.Sum(array.Axis(0)) },
		"sum 1":  func(a array.Array[float64]) array.Array[float64] { return a.Sum(array.Axis(1)) },
		"var":    func(a array.Array[float64]) array.Array[float64] { return a.Var() },
		"var 0":  func(a array.Array[float64]) array.Array[float64] { return a.Var(array.Axis(0)) },
		"std 1":  func(a array.Array[float64]) array.Array[float64] { return a.Std(array.Axis(1)) },
		"prod":   func(a array.Array[float64]) array.Array[float64] { return a.Prod(array.Axis(0)) },
		"square": func(a array.Array[float64]) array.Array[float64] { return a.Mul(a).AddS(1).Sum(array.Axis(0)) },
		"matmul": func(a array.Array[float64]) array.Array[float64] {
			return array.MatMul(a.Slice(0, 0, 50), a.Transpose())
		},
	}
	for name, reduce := range reductions {
		want, err := reduce(x).Compute(t.Context(), graph.Workers(1))
		if err != nil {
			t.Fatal(err)
		}
		for form, a := range forms {
			for _, o := range [][]graph.RunOption{{graph.Workers(1)}, {graph.Workers(4)}, {graph.Workers(3), graph.MemoryLimit(8 << 20)}} {
				got, err := reduce(a).Compute(t.Context(), o...)
				if err != nil {
					t.Fatalf("%s of %s: %v", name, form, err)
				}
				if !slices.EqualFunc(got, want, bits) {
					t.Errorf("%s of %s has other bits", name, form)
				}
			}
		}
	}
}

// Reductions of several cells are right.
func TestLargeReductions(t *testing.T) {
	t.Parallel()
	for _, shape := range [][]int{{300_007}, {3, 140_001}, {140_001, 3}, {70, 5_000}, {2, 150, 1_000}, {1, 200_000}, {200_000, 1}} {
		data := make([]float64, size(shape))
		r := rand.New(rand.NewPCG(1, uint64(len(data))))
		for i := range data {
			data[i] = math.Round(r.Float64() * 1000) // whole numbers add up exactly
		}
		x, ref := array.FromSlice(data, shape...), naive[float64]{shape, data}
		for axis := range shape {
			o := array.Axis(axis)
			check(t, "sum", x.Sum(o), collapse(ref, []int{axis}, false, plainSum), bits)
			check(t, "max", x.Max(o), collapse(ref, []int{axis}, false, func(l []float64) float64 { return fold(l, most) }), bits)
			check(t, "var", x.Var(o), collapse(ref, []int{axis}, false, plainVar), near)
			check(t, "argmax", array.Cast[float64](x.ArgMax(o)), collapse(ref, []int{axis}, false, func(l []float64) float64 {
				return plainArg(l, func(x, y float64) bool { return y > x })
			}), bits)
		}
		check(t, "sum of all", x.Sum(), collapse(ref, nil, false, plainSum), bits)
		check(t, "argmin of all", array.Cast[float64](x.ArgMin()), collapse(ref, nil, false, func(l []float64) float64 {
			return plainArg(l, func(x, y float64) bool { return y < x })
		}), bits)
	}
}

// The product of matrices is that of three loops, whatever is multiplied.
func TestMatMul(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(1, 2))
	for range 60 {
		m, k, n := 1+r.IntN(40), r.IntN(40), 1+r.IntN(40)
		if r.IntN(10) == 0 {
			m, k = 600, 1100
		}
		data := func(rows, cols int) naive[float64] {
			return build([]int{rows, cols}, func([]int) float64 { return float64(r.IntN(20) - 10) })
		}
		a, b := data(m, k), data(k, n)
		want := build([]int{m, n}, func(i []int) (s float64) {
			for l := range k {
				s += a.data[i[0]*k+l] * b.data[l*n+i[1]]
			}
			return s
		})
		x, y := array.FromSlice(a.data, m, k), array.FromSlice(b.data, k, n)
		check(t, "plain", array.MatMul(x, y), want, bits)
		check(t, "blocks", array.MatMul(x.Rechunk(7, 9), y.Rechunk(5, 11)), want, bits)
		check(t, "turned", array.MatMul(y.Transpose(), x.Transpose()).Transpose(), want, bits)
		check(t, "computed", array.MatMul(x.AddS(1).SubS(1), y.MulS(1)), want, bits)
		check(t, "int64", array.Cast[float64](array.MatMul(array.Cast[int64](x), array.Cast[int64](y))), want, bits)
		check(t, "complex", array.RealPart(array.MatMul(array.Cast[complex128](x), array.Cast[complex128](y))), want, bits)
		row := naive[float64]{[]int{n}, want.data[:n]}
		check(t, "row", array.MatMul(x.At("0"), y), row, bits)
		check(t, "batch", array.MatMul(array.Stack(0, x, x), y).At("1"), want, bits)
	}
}

func TestMapBlocks(t *testing.T) {
	t.Parallel()
	x := array.Arange(0.0, 35, 1).Reshape(5, 7)
	starts := array.MapBlocks(x.Rechunk(2, 3), "starts", func(_ context.Context, b array.Block[float64]) ([]int64, error) {
		out := make([]int64, len(b.Data))
		for i := range out {
			out[i] = int64(100*b.Start[0] + b.Start[1])
		}
		return out, nil
	})
	check(t, "starts", starts, build([]int{5, 7}, func(i []int) int64 { return int64(100*(i[0]/2*2) + i[1]/3*3) }), equal)

	gone := errors.New("gone")
	_, err := array.MapBlocks(x, "fails", func(context.Context, array.Block[float64]) ([]float64, error) { return nil, gone }).Compute(t.Context())
	if !errors.Is(err, gone) || !strings.Contains(err.Error(), "fails") {
		t.Errorf("the error is %v", err)
	}
	_, err = array.MapBlocks(x, "short", func(_ context.Context, b array.Block[float64]) ([]float64, error) { return b.Data[1:], nil }).Compute(t.Context())
	if err == nil || !strings.Contains(err.Error(), "must return 35") {
		t.Errorf("the error is %v", err)
	}
}

// Mistakes are told when they are made, with the line.
func TestMistakes(t *testing.T) {
	t.Parallel()
	x, y := array.Zeros[float64](3, 4), array.Zeros[float64](5)
	_, file, line, _ := runtime.Caller(0)
	bad := x.Add(y) // line + 1
	var e *array.Error
	if !errors.As(bad.Err(), &e) || !errors.Is(e, array.ErrShape) || e.Call != "Add" {
		t.Fatalf("the error is %v", bad.Err())
	}
	if want := filepath.Base(file) + ":"; !strings.Contains(e.At, want) || !strings.HasSuffix(e.At, strconv.Itoa(line+1)) {
		t.Errorf("it is at %q, want line %d", e.At, line+1)
	}
	if s := e.Error(); !strings.Contains(s, "(3, 4)") || !strings.Contains(s, "(5,)") {
		t.Errorf("both shapes belong into %q", s)
	}
	after := array.Exp(bad.MulS(2)).Sum().Slice(0, 1, 2)
	if after.Err() != bad.Err() { //nolint:errorlint // the very same
		t.Errorf("the first error was %v, then %v", bad.Err(), after.Err())
	}
	if _, err := after.Compute(t.Context()); err != bad.Err() { //nolint:errorlint // the very same
		t.Errorf("Compute says %v", err)
	}
	ints := array.Zeros[int64](3)
	for what, err := range map[string]error{
		"FloorDiv":   ints.Div(ints).Err(),
		"Cast":       array.Zeros[uint8](3).Sum().Err(),
		"no axis 2":  x.Sum(array.Axis(2)).Err(),
		"twice":      x.Sum(array.Axis(1, -1)).Err(),
		"And":        array.Zeros[bool](3).Add(array.Zeros[bool](3)).Err(),
		"(2, 6)":     x.Reshape(2, 7).Reshape(2, 6).Err(),
		"2^52":       array.Zeros[float64](1<<30, 1<<30).Err(),
		"no order":   array.Zeros[complex128](3).Max().Err(),
		"negative":   array.Zeros[float64](-1).Err(),
		"of nothing": array.Zeros[float64](0).Max().Err(),
		"zero Array": (array.Array[float64]{}).AddS(1).Err(),
		"outside":    x.At("7").Err(),
		"same":       array.Concatenate(0, x, y.Reshape(1, 5)).Err(),
		"meets it":   array.MatMul(x, x).Err(),
		"is 0":       x.At("::0").Err(),
		"3 elements": array.FromSlice([]float64{1, 2, 3}, 2, 2).Err(),
	} {
		if what == "(2, 6)" {
			what = "(2, 7)" // the first mistake
		}
		if err == nil || !strings.Contains(err.Error(), what) {
			t.Errorf("%q is not in the error %v", what, err)
		}
	}
}

func TestTooLarge(t *testing.T) {
	_, err := array.Zeros[float64](1<<20).Compute(t.Context(), graph.MemoryLimit(1<<20))
	if !errors.Is(err, array.ErrTooLarge) {
		t.Errorf("the error is %v", err)
	}
}

func TestIndexText(t *testing.T) {
	t.Parallel()
	ref := build([]int{4, 5, 6}, func(i []int) int64 { return int64(100*i[0] + 10*i[1] + i[2]) })
	x := array.FromSlice(ref.data, 4, 5, 6)
	for spec, shape := range map[string][]int{
		"1": {5, 6}, "-1, 2": {6}, "1, 2, 3": nil, "1:3": {2, 5, 6}, "::-1": {4, 5, 6}, "..., 0": {4, 5},
		"None, 1:": {1, 3, 5, 6}, ":, ::2, -2:": {4, 3, 2}, "": {4, 5, 6}, "3:1": {0, 5, 6}, "..., None": {4, 5, 6, 1},
	} {
		if got := x.At("%s", spec).Shape(); !slices.Equal(got, shape) {
			t.Errorf("%q gives the shape %v, want %v", spec, got, shape)
		}
	}
	v, err := x.At("%d, 1:3, ::-2", 2).Compute(t.Context())
	if err != nil || !slices.Equal(v, []int64{215, 213, 211, 225, 223, 221}) {
		t.Errorf("got %v, %v", v, err)
	}
}

// The uniform numbers are those of NumPy:
// numpy.random.Generator(numpy.random.Philox(key=42)).random(6).
func TestRandomIsNumPys(t *testing.T) {
	t.Parallel()
	whole, err := array.Random(42, 100_000).Compute(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	want := numpyRandom
	if !slices.EqualFunc(whole[:len(want)], want, bits) {
		t.Errorf("got %v, want %v", whole[:len(want)], want)
	}
	part, err := array.Random(42, 100_000).SliceStep(0, 99_999, 3, -7).Rechunk(11).Compute(t.Context(), graph.Workers(3))
	if err != nil {
		t.Fatal(err)
	}
	for i, v := range part {
		if v != whole[99_999-7*i] {
			t.Fatalf("element %d is %v, want %v", i, v, whole[99_999-7*i])
		}
	}
	n := array.Normal(1, 1_000_000)
	mean, err := n.Mean().Item(t.Context())
	if err != nil || math.Abs(mean) > 0.005 {
		t.Errorf("the mean is %v, %v", mean, err)
	}
	std, err := n.Std().Item(t.Context())
	if err != nil || math.Abs(std-1) > 0.005 {
		t.Errorf("the deviation is %v, %v", std, err)
	}
	k, err := array.Integers(3, -2, 3, 10_000).Compute(t.Context())
	if err != nil || slices.Min(k) != -2 || slices.Max(k) != 2 {
		t.Errorf("from %d to %d, %v", slices.Min(k), slices.Max(k), err)
	}
}
