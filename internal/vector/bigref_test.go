package vector

import (
	"math"
	"math/big"
)

// References with 300 bits, by plain series.
const precision = 300

func bigf(x float64) *big.Float { return new(big.Float).SetPrec(precision).SetFloat64(x) }

func newf() *big.Float { return new(big.Float).SetPrec(precision) }

var (
	bigPi  = machin()
	bigLn2 = bigLog1(bigf(2))
)

// machin is pi = 16 atan(1/5) - 4 atan(1/239), with bits for large arguments.
func machin() *big.Float {
	const bits = 1500
	atan := func(n int64) *big.Int {
		t := new(big.Int).Lsh(big.NewInt(1), bits)
		t.Div(t, big.NewInt(n))
		sum := new(big.Int)
		sq := big.NewInt(n * n)
		for k := int64(1); t.Sign() != 0; k += 2 {
			term := new(big.Int).Div(t, big.NewInt(k))
			if k%4 == 1 {
				sum.Add(sum, term)
			} else {
				sum.Sub(sum, term)
			}
			t.Div(t, sq)
		}
		return sum
	}
	p := new(big.Int).Mul(atan(5), big.NewInt(16))
	p.Sub(p, new(big.Int).Mul(atan(239), big.NewInt(4)))
	f := new(big.Float).SetPrec(bits).SetInt(p)
	return f.SetMantExp(f, -bits)
}

// bigLog1 is log(x) for an x near 1 to 2: 2 atanh((x-1)/(x+1)).
func bigLog1(x *big.Float) *big.Float {
	s := newf().Quo(newf().Sub(x, bigf(1)), newf().Add(x, bigf(1)))
	z := newf().Mul(s, s)
	sum, t := newf(), newf().Set(s)
	for k := 1.0; t.Sign() != 0 && t.MantExp(nil) > s.MantExp(nil)-precision; k += 2 {
		sum.Add(sum, newf().Quo(t, bigf(k)))
		t.Mul(t, z)
	}
	return sum.Mul(sum, bigf(2))
}

func bigLog(x float64) *big.Float {
	m, e := math.Frexp(x)
	if m < math.Sqrt2/2 {
		m, e = 2*m, e-1
	}
	l := bigLog1(bigf(m))
	return l.Add(l, newf().Mul(bigf(float64(e)), bigLn2))
}

func bigExp(x *big.Float) *big.Float {
	if x.Sign() == 0 {
		return bigf(1)
	}
	q, _ := newf().Quo(x, bigLn2).Float64()
	n := int(math.Round(q))
	r := newf().Sub(x, newf().Mul(bigf(float64(n)), bigLn2))
	r.SetMantExp(r, -10)
	sum, t := bigf(1), bigf(1)
	for k := 1.0; ; k++ {
		t.Quo(t.Mul(t, r), bigf(k))
		if t.Sign() == 0 || t.MantExp(nil) < -precision-20 {
			break
		}
		sum.Add(sum, t)
	}
	for range 10 {
		sum.Mul(sum, sum)
	}
	return sum.SetMantExp(sum, n)
}

// bigSinCos reduces with all bits of pi.
func bigSinCos(x float64) (sin, cos *big.Float) {
	const wide = 1500
	half := new(big.Float).SetPrec(wide).Quo(bigPi, big.NewFloat(2))
	q := new(big.Float).SetPrec(wide).Quo(new(big.Float).SetPrec(wide).SetFloat64(x), half)
	n, _ := q.Add(q, big.NewFloat(math.Copysign(0.5, x))).Int(nil)
	r := new(big.Float).SetPrec(wide).Mul(half, new(big.Float).SetPrec(wide).SetInt(n))
	r = newf().Set(r.Sub(new(big.Float).SetPrec(wide).SetFloat64(x), r))
	series := func(t *big.Float, k float64) *big.Float {
		sum := newf()
		z := newf().Mul(r, r)
		for first := t.MantExp(nil); t.Sign() != 0 && t.MantExp(nil) > first-precision; k += 2 {
			sum.Add(sum, t)
			t = newf().Quo(newf().Neg(newf().Mul(t, z)), bigf((k+1)*(k+2)))
		}
		return sum
	}
	s, c := series(newf().Set(r), 1), series(bigf(1), 0)
	switch new(big.Int).And(n, big.NewInt(3)).Int64() {
	case 0:
		return s, c
	case 1:
		return c, s.Neg(s)
	case 2:
		return s.Neg(s), c.Neg(c)
	default:
		return c.Neg(c), s
	}
}

func bigTanh(x float64) *big.Float {
	e := bigExp(newf().Mul(bigf(x), bigf(2)))
	return newf().Quo(newf().Sub(e, bigf(1)), newf().Add(e, bigf(1)))
}

func bigPow(x, y float64) *big.Float { return bigExp(newf().Mul(bigLog(x), bigf(y))) }

// ulps is how far got is from want, in units of the last place of a float64
// near want.
func ulps(got float64, want *big.Float) float64 {
	w, _ := want.Float64()
	if math.IsInf(w, 0) || math.IsInf(got, 0) {
		if got == w {
			return 0
		}
		return math.Inf(1)
	}
	_, e := math.Frexp(w)
	unit := max(e-53, -1074)
	d := newf().Sub(bigf(got), want)
	f, _ := d.SetMantExp(d, -unit).Float64()
	return math.Abs(f)
}
