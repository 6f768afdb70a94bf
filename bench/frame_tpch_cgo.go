//go:build cgo

package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"hash/fnv"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/weft-go/weft/frame"
)

var tpchBenchmark = sectionBenchmark("tpch", tpchDoc, tpchTitle, 3, measureTPCH)

const tpchMemory = 4 << 30

// tpchSides are the contenders, Weft first. Those that take longest answer
// each question once.
var tpchSides = []struct {
	name string
	once bool
}{{"Weft", false}, {"duckdb", false}, {"duckdb CLI", false}, {"polars", false}, {"pyspark", true}, {"pandas", true}, {"dask", true}}

// measureTPCH makes the tables with the public generator, unless WEFT_TPCH is a
// directory of them.
func measureTPCH(ctx context.Context, o sectionOptions) (string, error) {
	queries, err := tpchQueries()
	if err != nil {
		return "", err
	}
	py, err := findPython(filepath.Join("bench", "peers"))
	if err != nil {
		return "", err
	}
	defer py.close()
	dir := os.Getenv("WEFT_TPCH")
	if dir == "" {
		if dir, err = os.MkdirTemp("", "weft-bench-tpch-"); err != nil {
			return "", err
		}
		defer os.RemoveAll(dir)
		cmd := exec.CommandContext(ctx, filepath.Join(filepath.Dir(py.interpreter()), "tpchgen-cli"), "parquet", "-s", "1", "--output-dir", dir)
		if out, err := cmd.CombinedOutput(); err != nil {
			return "", fmt.Errorf("make the tables with tpchgen-cli: %w: %s", err, lastLine(string(out)))
		}
	}
	// pandas has neither decimals nor dates of its own: it gets numbers and times.
	plain, err := os.MkdirTemp("", "weft-bench-tpch-plain-")
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(plain)
	if o.wants("pandas") || o.wants("dask") {
		if err := tpchPlain(ctx, dir, plain); err != nil {
			return "", err
		}
	}
	threads := runtime.GOMAXPROCS(0)
	best := map[string]map[string]frameAnswer{}
	note := func(side string, a frameAnswer) {
		if best[side] == nil {
			best[side] = map[string]frameAnswer{}
		}
		if old, ok := best[side][a.Question]; !ok || a.Seconds < old.Seconds {
			best[side][a.Question] = a
		}
	}
	text := filepath.Join("bench", "tpch", "queries.sql")
	var sides []string
	for round := range o.rounds { // in turn, so that what disturbs one disturbs all
		for _, side := range tpchSides {
			switch {
			case !o.wants(side.name) || side.once && round > 0:
				continue
			case round == 0:
				sides = append(sides, side.name)
			}
			var err error
			switch side.name {
			case "Weft":
				err = tpchWeft(ctx, dir, threads, queries, note)
			case "duckdb CLI":
				err = tpchCLI(ctx, py, dir, threads, queries, note)
			default:
				from := dir
				if side.name == "pandas" || side.name == "dask" {
					from = plain
				}
				err = py.script(ctx, "tpch.py", func(line []byte) error {
					var a frameAnswer
					err := json.Unmarshal(line, &a)
					note(side.name, a)
					return err
				}, side.name, from, strconv.Itoa(threads), strconv.Itoa(tpchMemory), text)
			}
			if err != nil {
				return "", fmt.Errorf("%s: %w", side.name, err)
			}
		}
	}
	return tpchTable(o, threads, queries, sides, best)
}

func tpchTable(o sectionOptions, threads int, queries []tpchQuery, sides []string, best map[string]map[string]frameAnswer) (string, error) {
	var b strings.Builder
	fmt.Fprintf(&b, "The tables come from tpchgen-cli, as Parquet, %d MiB of memory and %d threads for each that takes them. Seconds, the best of %d rounds (pyspark, pandas and dask: one). "+
		"The number of rows and the sum of the numbers of each answer are those of the published one; Weft's are compared column by column, texts by their hashes. pandas and dask read copies with floats and times in place of decimals and dates. DuckDB's command line prints what nobody checks.\n\n", tpchMemory>>20, threads, o.rounds)
	fmt.Fprintf(&b, "| question | %s |\n|---|%s\n", strings.Join(sides, " | "), strings.Repeat("---:|", len(sides)))
	sum := map[string]float64{}
	for _, q := range queries {
		fmt.Fprintf(&b, "| %s |", q.name)
		for _, side := range sides {
			a, ok := best[side][q.name]
			if !ok {
				return "", fmt.Errorf("%s has no answer to %s", side, q.name)
			}
			if side != "duckdb CLI" && (a.Rows != q.rows || !near(a.Check, q.numbers())) {
				return "", fmt.Errorf("%s of %s has %d rows and numbers of %v; published are %d and %v", q.name, side, a.Rows, a.Check, q.rows, q.numbers())
			}
			sum[side] += a.Seconds
			fmt.Fprintf(&b, " %.3f |", a.Seconds)
		}
		b.WriteString("\n")
	}
	b.WriteString("| all |")
	for _, side := range sides {
		fmt.Fprintf(&b, " %.2f |", sum[side])
	}
	b.WriteString("\n")
	return b.String(), nil
}

