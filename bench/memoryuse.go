package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"os"
	"os/exec"
	"runtime/debug"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/weft-go/weft"
)

// memoryUse measures peak memory, each case in a process of its own.
var memoryUse = sectionBenchmark("memory",
	"peak memory: Stream over 1e8 items, and budgets that must be kept",
	"Memory", 1, measureMemory)

type memoryCase struct {
	name  string
	about string
	aim   string
	run   func(ctx context.Context, quick bool) (detail string, err error)
}

const mib = 1 << 20

var memoryCases = []memoryCase{
	{"stream", "Stream over 1e8 items of a nanosecond", "under 64 MiB RSS", streamMany},
	{"stream-cpu", "Stream over 1e7 items of 300 ns", "under 64 MiB RSS", streamParallel},
	{"stream-slow", "Stream of 64 KiB results, the loop slower than the work", "under 64 MiB RSS", streamSlowLoop},
	{"measured", "Map, items that hold 32 MiB each, MemoryLimit 128 MiB, nothing else said", "budget + 10 %", budgetOf(128*mib, 32*mib, 0)},
	{"told", "Map, the same with MemoryPerItem(32 MiB) and Workers(0)", "budget + 10 %", budgetOf(128*mib, 32*mib, 32*mib)},
	{"waiting", "Map, items that hold 8 MiB and wait 20 ms, MemoryLimit 256 MiB", "budget + 10 %", budgetWaiting(256*mib, 8*mib)},
}

func measureMemory(ctx context.Context, o sectionOptions) (string, error) {
	exe, err := os.Executable()
	if err != nil {
		return "", err
	}
	var b strings.Builder
	b.WriteString("Each row is a process of its own. `peak` is the process's VmHWM less its RSS just before the run for the budgets, the whole of VmHWM for the streams.\n\n")
	b.WriteString("| run | aim | peak RSS MiB | of the budget | time s | detail |\n|---|---|---:|---:|---:|---|\n")
	for _, c := range memoryCases {
		if !o.wants(c.name) {
			continue
		}
		args := []string{"memory-case", c.name}
		if o.quick {
			args = append(args, "quick")
		}
		cmd := exec.CommandContext(ctx, exe, args...)
		cmd.Stderr = os.Stderr
		out, err := cmd.Output()
		if err != nil {
			return "", fmt.Errorf("%s: %w", c.name, err)
		}
		fmt.Fprintf(&b, "| %s | %s | %s |\n", c.about, c.aim, strings.TrimSpace(string(out)))
	}
	return b.String(), nil
}

// memoryCaseHelper is the process of one case.
var memoryCaseHelper = benchmark{name: "memory-case", doc: "one case of memory", hidden: true, run: runMemoryCase}

func runMemoryCase(ctx context.Context, out io.Writer, args []string) error {
	if len(args) == 0 {
		return errors.New("memory-case: which?")
	}
	for _, c := range memoryCases {
		if c.name != args[0] {
			continue
		}
		begin := time.Now()
		detail, err := c.run(ctx, len(args) > 1)
		if err != nil {
			return err
		}
		took := time.Since(begin)
		peak, err := highWater()
		if err != nil {
			return err
		}
		share := "-"
		if budget, base, ok := strings.Cut(detail, ";"); ok {
			limit, _ := strconv.ParseInt(budget, 10, 64)
			before, _ := strconv.ParseInt(base, 10, 64)
			peak -= before
			share = fmt.Sprintf("%.2f", float64(peak)/float64(limit))
			detail = ""
		}
		fmt.Fprintf(out, "%.1f | %s | %s | %s", float64(peak)/mib, share, seconds(took), detail)
		return nil
	}
	return fmt.Errorf("memory-case: no case is called %q", args[0])
}

// highWater is the most memory this process ever had resident.
func highWater() (int64, error) { return statusLine("VmHWM:") }

func statusLine(key string) (int64, error) {
	f, err := os.Open("/proc/self/status")
	if err != nil {
		return 0, fmt.Errorf("peak memory is read from Linux's /proc: %w", err)
	}
	defer f.Close()
	for s := bufio.NewScanner(f); s.Scan(); {
		if rest, ok := strings.CutPrefix(s.Text(), key); ok {
			kb, err := strconv.ParseInt(strings.Fields(rest)[0], 10, 64)
			return kb << 10, err
		}
	}
	return 0, fmt.Errorf("no %s in /proc/self/status", key)
}

