//go:build cgo

package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/weft-go/weft/frame"
	"github.com/weft-go/weft/internal/memory"
)

var frameBenchmark = sectionBenchmark("frame", frameDoc, frameTitle, 3, measureFrame)

const mebi = 1 << 20

// frameQuestion is one for all sides. The columns are those of db-benchmark's
// group-by table, made here.
type frameQuestion struct {
	name  string
	what  string
	check string // the column that is added up
	frame func(g, small *frame.Frame) *frame.Frame
}

var frameQuestions = []frameQuestion{
	{"q1", "sum v1 by id1", "v1", func(g, _ *frame.Frame) *frame.Frame {
		return g.GroupBy("id1").Agg(frame.Sum("v1").As("v1"))
	}},
	{"q2", "sum v1 by id1, id2", "v1", func(g, _ *frame.Frame) *frame.Frame {
		return g.GroupBy("id1", "id2").Agg(frame.Sum("v1").As("v1"))
	}},
	{"q3", "sum v1, mean v3 by id3", "v1", func(g, _ *frame.Frame) *frame.Frame {
		return g.GroupBy("id3").Agg(frame.Sum("v1").As("v1"), frame.Mean("v3").As("v3"))
	}},
	{"q4", "mean v1, v2, v3 by id4", "v3", func(g, _ *frame.Frame) *frame.Frame {
		return g.GroupBy("id4").Agg(frame.Mean("v1").As("v1"), frame.Mean("v2").As("v2"), frame.Mean("v3").As("v3"))
	}},
	{"q5", "sum v1, v2, v3 by id6", "v3", func(g, _ *frame.Frame) *frame.Frame {
		return g.GroupBy("id6").Agg(frame.Sum("v1").As("v1"), frame.Sum("v2").As("v2"), frame.Sum("v3").As("v3"))
	}},
	{"q7", "max v1 less min v2 by id3", "r", func(g, _ *frame.Frame) *frame.Frame {
		return g.GroupBy("id3").Agg(frame.Max("v1").Sub(frame.Min("v2")).As("r"))
	}},
	{"j1", "join on id6, n/100 rows, sum by id1", "w", func(g, small *frame.Frame) *frame.Frame {
		return g.Join(small, frame.Inner, "id6").GroupBy("id1").Agg(frame.Sum("w").As("w"))
	}},
}

// makeTables writes the tables as Parquet.
func makeTables(ctx context.Context, dir string, n int) error {
	k := max(n/100, 1)
	g := frame.SQL(fmt.Sprintf(`SELECT
		'id' || lpad(CAST(hash(i, 1) %% 100 + 1 AS VARCHAR), 3, '0') AS id1, 'id' || lpad(CAST(hash(i, 2) %% 100 + 1 AS VARCHAR), 3, '0') AS id2,
		'id' || lpad(CAST(hash(i, 3) %% %[1]d + 1 AS VARCHAR), 10, '0') AS id3, CAST(hash(i, 4) %% 100 + 1 AS INTEGER) AS id4,
		CAST(hash(i, 5) %% 100 + 1 AS INTEGER) AS id5, CAST(hash(i, 6) %% %[1]d + 1 AS INTEGER) AS id6,
		CAST(hash(i, 7) %% 5 + 1 AS INTEGER) AS v1, CAST(hash(i, 8) %% 15 + 1 AS INTEGER) AS v2, (hash(i, 9) %% 100000000) / 1e6 AS v3
		FROM range(%[2]d) t(i)`, k, n), nil)
	if err := g.WriteParquet(ctx, filepath.Join(dir, "g.parquet"), frame.ParquetOut{Compression: "snappy"}); err != nil {
		return err
	}
	small := frame.SQL(fmt.Sprintf("SELECT CAST(i + 1 AS INTEGER) AS id6, CAST(hash(i) %% 1000 AS DOUBLE) AS w FROM range(%d) t(i)", k), nil)
	return small.WriteParquet(ctx, filepath.Join(dir, "small.parquet"), frame.ParquetOut{Compression: "snappy"})
}

func measureFrame(ctx context.Context, o sectionOptions) (string, error) {
	n, rows := 10_000_000, 100_000_000
	if o.quick {
		n, rows, o.rounds = 100_000, 1_000_000, 1
	}
	threads := runtime.GOMAXPROCS(0)
	var b strings.Builder
	if o.wants("questions") {
		text, err := measureQuestions(ctx, o, n, threads)
		if err != nil {
			return "", err
		}
		b.WriteString(text)
	}
	type row struct {
		name    string
		measure func() (string, error)
	}
	fmt.Fprintf(&b, "| what | measured |\n|---|---|\n")
	for _, r := range []row{
		{"rows into structs", func() (string, error) { return measureRows(ctx, o, rows/5) }},
		{"a Go function", func() (string, error) { return measureFunc(ctx, o, n/2) }},
		{"streaming", func() (string, error) { return measureStreaming(ctx, rows) }},
		{"sort in a tenth of its size", func() (string, error) { return measureSpill(ctx, rows, max(int64(rows)*16/10, 64*mebi), true) }},
		{"group by distinct keys in 512 MiB", func() (string, error) { return measureSpill(ctx, rows, 512*mebi, false) }},
	} {
		if !o.wants(r.name) {
			continue
		}
		text, err := r.measure()
		if err != nil {
			return "", fmt.Errorf("%s: %w", r.name, err)
		}
		fmt.Fprintf(&b, "| %s | %s |\n", r.name, text)
	}
	return b.String(), nil
}

