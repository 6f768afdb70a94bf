package vector

import "math"

// Sqrt sets dst to the square roots of a; NaN below 0.
func Sqrt[T Float](dst, a []T) {
	a = a[:len(dst)]
	n := fast1(opSqrt, dst, a)
	each(dst[n:], a[n:], math.Sqrt)
}

// Exp sets dst to e to the power of a.
func Exp[T Float](dst, a []T) { vectorised(opExp, dst, a, expOf) }

// Log sets dst to the natural logarithms of a: -Inf at 0, NaN below.
func Log[T Float](dst, a []T) { vectorised(opLog, dst, a, logOf) }

// Sin sets dst to the sines of a in radians; NaN at infinities.
func Sin[T Float](dst, a []T) { vectorised(opSin, dst, a, sinOf) }

// Cos sets dst to the cosines of a in radians; NaN at infinities.
func Cos[T Float](dst, a []T) { vectorised(opCos, dst, a, cosOf) }

// Tanh sets dst to the hyperbolic tangents of a.
func Tanh[T Float](dst, a []T) { vectorised(opTanh, dst, a, tanhOf) }

// Pow sets dst to a to the power of b, with the special cases of math.Pow,
// which are those of C and NumPy.
func Pow[T Float](dst, a, b []T) { vectorised2(opPow, dst, a, b, powOf) }

// PowScalar sets dst to a to the power of s: for 2 that is a*a, for
// -1 1/a, each rounded once.
func PowScalar[T Float](dst, a []T, s T) {
	a = a[:len(dst)]
	switch s {
	case 1:
		copy(dst, a)
		return
	case 2:
		Mul(dst, a, a)
		return
	case -1:
		ScalarDiv(dst, 1, a)
		return
	}
	var power [tile]T
	Fill(power[:min(len(dst), tile)], s)
	for len(dst) > 0 {
		n := min(len(dst), tile)
		Pow(dst[:n], a[:n], power[:n])
		dst, a = dst[n:], a[n:]
	}
}

// Exp2 sets dst to 2 to the power of a.
func Exp2[T Float](dst, a []T) { each(dst, a, math.Exp2) }

// Expm1 sets dst to e to the power of a, less 1, exactly for small a.
func Expm1[T Float](dst, a []T) { each(dst, a, math.Expm1) }

// Log2 sets dst to the binary logarithms of a.
func Log2[T Float](dst, a []T) { each(dst, a, math.Log2) }

// Log10 sets dst to the decimal logarithms of a.
func Log10[T Float](dst, a []T) { each(dst, a, math.Log10) }

// Log1p sets dst to the natural logarithms of 1 + a, exactly for small a.
func Log1p[T Float](dst, a []T) { each(dst, a, math.Log1p) }

// Cbrt sets dst to the cube roots of a.
func Cbrt[T Float](dst, a []T) { each(dst, a, math.Cbrt) }

// Tan sets dst to the tangents of a in radians.
func Tan[T Float](dst, a []T) { each(dst, a, math.Tan) }

// Asin sets dst to the inverse sines of a.
func Asin[T Float](dst, a []T) { each(dst, a, math.Asin) }

// Acos sets dst to the inverse cosines of a.
func Acos[T Float](dst, a []T) { each(dst, a, math.Acos) }

// Atan sets dst to the inverse tangents of a.
func Atan[T Float](dst, a []T) { each(dst, a, math.Atan) }

// Atan2 sets dst to the angles of the points (b, a).
func Atan2[T Float](dst, a, b []T) { each2(dst, a, b, math.Atan2) }

// Hypot sets dst to the square roots of a*a + b*b, without overflow between.
func Hypot[T Float](dst, a, b []T) { each2(dst, a, b, math.Hypot) }

// Sinh sets dst to the hyperbolic sines of a.
func Sinh[T Float](dst, a []T) { each(dst, a, math.Sinh) }

// Cosh sets dst to the hyperbolic cosines of a.
func Cosh[T Float](dst, a []T) { each(dst, a, math.Cosh) }

// Asinh sets dst to the inverse hyperbolic sines of a.
func Asinh[T Float](dst, a []T) { each(dst, a, math.Asinh) }

// Acosh sets dst to the inverse hyperbolic cosines of a.
func Acosh[T Float](dst, a []T) { each(dst, a, math.Acosh) }

