package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"time"

	"github.com/weft-go/weft"
	"github.com/weft-go/weft/cluster"
	"github.com/weft-go/weft/graph"
)

// clusterBenchmark compares clusters of two workers on one machine.
var clusterBenchmark = sectionBenchmark("cluster", "two workers on Temporal beside dask.distributed and ray", "Clusters", 3, measureCluster)

// clusterMillion is the process of the million items, so that its memory is
// its own.
var clusterMillion = benchmark{name: "cluster-million", hidden: true, run: runClusterMillion}

var (
	_ = weft.Register(clusterInc)
	_ = weft.Register(clusterAdd)
	_ = weft.Register(clusterNap)
	_ = weft.Register(clusterSpin)
	_ = weft.Register(clusterPart)
	_ = weft.Register(clusterLarge)
	_ = weft.Register(clusterAddLarge)
	_ = weft.Register(clusterFirst)
	_ = weft.Register(clusterSmall)
)

func clusterInc(_ context.Context, a int) (int, error)    { return a + 1, nil }
func clusterAdd(_ context.Context, a, b int) (int, error) { return a + b, nil }
func clusterSmall(_ context.Context, a int) (int, error)  { return a % 1000003, nil }

func clusterNap(_ context.Context, a int) (int, error) {
	time.Sleep(10 * time.Millisecond)
	return a + 1, nil
}

func clusterSpin(_ context.Context, a int) (int, error) {
	for end := time.Now().Add(16 * time.Microsecond); time.Now().Before(end); {
	}
	return a + 1, nil
}

func clusterPart(_ context.Context, a int) (sum int, err error) {
	for i := range 1000 {
		sum += a + i
	}
	return sum, nil
}

// clusterFloats are those of a large result, 10 MB.
const clusterFloats = 10_000_000 / 8

func clusterLarge(_ context.Context, a int) ([]float64, error) {
	v := make([]float64, clusterFloats)
	for i := range v {
		v[i] = float64(a)
	}
	return v, nil
}

func clusterAddLarge(_ context.Context, a, b []float64) ([]float64, error) {
	v := make([]float64, len(a))
	for i := range v {
		v[i] = a[i] + b[i]
	}
	return v, nil
}

func clusterFirst(_ context.Context, a []float64) (int, error) { return int(a[0] + a[len(a)-1]), nil }

// clusterCases are rows of the table. Their work returns a number that the
// peers must have too (bench/peers/clusters.py does the same).
var clusterCases = []struct {
	name, says string
	n, quick   int
	ideal      time.Duration // of one item on one worker; 0 where there is none
	run        func(ctx context.Context, c *cluster.Cluster, n int) (int, error)
	// early is set by a run that is over before it has ended.
	early *time.Time
}{
	{name: "no-ops", says: "%d items that do nothing", n: 10_000, quick: 300, run: func(ctx context.Context, c *cluster.Cluster, n int) (int, error) {
		return clusterMap(ctx, c, clusterInc, n)
	}},
	{name: "10 ms", says: "%d items that sleep for 10 ms", n: 10_000, quick: 300, ideal: 10 * time.Millisecond, run: func(ctx context.Context, c *cluster.Cluster, n int) (int, error) {
		return clusterMap(ctx, c, clusterNap, n)
	}},
	{name: "16 us", says: "%d items that compute for 16 µs", n: 10_000, quick: 300, run: func(ctx context.Context, c *cluster.Cluster, n int) (int, error) {
		return clusterMap(ctx, c, clusterSpin, n)
	}},
	{name: "chain", says: "a chain of %d tasks", n: 200, quick: 20, run: func(ctx context.Context, c *cluster.Cluster, n int) (int, error) {
		g := graph.New()
		v := graph.Const(g, 0)
		for range n {
			v = graph.Call(g, clusterInc, v)
		}
		return graph.Compute(ctx, v, graph.On(c))
	}},
	{name: "tree", says: "%d parts reduced pairwise", n: 1000, quick: 50, run: func(ctx context.Context, c *cluster.Cluster, n int) (int, error) {
		g := graph.New()
		parts := graph.Map(g, clusterPart, graph.Consts(g, numbers(n)))
		return graph.Compute(ctx, graph.Reduce(g, clusterAdd, parts, 2), graph.On(c))
	}},
	{name: "large", says: "%d results of 10 MB reduced pairwise", n: 200, quick: 10, run: func(ctx context.Context, c *cluster.Cluster, n int) (int, error) {
		g := graph.New()
		parts := graph.Map(g, clusterLarge, graph.Consts(g, numbers(n)))
		return graph.Compute(ctx, graph.Call(g, clusterFirst, graph.Reduce(g, clusterAddLarge, parts, 2)), graph.On(c))
	}},
	{name: "layered", says: "a layered graph of %d tasks", n: 5000, quick: 500, run: func(ctx context.Context, c *cluster.Cluster, n int) (int, error) {
		vs, err := graph.ComputeAll(ctx, clusterLayers(n), graph.On(c))
		sum := 0
		for _, v := range vs {
			sum += v
		}
		return sum % 1000003, err
	}},
	{name: "first", says: "start to first result, of %d items of 10 ms", n: 1000, quick: 300, early: &firstResult, run: func(ctx context.Context, c *cluster.Cluster, n int) (int, error) {
		ctx, cancel := context.WithCancel(ctx)
		defer cancel()
		for _, err := range weft.Stream(ctx, counting(n), clusterNap, weft.On(c), weft.Require(weft.Isolation), weft.Unordered()) {
			firstResult = time.Now()
			return 0, err
		}
		return 0, errors.New("no result")
	}},
}

