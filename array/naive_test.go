package array_test

import (
	"math"
	"slices"
	"testing"

	"github.com/weft-go/weft/array"
	"github.com/weft-go/weft/graph"
)

// naive is an array as one would write it without thinking: the reference.
type naive[T any] struct {
	shape []int
	data  []T
}

func size(shape []int) int {
	n := 1
	for _, s := range shape {
		n *= s
	}
	return n
}

// indexes calls f for each index of a shape.
func indexes(shape []int, f func(i int, index []int)) {
	index := make([]int, len(shape))
	for i := range size(shape) {
		f(i, index)
		for a := len(shape) - 1; a >= 0; a-- {
			if index[a]++; index[a] < shape[a] {
				break
			}
			index[a] = 0
		}
	}
}

func (n naive[T]) at(index []int) T {
	k := 0
	for a, i := range index {
		k = k*n.shape[a] + i
	}
	return n.data[k]
}

func build[T any](shape []int, f func(index []int) T) naive[T] {
	n := naive[T]{slices.Clone(shape), make([]T, size(shape))}
	indexes(shape, func(i int, index []int) { n.data[i] = f(index) })
	return n
}

// cast reads an element of n by an index of a shape that n broadcasts to.
func (n naive[T]) wide(index []int) T {
	own := slices.Clone(index[len(index)-len(n.shape):])
	for a := range own {
		if n.shape[a] == 1 {
			own[a] = 0
		}
	}
	return n.at(own)
}

func together(a, b []int) ([]int, bool) {
	if len(a) < len(b) {
		a, b = b, a
	}
	out := slices.Clone(a)
	for i := range b {
		k := i + len(a) - len(b)
		switch {
		case out[k] == b[i] || b[i] == 1:
		case out[k] == 1:
			out[k] = b[i]
		default:
			return nil, false
		}
	}
	return out, true
}

func both[A, B, R any](a naive[A], b naive[B], f func(A, B) R) naive[R] {
	shape, ok := together(a.shape, b.shape)
	if !ok {
		panic("shapes")
	}
	return build(shape, func(i []int) R { return f(a.wide(i), b.wide(i)) })
}

func every[A, R any](a naive[A], f func(A) R) naive[R] {
	return build(a.shape, func(i []int) R { return f(a.at(i)) })
}

// collapse reduces axes with f, which gets the elements in the order of C.
func collapse[A, R any](a naive[A], axes []int, keep bool, f func([]A) R) naive[R] {
	gone := func(x int) bool { return len(axes) == 0 || slices.Contains(axes, x) }
	var shape []int
	for x, n := range a.shape {
		switch {
		case !gone(x):
			shape = append(shape, n)
		case keep:
			shape = append(shape, 1)
		}
	}
	lists := make([][]A, size(shape))
	indexes(a.shape, func(i int, index []int) {
		k := 0
		for x, at := range index {
			if !gone(x) {
				k = k*a.shape[x] + at
			}
		}
		lists[k] = append(lists[k], a.data[i])
	})
	out := naive[R]{shape, make([]R, len(lists))}
	for i, l := range lists {
		out.data[i] = f(l)
	}
	return out
}

// bits tells whether two floats are the same, NaN and the sign of zero
// included.
func bits(a, b float64) bool {
	return math.Float64bits(a) == math.Float64bits(b) || a != a && b != b
}

// near tells whether two floats are the same but for rounding.
func near(a, b float64) bool {
	return bits(a, b) || a == b || math.Abs(a-b) <= 1e-9*max(1, math.Abs(a), math.Abs(b))
}

func check[T array.Elem](t *testing.T, what string, a array.Array[T], want naive[T], same func(a, b T) bool, opts ...graph.RunOption) {
	t.Helper()
	if err := a.Err(); err != nil {
		t.Fatalf("%s: %v", what, err)
	}
	if !slices.Equal(a.Shape(), want.shape) {
		t.Fatalf("%s: shape %v, want %v", what, a.Shape(), want.shape)
	}
	got, err := a.Compute(t.Context(), opts...)
	if err != nil {
		t.Fatalf("%s: %v", what, err)
	}
	for i := range want.data {
		if !same(got[i], want.data[i]) {
			t.Fatalf("%s: element %d of shape %v is %v, want %v", what, i, want.shape, got[i], want.data[i])
		}
	}
}

func equal[T comparable](a, b T) bool { return a == b }