// Atanh sets dst to the inverse hyperbolic tangents of a.
func Atanh[T Float](dst, a []T) { each(dst, a, math.Atanh) }

// Floor sets dst to the largest whole numbers at most a.
func Floor[T Float](dst, a []T) {
	a = a[:len(dst)]
	n := fast1(opFloor, dst, a)
	each(dst[n:], a[n:], math.Floor)
}

// Ceil sets dst to the smallest whole numbers at least a.
func Ceil[T Float](dst, a []T) {
	a = a[:len(dst)]
	n := fast1(opCeil, dst, a)
	each(dst[n:], a[n:], math.Ceil)
}

// Trunc sets dst to a without its fractions.
func Trunc[T Float](dst, a []T) {
	a = a[:len(dst)]
	n := fast1(opTrunc, dst, a)
	each(dst[n:], a[n:], math.Trunc)
}

// Round sets dst to the nearest whole numbers, halves to even ones, as
// NumPy's rint and round do.
func Round[T Float](dst, a []T) {
	a = a[:len(dst)]
	n := fast1(opRound, dst, a)
	each(dst[n:], a[n:], math.RoundToEven)
}

// Sign sets dst to -1, 0 or 1; NaN stays NaN.
func Sign[T Real](dst, a []T) {
	a = a[:len(dst)]
	for i, v := range a {
		s := v // 0 and NaN
		if v > 0 {
			s = 1
		}
		if v < 0 {
			s = 0
			s--
		}
		if s == 0 {
			s = 0
		}
		dst[i] = s
	}
}

// each and each2 compute in float64 and round, for both widths.
func each[T Float](dst, a []T, f func(float64) float64) {
	a = a[:len(dst)]
	for i, v := range a {
		dst[i] = T(f(float64(v)))
	}
}

func each2[T Float](dst, a, b []T, f func(x, y float64) float64) {
	a, b = a[:len(dst)], b[:len(dst)]
	for i, v := range a {
		dst[i] = T(f(float64(v), float64(b[i])))
	}
}

// tile is how many elements are widened at a time.
const tile = 256

// vectorised and vectorised2 compute in float64, and round for float32.
func vectorised[T Float](o op, dst, a []T, f func(float64) float64) {
	a = a[:len(dst)]
	if d, ok := any(dst).([]float64); ok {
		wide(o, d, any(a).([]float64), f)
		return
	}
	var buffer [tile]float64
	for len(dst) > 0 {
		n := min(len(dst), tile)
		Cast(buffer[:n], a[:n])
		wide(o, buffer[:n], buffer[:n], f)
		Cast(dst[:n], buffer[:n])
		dst, a = dst[n:], a[n:]
	}
}

func wide(o op, dst, a []float64, f func(float64) float64) {
	for {
		n := fastMath(o, dst, a, nil)
		dst, a = dst[n:], a[n:]
		// What the kernel left: four, or the last.
		m := min(len(dst), 4)
		if m == 0 {
			return
		}
		for i, v := range a[:m] {
			dst[i] = f(v)
		}
		dst, a = dst[m:], a[m:]
	}
}

func vectorised2[T Float](o op, dst, a, b []T, f func(x, y float64) float64) {
	a, b = a[:len(dst)], b[:len(dst)]
	if d, ok := any(dst).([]float64); ok {
		wide2(o, d, any(a).([]float64), any(b).([]float64), f)
		return
	}
	var x, y [tile]float64
	for len(dst) > 0 {
		n := min(len(dst), tile)
		Cast(x[:n], a[:n])
		Cast(y[:n], b[:n])
		wide2(o, x[:n], x[:n], y[:n], f)
		Cast(dst[:n], x[:n])
		dst, a, b = dst[n:], a[n:], b[n:]
	}
}

func wide2(o op, dst, a, b []float64, f func(x, y float64) float64) {
	for {
		n := fastMath(o, dst, a, b)
		dst, a, b = dst[n:], a[n:], b[n:]
		m := min(len(dst), 4)
		if m == 0 {
			return
		}
		for i, v := range a[:m] {
			dst[i] = f(v, b[i])
		}
		dst, a, b = dst[m:], a[m:], b[m:]
	}
}
