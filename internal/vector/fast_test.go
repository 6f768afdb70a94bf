package vector

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
)

// The tests of this file turn the fast path off and on, so they are not
// parallel; Go runs them before those that are.

// values fills s with all sorts: edges, any bits, and everyday numbers.
func values[T Element](r *rand.Rand, s []T) {
	for i := range s {
		switch p := any(&s[i]).(type) {
		case *float64:
			switch r.IntN(4) {
			case 0:
				*p = edges[r.IntN(len(edges))]
			case 1:
				*p = math.Float64frombits(r.Uint64())
			default:
				*p = r.NormFloat64() * 10
			}
		case *float32:
			switch r.IntN(4) {
			case 0:
				*p = float32(edges[r.IntN(len(edges))])
			case 1:
				*p = math.Float32frombits(r.Uint32())
			default:
				*p = float32(r.NormFloat64()) * 10
			}
		case *int64:
			*p = int64(r.Uint64()) >> r.IntN(64)
		case *int32:
			*p = int32(r.Uint32()) >> r.IntN(32)
		case *uint8:
			*p = uint8(r.Uint32())
		case *bool:
			*p = r.IntN(2) == 0
		case *complex128:
			*p = complex(r.NormFloat64(), r.NormFloat64())
		}
	}
}

// bitsOf prints a value so that equal text is equal bits, NaN aside.
func bitsOf[T Element](v T) string {
	switch v := any(v).(type) {
	case float64:
		if v != v {
			return "NaN"
		}
		return fmt.Sprintf("%x", v)
	case float32:
		if v != v {
			return "NaN"
		}
		return fmt.Sprintf("%x", v)
	}
	return fmt.Sprint(v)
}

// twin runs f with and without the fast path and compares all bits. f writes
// its results to out.
func twin[T, D Element](t *testing.T, name string, f func(out []D, a, b []T, mask []bool, s T)) {
	t.Helper()
	if !fast {
		t.Skip("NOT TESTED: this CPU has no fast path to compare with")
	}
	defer func() { fast = true }()
	r := rand.New(rand.NewPCG(7, uint64(len(name))))
	for _, n := range []int{0, 1, 3, 4, 7, 8, 15, 16, 31, 33, 64, 100, 127, 128, 129, 200, 256, 513, 1000, 2048, 3000} {
		// An odd start, so that nothing is aligned.
		a, b, mask := make([]T, n+1)[1:], make([]T, n+1)[1:], make([]bool, n+1)[1:]
		values(r, a)
		values(r, b)
		values(r, mask)
		one := make([]T, 1)
		values(r, one)
		var out [2][]D
		for i := range out {
			out[i] = make([]D, n+2)
			fast = i == 0
			f(out[i][1:n+1], a, b, mask, one[0])
		}
		for i := range out[0] {
			if x, y := bitsOf(out[0][i]), bitsOf(out[1][i]); x != y {
				at := max(0, min(i-1, n-1))
				t.Fatalf("%s of %d, element %d: fast %s, Go %s; a %v, b %v, mask %v, s %v", name, n, i-1, x, y, a[at], b[at], mask[at], one[0])
			}
		}
	}
}

func arithmetic[T Real](t *testing.T) {
	n := fmt.Sprintf("%T ", *new(T))
	two := func(name string, f func(dst, a, b []T)) {
		twin(t, n+name, func(out, a, b []T, _ []bool, _ T) { f(out, a, b) })
		twin(t, n+name+" in place", func(out, a, b []T, _ []bool, _ T) { copy(out, a); f(out, out, b) })
	}
	scalar := func(name string, f func(dst, a []T, s T)) {
		twin(t, n+name, func(out, a, _ []T, _ []bool, s T) { f(out, a, s) })
	}
	two("Add", Add)
	two("Sub", Sub)
	two("Mul", Mul)
	two("Min", Min)
	two("Max", Max)
	two("Where", func(dst, a, b []T) {
		m := make([]bool, len(dst))
		Less(m, a, b)
		Where(dst, m, a, b)
	})
	scalar("AddScalar", AddScalar)
	scalar("SubScalar", SubScalar)
	scalar("MulScalar", MulScalar)
	scalar("MinScalar", MinScalar)
	scalar("MaxScalar", MaxScalar)
	scalar("ScalarSub", func(dst, a []T, s T) { ScalarSub(dst, s, a) })
	scalar("Neg", func(dst, a []T, _ T) { Neg(dst, a) })
	scalar("Abs", func(dst, a []T, _ T) { Abs(dst, a) })
	scalar("Sum", func(dst, a []T, _ T) { Fill(dst, Sum(a)) })
	scalar("SumSquares", func(dst, a []T, s T) { Fill(dst, SumSquares(a, s)) })
	scalar("Stream", func(dst, a []T, _ T) { Stream(dst, a) })
	two("Dot", func(dst, a, b []T) { Fill(dst, Dot(a, b)) })
	for name, f := range map[string]func([]bool, []T, []T){"Equal": Equal[T], "NotEqual": NotEqual[T], "Less": Less[T], "LessEqual": LessEqual[T], "Greater": Greater[T], "GreaterEqual": GreaterEqual[T]} {
		twin(t, n+name, func(out []bool, a, b []T, _ []bool, _ T) { f(out, a, b) })
	}
	for name, f := range map[string]func([]bool, []T, T){"EqualScalar": EqualScalar[T], "NotEqualScalar": NotEqualScalar[T], "LessScalar": LessScalar[T], "LessEqualScalar": LessEqualScalar[T], "GreaterScalar": GreaterScalar[T], "GreaterEqualScalar": GreaterEqualScalar[T]} {
		twin(t, n+name, func(out []bool, a, _ []T, _ []bool, s T) { f(out, a, s) })
	}
	twin(t, n+"to float64", func(out []float64, a, _ []T, _ []bool, _ T) { Cast(out, a) })
	twin(t, n+"to float32", func(out []float32, a, _ []T, _ []bool, _ T) { Cast(out, a) })
}

