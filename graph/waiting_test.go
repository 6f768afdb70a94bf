package graph_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"testing"
	"testing/synctest"
	"time"

	"github.com/weft-go/weft"
	"github.com/weft-go/weft/graph"
	"github.com/weft-go/weft/internal/cpus"
)

// Tasks that wait run many at once, more than there are CPUs, and what they read
// is still held by few.
func TestWaitingTasksRunManyAtOnce(t *testing.T) { // not parallel: others wake whoever waits for a CPU, also in this bubble
	synctest.Test(t, func(t *testing.T) {
		var now gauge
		g := graph.New()
		fetch := func(context.Context, int) (int, error) {
			now.add(1)
			time.Sleep(100 * time.Millisecond)
			now.add(-1)
			return 1, nil
		}
		sum := graph.Reduce(g, add, graph.Map(g, fetch, graph.Consts(g, make([]int, 2000))), 8)
		var rec graph.Record
		begun := time.Now()
		n, err := graph.Compute(t.Context(), sum, graph.RecordTo(&rec))
		if err != nil || n != 2000 {
			t.Fatal(n, err)
		}
		most, alone := int(now.most.Load()), 200*time.Second/time.Duration(cpus.Workers(0, cpus.Get()))
		if took := time.Since(begun); most < 32 || most > 128 || took > alone/8 {
			t.Errorf("%d at once, in %v; a worker for each CPU would take %v", most, took, alone)
		}
		if len(rec.Notes) != 1 || rec.Workers < most {
			t.Errorf("%q, %d workers", rec.Notes, rec.Workers)
		}
		held := 0
		for _, s := range rec.Memory {
			held = max(held, s.Results)
		}
		if held > 2*(128+4) { // parts, and sums of parts
			t.Errorf("%d results were held", held)
		}
	})
}

// Who says how many workers gets that many, and tasks that say that they compute
// on several CPUs are left alone.
func TestWaitingIsBounded(t *testing.T) { // not parallel, as above
	for _, row := range []struct {
		run  []graph.RunOption
		node []graph.NodeOption
	}{{run: []graph.RunOption{graph.Workers(3)}}, {node: []graph.NodeOption{graph.CPU(2)}}} {
		synctest.Test(t, func(t *testing.T) {
			var now gauge
			g := graph.New()
			fetch := func(context.Context, int) (int, error) {
				now.add(1)
				time.Sleep(100 * time.Millisecond)
				now.add(-1)
				return 1, nil
			}
			_, err := graph.ComputeAll(t.Context(), graph.Map(g, fetch, graph.Consts(g, make([]int, 200)), row.node...), row.run...)
			if most := int(now.most.Load()); err != nil || most > max(3, cpus.Workers(0, cpus.Get())) {
				t.Errorf("%d at once, %v", most, err)
			}
		})
	}
}

// Random graphs of tasks that wait, for very different times, that fail, are
// stopped, and run others themselves: results are right, and all slots come back.
func TestWaitingAtRandom(t *testing.T) { // not parallel, as above
	synctest.Test(t, func(t *testing.T) {
		bad, enough := errors.New("bad luck"), errors.New("enough")
		waited := 0
		for seed := range uint64(60) {
			rng := rand.New(rand.NewPCG(seed, 11))
			odds := []int{0, 0, 300}[seed%3]
			g := graph.New()
			nap := func(ctx context.Context, d time.Duration) error {
				if odds > 0 && rand.IntN(odds) == 0 {
					return bad
				}
				tm := time.NewTimer(d)
				defer tm.Stop()
				select {
				case <-tm.C:
					return nil
				case <-ctx.Done():
					return context.Cause(ctx)
				}
			}
			vs, want := graph.Consts(g, []int{1, 2, 3}), []int{1, 2, 3}
			for len(vs) < 400 {
				far := min(len(vs), 1+rng.IntN(200))
				i, j := len(vs)-1-rng.IntN(far), len(vs)-1-rng.IntN(far)
				d := time.Duration(rng.ExpFloat64() * float64(5*time.Millisecond))
				nested := rng.IntN(50) == 0
				vs = append(vs, graph.Call2(g, func(ctx context.Context, a, b int) (int, error) {
					if nested {
						out, err := weft.Map(ctx, []int{a, b}, func(ctx context.Context, n int) (int, error) { return n, nap(ctx, d) })
						if err != nil {
							return 0, err
						}
						a, b = out[0], out[1]
					}
					return (a + b) % 1000, nap(ctx, d)
				}, vs[i], vs[j]))
				want = append(want, (want[i]+want[j])%1000)
			}
			ctx, cancel := context.WithCancelCause(t.Context())
			if seed%5 == 4 {
				stop := time.AfterFunc(time.Duration(rng.IntN(400))*time.Millisecond, func() { cancel(enough) })
				defer stop.Stop()
			}
			var rec graph.Record
			opts := []graph.RunOption{graph.RecordTo(&rec)}
			if seed%2 == 0 {
				opts = append(opts, graph.KeepGoing())
			}
			out, err := graph.ComputeAll(ctx, vs, opts...)
			cancel(nil)
			switch {
			case err == nil:
				for i, n := range out {
					if n != want[i] {
						t.Fatalf("seed %d: value %d is %d, not %d", seed, i, n, want[i])
					}
				}
			case odds > 0 && errors.Is(err, bad), seed%5 == 4 && errors.Is(err, enough):
			default:
				t.Fatalf("seed %d: %v", seed, err)
			}
			waited += len(rec.Notes)
		}
		if waited < 10 {
			t.Errorf("only %d of 60 runs had many tasks waiting at once", waited)
		}
	})
}
