package weft_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/weft-go/weft"
)

// log is a writer that is no terminal.
type log struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *log) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *log) lines() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Split(strings.TrimSuffix(l.b.String(), "\n"), "\n")
}

var doneOf = regexp.MustCompile(`([0-9_]+) of ([0-9_]+)`)

func number(s string) int {
	n, _ := strconv.Atoi(strings.ReplaceAll(s, "_", ""))
	return n
}

// J11: progress counts what has finished, never more than there is, in whole
// lines, for every number of workers, and ends with a final line.
func TestProgressCountsCompletions(t *testing.T) {
	for _, w := range ways() {
		t.Run(w.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				const n = 300
				var l log
				var done atomic.Int64
				err := weft.Each(t.Context(), ints(n), func(context.Context, int) error {
					time.Sleep(time.Second)
					done.Add(1)
					return nil
				}, w.mapped(weft.Progress(&l), weft.Name("job"))...)
				if err != nil {
					t.Fatal(err)
				}
				lines := l.lines()
				last := 0
				for _, line := range lines {
					m := doneOf.FindStringSubmatch(line)
					if m == nil || !strings.HasPrefix(line, "job") {
						t.Fatalf("the line %q", line)
					}
					k, total := number(m[1]), number(m[2])
					if total != n || k > n || k < last {
						t.Errorf("%d of %d after %d", k, total, last)
					}
					if strings.ContainsAny(line, "\r\x1b") {
						t.Errorf("%q is for terminals", line)
					}
					last = k
				}
				if last != n || !strings.Contains(lines[len(lines)-1], "100 %") || !strings.Contains(lines[len(lines)-1], "took") {
					t.Errorf("the last line is %q", lines[len(lines)-1])
				}
				if w.name == "Workers(1)" && len(lines) < 3 {
					t.Errorf("%d lines in 5 minutes: %q", len(lines), lines)
				}
				if len(lines) > 40 {
					t.Errorf("%d lines: a log is flooded", len(lines))
				}
			})
		})
	}
}

func TestProgressCountsItemsOfReduceAndStream(t *testing.T) {
	t.Parallel()
	var l log
	if _, err := weft.Reduce(t.Context(), ints(1000), sum, sum, weft.Progress(&l)); err != nil {
		t.Fatal(err)
	}
	if s := l.lines(); !strings.Contains(s[len(s)-1], "1000 of 1000") {
		t.Errorf("Reduce: %q", s)
	}
	var m log
	collect(weft.Stream(t.Context(), upTo(77), identity, weft.Progress(&m)))
	if s := m.lines(); !strings.Contains(s[len(s)-1], "77 done") {
		t.Errorf("Stream: %q", s)
	}
	var f log
	_ = weft.Each(t.Context(), ints(100), func(_ context.Context, i int) error {
		if i%10 == 0 {
			return errBoom
		}
		return nil
	}, weft.KeepGoing(), weft.Progress(&f))
	if s := f.lines(); !strings.Contains(s[len(s)-1], "10 failed") {
		t.Errorf("failures: %q", s)
	}
}

type brokenWriter struct{ calls atomic.Int64 }

func (w *brokenWriter) Write([]byte) (int, error) { w.calls.Add(1); return 0, io.ErrClosedPipe }

// A writer that fails does not break the run, and is left alone from then on.
func TestProgressToABrokenWriter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var w brokenWriter
		err := weft.Each(t.Context(), ints(100), func(context.Context, int) error { time.Sleep(time.Second); return nil }, weft.Workers(1), weft.Progress(&w))
		if err != nil {
			t.Error(err)
		}
		if c := w.calls.Load(); c != 1 {
			t.Errorf("%d writes", c)
		}
	})
}

// The last line is there however the run ends, and nothing is written after.
func TestProgressEnds(t *testing.T) {
	t.Parallel()
	for _, w := range ways() {
		var l log
		err := weft.Each(t.Context(), ints(100), func(_ context.Context, i int) error {
			if i == 50 {
				return errBoom
			}
			return nil
		}, w.mapped(weft.Progress(&l))...)
		if !errors.Is(err, errBoom) {
			t.Error(err)
		}
		if s := l.lines(); len(s) != 1 || !strings.Contains(s[0], "1 failed") {
			t.Errorf("%s: %q", w.name, s)
		}
		var m log
		for v := range weft.Stream(t.Context(), upTo(-1), identity, w.streamed(weft.Progress(&m))...) {
			if v == 10 {
				break
			}
		}
		if s := m.lines(); len(s) != 1 || !strings.Contains(s[0], "done") {
			t.Errorf("%s: %q", w.name, s)
		}
	}
}

