package graph_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/weft-go/weft/graph"
)

// part is something that was read, or a sum of such.
type part struct {
	Leaves int
	Sum    float64
	Data   []float64
}

// gauge counts what is held and the most of it.
type gauge struct{ now, most atomic.Int64 }

func (g *gauge) add(n int64) {
	if v := g.now.Add(n); n > 0 {
		for m := g.most.Load(); v > m && !g.most.CompareAndSwap(m, v); m = g.most.Load() {
		}
	}
}

// D5: reading a thousand parts and reducing them holds at most a few more parts
// than there are workers, whatever the fan-in, and however unequal the parts
// are.
func TestPartsHeldAreFew(t *testing.T) {
	t.Parallel()
	for _, workers := range []int{1, 2, 3, 8, 24} {
		for _, fanIn := range []int{2, 8, 32} {
			g := graph.New()
			var held gauge
			n := make([]int, 1000)
			for i := range n {
				n[i] = i
			}
			read := func(_ context.Context, i int) (part, error) {
				held.add(1)
				if i%7 == 0 {
					for range 20 {
						runtime.Gosched()
					}
				}
				return part{Leaves: 1}, nil
			}
			join := func(_ context.Context, a, b part) (part, error) {
				if a.Leaves == 1 {
					held.add(-1)
				}
				held.add(-1)
				if b.Leaves != 1 {
					held.add(1)
				}
				return part{Leaves: a.Leaves + b.Leaves}, nil
			}
			sum := graph.Reduce(g, join, graph.Map(g, read, graph.Consts(g, n)), fanIn)
			got, err := graph.Compute(t.Context(), sum, graph.Workers(workers))
			if err != nil || got.Leaves != 1000 {
				t.Fatal(got, err)
			}
			if most := int(held.most.Load()); most > workers+4 {
				t.Errorf("%d workers, fan-in %d: %d parts were held at once", workers, fanIn, most)
			}
		}
	}
}

// reading is a graph that reads parts of size floats, needs all of them twice,
// and so can't keep them within a small budget.
func reading(g *graph.Graph, parts, size int, opts ...graph.NodeOption) graph.Value[part] {
	n := make([]int, parts)
	for i := range n {
		n[i] = i
	}
	read := graph.Map(g, func(_ context.Context, i int) (part, error) {
		p := part{Leaves: 1, Data: make([]float64, size)}
		for k := range p.Data {
			p.Data[k] = float64(i + k)
		}
		return p, nil
	}, graph.Consts(g, n), append(opts, graph.Name("read"))...)
	count := graph.Reduce(g, func(_ context.Context, a, b part) (part, error) {
		return part{Leaves: a.Leaves + b.Leaves}, nil
	}, read, 8, graph.Name("count"))
	each := make([]graph.Value[part], parts)
	for i, p := range read {
		each[i] = graph.Call2(g, func(_ context.Context, p, all part) (part, error) {
			s := 0.0
			for _, v := range p.Data {
				s += v
			}
			return part{Leaves: 1, Sum: s * float64(all.Leaves)}, nil
		}, p, count, graph.Name("weigh"))
	}
	return graph.Reduce(g, func(_ context.Context, a, b part) (part, error) {
		return part{Leaves: a.Leaves + b.Leaves, Sum: a.Sum + b.Sum}, nil
	}, each, 8, graph.Name("sum"))
}

func readingWant(parts, size int) float64 {
	s := 0.0
	for i := range parts {
		for k := range size {
			s += float64(i + k)
		}
	}
	return s * float64(parts)
}

// What does not fit goes to disk and comes back; results stay within the budget;
// nothing is left in the directory.
func TestSpillAndBack(t *testing.T) {
	t.Parallel()
	const parts, size = 100, 8 << 10 // 64 KiB each
	for _, workers := range []int{1, 2, 4} {
		dir := t.TempDir()
		g := graph.New()
		v := reading(g, parts, size)
		var rec graph.Record
		const limit = 1 << 20
		got, err := graph.Compute(t.Context(), v, graph.Workers(workers), graph.MemoryLimit(limit), graph.SpillTo(dir), graph.RecordTo(&rec))
		if err != nil || got.Sum != readingWant(parts, size) {
			t.Fatal(got.Leaves, got.Sum, err)
		}
		most, disk, spilled := int64(0), int64(0), 0
		for _, s := range rec.Memory {
			most, disk = max(most, s.Bytes), max(disk, s.Disk)
		}
		for _, k := range rec.Tasks {
			if k.Spilled {
				spilled++
			}
		}
		if most > limit || disk < 4<<20 || spilled < 50 {
			t.Errorf("%d workers: at most %d bytes in memory with a budget of %d, %d on disk, %d results spilled", workers, most, limit, disk, spilled)
		}
		if left, _ := os.ReadDir(dir); len(left) > 0 {
			t.Errorf("left over: %v", left)
		}
	}
}