func upTo(n int) iter.Seq[int] {
	return func(yield func(int) bool) {
		for i := range n {
			if !yield(i) {
				return
			}
		}
	}
}

func streamMany(ctx context.Context, quick bool) (string, error) {
	n := 100_000_000
	if quick {
		n = 1_000_000
	}
	begin := time.Now()
	sum := uint64(0)
	for v, err := range weft.Stream(ctx, upTo(n), func(_ context.Context, x int) (uint64, error) { return uint64(x), nil }) {
		if err != nil {
			return "", err
		}
		sum += v
	}
	if want := uint64(n) * uint64(n-1) / 2; sum != want {
		return "", fmt.Errorf("the sum is %d, not %d", sum, want)
	}
	return fmt.Sprintf("%.0f ns an item", float64(time.Since(begin))/float64(n)), nil
}

func streamParallel(ctx context.Context, quick bool) (string, error) {
	n := 10_000_000
	if quick {
		n = 100_000
	}
	begin := time.Now()
	k := 0
	for _, err := range weft.Stream(ctx, upTo(n), func(_ context.Context, x int) (uint64, error) { return spin(180), nil }) {
		if err != nil {
			return "", err
		}
		k++
	}
	if k != n {
		return "", fmt.Errorf("%d results, not %d", k, n)
	}
	return fmt.Sprintf("%.0f ns an item", float64(time.Since(begin))/float64(n)), nil
}

func streamSlowLoop(ctx context.Context, quick bool) (string, error) {
	n := 20_000
	if quick {
		n = 500
	}
	read, most := 0, 0
	var mu sync.Mutex
	counted := func(yield func(int) bool) {
		for i := range n {
			mu.Lock()
			read = i + 1
			mu.Unlock()
			if !yield(i) {
				return
			}
		}
	}
	k := 0
	for v, err := range weft.Stream(ctx, counted, func(_ context.Context, x int) ([]byte, error) {
		b := make([]byte, 64<<10)
		for i := 0; i < len(b); i += 512 {
			b[i] = byte(spin(50))
		}
		return b, nil
	}) {
		if err != nil {
			return "", err
		}
		for i := range v {
			v[0] += v[i] ^ byte(spin(2))
		}
		k++
		mu.Lock()
		most = max(most, read-k)
		mu.Unlock()
	}
	return fmt.Sprintf("read %d items ahead of the loop at most", most), nil
}

func budgetOf(limit, item, told int64) func(context.Context, bool) (string, error) {
	return func(ctx context.Context, quick bool) (string, error) {
		n := 200
		if quick {
			n = 12
		}
		debug.FreeOSMemory()
		before, err := statusLine("VmRSS:")
		if err != nil {
			return "", err
		}
		opts := []weft.MapOption{weft.MemoryLimit(limit), weft.Workers(0)}
		if told > 0 {
			opts = append(opts, weft.MemoryPerItem(told))
		}
		_, err = weft.Map(ctx, make([]int, n), func(_ context.Context, x int) (uint64, error) {
			return fill(item), nil
		}, opts...)
		return fmt.Sprintf("%d;%d", limit, before), err
	}
}

func budgetWaiting(limit, item int64) func(context.Context, bool) (string, error) {
	return func(ctx context.Context, quick bool) (string, error) {
		n := 1000
		if quick {
			n = 50
		}
		debug.FreeOSMemory()
		before, err := statusLine("VmRSS:")
		if err != nil {
			return "", err
		}
		_, err = weft.Map(ctx, make([]int, n), func(ctx context.Context, x int) (uint64, error) {
			b := make([]byte, item)
			for i := 0; i < len(b); i += 4096 {
				b[i] = 1
			}
			err := sleep(ctx, 20*time.Millisecond)
			return uint64(b[len(b)-1]), err
		}, weft.MemoryLimit(limit))
		return fmt.Sprintf("%d;%d", limit, before), err
	}
}

// fill holds size bytes while it computes on them.
func fill(size int64) uint64 {
	b := make([]byte, size)
	for i := 0; i < len(b); i += 64 {
		b[i] = byte(i)
	}
	sum := uint64(0)
	for i := 0; i < len(b); i += 64 {
		sum += uint64(b[i])
	}
	return sum
}
