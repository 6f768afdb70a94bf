package array_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/weft-go/weft/array"
	"github.com/weft-go/weft/graph"
)

// pair is an expression and what it should be.
type pair struct {
	a    array.Array[float64]
	want naive[float64]
	how  string
	// exact: the same bits are expected.
	exact bool
}

// maker draws expressions.
type maker struct {
	*rand.Rand
	pool []pair
}

func (m *maker) shape() []int {
	shape := make([]int, m.IntN(4))
	for i := range shape {
		shape[i] = m.IntN(6)
		if m.IntN(8) > 0 {
			shape[i] = max(1, shape[i])
		}
	}
	return shape
}

var odd = []float64{0, math.Copysign(0, -1), 1, -1, math.NaN(), math.Inf(1), math.Inf(-1), 1e308, 5e-324, 0.5}

func (m *maker) leaf(shape []int) pair {
	want := build(shape, func([]int) float64 {
		if m.IntN(12) == 0 {
			return odd[m.IntN(len(odd))]
		}
		return math.Round(m.NormFloat64()*16) / 4
	})
	if m.IntN(3) == 0 {
		f := func(i []int) float64 { return want.at(i) }
		return pair{array.FromFunc(f, shape...), want, fmt.Sprintf("f%v", shape), true}
	}
	if len(shape) == 0 {
		return pair{array.Scalar(want.data[0]), want, "scalar", true}
	}
	return pair{array.FromSlice(want.data, shape...), want, fmt.Sprintf("x%v", shape), true}
}

func (m *maker) pick() pair { return m.pool[m.IntN(len(m.pool))] }

// fits is an expression that broadcasts with one of the given shape.
func (m *maker) fits(shape []int) pair {
	for range 4 {
		p := m.pick()
		if _, ok := together(shape, p.want.shape); ok {
			return p
		}
	}
	own := slices.Clone(shape[m.IntN(len(shape)+1):])
	for i := range own {
		if m.IntN(3) == 0 {
			own[i] = 1
		}
	}
	return m.leaf(own)
}

var two = map[string]struct {
	lazy func(a, b array.Array[float64]) array.Array[float64]
	f    func(a, b float64) float64
}{
	"+":   {array.Array[float64].Add, func(a, b float64) float64 { return a + b }},
	"-":   {array.Array[float64].Sub, func(a, b float64) float64 { return a - b }},
	"*":   {array.Array[float64].Mul, func(a, b float64) float64 { return a * b }},
	"/":   {array.Array[float64].Div, func(a, b float64) float64 { return a / b }},
	"min": {array.Array[float64].Minimum, least},
	"max": {array.Array[float64].Maximum, most},
}

var one = map[string]struct {
	lazy func(a array.Array[float64]) array.Array[float64]
	f    func(a float64) float64
}{
	"neg":   {array.Array[float64].Neg, func(a float64) float64 { return -a }},
	"abs":   {array.Array[float64].Abs, math.Abs},
	"sq":    {array.Array[float64].Square, func(a float64) float64 { return a * a }},
	"sqrt":  {array.Sqrt[float64], math.Sqrt},
	"floor": {array.Floor[float64], math.Floor},
}

var folds = map[string]struct {
	lazy  func(a array.Array[float64], o ...array.ReduceOption) array.Array[float64]
	f     func([]float64) float64
	empty bool
	exact bool
}{
	"sum": {array.Array[float64].Sum, func(l []float64) float64 { return plainSum(l) }, true, false},
	"prod": {array.Array[float64].Prod, func(l []float64) float64 {
		p := 1.0
		for _, v := range l {
			p *= v
		}
		return p
	}, true, false},
	"min":  {array.Array[float64].Min, func(l []float64) float64 { return fold(l, least) }, false, true},
	"max":  {array.Array[float64].Max, func(l []float64) float64 { return fold(l, most) }, false, true},
	"mean": {array.Array[float64].Mean, func(l []float64) float64 { return plainSum(l) / float64(len(l)) }, true, false},
	"var":  {array.Array[float64].Var, plainVar, true, false},
	"argmax": {func(a array.Array[float64], o ...array.ReduceOption) array.Array[float64] {
		return array.Cast[float64](a.ArgMax(o...))
	}, func(l []float64) float64 { return plainArg(l, func(x, y float64) bool { return y > x }) }, false, true},
	"argmin": {func(a array.Array[float64], o ...array.ReduceOption) array.Array[float64] {
		return array.Cast[float64](a.ArgMin(o...))
	}, func(l []float64) float64 { return plainArg(l, func(x, y float64) bool { return y < x }) }, false, true},
	"nansum": {array.NaNSum[float64], func(l []float64) float64 { return plainSum(drop(l)) }, true, false},
	"nanmax": {array.NaNMax[float64], func(l []float64) float64 {
		if len(drop(l)) == 0 {
			return math.NaN()
		}
		return fold(drop(l), most)
	}, false, true},
	"nanmean": {array.NaNMean[float64], func(l []float64) float64 { return plainSum(drop(l)) / float64(len(drop(l))) }, true, false},
	"nanvar":  {array.NaNVar[float64], func(l []float64) float64 { return plainVar(drop(l)) }, true, false},
}

