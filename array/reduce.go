package array

import (
	"math"
	"slices"
)

// ReduceOption is an option of Sum, Mean and the other reductions.
type ReduceOption interface{ applyReduce(*reduceConfig) }

type reduceOption func(*reduceConfig)

func (f reduceOption) applyReduce(c *reduceConfig) { f(c) }

type reduceConfig struct {
	axes []int
	some bool // axes were given
	keep bool
	ddof int
}

// Axis says which axes a reduction takes away. Negative ones count from the end.
// Defaults to all.
func Axis(axes ...int) ReduceOption {
	return reduceOption(func(c *reduceConfig) { c.axes, c.some = append(c.axes, axes...), true })
}

// KeepDims keeps the axes that are reduced, with length 1, so that the result
// broadcasts against what it was made of. Defaults to taking them away.
func KeepDims() ReduceOption { return reduceOption(func(c *reduceConfig) { c.keep = true }) }

// DDof is what Var and Std subtract from the number of elements that they divide
// by. Defaults to 0.
func DDof(n int) ReduceOption { return reduceOption(func(c *reduceConfig) { c.ddof = n }) }

// reduceOp reduces axes to length 1.
type reduceOp struct {
	code string
	red  []bool // which axes
	ddof int
	r    reducer
}

func (o reduceOp) name() string { return o.code }

// configure collects options for an array of n's shape.
func configure(n *node, opts []ReduceOption) (c reduceConfig, red []bool, err error) {
	for _, o := range opts {
		if o != nil {
			o.applyReduce(&c)
		}
	}
	red = make([]bool, len(n.shape))
	for _, x := range c.axes {
		a, err := axisOf(x, len(n.shape))
		if err == nil && red[a] {
			err = shapeError("axis %d is given twice; name each once", x)
		}
		if err != nil {
			return c, nil, err
		}
		red[a] = true
	}
	if !c.some {
		for a := range red {
			red[a] = true
		}
	}
	return c, red, nil
}

// reduce makes a reduction. to is the kind of the result.
func reduce(call, code string, n *node, to kind, empty bool, opts []ReduceOption) *node {
	if n.err != nil {
		return &node{kind: to, err: n.err}
	}
	c, red, err := configure(n, opts)
	if err != nil {
		return fail(call, to, err)
	}
	r, ok := reducerOf(code, n.kind)
	if !ok {
		return fail(call, to, noReducer(call, n.kind))
	}
	shape := slices.Clone(n.shape)
	many := 1
	for a, gone := range red {
		if gone {
			many *= shape[a]
			shape[a] = 1
		}
	}
	if many == 0 && !empty && product(shape) > 0 {
		return fail(call, to, shapeError("the array of shape %s has no elements along the axes, and there is no %s of nothing", shapeText(n.shape), code))
	}
	if many == 0 {
		out := derive(to, shape, r.empty)
		return dropAxes(out, red, c.keep)
	}
	out := derive(to, shape, reduceOp{code: code, red: red, ddof: c.ddof, r: r}, n)
	return dropAxes(out, red, c.keep)
}

func dropAxes(n *node, red []bool, keep bool) *node {
	if keep {
		return n
	}
	return squeeze(n, red)
}

func noReducer(call string, k kind) error {
	switch {
	case call == "Var" || call == "Std" || call == "Mean":
		if k == c128 {
			return typeError("there is no %s of complex128; take that of RealPart and ImagPart", call)
		}
		return typeError("the %s of %s is a float64; write array.Cast[float64](a).%s(), which costs nothing more", call, k, call)
	case k == c128:
		return typeError("complex numbers have no order; use Modulus, RealPart or ImagPart")
	case k == boolean:
		return typeError("bools have no %s; use Any, All or array.CountNonzero", call)
	}
	return typeError("the %s of %s may not fit in it; write array.Cast[int64](a).%s(), which costs nothing more", call, k, call)
}

