package vector

// Equal sets dst to a == b. NaN equals nothing.
func Equal[T Element](dst []bool, a, b []T) {
	a, b = a[:len(dst)], b[:len(dst)]
	n := fastCompare(opEqual, dst, a, b)
	dst, a, b = dst[n:], a[n:], b[n:]
	for i := range dst {
		dst[i] = a[i] == b[i]
	}
}

// EqualScalar sets dst to a == s.
func EqualScalar[T Element](dst []bool, a []T, s T) {
	a = a[:len(dst)]
	n := fastCompareScalar(opEqual, dst, a, s)
	dst, a = dst[n:], a[n:]
	for i := range dst {
		dst[i] = a[i] == s
	}
}

// NotEqual sets dst to a != b. NaN differs from everything.
func NotEqual[T Element](dst []bool, a, b []T) {
	a, b = a[:len(dst)], b[:len(dst)]
	n := fastCompare(opNotEqual, dst, a, b)
	dst, a, b = dst[n:], a[n:], b[n:]
	for i := range dst {
		dst[i] = a[i] != b[i]
	}
}

// NotEqualScalar sets dst to a != s.
func NotEqualScalar[T Element](dst []bool, a []T, s T) {
	a = a[:len(dst)]
	n := fastCompareScalar(opNotEqual, dst, a, s)
	dst, a = dst[n:], a[n:]
	for i := range dst {
		dst[i] = a[i] != s
	}
}

// Less sets dst to a < b.
func Less[T Real](dst []bool, a, b []T) {
	a, b = a[:len(dst)], b[:len(dst)]
	n := fastCompare(opLess, dst, a, b)
	dst, a, b = dst[n:], a[n:], b[n:]
	for i := range dst {
		dst[i] = a[i] < b[i]
	}
}

// LessScalar sets dst to a < s.
func LessScalar[T Real](dst []bool, a []T, s T) {
	a = a[:len(dst)]
	n := fastCompareScalar(opLess, dst, a, s)
	dst, a = dst[n:], a[n:]
	for i := range dst {
		dst[i] = a[i] < s
	}
}

// LessEqual sets dst to a <= b.
func LessEqual[T Real](dst []bool, a, b []T) {
	a, b = a[:len(dst)], b[:len(dst)]
	n := fastCompare(opLessEqual, dst, a, b)
	dst, a, b = dst[n:], a[n:], b[n:]
	for i := range dst {
		dst[i] = a[i] <= b[i]
	}
}

// LessEqualScalar sets dst to a <= s.
func LessEqualScalar[T Real](dst []bool, a []T, s T) {
	a = a[:len(dst)]
	n := fastCompareScalar(opLessEqual, dst, a, s)
	dst, a = dst[n:], a[n:]
	for i := range dst {
		dst[i] = a[i] <= s
	}
}

// Greater sets dst to a > b.
func Greater[T Real](dst []bool, a, b []T) { Less(dst, b, a) }

// GreaterScalar sets dst to a > s.
func GreaterScalar[T Real](dst []bool, a []T, s T) {
	a = a[:len(dst)]
	n := fastCompareScalar(opGreater, dst, a, s)
	dst, a = dst[n:], a[n:]
	for i := range dst {
		dst[i] = a[i] > s
	}
}

// GreaterEqual sets dst to a >= b.
func GreaterEqual[T Real](dst []bool, a, b []T) { LessEqual(dst, b, a) }

// GreaterEqualScalar sets dst to a >= s.
func GreaterEqualScalar[T Real](dst []bool, a []T, s T) {
	a = a[:len(dst)]
	n := fastCompareScalar(opGreaterEqual, dst, a, s)
	dst, a = dst[n:], a[n:]
	for i := range dst {
		dst[i] = a[i] >= s
	}
}

// IsNaN sets dst to whether a is not a number.
func IsNaN[T Float](dst []bool, a []T) {
	a = a[:len(dst)]
	n := fastCompare(opNotEqual, dst, a, a)
	dst, a = dst[n:], a[n:]
	for i := range dst {
		dst[i] = a[i] != a[i]
	}
}

// IsInf sets dst to whether a is an infinity of either sign.
func IsInf[T Float](dst []bool, a []T) {
	a = a[:len(dst)]
	for i, v := range a {
		dst[i] = v-v != v-v && v == v
	}
}

// IsFinite sets dst to whether a is neither NaN nor infinite.
func IsFinite[T Float](dst []bool, a []T) {
	a = a[:len(dst)]
	for i, v := range a {
		dst[i] = v-v == 0
	}
}
