package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/weft-go/weft/graph"
)

// graphBenchmark measures the package graph, beside the libraries that run
// graphs in Python.
var graphBenchmark = sectionBenchmark("graph",
	"overhead of a task, ten million tasks, parts held, results on disk",
	"Graph: what a task costs", 3, measureGraph)

// graphCaseHelper is the process of one case, so that its memory is its own.
var graphCaseHelper = benchmark{name: "graph-case", hidden: true, run: runGraphCase}

func incInt(_ context.Context, a int) (int, error)     { return a + 1, nil }
func addInts(_ context.Context, a, b int) (int, error) { return a + b, nil }

// graphShapes are graphs of n tasks that do nothing. bench/peers/graphs.py
// builds the same.
var graphShapes = []struct {
	name  string
	build func(g *graph.Graph, n int) []graph.Value[int]
}{
	{"wide", func(g *graph.Graph, n int) []graph.Value[int] {
		return graph.Map(g, incInt, graph.Consts(g, make([]int, n)))
	}},
	{"deep", func(g *graph.Graph, n int) []graph.Value[int] {
		v := graph.Const(g, 0)
		for range n {
			v = graph.Call(g, incInt, v)
		}
		return []graph.Value[int]{v}
	}},
	{"diamond", func(g *graph.Graph, n int) []graph.Value[int] {
		v := graph.Const(g, 0)
		for range n / 3 {
			v = graph.Call2(g, addInts, graph.Call(g, incInt, v), graph.Call(g, incInt, v))
		}
		return []graph.Value[int]{v}
	}},
	{"layered", func(g *graph.Graph, n int) []graph.Value[int] {
		rng := rand.New(rand.NewPCG(1, 2))
		layer := graph.Consts(g, make([]int, 100))
		for range n / 100 {
			next := make([]graph.Value[int], 100)
			for i := range next {
				next[i] = graph.Call2(g, addInts, layer[rng.IntN(100)], layer[rng.IntN(100)])
			}
			layer = next
		}
		return layer
	}},
}

// graphPeers are those of graphs.py, with the number of tasks that each gets,
// enough for a second or so, and of those that need each other one by one, where
// that is another number.
var graphPeers = []struct {
	name           string
	tasks, chained int
}{{"dask sync", 10_000, 10_000}, {"dask threads", 10_000, 10_000}, {"distributed", 3_000, 3_000}, {"joblib", 10_000, 1_000}, {"ray", 3_000, 3_000}}