// Sum adds elements up, pairwise over a tree that depends on the shape alone: it
// has the same bits for any number of workers and any blocks. The sum of nothing
// is 0. int64 wraps. Smaller whole numbers and bools are to be cast first, as
// their sum may not fit.
func (a Array[T]) Sum(opts ...ReduceOption) Array[T] {
	return Array[T]{reduce("Sum", "sum", a.node(), kindOf[T](), true, opts)}
}

// Prod multiplies elements, as Sum adds them. The product of nothing is 1.
func (a Array[T]) Prod(opts ...ReduceOption) Array[T] {
	return Array[T]{reduce("Prod", "prod", a.node(), kindOf[T](), true, opts)}
}

// Min is the smallest element, NaN if there is one.
func (a Array[T]) Min(opts ...ReduceOption) Array[T] {
	return Array[T]{reduce("Min", "min", a.node(), kindOf[T](), false, opts)}
}

// Max is the largest element, NaN if there is one.
func (a Array[T]) Max(opts ...ReduceOption) Array[T] {
	return Array[T]{reduce("Max", "max", a.node(), kindOf[T](), false, opts)}
}

// Mean is the sum by the number of elements; NaN of nothing.
func (a Array[T]) Mean(opts ...ReduceOption) Array[T] {
	n := a.node()
	if n.err == nil && n.kind != f64 && n.kind != f32 && n.kind != c128 {
		return Array[T]{fail("Mean", n.kind, noReducer("Mean", n.kind))}
	}
	s := reduce("Mean", "sum", n, n.kind, true, opts)
	if s.err != nil {
		return Array[T]{s}
	}
	_, red, _ := configure(n, opts)
	return Array[T]{s}.Div(scalar(number[T](float64(reduced(n.shape, red)))))
}

// reduced is how many elements become one.
func reduced(shape []int, red []bool) int {
	many := 1
	for a, gone := range red {
		if gone {
			many *= shape[a]
		}
	}
	return many
}

// number is v as a T.
func number[T Elem](v float64) T {
	var t T
	switch p := any(&t).(type) {
	case *float64:
		*p = v
	case *float32:
		*p = float32(v)
	case *int64:
		*p = int64(v)
	case *int32:
		*p = int32(v)
	case *uint8:
		*p = uint8(v)
	case *bool:
		*p = v != 0
	case *complex128:
		*p = complex(v, 0)
	}
	return t
}

// Var is the mean of the squared distances from the mean, in one pass over the
// data: each cell of some 100,000 elements twice while it is in the cache. That
// of float32 is computed in float64. See DDof.
func (a Array[T]) Var(opts ...ReduceOption) Array[T] {
	n := a.node()
	if n.err == nil && n.kind == f32 {
		v := Array[float64]{reduce("Var", "var", Cast[float64](a).n, f64, true, opts)}
		return Cast[T](v)
	}
	return Array[T]{reduce("Var", "var", n, kindOf[T](), true, opts)}
}

// Std is the square root of Var.
func (a Array[T]) Std(opts ...ReduceOption) Array[T] {
	n := a.node()
	if n.err == nil && !n.kind.float() {
		return Array[T]{fail("Std", n.kind, noReducer("Std", n.kind))}
	}
	return op1[T, T]("Std", "sqrt", a.Var(opts...).n)
}

// ArgMin is the index of the first smallest element, or of the first NaN, among
// those that are reduced, counted in the order of C.
func (a Array[T]) ArgMin(opts ...ReduceOption) Array[int64] {
	return Array[int64]{reduce("ArgMin", "argmin", a.node(), i64, false, opts)}
}

// ArgMax is the index of the first largest element, or of the first NaN.
func (a Array[T]) ArgMax(opts ...ReduceOption) Array[int64] {
	return Array[int64]{reduce("ArgMax", "argmax", a.node(), i64, false, opts)}
}

// truth is where elements are not zero.
func truth[T Elem](a Array[T]) Array[bool] { return Cast[bool](a) }

// Any tells whether an element is true, or not zero.
func (a Array[T]) Any(opts ...ReduceOption) Array[bool] {
	return Array[bool]{reduce("Any", "any", truth(a).node(), boolean, true, opts)}
}