func mathematics[T Float](t *testing.T) {
	n := fmt.Sprintf("%T ", *new(T))
	for name, f := range map[string]func(dst, a []T){
		"Sqrt": Sqrt[T], "Exp": Exp[T], "Log": Log[T], "Sin": Sin[T], "Cos": Cos[T], "Tanh": Tanh[T],
		"Floor": Floor[T], "Ceil": Ceil[T], "Trunc": Trunc[T], "Round": Round[T],
	} {
		twin(t, n+name, func(out, a, _ []T, _ []bool, _ T) { f(out, a) })
		// Numbers that the kernels take, and many of them.
		twin(t, n+name+", everyday", func(out, a, _ []T, _ []bool, _ T) {
			r := rand.New(rand.NewPCG(9, 9))
			for i := range a {
				a[i] = T(r.ExpFloat64() * 5)
			}
			f(out, a)
		})
	}
	for name, f := range map[string]func(dst, a, b []T){"Div": Div[T], "Pow": Pow[T]} {
		twin(t, n+name, func(out, a, b []T, _ []bool, _ T) { f(out, a, b) })
		twin(t, n+name+", everyday", func(out, a, b []T, _ []bool, _ T) {
			r := rand.New(rand.NewPCG(9, 9))
			for i := range a {
				a[i], b[i] = T(r.ExpFloat64()*5), T(r.NormFloat64()*3)
			}
			f(out, a, b)
		})
	}
	for name, f := range map[string]func(dst, a []T, s T){
		"DivScalar": DivScalar[T], "ScalarDiv": func(dst, a []T, s T) { ScalarDiv(dst, s, a) }, "PowScalar": PowScalar[T],
		"PowScalar 2": func(dst, a []T, s T) { PowScalar(dst, a, 2) },
	} {
		twin(t, n+name, func(out, a, _ []T, _ []bool, s T) { f(out, a, s) })
	}
	twin(t, n+"IsNaN", func(out []bool, a, _ []T, _ []bool, _ T) { IsNaN(out, a) })
}

func TestFastIsTheSame(t *testing.T) {
	t.Run("float64", arithmetic[float64])
	t.Run("float32", arithmetic[float32])
	t.Run("int64", arithmetic[int64])
	t.Run("int32", arithmetic[int32])
	t.Run("uint8", arithmetic[uint8])
	t.Run("math float64", mathematics[float64])
	t.Run("math float32", mathematics[float32])
	t.Run("bool", func(t *testing.T) {
		for name, f := range map[string]func(dst, a, b []bool){"And": And, "Or": Or, "Xor": Xor, "Not": func(dst, a, _ []bool) { Not(dst, a) }, "Where": func(dst, a, b []bool) { Where(dst, a, b, a) }} {
			twin(t, name, func(out, a, b, _ []bool, _ bool) { f(out, a, b) })
		}
	})
}

// Nothing is written past the end of dst, or allocated.
func TestFastAllocatesNothing(t *testing.T) {
	a, b := make([]float64, 1000), make([]float64, 1000)
	f := make([]float32, 1000)
	m := make([]bool, 1000)
	if n := testing.AllocsPerRun(10, func() {
		Add(a, a, b)
		AddScalar(a, a, 2)
		Exp(a, a)
		Exp(f, f)
		PowScalar(a, a, 3)
		Less(m, a, b)
		Where(a, m, a, b)
		a[0] = Sum(a) + Dot(a, b) + SumSquares(a, 1)
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
