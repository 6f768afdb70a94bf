package array

import (
	"fmt"
	"math"
	"slices"
	"unsafe"

	"github.com/weft-go/weft/internal/vector"
)

// denseOp is an array that is in memory, in the order of C.
type denseOp struct {
	p    unsafe.Pointer
	keep any // what holds the memory
}

func (denseOp) name() string { return "memory" }

// FromSlice is an array of the given shape over data, which is not copied and
// must not change as long as the array is used. Without a shape it has one
// axis. The last axis is the one whose elements are neighbours, as in C.
func FromSlice[T Elem](data []T, shape ...int) Array[T] {
	k := kindOf[T]()
	if len(shape) == 0 {
		shape = []int{len(data)}
	}
	err := checkShape(shape)
	if err == nil && product(shape) != len(data) {
		err = shapeError("there are %d elements, and the shape %s has %d; give a shape that fits", len(data), shapeText(shape), product(shape))
	}
	if err != nil {
		return Array[T]{fail("FromSlice", k, err)}
	}
	return Array[T]{dense(data, slices.Clone(shape))}
}

func dense[T Elem](data []T, shape []int) *node {
	return derive(kindOf[T](), shape, denseOp{unsafe.Pointer(unsafe.SliceData(data)), data})
}

// Scalar is an array without axes, of one element: it broadcasts to any shape.
func Scalar[T Elem](v T) Array[T] { return scalar(v) }

func scalar[T Elem](v T) Array[T] { return Array[T]{derive(kindOf[T](), nil, constOp[T]{v})} }

// constOp has one value everywhere.
type constOp[T Elem] struct{ v T }

func (c constOp[T]) name() string { return fmt.Sprint(c.v) }
func (constOp[T]) cost() int      { return 0 }
func (c constOp[T]) fill(dst unsafe.Pointer, _, _, n int) {
	vector.Fill(list[T](dst, n), c.v)
}

func made[T Elem](call string, o op, shape []int) Array[T] {
	k := kindOf[T]()
	if err := checkShape(shape); err != nil {
		return Array[T]{fail(call, k, err)}
	}
	return Array[T]{derive(k, slices.Clone(shape), o)}
}

// Zeros is an array of zeros; of bool, of false.
func Zeros[T Elem](shape ...int) Array[T] { return made[T]("Zeros", constOp[T]{}, shape) }

// Ones is an array of ones.
func Ones[T Number](shape ...int) Array[T] { return made[T]("Ones", constOp[T]{1}, shape) }

// Full is an array of one value.
func Full[T Elem](v T, shape ...int) Array[T] { return made[T]("Full", constOp[T]{v}, shape) }

// rampOp is start, start+step, ...; the last is last if there is one.
type rampOp[T Real] struct {
	start, step, last T
	n                 int
	closed            bool
	call              string
}

func (r rampOp[T]) name() string { return r.call }
func (rampOp[T]) cost() int      { return 2 }
func (r rampOp[T]) fill(dst unsafe.Pointer, base, stride, n int) {
	d := list[T](dst, n)
	if stride == 1 {
		vector.Ramp(d, r.start, r.step, base)
	} else {
		for i := range d {
			vector.Ramp(d[i:i+1], r.start, r.step, base+i*stride)
		}
	}
	if r.closed {
		for i := range d {
			if base+i*stride == r.n-1 {
				d[i] = r.last
			}
		}
	}
}

// Arange is start, start+step, ... as far as it is before stop, as np.arange.
// Each element is start + i*step, so that errors do not add up.
func Arange[T Real](start, stop, step T) Array[T] {
	k := kindOf[T]()
	n := (float64(stop) - float64(start)) / float64(step)
	down := any(step) == any(uint8(0)) || step < 0
	if k == u8 || k == i32 || k == i64 {
		switch {
		case step == 0 || (stop > start) == down:
			n = 0
		case down:
			n = float64((uint64(int64(start)-int64(stop)) + uint64(-int64(step)) - 1) / uint64(-int64(step)))
		case stop > start:
			n = float64((uint64(int64(stop)-int64(start)) + uint64(int64(step)) - 1) / uint64(int64(step)))
		}
	}
	switch {
	case step == 0:
		return Array[T]{fail("Arange", k, shapeError("the step is 0; it must be another number"))}
	case math.IsNaN(n) || n > mostElements:
		return Array[T]{fail("Arange", k, shapeError("from %v to %v by %v are too many elements", start, stop, step))}
	}
	count := max(0, int(math.Ceil(n)))
	return made[T]("Arange", rampOp[T]{start: start, step: step, call: "arange"}, []int{count})
}

// Linspace is n numbers from start to stop, both included, as np.linspace.
func Linspace[T Float](start, stop T, n int) Array[T] {
	r := rampOp[T]{start: start, last: stop, n: n, closed: n > 1, call: "linspace"}
	if n > 1 {
		r.step = (stop - start) / T(n-1)
	}
	return made[T]("Linspace", r, []int{n})
}

// Identity has ones on the diagonal of n rows and columns, else zeros; np.eye.
func Identity[T Number](n int) Array[T] {
	if n < 0 {
		return made[T]("Identity", nil, []int{n})
	}
	i := Arange(0, int64(n), 1)
	return Cast[T](i.ExpandDims(1).Eq(i))
}

// funcOp has what a function of the user gives.
type funcOp[T Elem] struct {
	shape []int
	f     func(index []int) T
}

func (funcOp[T]) name() string { return "FromFunc" }
func (funcOp[T]) cost() int    { return 50 }
func (o funcOp[T]) fill(dst unsafe.Pointer, base, stride, n int) {
	d := list[T](dst, n)
	index := make([]int, len(o.shape))
	unravel(base, o.shape, index)
	last := len(index) - 1
	for i := range d {
		d[i] = o.f(index)
		if last >= 0 && stride == 1 && index[last]+1 < o.shape[last] {
			index[last]++
		} else {
			unravel(base+(i+1)*stride, o.shape, index)
		}
	}
}

// unravel turns a flat index into one for each axis.
func unravel(flat int, shape, index []int) {
	for i := len(shape) - 1; i >= 0; i-- {
		n := max(1, shape[i])
		index[i] = flat % n
		flat /= n
	}
}

// FromFunc is an array whose elements are those that f returns for their
// index, as np.fromfunction. f is called for each element that is needed, maybe
// more than once, and from several goroutines; it must not keep index.
func FromFunc[T Elem](f func(index []int) T, shape ...int) Array[T] {
	if f == nil {
		return Array[T]{fail("FromFunc", kindOf[T](), fmt.Errorf("the function is nil; give one of the index of an element"))}
	}
	shape = slices.Clone(shape)
	return made[T]("FromFunc", funcOp[T]{shape, f}, shape)
}
