package graph_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/weft-go/weft"
	"github.com/weft-go/weft/graph"
)

var (
	_ = weft.Register(stir)
	_ = weft.Register(blend)
	_ = weft.Register(mash)
	_ = weft.Register(sow)
)

// The functions of the random graphs: none is commutative, and the sizes differ.

func sow(context.Context) ([]uint64, error) { return []uint64{1, 2, 3}, nil }

func stir(_ context.Context, a []uint64) ([]uint64, error) {
	out := make([]uint64, len(a))
	for i, v := range a {
		out[i] = v*6364136223846793005 + uint64(i) + 1
	}
	return out, nil
}

func blend(_ context.Context, a, b []uint64) ([]uint64, error) {
	out := slices.Clone(a)
	for i := range out {
		out[i] = out[i]*31 + b[i%len(b)]
	}
	return out, nil
}

func mash(_ context.Context, as [][]uint64) ([]uint64, error) {
	out := []uint64{uint64(len(as))}
	for _, a := range as {
		for i, v := range a {
			out[0] = out[0]*1099511628211 ^ v + uint64(i)
		}
	}
	return append(out, make([]uint64, out[0]%2000)...), nil
}

// randomValues builds a random graph, and says what its values are.
func randomValues(rng *rand.Rand, g *graph.Graph, n int) (vs []graph.Value[[]uint64], want [][]uint64) {
	ctx := context.Background()
	push := func(v graph.Value[[]uint64], w []uint64, err error) {
		if err != nil {
			panic(err)
		}
		vs, want = append(vs, v), append(want, w)
	}
	for i := range 5 {
		w := make([]uint64, 1+rng.IntN(1500))
		for k := range w {
			w[k] = uint64(i * k)
		}
		push(graph.Const(g, w), w, nil)
	}
	near := func() int { return max(0, len(vs)-1-rng.IntN(30)) }
	for len(vs) < n {
		a, b := near(), near()
		switch rng.IntN(7) {
		case 0:
			w, err := sow(ctx)
			push(graph.Call0(g, sow), w, err)
		case 1, 2:
			w, err := stir(ctx, want[a])
			push(graph.Call(g, stir, vs[a]), w, err)
		case 3:
			w, err := blend(ctx, want[a], want[b])
			push(graph.Call2(g, blend, vs[a], vs[b]), w, err)
		case 4:
			lo := max(0, len(vs)-rng.IntN(12)-1)
			w, err := mash(ctx, want[lo:])
			push(graph.CallN(g, mash, vs[lo:]), w, err)
		case 5:
			lo := max(0, len(vs)-rng.IntN(12)-1)
			for k, v := range graph.Map(g, stir, slices.Clone(vs[lo:])) {
				w, err := stir(ctx, want[lo+k])
				push(v, w, err)
			}
		case 6:
			lo := max(0, len(vs)-rng.IntN(20)-1)
			fan := 2 + rng.IntN(4)
			level := slices.Clone(want[lo:])
			for len(level) > 1 {
				var up [][]uint64
				for i := 0; i < len(level); i += fan {
					acc := level[i]
					for _, v := range level[i+1 : min(i+fan, len(level))] {
						acc, _ = blend(ctx, acc, v)
					}
					up = append(up, acc)
				}
				level = up
			}
			push(graph.Reduce(g, blend, slices.Clone(vs[lo:]), fan), level[0], nil)
		}
	}
	return vs, want
}

// One random graph, on many executors, with many budgets and numbers of workers:
// the results are those of a plain loop.
func TestSameResultsEverywhere(t *testing.T) {
	t.Parallel()
	p := pool(t)
	seeds := 40
	if os.Getenv("WEFT_SOAK") != "" {
		seeds = 2000
	}
	for seed := range uint64(seeds) {
		rng := rand.New(rand.NewPCG(seed, 7))
		g := graph.New()
		vs, want := randomValues(rng, g, 20+rng.IntN(200))
		var asked []int
		for range 1 + rng.IntN(5) {
			asked = append(asked, rng.IntN(len(vs)))
		}
		asked = append(asked, len(vs)-1)
		ask := make([]graph.Value[[]uint64], len(asked))
		for i, a := range asked {
			ask[i] = vs[a]
		}
		dir := t.TempDir()
		for _, run := range []struct {
			name string
			opts []graph.RunOption
		}{
			{"plain", []graph.RunOption{graph.Workers(1)}},
			{"auto", nil},
			{"workers", []graph.RunOption{graph.Workers(2 + rng.IntN(6))}},
			{"small budget", []graph.RunOption{graph.MemoryLimit(1 << 20), graph.Workers(rng.IntN(4)), graph.SpillTo(dir)}},
			{"goroutines", []graph.RunOption{graph.On(weft.Goroutines(3))}},
			{"processes", []graph.RunOption{graph.On(p)}},
			{"journal", []graph.RunOption{graph.Journal(dir + "/j")}},
			{"journal again", []graph.RunOption{graph.Journal(dir + "/j"), graph.Workers(3)}},
		} {
			got, err := graph.ComputeAll(t.Context(), ask, run.opts...)
			if err != nil {
				t.Fatalf("seed %d, %s: %v", seed, run.name, err)
			}
			for i, a := range asked {
				if !slices.Equal(got[i], want[a]) {
					t.Fatalf("seed %d, %s: value %d is wrong", seed, run.name, a)
				}
			}
		}
		if err := graph.Persist(t.Context(), ask); err != nil {
			t.Fatal(err)
		}
		if got, err := graph.ComputeAll(t.Context(), ask); err != nil || !slices.Equal(got[0], want[asked[0]]) {
			t.Fatalf("seed %d, kept: %v", seed, err)
		}
	}
}