// tpchPlain copies the tables with decimals as floats and dates as times.
func tpchPlain(ctx context.Context, from, to string) error {
	for _, name := range tpchTables {
		f := frame.ReadParquet(filepath.Join(from, name+".parquet"))
		cols, err := f.Schema(ctx)
		if err != nil {
			return err
		}
		for _, c := range cols {
			switch {
			case strings.HasPrefix(string(c.Type), "DECIMAL"):
				f = f.Cast(frame.Float64, c.Name)
			case c.Type == frame.Date:
				f = f.Cast(frame.DateTime, c.Name)
			}
		}
		if err := f.WriteParquet(ctx, filepath.Join(to, name+".parquet"), frame.ParquetOut{Compression: "snappy"}); err != nil {
			return err
		}
	}
	return nil
}

func tpchWeft(ctx context.Context, dir string, threads int, queries []tpchQuery, note func(string, frameAnswer)) error {
	engine, err := frame.Open(frame.Config{MemoryLimit: tpchMemory, Threads: threads})
	if err != nil {
		return err
	}
	defer engine.Close()
	tables := map[string]*frame.Frame{}
	for _, name := range tpchTables {
		tables[name] = frame.ReadParquet(filepath.Join(dir, name+".parquet")).On(engine)
	}
	for _, q := range queries {
		used := map[string]*frame.Frame{}
		for name, f := range tables {
			if strings.Contains(q.sql, name) {
				used[name] = f
			}
		}
		begin := time.Now()
		f := frame.SQL(q.sql, used)
		rows, err := frame.Collect[[]any](ctx, f)
		if err != nil {
			return fmt.Errorf("%s: %w", q.name, err)
		}
		took := time.Since(begin)
		if err := q.check(rows); err != nil {
			return fmt.Errorf("%s: %w", q.name, err)
		}
		note("Weft", frameAnswer{q.name, took.Seconds(), int64(len(rows)), q.numbers()})
	}
	for name, f := range tpchFrames(tables) {
		rows, err := frame.Collect[[]any](ctx, f)
		if err != nil {
			return fmt.Errorf("%s as frames: %w", name, err)
		}
		i := slices.IndexFunc(queries, func(q tpchQuery) bool { return q.name == name })
		if err := queries[i].check(rows); err != nil {
			return fmt.Errorf("%s as frames: %w", name, err)
		}
	}
	return nil
}

// check compares an answer with the published one.
func (q tpchQuery) check(rows [][]any) error {
	if int64(len(rows)) != q.rows {
		return fmt.Errorf("%d rows, published are %d", len(rows), q.rows)
	}
	for i, c := range q.columns {
		if c.skip {
			continue
		}
		sum, hash := 0.0, uint64(0)
		for _, r := range rows {
			if len(r) != len(q.columns) {
				return fmt.Errorf("%d columns, published are %d", len(r), len(q.columns))
			}
			text := ""
			switch v := r[i].(type) {
			case string:
				text = v
			case time.Time:
				text = v.Format(time.DateOnly)
			case nil:
				return fmt.Errorf("a null in column %s", c.name)
			default:
				x, err := strconv.ParseFloat(fmt.Sprint(v), 64)
				if err != nil {
					return err
				}
				sum += x
				continue
			}
			h := fnv.New64a()
			h.Write([]byte(text))
			hash += h.Sum64()
		}
		if c.text && hash != c.hash || !c.text && !near(sum, c.sum) {
			return fmt.Errorf("column %s adds up to %v or hashes to %x; published is %v or %x", c.name, sum, hash, c.sum, c.hash)
		}
	}
	return nil
}