// The report counts as progress does.
func TestReportCounts(t *testing.T) {
	t.Parallel()
	for _, w := range ways() {
		var rep weft.Report
		_ = weft.Each(t.Context(), ints(100), func(_ context.Context, i int) error {
			if i%10 == 0 {
				return errBoom
			}
			return nil
		}, w.mapped(weft.KeepGoing(), weft.ReportTo(&rep), weft.Name("job"))...)
		if rep.Done != 90 || rep.Failed != 10 || rep.Plan.Name != "job" || rep.Plan.Items != 100 || rep.Wall <= 0 || rep.Plan.Reason == "" {
			t.Errorf("%s: %+v", w.name, rep)
		}
	}
	// Items that were cancelled because another failed are not done.
	const n = 4
	all := newBarrier(n)
	var rep weft.Report
	_ = weft.Each(t.Context(), ints(n), func(ctx context.Context, i int) error {
		all.wait(context.Background())
		if i == 1 {
			return errBoom
		}
		<-ctx.Done()
		return ctx.Err()
	}, weft.Workers(n), weft.ReportTo(&rep))
	if rep.Done != 0 || rep.Failed < 1 {
		t.Errorf("no item finished without an error, the report says %d done, %d failed", rep.Done, rep.Failed)
	}
	// Also for arguments that are refused.
	rep = weft.Report{}
	if err := weft.Each(t.Context(), ints(n), nothing, weft.ReportTo(&rep), weft.Name("refused"), weft.Chunk(-1)); err == nil || rep.Plan.Name != "refused" {
		t.Errorf("ReportTo fills the report also when the call fails: %q", rep.Plan.Name)
	}
}

// J5 without a clock: tiny work stays a plain loop.
func TestTinyWorkStaysPlain(t *testing.T) {
	t.Parallel()
	for _, n := range []int{1, 10, 100} {
		var rep weft.Report
		if _, err := weft.Map(t.Context(), ints(n), identity, weft.ReportTo(&rep)); err != nil {
			t.Fatal(err)
		}
		if rep.Plan.Mode != "plain loop" || rep.Plan.Workers != 1 || len(rep.Decisions) != 0 {
			t.Errorf("%d items of a nanosecond: %s with %d workers", n, rep.Plan.Mode, rep.Plan.Workers)
		}
	}
}

// Explain runs a few items only and tells what Map would do.
func TestExplainRunsFewItems(t *testing.T) {
	t.Parallel()
	var ran atomic.Int64
	p, err := weft.Explain(t.Context(), ints(100_000), func(context.Context, int) (int, error) {
		ran.Add(1)
		computeFor(100 * time.Microsecond)
		return 0, nil
	}, weft.Name("job"))
	if err != nil {
		t.Fatal(err)
	}
	if k := ran.Load(); k < 1 || k > 2000 {
		t.Errorf("%d items ran", k)
	}
	if p.Name != "job" || p.Items != 100_000 || p.Reason == "" || p.Predicted <= 0 || p.Measured.Sampled == 0 {
		t.Errorf("%+v", p)
	}
	if _, err := weft.Explain(t.Context(), ints(10), func(context.Context, int) (int, error) { return 0, errBoom }); !errors.Is(err, errBoom) {
		t.Errorf("an item that fails: %v", err)
	}
	for _, n := range []int{1, 2, 5} {
		if p, err := weft.Explain(t.Context(), ints(n), identity); err != nil || p.Items != n {
			t.Errorf("%d items: %+v, %v", n, p, err)
		}
	}
}

// A run that holds more than its limit, with one item alone, fails and names
// the item.
func TestMemoryPastTheLimit(t *testing.T) {
	var hold [][]byte
	mustEnd(t, func() {
		err := weft.Each(t.Context(), ints(10_000), func(_ context.Context, i int) error {
			b := make([]byte, 1<<20)
			for j := range b {
				b[j] = byte(i)
			}
			hold = append(hold, b)
			if len(hold) > 400 {
				return fmt.Errorf("400 MiB are held and nobody minds")
			}
			computeFor(time.Millisecond)
			return nil
		}, weft.MemoryLimit(32<<20), weft.MemoryPerItem(32<<20)) // one at a time
		item, ok := errors.AsType[*weft.ItemError](err)
		if !ok || !strings.Contains(err.Error(), "MemoryLimit") || !strings.Contains(err.Error(), fmt.Sprintf("item %d", item.Index)) {
			t.Errorf("the error is %v", err)
		}
	})
	hold = nil
}
