package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// The helpers are this binary run again, which in a test is the test's.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && slices.Contains([]string{"serve", "shm-case", "shm-worker"}, os.Args[1]) {
		main()
		return
	}
	os.Exit(m.Run())
}

// quickWorks is every kind of work in its small size.
func quickWorks(t *testing.T) []*work {
	t.Helper()
	url, stop, err := startServer(time.Millisecond)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(stop)
	const slow = 100 // iterations a microsecond: how long items take does not matter here
	return []*work{
		noopWork(quickSizes.noops),
		tinyWork(quickSizes.tiny, slow),
		tailWork(quickSizes.tail, slow),
		getWork(quickSizes.gets, url),
	}
}

// Every contender in Go must have done all the work, in order.
func TestGoContenders(t *testing.T) {
	for _, w := range quickWorks(t) {
		for _, c := range goContenders(w) {
			t.Run(w.name+"/"+c.peer+"/"+c.setting, func(t *testing.T) {
				if _, err := c.time(t.Context(), w, len(w.items)); err != nil {
					t.Error(err)
				}
			})
		}
	}
}

// The test above is only worth something if skipped and mixed up work is seen.
func TestWrongResultIsFound(t *testing.T) {
	cheats := map[string]func([]uint64) []uint64{
		"last item skipped": func(out []uint64) []uint64 { out[len(out)-1] = 0; return out },
		"an item short":     func(out []uint64) []uint64 { return out[1:] },
		"nothing":           func([]uint64) []uint64 { return nil },
		"out of order":      func(out []uint64) []uint64 { slices.Reverse(out); return out },
	}
	for _, w := range quickWorks(t) {
		for name, cheat := range cheats {
			if w.name == "tiny" && name == "out of order" {
				continue // its items are all alike
			}
			t.Run(w.name+"/"+name, func(t *testing.T) {
				c := contender{open: simple(func(ctx context.Context, items []int, do itemFunc) ([]uint64, error) {
					out, err := runLoop(ctx, items, do)
					return cheat(out), err
				})}
				if _, err := c.time(t.Context(), w, len(w.items)); !errors.Is(err, errWrongResult) {
					t.Errorf("got error %v", err)
				}
			})
		}
	}
}

// An error of an item must reach the caller through every library, so that a
// page that was not got can not look like a fast one.
func TestErrorIsFound(t *testing.T) {
	broken := errors.New("broken")
	w := noopWork(100)
	w.start = func() (itemFunc, func()) {
		return func(_ context.Context, x int) (uint64, error) {
			if x == 50 {
				return uint64(x), broken
			}
			return uint64(x), nil
		}, func() {}
	}
	for _, c := range goContenders(w) {
		t.Run(c.peer+"/"+c.setting, func(t *testing.T) {
			if _, err := c.time(t.Context(), w, len(w.items)); !errors.Is(err, broken) {
				t.Errorf("got error %v", err)
			}
		})
	}
}

// Each peer of Python does each work once; peers.py checks the results.
func TestPythonContenders(t *testing.T) {
	if testing.Short() {
		t.Skip("takes some seconds")
	}
	py, err := findPython("peers")
	if errors.Is(err, errNoPeers) {
		fmt.Fprintf(os.Stderr, "NOT TESTED: %s: %v\n", t.Name(), err)
		t.Skip(err)
	} else if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(py.close)
	py.rate = 1
	for _, w := range quickWorks(t) {
		cs, err := py.contenders(t.Context(), w)
		if err != nil {
			t.Fatal(err)
		}
		cs = slices.CompactFunc(cs, func(a, b contender) bool { return a.peer == b.peer })
		for _, c := range cs {
			t.Run(w.name+"/"+c.peer, func(t *testing.T) {
				if _, err := py.time(t.Context(), c, w); err != nil {
					t.Error(err)
				}
			})
		}
	}
}

func TestComparePeers(t *testing.T) {
	text, err := comparePeers(t.Context(), peersOptions{
		sizes: sizes{noops: 200, tiny: 20, tail: 10, gets: 20}, rounds: 2, noPython: true, log: t.Output(),
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"go1.", "GOMAXPROCS", "**The Python peers did not run**: `make peers`",
		"### 200 no-ops", "### 20 tasks of 16 µs", "heavy tail", "### 20 HTTP GETs",
		"| **weft** | nothing set |", "| errgroup |", "| conc/iter |", "| pond |", "| ants |", "| lo/parallel |",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in\n%s", want, text)
		}
	}
}

func TestMissingPythonIsLoud(t *testing.T) {
	var log strings.Builder
	text, err := comparePeers(t.Context(), peersOptions{
		sizes: sizes{noops: 10}, rounds: 1, only: []string{"noop"}, dir: t.TempDir(), log: &log,
	})
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(log.String(), "run `make peers` first") || !strings.Contains(text, "did not run") {
		t.Errorf("quiet about it: %s\n%s", log.String(), text)
	}
}

