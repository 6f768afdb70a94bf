package array

// elemOp is an operation on elements at the same place. Its inputs have its
// shape.
type elemOp struct {
	code string
	of   kind // which kernel: the kind of the operands
}

func (o elemOp) name() string { return o.code }

// kernel is the loop of the operation.
func (o elemOp) kernel(to kind) kernel {
	if o.code == "astype" {
		return castKernels[o.of][to]
	}
	return kernels[kernelKey(o)]
}

// costs are those of operations on an element, in additions; 1 if not named.
var costs = map[string]int{
	"exp": 8, "exp2": 10, "expm1": 12, "log": 8, "log2": 10, "log10": 10, "log1p": 12, "cbrt": 12, "sin": 8, "cos": 8, "tan": 12,
	"arcsin": 12, "arccos": 12, "arctan": 12, "sinh": 12, "cosh": 12, "tanh": 8, "arcsinh": 15, "arccosh": 15, "arctanh": 15,
	"power": 20, "arctan2": 20, "hypot": 8, "floor_divide": 6, "remainder": 6, "divide": 2, "sqrt": 2,
}

// op2 makes an operation on two arrays.
func op2[T, R Elem](call, code string, a, b *node) Array[R] {
	k, to := kindOf[T](), kindOf[R]()
	ns, bad := broadcast(call, to, a, b)
	if bad != nil {
		return Array[R]{bad}
	}
	if _, ok := kernels[kernelKey{code, k}]; !ok {
		return Array[R]{fail(call, to, noKernel(code, k))}
	}
	return Array[R]{derive(to, ns[0].shape, elemOp{code, k}, ns...)}
}

// noKernel says what to do in place of an operation that a type does not have.
func noKernel(code string, k kind) error {
	mend := "Cast it first"
	switch {
	case code == "divide" && k.whole():
		mend = "use FloorDiv, or Cast both to float64 first, which is what NumPy does"
	case k == boolean:
		mend = "use And, Or, Xor or Not, or Cast it first"
	case k == c128:
		mend = "complex numbers have no order; use Modulus, RealPart or ImagPart"
	case k.whole():
		mend = "Cast it to float64 first"
	}
	return typeError("there is no %s of %s; %s", code, k, mend)
}

// op1 makes an operation on one array.
func op1[T, R Elem](call, code string, a *node) Array[R] {
	to := kindOf[R]()
	if a.err != nil {
		return Array[R]{&node{kind: to, err: a.err}}
	}
	k := kindOf[T]()
	if _, ok := kernels[kernelKey{code, k}]; !ok {
		return Array[R]{fail(call, to, noKernel(code, k))}
	}
	return Array[R]{derive(to, a.shape, elemOp{code, k}, a)}
}

// mathOf is op1 where the kind of the operand is that of the node.
func mathOf[R Elem](code string, a *node, to kind) Array[R] {
	return Array[R]{derive(to, a.shape, elemOp{code, a.kind}, a)}
}

// Add is a + b, with b's shape and a's broadcast to one. Whole numbers wrap.
func (a Array[T]) Add(b Array[T]) Array[T] { return op2[T, T]("Add", "add", a.node(), b.node()) }

// Sub is a - b.
func (a Array[T]) Sub(b Array[T]) Array[T] { return op2[T, T]("Sub", "subtract", a.node(), b.node()) }

// Mul is a * b, element by element.
func (a Array[T]) Mul(b Array[T]) Array[T] { return op2[T, T]("Mul", "multiply", a.node(), b.node()) }

// Div is a / b. Whole numbers have none: FloorDiv them, or Cast them first.
func (a Array[T]) Div(b Array[T]) Array[T] { return op2[T, T]("Div", "divide", a.node(), b.node()) }

// FloorDiv is a / b rounded down; a whole number by zero is 0, as in NumPy.
func (a Array[T]) FloorDiv(b Array[T]) Array[T] {
	return op2[T, T]("FloorDiv", "floor_divide", a.node(), b.node())
}

// Mod is what FloorDiv leaves; it has the sign of b. A whole number by zero is
// 0, as in NumPy.
func (a Array[T]) Mod(b Array[T]) Array[T] { return op2[T, T]("Mod", "remainder", a.node(), b.node()) }

// Minimum is the smaller of each pair, NaN if one is; np.minimum.
func (a Array[T]) Minimum(b Array[T]) Array[T] {
	return op2[T, T]("Minimum", "minimum", a.node(), b.node())
}

// Maximum is the larger of each pair, NaN if one is; np.maximum.
func (a Array[T]) Maximum(b Array[T]) Array[T] {
	return op2[T, T]("Maximum", "maximum", a.node(), b.node())
}

// Pow is a to the power of b, of floats.
func (a Array[T]) Pow(b Array[T]) Array[T] { return op2[T, T]("Pow", "power", a.node(), b.node()) }

// The methods with S at the end take one value in place of the second array.

// AddS is a + s.
func (a Array[T]) AddS(s T) Array[T] { return a.Add(scalar(s)) }

// SubS is a - s.
func (a Array[T]) SubS(s T) Array[T] { return a.Sub(scalar(s)) }

// RSubS is s - a.
func (a Array[T]) RSubS(s T) Array[T] { return scalar(s).Sub(a) }

// MulS is a * s.
func (a Array[T]) MulS(s T) Array[T] { return a.Mul(scalar(s)) }

// DivS is a / s.
func (a Array[T]) DivS(s T) Array[T] { return a.Div(scalar(s)) }

