package array

import (
	"context"
	"slices"

	"github.com/weft-go/weft/graph"
)

// Reshape gives the elements, in the order of C, another shape. One length may
// be -1: what is left. Of arrays in memory and made by formula nothing is
// copied.
func (a Array[T]) Reshape(shape ...int) Array[T] {
	n := a.node()
	if n.err != nil {
		return a
	}
	return Array[T]{reshape("Reshape", n, shape)}
}

// Ravel gives the elements one axis.
func (a Array[T]) Ravel() Array[T] {
	n := a.node()
	if n.err != nil {
		return a
	}
	return Array[T]{reshape("Ravel", n, []int{product(n.shape)})}
}

func reshape(call string, n *node, want []int) *node {
	if n.err != nil {
		return n
	}
	shape := slices.Clone(want)
	total, open, rest := product(n.shape), -1, 1
	for i, l := range shape {
		switch {
		case l == -1 && open >= 0:
			return fail(call, n.kind, shapeError("the shape %s has -1 twice; one length can be left open", shapeText(want)))
		case l == -1:
			open = i
		case l < 0:
			return fail(call, n.kind, shapeError("axis %d of the shape %s is negative", i, shapeText(want)))
		default:
			rest *= l
		}
	}
	if open >= 0 && rest > 0 {
		shape[open] = total / rest
	}
	if checkShape(shape) != nil || product(shape) != total {
		return fail(call, n.kind, shapeError("an array of shape %s has %d elements, which do not fit the shape %s", shapeText(n.shape), total, shapeText(want)))
	}
	if slices.Equal(shape, n.shape) {
		return n
	}
	switch o := n.op.(type) {
	case denseOp, source:
		return derive(n.kind, shape, o) // by flat index
	case reshapeOp:
		return derive(n.kind, shape, o, n.in[0])
	}
	if m, ok := onesOnly(n.shape, shape); ok {
		return view(call, n, shape, m)
	}
	return derive(n.kind, shape, reshapeOp{}, n)
}

// onesOnly tells whether two shapes differ in axes of length 1 only, and how the
// axes of the first are found in the second.
func onesOnly(from, to []int) (amap, bool) {
	m := make(amap, len(from))
	k := 0
	for i, l := range from {
		if l == 1 {
			m[i] = axisMap{-1, 0, 0}
			continue
		}
		for k < len(to) && to[k] == 1 {
			k++
		}
		if k == len(to) || to[k] != l {
			return nil, false
		}
		m[i] = axisMap{k, 0, 1}
		k++
	}
	for ; k < len(to); k++ {
		if to[k] != 1 {
			return nil, false
		}
	}
	return m, true
}

// reshapeOp has the elements of its input in the same order.
type reshapeOp struct{}

func (reshapeOp) name() string { return "reshape" }

// grid cuts into blocks whose elements follow each other.
func (reshapeOp) grid(p *planner, n *node) grid { return p.auto(n.shape, n.kind.size(), false) }

func (reshapeOp) block(p *planner, n *node, b box) graph.Value[block] {
	first := 0
	for i, s := range strides(n.shape) {
		first += b.lo[i] * s
	}
	in := n.in[0]
	boxes := flatBoxes(in.shape, first, first+b.len())
	if len(boxes) == 1 {
		return p.value(in, boxes[0])
	}
	vs := make([]graph.Value[block], len(boxes))
	lens := make([]int, len(boxes))
	for i, bb := range boxes {
		vs[i], lens[i] = p.value(in, bb), bb.len()
	}
	k, total := n.kind, b.len()
	return p.task("reshape", total*k.size(), vs, func(_ context.Context, bs []block) (block, error) {
		d := newBlock(k, total)
		done := 0
		for i, s := range bs {
			copyRun(at(pointer(d), done, k.size()), 1, pointer(s), 1, lens[i], k.size())
			done += lens[i]
		}
		return d, nil
	})
}

// flatBoxes are boxes that have the elements lo to hi of a shape, in the order
// of C, one after the other.
func flatBoxes(shape []int, lo, hi int) (out []box) {
	dims := len(shape)
	if lo >= hi {
		return nil
	}
	if dims == 0 {
		return []box{{}}
	}
	st := strides(shape)
	var cut func(axis int, prefix []int, lo, hi int)
	add := func(prefix []int, axis, from, n int) {
		b := box{make([]int, dims), slices.Clone(shape)}
		for i, p := range prefix {
			b.lo[i], b.n[i] = p, 1
		}
		b.lo[axis], b.n[axis] = from, n
		out = append(out, b)
	}
	cut = func(axis int, prefix []int, lo, hi int) {
		s := st[axis]
		first, last := lo/s, hi/s // last may be cut
		if lo%s != 0 {
			end := min(hi, (first+1)*s)
			cut(axis+1, append(slices.Clone(prefix), first), lo-first*s, end-first*s)
			if first++; end == hi {
				return
			}
		}
		if last > first {
			add(prefix, axis, first, last-first)
		}
		if hi%s != 0 && last >= first {
			cut(axis+1, append(slices.Clone(prefix), last), 0, hi-last*s)
		}
	}
	cut(0, nil, lo, hi)
	return out
}
