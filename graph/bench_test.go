package graph_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/weft-go/weft/graph"
)

func inc(_ context.Context, a int) (int, error) { return a + 1, nil }

// shapes are graphs of n no-op tasks.
var shapes = []struct {
	name  string
	build func(g *graph.Graph, n int) []graph.Value[int]
}{
	{"wide", func(g *graph.Graph, n int) []graph.Value[int] {
		return graph.Map(g, inc, graph.Consts(g, make([]int, n)))
	}},
	{"widecalls", func(g *graph.Graph, n int) []graph.Value[int] {
		out := make([]graph.Value[int], n)
		c := graph.Const(g, 0)
		for i := range out {
			out[i] = graph.Call(g, inc, c)
		}
		return out
	}},
	{"deep", func(g *graph.Graph, n int) []graph.Value[int] {
		v := graph.Const(g, 0)
		for range n {
			v = graph.Call(g, inc, v)
		}
		return []graph.Value[int]{v}
	}},
	{"diamond", func(g *graph.Graph, n int) []graph.Value[int] {
		v := graph.Const(g, 0)
		for range n / 3 {
			v = graph.Call2(g, add, graph.Call(g, inc, v), graph.Call(g, inc, v))
		}
		return []graph.Value[int]{v}
	}},
	{"layered", func(g *graph.Graph, n int) []graph.Value[int] {
		rng := rand.New(rand.NewPCG(1, 2))
		layer := graph.Consts(g, make([]int, 100))
		for range n / 100 {
			next := make([]graph.Value[int], 100)
			for i := range next {
				next[i] = graph.Call2(g, add, layer[rng.IntN(100)], layer[rng.IntN(100)])
			}
			layer = next
		}
		return layer
	}},
	{"tree", func(g *graph.Graph, n int) []graph.Value[int] {
		return []graph.Value[int]{graph.Reduce(g, add, graph.Map(g, inc, graph.Consts(g, make([]int, n/2))), 8)}
	}},
}

func BenchmarkShapes(b *testing.B) {
	for _, s := range shapes {
		for _, n := range []int{1000, 1000000} {
			b.Run(fmt.Sprintf("%s/%d", s.name, n), func(b *testing.B) {
				for b.Loop() {
					g := graph.New()
					vs := s.build(g, n)
					if _, err := graph.ComputeAll(b.Context(), vs); err != nil {
						b.Fatal(err)
					}
				}
				b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(n), "ns/task")
			})
		}
	}
}
