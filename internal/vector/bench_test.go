package vector

import (
	"fmt"
	"math"
	"testing"
)

// Each with and without the fast path, 2,048 elements, which stay in the
// first-level cache.
func BenchmarkKernels(b *testing.B) {
	const n = 2048
	x, y, z, m := make([]float64, n), make([]float64, n), make([]float64, n), make([]bool, n)
	for i := range x {
		x[i], y[i] = 0.5+float64(i)/n*8, 1+math.Sin(float64(i))
	}
	for _, k := range []struct {
		name string
		f    func()
	}{
		{"Add", func() { Add(z, x, y) }},
		{"Max", func() { Max(z, x, y) }},
		{"Less", func() { Less(m, x, y) }},
		{"Where", func() { Where(z, m, x, y) }},
		{"Sum", func() { z[0] = Sum(x) }},
		{"Exp", func() { Exp(z, x) }},
		{"Log", func() { Log(z, x) }},
		{"Sin", func() { Sin(z, x) }},
		{"Cos", func() { Cos(z, x) }},
		{"Tanh", func() { Tanh(z, x) }},
		{"Pow", func() { Pow(z, x, y) }},
	} {
		for _, on := range []bool{true, false} {
			b.Run(fmt.Sprintf("%s/fast=%v", k.name, on), func(b *testing.B) {
				was := fast
				defer func() { fast = was }()
				fast = on && was
				for b.Loop() {
					k.f()
				}
				b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/n, "ns/element")
			})
		}
	}
}
