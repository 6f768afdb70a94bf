package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"time"

	"github.com/weft-go/weft"
)

// inFlight compares the concurrency that Map finds by itself with fixed ones.
var inFlight = sectionBenchmark("io",
	"Map with nothing set against Workers(8) to Workers(1024) on items that wait",
	"I/O: finding the concurrency", 3, measureInFlight)

func measureInFlight(ctx context.Context, o sectionOptions) (string, error) {
	var b strings.Builder
	b.WriteString("Each row is one kind of server; each run handles the same number of items, finding the concurrency included. " +
		"`best` is the fastest fixed concurrency of the sweep 8, 16, 32 ... 1024, by the median of the rounds; runs that take half as long again are given up. " +
		"The aim is 0.90 of its throughput, and 0.85 against the server that degrades.\n\n")
	b.WriteString("| server | items | best fixed | best s | Map s | of the best throughput | settles at |\n|---|---:|---:|---:|---:|---:|---:|\n")
	type server struct {
		name  string
		n     int
		start func() (itemFunc, func(), error)
	}
	get := func(delay time.Duration) func() (itemFunc, func(), error) {
		return func() (itemFunc, func(), error) {
			url, stop, err := startServer(delay)
			if err != nil {
				return nil, nil, err
			}
			do, idle := getter(url)
			return do, func() { idle(); stop() }, nil
		}
	}
	servers := []server{
		{"wait 5 ms", 300_000, func() (itemFunc, func(), error) { return waiter(5 * time.Millisecond), func() {}, nil }},
		{"wait 20 ms", 150_000, func() (itemFunc, func(), error) { return waiter(20 * time.Millisecond), func() {}, nil }},
		{"wait 100 ms", 60_000, func() (itemFunc, func(), error) { return waiter(100 * time.Millisecond), func() {}, nil }},
		{"HTTP 5 ms", 40_000, get(5 * time.Millisecond)},
		{"HTTP 20 ms", 40_000, get(20 * time.Millisecond)},
		{"HTTP 100 ms", 40_000, get(100 * time.Millisecond)},
		{"degrades: 20 ms, more than 64 at once slow it down", 15_000, func() (itemFunc, func(), error) { return degrading(20*time.Millisecond, 64), func() {}, nil }},
		{"queues: 20 ms, 64 at once, the others wait", 15_000, func() (itemFunc, func(), error) { return queueing(20*time.Millisecond, 64), func() {}, nil }},
	}
	for _, s := range servers {
		if !o.wants(s.name) {
			continue
		}
		n, rounds := s.n, o.rounds
		if o.quick {
			n, rounds = 500, 1
		}
		items := make([]int, n)
		// The likely best first: the others are given up early.
		levels := []int{1024, 512, 256, 128, 64, 32, 16, 8}
		if strings.Contains(s.name, ":") {
			levels = []int{64, 128, 32, 256, 16, 512, 8, 1024}
		}
		fixed := map[int][]time.Duration{}
		var auto []time.Duration
		var settled int
		for round := range rounds {
			run := func(atMost time.Duration, opts ...weft.MapOption) (time.Duration, error) {
				do, stop, err := s.start()
				if err != nil {
					return 0, err
				}
				defer stop()
				ctx, cancel := context.WithTimeout(ctx, atMost)
				defer cancel()
				begin := time.Now()
				_, err = weft.Map(ctx, items, do, opts...)
				return time.Since(begin), err
			}
			for _, level := range levels {
				// A level far from the best would only cost time: it is given up
				// when it takes half as long again.
				if round > 0 && len(fixed[level]) == 0 {
					continue
				}
				atMost := time.Minute
				if len(fixed) > 0 {
					atMost = fastest(fixed) * 3 / 2
				}
				d, err := run(atMost, weft.Workers(level), weft.Chunk(1))
				if errors.Is(err, context.DeadlineExceeded) && ctx.Err() == nil {
					delete(fixed, level)
					continue
				}
				if err != nil {
					return "", err
				}
				fixed[level] = append(fixed[level], d)
			}
			var rep weft.Report
			d, err := run(5*time.Minute, weft.ReportTo(&rep))
			if err != nil {
				return "", err
			}
			auto, settled = append(auto, d), rep.Plan.Workers
			fmt.Fprintf(o.log, "%s round %d: %v\n%v\n", s.name, round+1, d, rep)
		}
		best, bestLevel := time.Duration(0), 0
		for _, level := range levels {
			if m := median(fixed[level]); len(fixed[level]) == rounds && (bestLevel == 0 || m < best) {
				best, bestLevel = m, level
			}
		}
		fmt.Fprintf(&b, "| %s | %d | %d | %s | %s | %.2f | %d |\n", s.name, n, bestLevel, seconds(best), seconds(median(auto)),
			float64(best)/float64(median(auto)), settled)
	}
	return b.String(), nil
}

func fastest(fixed map[int][]time.Duration) time.Duration {
	var best time.Duration
	for _, ds := range fixed {
		if best == 0 || ds[0] < best {
			best = ds[0]
		}
	}
	return best
}

// waiter waits, for a server without limits.
func waiter(delay time.Duration) itemFunc {
	return func(ctx context.Context, x int) (uint64, error) {
		return uint64(x), sleep(ctx, delay)
	}
}

func sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// degrading is a server that does its best work with knee requests at once:
// above, each takes longer by the square of the excess, so that throughput
// falls.
func degrading(delay time.Duration, knee int) itemFunc {
	var active atomic.Int64
	return func(ctx context.Context, x int) (uint64, error) {
		n := active.Add(1)
		defer active.Add(-1)
		d := delay
		if over := float64(n) / float64(knee); over > 1 {
			d = time.Duration(float64(delay) * over * over)
		}
		return uint64(x), sleep(ctx, d)
	}
}

// queueing is a server that works on size requests at once; others wait.
func queueing(delay time.Duration, size int) itemFunc {
	slots := make(chan struct{}, size)
	for range size {
		slots <- struct{}{}
	}
	return func(ctx context.Context, x int) (uint64, error) {
		select {
		case <-slots:
		case <-ctx.Done():
			return 0, context.Cause(ctx)
		}
		defer func() { slots <- struct{}{} }()
		return uint64(x), sleep(ctx, delay)
	}
}