// All tells whether all elements are true, or not zero.
func (a Array[T]) All(opts ...ReduceOption) Array[bool] {
	return Array[bool]{reduce("All", "all", truth(a).node(), boolean, true, opts)}
}

// CountNonzero is how many elements are true, or not zero.
func CountNonzero[T Elem](a Array[T], opts ...ReduceOption) Array[int64] {
	return Cast[int64](truth(a)).Sum(opts...)
}

// PtP is the largest less the smallest element; np.ptp.
func (a Array[T]) PtP(opts ...ReduceOption) Array[T] { return a.Max(opts...).Sub(a.Min(opts...)) }

// Average is the mean by weights, which are broadcast to a; np.average.
func Average[T Float](a, weights Array[T], opts ...ReduceOption) Array[T] {
	ns, bad := broadcast("Average", kindOf[T](), a.node(), weights.node())
	if bad != nil {
		return Array[T]{bad}
	}
	w := Array[T]{ns[1]}
	return Array[T]{ns[0]}.Mul(w).Sum(opts...).Div(w.Sum(opts...))
}

// The nan forms leave NaN out.

// NaNSum is the sum of what is not NaN.
func NaNSum[T Float](a Array[T], opts ...ReduceOption) Array[T] {
	return Where(IsNaN(a), scalar(T(0)), a).Sum(opts...)
}

// NaNProd is the product of what is not NaN.
func NaNProd[T Float](a Array[T], opts ...ReduceOption) Array[T] {
	return Where(IsNaN(a), scalar(T(1)), a).Prod(opts...)
}

// NaNMin is the smallest of what is not NaN; NaN where nothing is.
func NaNMin[T Float](a Array[T], opts ...ReduceOption) Array[T] {
	m := Where(IsNaN(a), scalar(T(math.Inf(1))), a).Min(opts...)
	return Where(IsNaN(a).All(opts...), scalar(T(math.NaN())), m)
}

// NaNMax is the largest of what is not NaN; NaN where nothing is.
func NaNMax[T Float](a Array[T], opts ...ReduceOption) Array[T] {
	m := Where(IsNaN(a), scalar(T(math.Inf(-1))), a).Max(opts...)
	return Where(IsNaN(a).All(opts...), scalar(T(math.NaN())), m)
}

// NaNArgMin is the index of the smallest of what is not NaN; 0 where nothing is.
func NaNArgMin[T Float](a Array[T], opts ...ReduceOption) Array[int64] {
	return Where(IsNaN(a), scalar(T(math.Inf(1))), a).ArgMin(opts...)
}

// NaNArgMax is the index of the largest of what is not NaN; 0 where nothing is.
func NaNArgMax[T Float](a Array[T], opts ...ReduceOption) Array[int64] {
	return Where(IsNaN(a), scalar(T(math.Inf(-1))), a).ArgMax(opts...)
}

// NaNMean is the mean of what is not NaN.
func NaNMean[T Float](a Array[T], opts ...ReduceOption) Array[T] {
	return NaNSum(a, opts...).Div(Cast[T](CountNonzero(IsNaN(a).Not(), opts...)))
}

// NaNVar is the variance of what is not NaN. It takes two passes.
func NaNVar[T Float](a Array[T], opts ...ReduceOption) Array[T] {
	n := a.node()
	if n.err != nil {
		return a
	}
	c, _, err := configure(n, opts)
	if err != nil {
		return Array[T]{fail("NaNVar", n.kind, err)}
	}
	keep := append(slices.Clone(opts), KeepDims())
	gone := IsNaN(a)
	d := Where(gone, scalar(T(0)), a.Sub(NaNMean(a, keep...)))
	many := Cast[T](CountNonzero(gone.Not(), opts...)).SubS(T(c.ddof))
	v := d.Square().Sum(opts...).Div(many)
	return Where(many.LeS(0), scalar(T(math.NaN())), v)
}

// NaNStd is the square root of NaNVar.
func NaNStd[T Float](a Array[T], opts ...ReduceOption) Array[T] { return Sqrt(NaNVar(a, opts...)) }
