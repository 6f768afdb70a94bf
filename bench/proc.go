package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/weft-go/weft"
	"github.com/weft-go/weft/proc"
	"github.com/weft-go/weft/shm"
)

// processes compares pools of processes.
var processes = sectionBenchmark("proc", "items in processes beside multiprocessing.Pool, ProcessPoolExecutor and joblib", "Processes", 5, measureProcesses)

var (
	_ = weft.Register(procEcho)
	_ = weft.Register(procSpin)
	_ = weft.Register(procFirst)
	_ = weft.Register(procSum)
)

func procEcho(_ context.Context, n int) (int, error) { return n, nil }

func procSpin(_ context.Context, n int) (uint64, error) { return spin(n), nil }

// procFirst reads both ends of an array.
func procFirst(_ context.Context, h shm.Handle[float64]) (float64, error) {
	a, err := h.Open()
	if err != nil {
		return 0, err
	}
	s := a.Slice()
	v := s[0] + s[len(s)-1]
	return v, a.Close()
}

// procArrays keeps what procSum opened, so that its memory can be measured.
var procArrays []*shm.Slice[float64]

func procSum(_ context.Context, h shm.Handle[float64]) (float64, error) {
	a, err := h.Open()
	if err != nil {
		return 0, err
	}
	procArrays = append(procArrays, a)
	sum := 0.0
	for _, v := range a.Slice() {
		sum += v
	}
	return sum, nil
}

const procWorkers = 2

// procCase is one kind of work: so many items in so many ways.
type procCase struct {
	name, doc string
	items     int
	micros    float64 // of CPU in an item
	dear      bool    // Python takes many seconds: once
}

func procCases(quick bool) []procCase {
	cs := []procCase{
		{name: "unbatched", doc: "no-ops, each sent by itself", items: 20_000},
		{name: "batched", doc: "no-ops, in chunks as each library chooses (its users' usual hint where it has no choice of its own)", items: 1_000_000, dear: true},
		{name: "1 ms", doc: "1 ms of CPU each", items: 10_000, micros: 1000},
	}
	if quick {
		cs[0].items, cs[1].items, cs[2].items = 500, 20_000, 50
	}
	return cs
}

// procResult is one timed run: until the pool was up, and the work.
type procResult struct{ Start, Seconds float64 }

func measureProcesses(ctx context.Context, o sectionOptions) (string, error) {
	cases := procCases(o.quick)
	if o.quick {
		o.rounds = 1
	}
	var b strings.Builder
	py, err := findPython(filepath.Join("bench", "peers"))
	pyRate := 0.0
	switch {
	case errors.Is(err, errNoPeers):
		b.WriteString("**The Python peers did not run**: `make peers` sets them up.\n\n")
	case err != nil:
		return "", err
	default:
		defer py.close()
		c, err := py.calibrate(ctx)
		if err != nil {
			return "", err
		}
		pyRate = c.Rate
		interpreter, libraries := py.versions(ctx)
		fmt.Fprintf(&b, "- Python: %s; %s\n\n", interpreter, libraries)
	}
	goSpeed := calibrate(procWorkers)
	fmt.Fprintf(&b, "%d workers on both sides. `cold` is from nothing (interpreter and libraries loaded) to the last result, the pool's start included; "+
		"`work` is the same without the start. Contenders take turns; medians of %d rounds (Python's many-second rows: one). Results are checked on both sides.\n\n", procWorkers, o.rounds)
	for _, c := range cases {
		if !o.wants(c.name) {
			continue
		}
		text, err := procTable(ctx, o, c, py, goSpeed, pyRate)
		if err != nil {
			return "", err
		}
		b.WriteString(text)
	}
	if o.wants("array") {
		text, err := procArray(ctx, o)
		if err != nil {
			return "", err
		}
		b.WriteString(text)
	}
	return b.String(), nil
}

// procPeers are the contenders in Python for a kind of work: library, setting,
// chunk size (0 is the default).
func procPeers(c procCase) [][3]string {
	switch c.name {
	case "unbatched":
		return [][3]string{
			{"Pool.map", "chunksize 1", "1"}, {"Pool.imap", "chunksize 1, the default", "1"},
			{"ProcessPoolExecutor", "chunksize 1, the default", "1"}, {"joblib loky", "batch_size 1", "1"},
		}
	case "batched":
		return [][3]string{
			{"Pool.map", "default", "0"}, {"Pool.imap", "chunksize 1000", "1000"},
			{"ProcessPoolExecutor", "chunksize 1000", "1000"}, {"joblib loky", "batch_size auto, the default", "0"},
		}
	}
	return [][3]string{
		{"Pool.map", "default", "0"}, {"Pool.map", "chunksize 1", "1"}, {"Pool.imap", "default", "1"},
		{"ProcessPoolExecutor", "default", "1"}, {"joblib loky", "default", "0"},
	}
}