func measureQuestions(ctx context.Context, o sectionOptions, n, threads int) (string, error) {
	dir, err := os.MkdirTemp("", "weft-bench-frame-")
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(dir)
	if err := makeTables(ctx, dir, n); err != nil {
		return "", err
	}
	const mem = 4 << 30
	engine, err := frame.Open(frame.Config{MemoryLimit: mem, Threads: threads})
	if err != nil {
		return "", err
	}
	defer engine.Close()
	sides := []string{"Weft"}
	best := map[string]map[string]frameAnswer{}
	note := func(side string, a frameAnswer) {
		if best[side] == nil {
			best[side] = map[string]frameAnswer{}
		}
		if old, ok := best[side][a.Question]; !ok || a.Seconds < old.Seconds {
			best[side][a.Question] = a
		}
	}
	var b strings.Builder
	py, err := findPython(filepath.Join("bench", "peers"))
	if err == nil {
		defer py.close()
		sides = append(sides, "duckdb", "polars", "pandas", "dask")
		interpreter, libraries := py.versions(ctx)
		for _, l := range strings.Split(libraries, ", ") {
			for _, name := range sides[1:] {
				if strings.HasPrefix(l, name+"==") {
					interpreter += ", " + l
				}
			}
		}
		fmt.Fprintf(&b, "%s. ", interpreter)
	} else {
		fmt.Fprintf(&b, "**The Python peers did not run**: %v. ", err)
	}
	fmt.Fprintf(&b, "A table of %d rows in Parquet, with the columns of db-benchmark; each side reads what it needs of it, with %d threads (pandas has one), and the best of %d rounds counts. All have the same answers.\n\n", n, threads, o.rounds)
	for range o.rounds {
		g := frame.ReadParquet(filepath.Join(dir, "g.parquet")).On(engine)
		small := frame.ReadParquet(filepath.Join(dir, "small.parquet")).On(engine)
		for _, q := range frameQuestions {
			begin := time.Now()
			got, err := frame.Collect[struct {
				Rows  int64
				Check float64
			}](ctx, q.frame(g, small).GroupBy().Agg(frame.CountRows().As("rows"), frame.Sum(q.check).As("check")))
			if err != nil {
				return "", fmt.Errorf("%s: %w", q.name, err)
			}
			note("Weft", frameAnswer{q.name, time.Since(begin).Seconds(), got[0].Rows, got[0].Check})
		}
		for _, side := range sides[1:] {
			err := py.script(ctx, "frame.py", func(line []byte) error {
				var a frameAnswer
				err := json.Unmarshal(line, &a)
				note(side, a)
				return err
			}, side, dir, strconv.Itoa(threads), strconv.Itoa(mem))
			if err != nil {
				return "", fmt.Errorf("%s: %w", side, err)
			}
		}
	}
	fmt.Fprintf(&b, "| question | %s |\n|---|%s\n", strings.Join(sides, " | "), strings.Repeat("---:|", len(sides)))
	sum := map[string]float64{}
	for _, q := range frameQuestions {
		fmt.Fprintf(&b, "| %s: %s |", q.name, q.what)
		want := best["Weft"][q.name]
		for _, side := range sides {
			a, ok := best[side][q.name]
			if !ok || a.Rows != want.Rows || math.Abs(a.Check-want.Check) > 1e-6*math.Abs(want.Check) {
				return "", fmt.Errorf("%s of %s has %d rows and %v, Weft has %d and %v", q.name, side, a.Rows, a.Check, want.Rows, want.Check)
			}
			sum[side] += a.Seconds
			fmt.Fprintf(&b, " %.3f s |", a.Seconds)
		}
		b.WriteString("\n")
	}
	b.WriteString("| all |")
	for _, side := range sides {
		fmt.Fprintf(&b, " %.2f s |", sum[side])
	}
	b.WriteString("\n\n")
	return b.String(), nil
}

