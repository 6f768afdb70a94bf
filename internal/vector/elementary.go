package vector

import (
	"math"
	"math/bits"
)

// The elementary functions of one number. The assembly does the same
// operations on four numbers at a time; where it cannot (arguments that are
// not normal numbers, or too large), it leaves the four to these.
//
// All reduce the argument to a small one, take a Taylor polynomial long enough
// that its rest is below a tenth of an ulp, and put the result together.
// math.FMA is one instruction on amd64 and arm64.
const (
	// Adding and subtracting round rounds to a whole number, halves to even;
	// between, the low bits of the sum are that number.
	round = 0x1.8p52

	log2e  = 0x1.71547652b82fep+00
	ln2hi  = 0x1.62e42fefa39efp-01 // ln 2 = ln2hi + ln2lo
	ln2lo  = 0x1.abc9e3b39803fp-56
	ln2top = 0x1.62e42fefa38p-01 // ln 2 = ln2top + ln2end; an exponent times ln2top is exact
	ln2end = 0x1.ef35793c7673p-45

	twoOverPi = 0x1.45f306dc9c883p-01
	pio2a     = 0x1.921fb54442d18p+00 // pi/2 = pio2a + pio2b + pio2c
	pio2b     = 0x1.1a62633145c07p-54
	pio2c     = -0x1.f1976b7ed8fbcp-110
	trigFast  = 1 << 20 // up to here pi/2 in three parts is enough

	minNormal = 0x1p-1022
)

// scale is p * 2^n for a whole n from -1076 to 1024: in two steps, as 2^n
// itself may not be a number. t is n + round.
func scale(p, n float64) float64 {
	t1 := math.FMA(n, 0.5, round)
	t2 := n - (t1 - round) + round
	p *= math.Float64frombits((math.Float64bits(t1) + 1023) << 52)
	return p * math.Float64frombits((math.Float64bits(t2)+1023)<<52)
}

// expSum is e^(hi+lo) for hi from -746 to 710 and a small lo.
func expSum(hi, lo float64) float64 {
	n := math.FMA(hi, log2e, round) - round
	r := math.FMA(-n, ln2hi, hi)
	r = math.FMA(-n, ln2lo, r)
	r += lo
	const (
		c2  = 1.0 / 2
		c3  = 1.0 / 6
		c4  = 1.0 / 24
		c5  = 1.0 / 120
		c6  = 1.0 / 720
		c7  = 1.0 / 5040
		c8  = 1.0 / 40320
		c9  = 1.0 / 362880
		c10 = 1.0 / 3628800
		c11 = 1.0 / 39916800
		c12 = 1.0 / 479001600
		c13 = 1.0 / 6227020800
	)
	p := math.FMA(c13, r, c12)
	p = math.FMA(p, r, c11)
	p = math.FMA(p, r, c10)
	p = math.FMA(p, r, c9)
	p = math.FMA(p, r, c8)
	p = math.FMA(p, r, c7)
	p = math.FMA(p, r, c6)
	p = math.FMA(p, r, c5)
	p = math.FMA(p, r, c4)
	p = math.FMA(p, r, c3)
	p = math.FMA(p, r, c2)
	p = math.FMA(p, r, 1)
	p = math.FMA(p, r, 1)
	return scale(p, n)
}

func expOf(x float64) float64 {
	if x > 710 {
		x = 710 // infinity
	}
	if x < -746 {
		x = -746 // 0
	}
	return expSum(x, 0)
}

// split is x = 2^e * (1+f) with 1+f from sqrt(1/2) to sqrt(2), for a positive
// x that is not infinite.
func split(x float64) (e, f float64) {
	e = 0
	if x < minNormal {
		x *= 1 << 54
		e = -54
	}
	b := math.Float64bits(x)
	biased := (b + 0x3ff0000000000000 - 0x3fe6a09e667f3bcd) >> 52
	return e + float64(int64(biased)-1023), math.Float64frombits(b-(biased-1023)<<52) - 1
}

