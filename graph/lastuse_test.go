package graph_test

import (
	"bytes"
	"context"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/weft-go/weft"
	"github.com/weft-go/weft/graph"
)

// A task knows when it is the last to use an input, and only then.
func TestLastUse(t *testing.T) {
	t.Parallel()
	uses := func(ctx context.Context, _ []float64) (bool, error) { return graph.LastUse(ctx, 0), nil }
	block := func(context.Context) ([]float64, error) { return make([]float64, 10), nil }
	for _, workers := range []int{0, 1, 3} {
		g := graph.New()
		check := func(what string, v graph.Value[bool], want bool, opts ...graph.RunOption) {
			t.Helper()
			got, err := graph.Compute(t.Context(), v, append(opts, graph.Workers(workers))...)
			if err != nil || got != want {
				t.Errorf("%s, %d workers: %v, %v", what, workers, got, err)
			}
		}
		check("the only user", graph.Call(g, uses, graph.Call0(g, block)), true)
		check("a constant", graph.Call(g, uses, graph.Const(g, []float64{1})), false)
		check("one that may be tried again", graph.Call(g, uses, graph.Call0(g, block), graph.Retry(2)), false)
		b := graph.Call0(g, block)
		check("twice the same", graph.Call2(g, func(ctx context.Context, _, _ []float64) (bool, error) {
			return graph.LastUse(ctx, 0) || graph.LastUse(ctx, 1) || graph.LastUse(ctx, 2) || graph.LastUse(ctx, -1), nil
		}, b, b), false)
		b = graph.Call0(g, block)
		if _, last, err := graph.Compute2(t.Context(), b, graph.Call(g, uses, b), graph.Workers(workers)); err != nil || last {
			t.Errorf("asked for: %v, %v", last, err)
		}
		// Of two users at most the one that runs later: here it needs the first.
		b = graph.Call0(g, block)
		first := graph.Call(g, uses, b)
		both := graph.Call2(g, func(ctx context.Context, first bool, _ []float64) (string, error) {
			switch {
			case first:
				return "the first too", nil
			case !graph.LastUse(ctx, 1):
				return "nor the second", nil
			case !graph.LastUse(ctx, 0):
				return "nor what the first returned", nil
			}
			return "", nil
		}, first, b)
		if what, err := graph.Compute(t.Context(), both, graph.Workers(workers)); err != nil || what != "" {
			t.Errorf("%q, %v", what, err)
		}
		// What a task runs is no task.
		inner := graph.Call(g, func(ctx context.Context, b []float64) (bool, error) {
			out, err := weft.Map(ctx, b, func(ctx context.Context, _ float64) (bool, error) { return graph.LastUse(ctx, 0), nil })
			if err != nil {
				return false, err
			}
			h := graph.New()
			again, err := graph.Compute(ctx, graph.Call0(h, func(ctx context.Context) (bool, error) { return graph.LastUse(ctx, 0), nil }))
			return slices.Contains(out, true) || again || !graph.LastUse(ctx, 0), err
		}, graph.Call0(g, block))
		check("what a task runs", inner, false)
	}
	if graph.LastUse(t.Context(), 0) {
		t.Error("outside of a run")
	}
}

// Blocks are changed in place along a chain: one allocation for all of it.
func TestLastUseInPlace(t *testing.T) {
	t.Parallel()
	var made atomic.Int64
	inc := func(ctx context.Context, b []float64) ([]float64, error) {
		out := b
		if !graph.LastUse(ctx, 0) {
			made.Add(1)
			out = make([]float64, len(b))
		}
		for i, v := range b {
			out[i] = v + 1
		}
		return out, nil
	}
	for _, limit := range []int64{0, 1 << 20} {
		made.Store(0)
		g := graph.New()
		var ends []graph.Value[float64]
		for i := range 20 {
			v := graph.Call(g, func(context.Context, int) ([]float64, error) { return make([]float64, 8<<10), nil }, graph.Const(g, i))
			for range 50 {
				v = graph.Call(g, inc, v)
			}
			side := graph.Call(g, inc, v) // two users of v
			ends = append(ends, graph.Call2(g, func(_ context.Context, a, b []float64) (float64, error) { return a[7] + b[8191], nil }, v, side))
		}
		opts := []graph.RunOption{graph.Workers(3)}
		if limit > 0 {
			opts = append(opts, graph.MemoryLimit(limit), graph.SpillTo(t.TempDir()))
		}
		got, err := graph.ComputeAll(t.Context(), ends, opts...)
		if err != nil {
			t.Fatal(err)
		}
		for _, v := range got {
			if v != 50+51 {
				t.Errorf("%v", v)
			}
		}
		if n := made.Load(); n != 20 {
			t.Errorf("limit %d: %d blocks were made for the 20 with two users", limit, n)
		}
	}
}