// firstResult is when the last run of "first" had one; ending it takes longer.
var firstResult time.Time

func clusterMap(ctx context.Context, c *cluster.Cluster, f func(context.Context, int) (int, error), n int) (sum int, err error) {
	vs, err := weft.Map(ctx, numbers(n), f, weft.On(c), weft.Require(weft.Isolation))
	for _, v := range vs {
		sum += v
	}
	return sum, err
}

func numbers(n int) []int {
	ns := make([]int, n)
	for i := range ns {
		ns[i] = i
	}
	return ns
}

func counting(n int) iter.Seq[int] {
	return func(yield func(int) bool) {
		for i := range n {
			if !yield(i) {
				return
			}
		}
	}
}

// clusterLayers is the graph of layers of clusters.py.
func clusterLayers(n int) []graph.Value[int] {
	g := graph.New()
	layer := graph.Consts(g, numbers(100))
	for l := range n / 100 {
		next := make([]graph.Value[int], 100)
		for i := range next {
			next[i] = graph.Call2(g, clusterAdd, layer[(i*37+l*11)%100], layer[(i*53+l*29+1)%100])
		}
		layer = next
		if l%10 == 9 { // kept small, so that all languages add the same integers
			layer = graph.Map(g, clusterSmall, layer)
		}
	}
	return layer
}

// clusterPeers are those of clusters.py.
var clusterPeers = []string{"distributed", "ray"}

