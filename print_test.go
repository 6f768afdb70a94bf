package weft_test

import (
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/weft-go/weft"
)

var rewrite = flag.Bool("rewrite", false, "write the files under testdata anew")

func golden(t *testing.T, name, got string) {
	t.Helper()
	name = filepath.Join("testdata", name)
	if *rewrite {
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("%s differs (go test -run %s . -rewrite accepts it); got:\n%s\nwant:\n%s", name, t.Name(), got, want)
	}
}

func plans() map[string]weft.Plan {
	return map[string]weft.Plan{
		"plain": {
			Name: "Map(main.parse)", Items: 100, Mode: "plain loop", Bound: "cpu", Workers: 1, Schedule: "none",
			Reason:    "the items take 1.20 us each, 120 us in all: starting workers would cost more than they save",
			Predicted: 120 * time.Microsecond,
			Rejected:  []weft.Choice{{What: "8 workers", Predicted: 150 * time.Microsecond}},
			Measured:  weft.Measured{Sampled: 12, Item: 1200, ItemNanos: 1200.4, ItemCPU: 1200, CPUShare: 1},
			CPUs:      8, CPUSource: "CPU affinity",
		},
		"cpu": {
			Name: "thumbs", Items: 12_345, Mode: "goroutines", Bound: "cpu", Workers: 7, Chunk: 20, Schedule: "guided",
			Reason:    "the items use the CPU 100 % of their time and take 100 us each: 7 workers cut 1.23 s to 176 ms",
			Predicted: 176 * time.Millisecond,
			Rejected: []weft.Choice{
				{What: "plain loop", Predicted: 1234 * time.Millisecond},
				{What: "14 workers", Predicted: 177 * time.Millisecond, Why: "no faster: only 7 can run at once"},
			},
			Measured: weft.Measured{Sampled: 25, Item: 100_000, ItemNanos: 100_000, ItemCPU: 99_000, CPUShare: 0.99, Spread: 0.2, ItemBytes: 2 << 20, LockWait: 0.01, GCShare: 0.05},
			CPUs:     8, CPUSource: "cgroup v2 quota 8 at /a/b", MemoryBudget: 6 << 30, Warnings: []string{"something to mend"},
		},
		"waiting": {
			Name: "pages", Items: -1, Mode: "goroutines that wait", Bound: "io", Workers: 64, Chunk: 1, Schedule: "dynamic",
			Reason:   "64 in flight is the knee: 1280 a second, and more would only wait longer",
			Measured: weft.Measured{Sampled: 1_000_000, Item: 50 * time.Millisecond, ItemNanos: 5e7, CPUShare: 0.004},
			CPUs:     2, CPUSource: "GOMAXPROCS",
		},
		"one": {Name: "one", Items: 1, Mode: "plain loop", Bound: "unknown", Workers: 1, Schedule: "none", Reason: "one item is left: nothing can run beside it", CPUs: 1, CPUSource: "CPU affinity"},
	}
}

func reports() map[string]weft.Report {
	ps := plans()
	many := make([]weft.Decision, 12)
	for i := range many {
		many[i] = weft.Decision{At: time.Duration(i+1) * 1234567, Workers: 1 << min(i, 6), Why: "a change of plan"}
	}
	return map[string]weft.Report{
		"plain": {Plan: ps["plain"], Done: 100, Wall: 118 * time.Microsecond, CPU: 130 * time.Microsecond, Serial: 118 * time.Microsecond, Speedup: 1},
		"cpu": {
			Plan: ps["cpu"], Decisions: many[:1], Done: 12_340, Failed: 5, Retried: 7, Wall: 180 * time.Millisecond, CPU: 1300 * time.Millisecond,
			Serial: 1234 * time.Millisecond, Speedup: 6.86, Efficiency: 0.98, PeakMemory: 40 << 20, Warnings: []string{"the garbage collector took 30 % of the CPU time"},
		},
		"waiting": {Plan: ps["waiting"], Decisions: many, Done: 1_000_000, Wall: 13*time.Minute + 2*time.Second, CPU: 40 * time.Second, Serial: 14 * time.Hour, Speedup: 64},
		"empty":   {},
	}
}

func TestPlanPrints(t *testing.T) {
	t.Parallel()
	for name, p := range plans() {
		golden(t, "plan/"+name+".txt", p.String())
		b, err := json.MarshalIndent(p, "", "  ")
		if err != nil {
			t.Fatal(err)
		}
		golden(t, "plan/"+name+".json", string(b)+"\n")
	}
}

func TestReportPrints(t *testing.T) {
	t.Parallel()
	for name, r := range reports() {
		golden(t, "report/"+name+".txt", r.String())
		b, err := json.MarshalIndent(r, "", "  ")
		if err != nil {
			t.Fatal(err)
		}
		golden(t, "report/"+name+".json", string(b)+"\n")
	}
}
