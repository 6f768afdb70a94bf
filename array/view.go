package array

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// axisMap says where an index along an axis of an input comes from: start +
// step * the index along axis of the output; just start if axis is -1.
type axisMap struct{ axis, start, step int }

// amap maps the indexes of one array to those of another, axis by axis.
type amap []axisMap

// identity is the map of an array to itself.
func identity(dims int) amap {
	m := make(amap, dims)
	for i := range m {
		m[i] = axisMap{i, 0, 1}
	}
	return m
}

// then is the map that first applies m, and to what that gives in.
func (m amap) then(in amap) amap {
	out := make(amap, len(in))
	for i, a := range in {
		if a.axis < 0 {
			out[i] = a
			continue
		}
		b := m[a.axis]
		out[i] = axisMap{b.axis, a.start + a.step*b.start, a.step * b.step}
		if b.axis < 0 {
			out[i].step = 0
		}
	}
	return out
}

// viewOp has the elements of its input elsewhere: a slice, a transpose, a
// broadcast. It has one axisMap for each axis of the input.
type viewOp struct {
	m    amap
	call string
}

func (v viewOp) name() string { return v.call }

func view(call string, n *node, shape []int, m amap) *node {
	return derive(n.kind, shape, viewOp{m, call}, n)
}

// broadcastShape is the shape that arrays of the given shapes have together, by
// NumPy's rules.
func broadcastShape(shapes ...[]int) ([]int, bool) {
	dims := 0
	for _, s := range shapes {
		dims = max(dims, len(s))
	}
	out := make([]int, dims)
	for i := range out {
		out[i] = 1
		for _, s := range shapes {
			k := i - dims + len(s)
			if k < 0 || s[k] == 1 || s[k] == out[i] {
				continue
			}
			if out[i] != 1 {
				return nil, false
			}
			out[i] = s[k]
		}
	}
	return out, true
}

// broadcastTo gives n a shape that it fits in.
func broadcastTo(n *node, shape []int) *node {
	if n.err != nil || slices.Equal(n.shape, shape) {
		return n
	}
	m := make(amap, len(n.shape))
	for i := range m {
		o := i + len(shape) - len(n.shape)
		m[i] = axisMap{o, 0, 1}
		if n.shape[i] == 1 {
			m[i] = axisMap{-1, 0, 0}
		}
	}
	return view("broadcast_to", n, shape, m)
}

// broadcast gives all nodes one shape.
func broadcast(call string, k kind, ns ...*node) ([]*node, *node) {
	if err := firstError(ns...); err != nil {
		return nil, &node{kind: k, err: err}
	}
	shapes := make([][]int, len(ns))
	same := true
	for i, n := range ns {
		shapes[i] = n.shape
		same = same && slices.Equal(n.shape, ns[0].shape)
	}
	if same {
		return ns, nil
	}
	shape, ok := broadcastShape(shapes...)
	if !ok {
		return nil, fail(call, k, misfit(shapes))
	}
	out := make([]*node, len(ns))
	for i, n := range ns {
		out[i] = broadcastTo(n, shape)
	}
	return out, nil
}

func misfit(shapes [][]int) error {
	texts := make([]string, len(shapes))
	for i, s := range shapes {
		texts[i] = shapeText(s)
	}
	return shapeError("the shapes %s do not broadcast: from the last axis back, lengths must be the same or 1; Reshape, ExpandDims or Transpose one of them", strings.Join(texts, " and "))
}

// BroadcastTo repeats a along new axes in front and along axes of length 1, as
// np.broadcast_to. Nothing is copied.
func (a Array[T]) BroadcastTo(shape ...int) Array[T] {
	n := a.node()
	if n.err != nil {
		return a
	}
	if err := checkShape(shape); err != nil {
		return Array[T]{fail("BroadcastTo", n.kind, err)}
	}
	if s, ok := broadcastShape(n.shape, shape); !ok || !slices.Equal(s, shape) {
		return Array[T]{fail("BroadcastTo", n.kind, shapeError("an array of shape %s does not broadcast to %s", shapeText(n.shape), shapeText(shape)))}
	}
	return Array[T]{broadcastTo(n, slices.Clone(shape))}
}

// Transpose puts the axes into another order, as np.transpose; without
// arguments it turns their order around. Nothing is copied.
func (a Array[T]) Transpose(axes ...int) Array[T] {
	n := a.node()
	if n.err != nil {
		return a
	}
	return Array[T]{transpose("Transpose", n, axes)}
}

