package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/weft-go/weft"
)

// decisions compares what Map chooses by itself with every fixed setting of a
// grid, over many kinds of work.
var decisions = sectionBenchmark("grid",
	"what Map chooses, against a grid of fixed settings, over kinds of work",
	"Right decisions", 5, measureDecisions)

// kind is one kind of work. Some are judged by For, some by Map.
type kind struct {
	name  string
	n     int
	do    func(ctx context.Context, i int) (uint64, error)
	reset func() // before each run
	opts  []weft.MapOption
	grid  []setting
	inner func(inner ...weft.MapOption) func(ctx context.Context, i int) (uint64, error) // nested: what the fixed settings use
}

// setting is a point of the grid; inner belongs to nested work.
type setting struct{ workers, chunk, inner int }

func (s setting) String() string {
	t := fmt.Sprintf("Workers(%d)", s.workers)
	if s.chunk > 0 {
		t += fmt.Sprintf(", Chunk(%d)", s.chunk)
	}
	if s.inner > 0 {
		t += fmt.Sprintf(", inner Workers(%d)", s.inner)
	}
	return t
}

func grid(workers, chunks []int) []setting {
	var g []setting
	for _, w := range workers {
		for _, c := range chunks {
			if w == 1 && c != chunks[0] {
				continue // the plain loop has no chunks
			}
			g = append(g, setting{workers: w, chunk: c})
		}
	}
	return g
}

func kinds(rate float64, quick bool) []kind {
	us := func(micros float64) int { return int(rate * micros) }
	cpuGrid := grid([]int{1, 2, 4, 8}, []int{1, 8, 64, 512, 4096})
	coarseGrid := grid([]int{1, 2, 4, 8}, []int{1, 2, 4, 16})
	ioGrid := grid([]int{1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024}, []int{1})
	rng := rand.New(rand.NewPCG(1, 2))
	tail := make([]int, 1500)
	for i := range tail {
		m := 120 * (0.3 + rng.ExpFloat64())
		if rng.IntN(60) == 0 {
			m = 4000 + 8000*rng.Float64()
		}
		tail[i] = us(m)
	}
	var mu sync.Mutex
	var shared [1]atomic.Uint64
	var warm atomic.Int64
	inner := make([]int, 500)
	limit := int64(256 * mib)
	ks := []kind{
		{name: "tiny: 1e6 x 2 ns", n: 1_000_000, grid: cpuGrid, do: func(_ context.Context, i int) (uint64, error) { return uint64(i) * 3, nil }},
		{name: "fine: 1e6 x 200 ns", n: 1_000_000, grid: cpuGrid, do: spinFunc(us(0.2))},
		{name: "medium: 2e4 x 10 us", n: 20_000, grid: cpuGrid, do: spinFunc(us(10))},
		{name: "coarse: 60 x 5 ms", n: 60, grid: coarseGrid, do: spinFunc(us(5000))},
		{name: "few: 4 x 50 ms", n: 4, grid: coarseGrid, do: spinFunc(us(50000))},
		{name: "heavy tail: 1500, mean 300 us, up to 12 ms", n: len(tail), grid: grid([]int{1, 2, 4, 8}, []int{1, 8, 64}),
			do: func(_ context.Context, i int) (uint64, error) { return spin(tail[i]), nil }},
		{name: "growing: 4000, 1 us to 200 us", n: 4000, grid: cpuGrid,
			do: func(_ context.Context, i int) (uint64, error) { return spin(us(1 + float64(i)/20)), nil }},
		{name: "I/O: 5000 x 20 ms", n: 5000, grid: grid([]int{8, 16, 32, 64, 128, 256, 512, 1024}, []int{1}), do: waiter(20 * time.Millisecond)},
		{name: "mixed: 600 x (2 ms wait + 0.5 ms CPU)", n: 600, grid: ioGrid,
			do: func(ctx context.Context, i int) (uint64, error) { return spin(us(500)), sleep(ctx, 2*time.Millisecond) }},
		{name: "mutex: 3e4 x 10 us in one lock", n: 30_000, grid: cpuGrid,
			do: func(_ context.Context, i int) (uint64, error) {
				mu.Lock()
				defer mu.Unlock()
				return spin(us(10)), nil
			}},
		{name: "shared counter: 1e5 x 100 atomic adds", n: 100_000, grid: cpuGrid,
			do: func(_ context.Context, i int) (uint64, error) {
				for range 100 {
					shared[0].Add(1)
				}
				return 0, nil
			}},
		{name: "allocating: 1e5 x 64 objects", n: 100_000, grid: cpuGrid,
			do: func(_ context.Context, i int) (uint64, error) {
				var head *node
				for j := range 64 {
					head = &node{next: head, v: uint64(j)}
				}
				return head.v, nil
			}},
		{name: "memory-hungry: 60 x 64 MiB, limit 256 MiB", n: 60, grid: grid([]int{1, 2, 4}, []int{1}), opts: []weft.MapOption{weft.MemoryLimit(limit)},
			do: func(_ context.Context, i int) (uint64, error) { return fill(64 * mib), nil }},
		{name: "cold start: 20 x 5 ms, then 2e4 x 20 us", n: 20_000, grid: cpuGrid, reset: func() { warm.Store(0) },
			do: func(_ context.Context, i int) (uint64, error) {
				if warm.Add(1) <= 20 {
					return spin(us(5000)), nil
				}
				return spin(us(20)), nil
			}},
		{name: "cached: 2000 x 10 us, then 2000 waits of 10 ms", n: 4000, grid: grid([]int{8, 16, 32, 64, 128, 256, 512, 1024}, []int{1}), reset: func() { warm.Store(0) },
			do: func(ctx context.Context, i int) (uint64, error) {
				if i < 2000 {
					return spin(us(10)), nil
				}
				return 0, sleep(ctx, 10*time.Millisecond)
			}},
		{name: "nested: 16 x Map of 500 x 20 us", n: 16,
			grid: []setting{{1, 1, 1}, {1, 1, 2}, {2, 1, 1}, {2, 1, 2}, {4, 1, 1}, {4, 1, 2}, {4, 1, 4}, {8, 1, 2}},
			do: func(ctx context.Context, i int) (uint64, error) {
				_, err := weft.Map(ctx, inner, spinFunc(us(20)))
				return 0, err
			},
			inner: func(opts ...weft.MapOption) func(ctx context.Context, i int) (uint64, error) {
				return func(ctx context.Context, i int) (uint64, error) {
					_, err := weft.Map(ctx, inner, spinFunc(us(20)), opts...)
					return 0, err
				}
			}},
	}
	if quick {
		for i := range ks {
			ks[i].n = min(ks[i].n, 50)
			ks[i].grid = ks[i].grid[:2]
		}
	}
	return ks
}