// least and most are those of NumPy: NaN if either is.
func least(a, b float64) float64 {
	if a != a || b != b {
		return math.NaN()
	}
	return math.Min(a, b)
}

func most(a, b float64) float64 { return -least(-a, -b) }

func drop(l []float64) []float64 {
	return slices.DeleteFunc(slices.Clone(l), func(v float64) bool { return v != v })
}

func fold(l []float64, f func(a, b float64) float64) float64 {
	v := l[0]
	for _, x := range l {
		v = f(v, x)
	}
	return v
}

func plainSum(l []float64) (s float64) {
	for _, v := range l {
		s += v
	}
	return s
}

func plainVar(l []float64) float64 {
	mean := plainSum(l) / float64(len(l))
	s := 0.0
	for _, v := range l {
		s += (v - mean) * (v - mean)
	}
	return s / float64(len(l))
}

func plainArg(l []float64, better func(x, y float64) bool) float64 {
	best := 0
	for i, v := range l {
		if l[best] == l[best] && (v != v || better(l[best], v)) {
			best = i
		}
	}
	return float64(best)
}

// tame bounds values, so that sums in another order are about the same.
func tame(p pair) pair {
	f := func(v float64) float64 {
		if math.IsInf(v, 0) || math.Abs(v) > 100 {
			return 1
		}
		return v
	}
	a := array.Where(array.IsInf(p.a).Or(p.a.Abs().GtS(100)), array.Scalar(1.0), p.a)
	return pair{a, every(p.want, f), "tame(" + p.how + ")", p.exact}
}

// step makes an expression of those in the pool.
func (m *maker) step() pair {
	p := m.pick()
	dims := len(p.want.shape)
	switch m.IntN(13) {
	case 0, 1, 2:
		q := m.fits(p.want.shape)
		op := keys(two)[m.IntN(len(two))]
		if size2, _ := together(p.want.shape, q.want.shape); size(size2) > 5000 {
			return p
		}
		return pair{two[op].lazy(p.a, q.a), both(p.want, q.want, two[op].f), "(" + p.how + op + q.how + ")", p.exact && q.exact}
	case 3, 4:
		op := keys(one)[m.IntN(len(one))]
		if op == "floor" && !p.exact {
			return p
		}
		return pair{one[op].lazy(p.a), every(p.want, one[op].f), op + "(" + p.how + ")", p.exact}
	case 5:
		if !p.exact {
			return p
		}
		q, r := m.fits(p.want.shape), m.leaf(nil)
		mask := p.a.Lt(q.a)
		maskWant := both(p.want, q.want, func(a, b float64) bool { return a < b })
		w := both(maskWant, p.want, func(c bool, v float64) float64 {
			if c {
				return v
			}
			return r.want.data[0]
		})
		return pair{array.Where(mask, p.a, r.a), w, "where(" + p.how + "<" + q.how + ")", q.exact}
	case 6, 7:
		if dims == 0 {
			return p
		}
		return m.slice(p)
	case 8:
		perm := m.Perm(dims)
		shape := make([]int, dims)
		for o, i := range perm {
			shape[o] = p.want.shape[i]
		}
		w := build(shape, func(index []int) float64 {
			in := make([]int, dims)
			for o, i := range perm {
				in[i] = index[o]
			}
			return p.want.at(in)
		})
		return pair{p.a.Transpose(perm...), w, p.how + fmt.Sprintf(".T%v", perm), p.exact}
	case 9:
		if dims == 0 {
			return p
		}
		sizes := make([]int, dims)
		for i := range sizes {
			sizes[i] = 1 + m.IntN(4)
		}
		return pair{p.a.Rechunk(sizes...), p.want, p.how + fmt.Sprintf(".chunk%v", sizes), p.exact}
	case 10:
		return m.reduce(p)
	case 11:
		if dims == 0 {
			return p
		}
		shape := []int{-1}
		w := naive[float64]{[]int{len(p.want.data)}, p.want.data}
		if last := p.want.shape[dims-1]; m.IntN(2) == 0 && last > 0 {
			shape = []int{last, -1}
			w.shape = []int{last, len(p.want.data) / last}
		}
		return pair{p.a.Reshape(shape...), w, p.how + fmt.Sprintf(".reshape%v", shape), p.exact}
	default:
		if dims == 0 {
			return p
		}
		x := m.IntN(dims)
		shape := slices.Clone(p.want.shape)
		shape[x] *= 2
		if size(shape) > 5000 {
			return p
		}
		w := build(shape, func(index []int) float64 {
			in := slices.Clone(index)
			in[x] %= max(1, p.want.shape[x])
			return p.want.at(in)
		})
		return pair{array.Concatenate(x, p.a, p.a), w, "cat(" + p.how + ")", p.exact}
	}
}

