package array

import (
	"slices"
	"strings"
)

// Outer is the product of each element of a with each of b, of arrays with one
// axis; np.outer.
func Outer[T Number](a, b Array[T]) Array[T] {
	x, y := a.Ravel(), b.Ravel()
	if x.Err() != nil {
		return x
	}
	return x.ExpandDims(1).Mul(y)
}

// TensorDot is the sum of products over the given axes of a and of b, as
// np.tensordot. The result has the other axes of a, then those of b.
func TensorDot[T Number](a, b Array[T], axesA, axesB []int) Array[T] {
	x, y := a.node(), b.node()
	k := kindOf[T]()
	if err := firstError(x, y); err != nil {
		return Array[T]{&node{kind: k, err: err}}
	}
	if len(axesA) != len(axesB) {
		return Array[T]{fail("TensorDot", k, shapeError("%d axes of the first array and %d of the second are given; they go in pairs", len(axesA), len(axesB)))}
	}
	var sa, sb []int
	for i := range axesA {
		p, err := axisOf(axesA[i], len(x.shape))
		q, err2 := axisOf(axesB[i], len(y.shape))
		if err == nil {
			err = err2
		}
		if err == nil && x.shape[p] != y.shape[q] {
			err = shapeError("axis %d of the shape %s and axis %d of %s are summed over; they must have the same length", p, shapeText(x.shape), q, shapeText(y.shape))
		}
		if err == nil && (slices.Contains(sa, p) || slices.Contains(sb, q)) {
			err = shapeError("an axis is given twice; name each once")
		}
		if err != nil {
			return Array[T]{fail("TensorDot", k, err)}
		}
		sa, sb = append(sa, p), append(sb, q)
	}
	rest := func(n *node, summed []int) (axes, shape []int) {
		for i, l := range n.shape {
			if !slices.Contains(summed, i) {
				axes, shape = append(axes, i), append(shape, l)
			}
		}
		return axes, shape
	}
	ra, shapeA := rest(x, sa)
	rb, shapeB := rest(y, sb)
	inner := 1
	for _, i := range sa {
		inner *= x.shape[i]
	}
	turn := func(n *node, axes []int, shape ...int) Array[T] {
		t := n
		if len(axes) > 0 {
			t = transpose("TensorDot", n, axes)
		}
		return Array[T]{reshape("TensorDot", t, shape)}
	}
	left := turn(x, append(slices.Clone(ra), sa...), product(shapeA), inner)
	right := turn(y, append(slices.Clone(sb), rb...), inner, product(shapeB))
	return Array[T]{reshape("TensorDot", matmul("TensorDot", left.n, right.n), append(shapeA, shapeB...))}
}

// Einsum is a sum of products of two arrays after Einstein: "ij,jk->ik" is the
// matrix product. Letters that are not in the result are summed over. An array
// may not have a letter twice.
func Einsum[T Number](spec string, a, b Array[T]) Array[T] {
	x, y := a.node(), b.node()
	k := kindOf[T]()
	if err := firstError(x, y); err != nil {
		return Array[T]{&node{kind: k, err: err}}
	}
	bad := func(format string, args ...any) Array[T] {
		return Array[T]{fail("Einsum", k, shapeError(format, args...))}
	}
	in, out, ok := strings.Cut(strings.ReplaceAll(spec, " ", ""), "->")
	p, q, ok2 := strings.Cut(in, ",")
	if !ok || !ok2 {
		return bad(`%q is not of the form "ij,jk->ik"`, spec)
	}
	length := map[byte]int{}
	for _, s := range []struct {
		text  string
		shape []int
	}{{p, x.shape}, {q, y.shape}} {
		if len(s.text) != len(s.shape) {
			return bad("%q in %q is for %d axes, and the array of shape %s has %d", s.text, spec, len(s.text), shapeText(s.shape), len(s.shape))
		}
		for i := range len(s.text) {
			c := s.text[i]
			if strings.Count(s.text, s.text[i:i+1]) > 1 {
				return bad("%q has %q twice for one array; take the diagonal first", spec, c)
			}
			if l, ok := length[c]; ok && l != s.shape[i] {
				return bad("%q in %q is %d long in the first array and %d in the second", c, spec, l, s.shape[i])
			}
			length[c] = s.shape[i]
		}
	}
	var batch, left, right, summed []byte
	for c := range length {
		switch inP, inQ, inOut := strings.IndexByte(p, c) >= 0, strings.IndexByte(q, c) >= 0, strings.IndexByte(out, c) >= 0; {
		case inP && inQ && inOut:
			batch = append(batch, c)
		case inP && inQ:
			summed = append(summed, c)
		case inP:
			left = append(left, c)
		default:
			right = append(right, c)
		}
	}
	for _, l := range [][]byte{batch, left, right, summed} {
		slices.Sort(l)
	}
	for i := range len(out) {
		if _, ok := length[out[i]]; !ok || strings.Count(out, out[i:i+1]) > 1 {
			return bad("%q in the result of %q must be an axis of one of the arrays, once", out[i], spec)
		}
	}
	total := func(cs []byte) int {
		n := 1
		for _, c := range cs {
			n *= length[c]
		}
		return n
	}
	turn := func(n *node, text string, cs []byte, shape ...int) *node {
		axes := make([]int, len(cs))
		for i, c := range cs {
			axes[i] = strings.IndexByte(text, c)
		}
		if len(axes) > 0 {
			n = transpose("Einsum", n, axes)
		}
		return reshape("Einsum", n, shape)
	}
	l := turn(x, p, slices.Concat(batch, left, summed), total(batch), total(left), total(summed))
	r := turn(y, q, slices.Concat(batch, summed, right), total(batch), total(summed), total(right))
	have := slices.Concat(batch, left, right)
	shape := make([]int, len(have))
	for i, c := range have {
		shape[i] = length[c]
	}
	res := Array[T]{reshape("Einsum", matmul("Einsum", l, r), shape)}
	var gone []int // axes of one array that are not in the result
	for i, c := range have {
		if strings.IndexByte(out, c) < 0 {
			gone = append(gone, i)
		}
	}
	if len(gone) > 0 {
		res = res.Sum(Axis(gone...))
		have = slices.DeleteFunc(have, func(c byte) bool { return strings.IndexByte(out, c) < 0 })
	}
	if len(out) == 0 {
		return res
	}
	axes := make([]int, len(out))
	for i := range len(out) {
		axes[i] = slices.Index(have, out[i])
	}
	return res.Transpose(axes...)
}