func measureGraph(ctx context.Context, o sectionOptions) (string, error) {
	n := 1_000_000
	if o.quick {
		n, o.rounds = 10_000, 1
	}
	py, err := findPython(filepath.Join("bench", "peers"))
	noPython := ""
	if err != nil {
		noPython = err.Error()
	} else {
		defer py.close()
	}
	var b strings.Builder
	fmt.Fprintf(&b, "Building and computing a graph of tasks that do nothing, per task, in ns: the median of %d rounds in turns. Weft has %d tasks, the others fewer, as named, since they take longer. The clock starts when a pool or cluster is up and has done a task. joblib has no graphs: it is called once for each layer of tasks that don't need each other.\n\n", o.rounds, n)
	if py == nil {
		fmt.Fprintf(&b, "**The Python libraries did not run**: %s.\n\n", noPython)
	}
	b.WriteString("| graph | Weft |")
	for _, p := range graphPeers {
		if p.tasks == p.chained {
			fmt.Fprintf(&b, " %s (%d) |", p.name, p.tasks)
		} else {
			fmt.Fprintf(&b, " %s (%d; %d of deep and diamond) |", p.name, p.tasks, p.chained)
		}
	}
	b.WriteString(" best / Weft |\n|---|---:|" + strings.Repeat("---:|", len(graphPeers)) + "---:|\n")
	for _, s := range graphShapes {
		if !o.wants(s.name) {
			continue
		}
		ours, theirs := []float64{}, make([][]float64, len(graphPeers))
		whys := make([]string, len(graphPeers))
		for range o.rounds {
			if ctx.Err() != nil {
				return "", context.Cause(ctx)
			}
			runtime.GC()
			begin := time.Now()
			g := graph.New()
			if _, err := graph.ComputeAll(ctx, s.build(g, n)); err != nil {
				return "", err
			}
			ours = append(ours, float64(time.Since(begin))/float64(n))
			for i, p := range graphPeers {
				if py == nil || o.quick && s.name != "wide" || whys[i] != "" {
					continue
				}
				tasks := p.tasks
				if s.name == "deep" || s.name == "diamond" {
					tasks = p.chained
				}
				if o.quick {
					tasks = 300
				}
				var row struct{ Seconds float64 }
				err := py.script(ctx, "graphs.py", func(b []byte) error { return json.Unmarshal(b, &row) }, p.name, s.name, strconv.Itoa(tasks))
				if err != nil {
					whys[i] = err.Error()
					continue
				}
				theirs[i] = append(theirs[i], row.Seconds*1e9/float64(tasks))
			}
		}
		fmt.Fprintf(&b, "| %s | %.0f |", s.name, medianOf(ours))
		best := 0.0
		for i := range graphPeers {
			switch m := medianOf(theirs[i]); {
			case whys[i] != "":
				fmt.Fprintf(&b, " failed: %s |", whys[i])
			case m > 0:
				fmt.Fprintf(&b, " %.0f |", m)
				if best == 0 || m < best {
					best = m
				}
			default:
				b.WriteString(" - |")
			}
		}
		if best > 0 {
			fmt.Fprintf(&b, " %.0f x |\n", best/medianOf(ours))
		} else {
			b.WriteString(" - |\n")
		}
	}
	b.WriteString("\nEach in a process of its own:\n\n| what | measured | aim |\n|---|---:|---|\n")
	self, err := os.Executable()
	if err != nil {
		return "", err
	}
	for _, c := range graphCases {
		if !o.wants(c.key) {
			continue
		}
		args := []string{graphCaseHelper.name, c.key}
		if o.quick {
			args = append(args, "quick")
		}
		cmd := exec.CommandContext(ctx, self, args...)
		cmd.Stderr = os.Stderr
		out, err := cmd.Output()
		if err != nil {
			return "", fmt.Errorf("%s: %w", c.name, err)
		}
		fmt.Fprintf(&b, "| %s | %s | %s |\n", c.name, strings.TrimSpace(string(out)), c.aim)
	}
	return b.String(), nil
}

// graphCases are rows of the second table; key is for -only.
var graphCases = []struct {
	key, name, aim string
	run            func(ctx context.Context, quick bool) (string, error)
}{
	{"ten million", "10 million tasks, built and computed: a Map of 5 million and its sum", "20 s", tenMillion},
	{"pending wide", "memory of a pending task, wide", "200 B", func(ctx context.Context, quick bool) (string, error) { return pending(ctx, "wide", quick) }},
	{"pending layered", "memory of a pending task, layered", "200 B", func(ctx context.Context, quick bool) (string, error) { return pending(ctx, "layered", quick) }},
	{"parts", "1,000 parts read and reduced: parts held", "workers + 4", partsHeld},
	{"waiting", "2,000 tasks that wait 10 ms; a worker for each CPU would take 10 s", "", waitingTasks},
	{"spill", "results of 10 x the budget of 256 MiB: most RSS above the start", "282 MiB", tenBudgets},
}

func runGraphCase(ctx context.Context, out io.Writer, args []string) error {
	for _, c := range graphCases {
		if len(args) > 0 && c.key == args[0] {
			s, err := c.run(ctx, len(args) > 1)
			if err != nil {
				return err
			}
			_, err = fmt.Fprintln(out, s)
			return err
		}
	}
	return errors.New("graph-case: which?")
}

func tenMillion(ctx context.Context, quick bool) (string, error) {
	n := 5_000_000
	if quick {
		n = 50_000
	}
	begin := time.Now()
	g := graph.New()
	sum, err := graph.Compute(ctx, graph.Reduce(g, addInts, graph.Map(g, incInt, graph.Consts(g, make([]int, n))), 8))
	took := time.Since(begin)
	if err != nil || sum != n {
		return "", fmt.Errorf("%d, %w", sum, err)
	}
	rss, err := statusLine("VmHWM:")
	if err != nil {
		return "", err
	}
	return fmt.Sprintf("%s s, %d ns a task, most RSS %d MiB", seconds(took), int(took)/(2*n), rss>>20), nil
}

