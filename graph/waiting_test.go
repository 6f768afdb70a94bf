package graph_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

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
