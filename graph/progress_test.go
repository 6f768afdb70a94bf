package graph

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// logged is a writer that is no terminal.
type logged struct {
	mu    sync.Mutex
	b     bytes.Buffer
	fails bool
	calls int
}

func (l *logged) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.calls++
	if l.fails {
		return 0, errors.New("closed")
	}
	return l.b.Write(p)
}

func (l *logged) lines() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Split(strings.TrimSuffix(l.b.String(), "\n"), "\n")
}

func nap(_ context.Context, n int) (int, error) { time.Sleep(time.Second); return n, nil }

func plus(_ context.Context, a, b int) (int, error) { return a + b, nil }

// In a log there is a line at growing intervals, with the names that are under
// way, and one at the end.
func TestProgressInALog(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var l logged
		g := New()
		sum := Reduce(g, plus, Map(g, nap, Consts(g, make([]int, 100)), Name("read")), 8, Name("sum"))
		if _, err := Compute(t.Context(), sum, Workers(1), Progress(&l)); err != nil {
			t.Fatal(err)
		}
		lines := l.lines()
		if len(lines) < 4 || len(lines) > 8 {
			t.Fatalf("%d lines in 100 s: %q", len(lines), lines)
		}
		if l := lines[0]; !strings.HasPrefix(l, "graph   ") || !strings.Contains(l, " of 199") || !strings.Contains(l, "left: read ") || !strings.Contains(l, " of 100") {
			t.Errorf("the first line is %q", l)
		}
		if want := "graph 100 %  199 of 199  2.0/s  took 100 s: read 100, sum 99"; lines[len(lines)-1] != want {
			t.Errorf("the last line is %q, not %q", lines[len(lines)-1], want)
		}
		for _, line := range lines {
			if strings.ContainsAny(line, "\r\x1b") {
				t.Errorf("%q is for terminals", line)
			}
		}
	})
}

// What failed and what was skipped is told apart, and a writer that fails is
// left alone.
func TestProgressOfFailures(t *testing.T) {
	t.Parallel()
	var l logged
	g := New()
	odd := Map(g, func(_ context.Context, n int) (int, error) {
		if n%2 == 1 {
			return 0, errors.New("odd")
		}
		return n, nil
	}, Consts(g, []int{1, 2, 3, 4}), Name("even"))
	_, err := ComputeAll(t.Context(), Map(g, nothing, odd, Name("next")), KeepGoing(), Progress(&l))
	if err == nil {
		t.Fatal("nothing failed")
	}
	got := l.lines()
	if len(got) != 1 || !strings.HasPrefix(got[0], "graph 100 %  8 of 8, 2 failed, 2 skipped") || !strings.HasSuffix(got[0], ": even 4 of 4 (2 failed), next 4 of 4") {
		t.Errorf("%q", got)
	}
	synctest.Test(t, func(t *testing.T) {
		l := logged{fails: true}
		g := New()
		if _, err := ComputeAll(t.Context(), Map(g, nap, Consts(g, make([]int, 100))), Workers(1), Progress(&l)); err != nil || l.calls != 1 {
			t.Errorf("%v, %d writes", err, l.calls)
		}
	})
	if _, err := Compute(t.Context(), Const(g, 1), Progress(nil)); err == nil || !strings.Contains(err.Error(), "Progress(nil)") {
		t.Errorf("%v", err)
	}
}

func nothing(_ context.Context, n int) (int, error) { return n, nil }

// The lines for a terminal: those that run come first, and no line is wider than
// the terminal.
func TestProgressLines(t *testing.T) {
	t.Parallel()
	s := progressState{tally: tally{total: 400, done: 90, failed: 10, running: 3}, elapsed: 2 * time.Second, left: 6 * time.Second, workers: 3, disk: 5 << 20}
	if got, want := s.line(24, false), "graph ━━━━━━──────────────────  25 %  100 of 400, 10 failed  45/s  2.00 s, 6s left  3 at once  5.00 MiB on disk"; got != want {
		t.Errorf("%q\nwant %q", got, want)
	}
	for i, name := range []string{"done", "waits", "between", "runs", "a name that is far too long to be shown in whole"} {
		n := nameState{name: name, tally: tally{total: 10}}
		switch i {
		case 0:
			n.done = 10
		case 2:
			n.done = 5
		case 3, 4:
			n.done, n.running = 1, 2
		}
		s.names = append(s.names, n)
	}
	got := strings.Join(s.nameLines(8, 24, false), "\n")
	want := "  runs                             ━━──────────────────────  10 %  1 of 10  2 running\n" +
		"  a name that is far too long to … ━━──────────────────────  10 %  1 of 10  2 running\n" +
		"  between                          ━━━━━━━━━━━━────────────  50 %  5 of 10"
	if got != want {
		t.Errorf("\n%s\nwant\n%s", got, want)
	}
	if got := s.nameLines(2, 24, false); len(got) != 2 || got[1] != "  ... and 2 more names under way" {
		t.Errorf("%q", got)
	}
	if got := clip("\x1b[32m━━━━━\x1b[0m", 3); got != "\x1b[32m━━━\x1b[0m" {
		t.Errorf("%q", got)
	}
}