// pending measures the heap while the first task of a graph runs.
func pending(ctx context.Context, shape string, quick bool) (string, error) {
	n := 1_000_000
	if quick {
		n = 10_000
	}
	heap := func() int64 {
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return int64(m.HeapAlloc)
	}
	before := heap()
	var during int64
	g := graph.New()
	first := graph.Call0(g, func(context.Context) (int, error) { during = heap(); return 0, nil }, graph.Priority(1))
	for _, s := range graphShapes {
		if s.name == shape {
			vs := append([]graph.Value[int]{first}, s.build(g, n)...)
			before += 16 * int64(cap(vs)) // what was asked for is the caller's
			if _, err := graph.ComputeAll(ctx, vs, graph.Workers(1)); err != nil {
				return "", err
			}
			runtime.KeepAlive(vs)
		}
	}
	return fmt.Sprintf("%d B", (during-before)/int64(n)), nil
}

func waitingTasks(ctx context.Context, quick bool) (string, error) {
	n := 2000
	if quick {
		n = 50
	}
	g := graph.New()
	wait := func(_ context.Context, i int) (int, error) { time.Sleep(10 * time.Millisecond); return 1, nil }
	sum := graph.Reduce(g, addInts, graph.Map(g, wait, graph.Consts(g, make([]int, n))), 8)
	begin := time.Now()
	if got, err := graph.Compute(ctx, sum); err != nil || got != n {
		return "", fmt.Errorf("%d, %w", got, err)
	}
	return seconds(time.Since(begin)) + " s", nil
}

func partsHeld(ctx context.Context, quick bool) (string, error) {
	var rows []string
	for _, workers := range []int{2, 8, 24} {
		var now, most atomic.Int64
		g := graph.New()
		read := func(_ context.Context, i int) (float64, error) {
			n := now.Add(1)
			for m := most.Load(); n > m && !most.CompareAndSwap(m, n); m = most.Load() {
			}
			time.Sleep(time.Duration(rand.IntN(1000)) * time.Microsecond)
			return 1, nil
		}
		join := func(_ context.Context, a, b float64) (float64, error) {
			if a == 1 {
				now.Add(-1)
			}
			if b == 1 {
				now.Add(-1)
			}
			return a + b, nil
		}
		sum := graph.Reduce(g, join, graph.Map(g, read, graph.Consts(g, make([]int, 1000))), 8)
		if got, err := graph.Compute(ctx, sum, graph.Workers(workers)); err != nil || got != 1000 {
			return "", fmt.Errorf("%v, %w", got, err)
		}
		rows = append(rows, fmt.Sprintf("%d with %d workers", most.Load(), workers))
	}
	return strings.Join(rows, ", "), nil
}

// tenBudgets reads parts that are all needed twice, so that they can't be let go:
// ten times the budget.
func tenBudgets(ctx context.Context, quick bool) (string, error) {
	const part = 4 << 20
	limit := int64(256 << 20)
	if quick {
		limit = 32 << 20
	}
	n := int(10 * limit / part)
	debug.FreeOSMemory()
	before, err := statusLine("VmRSS:")
	if err != nil {
		return "", err
	}
	g := graph.New()
	ids := make([]int, n)
	for i := range ids {
		ids[i] = i
	}
	parts := graph.Map(g, func(_ context.Context, i int) ([]float64, error) {
		p := make([]float64, part/8)
		for k := range p {
			p[k] = float64(i ^ k)
		}
		return p, nil
	}, graph.Consts(g, ids))
	top := func(_ context.Context, p []float64) (float64, error) {
		m := p[0]
		for _, v := range p {
			m = max(m, v)
		}
		return m, nil
	}
	maxOf := func(_ context.Context, a, b float64) (float64, error) { return max(a, b), nil }
	most := graph.Reduce(g, maxOf, graph.Map(g, top, parts), 8)
	scaled := make([]graph.Value[float64], n)
	for i, p := range parts {
		scaled[i] = graph.Call2(g, func(_ context.Context, p []float64, most float64) (float64, error) {
			s := 0.0
			for _, v := range p {
				s += v / most
			}
			return s, nil
		}, p, most)
	}
	begin := time.Now()
	_, err = graph.Compute(ctx, graph.Reduce(g, func(_ context.Context, a, b float64) (float64, error) { return a + b, nil }, scaled, 8), graph.MemoryLimit(limit))
	if err != nil {
		return "", err
	}
	peak, err := statusLine("VmHWM:")
	if err != nil {
		return "", err
	}
	return fmt.Sprintf("%d MiB with %d MiB of results, in %s s", (peak-before)>>20, int64(n)*part>>20, seconds(time.Since(begin))), nil
}
