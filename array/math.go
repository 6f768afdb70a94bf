package array

// The functions of this file work element by element. Exp, Log, Sin, Cos, Tanh
// and Pow are within 2 units in the last place, Sqrt is exact, the others are as
// accurate as the standard library's.

// FloatOrComplex are the types that the functions of math work on; those that
// complex numbers have.
type FloatOrComplex interface{ float64 | float32 | complex128 }

// Sqrt is the square root; NaN below 0.
func Sqrt[T FloatOrComplex](a Array[T]) Array[T] { return op1[T, T]("Sqrt", "sqrt", a.node()) }

// Cbrt is the cube root.
func Cbrt[T Float](a Array[T]) Array[T] { return op1[T, T]("Cbrt", "cbrt", a.node()) }

// Exp is e to the power of a.
func Exp[T FloatOrComplex](a Array[T]) Array[T] { return op1[T, T]("Exp", "exp", a.node()) }

// Exp2 is 2 to the power of a.
func Exp2[T Float](a Array[T]) Array[T] { return op1[T, T]("Exp2", "exp2", a.node()) }

// Expm1 is e to the power of a, less 1, exact near 0.
func Expm1[T Float](a Array[T]) Array[T] { return op1[T, T]("Expm1", "expm1", a.node()) }

// Log is the natural logarithm.
func Log[T FloatOrComplex](a Array[T]) Array[T] { return op1[T, T]("Log", "log", a.node()) }

// Log2 is the logarithm to the base 2.
func Log2[T Float](a Array[T]) Array[T] { return op1[T, T]("Log2", "log2", a.node()) }

// Log10 is the logarithm to the base 10.
func Log10[T Float](a Array[T]) Array[T] { return op1[T, T]("Log10", "log10", a.node()) }

// Log1p is the logarithm of 1 + a, exact near 0.
func Log1p[T Float](a Array[T]) Array[T] { return op1[T, T]("Log1p", "log1p", a.node()) }

// Sin is the sine of radians.
func Sin[T FloatOrComplex](a Array[T]) Array[T] { return op1[T, T]("Sin", "sin", a.node()) }

// Cos is the cosine of radians.
func Cos[T FloatOrComplex](a Array[T]) Array[T] { return op1[T, T]("Cos", "cos", a.node()) }

// Tan is the tangent of radians.
func Tan[T Float](a Array[T]) Array[T] { return op1[T, T]("Tan", "tan", a.node()) }

// Asin is the arc sine; np.arcsin.
func Asin[T Float](a Array[T]) Array[T] { return op1[T, T]("Asin", "arcsin", a.node()) }

// Acos is the arc cosine; np.arccos.
func Acos[T Float](a Array[T]) Array[T] { return op1[T, T]("Acos", "arccos", a.node()) }

// Atan is the arc tangent; np.arctan.
func Atan[T Float](a Array[T]) Array[T] { return op1[T, T]("Atan", "arctan", a.node()) }

// Sinh is the hyperbolic sine.
func Sinh[T Float](a Array[T]) Array[T] { return op1[T, T]("Sinh", "sinh", a.node()) }

// Cosh is the hyperbolic cosine.
func Cosh[T Float](a Array[T]) Array[T] { return op1[T, T]("Cosh", "cosh", a.node()) }

// Tanh is the hyperbolic tangent.
func Tanh[T FloatOrComplex](a Array[T]) Array[T] { return op1[T, T]("Tanh", "tanh", a.node()) }

// Asinh is the inverse hyperbolic sine; np.arcsinh.
func Asinh[T Float](a Array[T]) Array[T] { return op1[T, T]("Asinh", "arcsinh", a.node()) }

// Acosh is the inverse hyperbolic cosine; np.arccosh.
func Acosh[T Float](a Array[T]) Array[T] { return op1[T, T]("Acosh", "arccosh", a.node()) }

// Atanh is the inverse hyperbolic tangent; np.arctanh.
func Atanh[T Float](a Array[T]) Array[T] { return op1[T, T]("Atanh", "arctanh", a.node()) }

// Floor is the largest whole number that is not larger.
func Floor[T Float](a Array[T]) Array[T] { return op1[T, T]("Floor", "floor", a.node()) }

// Ceil is the smallest whole number that is not smaller.
func Ceil[T Float](a Array[T]) Array[T] { return op1[T, T]("Ceil", "ceil", a.node()) }

// Trunc is the whole number towards 0.
func Trunc[T Float](a Array[T]) Array[T] { return op1[T, T]("Trunc", "trunc", a.node()) }

// Round is the nearest whole number, the even one of two.
func Round[T Float](a Array[T]) Array[T] { return op1[T, T]("Round", "round", a.node()) }

// Atan2 is the angle of the point (x, y), from -pi to pi; np.arctan2.
func Atan2[T Float](y, x Array[T]) Array[T] { return op2[T, T]("Atan2", "arctan2", y.node(), x.node()) }

// Hypot is the length of (a, b), without overflow on the way.
func Hypot[T Float](a, b Array[T]) Array[T] { return op2[T, T]("Hypot", "hypot", a.node(), b.node()) }

// IsNaN tells where a is not a number.
func IsNaN[T Float](a Array[T]) Array[bool] { return op1[T, bool]("IsNaN", "isnan", a.node()) }

// IsInf tells where a is infinite, of either sign.
func IsInf[T Float](a Array[T]) Array[bool] { return op1[T, bool]("IsInf", "isinf", a.node()) }

// IsFinite tells where a is neither NaN nor infinite.
func IsFinite[T Float](a Array[T]) Array[bool] { return op1[T, bool]("IsFinite", "isfinite", a.node()) }