// A hundred thousand tasks that fail, panic and are stopped at random: each run
// returns, says what failed, and leaves nothing behind.
func TestManyTasksThatFail(t *testing.T) {
	t.Parallel()
	bad := errors.New("bad luck")
	left := 100_000
	for round := uint64(0); left > 0; round++ {
		rng := rand.New(rand.NewPCG(round, 3))
		n := 200 + rng.IntN(3000)
		left -= n
		odds := []int{0, 50, 1000}[rng.IntN(3)]
		var ran, failed atomic.Int64
		ctx, cancel := context.WithCancel(t.Context())
		work := func(ctx context.Context, a, b int) (int, error) {
			k := ran.Add(1)
			switch x := rand.IntN(max(1, odds)); {
			case odds == 0 || x > 1:
			case x == 0:
				failed.Add(1)
				return 0, bad
			default:
				failed.Add(1)
				panic(bad)
			}
			if round%7 == 6 && k == int64(n/2) {
				cancel()
			}
			return max(a, b) + 1, nil
		}
		g := graph.New()
		vs := graph.Consts(g, make([]int, 10))
		for len(vs) < n {
			far := min(len(vs), 1+rng.IntN(100))
			vs = append(vs, graph.Call2(g, work, vs[len(vs)-1-rng.IntN(far)], vs[len(vs)-1-rng.IntN(far)]))
		}
		opts := []graph.RunOption{graph.Workers(rng.IntN(6))}
		keep := rng.IntN(2) == 0
		if keep {
			opts = append(opts, graph.KeepGoing())
		}
		_, err := graph.ComputeAll(ctx, vs[len(vs)-20:], opts...)
		cancel()
		switch {
		case failed.Load() > 0:
			if !errors.Is(err, bad) && !errors.Is(err, context.Canceled) {
				t.Fatalf("round %d: %d failed, %v", round, failed.Load(), err)
			}
		case round%7 == 6 && ran.Load() >= int64(n/2):
			if err != nil && !errors.Is(err, context.Canceled) {
				t.Fatalf("round %d: %v", round, err)
			}
		case err != nil:
			t.Fatalf("round %d: %v", round, err)
		}
	}
}

// Tasks that build and compute graphs, and call weft.Map, at any depth: all share
// the CPUs, and none waits for another for ever.
func TestNested(t *testing.T) {
	t.Parallel()
	var nest func(ctx context.Context, depth int) (int, error)
	nest = func(ctx context.Context, depth int) (int, error) {
		if depth == 0 {
			return 1, nil
		}
		g := graph.New()
		deeper := graph.Map(g, nest, graph.Consts(g, []int{depth - 1, depth - 1, depth - 1}))
		mapped := graph.Call(g, func(ctx context.Context, n int) (int, error) {
			out, err := weft.Map(ctx, []int{n, n}, func(ctx context.Context, n int) (int, error) { return nest(ctx, n) })
			if err != nil {
				return 0, err
			}
			return out[0] + out[1], nil
		}, graph.Const(g, depth-1))
		return graph.Compute(ctx, graph.Call2(g, add, graph.Reduce(g, add, deeper, 2), mapped))
	}
	ctx, cancel := context.WithTimeoutCause(t.Context(), time.Minute, errors.New("it takes too long: a deadlock?"))
	defer cancel()
	n, err := nest(ctx, 5)
	if err != nil || n != 3125 {
		t.Errorf("%d, %v", n, err)
	}
}