func transpose(call string, n *node, axes []int) *node {
	dims := len(n.shape)
	if len(axes) == 0 {
		for i := range dims {
			axes = append(axes, dims-1-i)
		}
	}
	if len(axes) != dims {
		return fail(call, n.kind, shapeError("%d axes are given, and the array of shape %s has %d; name each once", len(axes), shapeText(n.shape), dims))
	}
	m, shape := make(amap, dims), make([]int, dims)
	seen := make([]bool, dims)
	for o, x := range axes {
		i, err := axisOf(x, dims)
		if err == nil && seen[i] {
			err = shapeError("axis %d is given twice; name each once", x)
		}
		if err != nil {
			return fail(call, n.kind, err)
		}
		seen[i] = true
		m[i], shape[o] = axisMap{o, 0, 1}, n.shape[i]
	}
	return view("transpose", n, shape, m)
}

// SwapAxes exchanges two axes, as np.swapaxes.
func (a Array[T]) SwapAxes(i, j int) Array[T] {
	n := a.node()
	if n.err != nil {
		return a
	}
	order := make([]int, len(n.shape))
	for k := range order {
		order[k] = k
	}
	i, err := axisOf(i, len(n.shape))
	if err == nil {
		j, err = axisOf(j, len(n.shape))
	}
	if err != nil {
		return Array[T]{fail("SwapAxes", n.kind, err)}
	}
	order[i], order[j] = order[j], order[i]
	return Array[T]{transpose("SwapAxes", n, order)}
}

// ExpandDims puts an axis of length 1 before the given axis of the result, as
// np.expand_dims.
func (a Array[T]) ExpandDims(axis int) Array[T] {
	n := a.node()
	if n.err != nil {
		return a
	}
	x, err := axisOf(axis, len(n.shape)+1)
	if err != nil {
		return Array[T]{fail("ExpandDims", n.kind, err)}
	}
	return Array[T]{expand(n, x)}
}

// expand puts an axis of length 1 before axis x.
func expand(n *node, x int) *node {
	m := identity(len(n.shape))
	for i := x; i < len(m); i++ {
		m[i].axis++
	}
	return view("expand_dims", n, slices.Insert(slices.Clone(n.shape), x, 1), m)
}

// Squeeze takes away the given axes, whose length is 1; without arguments all
// such, as np.squeeze.
func (a Array[T]) Squeeze(axes ...int) Array[T] {
	n := a.node()
	if n.err != nil {
		return a
	}
	gone := make([]bool, len(n.shape))
	for i, l := range n.shape {
		gone[i] = len(axes) == 0 && l == 1
	}
	for _, x := range axes {
		i, err := axisOf(x, len(n.shape))
		if err == nil && n.shape[i] != 1 {
			err = shapeError("axis %d of the shape %s has length %d; only axes of length 1 can go", x, shapeText(n.shape), n.shape[i])
		}
		if err != nil {
			return Array[T]{fail("Squeeze", n.kind, err)}
		}
		gone[i] = true
	}
	return Array[T]{squeeze(n, gone)}
}

func squeeze(n *node, gone []bool) *node {
	var shape []int
	m := make(amap, len(n.shape))
	for i, l := range n.shape {
		m[i] = axisMap{-1, 0, 0}
		if !gone[i] {
			m[i] = axisMap{len(shape), 0, 1}
			shape = append(shape, l)
		}
	}
	return view("squeeze", n, shape, m)
}

// Flip turns the given axes around, as np.flip; without arguments all.
func (a Array[T]) Flip(axes ...int) Array[T] {
	n := a.node()
	if n.err != nil {
		return a
	}
	m := identity(len(n.shape))
	for i := range m {
		if len(axes) == 0 {
			m[i] = axisMap{i, max(0, n.shape[i]-1), -1}
		}
	}
	for _, x := range axes {
		i, err := axisOf(x, len(n.shape))
		if err != nil {
			return Array[T]{fail("Flip", n.kind, err)}
		}
		m[i] = axisMap{i, max(0, n.shape[i]-1), -1}
	}
	return Array[T]{view("flip", n, n.shape, m)}
}

// Slice has the elements from lo to before hi along an axis. Negative bounds
// count from the end, and what lies outside is cut, as in Python.
func (a Array[T]) Slice(axis, lo, hi int) Array[T] { return a.cut("Slice", axis, lo, hi, 1) }

// SliceStep has each step-th element from lo on to before hi along an axis; with
// a negative step back from lo to behind hi. Bounds are as in Slice.
func (a Array[T]) SliceStep(axis, lo, hi, step int) Array[T] {
	return a.cut("SliceStep", axis, lo, hi, step)
}

