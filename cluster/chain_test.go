package cluster_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/weft-go/weft"
	"github.com/weft-go/weft/cluster"
	"github.com/weft-go/weft/graph"
)

var (
	_ = weft.Register(addSlices)
	_ = weft.Register(failAt100)
	_ = weft.Register(largeSlice)
	_ = weft.Register(one)
	_ = weft.Register(total)
)

func one(context.Context) (int, error) { return 1, nil }

func failAt100(_ context.Context, n int) (int, error) {
	if n == 100 {
		return 0, errors.New("no hundreds")
	}
	return n + 1, nil
}

func largeSlice(_ context.Context, n int) ([]float64, error) {
	s := make([]float64, 50_000)
	for i := range s {
		s[i] = float64(i % (n + 1))
	}
	return s, nil
}

func addSlices(_ context.Context, a, b []float64) ([]float64, error) {
	c := make([]float64, len(a))
	for i := range c {
		c[i] = a[i] + b[i]
	}
	return c, nil
}

func total(_ context.Context, s []float64) (sum float64, err error) {
	for _, v := range s {
		sum += v
	}
	return sum, nil
}

// Graphs of each shape give what they give in this process, and tiny tasks that
// need each other go together.
func TestGraphs(t *testing.T) {
	t.Parallel()
	b := newBundle(t, theServer(t))
	b.start("-slots", "1")
	b.start("-slots", "1")
	c := b.dial()
	for _, shape := range []struct {
		name string
		make func(g *graph.Graph) graph.Value[int]
	}{
		{"chain", func(g *graph.Graph) graph.Value[int] {
			v := graph.Const(g, 200)
			for range 300 {
				v = graph.Call(g, failAt100, v)
			}
			return v
		}},
		{"tree", func(g *graph.Graph) graph.Value[int] {
			var vs []graph.Value[int]
			for i := range 300 {
				vs = append(vs, graph.Call(g, double, graph.Const(g, i)))
			}
			return graph.Reduce(g, add, vs, 8)
		}},
		{"diamonds", func(g *graph.Graph) graph.Value[int] {
			v := graph.Call0(g, one)
			for range 20 {
				v = graph.Call2(g, add, graph.Call(g, double, v), graph.Call(g, failAt100, v))
			}
			return v
		}},
	} {
		want, err := graph.Compute(t.Context(), shape.make(graph.New()))
		if err != nil {
			t.Fatal(err)
		}
		got, err := graph.Compute(t.Context(), shape.make(graph.New()), graph.On(c), graph.Require(weft.Isolation))
		if err != nil || got != want {
			t.Errorf("%s: %v there, %v here: %v", shape.name, got, want, err)
		}
	}
	large := func(g *graph.Graph) graph.Value[float64] {
		var vs []graph.Value[[]float64]
		for i := range 20 {
			vs = append(vs, graph.Call(g, largeSlice, graph.Const(g, i)))
		}
		return graph.Call(g, total, graph.Reduce(g, addSlices, vs, 4))
	}
	want, err := graph.Compute(t.Context(), large(graph.New()))
	if err != nil {
		t.Fatal(err)
	}
	got, err := graph.Compute(t.Context(), large(graph.New()), graph.On(c), graph.Require(weft.Isolation))
	if err != nil || got != want {
		t.Errorf("large values: %v there, %v here: %v", got, want, err)
	}
	// A task that fails is named, wherever in a chain it is.
	g := graph.New()
	v := graph.Const(g, 0)
	for i := range 200 {
		v = graph.Call(g, failAt100, v, graph.Name(fmt.Sprintf("step%d", i)))
	}
	_, err = graph.Compute(t.Context(), v, graph.On(c), graph.Require(weft.Isolation))
	if err == nil || !strings.Contains(err.Error(), "step100") || !strings.Contains(err.Error(), "no hundreds") {
		t.Errorf("%v", err)
	}
	rs, err := c.Runs(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range rs {
		run, err := c.Attach(t.Context(), r.ID)
		if err != nil {
			t.Fatal(err)
		}
		p, err := run.Progress(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		batches := 0
		for _, w := range p.Workers {
			batches += w.Batches
		}
		if p.Done >= 200 && batches > 60 {
			t.Errorf("%d tasks went in %d batches", p.Done, batches)
		}
	}
}

var _ weft.ChainExecutor = (*cluster.Cluster)(nil)
