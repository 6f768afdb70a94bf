package vector

import (
	"math"
	"math/big"
	"math/rand/v2"
	"testing"
)

// bound is what the package comment promises.
const bound = 2.0

var edges = []float64{
	0, math.Copysign(0, -1), 1, -1, 0.5, 2, math.Pi, math.Pi / 2, 355, 1e6, 1 << 20, 1<<20 + 0.5, 1e15, 1e300,
	math.MaxFloat64, -math.MaxFloat64, math.SmallestNonzeroFloat64, -math.SmallestNonzeroFloat64, 0x1p-1022, 0x1.fffffffffffffp-1023,
	0x1p-30, -0x1p-30, 709.782712893384, 709.782712893385, 710, -708.3964185322641, -745.1332191019411, -745.1332191019412, -746, 1000, -1000,
	math.Inf(1), math.Inf(-1), math.NaN(), math.Nextafter(1, 0), math.Nextafter(1, 2), math.Sqrt2, math.Sqrt2 / 2, math.Ln2, 0.34657359027997264, 22, 22.5, 0.1,
}

// worst checks f at what at gives, against reference, and tells the largest
// error.
func worst(t *testing.T, name string, n int, seed uint64, at func(r *rand.Rand) float64, f func(dst, a []float64), reference func(x float64) *big.Float) {
	t.Helper()
	r := rand.New(rand.NewPCG(seed, 1))
	x := make([]float64, n)
	for i := range x {
		x[i] = at(r)
	}
	got := make([]float64, n)
	f(got, x)
	most, where := 0.0, 0.0
	for i, v := range x {
		if e := ulps(got[i], reference(v)); e > most {
			most, where = e, v
		}
	}
	t.Logf("%s: at most %.3f ulp, at %v", name, most, where)
	if most > bound {
		t.Errorf("%s is %v ulp off at %v (%x)", name, most, where, where)
	}
}

func uniform(low, high float64) func(*rand.Rand) float64 {
	return func(r *rand.Rand) float64 { return low + (high-low)*r.Float64() }
}

// bits is any finite number with an exponent in the range.
func anyBits(low, high int, negative bool) func(*rand.Rand) float64 {
	return func(r *rand.Rand) float64 {
		v := math.Ldexp(1+r.Float64(), low+r.IntN(high-low+1))
		if negative && r.IntN(2) == 0 {
			v = -v
		}
		return v
	}
}

func TestExpAccuracy(t *testing.T) {
	t.Parallel()
	ref := func(x float64) *big.Float { return bigExp(bigf(x)) }
	worst(t, "exp near 0", 3000, 1, uniform(-1, 1), Exp, ref)
	worst(t, "exp", 3000, 2, uniform(-708, 709.7), Exp, ref)
	worst(t, "exp, subnormal", 2000, 3, uniform(-745, -708), Exp, ref)
	worst(t, "exp, tiny", 1000, 4, anyBits(-1074, -1, true), Exp, ref)
}

func TestLogAccuracy(t *testing.T) {
	t.Parallel()
	worst(t, "log near 1", 3000, 1, uniform(0.5, 2), Log, bigLog)
	worst(t, "log very near 1", 2000, 2, func(r *rand.Rand) float64 { return 1 + anyBits(-52, -5, true)(r) }, Log, bigLog)
	worst(t, "log", 3000, 3, anyBits(-1022, 1023, false), Log, bigLog)
	worst(t, "log, subnormal", 1000, 4, func(r *rand.Rand) float64 { return math.Float64frombits(1 + r.Uint64N(1<<52-1)) }, Log, bigLog)
}

func TestSinCosAccuracy(t *testing.T) {
	t.Parallel()
	sin := func(x float64) *big.Float { s, _ := bigSinCos(x); return s }
	cos := func(x float64) *big.Float { _, c := bigSinCos(x); return c }
	// Near multiples of pi/2 all but the rest cancels.
	near := func(most int64) func(*rand.Rand) float64 {
		return func(r *rand.Rand) float64 {
			p := new(big.Float).SetPrec(1500).Mul(bigPi, big.NewFloat(float64(r.Int64N(most))/2))
			v, _ := p.Float64()
			for range r.IntN(3) {
				v = math.Nextafter(v, 0)
			}
			return v
		}
	}
	for _, f := range []struct {
		name string
		f    func(dst, a []float64)
		ref  func(float64) *big.Float
	}{{"sin", Sin[float64], sin}, {"cos", Cos[float64], cos}} {
		worst(t, f.name+" near 0", 2000, 1, uniform(-1, 1), f.f, f.ref)
		worst(t, f.name, 2000, 2, uniform(-1000, 1000), f.f, f.ref)
		worst(t, f.name+" to 2^20", 2000, 3, uniform(-trigFast, trigFast), f.f, f.ref)
		worst(t, f.name+" near multiples", 2000, 4, near(600000), f.f, f.ref)
		worst(t, f.name+" near large multiples", 1000, 5, near(1<<52), f.f, f.ref)
		worst(t, f.name+", any", 2000, 6, anyBits(-1022, 1023, true), f.f, f.ref)
		worst(t, f.name+", tiny", 500, 7, anyBits(-1074, -20, true), f.f, f.ref)
	}
	// The float64 nearest to a multiple of pi/2 of all (Kahan): 6381956970095103 * 2^797.
	worst(t, "cos at the nearest", 4, 8, func(*rand.Rand) float64 { return math.Ldexp(6381956970095103, 797) }, Cos[float64], cos)
}