func (a Array[T]) cut(call string, axis, lo, hi, step int) Array[T] {
	n := a.node()
	if n.err != nil {
		return a
	}
	i, err := axisOf(axis, len(n.shape))
	if err == nil && step == 0 {
		err = shapeError("the step is 0; it must be another number")
	}
	if err != nil {
		return Array[T]{fail(call, n.kind, err)}
	}
	m, shape := identity(len(n.shape)), slices.Clone(n.shape)
	start, count := pythonRange(&lo, &hi, step, n.shape[i])
	m[i], shape[i] = axisMap{i, start, step}, count
	return Array[T]{view("slice", n, shape, m)}
}

// pythonRange is what lo:hi:step means along an axis of length n.
func pythonRange(lo, hi *int, step, n int) (start, count int) {
	least, most := 0, n
	if step < 0 {
		least, most = -1, n-1
	}
	bound := func(p *int, absent int) int {
		if p == nil {
			return absent
		}
		v := *p
		if v < 0 {
			v += n
		}
		return min(max(v, least), most)
	}
	if step > 0 {
		start = bound(lo, 0)
		count = (bound(hi, n) - start + step - 1) / step
	} else {
		start = bound(lo, n-1)
		count = (start - bound(hi, -1) - step - 1) / -step
	}
	if count <= 0 {
		return 0, 0
	}
	return start, count
}

// At has a part of a, by an index as one writes it between brackets in NumPy:
// the parts are separated by commas, and each is an index (which takes the axis
// away), a range lo:hi or lo:hi:step, None for a new axis, or ... for the axes
// in between. args fill in what spec has as a format.
//
//	x.At("1:-1, ::2")
//	x.At("%d, ..., None", row)
//
// Nothing is copied.
func (a Array[T]) At(spec string, args ...any) Array[T] {
	n := a.node()
	if n.err != nil {
		return a
	}
	text := spec
	if len(args) > 0 {
		text = fmt.Sprintf(spec, args...)
	}
	shape, m, err := parseIndex(text, n.shape)
	if err != nil {
		return Array[T]{fail("At", n.kind, err)}
	}
	return Array[T]{view("slice", n, shape, m)}
}

// parseIndex reads an index of an array of the given shape.
func parseIndex(text string, in []int) (shape []int, m amap, err error) {
	parts := strings.Split(text, ",")
	if last := len(parts) - 1; strings.TrimSpace(parts[last]) == "" { // "3," and ""
		parts = parts[:last]
	}
	used, dots := 0, false
	for i, p := range parts {
		parts[i] = strings.TrimSpace(p)
		switch parts[i] {
		case "None":
		case "...":
			if dots {
				return nil, nil, shapeError("the index %q has ... twice; once is enough", text)
			}
			dots = true
		default:
			used++
		}
	}
	if used > len(in) {
		return nil, nil, shapeError("the index %q is for %d axes, and the array of shape %s has %d", text, used, shapeText(in), len(in))
	}
	if !dots {
		parts = append(parts, "...")
	}
	all := func(n int) {
		for range n {
			m = append(m, axisMap{len(shape), 0, 1})
			shape = append(shape, in[len(m)-1])
		}
	}
	for _, p := range parts {
		switch {
		case p == "None":
			shape = append(shape, 1)
		case p == "...":
			all(len(in) - used)
		case strings.Contains(p, ":"):
			axis := len(m)
			lo, hi, step, err := parseRange(p)
			if err != nil {
				return nil, nil, shapeError("the index %q: %v", text, err)
			}
			start, count := pythonRange(lo, hi, step, in[axis])
			m = append(m, axisMap{len(shape), start, step})
			shape = append(shape, count)
		default:
			axis := len(m)
			i, err := strconv.Atoi(p)
			if err != nil {
				return nil, nil, shapeError("the index %q: %q is no index, range, None or ...", text, p)
			}
			if i < -in[axis] || i >= in[axis] {
				return nil, nil, shapeError("the index %q: %d is outside of axis %d, which has length %d", text, i, axis, in[axis])
			}
			m = append(m, axisMap{-1, (i + in[axis]) % in[axis], 0})
		}
	}
	return shape, m, nil
}

func parseRange(p string) (lo, hi *int, step int, err error) {
	step = 1
	for i, s := range strings.Split(p, ":") {
		s = strings.TrimSpace(s)
		if s == "" {
			continue
		}
		v, err := strconv.Atoi(s)
		if err != nil {
			return nil, nil, 0, fmt.Errorf("%q in %q is no whole number", s, p)
		}
		switch i {
		case 0:
			lo = &v
		case 1:
			hi = &v
		case 2:
			if step = v; v == 0 {
				return nil, nil, 0, fmt.Errorf("the step of %q is 0", p)
			}
		default:
			return nil, nil, 0, fmt.Errorf("%q has more than lo:hi:step", p)
		}
	}
	return lo, hi, step, nil
}
