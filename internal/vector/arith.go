package vector

import (
	"math"
	"math/cmplx"
	"unsafe"
)

// Add sets dst to a + b.
func Add[T Number](dst, a, b []T) {
	a, b = a[:len(dst)], b[:len(dst)]
	n := fast2(opAdd, dst, a, b)
	dst, a, b = dst[n:], a[n:], b[n:]
	for i := range dst {
		dst[i] = a[i] + b[i]
	}
}

// AddScalar sets dst to a + s.
func AddScalar[T Number](dst, a []T, s T) {
	a = a[:len(dst)]
	n := fastScalar(opAdd, dst, a, s)
	dst, a = dst[n:], a[n:]
	for i := range dst {
		dst[i] = a[i] + s
	}
}

// Sub sets dst to a - b.
func Sub[T Number](dst, a, b []T) {
	a, b = a[:len(dst)], b[:len(dst)]
	n := fast2(opSub, dst, a, b)
	dst, a, b = dst[n:], a[n:], b[n:]
	for i := range dst {
		dst[i] = a[i] - b[i]
	}
}

// SubScalar sets dst to a - s.
func SubScalar[T Number](dst, a []T, s T) {
	a = a[:len(dst)]
	n := fastScalar(opSub, dst, a, s)
	dst, a = dst[n:], a[n:]
	for i := range dst {
		dst[i] = a[i] - s
	}
}

// ScalarSub sets dst to s - a.
func ScalarSub[T Number](dst []T, s T, a []T) {
	a = a[:len(dst)]
	n := fastScalar(opSubLeft, dst, a, s)
	dst, a = dst[n:], a[n:]
	for i := range dst {
		dst[i] = s - a[i]
	}
}

// Mul sets dst to a * b.
func Mul[T Number](dst, a, b []T) {
	a, b = a[:len(dst)], b[:len(dst)]
	n := fast2(opMul, dst, a, b)
	dst, a, b = dst[n:], a[n:], b[n:]
	for i := range dst {
		dst[i] = a[i] * b[i]
	}
}

// MulScalar sets dst to a * s.
func MulScalar[T Number](dst, a []T, s T) {
	a = a[:len(dst)]
	n := fastScalar(opMul, dst, a, s)
	dst, a = dst[n:], a[n:]
	for i := range dst {
		dst[i] = a[i] * s
	}
}

// Div sets dst to a / b.
func Div[T Float | complex128](dst, a, b []T) {
	a, b = a[:len(dst)], b[:len(dst)]
	n := fast2(opDiv, dst, a, b)
	dst, a, b = dst[n:], a[n:], b[n:]
	for i := range dst {
		dst[i] = a[i] / b[i]
	}
}

// DivScalar sets dst to a / s.
func DivScalar[T Float | complex128](dst, a []T, s T) {
	a = a[:len(dst)]
	n := fastScalar(opDiv, dst, a, s)
	dst, a = dst[n:], a[n:]
	for i := range dst {
		dst[i] = a[i] / s
	}
}

// ScalarDiv sets dst to s / a.
func ScalarDiv[T Float | complex128](dst []T, s T, a []T) {
	a = a[:len(dst)]
	n := fastScalar(opDivLeft, dst, a, s)
	dst, a = dst[n:], a[n:]
	for i := range dst {
		dst[i] = s / a[i]
	}
}

// FloorDiv sets dst to the largest whole number at most a / b. An integer
// divided by zero is 0.
func FloorDiv[T Real](dst, a, b []T) {
	a, b = a[:len(dst)], b[:len(dst)]
	for i := range dst {
		dst[i], _ = divmod(a[i], b[i])
	}
}

// Mod sets dst to a - b*floor(a/b), which has the sign of b. An integer
// modulo zero is 0.
func Mod[T Real](dst, a, b []T) {
	a, b = a[:len(dst)], b[:len(dst)]
	for i := range dst {
		_, dst[i] = divmod(a[i], b[i])
	}
}

// divmod is Python's divmod of one pair, with NumPy's answer to an integer
// zero.
func divmod[T Real](a, b T) (quotient, remainder T) {
	switch x := any(a).(type) {
	case float64:
		q, r := floatDivmod(x, any(b).(float64))
		return T(q), T(r)
	case float32:
		q, r := floatDivmod(float64(x), float64(any(b).(float32)))
		return T(q), T(r)
	}
	if b == 0 {
		return 0, 0
	}
	if b+1 == 0 && b < 0 { // -1: the smallest number has no negative and wraps
		return -a, 0
	}
	q := a / b
	r := a - q*b
	if r != 0 && (r < 0) != (b < 0) {
		q--
		r += b
	}
	return q, r
}