// A peer that wins stays in the table and is named.
func TestTable(t *testing.T) {
	ms := func(ns ...int) (out []sample) {
		for _, n := range ns {
			out = append(out, sample{elapsed: time.Duration(n) * time.Millisecond})
		}
		return out
	}
	text := table(&work{title: "work"}, []*row{
		{contender: contender{peer: weftName, setting: nothingSet}, samples: ms(19, 20, 30)},
		{contender: contender{peer: "slow"}, samples: ms(40, 50, 60)},
		{contender: contender{peer: "near"}, samples: ms(18, 19, 25)},
		{contender: contender{peer: "broke"}, err: errors.New("why")},
		{contender: contender{peer: "fast"}, samples: ms(10, 10, 11)},
	})
	want := []string{"| fast |", "| **0.50** |", "| near |", "| **weft** |", "| slow |", "| 2.50 |", "| broke |", "why",
		"Ahead of Weft here: fast, near (by less than the spread)."}
	rest := text
	for _, s := range want {
		i := strings.Index(rest, s)
		if i < 0 {
			t.Fatalf("no %q in its place in\n%s", s, text)
		}
		rest = rest[i:]
	}
}

func TestSpinJump(t *testing.T) {
	for _, n := range []int{0, 1, 2, 3, 1000, 12345} {
		if got, want := spinJump(n), spin(n); got != want {
			t.Errorf("spinJump(%d) = %d, spin gives %d", n, got, want)
		}
	}
}

func TestTailDurations(t *testing.T) {
	micros := tailDurations(10_000)
	if !slices.Equal(micros, tailDurations(10_000)) {
		t.Error("the list differs from call to call")
	}
	sum := 0
	for _, us := range micros {
		sum += us
	}
	if mean := sum / len(micros); mean < 990 || mean > 1010 {
		t.Errorf("mean %d µs", mean)
	}
	if longest := slices.Max(micros); longest < 50_000 || longest > 100_000 {
		t.Errorf("longest %d µs", longest)
	}
}

func TestWriteSection(t *testing.T) {
	file := filepath.Join(t.TempDir(), "RESULTS.md")
	for _, s := range []struct{ name, text string }{{"a", "first"}, {"b", "second"}, {"a", "again\n"}} {
		if err := writeSection(file, s.name, s.text); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	want := "<!-- bench:a -->\n\nagain\n\n<!-- /bench:a -->\n\n<!-- bench:b -->\n\nsecond\n\n<!-- /bench:b -->\n"
	if string(got) != want {
		t.Errorf("got\n%s", got)
	}
}

func TestSeconds(t *testing.T) {
	for d, want := range map[time.Duration]string{
		0:                       "0",
		1234 * time.Nanosecond:  "0.00000123",
		16 * time.Microsecond:   "0.0000160",
		5123 * time.Millisecond: "5.12",
		123 * time.Second:       "123",
	} {
		if got := seconds(d); got != want {
			t.Errorf("seconds(%v) = %s, want %s", d, got, want)
		}
	}
}

func TestDispatch(t *testing.T) {
	var out strings.Builder
	if err := dispatch(t.Context(), &out, nil); err != nil || !strings.Contains(out.String(), "peers") {
		t.Errorf("%v\n%s", err, out.String())
	}
	if strings.Contains(out.String(), "serve") {
		t.Errorf("the helper is shown:\n%s", out.String())
	}
	if err := dispatch(t.Context(), &out, []string{"nothing"}); err == nil {
		t.Error("no error for an unknown name")
	}
}

// Each row can be asked for, also one with commas in its name.
func TestRowsToMeasure(t *testing.T) {
	t.Parallel()
	all := []string{"wait 5 ms", "wait 20 ms", "10 us, many", "degrades: 20 ms, more than 64 at once slow it down"}
	for _, row := range []struct {
		values []string
		want   []string
		wrong  string
	}{
		{nil, all, ""},
		{[]string{"wait 20 ms"}, []string{"wait 20 ms"}, ""},
		{[]string{"wait 20 ms,wait 5 ms"}, []string{"wait 5 ms", "wait 20 ms"}, ""},
		{[]string{"wait 20 ms", "degrades"}, []string{"wait 20 ms", all[3]}, ""},
		{[]string{all[3], "10 us, many"}, []string{"10 us, many", all[3]}, ""},
		{[]string{"wait 5 ms,wait 6 ms"}, []string{"wait 5 ms"}, "wait 6 ms"},
	} {
		r := &rowNames{}
		for _, v := range row.values {
			_ = r.add(v)
		}
		var got []string
		for _, name := range all {
			if r.wants(name) {
				got = append(got, name)
			}
		}
		err := r.missing()
		if !slices.Equal(got, row.want) || (err == nil) != (row.wrong == "") || err != nil && !strings.Contains(err.Error(), row.wrong) {
			t.Errorf("%q: %q, %v", row.values, got, err)
		}
	}
}