// measureRows reads rows of four numbers into structs.
func measureRows(ctx context.Context, o sectionOptions, n int) (string, error) {
	type row struct {
		A int64
		B int32
		C float64
		D uint64
	}
	engine, err := frame.Open(frame.Config{Threads: 1})
	if err != nil {
		return "", err
	}
	defer engine.Close()
	f := frame.SQL(fmt.Sprintf("SELECT i AS a, CAST(i AS INTEGER) AS b, CAST(i AS DOUBLE) AS c, CAST(i AS UBIGINT) AS d FROM range(%d) t(i)", n), nil).On(engine)
	best := time.Duration(math.MaxInt64)
	for range o.rounds {
		begin := time.Now()
		seen, sum := 0, int64(0)
		for r, err := range frame.Rows[row](ctx, f) {
			if err != nil {
				return "", err
			}
			seen++
			sum += r.A
		}
		if seen != n || sum != int64(n)*int64(n-1)/2 {
			return "", errors.New("wrong rows")
		}
		best = min(best, time.Since(begin))
	}
	return fmt.Sprintf("%d rows of 4 numbers in %.2f s on one thread: %.0f million values a second, with the query that makes them", n, best.Seconds(), float64(4*n)/best.Seconds()/1e6), nil
}

var timesTwoPlusOne = frame.Func1("timesTwoPlusOne", func(x float64) float64 { return 2*x + 1 })

func measureFunc(ctx context.Context, o sectionOptions, n int) (string, error) {
	engine, err := frame.Open(frame.Config{})
	if err != nil {
		return "", err
	}
	defer engine.Close()
	dir, err := os.MkdirTemp("", "weft-bench-func-")
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "x.parquet")
	if err := frame.SQL(fmt.Sprintf("SELECT CAST(i AS DOUBLE) AS x FROM range(%d) t(i)", n), nil).WriteParquet(ctx, path); err != nil {
		return "", err
	}
	f := frame.ReadParquet(path).On(engine)
	timed := func(e frame.Expr) (time.Duration, error) {
		best := time.Duration(math.MaxInt64)
		for range max(o.rounds, 5) {
			begin := time.Now()
			got, err := frame.Collect[float64](ctx, f.GroupBy().Agg(frame.Sum(e).As("s")))
			if err != nil {
				return 0, err
			}
			if want := float64(n) * float64(n); math.Abs(got[0]-want) > 1e-6*want {
				return 0, fmt.Errorf("the sum is %v, want %v", got[0], want)
			}
			best = min(best, time.Since(begin))
		}
		return best, nil
	}
	ours, err := timed(timesTwoPlusOne(frame.Col("x")))
	if err != nil {
		return "", err
	}
	builtIn, err := timed(frame.Col("x").Mul(2.0).Add(1.0))
	if err != nil {
		return "", err
	}
	return fmt.Sprintf("2x+1 of %d rows and their sum: %.1f ms with a Go function, %.1f ms with the engine's arithmetic, %.2f x", n, ours.Seconds()*1e3, builtIn.Seconds()*1e3, float64(ours)/float64(builtIn)), nil
}

// peak watches the resident memory until stop is called.
func peak() (stop func() int64) {
	runtime.GC()
	done := make(chan struct{})
	var most int64
	var wg sync.WaitGroup
	wg.Go(func() {
		tick := time.NewTicker(2 * time.Millisecond)
		defer tick.Stop()
		for {
			most = max(most, memory.RSS())
			select {
			case <-done:
				return
			case <-tick.C:
			}
		}
	})
	return func() int64 {
		close(done)
		wg.Wait()
		return most
	}
}

func measureStreaming(ctx context.Context, n int) (string, error) {
	stop := peak()
	begin := time.Now()
	seen := 0
	for _, err := range frame.Rows[struct{ A, B int64 }](ctx, frame.SQL(fmt.Sprintf("SELECT i AS a, i * 2 AS b FROM range(%d) t(i)", n), nil)) {
		if err != nil {
			return "", err
		}
		seen++
	}
	took, most := time.Since(begin), stop()
	if seen != n {
		return "", fmt.Errorf("%d rows", seen)
	}
	return fmt.Sprintf("%d rows of two integers in %.2f s, at most %d MiB resident in the whole process", n, took.Seconds(), most/mebi), nil
}

// measureSpill sorts, or groups by distinct keys, more than the engine may
// hold.
func measureSpill(ctx context.Context, n int, limit int64, sorts bool) (string, error) {
	engine, err := frame.Open(frame.Config{MemoryLimit: limit})
	if err != nil {
		return "", err
	}
	defer engine.Close()
	src := frame.SQL(fmt.Sprintf("SELECT hash(i) AS k, i AS v FROM range(%d) t(i)", n), nil).On(engine)
	f := src.GroupBy("k").Agg(frame.Sum("v").As("v"))
	if sorts {
		f = src.Sort("k")
	}
	stop := peak()
	begin := time.Now()
	seen := 0
	for _, err := range frame.Rows[struct {
		K uint64
		V float64
	}](ctx, f) {
		if err != nil {
			return "", err
		}
		seen++
	}
	took, most := time.Since(begin), stop()
	if seen != n {
		return "", fmt.Errorf("%d rows", seen)
	}
	return fmt.Sprintf("%d rows of 16 bytes with MemoryLimit %d MiB in %.1f s, at most %d MiB resident (%.2f x)", n, limit/mebi, took.Seconds(), most/mebi, float64(most)/float64(limit)), nil
}
