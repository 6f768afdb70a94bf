package vector

import "math"

// Sqrt sets dst to the square roots of a; NaN below 0.
func Sqrt[T Float](dst, a []T) { each(dst, a, math.Sqrt) }

// Exp sets dst to e to the power of a.
func Exp[T Float](dst, a []T) { each(dst, a, math.Exp) }

// Log sets dst to the natural logarithms of a: -Inf at 0, NaN below.
func Log[T Float](dst, a []T) { each(dst, a, math.Log) }

// Sin sets dst to the sines of a in radians; NaN at infinities.
func Sin[T Float](dst, a []T) { each(dst, a, math.Sin) }

// Cos sets dst to the cosines of a in radians; NaN at infinities.
func Cos[T Float](dst, a []T) { each(dst, a, math.Cos) }

// Tanh sets dst to the hyperbolic tangents of a.
func Tanh[T Float](dst, a []T) { each(dst, a, math.Tanh) }

// Pow sets dst to a to the power of b, with the special cases of math.Pow,
// which are those of C and NumPy.
func Pow[T Float](dst, a, b []T) { each2(dst, a, b, math.Pow) }

// PowScalar sets dst to a to the power of s.
func PowScalar[T Float](dst, a []T, s T) {
	a = a[:len(dst)]
	for i, v := range a {
		dst[i] = T(math.Pow(float64(v), float64(s)))
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
func Floor[T Float](dst, a []T) { each(dst, a, math.Floor) }

// Ceil sets dst to the smallest whole numbers at least a.
func Ceil[T Float](dst, a []T) { each(dst, a, math.Ceil) }

// Trunc sets dst to a without its fractions.
func Trunc[T Float](dst, a []T) { each(dst, a, math.Trunc) }

// Round sets dst to the nearest whole numbers, halves to even ones, as
// NumPy's rint and round do.
func Round[T Float](dst, a []T) { each(dst, a, math.RoundToEven) }

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
