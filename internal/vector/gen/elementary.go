package main

import "math"

// The constants of ../elementary.go, which explains the methods. Kernels and
// Go functions must agree in each; the tests compare their results.
const (
	round  = 0x1.8p52
	log2e  = 0x1.71547652b82fep+00
	ln2hi  = 0x1.62e42fefa39efp-01
	ln2lo  = 0x1.abc9e3b39803fp-56
	ln2top = 0x1.62e42fefa38p-01
	ln2end = 0x1.ef35793c7673p-45
	minPos = 0x1p-1022

	twoOverPi = 0x1.45f306dc9c883p-01
	pio2a     = 0x1.921fb54442d18p+00
	pio2b     = 0x1.1a62633145c07p-54
	pio2c     = -0x1.f1976b7ed8fbcp-110
	trigFast  = 1 << 20
)

var factorials = func() (f [20]float64) {
	f[0] = 1
	for i := 1; i < len(f); i++ {
		f[i] = f[i-1] * float64(i)
	}
	return f
}()

// inverses are 1/from!, 1/(from+step)!, ... with alternating signs if asked.
func inverses(from, to, step int, alternate bool) (c []float64) {
	sign := 1.0
	for i := from; i <= to; i += step {
		c = append(c, sign/factorials[i])
		if alternate {
			sign = -sign
		}
	}
	return c
}

// atanh are 2/from, 2/(from+2), ...
func atanh(from, to int) (c []float64) {
	for i := from; i <= to; i += 2 {
		c = append(c, 2/float64(i))
	}
	return c
}

func elementary() []*kernel {
	return []*kernel{expKernel(), logKernel(), trigKernel("sinF64", 0), trigKernel("cosF64", 1), tanhKernel(), powKernel()}
}

// exp is e^(hi+lo); there is no lo if it is negative.
func (k *kernel) exp(hi, lo value) value {
	t := k.fma(hi, k.c(log2e), k.c(round))
	n := k.sub(t, k.c(round))
	r := k.fnma(n, k.c(ln2hi), hi)
	r = k.fnma(n, k.c(ln2lo), r)
	if lo >= 0 {
		r = k.add(r, lo)
	}
	p := k.poly(r, inverses(0, 13, 1, false)...)
	t1 := k.fma(n, k.c(0.5), k.c(round))
	t2 := k.add(k.sub(n, k.sub(t1, k.c(round))), k.c(round))
	p = k.mul(p, k.shl(k.addq(t1, k.bits(1023)), 52))
	return k.mul(p, k.shl(k.addq(t2, k.bits(1023)), 52))
}

func expKernel() *kernel {
	k := &kernel{name: "expF64", in: 1}
	x := k.clampLow(k.clampHigh(k.load(0), 710), -746)
	k.store(k.exp(x, -1))
	return k
}

// normal leaves for what is not a positive normal number, and splits it.
func (k *kernel) normal(x value) (e, f value) {
	k.leave(k.or(k.cmp(cmpNLE, k.c(minPos), x), k.cmp(cmpLT, k.c(math.MaxFloat64), x)))
	biased := k.shr(k.addq(x, k.bits(0x3ff0000000000000-0x3fe6a09e667f3bcd)), 52)
	m := k.subq(x, k.shl(k.subq(biased, k.bits(1023)), 52))
	e = k.sub(k.or(biased, k.bits(0x4330000000000000)), k.c(1<<52+1023))
	return e, k.sub(m, k.c(1))
}

func logKernel() *kernel {
	k := &kernel{name: "logF64", in: 1}
	e, f := k.normal(k.load(0))
	h := k.mul(k.mul(f, k.c(0.5)), f)
	s := k.div(f, k.add(f, k.c(2)))
	z := k.mul(s, s)
	p := k.mul(z, k.poly(z, atanh(3, 21)...))
	u := k.fma(s, k.add(h, p), k.mul(e, k.c(ln2lo)))
	k.store(k.fma(e, k.c(ln2hi), k.sub(f, k.sub(h, u))))
	return k
}