func measureCluster(ctx context.Context, o sectionOptions) (string, error) {
	if o.quick {
		o.rounds = 1
	}
	bed, err := newClusterBed(ctx)
	if err != nil {
		return "", err
	}
	defer bed.close()
	c, err := cluster.Dial(ctx, bed.url)
	if err != nil {
		return "", err
	}
	defer c.Close()
	// Both workers have done something.
	if _, err := clusterMap(ctx, c, clusterNap, 100); err != nil {
		return "", err
	}
	py, err := findPython(filepath.Join("bench", "peers"))
	noPython := ""
	if err != nil {
		noPython = err.Error()
	} else {
		defer py.close()
	}

	var b strings.Builder
	fmt.Fprintf(&b, "Two workers with one slot on this machine for each, with their servers on it too: Weft on Temporal (server 1.32.0 with SQLite in a file, a directory as store), a LocalCluster of dask.distributed with two processes, ray with two CPUs. Seconds, the median of %d rounds in turns, from when the cluster is up and both workers have done something. All results are compared.\n\n", o.rounds)
	if py == nil {
		fmt.Fprintf(&b, "**The Python libraries did not run**: %s.\n\n", noPython)
	}
	b.WriteString("| work | Weft | dask.distributed | ray | dask / Weft | ideal / Weft |\n|---|---:|---:|---:|---:|---:|\n")
	totals := make([]time.Duration, 1+len(clusterPeers))
	complete := py != nil
	for _, k := range clusterCases {
		if !o.wants(k.name) {
			continue
		}
		n := k.n
		if o.quick {
			n = k.quick
		}
		times := make([][]time.Duration, 1+len(clusterPeers))
		whys := make([]string, len(clusterPeers))
		for range o.rounds {
			runtime.GC()
			begin := time.Now()
			check, err := k.run(ctx, c, n)
			if err != nil {
				return "", fmt.Errorf("%s: %w", k.name, err)
			}
			took := time.Since(begin)
			if k.early != nil {
				took = k.early.Sub(begin)
			}
			times[0] = append(times[0], took)
			fmt.Fprintf(o.log, "%s: %v\n", k.name, took)
			for i, peer := range clusterPeers {
				if py == nil || whys[i] != "" {
					continue
				}
				var row struct {
					Seconds float64
					Check   int
				}
				err := py.script(ctx, "clusters.py", func(b []byte) error { return json.Unmarshal(b, &row) }, peer, k.name, strconv.Itoa(n))
				switch {
				case ctx.Err() != nil:
					return "", context.Cause(ctx)
				case err != nil:
					whys[i], complete = err.Error(), false
				case row.Check != check:
					return "", fmt.Errorf("%s: %s has the result %d, Weft %d", k.name, peer, row.Check, check)
				default:
					times[i+1] = append(times[i+1], fromSeconds(row.Seconds))
				}
			}
		}
		ours := median(times[0])
		fmt.Fprintf(&b, "| "+k.says+" | %s |", n, seconds(ours))
		totals[0] += ours
		for i := range clusterPeers {
			if whys[i] != "" {
				fmt.Fprintf(&b, " failed: %s |", whys[i])
				continue
			}
			m := median(times[i+1])
			totals[i+1] += m
			if m == 0 {
				b.WriteString(" - |")
			} else {
				fmt.Fprintf(&b, " %s |", seconds(m))
			}
		}
		if m := median(times[1]); m > 0 {
			fmt.Fprintf(&b, " %.2f |", m.Seconds()/ours.Seconds())
		} else {
			b.WriteString(" - |")
		}
		if k.ideal > 0 {
			fmt.Fprintf(&b, " %.2f |\n", float64(n)/2*k.ideal.Seconds()/ours.Seconds())
		} else {
			b.WriteString(" - |\n")
		}
	}
	if complete && o.only.all() {
		fmt.Fprintf(&b, "| **total** | %s | %s | %s | %.2f | |\n", seconds(totals[0]), seconds(totals[1]), seconds(totals[2]), totals[1].Seconds()/totals[0].Seconds())
	}
	if o.wants("million") {
		text, err := bed.million(ctx, o.quick)
		if err != nil {
			return "", err
		}
		b.WriteString(text)
	}
	return b.String(), nil
}

// clusterBed is a server and two workers.
type clusterBed struct {
	dir, url, db string
	processes    []*exec.Cmd
}

func newClusterBed(ctx context.Context) (bed *clusterBed, err error) {
	script := exec.CommandContext(ctx, filepath.Join("scripts", "testserver"))
	script.Stderr = os.Stderr
	out, err := script.Output()
	if err != nil {
		return nil, fmt.Errorf("scripts/testserver: %w", err)
	}
	dir, err := os.MkdirTemp("", "weft-bench-cluster-")
	if err != nil {
		return nil, err
	}
	bed = &clusterBed{dir: dir, db: filepath.Join(dir, "temporal.db")}
	defer func() {
		if err != nil {
			bed.close()
		}
	}()
	line, err := bed.start(ctx, strings.TrimSpace(string(out)), "--tied", "--db", bed.db)
	if err != nil {
		return nil, err
	}
	bed.url = line + "/default?queue=bench&store=" + url.QueryEscape("file://"+filepath.ToSlash(dir)+"/store")
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	for range 2 {
		if _, err := bed.start(ctx, self, "weft-worker", "-slots", "1", bed.url); err != nil {
			return nil, err
		}
	}
	return bed, nil
}

