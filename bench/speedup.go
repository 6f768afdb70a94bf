package main

import (
	"context"
	"fmt"
	"runtime"
	"strings"
	"time"

	"github.com/weft-go/weft"
)

// speedUp compares Map with the plain loop where it should go parallel.
var speedUp = sectionBenchmark("speedup",
	"Map against the plain loop, items of 10 us and more, 1e4 and more of them",
	"Speed-up over the plain loop", 11, measureSpeedUp)

func measureSpeedUp(ctx context.Context, o sectionOptions) (string, error) {
	rate := spinRate(5, 20*time.Millisecond)
	cases := []struct {
		name   string
		micros float64
		n      int
	}{
		{"10 us", 10, 10_000},
		{"10 us, many", 10, 100_000},
		{"30 us", 30, 10_000},
		{"100 us", 100, 10_000},
		{"300 us", 300, 10_000},
	}
	cpus := runtime.GOMAXPROCS(0)
	var b strings.Builder
	fmt.Fprintf(&b, "`Map` with nothing set, beside the plain loop in the same round. The aim is 0.95 × %d effective CPUs = %.2f. "+
		"The last column is what %d goroutines with half the items each reach in the same rounds: the machine's own ceiling.\n\n",
		cpus, 0.95*float64(cpus), cpus)
	b.WriteString("| item | items | plain loop s | Map s | speed-up | of CPUs | ceiling |\n|---|---:|---:|---:|---:|---:|---:|\n")
	for _, c := range cases {
		if !o.wants(c.name) {
			continue
		}
		n, rounds := c.n, o.rounds
		if o.quick {
			n, rounds = c.n/100, 1
		}
		items := make([]int, n)
		f := spinFunc(int(rate * c.micros))
		var plains, maps []time.Duration
		var ratios, ceilings []float64
		for range rounds {
			if ctx.Err() != nil {
				return "", context.Cause(ctx)
			}
			runtime.GC()
			begin := time.Now()
			keep(loop(ctx, items, f))
			plain := time.Since(begin)
			begin = time.Now()
			keep(weft.Map(ctx, items, f))
			mapped := time.Since(begin)
			begin = time.Now()
			keep(runRanges(ctx, items, f))
			ranges := time.Since(begin)
			plains, maps = append(plains, plain), append(maps, mapped)
			ratios = append(ratios, float64(plain)/float64(mapped))
			ceilings = append(ceilings, float64(plain)/float64(ranges))
		}
		x := medianOf(ratios)
		fmt.Fprintf(&b, "| %s | %d | %s | %s | %.2f | %.2f | %.2f |\n", c.name, n, seconds(median(plains)), seconds(median(maps)), x, x/float64(cpus), medianOf(ceilings))
	}
	return b.String(), nil
}
