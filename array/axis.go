package array

import (
	"context"
	"fmt"
	"math"
	"slices"
	"unsafe"

	"github.com/weft-go/weft/graph"
	"github.com/weft-go/weft/internal/vector"
)

// lineOp applies a function to all lines along an axis.
type lineOp struct {
	what string
	axis int
	f    func(out, in unsafe.Pointer) error // one line to another
	from kind
}

func (o lineOp) name() string { return o.what }

// grid leaves the axis in one piece.
func (o lineOp) grid(p *planner, n *node) grid {
	line := max(1, max(n.shape[o.axis], n.in[0].shape[o.axis]))
	shape := slices.Clone(n.shape)
	shape[o.axis] = 1
	g := p.auto(shape, line*max(n.kind.size(), o.from.size()), false)
	g[o.axis] = []int{0, n.shape[o.axis]}
	return g
}

func (o lineOp) block(p *planner, n *node, b box) graph.Value[block] {
	in := n.in[0]
	ib := box{b.lo, slices.Clone(b.n)}
	ib.n[o.axis] = in.shape[o.axis]
	long, short := ib.n[o.axis], b.n[o.axis]
	rest := slices.Clone(b.n)
	rest[o.axis] = 1
	si, so := strides(ib.n), strides(b.n)
	ki, ko := o.from.size(), n.kind.size()
	return p.task(o.what, b.len()*ko+ib.len()*ki, []graph.Value[block]{p.value(in, ib)}, func(ctx context.Context, bs []block) (block, error) {
		d := newBlock(n.kind, b.len())
		src, dst := newBlock(o.from, long), newBlock(n.kind, short)
		var failed error
		each(rest, func(k int, index []int) {
			if failed != nil || k%64 == 63 && ctx.Err() != nil {
				return
			}
			i, j := 0, 0
			for a, x := range index {
				i, j = i+x*si[a], j+x*so[a]
			}
			copyRun(pointer(src), 1, at(pointer(bs[0]), i, ki), si[o.axis], long, ki)
			if err := o.f(pointer(dst), pointer(src)); err != nil {
				failed = fmt.Errorf("the line at %s: %w", shapeText(index), err)
				return
			}
			copyRun(at(pointer(d), j, ko), so[o.axis], pointer(dst), 1, short, ko)
		})
		if failed == nil && ctx.Err() != nil {
			failed = context.Cause(ctx)
		}
		return d, failed
	})
}

// lines makes an array of what f makes of each line of a along an axis, which
// then has length m.
func lines[T, R Elem](call, what string, a Array[T], axis, m int, f func(dst []R, src []T) error) Array[R] {
	n, k := a.node(), kindOf[R]()
	if n.err != nil {
		return Array[R]{&node{kind: k, err: n.err}}
	}
	x, err := axisOf(axis, len(n.shape))
	if err != nil {
		return Array[R]{fail(call, k, err)}
	}
	if m < 0 {
		m = n.shape[x]
	}
	shape := slices.Clone(n.shape)
	shape[x] = m
	long := n.shape[x]
	return Array[R]{derive(k, shape, lineOp{what, x, func(out, in unsafe.Pointer) error {
		return f(list[R](out, m), list[T](in, long))
	}, n.kind}, n)}
}

// Apply makes an array of what f makes of each line of a along an axis, as
// np.apply_along_axis and numba's guvectorize: f fills dst, which has length
// elements, from src, which it must not keep. Lines are whole, so that one must
// fit into memory. f is called from several goroutines.
func Apply[T, R Elem](a Array[T], axis, length int, f func(dst []R, src []T) error) Array[R] {
	k := kindOf[R]()
	switch {
	case f == nil:
		return Array[R]{fail("Apply", k, fmt.Errorf("the function is nil; give one of a line"))}
	case length < 0:
		return Array[R]{fail("Apply", k, shapeError("the length %d is negative; say how many elements f makes of a line", length))}
	}
	return lines("Apply", "Apply", a, axis, length, f)
}

