package array

import (
	"fmt"
	"slices"

	"github.com/weft-go/weft/graph"
)

// concatOp puts arrays one behind the other along an axis.
type concatOp struct {
	axis   int
	starts []int // where each begins
}

func (concatOp) name() string { return "concatenate" }

func (o concatOp) grid(p *planner, n *node) grid {
	g := p.auto(n.shape, n.kind.size(), false)
	size := 1 // of a block along the axis
	for i := 1; i < len(g[o.axis]); i++ {
		size = max(size, g[o.axis][i]-g[o.axis][i-1])
	}
	cuts := []int{0}
	for i, d := range n.in {
		l := d.shape[o.axis]
		if l == 0 {
			continue
		}
		for _, c := range evenly(l, size)[1:] {
			cuts = append(cuts, o.starts[i]+c)
		}
	}
	g[o.axis] = cuts
	return g
}

func (o concatOp) block(p *planner, n *node, b box) graph.Value[block] {
	i := len(o.starts) - 1
	for o.starts[i] > b.lo[o.axis] || n.in[i].shape[o.axis] == 0 {
		i--
	}
	lo := slices.Clone(b.lo)
	lo[o.axis] -= o.starts[i]
	return p.value(n.in[i], box{lo, b.n})
}

// Concatenate puts arrays one behind the other along an axis, as
// np.concatenate. Their other axes must have the same lengths.
func Concatenate[T Elem](axis int, as ...Array[T]) Array[T] {
	return Array[T]{concatenate("Concatenate", kindOf[T](), axis, nodes(as))}
}

func nodes[T Elem](as []Array[T]) []*node {
	ns := make([]*node, len(as))
	for i, a := range as {
		ns[i] = a.node()
	}
	return ns
}

func concatenate(call string, k kind, axis int, ns []*node) *node {
	if err := firstError(ns...); err != nil {
		return &node{kind: k, err: err}
	}
	if len(ns) == 0 {
		return fail(call, k, shapeError("there is no array; give at least one"))
	}
	x, err := axisOf(axis, len(ns[0].shape))
	if err != nil {
		return fail(call, k, err)
	}
	shape := slices.Clone(ns[0].shape)
	shape[x] = 0
	o := concatOp{axis: x}
	for i, n := range ns {
		fits := len(n.shape) == len(shape)
		for a := 0; fits && a < len(shape); a++ {
			fits = a == x || n.shape[a] == shape[a]
		}
		if !fits {
			return fail(call, k, shapeError("array 0 has the shape %s and array %d has %s; all axes but %d must have the same lengths", shapeText(ns[0].shape), i, shapeText(n.shape), x))
		}
		o.starts = append(o.starts, shape[x])
		shape[x] += n.shape[x]
	}
	if len(ns) == 1 {
		return ns[0]
	}
	return derive(k, shape, o, ns...)
}

// Stack puts arrays of one shape beside each other along a new axis, as
// np.stack.
func Stack[T Elem](axis int, as ...Array[T]) Array[T] {
	k := kindOf[T]()
	ns := nodes(as)
	if err := firstError(ns...); err != nil {
		return Array[T]{&node{kind: k, err: err}}
	}
	if len(ns) == 0 {
		return Array[T]{fail("Stack", k, shapeError("there is no array; give at least one"))}
	}
	x, err := axisOf(axis, len(ns[0].shape)+1)
	if err != nil {
		return Array[T]{fail("Stack", k, err)}
	}
	for i, n := range ns {
		if !slices.Equal(n.shape, ns[0].shape) {
			return Array[T]{fail("Stack", k, shapeError("array 0 has the shape %s and array %d has %s; all must have the same", shapeText(ns[0].shape), i, shapeText(n.shape)))}
		}
	}
	for i, n := range ns {
		ns[i] = expand(n, x)
	}
	return Array[T]{concatenate("Stack", k, x, ns)}
}

// Roll moves elements by shift along an axis; those that leave at one end come
// in at the other, as np.roll.
func (a Array[T]) Roll(axis, shift int) Array[T] {
	n := a.node()
	if n.err != nil {
		return a
	}
	x, err := axisOf(axis, len(n.shape))
	if err != nil {
		return Array[T]{fail("Roll", n.kind, err)}
	}
	l := n.shape[x]
	if l == 0 {
		return a
	}
	k := ((shift % l) + l) % l
	if k == 0 {
		return a
	}
	return Concatenate(x, a.Slice(x, l-k, l), a.Slice(x, 0, l-k))
}

// Border is what is beyond the border of an array.
type Border struct {
	how   string
	value float64
}

var (
	// Edge repeats the outermost element: aaa|abcd|ddd.
	Edge = Border{how: "edge"}
	// Reflect mirrors without repeating the outermost: dcb|abcd|cba.
	Reflect = Border{how: "reflect"}
	// Symmetric mirrors and repeats the outermost: cba|abcd|dcb.
	Symmetric = Border{how: "symmetric"}
	// Wrap goes on at the other end: bcd|abcd|abc.
	Wrap = Border{how: "wrap"}
)

