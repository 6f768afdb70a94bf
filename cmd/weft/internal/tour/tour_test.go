package tour

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/weft-go/weft/proc"
	"go.uber.org/goleak"

	"github.com/weft-go/weft"
)

func TestMain(m *testing.M) {
	proc.Init()
	goleak.VerifyTestMain(m)
}

var rewrite = flag.Bool("rewrite", false, "write the files in testdata anew")

// smallTree is a directory with 20 files, 15 of them Go code, one of those
// broken.
func smallTree(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	for i := range 20 {
		name, text := fmt.Sprintf("p%d/f%d.go", i%3, i), fmt.Sprintf("package p%d\n\nfunc a() {}\n\nfunc b() {}\n", i%3)
		if i%4 == 3 {
			name, text = fmt.Sprintf("f%d.txt", i), "text\n"
		}
		if i == 5 {
			text = "package p\n\nfunc {\n"
		}
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func smallConfig(t *testing.T, out *bytes.Buffer) Config {
	return Config{
		Out: out, Tree: smallTree(t), Save: t.TempDir(),
		sizes: sizes{tiny: 1000, packages: 2, cached: 10, requests: 20, sample: 3, latency: time.Millisecond, image: 256},
	}
}

func TestWholeTour(t *testing.T) {
	t.Parallel()
	var out, status bytes.Buffer
	cfg := smallConfig(t, &out)
	cfg.Status = &status
	if err := Run(t.Context(), cfg); err != nil {
		t.Fatal(err)
	}
	text := strings.Join(strings.Fields(out.String()), " ")
	for _, want := range []string{
		fmt.Sprintf("%d stops", len(stops)),
		"20 files, 0 MB; the hash of all hashes begins with",
		"15 files: 3 packages, 28 functions, 70 lines; of the files 1 do not parse (test data); the same both ways",
		"10 files, 20 functions; 10 from the cache",
		"2 packages, 50 lines; the largest: p0 25, p1 25; drawn in",
		"graph.html and ", "graph.svg; the same both ways",
		"after an edit of one file, Why says file: the content of edited.go has changed",
		"of 8000 bits are set",
		"20 answers, which add up to 2470; the plain loop did 3 of them, with the same results",
		"extrapolated from 3",
		"stop items decided plain loop Weft speed-up",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("the tour does not say %q", want)
		}
	}
	if len(frameStops) > 0 && !strings.Contains(text, "3 packages in a file of ") {
		t.Error("the tour does not say how many packages the frame has")
	}
	if runtime.GOOS == "linux" {
		for _, want := range []string{"was ended by SIGKILL", "while it ran item 32", "The other 63 bands; the same both ways"} {
			if !strings.Contains(text, want) {
				t.Errorf("the tour does not say %q", want)
			}
		}
	}
	for l := range strings.Lines(out.String()) {
		if n := utf8.RuneCountInString(strings.TrimSuffix(l, "\n")); n > defaultWidth {
			t.Errorf("%d columns: %s", n, l)
		}
	}
	if strings.Contains(out.String(), "\x1b") {
		t.Error("colours without being asked for")
	}
	if !strings.Contains(status.String(), "parse: plain loop ...") || !strings.HasSuffix(status.String(), "\r\x1b[K") {
		t.Errorf("status: %q", status.String())
	}
	if t.Failed() {
		t.Log(out.String())
	}
}

func TestOneStop(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	cfg := smallConfig(t, &out)
	cfg.Stops, cfg.Color, cfg.Tree = []string{"tiny"}, true, "/nowhere"
	if err := Run(t.Context(), cfg); err != nil {
		t.Fatal(err)
	}
	if s := out.String(); !strings.Contains(s, "one stop") || strings.Contains(s, "decided") || !strings.Contains(s, "\x1b[1m") {
		t.Error(s)
	}
}

func TestJSON(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	cfg := smallConfig(t, &out)
	cfg.JSON, cfg.Stops = true, []string{"http", "parse"}
	if err := Run(t.Context(), cfg); err != nil {
		t.Fatal(err)
	}
	dec := json.NewDecoder(&out)
	for _, want := range []string{"parse", "http"} { // in the order of the tour
		var got struct {
			Stop         string `json:"stop"`
			Items        int    `json:"items"`
			Extrapolated bool   `json:"plain_extrapolated"`
			Plain        int64  `json:"plain_ns"`
			Report       struct {
				Done int `json:"done"`
			} `json:"report"`
		}
		if err := dec.Decode(&got); err != nil {
			t.Fatal(err)
		}
		if got.Stop != want || got.Report.Done != got.Items || got.Plain <= 0 || got.Extrapolated != (want == "http") {
			t.Errorf("%+v", got)
		}
	}
	if dec.More() {
		t.Error("more than the stops")
	}
}

func TestList(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	if err := List(&out); err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(out.String(), "\n"); n != len(stops) {
		t.Errorf("%d lines for %d stops", n, len(stops))
	}
}

func TestErrorsSayWhatToDo(t *testing.T) {
	t.Parallel()
	empty := t.TempDir()
	for _, test := range []struct {
		name, tree string
		stops      []string
		want       []string
	}{
		{"no such stop", "", []string{"hash", "dance"}, []string{`no stop "dance"`, "hash, parse, cache, ", "graph, tiny, http"}},
		{"no directory", filepath.Join(empty, "x"), []string{"hash"}, []string{"stop hash", "missing", "another directory with --tree"}},
		{"no files", empty, []string{"hash"}, []string{"no readable files", "another directory with --tree"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			err := Run(t.Context(), Config{Stops: test.stops, Tree: test.tree})
			if err == nil {
				t.Fatal("no error")
			}
			for _, want := range test.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("%q does not say %q", err, want)
				}
			}
		})
	}
}