// A task that has no room even alone is named.
func TestNoRoomIsNamed(t *testing.T) {
	t.Parallel()
	g := graph.New()
	_, err := graph.Compute(t.Context(), reading(g, 4, 1000, graph.Memory(2<<20)), graph.MemoryLimit(1<<20))
	if te, ok := errors.AsType[*graph.TaskError](err); !ok || te.Task != "read" || !strings.Contains(err.Error(), "memory budget of 1.00 MiB (MemoryLimit)") {
		t.Errorf("%v", err)
	}
	// All parts at once, for one task.
	g = graph.New()
	read := graph.Map(g, func(_ context.Context, i int) (part, error) {
		return part{Data: make([]float64, 16<<10)}, nil
	}, graph.Consts(g, make([]int, 20)))
	all := graph.CallN(g, func(_ context.Context, ps []part) (int, error) { return len(ps), nil }, read, graph.Name("all at once"))
	_, err = graph.Compute(t.Context(), all, graph.MemoryLimit(1<<20), graph.SpillTo(t.TempDir()))
	if te, ok := errors.AsType[*graph.TaskError](err); !ok || te.Task != "all at once" {
		t.Errorf("%v", err)
	}
}

// Where nothing can go to disk the run goes on as far as memory allows, and the
// error says why it could not go further.
func TestNoDisk(t *testing.T) {
	t.Parallel()
	g := graph.New()
	dir := filepath.Join(t.TempDir(), "gone")
	_, err := graph.Compute(t.Context(), reading(g, 100, 8<<10), graph.MemoryLimit(1<<20), graph.SpillTo(dir))
	if err == nil || !strings.Contains(err.Error(), dir) || !strings.Contains(err.Error(), "could not go to disk") {
		t.Errorf("%v", err)
	}
	// The same with results that have no encoding.
	g = graph.New()
	type odd struct {
		Data []float64
		F    func()
	}
	read := graph.Map(g, func(_ context.Context, i int) (odd, error) {
		return odd{Data: make([]float64, 8<<10), F: func() {}}, nil
	}, graph.Consts(g, make([]int, 100)), graph.Name("odd"))
	n := graph.CallN(g, func(_ context.Context, os []odd) (int, error) { return len(os), nil }, read)
	_, err = graph.Compute(t.Context(), n, graph.MemoryLimit(1<<20))
	if err == nil || !strings.Contains(err.Error(), "odd") || !strings.Contains(err.Error(), "it is a function") {
		t.Errorf("%v", err)
	}
}

// D4: after a failed run the next one works, a thousand times.
func TestErrorThenAgain(t *testing.T) {
	t.Parallel()
	g := graph.New()
	var fail atomic.Bool
	bad := errors.New("bad")
	parts := graph.Map(g, func(_ context.Context, i int) (int, error) {
		if fail.Load() && i == 7 {
			return 0, bad
		}
		return i, nil
	}, graph.Consts(g, []int{1, 2, 3, 4, 5, 6, 7, 8, 9, 10}))
	sum := graph.Reduce(g, add, parts, 3)
	for i := range 1000 {
		fail.Store(i%2 == 0)
		n, err := graph.Compute(t.Context(), sum, graph.Workers(i%4))
		if fail.Load() != errors.Is(err, bad) || err == nil && n != 55 {
			t.Fatalf("round %d: %d, %v", i, n, err)
		}
	}
}

func TestKeepGoing(t *testing.T) {
	t.Parallel()
	g := graph.New()
	n := make([]int, 100)
	for i := range n {
		n[i] = i
	}
	var mu sync.Mutex
	ran := map[int]bool{}
	parts := graph.Map(g, func(_ context.Context, i int) (int, error) {
		mu.Lock()
		ran[i] = true
		mu.Unlock()
		if i%10 == 3 {
			return 0, fmt.Errorf("no %d", i)
		}
		return i, nil
	}, graph.Consts(g, n))
	next := graph.Map(g, double, parts)
	out, err := graph.ComputeAll(t.Context(), next, graph.KeepGoing())
	if err == nil || !strings.HasPrefix(err.Error(), "graph: 10 tasks failed, and 10 that need them did not run\n") {
		t.Fatal(err)
	}
	for i, v := range out {
		if want := 2 * i; i%10 == 3 && v != 0 || i%10 != 3 && v != want {
			t.Errorf("%d: %d", i, v)
		}
	}
	if len(ran) != 100 {
		t.Errorf("%d ran", len(ran))
	}
}

// A run that is stopped says so, and returns when all its tasks have ended.
func TestCancel(t *testing.T) {
	t.Parallel()
	for _, workers := range []int{0, 1, 3} {
		ctx, cancel := context.WithCancelCause(t.Context())
		defer cancel(nil)
		g := graph.New()
		why := errors.New("enough")
		v := graph.Const(g, 0)
		for i := range 100 {
			v = graph.Call(g, func(ctx context.Context, n int) (int, error) {
				if i == 50 {
					cancel(why)
					<-ctx.Done()
					return 0, ctx.Err()
				}
				return n + 1, nil
			}, v)
		}
		_, err := graph.Compute(ctx, v, graph.Workers(workers))
		if !errors.Is(err, why) || !errors.Is(err, context.Canceled) || !strings.Contains(err.Error(), "stopped after 50 of 100 tasks") {
			t.Errorf("%v", err)
		}
		if _, err := graph.Compute(ctx, v); !errors.Is(err, why) {
			t.Errorf("%v", err)
		}
	}
}