// RDivS is s / a.
func (a Array[T]) RDivS(s T) Array[T] { return scalar(s).Div(a) }

// FloorDivS is a / s rounded down.
func (a Array[T]) FloorDivS(s T) Array[T] { return a.FloorDiv(scalar(s)) }

// ModS is what FloorDivS leaves.
func (a Array[T]) ModS(s T) Array[T] { return a.Mod(scalar(s)) }

// PowS is a to the power of s, of floats. The powers 2, 1/2 and -1 are a
// product, a square root and a division.
func (a Array[T]) PowS(s T) Array[T] {
	if a.node().kind.float() {
		switch any(s) {
		case 2.0, float32(2):
			return op1[T, T]("PowS", "square", a.node())
		case -1.0, float32(-1):
			var one any = 1.0
			if a.node().kind == f32 {
				one = float32(1)
			}
			return a.RDivS(one.(T))
		}
	}
	return a.Pow(scalar(s))
}

// Neg is -a.
func (a Array[T]) Neg() Array[T] { return op1[T, T]("Neg", "negative", a.node()) }

// Abs is the absolute value; of complex numbers see Modulus.
func (a Array[T]) Abs() Array[T] {
	if n := a.node(); n.err == nil && n.kind == c128 {
		return Array[T]{fail("Abs", c128, typeError("the absolute values of complex128 are float64; use array.Modulus"))}
	}
	return op1[T, T]("Abs", "absolute", a.node())
}

// Sign is -1, 0 or 1.
func (a Array[T]) Sign() Array[T] { return op1[T, T]("Sign", "sign", a.node()) }

// Square is a * a.
func (a Array[T]) Square() Array[T] { return op1[T, T]("Square", "square", a.node()) }

// Eq tells where a == b.
func (a Array[T]) Eq(b Array[T]) Array[bool] { return op2[T, bool]("Eq", "equal", a.node(), b.node()) }

// Ne tells where a != b; NaN differs from all.
func (a Array[T]) Ne(b Array[T]) Array[bool] {
	return op2[T, bool]("Ne", "not_equal", a.node(), b.node())
}

// Lt tells where a < b.
func (a Array[T]) Lt(b Array[T]) Array[bool] { return op2[T, bool]("Lt", "less", a.node(), b.node()) }

// Le tells where a <= b.
func (a Array[T]) Le(b Array[T]) Array[bool] {
	return op2[T, bool]("Le", "less_equal", a.node(), b.node())
}

// Gt tells where a > b.
func (a Array[T]) Gt(b Array[T]) Array[bool] {
	return op2[T, bool]("Gt", "greater", a.node(), b.node())
}

// Ge tells where a >= b.
func (a Array[T]) Ge(b Array[T]) Array[bool] {
	return op2[T, bool]("Ge", "greater_equal", a.node(), b.node())
}

// EqS tells where a == s.
func (a Array[T]) EqS(s T) Array[bool] { return a.Eq(scalar(s)) }

// NeS tells where a != s.
func (a Array[T]) NeS(s T) Array[bool] { return a.Ne(scalar(s)) }

// LtS tells where a < s.
func (a Array[T]) LtS(s T) Array[bool] { return a.Lt(scalar(s)) }

// LeS tells where a <= s.
func (a Array[T]) LeS(s T) Array[bool] { return a.Le(scalar(s)) }

// GtS tells where a > s.
func (a Array[T]) GtS(s T) Array[bool] { return a.Gt(scalar(s)) }

// GeS tells where a >= s.
func (a Array[T]) GeS(s T) Array[bool] { return a.Ge(scalar(s)) }

// And is a && b, of bools.
func (a Array[T]) And(b Array[T]) Array[T] {
	return op2[T, T]("And", "logical_and", a.node(), b.node())
}

// Or is a || b, of bools.
func (a Array[T]) Or(b Array[T]) Array[T] { return op2[T, T]("Or", "logical_or", a.node(), b.node()) }

// Xor is whether one of a and b is true, of bools.
func (a Array[T]) Xor(b Array[T]) Array[T] {
	return op2[T, T]("Xor", "logical_xor", a.node(), b.node())
}

// Not is !a, of bools.
func (a Array[T]) Not() Array[T] { return op1[T, T]("Not", "logical_not", a.node()) }

// Clip is a, but at least lo and at most hi; NaN stays.
func (a Array[T]) Clip(lo, hi T) Array[T] { return a.Maximum(scalar(lo)).Minimum(scalar(hi)) }

// Where has the elements of a where mask is true, those of b elsewhere. All
// three are broadcast to one shape.
func Where[T Elem](mask Array[bool], a, b Array[T]) Array[T] {
	k := kindOf[T]()
	ns, bad := broadcast("Where", k, mask.node(), a.node(), b.node())
	if bad != nil {
		return Array[T]{bad}
	}
	return Array[T]{derive(k, ns[0].shape, elemOp{"where", k}, ns...)}
}

// Cast converts the elements, as astype. It costs next to nothing: what it is
// used in converts as it goes. A float that a whole number cannot hold becomes
// the smallest int64 or int32; for uint8 the low byte of that int64. To bool is
// whether it is not zero. Of complex128 the imaginary part is dropped.
func Cast[R, T Elem](a Array[T]) Array[R] {
	n, to := a.node(), kindOf[R]()
	if n.err != nil {
		return Array[R]{&node{kind: to, err: n.err}}
	}
	if n.kind == to {
		return Array[R]{n}
	}
	return Array[R]{derive(to, n.shape, elemOp{"astype", n.kind}, n)}
}
