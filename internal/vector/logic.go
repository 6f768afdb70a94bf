package vector

// And sets dst to a && b.
func And(dst, a, b []bool) {
	a, b = a[:len(dst)], b[:len(dst)]
	n := fastBool(opAnd, dst, a, b)
	dst, a, b = dst[n:], a[n:], b[n:]
	for i := range dst {
		dst[i] = a[i] && b[i]
	}
}

// Or sets dst to a || b.
func Or(dst, a, b []bool) {
	a, b = a[:len(dst)], b[:len(dst)]
	n := fastBool(opOr, dst, a, b)
	dst, a, b = dst[n:], a[n:], b[n:]
	for i := range dst {
		dst[i] = a[i] || b[i]
	}
}

// Xor sets dst to a != b.
func Xor(dst, a, b []bool) {
	a, b = a[:len(dst)], b[:len(dst)]
	n := fastBool(opXor, dst, a, b)
	NotEqual(dst[n:], a[n:], b[n:])
}

// Not sets dst to !a.
func Not(dst, a []bool) {
	a = a[:len(dst)]
	n := fastBool(opNot, dst, a, nil)
	dst, a = dst[n:], a[n:]
	for i := range dst {
		dst[i] = !a[i]
	}
}

// Where sets dst to a where mask is true, to b elsewhere.
func Where[T Element](dst []T, mask []bool, a, b []T) {
	mask, a, b = mask[:len(dst)], a[:len(dst)], b[:len(dst)]
	n := fastWhere(dst, mask, a, b)
	dst, mask, a, b = dst[n:], mask[n:], a[n:], b[n:]
	for i := range dst {
		v := b[i]
		if mask[i] {
			v = a[i]
		}
		dst[i] = v
	}
}

// WhereScalar sets dst to s where mask is true, to b elsewhere.
func WhereScalar[T Element](dst []T, mask []bool, s T, b []T) {
	mask, b = mask[:len(dst)], b[:len(dst)]
	for i := range dst {
		v := b[i]
		if mask[i] {
			v = s
		}
		dst[i] = v
	}
}

// WhereElseScalar sets dst to a where mask is true, to s elsewhere.
func WhereElseScalar[T Element](dst []T, mask []bool, a []T, s T) {
	mask, a = mask[:len(dst)], a[:len(dst)]
	for i := range dst {
		v := s
		if mask[i] {
			v = a[i]
		}
		dst[i] = v
	}
}

// Count is how many of mask are true.
func Count(mask []bool) int {
	n := 0
	for _, m := range mask {
		if m {
			n++
		}
	}
	return n
}