func (m *maker) slice(p pair) pair {
	x := m.IntN(len(p.want.shape))
	n := p.want.shape[x]
	lo, hi, step := m.IntN(n+3)-n/2-1, m.IntN(n+3), 1+m.IntN(3)
	if m.IntN(3) == 0 {
		lo, hi, step = m.IntN(n+1), m.IntN(n+1)-n-1, -step
	}
	var picked []int
	norm := func(v int) int {
		if v < 0 {
			v += n
		}
		return v
	}
	if step > 0 {
		for i := max(0, norm(lo)); i < min(n, norm(hi)); i += step {
			picked = append(picked, i)
		}
	} else {
		for i := min(n-1, norm(lo)); i > max(-1, norm(hi)); i += step {
			picked = append(picked, i)
		}
	}
	shape := slices.Clone(p.want.shape)
	shape[x] = len(picked)
	w := build(shape, func(index []int) float64 {
		in := slices.Clone(index)
		in[x] = picked[index[x]]
		return p.want.at(in)
	})
	return pair{p.a.SliceStep(x, lo, hi, step), w, p.how + fmt.Sprintf("[%d:%d:%d:%d]", x, lo, hi, step), p.exact}
}

func (m *maker) reduce(p pair) pair {
	op := keys(folds)[m.IntN(len(folds))]
	f := folds[op]
	if !f.exact {
		p = tame(p)
	}
	var axes []int
	for x := range p.want.shape {
		if m.IntN(2) == 0 {
			axes = append(axes, x)
		}
	}
	if len(axes) == 0 && len(p.want.shape) > 0 {
		axes = []int{0}
	}
	for _, x := range axes {
		if p.want.shape[x] == 0 {
			return p
		}
	}
	if strings.HasPrefix(op, "arg") && !p.exact {
		return p
	}
	opts := []array.ReduceOption{}
	if len(axes) > 0 {
		opts = append(opts, array.Axis(axes...))
	}
	keep := m.IntN(2) == 0
	if keep {
		opts = append(opts, array.KeepDims())
	}
	return pair{f.lazy(p.a, opts...), collapse(p.want, axes, keep, f.f), fmt.Sprintf("%s%v(%s)", op, axes, p.how), p.exact && f.exact}
}

func keys[V any](m map[string]V) []string {
	var ks []string
	for k := range m {
		ks = append(ks, k)
	}
	slices.Sort(ks)
	return ks
}

// Random expressions are what a naive implementation says. WEFT_SEED=n runs one
// seed again.
func TestRandomExpressions(t *testing.T) {
	t.Parallel()
	first, count := uint64(1), uint64(400)
	if testing.Short() {
		count = 50
	}
	if s, err := strconv.ParseUint(os.Getenv("WEFT_SEED"), 10, 64); err == nil {
		first, count = s, 1
	}
	for seed := first; seed < first+count; seed++ {
		m := &maker{Rand: rand.New(rand.NewPCG(seed, 0))}
		for range 2 {
			m.pool = append(m.pool, m.leaf(m.shape()))
		}
		for range 12 {
			p := m.step()
			if len(p.how) > 2000 {
				continue
			}
			m.pool = append(m.pool, p)
		}
		for _, p := range m.pool {
			same := near
			if p.exact {
				same = bits
			}
			workers := 1 + m.IntN(4)
			check(t, fmt.Sprintf("WEFT_SEED=%d: %s", seed, p.how), p.a, p.want, same, graph.Workers(workers))
		}
	}
}
