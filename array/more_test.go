package array_test

import (
	"context"
	"errors"
	"math"
	"math/cmplx"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/weft-go/weft/array"
)

func numbers(shape ...int) naive[float64] {
	r := rand.New(rand.NewPCG(3, uint64(size(shape))))
	return build(shape, func([]int) float64 { return float64(r.IntN(200) - 100) })
}

// line is a line of a naive array of two axes.
func line(n naive[float64], axis, at int) (l []float64) {
	for i := range n.shape[axis] {
		if axis == 0 {
			l = append(l, n.at([]int{i, at}))
		} else {
			l = append(l, n.at([]int{at, i}))
		}
	}
	return l
}

func TestLines(t *testing.T) {
	t.Parallel()
	ref := numbers(7, 11)
	for _, x := range []array.Array[float64]{array.FromSlice(ref.data, 7, 11), array.FromSlice(ref.data, 7, 11).Rechunk(2, 3)} {
		for axis := range 2 {
			at := func(i []int) (l []float64, k int) { return line(ref, axis, i[1-axis]), i[axis] }
			check(t, "cumsum", array.CumSum(x, axis), build(ref.shape, func(i []int) float64 {
				l, k := at(i)
				return plainSum(l[:k+1])
			}), bits)
			check(t, "sort", array.Sort(x, axis), build(ref.shape, func(i []int) float64 {
				l, k := at(i)
				slices.Sort(l)
				return l[k]
			}), bits)
			shape := slices.Clone(ref.shape)
			shape[axis] = 3
			check(t, "topk", array.TopK(x, 3, axis), build(shape, func(i []int) float64 {
				l, k := at(i)
				slices.Sort(l)
				return l[len(l)-1-k]
			}), bits)
			check(t, "median", array.Median(x, axis), collapse(ref, []int{axis}, false, func(l []float64) float64 {
				slices.Sort(l)
				return (l[(len(l)-1)/2] + l[len(l)/2]) / 2
			}), near)
			check(t, "apply", array.Apply(x, axis, 1, func(dst []float64, src []float64) error {
				dst[0] = src[0] - src[len(src)-1]
				return nil
			}).Squeeze(axis), collapse(ref, []int{axis}, false, func(l []float64) float64 { return l[0] - l[len(l)-1] }), bits)
		}
	}
	gone := errors.New("gone")
	if _, err := array.Apply(array.Zeros[float64](3, 3), 0, 1, func([]float64, []float64) error { return gone }).Compute(t.Context()); !errors.Is(err, gone) {
		t.Errorf("the error is %v", err)
	}
	if err := array.TopK(array.Zeros[float64](3), 4, 0).Err(); !errors.Is(err, array.ErrShape) {
		t.Errorf("the error is %v", err)
	}
}