func procTable(ctx context.Context, o sectionOptions, c procCase, py *python, speed calibration, pyRate float64) (string, error) {
	type row struct {
		name    string
		results []procResult
	}
	ours := &row{name: "**weft/proc**"}
	rows := []*row{ours}
	var peers [][3]string
	if py != nil {
		peers = procPeers(c)
		for _, p := range peers {
			rows = append(rows, &row{name: p[0] + ", " + p[1]})
		}
	}
	for round := range o.rounds {
		fmt.Fprintf(o.log, "proc: %s, round %d of %d\n", c.name, round+1, o.rounds)
		for k := range rows {
			i := (k + round) % len(rows)
			r := rows[i]
			if i == 0 {
				got, err := procOurs(ctx, c, speed)
				if err != nil {
					return "", fmt.Errorf("%s: %w", c.name, err)
				}
				r.results = append(r.results, got)
				continue
			}
			if c.dear && len(r.results) > 0 {
				continue
			}
			p := peers[i-1]
			var got procResult
			err := py.script(ctx, "pools.py", func(line []byte) error { return json.Unmarshal(line, &got) },
				p[0], "--items", strconv.Itoa(c.items), "--spin", strconv.Itoa(int(c.micros*pyRate)), "--chunk", p[2], "--workers", strconv.Itoa(procWorkers))
			if err == nil && got.Seconds <= 0 {
				err = errors.New("no figures")
			}
			if err != nil {
				return "", fmt.Errorf("%s, %s: %w", c.name, r.name, err)
			}
			r.results = append(r.results, got)
		}
	}
	var b strings.Builder
	fmt.Fprintf(&b, "### %s: %d items, %s\n\n", c.name, c.items, c.doc)
	b.WriteString("| contender | start ms | cold s | cold ÷ Weft | work s | an item µs | work ÷ Weft |\n|---|---:|---:|---:|---:|---:|---:|\n")
	mid := func(r *row, get func(procResult) float64) float64 {
		var vs []float64
		for _, v := range r.results {
			vs = append(vs, get(v))
		}
		return medianOf(vs)
	}
	work := func(v procResult) float64 { return v.Seconds }
	cold := func(v procResult) float64 { return v.Start + v.Seconds }
	ourWork, ourCold := mid(ours, work), mid(ours, cold)
	best, bestName := 0.0, ""
	for i, r := range rows {
		w, cl := mid(r, work), mid(r, cold)
		ratio := func(x, y float64) string {
			if i == 0 {
				return ""
			}
			if x < y {
				return fmt.Sprintf("**%.2f**", x/y)
			}
			return fmt.Sprintf("%.2f", x/y)
		}
		fmt.Fprintf(&b, "| %s | %.1f | %.3f | %s | %.3f | %.2f | %s |\n", r.name, 1e3*mid(r, func(v procResult) float64 { return v.Start }), cl, ratio(cl, ourCold), w, 1e6*w/float64(c.items), ratio(w, ourWork))
		if i > 0 && (best == 0 || cl < best) {
			best, bestName = cl, r.name
		}
	}
	if best > 0 {
		fmt.Fprintf(&b, "\nCold start included, the best peer (%s) takes %.1f times as long as Weft.", bestName, best/ourCold)
	}
	if c.micros > 0 {
		serial := c.micros / 1e6 * float64(c.items)
		fmt.Fprintf(&b, "\nWeft's work is %.2f times as fast as one CPU would be by the loop's own speed, measured alone; with %d at once the loop itself is %.2f times as slow, so the most that can be had is %.2f.",
			serial/ourWork, procWorkers, speed.Crowded, procWorkers/speed.Crowded)
	}
	b.WriteString("\n\n")
	return b.String(), nil
}

// procOurs times Weft once.
func procOurs(ctx context.Context, c procCase, speed calibration) (r procResult, err error) {
	begun := time.Now()
	pool, err := proc.Start(ctx, proc.Config{Workers: procWorkers})
	if err != nil {
		return r, err
	}
	defer pool.Close() //nolint:errcheck // always nil
	if _, err := weft.Map(ctx, []int{1}, procEcho, weft.On(pool)); err != nil {
		return r, err
	}
	r.Start = time.Since(begun).Seconds()
	opts := []weft.MapOption{weft.On(pool), weft.Require(weft.Isolation)}
	if c.name == "unbatched" {
		opts = append(opts, weft.Chunk(1))
	}
	items := make([]int, c.items)
	if c.micros > 0 {
		n := int(c.micros * speed.Rate)
		for i := range items {
			items[i] = n
		}
		begun = time.Now()
		got, err := weft.Map(ctx, items, procSpin, opts...)
		r.Seconds = time.Since(begun).Seconds()
		if want := spinJump(n); err == nil && slices.ContainsFunc(got, func(v uint64) bool { return v != want }) {
			err = errors.New("wrong results")
		}
		return r, err
	}
	for i := range items {
		items[i] = i
	}
	begun = time.Now()
	got, err := weft.Map(ctx, items, procEcho, opts...)
	r.Seconds = time.Since(begun).Seconds()
	if err == nil && !slices.Equal(got, items) {
		err = errors.New("wrong results")
	}
	return r, err
}