// start runs a program and returns the first line that it prints, which says
// that it is ready.
func (bed *clusterBed) start(ctx context.Context, name string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, name, args...)
	if _, err := cmd.StdinPipe(); err != nil {
		return "", err
	}
	r, w, err := os.Pipe()
	if err != nil {
		return "", err
	}
	cmd.Stdout, cmd.Stderr = w, w
	err = cmd.Start()
	_ = w.Close()
	if err != nil {
		_ = r.Close()
		return "", err
	}
	bed.processes = append(bed.processes, cmd)
	line := make([]byte, 0, 256)
	for one := make([]byte, 1); len(line) < 4096; line = append(line, one[0]) {
		if _, err := r.Read(one); err != nil {
			return "", fmt.Errorf("%s ended with %q", filepath.Base(name), line)
		}
		if one[0] == '\n' {
			break
		}
	}
	go func() {
		_, _ = io.Copy(io.Discard, r)
		_ = r.Close()
	}()
	return string(line), nil
}

func (bed *clusterBed) close() {
	for i := len(bed.processes) - 1; i >= 0; i-- {
		_ = bed.processes[i].Process.Kill()
		_ = bed.processes[i].Wait()
	}
	_ = os.RemoveAll(bed.dir)
}

// million is what a million items cost besides time.
func (bed *clusterBed) million(ctx context.Context, quick bool) (string, error) {
	n := 1_000_000
	if quick {
		n = 10_000
	}
	before := fileBytes(bed.db)
	self, err := os.Executable()
	if err != nil {
		return "", err
	}
	cmd := exec.CommandContext(ctx, self, clusterMillion.name, bed.url, strconv.Itoa(n))
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("million: %w", err)
	}
	var row struct {
		Seconds     float64
		Start, Peak int64
	}
	if err := json.Unmarshal(out, &row); err != nil {
		return "", fmt.Errorf("million: %q: %w", out, err)
	}
	after := fileBytes(bed.db)
	return fmt.Sprintf("\n%d items that do nothing, streamed, in %.1f s: the driver's memory goes from %.0f MB to at most %.0f MB (aim: 200 MB), the server's files grow by %.0f MB (aim: 64 MB).\n",
		n, row.Seconds, float64(row.Start)/1e6, float64(row.Peak)/1e6, float64(after-before)/1e6), nil
}

// fileBytes is the size of a SQLite database with its journal.
func fileBytes(db string) (n int64) {
	for _, name := range []string{db, db + "-wal"} {
		if info, err := os.Stat(name); err == nil {
			n += info.Size()
		}
	}
	return n
}

func runClusterMillion(ctx context.Context, out io.Writer, args []string) error {
	if len(args) != 2 {
		return errors.New("cluster-million: want URL and number")
	}
	n, err := strconv.Atoi(args[1])
	if err != nil {
		return err
	}
	c, err := cluster.Dial(ctx, args[0])
	if err != nil {
		return err
	}
	defer c.Close()
	start, err := statusLine("VmRSS:")
	if err != nil {
		return err
	}
	begin := time.Now()
	sum := 0
	for v, err := range weft.Stream(ctx, counting(n), clusterInc, weft.On(c), weft.Require(weft.Isolation)) {
		if err != nil {
			return err
		}
		sum += v
	}
	elapsed := time.Since(begin)
	if want := n * (n + 1) / 2; sum != want {
		return fmt.Errorf("the sum is %d, want %d", sum, want)
	}
	peak, err := statusLine("VmHWM:")
	if err != nil {
		return err
	}
	return json.NewEncoder(out).Encode(map[string]any{"seconds": elapsed.Seconds(), "start": start, "peak": peak})
}
