package array

import (
	"fmt"
	"slices"
	"strings"
	"unsafe"
)

// Array is an array of elements of type T that is still to be computed: its
// shape, and how to compute it. It is immutable and one word; any number of
// goroutines may use it. Building never computes and never fails: a mistake is
// told by Err, Compute and whatever else runs it, with the line of the call
// that made it.
//
// An array has no chunks of its own: a run chooses the blocks, by the memory
// that it may use. Rechunk says otherwise.
type Array[T Elem] struct{ n *node }

// node is an array whatever its type.
type node struct {
	kind  kind
	shape []int
	op    op
	in    []*node
	at    place
	err   error
}

// op is what a node does with its inputs.
type op interface {
	// name is NumPy's where there is one.
	name() string
}

// source is an op without inputs whose elements are found by their flat index,
// in the order of C.
type source interface {
	op
	// fill writes the elements base, base+stride, ... to the n at dst.
	fill(dst unsafe.Pointer, base, stride, n int)
	// cost is what an element costs, in additions.
	cost() int
}

var errZero = fmt.Errorf("the array is the zero Array; make one with FromSlice, Zeros, Arange and the like")

// node is what a stands for, also if it is the zero Array.
func (a Array[T]) node() *node {
	if a.n == nil {
		return &node{kind: kindOf[T](), err: &Error{Call: "use of an Array", Err: errZero}}
	}
	return a.n
}

// fail is an array that is an error.
func fail(call string, k kind, err error) *node {
	at := here()
	return &node{kind: k, at: at, err: &Error{Call: call, At: at.String(), Err: err}}
}

// derive is a node made of others; the first error among them is its own.
func derive(k kind, shape []int, o op, in ...*node) *node {
	for _, n := range in {
		if n.err != nil {
			return &node{kind: k, err: n.err}
		}
	}
	return &node{kind: k, shape: shape, op: o, in: in, at: here()}
}

// firstError is the error of the first node that has one.
func firstError(ns ...*node) error {
	for _, n := range ns {
		if n.err != nil {
			return n.err
		}
	}
	return nil
}

// Shape is how many elements there are along each axis. It is known before
// anything is computed. Of an array with an error it is nil.
func (a Array[T]) Shape() []int { return slices.Clone(a.node().shape) }

// Dims is the number of axes.
func (a Array[T]) Dims() int { return len(a.node().shape) }

// Len is the number of elements.
func (a Array[T]) Len() int { return product(a.node().shape) }

// Bytes is what the elements take.
func (a Array[T]) Bytes() int64 {
	n := a.node()
	return int64(product(n.shape)) * int64(n.kind.size())
}

// Err is the first mistake in what was built, nil if there is none. It is an
// [*Error].
func (a Array[T]) Err() error { return a.node().err }

func (a Array[T]) String() string {
	n := a.node()
	if n.err != nil {
		return n.err.Error()
	}
	return fmt.Sprintf("%s%s", n.kind, shapeText(n.shape))
}

// shapeText is a shape as NumPy writes it.
func shapeText(shape []int) string {
	var b strings.Builder
	b.WriteByte('(')
	for i, n := range shape {
		if i > 0 {
			b.WriteString(", ")
		}
		fmt.Fprint(&b, n)
	}
	if len(shape) == 1 {
		b.WriteByte(',')
	}
	b.WriteByte(')')
	return b.String()
}

func product(shape []int) int {
	p := 1
	for _, n := range shape {
		p *= n
	}
	return p
}

// strides are those of an array in the order of C, in elements.
func strides(shape []int) []int {
	s := make([]int, len(shape))
	k := 1
	for i := len(shape) - 1; i >= 0; i-- {
		s[i] = k
		k *= shape[i]
	}
	return s
}

const mostElements = 1 << 52

// checkShape tells what is wrong with a shape that the user gave.
func checkShape(shape []int) error {
	p := 1
	for i, n := range shape {
		if n < 0 {
			return shapeError("axis %d of the shape %s is negative", i, shapeText(shape))
		}
		if n > 0 && p > mostElements/n {
			return shapeError("the shape %s has more elements than there can be (2^52)", shapeText(shape))
		}
		p *= max(n, 1)
	}
	return nil
}

// axisOf turns an axis that may count from the end into one that does not.
func axisOf(axis, dims int) (int, error) {
	a := axis
	if a < 0 {
		a += dims
	}
	if a < 0 || a >= dims {
		if dims == 0 {
			return 0, shapeError("there is no axis %d: the array has no axes", axis)
		}
		return 0, shapeError("there is no axis %d: the array has %d, from %d to %d", axis, dims, -dims, dims-1)
	}
	return a, nil
}