type node struct {
	next *node
	v    uint64
}

func measureDecisions(ctx context.Context, o sectionOptions) (string, error) {
	rate := spinRate(5, 20*time.Millisecond)
	var b strings.Builder
	b.WriteString("Each kind of work runs with nothing set and with every fixed setting of a grid, all in the same rounds in changing order. " +
		"`best` is the setting with the smallest median. The ratio is Map's median over that one's: " +
		"a setting that wins a grid by luck counts against Map. The aim is at most 1.10 in the median and 1.25 at worst.\n\n")
	b.WriteString("| work | settings | best setting | best s | Map s | ratio | plain loop s | Map chose |\n|---|---:|---|---:|---:|---:|---:|---|\n")
	var ratios []float64
	for _, k := range kinds(rate, o.quick) {
		if !o.wants(k.name) {
			continue
		}
		items := make([]int, k.n)
		for i := range items {
			items[i] = i
		}
		rounds := o.rounds
		if o.quick {
			rounds = 1
		}
		times := map[int][]time.Duration{} // by place in the grid, -1 is Map alone
		var rep weft.Report
		var reps []string
		order := make([]int, len(k.grid)+1)
		for i := range order {
			order[i] = i - 1
		}
		for round := range rounds {
			rand.Shuffle(len(order), func(i, j int) { order[i], order[j] = order[j], order[i] })
			for _, at := range order {
				if ctx.Err() != nil {
					return "", context.Cause(ctx)
				}
				if at >= 0 && round > 0 && times[at][0] > 2*best(times) {
					continue // far off: not the best of the grid
				}
				opts := slices.Clone(k.opts)
				do := k.do
				if at >= 0 {
					s := k.grid[at]
					opts = append(opts, weft.Workers(s.workers), weft.Chunk(s.chunk))
					if s.inner > 0 {
						do = k.inner(weft.Workers(s.inner))
					}
				} else {
					opts = append(opts, weft.ReportTo(&rep))
				}
				if k.reset != nil {
					k.reset()
				}
				runtime.GC()
				begin := time.Now()
				_, err := weft.Map(ctx, items, do, opts...)
				if err != nil {
					return "", fmt.Errorf("%s: %w", k.name, err)
				}
				times[at] = append(times[at], time.Since(begin))
				if at < 0 {
					reps = append(reps, rep.String())
				}
			}
		}
		bestAt, bestTime, plain := 0, time.Duration(0), time.Duration(0)
		for at := range k.grid {
			m := median(times[at])
			if k.grid[at].workers == 1 && k.grid[at].inner <= 1 {
				plain = m
			}
			if len(times[at]) == rounds && (bestTime == 0 || m < bestTime) {
				bestAt, bestTime = at, m
			}
		}
		own := median(times[-1])
		ratio := float64(own) / float64(bestTime)
		ratios = append(ratios, ratio)
		chose := rep.Plan.Mode
		if rep.Plan.Schedule != "none" {
			chose = fmt.Sprintf("%d at once, %s", rep.Plan.Workers, rep.Plan.Schedule)
		}
		if ratio > 1.1 {
			fmt.Fprintf(o.log, "%s: ratio %.2f %v\n%s\n", k.name, ratio, times[-1], strings.Join(reps, "\n"))
		}
		fmt.Fprintf(&b, "| %s | %d | %v | %s | %s | %.2f | %s | %s |\n", k.name, len(k.grid), k.grid[bestAt], seconds(bestTime), seconds(own), ratio, orDash(plain), chose)
	}
	fmt.Fprintf(&b, "\nMedian ratio %.2f, worst %.2f, over %d kinds of work.\n", medianOf(ratios), slices.Max(append(ratios, 0)), len(ratios))
	return b.String(), nil
}

// orDash prints a time that may not have been measured: some work would take
// the plain loop minutes.
func orDash(d time.Duration) string {
	if d == 0 {
		return "-"
	}
	return seconds(d)
}

func best(times map[int][]time.Duration) time.Duration {
	var b time.Duration
	for at, ds := range times {
		if at >= 0 && len(ds) > 0 && (b == 0 || ds[0] < b) {
			b = ds[0]
		}
	}
	return b
}