// Constant is one value, given as a float64 and converted.
func Constant(v float64) Border { return Border{"constant", v} }

// Pad adds before and after elements along an axis, as np.pad.
func (a Array[T]) Pad(axis, before, after int, with Border) Array[T] {
	n := a.node()
	if n.err != nil {
		return a
	}
	x, err := axisOf(axis, len(n.shape))
	if err == nil && (before < 0 || after < 0) {
		err = shapeError("%d before and %d after are to be added; neither can be negative: use Slice to take away", before, after)
	}
	if err != nil {
		return Array[T]{fail("Pad", n.kind, err)}
	}
	if before == 0 && after == 0 {
		return a
	}
	l := n.shape[x]
	if l == 0 && with.how != "constant" {
		return Array[T]{fail("Pad", n.kind, shapeError("axis %d of the shape %s is empty, so there is nothing to pad with; use Constant", x, shapeText(n.shape)))}
	}
	side := func(k int, front bool) []Array[T] {
		if k == 0 {
			return nil
		}
		shape := slices.Clone(n.shape)
		shape[x] = k
		switch with.how {
		case "constant":
			return []Array[T]{Full(number[T](with.value), shape...)}
		case "edge":
			if front {
				return []Array[T]{a.Slice(x, 0, 1).BroadcastTo(shape...)}
			}
			return []Array[T]{a.Slice(x, l-1, l).BroadcastTo(shape...)}
		}
		return a.beyond(x, k, front, with.how)
	}
	parts := append(side(before, true), a)
	parts = append(parts, side(after, false)...)
	return Array[T]{concatenate("Pad", n.kind, x, nodes(parts))}
}

// beyond is k elements before or behind a, by repeating and mirroring it.
func (a Array[T]) beyond(x, k int, front bool, how string) (parts []Array[T]) {
	l := a.node().shape[x]
	// place is which element is at i, which may be outside.
	period, mirror := l, false
	switch {
	case how == "reflect" && l > 1:
		period, mirror = 2*l-2, true
	case how == "symmetric":
		period, mirror = 2*l, true
	}
	place := func(i int) int {
		i = ((i % period) + period) % period
		if mirror && i >= l {
			if how == "reflect" {
				return period - i
			}
			return period - 1 - i
		}
		return i
	}
	lo := l
	if front {
		lo = -k
	}
	for i := 0; i < k; { // runs of neighbours
		from := place(lo + i)
		step, n := 0, 1
		for i+n < k {
			d := place(lo+i+n) - place(lo+i+n-1)
			if d != 1 && d != -1 || step != 0 && d != step {
				break
			}
			step = d
			n++
		}
		switch {
		case step >= 0:
			parts = append(parts, a.Slice(x, from, from+n))
		default:
			s := a.Slice(x, from-n+1, from+1)
			parts = append(parts, s.Flip(x))
		}
		i += n
	}
	return parts
}

// Rechunk says how long blocks are along each axis, -1 for all of it: for those
// who know better, for MapBlocks, and for files. What is computed from a stays
// the same.
func (a Array[T]) Rechunk(sizes ...int) Array[T] {
	n := a.node()
	if n.err != nil {
		return a
	}
	if len(sizes) != len(n.shape) {
		return Array[T]{fail("Rechunk", n.kind, shapeError("%d lengths of blocks are given, and the array of shape %s has %d axes; give one for each, -1 for all of it", len(sizes), shapeText(n.shape), len(n.shape)))}
	}
	sizes = slices.Clone(sizes)
	for i, s := range sizes {
		switch {
		case s == -1:
			sizes[i] = max(1, n.shape[i])
		case s < 1:
			return Array[T]{fail("Rechunk", n.kind, shapeError("the length %d of blocks along axis %d is not above 0", s, i))}
		}
	}
	return Array[T]{derive(n.kind, n.shape, rechunkOp{sizes}, n)}
}

type rechunkOp struct{ sizes []int }

func (rechunkOp) name() string { return "rechunk" }
func (o rechunkOp) grid(_ *planner, n *node) grid {
	g := make(grid, len(n.shape))
	for i, s := range o.sizes {
		g[i] = evenly(n.shape[i], s)
	}
	return g
}
func (rechunkOp) block(p *planner, n *node, b box) graph.Value[block] { return p.value(n.in[0], b) }

// Tile repeats a so many times along each axis, as np.tile with one number for
// each.
func (a Array[T]) Tile(times ...int) Array[T] {
	n := a.node()
	if n.err != nil {
		return a
	}
	if len(times) != len(n.shape) {
		return Array[T]{fail("Tile", n.kind, shapeError("%d numbers are given, and the array of shape %s has %d axes; give one for each", len(times), shapeText(n.shape), len(n.shape)))}
	}
	out := a
	for x, t := range times {
		if t < 0 {
			return Array[T]{fail("Tile", n.kind, fmt.Errorf("%d times along axis %d; it can't be negative", t, x))}
		}
		shape := slices.Insert(out.Shape(), x, t)
		merged := out.Shape()
		merged[x] *= t
		out = out.ExpandDims(x).BroadcastTo(shape...).Reshape(merged...)
	}
	return out
}