// logOf is with s = f/(2+f): log(1+f) = 2s + s*p(s*s) = f - (f*f/2 - s*(f*f/2 + p)).
func logOf(x float64) float64 {
	switch {
	case x > math.MaxFloat64 || x != x:
		return x
	case x == 0:
		return math.Inf(-1)
	case x < 0:
		return math.NaN()
	}
	e, f := split(x)
	h := float64(f*0.5) * f
	s := f / (f + 2)
	z := float64(s * s)
	p := math.FMA(2.0/21, z, 2.0/19)
	p = math.FMA(p, z, 2.0/17)
	p = math.FMA(p, z, 2.0/15)
	p = math.FMA(p, z, 2.0/13)
	p = math.FMA(p, z, 2.0/11)
	p = math.FMA(p, z, 2.0/9)
	p = math.FMA(p, z, 2.0/7)
	p = math.FMA(p, z, 2.0/5)
	p = math.FMA(p, z, 2.0/3)
	p = float64(z * p)
	u := math.FMA(s, h+p, float64(e*ln2lo))
	return math.FMA(e, ln2hi, f-(h-u))
}

func sinOf(x float64) float64 {
	if x == 0 {
		return x
	}
	return trig(x, 0)
}

func cosOf(x float64) float64 { return trig(x, 1) }

// trig is sin(x + quarter*pi/2).
func trig(x float64, quarter uint64) float64 {
	if x-x != 0 {
		return math.NaN()
	}
	var q uint64
	var r, c float64 // x = q*pi/2 + r + c
	if math.Abs(x) <= trigFast {
		t := math.FMA(x, twoOverPi, round)
		n := t - round
		q = math.Float64bits(t)
		// n*pio2a is near x: their difference is exact. n*pio2b is not, and
		// may cancel most of it, so the rest is kept.
		r0 := math.FMA(-n, pio2a, x)
		wh := float64(n * pio2b)
		wl := math.FMA(n, pio2b, -wh)
		r = r0 - wh
		b := r - r0
		c = (r0 - (r - b)) - (wh + b)
		c = math.FMA(-n, pio2c, c-wl)
	} else {
		q, r, c = reduceLarge(x)
	}
	q += quarter

	z := float64(r * r)
	h := float64(z * 0.5)
	w := 1 - h
	var v float64
	if q&1 == 0 {
		const (
			s3  = 1.0 / 6
			s5  = -1.0 / 120
			s7  = 1.0 / 5040
			s9  = -1.0 / 362880
			s11 = 1.0 / 39916800
			s13 = -1.0 / 6227020800
			s15 = 1.0 / 1307674368000
			s17 = -1.0 / 355687428096000
		)
		p := math.FMA(s17, z, s15)
		p = math.FMA(p, z, s13)
		p = math.FMA(p, z, s11)
		p = math.FMA(p, z, s9)
		p = math.FMA(p, z, s7)
		p = math.FMA(p, z, s5)
		p = math.FMA(p, z, s3)
		v = r - math.FMA(float64(r*z), p, -float64(c*w))
	} else {
		const (
			k4  = 1.0 / 24
			k6  = -1.0 / 720
			k8  = 1.0 / 40320
			k10 = -1.0 / 3628800
			k12 = 1.0 / 479001600
			k14 = -1.0 / 87178291200
			k16 = 1.0 / 20922789888000
		)
		p := math.FMA(k16, z, k14)
		p = math.FMA(p, z, k12)
		p = math.FMA(p, z, k10)
		p = math.FMA(p, z, k8)
		p = math.FMA(p, z, k6)
		p = math.FMA(p, z, k4)
		rest := math.FMA(-r, c, (1-w)-h)
		v = w + math.FMA(float64(z*z), p, rest)
	}
	return math.Float64frombits(math.Float64bits(v) ^ q<<62&(1<<63))
}