// Elements of a Map and joins of a Reduce that are the same are one.
func TestPureMapAndReduce(t *testing.T) {
	t.Parallel()
	g := graph.New()
	in := graph.Consts(g, []int{1, 2, 3, 4, 5})
	a, b := graph.Map(g, double, in, graph.Pure()), graph.Map(g, double, []graph.Value[int]{in[4], in[0], in[0]}, graph.Pure())
	if b[0].ID() != a[4].ID() || b[1].ID() != a[0].ID() || b[2].ID() != a[0].ID() || graph.Call(g, double, in[1], graph.Pure()).ID() != a[1].ID() {
		t.Error("pure elements that are the same are two")
	}
	x, y := graph.Reduce(g, add, a, 2, graph.Pure()), graph.Reduce(g, add, a[:4], 2, graph.Pure())
	n := g.Len()
	if graph.Reduce(g, add, a, 2, graph.Pure()).ID() != x.ID() || g.Len() != n {
		t.Error("the same Reduce twice")
	}
	sums, err := graph.ComputeAll(t.Context(), []graph.Value[int]{x, y, b[0]})
	if err != nil || !slices.Equal(sums, []int{30, 20, 10}) {
		t.Errorf("%v, %v", sums, err)
	}
}

// A run on processes goes on in goroutines where encoding is more than the work,
// unless that was ruled out.
func TestOnTurnsBack(t *testing.T) {
	t.Parallel()
	p := pool(t)
	n := make([]int, 8_000)
	for i := range n {
		n[i] = i
	}
	for _, row := range []struct {
		name  string
		opt   graph.RunOption
		turns bool
	}{{"nothing said", nil, true}, {"required", graph.Require(weft.Isolation), false}} {
		g := graph.New()
		sum := graph.Reduce(g, addFloats, graph.Map(g, numberAt, graph.Consts(g, n)), 100)
		want, err := graph.Compute(t.Context(), sum, graph.Workers(1))
		if err != nil {
			t.Fatal(err)
		}
		var rec graph.Record
		got, err := graph.Compute(t.Context(), sum, graph.On(p), row.opt, graph.RecordTo(&rec))
		if err != nil || got != want {
			t.Errorf("%s: %v, %v; want %v", row.name, got, err, want)
		}
		turned := slices.ContainsFunc(rec.Notes, func(s string) bool { return strings.HasPrefix(s, "encoding a task takes ") })
		if turned != row.turns {
			t.Errorf("%s: %q", row.name, rec.Notes)
		}
	}
}

func TestWishes(t *testing.T) {
	t.Parallel()
	g := graph.New()
	v := graph.Call0(g, answer)
	for _, row := range []struct {
		opts []graph.RunOption
		want string
	}{
		{[]graph.RunOption{graph.Require(weft.Isolation)}, "add graph.On(pool)"},
		{[]graph.RunOption{graph.On(weft.Goroutines(2)), graph.Require(weft.Isolation)}, "do not offer that"},
		{[]graph.RunOption{graph.Require(64)}, "there is no such wish"},
		{[]graph.RunOption{graph.Prefer(0)}, "there is no such wish"},
	} {
		if _, err := graph.Compute(t.Context(), v, row.opts...); err == nil || !strings.Contains(err.Error(), row.want) {
			t.Errorf("%v, want %s", err, row.want)
		}
	}
	var rec graph.Record
	var page bytes.Buffer
	if _, err := graph.Compute(t.Context(), v, graph.On(weft.Goroutines(2)), graph.Prefer(weft.Isolation), graph.RecordTo(&rec), graph.HTMLReport(&page)); err != nil || len(rec.Notes) != 1 || !strings.HasPrefix(rec.Notes[0], "Prefer(Isolation)") || !strings.Contains(page.String(), `<p class="note">Prefer(Isolation)`) {
		t.Errorf("%v, %q", err, rec.Notes)
	}
}