// Options that change how a task is run.
func TestOptions(t *testing.T) {
	t.Parallel()
	g := graph.New()
	var tries atomic.Int64
	v := graph.Call0(g, func(context.Context) (int, error) {
		if tries.Add(1) < 3 {
			return 0, errors.New("not yet")
		}
		return 7, nil
	}, graph.Retry(3))
	if n, err := graph.Compute(t.Context(), v); err != nil || n != 7 || tries.Load() != 3 {
		t.Errorf("%d after %d, %v", n, tries.Load(), err)
	}
	once := graph.Call0(g, func(context.Context) (int, error) {
		tries.Add(1)
		return 0, fmt.Errorf("gone: %w", weft.ErrPermanent)
	}, graph.Retry(3))
	if _, err := graph.Compute(t.Context(), once); err == nil || tries.Load() != 4 {
		t.Errorf("after %d, %v", tries.Load(), err)
	}
	slow := graph.Call0(g, func(ctx context.Context) (int, error) { <-ctx.Done(); return 0, ctx.Err() }, graph.Timeout(time.Millisecond), graph.Name("slow"))
	if _, err := graph.Compute(t.Context(), slow); !errors.Is(err, context.DeadlineExceeded) || err.Error() != fmt.Sprintf("graph: slow (task %d): timed out after 1ms", slow.ID()) {
		t.Errorf("%v", err)
	}
	// One GPU: no two at once, and the others go on meanwhile.
	var gpu, both gauge
	work := func(g *gauge) func(context.Context, int) (int, error) {
		return func(_ context.Context, i int) (int, error) {
			g.add(1)
			defer g.add(-1)
			return i, nil
		}
	}
	on := graph.Map(g, work(&gpu), graph.Consts(g, make([]int, 200)), graph.Resource("gpu", 1))
	off := graph.Map(g, work(&both), graph.Consts(g, make([]int, 200)), graph.CPU(3))
	if _, err := graph.ComputeAll(t.Context(), slices.Concat(on, off), graph.Workers(4), graph.Capacity("gpu", 1)); err != nil {
		t.Error(err)
	}
	if gpu.most.Load() != 1 || both.most.Load() != 1 {
		t.Errorf("%d on the GPU at once, %d that take three of four CPUs", gpu.most.Load(), both.most.Load())
	}
}

// Pure tasks with the same function and inputs are one; others are not.
func TestPure(t *testing.T) {
	t.Parallel()
	g := graph.New()
	c := graph.Const(g, 2)
	a, b := graph.Call(g, double, c, graph.Pure()), graph.Call(g, double, c, graph.Pure())
	if a.ID() != b.ID() {
		t.Error("two pure tasks that are the same are two")
	}
	x, y := graph.Call(g, double, c), graph.Call(g, double, c)
	if x.ID() == y.ID() {
		t.Error("what is not said to be pure is shared")
	}
	if graph.Call(g, double, a, graph.Pure()).ID() == a.ID() || graph.Call2(g, add, a, b, graph.Pure()).ID() == graph.Call2(g, add, a, c, graph.Pure()).ID() {
		t.Error("different inputs")
	}
	f := func(k int) func(context.Context, int) (int, error) {
		return func(_ context.Context, n int) (int, error) { return n + k, nil }
	}
	if graph.Call(g, f(1), c, graph.Pure()).ID() == graph.Call(g, f(2), c, graph.Pure()).ID() {
		t.Error("closures that differ in what they capture")
	}
}

func TestPersist(t *testing.T) {
	t.Parallel()
	g, h := graph.New(), graph.New()
	var runs atomic.Int64
	v := graph.Call(g, func(_ context.Context, n int) (int, error) { return n + int(runs.Add(1)), nil }, graph.Const(g, 10))
	if _, err := graph.Compute(t.Context(), graph.Call(h, double, v)); err == nil {
		t.Error("a value of another graph")
	}
	if err := graph.Persist(t.Context(), []graph.Value[int]{v}); err != nil {
		t.Fatal(err)
	}
	h = graph.New()
	for _, w := range []graph.Value[int]{graph.Call(g, double, v), graph.Call(h, double, v)} {
		if n, err := graph.Compute(t.Context(), w); err != nil || n != 22 || runs.Load() != 1 {
			t.Errorf("%d after %d runs, %v", n, runs.Load(), err)
		}
	}
}

func TestExplain(t *testing.T) {
	t.Parallel()
	g := graph.New()
	slow := func(_ context.Context, n int) (int, error) {
		for begun := time.Now(); time.Since(begun) < 200*time.Microsecond; {
		}
		return n, nil
	}
	parts := graph.Map(g, slow, graph.Consts(g, make([]int, 32)), graph.Name("read"))
	sum := graph.Reduce(g, add, parts, 8, graph.Name("sum"))
	e, err := graph.Explain(sum)
	if err != nil || e.Tasks != 63 || e.Graph != 95 || len(e.Functions) != 2 || e.Functions[0].Measured != 0 || e.Functions[0].Fused {
		t.Fatalf("%v %+v", err, e)
	}
	if _, err := graph.Compute(t.Context(), sum); err != nil {
		t.Fatal(err)
	}
	e, err = graph.Explain(sum, graph.Workers(4))
	if err != nil || e.Workers != 4 || e.Critical[0] != "read" || e.Critical[len(e.Critical)-1] != "sum" || e.Parallelism < 2 || e.Predicted < e.CriticalTime-time.Microsecond ||
		e.Predicted > e.Total+time.Millisecond || e.PeakResults == 0 || e.PeakBytes == 0 {
		t.Errorf("%v %+v", err, e)
	}
	if r, s := e.Functions[0], e.Functions[1]; r.Fused || r.Name != "read" || !s.Fused && s.Each < 100*time.Microsecond {
		t.Errorf("%+v", e.Functions)
	}
	t.Log(e)
}