// reduceLarge is x = q*pi/2 + r + c for an x of any size, after Payne and
// Hanek ("Radian reduction for trigonometric functions", 1983): of x*2/pi only
// what is left modulo 4 counts, so the leading bits of 2/pi may be dropped.
func reduceLarge(x float64) (q uint64, r, c float64) {
	b := math.Float64bits(x)
	m := b&(1<<52-1) | 1<<52
	e := int(b>>52&2047) - 1075 // |x| = m * 2^e, e from -32 on
	from := e - 2 + 64          // bits before it count multiples of 4; the table starts 64 bits before the point
	word, shift := from/64, uint(from%64)
	get := func(i int) uint64 {
		i += word
		v := inverseHalfPi[i] << shift
		if shift > 0 {
			v |= inverseHalfPi[i+1] >> (64 - shift)
		}
		return v
	}
	// p2 p1 p0 is m times three words, modulo 2^192: two bits before the point.
	_, p2 := bits.Mul64(m, get(0))
	h1, p1 := bits.Mul64(m, get(1))
	h0, p0 := bits.Mul64(m, get(2))
	var carry uint64
	p1, carry = bits.Add64(p1, h0, 0)
	p2, _ = bits.Add64(p2, h1, carry)

	q = p2 >> 62
	p2 = p2<<2 | p1>>62 // all bits behind the point now
	p1 = p1<<2 | p0>>62
	p0 <<= 2
	negative := p2>>63 == 1
	if negative { // nearer to the next: count down from it
		q++
		p0, carry = bits.Sub64(0, p0, 0)
		p1, carry = bits.Sub64(0, p1, carry)
		p2, _ = bits.Sub64(0, p2, carry)
	}
	zeros := bits.LeadingZeros64(p2)
	if zeros == 64 { // no float64 is so near to a multiple of pi/2 that p1 is 0 too
		p2, p1, p0 = p1, p0, 0
		zeros = 64 + bits.LeadingZeros64(p2)
	}
	if s := uint(zeros % 64); s > 0 {
		p2 = p2<<s | p1>>(64-s)
		p1 = p1<<s | p0>>(64-s)
	}
	// 53 bits, and the 53 that follow.
	fh := math.Ldexp(float64(p2>>11), -53-zeros)
	fl := math.Ldexp(float64((p2&2047)<<42|p1>>22), -106-zeros)
	rh := float64(fh * pio2a)
	rl := math.FMA(fh, pio2a, -rh)
	rl = math.FMA(fh, pio2b, rl)
	rl = math.FMA(fl, pio2a, rl)
	r = rh + rl
	c = rh - r + rl
	if negative {
		r, c = -r, -c
	}
	if b>>63 == 1 {
		q, r, c = -q, -r, -c
	}
	return q, r, c
}

// tanhOf is E/(E+2) with E = e^(2|x|) - 1.
func tanhOf(x float64) float64 {
	a := math.Abs(x)
	if a > 22 {
		a = 22 // 1
	}
	y := a + a
	t := math.FMA(y, log2e, round)
	n := t - round
	rh := math.FMA(-n, ln2hi, y)
	r := math.FMA(-n, ln2lo, rh)
	rl := math.FMA(-n, ln2lo, rh-r) // what r lacks
	const (
		c2  = 1.0 / 2
		c3  = 1.0 / 6
		c4  = 1.0 / 24
		c5  = 1.0 / 120
		c6  = 1.0 / 720
		c7  = 1.0 / 5040
		c8  = 1.0 / 40320
		c9  = 1.0 / 362880
		c10 = 1.0 / 3628800
		c11 = 1.0 / 39916800
		c12 = 1.0 / 479001600
		c13 = 1.0 / 6227020800
		c14 = 1.0 / 87178291200
	)
	p := math.FMA(c14, r, c13)
	p = math.FMA(p, r, c12)
	p = math.FMA(p, r, c11)
	p = math.FMA(p, r, c10)
	p = math.FMA(p, r, c9)
	p = math.FMA(p, r, c8)
	p = math.FMA(p, r, c7)
	p = math.FMA(p, r, c6)
	p = math.FMA(p, r, c5)
	p = math.FMA(p, r, c4)
	p = math.FMA(p, r, c3)
	p = math.FMA(p, r, c2)
	p = math.FMA(float64(r*r), p, rl)
	s := math.Float64frombits((math.Float64bits(t) + 1023) << 52)
	e := math.FMA(s, p, math.FMA(s, r, s-1))
	d := e + 2
	low := e - (d - 2) // what d lacks
	inv := 1 / d
	q := float64(e * inv)
	q = math.FMA(math.FMA(-q, low, math.FMA(-q, d, e)), inv, q)
	return math.Float64frombits(math.Float64bits(q) | math.Float64bits(x)&(1<<63))
}

