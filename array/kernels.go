package array

import (
	"unsafe"

	"github.com/weft-go/weft/internal/vector"
)

// kernel does one operation on n elements: d gets the results; a, b and c are
// the operands, as many as there are. d may be one of them.
type kernel func(d, a, b, c unsafe.Pointer, n int)

func list[T any](p unsafe.Pointer, n int) []T { return unsafe.Slice((*T)(p), n) }

func unary[A, R any](f func(dst []R, a []A)) kernel {
	return func(d, a, _, _ unsafe.Pointer, n int) { f(list[R](d, n), list[A](a, n)) }
}

func binary[A, R any](f func(dst []R, a, b []A)) kernel {
	return func(d, a, b, _ unsafe.Pointer, n int) { f(list[R](d, n), list[A](a, n), list[A](b, n)) }
}

func where[T vector.Element]() kernel {
	return func(d, a, b, c unsafe.Pointer, n int) {
		vector.Where(list[T](d, n), list[bool](a, n), list[T](b, n), list[T](c, n))
	}
}

// kernelKey is an operation on elements of one kind.
type kernelKey struct {
	code string
	of   kind
}

var kernels = map[kernelKey]kernel{}

// castKernels are the conversions from a kind to another.
var castKernels [7][7]kernel

func init() {
	forNumber[float64](f64)
	forNumber[float32](f32)
	forNumber[int64](i64)
	forNumber[int32](i32)
	forNumber[uint8](u8)
	forNumber[complex128](c128)
	forReal[float64](f64)
	forReal[float32](f32)
	forReal[int64](i64)
	forReal[int32](i32)
	forReal[uint8](u8)
	forFloat[float64](f64)
	forFloat[float32](f32)
	forAll[float64](f64)
	forAll[float32](f32)
	forAll[int64](i64)
	forAll[int32](i32)
	forAll[uint8](u8)
	forAll[bool](boolean)
	forAll[complex128](c128)
	set := func(code string, of kind, k kernel) { kernels[kernelKey{code, of}] = k }
	set("logical_and", boolean, binary(vector.And))
	set("logical_or", boolean, binary(vector.Or))
	set("logical_xor", boolean, binary(vector.Xor))
	set("logical_not", boolean, unary(vector.Not))
	set("divide", c128, binary(vector.Div[complex128]))
	set("absolute", c128, unary(vector.Modulus))
	set("real", c128, unary(vector.RealPart))
	set("imag", c128, unary(vector.ImagPart))
	set("conj", c128, unary(vector.Conj))
	for code, f := range complexFunctions {
		set(code, c128, unary(eachComplex(f)))
	}
}

func forNumber[T vector.Number](of kind) {
	set := func(code string, k kernel) { kernels[kernelKey{code, of}] = k }
	set("add", binary(vector.Add[T]))
	set("subtract", binary(vector.Sub[T]))
	set("multiply", binary(vector.Mul[T]))
	set("negative", unary(vector.Neg[T]))
	set("square", unary(vector.Square[T]))
}

func forReal[T vector.Real](of kind) {
	set := func(code string, k kernel) { kernels[kernelKey{code, of}] = k }
	set("floor_divide", binary(vector.FloorDiv[T]))
	set("remainder", binary(vector.Mod[T]))
	set("minimum", binary(vector.Min[T]))
	set("maximum", binary(vector.Max[T]))
	set("absolute", unary(vector.Abs[T]))
	set("sign", unary(vector.Sign[T]))
	set("less", binary(vector.Less[T]))
	set("less_equal", binary(vector.LessEqual[T]))
	set("greater", binary(vector.Greater[T]))
	set("greater_equal", binary(vector.GreaterEqual[T]))
}

func forFloat[T vector.Float](of kind) {
	set := func(code string, k kernel) { kernels[kernelKey{code, of}] = k }
	set("divide", binary(vector.Div[T]))
	set("power", binary(vector.Pow[T]))
	set("arctan2", binary(vector.Atan2[T]))
	set("hypot", binary(vector.Hypot[T]))
	set("isnan", unary(vector.IsNaN[T]))
	set("isinf", unary(vector.IsInf[T]))
	set("isfinite", unary(vector.IsFinite[T]))
	for code, f := range map[string]func(dst, a []T){
		"sqrt": vector.Sqrt[T], "exp": vector.Exp[T], "exp2": vector.Exp2[T], "expm1": vector.Expm1[T],
		"log": vector.Log[T], "log2": vector.Log2[T], "log10": vector.Log10[T], "log1p": vector.Log1p[T],
		"cbrt": vector.Cbrt[T], "sin": vector.Sin[T], "cos": vector.Cos[T], "tan": vector.Tan[T],
		"arcsin": vector.Asin[T], "arccos": vector.Acos[T], "arctan": vector.Atan[T],
		"sinh": vector.Sinh[T], "cosh": vector.Cosh[T], "tanh": vector.Tanh[T],
		"arcsinh": vector.Asinh[T], "arccosh": vector.Acosh[T], "arctanh": vector.Atanh[T],
		"floor": vector.Floor[T], "ceil": vector.Ceil[T], "trunc": vector.Trunc[T], "round": vector.Round[T],
	} {
		set(code, unary(f))
	}
}

func forAll[T vector.Element](of kind) {
	set := func(code string, k kernel) { kernels[kernelKey{code, of}] = k }
	set("equal", binary(vector.Equal[T]))
	set("not_equal", binary(vector.NotEqual[T]))
	set("where", where[T]())
	castKernels[of] = [7]kernel{
		unary(vector.Cast[float64, T]), unary(vector.Cast[float32, T]), unary(vector.Cast[int64, T]),
		unary(vector.Cast[int32, T]), unary(vector.Cast[uint8, T]), unary(vector.Cast[bool, T]), unary(vector.Cast[complex128, T]),
	}
}
