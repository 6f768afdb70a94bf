package zarr

// window is a block of an array in memory: bytes, where it lies in the array,
// and how far apart, in elements, neighbours along each axis are.
type window struct {
	b       []byte
	start   []int
	shape   []int
	strides []int
	size    int // bytes of an element
}

// strides are of a block whose axes lie in an order, slowest first; nil is C
// order.
func strides(shape, order []int) []int {
	s := make([]int, len(shape))
	n := 1
	for i := len(shape) - 1; i >= 0; i-- {
		axis := i
		if order != nil {
			axis = order[i]
		}
		s[axis] = n
		n *= shape[axis]
	}
	return s
}

// common is the overlap of two blocks, and its offsets in both, in elements.
func (w window) common(start, shape, other []int) (overlap []int, here, there int) {
	overlap = make([]int, len(w.shape))
	for i := range w.shape {
		low, high := max(w.start[i], start[i]), min(w.start[i]+w.shape[i], start[i]+shape[i])
		if high <= low {
			return nil, 0, 0
		}
		overlap[i] = high - low
		here += (low - w.start[i]) * w.strides[i]
		if other != nil {
			there += (low - start[i]) * other[i]
		}
	}
	return overlap, here, there
}

// copyFrom copies what both have.
func (w window) copyFrom(src window) {
	shape, to, from := w.common(src.start, src.shape, src.strides)
	if shape == nil {
		return
	}
	w.copyAxis(src, shape, 0, to, from)
}

func (w window) copyAxis(src window, shape []int, axis, to, from int) {
	n := w.size
	if axis == len(shape) {
		copy(w.b[to*n:to*n+n], src.b[from*n:from*n+n])
		return
	}
	if axis == len(shape)-1 {
		ts, fs := w.strides[axis], src.strides[axis]
		if ts == 1 && fs == 1 {
			copy(w.b[to*n:(to+shape[axis])*n], src.b[from*n:(from+shape[axis])*n])
			return
		}
		for range shape[axis] {
			copy(w.b[to*n:to*n+n], src.b[from*n:from*n+n])
			to += ts
			from += fs
		}
		return
	}
	for range shape[axis] {
		w.copyAxis(src, shape, axis+1, to, from)
		to += w.strides[axis]
		from += src.strides[axis]
	}
}

// fillFrom sets what lies in another block to one element.
func (w window) fillFrom(start, other []int, element []byte) {
	shape, to, _ := w.common(start, other, nil)
	if shape == nil {
		return
	}
	w.fillAxis(shape, 0, to, element)
}

func (w window) fillAxis(shape []int, axis, to int, element []byte) {
	if axis == len(shape) {
		copy(w.b[to*w.size:], element)
		return
	}
	for range shape[axis] {
		w.fillAxis(shape, axis+1, to, element)
		to += w.strides[axis]
	}
}
