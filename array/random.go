package array

import (
	"fmt"
	"math"
	"math/bits"
	"unsafe"
)

// philox is the counter-based generator Philox 4x64 with 10 rounds (Salmon et
// al., 2011): the four words for a counter, under a key. So any element can be
// had without those before it.
func philox(counter, key uint64) (r [4]uint64) {
	const (
		m0, m1 = 0xD2E7470EE14C6C93, 0xCA5A826395121157
		w0, w1 = 0x9E3779B97F4A7C15, 0xBB67AE8584CAA73B
	)
	k0, k1 := key, uint64(0)
	r[0] = counter
	for range 10 {
		h0, l0 := bits.Mul64(m0, r[0])
		h1, l1 := bits.Mul64(m1, r[2])
		r = [4]uint64{h1 ^ r[1] ^ k0, l1, h0 ^ r[3] ^ k1, l0}
		k0 += w0
		k1 += w1
	}
	return r
}

// word is the random word i of a seed. The first counter is 1, as in NumPy.
type words struct {
	seed uint64
	at   uint64 // which four
	four [4]uint64
}

func (w *words) get(i int) uint64 {
	if at := uint64(i)/4 + 1; at != w.at {
		w.at, w.four = at, philox(at, w.seed)
	}
	return w.four[i%4]
}

// unit is a number from 0 to below 1.
func unit(w uint64) float64 { return float64(w>>11) * 0x1p-53 }

type uniformOp struct{ seed uint64 }

func (uniformOp) name() string { return "random" }
func (uniformOp) cost() int    { return 5 }
func (o uniformOp) fill(dst unsafe.Pointer, base, stride, n int) {
	w := words{seed: o.seed}
	for i := range list[float64](dst, n) {
		list[float64](dst, n)[i] = unit(w.get(base + i*stride))
	}
}

// Random has numbers from 0 to below 1, evenly spread. They depend on the seed
// and on the place in the array alone, not on blocks or workers: they are those
// of NumPy's Generator(Philox(key=seed)).random(shape).
func Random(seed uint64, shape ...int) Array[float64] {
	return made[float64]("Random", uniformOp{seed}, shape)
}

type normalOp struct{ seed uint64 }

func (normalOp) name() string { return "standard_normal" }
func (normalOp) cost() int    { return 30 }

// fill makes two numbers of two words, by Box and Muller.
func (o normalOp) fill(dst unsafe.Pointer, base, stride, n int) {
	d := list[float64](dst, n)
	w := words{seed: o.seed}
	var sin, cos float64
	pair := -1
	for i := range d {
		k := base + i*stride
		if k/2 != pair {
			pair = k / 2
			r := math.Sqrt(-2 * math.Log(1-unit(w.get(2*pair))))
			sin, cos = math.Sincos(2 * math.Pi * unit(w.get(2*pair+1)))
			sin, cos = r*sin, r*cos
		}
		if d[i] = cos; k%2 == 1 {
			d[i] = sin
		}
	}
}

// Normal has normally distributed numbers, of mean 0 and standard deviation 1.
// They depend on the seed and on the place in the array alone. They are not
// those of NumPy, which throws words away at random.
func Normal(seed uint64, shape ...int) Array[float64] {
	return made[float64]("Normal", normalOp{seed}, shape)
}

type integersOp struct {
	seed uint64
	lo   int64
	n    uint64
}

func (integersOp) name() string { return "integers" }
func (integersOp) cost() int    { return 5 }
func (o integersOp) fill(dst unsafe.Pointer, base, stride, n int) {
	d := list[int64](dst, n)
	w := words{seed: o.seed}
	for i := range d {
		hi, _ := bits.Mul64(w.get(base+i*stride), o.n)
		d[i] = o.lo + int64(hi)
	}
}

// Integers has whole numbers from lo to below hi. Each is as likely as the
// others to (hi-lo)/2^64. They depend on the seed and on the place in the array
// alone.
func Integers(seed uint64, lo, hi int64, shape ...int) Array[int64] {
	if hi <= lo {
		return Array[int64]{fail("Integers", i64, fmt.Errorf("there is no number from %d to below %d; give an upper bound above the lower one", lo, hi))}
	}
	return made[int64]("Integers", integersOp{seed, lo, uint64(hi) - uint64(lo)}, shape)
}