func TestTanhAccuracy(t *testing.T) {
	t.Parallel()
	worst(t, "tanh near 0", 4000, 1, uniform(-1, 1), Tanh, bigTanh)
	worst(t, "tanh", 3000, 2, uniform(-23, 23), Tanh, bigTanh)
	worst(t, "tanh, small", 2000, 3, anyBits(-60, 0, true), Tanh, bigTanh)
}

func TestPowAccuracy(t *testing.T) {
	t.Parallel()
	check := func(name string, n int, x func(*rand.Rand) float64, y func(r *rand.Rand, x float64) float64) {
		r := rand.New(rand.NewPCG(uint64(n), 2))
		xs, ys := make([]float64, n), make([]float64, n)
		for i := range xs {
			xs[i] = x(r)
			ys[i] = y(r, xs[i])
		}
		got := make([]float64, n)
		Pow(got, xs, ys)
		most, at := 0.0, 0
		for i := range xs {
			if e := ulps(got[i], bigPow(xs[i], ys[i])); e > most {
				most, at = e, i
			}
		}
		t.Logf("%s: at most %.3f ulp, at %v, %v", name, most, xs[at], ys[at])
		if most > bound {
			t.Errorf("%s: pow(%v, %v) = %v is %v ulp off", name, xs[at], ys[at], got[at], most)
		}
	}
	// All results: y such that x^y is anywhere from 2^-1080 to 2^1030.
	whole := func(r *rand.Rand, x float64) float64 { return (-1080 + 2110*r.Float64()) / math.Log2(x) }
	check("pow, any result", 4000, anyBits(-1022, 1023, false), whole)
	check("pow near 1", 3000, func(r *rand.Rand) float64 { return 1 + anyBits(-40, -3, true)(r) }, whole)
	check("pow, subnormal", 1000, func(r *rand.Rand) float64 { return math.Float64frombits(1 + r.Uint64N(1<<52-1)) }, whole)
	check("pow, small", 2000, uniform(0.1, 10), func(r *rand.Rand, _ float64) float64 { return -5 + 10*r.Float64() })
}

// For float32 the float64 result is rounded once more.
func TestFloat32Accuracy(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(5, 5))
	x := make([]float32, 4000)
	for i := range x {
		x[i] = float32(-80 + 160*r.Float64())
	}
	got := make([]float32, len(x))
	Exp(got, x)
	for i, v := range x {
		want, _ := bigExp(bigf(float64(v))).Float32()
		if got[i] != want && got[i] != math.Nextafter32(want, 0) && got[i] != math.Nextafter32(want, 1e38) {
			t.Errorf("exp(%v) = %v, want %v", v, got[i], want)
		}
	}
}

func same(a, b float64) bool {
	return a == b && math.Signbit(a) == math.Signbit(b) || a != a && b != b
}

// Special values are those of the standard library, which has C's.
func TestSpecialValues(t *testing.T) {
	t.Parallel()
	inf := math.Inf(1)
	special := []float64{0, math.Copysign(0, -1), 1, -1, inf, -inf, math.NaN()}
	for name, f := range map[string]struct {
		got  func(dst, a []float64)
		want func(float64) float64
	}{
		"exp": {Exp[float64], math.Exp}, "log": {Log[float64], math.Log}, "sin": {Sin[float64], math.Sin}, "cos": {Cos[float64], math.Cos}, "tanh": {Tanh[float64], math.Tanh}, "sqrt": {Sqrt[float64], math.Sqrt},
	} {
		got := make([]float64, len(special))
		f.got(got, special)
		for i, x := range special {
			if x == 1 || x == -1 {
				continue
			}
			if !same(got[i], f.want(x)) {
				t.Errorf("%s(%v) = %v, want %v", name, x, got[i], f.want(x))
			}
		}
	}
	more := append([]float64{2, 3, -2, -3, 0.5, -0.5, 1e300, -1e300, 1 << 53, -(1<<53 + 2), 1e-310}, special...)
	for _, x := range more {
		for _, y := range more {
			got := make([]float64, 1)
			Pow(got, []float64{x}, []float64{y})
			want := math.Pow(x, y)
			if !same(got[0], want) && (math.IsInf(want, 0) || want == 0 || want != want || math.Abs(got[0]-want) > 1e-14*math.Abs(want)) {
				t.Errorf("pow(%v, %v) = %v, want %v", x, y, got[0], want)
			}
		}
	}
}

// The table of 2/pi is 2/pi.
func TestInverseHalfPi(t *testing.T) {
	t.Parallel()
	q := new(big.Float).SetPrec(1400).Quo(big.NewFloat(2).SetPrec(1400), new(big.Float).SetPrec(1400).Set(bigPi))
	n, _ := q.SetMantExp(q, 64*(len(inverseHalfPi)-1)).Int(nil)
	for i := len(inverseHalfPi) - 1; i >= 0; i-- {
		if got := new(big.Int).And(n, new(big.Int).SetUint64(math.MaxUint64)).Uint64(); got != inverseHalfPi[i] {
			t.Errorf("word %d is %#x, want %#x", i, inverseHalfPi[i], got)
		}
		n.Rsh(n, 64)
	}
}