// CumSum is the sum of the elements so far along an axis. A line must fit into
// memory.
func CumSum[T Number](a Array[T], axis int) Array[T] {
	return lines("CumSum", "cumsum", a, axis, -1, func(dst, src []T) error {
		vector.CumSum(dst, src, 0)
		return nil
	})
}

// CumProd is the product of the elements so far along an axis. A line must fit
// into memory.
func CumProd[T Number](a Array[T], axis int) Array[T] {
	return lines("CumProd", "cumprod", a, axis, -1, func(dst, src []T) error {
		vector.CumProd(dst, src, 1)
		return nil
	})
}

// lessNaN orders numbers with NaN last, as NumPy does.
func lessNaN[T Real](a, b T) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	case a == b:
		return 0
	case a != a && b != b: //nolint:staticcheck // NaN
		return 0
	case a != a: //nolint:staticcheck // NaN
		return 1
	}
	return -1
}

// Sort sorts each line along an axis, NaN last, as np.sort. A line must fit into
// memory.
func Sort[T Real](a Array[T], axis int) Array[T] {
	return lines("Sort", "sort", a, axis, -1, func(dst, src []T) error {
		copy(dst, src)
		slices.SortFunc(dst, lessNaN[T])
		return nil
	})
}

// ArgSort has the indexes that sort each line along an axis; equal elements stay
// in their order.
func ArgSort[T Real](a Array[T], axis int) Array[int64] {
	return lines("ArgSort", "argsort", a, axis, -1, func(dst []int64, src []T) error {
		for i := range dst {
			dst[i] = int64(i)
		}
		slices.SortStableFunc(dst, func(i, j int64) int { return lessNaN(src[i], src[j]) })
		return nil
	})
}

// TopK has the k largest of each line along an axis, the largest first; NaN
// counts as largest. k must not be above the length.
func TopK[T Real](a Array[T], k, axis int) Array[T] {
	n := a.node()
	if n.err != nil {
		return a
	}
	x, err := axisOf(axis, len(n.shape))
	if err == nil && (k < 0 || k > n.shape[x]) {
		err = shapeError("the largest %d of %d elements along axis %d; ask for no more than there are", k, n.shape[x], axis)
	}
	if err != nil {
		return Array[T]{fail("TopK", n.kind, err)}
	}
	return lines("TopK", "topk", a, axis, k, func(dst, src []T) error {
		slices.SortFunc(src, func(x, y T) int { return lessNaN(y, x) })
		copy(dst, src)
		return nil
	})
}

// Quantile is the q-quantile of each line along an axis, which goes away: exact,
// with linear interpolation, as np.quantile. NaN in a line gives NaN. A line must
// fit into memory.
func Quantile[T Float](a Array[T], q float64, axis int) Array[T] {
	n := a.node()
	if n.err != nil {
		return a
	}
	x, err := axisOf(axis, len(n.shape))
	switch {
	case err != nil:
	case !(q >= 0 && q <= 1):
		err = fmt.Errorf("the quantile %v is not between 0 and 1", q)
	case n.shape[x] == 0:
		err = shapeError("axis %d is empty, and there is no quantile of nothing", axis)
	}
	if err != nil {
		return Array[T]{fail("Quantile", n.kind, err)}
	}
	return lines("Quantile", "quantile", a, axis, 1, func(dst, src []T) error {
		slices.SortFunc(src, lessNaN[T])
		last := len(src) - 1
		if v := src[last]; v != v { //nolint:staticcheck // NaN
			dst[0] = v
			return nil
		}
		at := q * float64(last)
		i := int(math.Floor(at))
		lo, hi := float64(src[i]), float64(src[min(i+1, last)])
		t := at - float64(i)
		switch {
		case t == 0 || lo == hi: //nolint:staticcheck // infinities
			dst[0] = T(lo)
		case t < 0.5:
			dst[0] = T(lo + (hi-lo)*t)
		default:
			dst[0] = T(hi - (hi-lo)*(1-t))
		}
		return nil
	}).Squeeze(x)
}

// Median is the quantile 1/2 of each line along an axis.
func Median[T Float](a Array[T], axis int) Array[T] { return Quantile(a, 0.5, axis) }