// powOf has the special cases of math.Pow.
func powOf(x, y float64) float64 {
	switch {
	case y == 0 || x == 1:
		return 1
	case x-x != 0 || y-y != 0 || x == 0:
		return math.Pow(x, y) // no rounding there
	case x > 0:
		return powPositive(x, y)
	}
	whole, fraction := math.Modf(y)
	if fraction != 0 {
		return math.NaN()
	}
	v := powPositive(-x, y)
	if math.Abs(whole) < 1<<53 && int64(whole)&1 == 1 {
		v = -v
	}
	return v
}

// powPositive is e^(y*log(x)). The logarithm is a pair of numbers, hi and lo,
// good to 2^-64 of itself: as in logOf, with the first term of the series and
// what leads to it in pairs as well.
func powPositive(x, y float64) float64 {
	e, f := split(x)
	dh := f + 2
	dl := f - (dh - 2)
	inv := 1 / dh
	sh := float64(f * inv)
	sl := float64(inv * math.FMA(-sh, dl, math.FMA(-sh, dh, f)))
	zh := float64(sh * sh)
	zl := math.FMA(sh+sh, sl, math.FMA(sh, sh, -zh))
	p := math.FMA(2.0/25, zh, 2.0/23)
	p = math.FMA(p, zh, 2.0/21)
	p = math.FMA(p, zh, 2.0/19)
	p = math.FMA(p, zh, 2.0/17)
	p = math.FMA(p, zh, 2.0/15)
	p = math.FMA(p, zh, 2.0/13)
	p = math.FMA(p, zh, 2.0/11)
	p = math.FMA(p, zh, 2.0/9)
	p = math.FMA(p, zh, 2.0/7)
	p = math.FMA(p, zh, 2.0/5)
	t := float64(zh * p)
	const third, thirdLow = 2.0 / 3, 0x1.5555555555555p-55
	ch := t + third
	cl := third - ch + t + thirdLow
	uh := float64(sh * zh)
	ul := math.FMA(sh, zh, -uh) + math.FMA(sh, zl, float64(sl*zh))
	qh := float64(uh * ch)
	ql := math.FMA(uh, ch, -qh) + math.FMA(uh, cl, float64(ul*ch))
	s2 := sh + sh
	lh := s2 + qh
	ll := s2 - lh + qh + (sl + sl + ql)
	ah := float64(e * ln2top)
	gh := ah + lh
	gl := ah - gh + lh + math.FMA(e, ln2end, ll)

	ph := float64(y * gh)
	pl := math.FMA(y, gl, math.FMA(y, gh, -ph))
	switch {
	case ph > 710:
		ph, pl = 710, 0
	case ph < -746:
		ph, pl = -746, 0
	}
	return expSum(ph, pl)
}

// inverseHalfPi is 2/pi, most significant bits first, behind 64 bits of 0.
var inverseHalfPi = [20]uint64{
	0x0000000000000000,
	0xa2f9836e4e441529,
	0xfc2757d1f534ddc0,
	0xdb6295993c439041,
	0xfe5163abdebbc561,
	0xb7246e3a424dd2e0,
	0x06492eea09d1921c,
	0xfe1deb1cb129a73e,
	0xe88235f52ebb4484,
	0xe99c7026b45f7e41,
	0x3991d639835339f4,
	0x9c845f8bbdf9283b,
	0x1ff897ffde05980f,
	0xef2f118b5a0a6d1f,
	0x6d367ecf27cb09b7,
	0x4f463f669e5fea2d,
	0x7527bac7ebe5f17b,
	0x3d0739f78a5292ea,
	0x6bfb5fb11f8d5d08,
	0x56033046fc7b6bab,
}