func floatDivmod(a, b float64) (quotient, remainder float64) {
	r := math.Mod(a, b)
	if b == 0 {
		return a / b, r
	}
	q := (a - r) / b
	switch {
	case r != 0 && (b < 0) != (r < 0):
		r += b
		q--
	case r == 0:
		r = math.Copysign(0, b)
	}
	if q == 0 {
		return math.Copysign(0, a/b), r
	}
	whole := math.Floor(q)
	if q-whole > 0.5 {
		whole++
	}
	return whole, r
}

// Min sets dst to the smaller of a and b; NaN if either is.
func Min[T Real](dst, a, b []T) {
	a, b = a[:len(dst)], b[:len(dst)]
	n := fast2(opMin, dst, a, b)
	dst, a, b = dst[n:], a[n:], b[n:]
	for i := range dst {
		dst[i] = min(a[i], b[i])
	}
}

// MinScalar sets dst to the smaller of a and s; NaN if either is.
func MinScalar[T Real](dst, a []T, s T) {
	a = a[:len(dst)]
	n := fastScalar(opMin, dst, a, s)
	dst, a = dst[n:], a[n:]
	for i := range dst {
		dst[i] = min(a[i], s)
	}
}

// Max sets dst to the larger of a and b; NaN if either is.
func Max[T Real](dst, a, b []T) {
	a, b = a[:len(dst)], b[:len(dst)]
	n := fast2(opMax, dst, a, b)
	dst, a, b = dst[n:], a[n:], b[n:]
	for i := range dst {
		dst[i] = max(a[i], b[i])
	}
}

// MaxScalar sets dst to the larger of a and s; NaN if either is.
func MaxScalar[T Real](dst, a []T, s T) {
	a = a[:len(dst)]
	n := fastScalar(opMax, dst, a, s)
	dst, a = dst[n:], a[n:]
	for i := range dst {
		dst[i] = max(a[i], s)
	}
}

// Clip sets dst to a, at least low and at most high; NaN stays NaN. If low is
// above high it is high, as in NumPy.
func Clip[T Real](dst, a []T, low, high T) {
	MaxScalar(dst, a, low)
	MinScalar(dst, dst, high)
}

// Neg sets dst to -a.
func Neg[T Number](dst, a []T) {
	a = a[:len(dst)]
	n := fast1(opNeg, dst, a)
	dst, a = dst[n:], a[n:]
	for i := range dst {
		dst[i] = -a[i]
	}
}

// Abs sets dst to the absolute values of a. The smallest integer has none and
// stays itself.
func Abs[T Real](dst, a []T) {
	a = a[:len(dst)]
	n := fast1(opAbs, dst, a)
	dst, a = dst[n:], a[n:]
	switch d := any(dst).(type) {
	case []float64:
		for i, v := range any(a).([]float64) {
			d[i] = math.Abs(v)
		}
	case []float32:
		for i, v := range any(a).([]float32) {
			d[i] = math.Float32frombits(math.Float32bits(v) &^ (1 << 31))
		}
	default:
		for i, v := range a {
			if v < 0 {
				v = -v
			}
			dst[i] = v
		}
	}
}

// Square sets dst to a * a.
func Square[T Number](dst, a []T) { Mul(dst, a, a) }

// Modulus sets dst to the absolute values of complex numbers.
func Modulus(dst []float64, a []complex128) {
	a = a[:len(dst)]
	for i := range dst {
		dst[i] = cmplx.Abs(a[i])
	}
}

// RealPart sets dst to the real parts of a.
func RealPart(dst []float64, a []complex128) {
	a = a[:len(dst)]
	for i := range dst {
		dst[i] = real(a[i])
	}
}

// ImagPart sets dst to the imaginary parts of a.
func ImagPart(dst []float64, a []complex128) {
	a = a[:len(dst)]
	for i := range dst {
		dst[i] = imag(a[i])
	}
}

// Conj sets dst to the conjugates of a.
func Conj(dst, a []complex128) {
	a = a[:len(dst)]
	for i := range dst {
		dst[i] = cmplx.Conj(a[i])
	}
}

// Fill sets all of dst to v.
func Fill[T Element](dst []T, v T) {
	for i := range dst {
		dst[i] = v
	}
}

// Ramp sets dst[i] to start + i*step, rounding each product and sum once: the
// value of an element does not depend on how a range is cut, as long as first,
// the index of dst[0] in the whole, is right.
func Ramp[T Real](dst []T, start, step T, first int) {
	for i := range dst {
		p := T(first+i) * step
		dst[i] = start + p
	}
}

// Stream copies src to dst past the caches: for a result that is larger than
// they are and not read soon. Memory is not read there before it is written;
// for anything small it is slower.
func Stream[T Element](dst, src []T) {
	src = src[:len(dst)]
	n := 0
	if len(dst) > 0 {
		size := int(unsafe.Sizeof(dst[0]))
		bytes := func(s []T) []byte { return unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(s))), len(s)*size) }
		n = fastStream(bytes(dst), bytes(src)) / size
	}
	copy(dst[n:], src[n:])
}