func trigKernel(name string, quarter uint64) *kernel {
	k := &kernel{name: name, in: 1}
	x := k.load(0)
	k.leave(k.cmp(cmpNLE, k.and(x, k.bits(1<<63-1)), k.c(trigFast)))
	t := k.fma(x, k.c(twoOverPi), k.c(round))
	n := k.sub(t, k.c(round))
	r0 := k.fnma(n, k.c(pio2a), x)
	wh := k.mul(n, k.c(pio2b))
	wl := k.fms(n, k.c(pio2b), wh)
	r := k.sub(r0, wh)
	b := k.sub(r, r0)
	c := k.sub(k.sub(r0, k.sub(r, b)), k.add(wh, b))
	c = k.fnma(n, k.c(pio2c), k.sub(c, wl))

	z := k.mul(r, r)
	h := k.mul(z, k.c(0.5))
	w := k.sub(k.c(1), h)
	sp := k.poly(z, inverses(3, 17, 2, true)...)
	sin := k.sub(r, k.fms(k.mul(r, z), sp, k.mul(c, w)))
	cp := k.poly(z, inverses(4, 16, 2, true)...)
	rest := k.fnma(r, c, k.sub(k.sub(k.c(1), w), h))
	cos := k.add(w, k.fma(k.mul(z, z), cp, rest))

	q := t
	if quarter != 0 {
		q = k.addq(t, k.bits(quarter))
	}
	v := k.pick(k.shl(q, 63), cos, sin)
	v = k.xor(v, k.and(k.shl(q, 62), k.bits(1<<63)))
	if quarter == 0 { // sin(-0) is -0
		v = k.pick(k.cmp(cmpEQ, x, k.c(0)), x, v)
	}
	k.store(v)
	return k
}

func tanhKernel() *kernel {
	k := &kernel{name: "tanhF64", in: 1}
	x := k.load(0)
	a := k.clampHigh(k.and(x, k.bits(1<<63-1)), 22)
	y := k.add(a, a)
	t := k.fma(y, k.c(log2e), k.c(round))
	n := k.sub(t, k.c(round))
	rh := k.fnma(n, k.c(ln2hi), y)
	r := k.fnma(n, k.c(ln2lo), rh)
	rl := k.fnma(n, k.c(ln2lo), k.sub(rh, r))
	p := k.fma(k.mul(r, r), k.poly(r, inverses(2, 14, 1, false)...), rl)
	s := k.shl(k.addq(t, k.bits(1023)), 52)
	e := k.fma(s, p, k.fma(s, r, k.sub(s, k.c(1))))
	d := k.add(e, k.c(2))
	low := k.sub(e, k.sub(d, k.c(2)))
	inv := k.div(k.c(1), d)
	q := k.mul(e, inv)
	q = k.fma(k.fnma(q, low, k.fnma(q, d, e)), inv, q)
	k.store(k.or(q, k.and(x, k.bits(1<<63))))
	return k
}

func powKernel() *kernel {
	k := &kernel{name: "powF64", in: 2}
	e, f := k.normal(k.load(0))
	dh := k.add(f, k.c(2))
	dl := k.sub(f, k.sub(dh, k.c(2)))
	inv := k.div(k.c(1), dh)
	sh := k.mul(f, inv)
	sl := k.mul(inv, k.fnma(sh, dl, k.fnma(sh, dh, f)))
	zh := k.mul(sh, sh)
	zl := k.fma(k.add(sh, sh), sl, k.fms(sh, sh, zh))
	t := k.mul(zh, k.poly(zh, atanh(5, 25)...))
	const third, thirdLow = 2.0 / 3, 0x1.5555555555555p-55
	ch := k.add(t, k.c(third))
	cl := k.add(k.add(k.sub(k.c(third), ch), t), k.c(thirdLow))
	uh := k.mul(sh, zh)
	ul := k.add(k.fms(sh, zh, uh), k.fma(sh, zl, k.mul(sl, zh)))
	qh := k.mul(uh, ch)
	ql := k.add(k.fms(uh, ch, qh), k.fma(uh, cl, k.mul(ul, ch)))
	s2 := k.add(sh, sh)
	lh := k.add(s2, qh)
	ll := k.add(k.add(k.sub(s2, lh), qh), k.add(k.add(sl, sl), ql))
	ah := k.mul(e, k.c(ln2top))
	gh := k.add(ah, lh)
	gl := k.add(k.add(k.sub(ah, gh), lh), k.fma(e, k.c(ln2end), ll))
	y := k.load(1)
	ph := k.mul(y, gh)
	k.leave(k.cmp(cmpNLE, k.and(ph, k.bits(1<<63-1)), k.c(708)))
	pl := k.fma(y, gl, k.fms(y, gh, ph))
	k.store(k.exp(ph, pl))
	return k
}
