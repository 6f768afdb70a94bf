package vector

// A sum is a tree whose form depends on the number of elements alone: slices
// above leaf elements are halved at a multiple of leaf, and a leaf is summed
// in lanes running sums, element i into sum i%lanes, which are then halved.
// The error grows with the logarithm of the length, not with the length.
const (
	leaf  = 1024
	lanes = 16
)

// half says where a slice above leaf elements is cut.
func half(n int) int { return (n/2 + leaf - 1) / leaf * leaf }

// Sum is the sum of a; 0 if it is empty. Integers wrap.
func Sum[T Number](a []T) T {
	if len(a) > leaf {
		h := half(len(a))
		return Sum(a[:h]) + Sum(a[h:])
	}
	var s [lanes]T
	i := fastLanes(opSum, &s, a, nil, 0)
	for ; i+lanes <= len(a); i += lanes {
		for j, v := range (*[lanes]T)(a[i:]) {
			s[j] += v
		}
	}
	for j, v := range a[i:] {
		s[j] += v
	}
	return fold(&s)
}

// fold adds the lanes of a leaf: 16 to 8 to 4 to 2 to 1.
func fold[T Number](s *[lanes]T) T {
	for n := lanes / 2; n > 0; n /= 2 {
		for j := range n {
			s[j] += s[j+n]
		}
	}
	return s[0]
}

// Dot is the sum of a[i]*b[i] over the elements of a, each product rounded,
// summed as Sum does.
func Dot[T Number](a, b []T) T {
	b = b[:len(a)]
	if len(a) > leaf {
		h := half(len(a))
		return Dot(a[:h], b[:h]) + Dot(a[h:], b[h:])
	}
	var s [lanes]T
	n := fastLanes(opDot, &s, a, b, 0)
	a, b = a[n:], b[n:]
	for i, v := range a {
		p := T(v * b[i])
		s[i%lanes] += p
	}
	return fold(&s)
}

// SumSquares is the sum of (a[i]-center)^2, each difference and square
// rounded, summed as Sum does.
func SumSquares[T Number](a []T, center T) T {
	if len(a) > leaf {
		h := half(len(a))
		return SumSquares(a[:h], center) + SumSquares(a[h:], center)
	}
	var s [lanes]T
	a = a[fastLanes(opSumSquares, &s, a, nil, center):]
	for i, v := range a {
		d := v - center
		p := T(d * d)
		s[i%lanes] += p
	}
	return fold(&s)
}

// Prod is the product of a; 1 if it is empty. It is a tree as in Sum.
func Prod[T Number](a []T) T {
	if len(a) > leaf {
		h := half(len(a))
		return Prod(a[:h]) * Prod(a[h:])
	}
	var s [lanes]T
	for j := range s {
		s[j] = 1
	}
	for i, v := range a {
		s[i%lanes] *= v
	}
	for n := lanes / 2; n > 0; n /= 2 {
		for j := range n {
			s[j] *= s[j+n]
		}
	}
	return s[0]
}

// Least is the smallest of a, NaN if one is NaN. It panics if a is empty.
func Least[T Real](a []T) T {
	m := a[0]
	for _, v := range a[1:] {
		m = min(m, v)
	}
	return m
}

// Greatest is the largest of a, NaN if one is NaN. It panics if a is empty.
func Greatest[T Real](a []T) T {
	m := a[0]
	for _, v := range a[1:] {
		m = max(m, v)
	}
	return m
}

// ArgMin is the index of the first of the smallest, or of the first NaN. It
// panics if a is empty.
func ArgMin[T Real](a []T) int {
	at, m := 0, a[0]
	if m != m {
		return 0
	}
	for i, v := range a {
		if v != v {
			return i
		}
		if v < m {
			at, m = i, v
		}
	}
	return at
}

// ArgMax is the index of the first of the largest, or of the first NaN. It
// panics if a is empty.
func ArgMax[T Real](a []T) int {
	at, m := 0, a[0]
	if m != m {
		return 0
	}
	for i, v := range a {
		if v != v {
			return i
		}
		if v > m {
			at, m = i, v
		}
	}
	return at
}

// Any is whether one of a is true.
func Any(a []bool) bool {
	for _, v := range a {
		if v {
			return true
		}
	}
	return false
}

// All is whether all of a are true; true if it is empty.
func All(a []bool) bool {
	for _, v := range a {
		if !v {
			return false
		}
	}
	return true
}

// CumSum sets dst to the running sums of a, starting from start: dst[i] is
// start + a[0] + ... + a[i], added in that order. It gives the last one, or
// start if there is none.
func CumSum[T Number](dst, a []T, start T) T {
	a = a[:len(dst)]
	for i, v := range a {
		start += v
		dst[i] = start
	}
	return start
}

// CumProd sets dst to the running products of a, as CumSum does the sums.
func CumProd[T Number](dst, a []T, start T) T {
	a = a[:len(dst)]
	for i, v := range a {
		start *= v
		dst[i] = start
	}
	return start
}