// The transform is the sum that defines it, for lengths of all kinds.
func TestFFT(t *testing.T) {
	t.Parallel()
	for _, n := range []int{1, 2, 3, 8, 12, 17, 64, 100} {
		r := rand.New(rand.NewPCG(5, uint64(n)))
		data := make([]complex128, n)
		for i := range data {
			data[i] = complex(r.NormFloat64(), r.NormFloat64())
		}
		x := array.FromSlice(data)
		got, err := array.FFT(x, 0).Compute(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for k, v := range got {
			var want complex128
			for j, d := range data {
				want += d * cmplx.Exp(complex(0, -2*math.Pi*float64(j*k%n)/float64(n)))
			}
			if cmplx.Abs(v-want) > 1e-10*float64(n) {
				t.Fatalf("%d of %d is %v, want %v", k, n, v, want)
			}
		}
		back, err := array.IFFT(array.FFT(x, 0), 0).Compute(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for i, v := range back {
			if cmplx.Abs(v-data[i]) > 1e-12*float64(n) {
				t.Fatalf("there and back, %d of %d is %v, want %v", i, n, v, data[i])
			}
		}
	}
}

func TestPadRollTile(t *testing.T) {
	t.Parallel()
	x := array.FromSlice([]float64{1, 2, 3})
	for name, c := range map[string]struct {
		a    array.Array[float64]
		want []float64
	}{
		"constant":  {x.Pad(0, 2, 1, array.Constant(9)), []float64{9, 9, 1, 2, 3, 9}},
		"edge":      {x.Pad(0, 2, 1, array.Edge), []float64{1, 1, 1, 2, 3, 3}},
		"reflect":   {x.Pad(0, 5, 3, array.Reflect), []float64{2, 1, 2, 3, 2, 1, 2, 3, 2, 1, 2}},
		"symmetric": {x.Pad(0, 4, 4, array.Symmetric), []float64{3, 3, 2, 1, 1, 2, 3, 3, 2, 1, 1}},
		"wrap":      {x.Pad(0, 4, 2, array.Wrap), []float64{3, 1, 2, 3, 1, 2, 3, 1, 2}},
		"roll":      {x.Roll(0, 1), []float64{3, 1, 2}},
		"roll back": {x.Roll(0, -4), []float64{2, 3, 1}},
		"tile":      {x.Tile(2), []float64{1, 2, 3, 1, 2, 3}},
	} {
		check(t, name, c.a, naive[float64]{[]int{len(c.want)}, c.want}, bits)
	}
}

// A stencil is the same whatever the blocks.
func TestMapOverlap(t *testing.T) {
	t.Parallel()
	ref := numbers(9, 13)
	x := array.FromSlice(ref.data, 9, 13)
	cross := func(_ context.Context, b array.Block[float64]) ([]float64, error) {
		rows, cols := b.Shape[0], b.Shape[1]
		var out []float64
		for i := 1; i < rows-1; i++ {
			for j := 1; j < cols-1; j++ {
				at := func(i, j int) float64 { return b.Data[i*cols+j] }
				out = append(out, at(i, j)+at(i-1, j)+at(i+1, j)+at(i, j-1)+at(i, j+1))
			}
		}
		return out, nil
	}
	want := build(ref.shape, func(i []int) float64 {
		at := func(a, b int) float64 {
			if a < 0 || b < 0 || a >= 9 || b >= 13 {
				return 0
			}
			return ref.at([]int{a, b})
		}
		return at(i[0], i[1]) + at(i[0]-1, i[1]) + at(i[0]+1, i[1]) + at(i[0], i[1]-1) + at(i[0], i[1]+1)
	})
	for _, a := range []array.Array[float64]{x, x.Rechunk(4, 5), x.Rechunk(1, 13)} {
		check(t, "cross", array.MapOverlap(a, "cross", []int{1, 1}, array.Constant(0), cross), want, bits)
	}
}

func TestEinsum(t *testing.T) {
	t.Parallel()
	a, b := numbers(3, 4, 5), numbers(4, 5, 6)
	x, y := array.FromSlice(a.data, 3, 4, 5), array.FromSlice(b.data, 4, 5, 6)
	want := build([]int{3, 6}, func(i []int) (s float64) {
		for j := range 4 {
			for k := range 5 {
				s += a.at([]int{i[0], j, k}) * b.at([]int{j, k, i[1]})
			}
		}
		return s
	})
	check(t, "tensordot", array.TensorDot(x, y, []int{1, 2}, []int{0, 1}), want, bits)
	check(t, "ijk,jkl->il", array.Einsum("ijk,jkl->il", x, y), want, bits)
	check(t, "ijk,jkl->li", array.Einsum("ijk,jkl->li", x, y), build([]int{6, 3}, func(i []int) float64 { return want.at([]int{i[1], i[0]}) }), bits)
	check(t, "batch", array.Einsum("ijk,jkl->jik", x, y), build([]int{4, 3, 5}, func(i []int) (s float64) {
		for l := range 6 {
			s += a.at([]int{i[1], i[0], i[2]}) * b.at([]int{i[0], i[2], l})
		}
		return s
	}), bits)
	u := array.FromSlice([]float64{1, 2, 3})
	check(t, "outer", array.Outer(u, u), build([]int{3, 3}, func(i []int) float64 { return float64((i[0] + 1) * (i[1] + 1)) }), bits)
	for _, spec := range []string{"ij,jk", "ij,jk->ii", "iij,jkl->il", "ijk,jkl->z", "ijk,ikl->il"} {
		if err := array.Einsum(spec, x, y).Err(); !errors.Is(err, array.ErrShape) {
			t.Errorf("%s: the error is %v", spec, err)
		}
	}
}

// What is stored is read back.
func TestFiles(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	ref := numbers(50, 60)
	x := array.FromSlice(ref.data, 50, 60).Rechunk(7, 13)
	file := filepath.Join(dir, "x.npy")
	if err := x.Transpose().StoreNpy(t.Context(), file); err != nil {
		t.Fatal(err)
	}
	check(t, "npy", array.OpenNpy[float64](file).Transpose(), ref, bits)
	store := filepath.Join(dir, "x.zarr")
	if err := x.StoreZarr(t.Context(), store, []int{16, 9}); err != nil {
		t.Fatal(err)
	}
	check(t, "zarr", array.OpenZarr[float64](store), ref, bits)
	if err := array.OpenNpy[int64](file).Err(); err == nil || !strings.Contains(err.Error(), "float64") {
		t.Errorf("another type: %v", err)
	}
	if err := array.OpenZarr[int64](store).Err(); err == nil || !strings.Contains(err.Error(), "float64") {
		t.Errorf("another type: %v", err)
	}
	if err := array.OpenNpy[float64](filepath.Join(dir, "none.npy")).AddS(1).Err(); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("no file: %v", err)
	}
	gone := errors.New("gone")
	bad := array.MapBlocks(x, "", func(context.Context, array.Block[float64]) ([]float64, error) { return nil, gone })
	if err := bad.StoreNpy(t.Context(), filepath.Join(dir, "bad.npy")); !errors.Is(err, gone) {
		t.Errorf("the error is %v", err)
	}
	left, err := os.ReadDir(dir)
	if err != nil || len(left) != 2 {
		t.Errorf("a failed store leaves something behind: %v, %v", left, err)
	}
}

// The loops of an expression are told.
func TestExplain(t *testing.T) {
	t.Parallel()
	x := array.Random(1, 1000, 1000)
	text, err := x.Sub(x.Mean()).Square().MulS(3).Explain()
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"float64(1000, 1000), 7.63 MiB", "reduced by sum", "subtract, square, multiply", "divide", "8 blocks, 1000000 elements"} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is not in\n%s", want, text)
		}
	}
}