func TestNoGo(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	err := Run(t.Context(), Config{Stops: []string{"parse"}})
	if err == nil || !strings.Contains(err.Error(), "https://go.dev/dl") || !strings.Contains(err.Error(), "--stop tiny,http") {
		t.Errorf("%v", err)
	}
}

// cancelling cancels at the nth write.
type cancelling struct {
	n      int
	cancel func()
}

func (c *cancelling) Write(p []byte) (int, error) {
	if c.n--; c.n == 0 {
		c.cancel()
	}
	return len(p), nil
}

func TestStopsAtOnce(t *testing.T) {
	t.Parallel()
	why := errors.New("enough")
	for n := 1; n < 12; n++ {
		ctx, cancel := context.WithCancelCause(t.Context())
		cfg := smallConfig(t, nil)
		cfg.Out, cfg.Status = nil, &cancelling{n, func() { cancel(why) }}
		cfg.sizes.latency = time.Hour // nobody waits for the server
		if err := Run(ctx, cfg); !errors.Is(err, why) {
			t.Errorf("at write %d: %v", n, err)
		}
	}
}

type full struct{}

func (full) Write([]byte) (int, error) { return 0, os.ErrClosed }

func TestWriteError(t *testing.T) {
	t.Parallel()
	err := Run(t.Context(), Config{Out: full{}})
	if _, ok := errors.AsType[*WriteError](err); !ok || !errors.Is(err, os.ErrClosed) {
		t.Errorf("%v", err)
	}
}

func TestUnequalResults(t *testing.T) {
	t.Parallel()
	calls := 0
	_, err := race(t.Context(), &visit{}, leg[int, int]{
		items:  []int{1, 2, 3},
		f:      func(context.Context, int) (int, error) { calls++; return calls, nil },
		result: func([]int) string { return "" },
		opts:   []weft.MapOption{weft.Workers(1)},
	})
	if err == nil || !strings.Contains(err.Error(), "item 0") {
		t.Errorf("%v", err)
	}
}

// TestPrint compares what made-up outcomes look like with testdata.
func TestPrint(t *testing.T) {
	t.Parallel()
	changes := []weft.Decision{{At: 2 * time.Millisecond, Workers: 32, Why: "the items wait: starts with 32"}}
	for i := range 9 {
		changes = append(changes, weft.Decision{At: time.Duration(i+1) * 50 * time.Millisecond, Workers: 64 + i, Why: fmt.Sprintf("on to %d", 64+i)})
	}
	seen := []visited{
		{stop{name: "loop", title: "work that is too small", story: "A story.", code: "weft.Map(ctx, items, f)"}, outcome{
			items: 1_000_000, sampled: 1_000_000, rounds: 3, plain: 2 * time.Millisecond, weft: 2020 * time.Microsecond, result: "a number",
			report: weft.Report{Plan: weft.Plan{
				Name: "loop", Items: 1_000_000, Mode: "plain loop", Workers: 1, Schedule: "none", CPUs: 8, CPUSource: "cgroup",
				Reason: "the items are small", Predicted: 2 * time.Millisecond, Measured: weft.Measured{Sampled: 10, ItemNanos: 2, CPUShare: 1},
				Rejected: []weft.Choice{{What: "7 workers", Predicted: 3 * time.Millisecond}, {What: "14 workers", Predicted: 4 * time.Millisecond, Why: "no faster"}},
			}},
		}},
		{stop{name: "wait", title: "work that waits", story: strings.Repeat("A long story. ", 12), code: "weft.Map(ctx, items, f)"}, outcome{
			items: 2000, sampled: 50, rounds: 3, plain: 41 * time.Second, weft: 250 * time.Millisecond, result: "an answer",
			report: weft.Report{Decisions: changes, Plan: weft.Plan{
				Name: "wait", Items: 2000, Mode: "goroutines", Workers: 72, Schedule: "dynamic", Chunk: 1, CPUs: 8, CPUSource: "cgroup",
				Reason: "on to 72", Predicted: 40 * time.Second,
			}},
		}},
		{stop{name: "slow", title: "a lost race", story: "A story.", code: "weft.Map(ctx, items, f)"}, outcome{
			items: 10, sampled: 10, rounds: 1, plain: time.Second, weft: 2 * time.Second, result: "a loss",
			report: weft.Report{Plan: weft.Plan{Name: "a, b", Items: 10, Workers: 2, Schedule: "static", Chunk: 5, CPUs: 2}},
		}},
	}
	for _, color := range []bool{false, true} {
		p := &printer{width: 80, color: color}
		got := p.intro(3)
		for i, v := range seen {
			got += p.stop(i+1, v.stop, v.outcome)
		}
		got += p.summary(seen)
		got = strings.Replace(got, fmt.Sprintf("%d CPUs", cpus()), "N CPUs", 1)
		name := filepath.Join("testdata", map[bool]string{false: "plain.txt", true: "color.txt"}[color])
		if *rewrite {
			if err := os.MkdirAll("testdata", 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(name, []byte(got), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if got != strings.ReplaceAll(string(want), "\r\n", "\n") {
			t.Errorf("%s differs; if that is right, run go test ./cmd/weft/internal/tour -rewrite and read the difference:\n%s", name, got)
		}
	}
}