// tpchFrames are some of the questions in steps of frames.
func tpchFrames(t map[string]*frame.Frame) map[string]*frame.Frame {
	day := func(s string) time.Time {
		d, _ := time.Parse(time.DateOnly, s)
		return d
	}
	col := frame.Col
	price := col("l_extendedprice").Mul(frame.Lit(1).Sub(col("l_discount")))
	within := func(c, from, to string) frame.Expr { return col(c).Ge(day(from)).And(col(c).Lt(day(to))) }
	return map[string]*frame.Frame{
		"q1": t["lineitem"].Filter(col("l_shipdate").Le(day("1998-09-02"))).
			GroupBy("l_returnflag", "l_linestatus").
			Agg(frame.Sum("l_quantity").As("sum_qty"), frame.Sum("l_extendedprice").As("sum_base_price"),
				frame.Sum(price).As("sum_disc_price"), frame.Sum(price.Mul(frame.Lit(1).Add(col("l_tax")))).As("sum_charge"),
				frame.Mean("l_quantity").As("avg_qty"), frame.Mean("l_extendedprice").As("avg_price"), frame.Mean("l_discount").As("avg_disc"), frame.CountRows().As("count_order")).
			Sort("l_returnflag", "l_linestatus"),
		"q3": t["customer"].Filter(col("c_mktsegment").Eq("BUILDING")).
			Join(t["orders"].Filter(col("o_orderdate").Lt(day("1995-03-15"))), frame.Inner, frame.Pair{Left: "c_custkey", Right: "o_custkey"}).
			Join(t["lineitem"].Filter(col("l_shipdate").Gt(day("1995-03-15"))), frame.Inner, frame.Pair{Left: "o_orderkey", Right: "l_orderkey"}).
			GroupBy("o_orderkey", "o_orderdate", "o_shippriority").Agg(frame.Sum(price).As("revenue")).
			Sort(frame.Desc("revenue"), "o_orderdate").Limit(10).
			Select("o_orderkey", "revenue", "o_orderdate", "o_shippriority"),
		"q4": t["orders"].Filter(within("o_orderdate", "1993-07-01", "1993-10-01")).
			Join(t["lineitem"].Filter(col("l_commitdate").Lt(col("l_receiptdate"))), frame.Semi, frame.Pair{Left: "o_orderkey", Right: "l_orderkey"}).
			GroupBy("o_orderpriority").Agg(frame.CountRows().As("order_count")).Sort("o_orderpriority"),
		"q5": t["region"].Filter(col("r_name").Eq("ASIA")).
			Join(t["nation"], frame.Inner, frame.Pair{Left: "r_regionkey", Right: "n_regionkey"}).
			Join(t["customer"], frame.Inner, frame.Pair{Left: "n_nationkey", Right: "c_nationkey"}).
			Join(t["orders"].Filter(within("o_orderdate", "1994-01-01", "1995-01-01")), frame.Inner, frame.Pair{Left: "c_custkey", Right: "o_custkey"}).
			Join(t["lineitem"], frame.Inner, frame.Pair{Left: "o_orderkey", Right: "l_orderkey"}).
			Join(t["supplier"], frame.Inner, frame.Pair{Left: "l_suppkey", Right: "s_suppkey"}, frame.Pair{Left: "n_nationkey", Right: "s_nationkey"}).
			GroupBy("n_name").Agg(frame.Sum(price).As("revenue")).Sort(frame.Desc("revenue")),
		"q6": t["lineitem"].Filter(within("l_shipdate", "1994-01-01", "1995-01-01"), col("l_discount").Between(0.05-1e-9, 0.07+1e-9), col("l_quantity").Lt(24)).
			GroupBy().Agg(frame.Sum(col("l_extendedprice").Mul(col("l_discount"))).As("revenue")),
		"q14": t["lineitem"].Filter(within("l_shipdate", "1995-09-01", "1995-10-01")).
			Join(t["part"], frame.Inner, frame.Pair{Left: "l_partkey", Right: "p_partkey"}).
			GroupBy().Agg(frame.Sum(price).Where(col("p_type").StartsWith("PROMO")).Mul(100.0).Div(frame.Sum(price)).As("promo_revenue")),
		"q22": t["customer"].With(col("c_phone").Substr(1, 2).As("cntrycode")).
			Filter(col("cntrycode").In("13", "31", "23", "29", "30", "18", "17")).
			With(frame.Mean("c_acctbal").Where(col("c_acctbal").Gt(0)).Over().As("mean")).
			Filter(col("c_acctbal").Gt(col("mean"))).
			Join(t["orders"], frame.Anti, frame.Pair{Left: "c_custkey", Right: "o_custkey"}).
			GroupBy("cntrycode").Agg(frame.CountRows().As("numcust"), frame.Sum("c_acctbal").As("totacctbal")).Sort("cntrycode"),
	}
}

// tpchCLI has all questions answered by one process of DuckDB's command line,
// which times them.
func tpchCLI(ctx context.Context, py *python, dir string, threads int, queries []tpchQuery, note func(string, frameAnswer)) error {
	var script strings.Builder
	fmt.Fprintf(&script, "SET threads = %d; SET memory_limit = '%dB';\n", threads, tpchMemory)
	for _, name := range tpchTables {
		fmt.Fprintf(&script, "CREATE VIEW %s AS SELECT * FROM read_parquet('%s');\n", name, strings.ReplaceAll(filepath.Join(dir, name+".parquet"), "'", "''"))
	}
	script.WriteString(".mode csv\n.output " + os.DevNull + "\n.timer on\n")
	for _, q := range queries {
		script.WriteString(q.sql + ";\n")
	}
	cmd := exec.CommandContext(ctx, filepath.Join(filepath.Dir(py.interpreter()), "duckdb"), "-batch")
	cmd.Stdin = strings.NewReader(script.String())
	out, err := cmd.CombinedOutput()
	if err != nil {
		return fmt.Errorf("%w: %s", err, lastLine(string(out)))
	}
	n := 0
	for line := range strings.Lines(string(out)) {
		_, after, ok := strings.Cut(line, "real ")
		if !ok {
			continue
		}
		s, err := strconv.ParseFloat(strings.Fields(after)[0], 64)
		if err != nil || n >= len(queries) {
			return fmt.Errorf("it prints %q", line)
		}
		note("duckdb CLI", frameAnswer{Question: queries[n].name, Seconds: s})
		n++
	}
	if n != len(queries) {
		return errors.New("it does not print how long each question took: " + lastLine(string(out)))
	}
	return nil
}
