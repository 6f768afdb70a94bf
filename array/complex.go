package array

import "math/cmplx"

// complexFunctions are those of math that complex numbers have.
var complexFunctions = map[string]func(complex128) complex128{
	"sqrt": cmplx.Sqrt, "exp": cmplx.Exp, "log": cmplx.Log, "sin": cmplx.Sin, "cos": cmplx.Cos, "tanh": cmplx.Tanh,
}

func eachComplex(f func(complex128) complex128) func(dst, a []complex128) {
	return func(dst, a []complex128) {
		for i, v := range a[:len(dst)] {
			dst[i] = f(v)
		}
	}
}

// RealPart is the real part of each element.
func RealPart(a Array[complex128]) Array[float64] { return mathOf[float64]("real", a.node(), f64) }

// ImagPart is the imaginary part of each element.
func ImagPart(a Array[complex128]) Array[float64] { return mathOf[float64]("imag", a.node(), f64) }

// Conj is the conjugate of each element.
func Conj(a Array[complex128]) Array[complex128] { return mathOf[complex128]("conj", a.node(), c128) }

// Modulus is the absolute value of each element.
func Modulus(a Array[complex128]) Array[float64] {
	return mathOf[float64]("absolute", a.node(), f64)
}