// procArray measures what has no peer of its own here: the start, a round trip,
// and a large array through a pool.
func procArray(ctx context.Context, o sectionOptions) (string, error) {
	n := 256 << 20 / 8
	trips, starts := 20_000, 15
	if o.quick {
		n, trips, starts = 1<<20, 500, 2
	}
	var up, trip, hand []float64
	for range starts {
		begun := time.Now()
		pool, err := proc.Start(ctx, proc.Config{Workers: procWorkers})
		if err != nil {
			return "", err
		}
		up = append(up, 1e3*time.Since(begun).Seconds())
		_ = pool.Close()
	}
	pool, err := proc.Start(ctx, proc.Config{Workers: procWorkers})
	if err != nil {
		return "", err
	}
	defer pool.Close() //nolint:errcheck // always nil
	items := make([]int, trips)
	for range max(3, o.rounds) {
		begun := time.Now()
		if _, err := weft.Map(ctx, items, procEcho, weft.On(pool), weft.Chunk(1), weft.Workers(1), weft.Require(weft.Isolation)); err != nil {
			return "", err
		}
		trip = append(trip, 1e6*time.Since(begun).Seconds()/float64(trips))
	}
	var memory float64
	for range max(3, o.rounds) {
		a, err := shm.Make[float64](n)
		if err != nil {
			return "", err
		}
		s := a.Slice()
		want := 0.0
		for i := range s {
			s[i] = float64(i % 1000)
			want += s[i]
		}
		h := []shm.Handle[float64]{a.Handle(shm.ReadOnly), a.Handle(shm.ReadOnly)}
		begun := time.Now()
		if _, err := weft.Map(ctx, h, procFirst, weft.On(pool), weft.Chunk(1)); err != nil {
			return "", err
		}
		hand = append(hand, 1e3*time.Since(begun).Seconds()/float64(len(h)))
		if err := a.Close(); err != nil {
			return "", err
		}
	}
	// Once more, for the memory of all three when each worker has read it all.
	base, err := pssOf(append(pool.PIDs(), os.Getpid()))
	if err != nil {
		return "", err
	}
	a, err := shm.Make[float64](n)
	if err != nil {
		return "", err
	}
	defer a.Close() //nolint:errcheck // the process ends soon
	for i := range a.Slice() {
		a.Slice()[i] = 1
	}
	h := slices.Repeat([]shm.Handle[float64]{a.Handle(shm.ReadOnly)}, 8)
	sums, err := weft.Map(ctx, h, procSum, weft.On(pool), weft.Chunk(1))
	if err != nil {
		return "", err
	}
	for _, v := range sums {
		if v != float64(n) {
			return "", errors.New("wrong sum")
		}
	}
	after, err := pssOf(append(pool.PIDs(), os.Getpid()))
	if err != nil {
		return "", err
	}
	memory = float64(after-base) / float64(8*n)
	runtime.KeepAlive(a)
	var b strings.Builder
	fmt.Fprintf(&b, "### Start, round trip, large array\n\n| what | aim | measured |\n|---|---:|---:|\n")
	fmt.Fprintf(&b, "| start of %d workers, until both are ready | 60 ms | %.1f ms (%.1f to %.1f) |\n", procWorkers, medianOf(up), slices.Min(up), slices.Max(up))
	fmt.Fprintf(&b, "| round trip of one item, one at a time | 30 µs | %.1f µs (%.1f to %.1f) |\n", medianOf(trip), slices.Min(trip), slices.Max(trip))
	fmt.Fprintf(&b, "| hand-over of a shared array of %d MiB to a worker, until it has read both ends | 2 ms | %.2f ms (%.2f to %.2f) |\n", 8*n>>20, medianOf(hand), slices.Min(hand), slices.Max(hand))
	fmt.Fprintf(&b, "| memory of all %d processes with it, all of it read by each (PSS, copies of the array) | 1.1 | %.2f |\n", procWorkers+1, memory)
	return b.String(), nil
}

// pssOf is the memory of processes, what they share counted once.
func pssOf(pids []int) (int64, error) {
	var sum int64
	for _, pid := range pids {
		b, err := os.ReadFile(fmt.Sprintf("/proc/%d/smaps_rollup", pid))
		if err != nil {
			return 0, err
		}
		for line := range strings.Lines(string(b)) {
			if f := strings.Fields(line); len(f) > 1 && f[0] == "Pss:" {
				kb, err := strconv.ParseInt(f[1], 10, 64)
				if err != nil {
					return 0, err
				}
				sum += kb << 10
			}
		}
	}
	return sum, nil
}
