package weft_test

import (
	"context"
	"errors"
	"io"
	"iter"
	"math"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/weft-go/weft"
)

func identity(_ context.Context, i int) (int, error) { return i, nil }
func nothing(context.Context, int) error             { return nil }
func wholeRange(int, int) error                      { return nil }
func sum(a, b int) int                               { return a + b }

// call is one of the functions, with an option.
type call struct {
	name string
	do   func(ctx context.Context, o weft.Option) error
}

func calls(f func()) []call {
	return []call{
		{"Map", func(ctx context.Context, o weft.Option) error {
			_, err := weft.Map(ctx, ints(10), func(context.Context, int) (int, error) { f(); return 0, nil }, o)
			return err
		}},
		{"Each", func(ctx context.Context, o weft.Option) error {
			return weft.Each(ctx, ints(10), func(context.Context, int) error { f(); return nil }, o)
		}},
		{"For", func(ctx context.Context, o weft.Option) error {
			return weft.For(ctx, 10, func(int, int) error { f(); return nil }, o)
		}},
		{"Reduce", func(ctx context.Context, o weft.Option) error {
			_, err := weft.Reduce(ctx, ints(10), func(a, b int) int { f(); return a }, sum, o)
			return err
		}},
		{"Stream", func(ctx context.Context, o weft.Option) error {
			return lastError(weft.Stream(ctx, upTo(10), func(context.Context, int) (int, error) { f(); return 0, nil }, o))
		}},
		{"Explain", func(ctx context.Context, o weft.Option) error {
			_, err := weft.Explain(ctx, ints(10), func(context.Context, int) (int, error) { f(); return 0, nil }, o)
			return err
		}},
	}
}

// lastError is the error of the last pair.
func lastError[R any](seq iter.Seq2[R, error]) (err error) {
	for _, err = range seq {
	}
	return err
}

// says fails unless err's text has all of want.
func says(t *testing.T, what string, err error, want ...string) {
	t.Helper()
	if err == nil {
		t.Errorf("%s: no error", what)
		return
	}
	for _, s := range append(want, "weft: ") {
		if !strings.Contains(err.Error(), s) {
			t.Errorf("%s: %q is not in the error: %v", what, s, err)
		}
	}
}

// Arguments that make no sense are refused before anything runs, with a text
// that names the argument and says the mend (the last word of each row).
func TestArgumentsThatMakeNoSense(t *testing.T) {
	t.Parallel()
	var ctx context.Context
	bg := t.Context()
	for _, o := range []struct {
		name string
		o    weft.MapOption
		mend string
	}{
		{"Chunk(-1)", weft.Chunk(-1), "leave the option out"},
		{"Timeout(0s)", weft.Timeout(0), "leave the option out"},
		{"Timeout(-1s)", weft.Timeout(-time.Second), "leave the option out"},
		{"Retry(0)", weft.Retry(0), "at least 1"},
		{"Retry(-3)", weft.Retry(-3), "at least 1"},
		{"Rate(0)", weft.Rate(0), "leave the option out"},
		{"Rate(-1)", weft.Rate(-1), "leave the option out"},
		{"Rate(NaN)", weft.Rate(math.NaN()), "leave the option out"},
		{"Rate(+Inf)", weft.Rate(math.Inf(1)), "leave the option out"},
		{"PerKey", weft.PerKey[int](nil, 1), "give one"},
		{"PerKey(..., 0)", weft.PerKey(func(int) string { return "" }, 0), "at least 1"},
		{"PerKey(..., -1)", weft.PerKey(func(int) string { return "" }, -1), "at least 1"},
		{"PerKey", weft.PerKey(func(string) string { return "" }, 1), "make them the same"},
		{"MemoryPerItem(0)", weft.MemoryPerItem(0), "above 0"},
		{"MemoryPerItem(-1)", weft.MemoryPerItem(-1), "above 0"},
		{"MemoryLimit(0)", weft.MemoryLimit(0), "above 0"},
		{"MemoryLimit(-1)", weft.MemoryLimit(-1), "above 0"},
		{"Progress(nil)", weft.Progress(nil), "leave the option out"},
		{"ReportTo(nil)", weft.ReportTo(nil), "weft.Report"},
	} {
		ran := false
		f := func(context.Context, int) (int, error) { ran = true; return 0, nil }
		_, err := weft.Map(bg, ints(10), f, o.o)
		says(t, "Map, "+o.name, err, "Map", o.name, o.mend)
		err = weft.Each(bg, ints(10), func(context.Context, int) error { ran = true; return nil }, o.o)
		says(t, "Each, "+o.name, err, "Each", o.name, o.mend)
		ps := collect(weft.Stream(bg, upTo(10), f, o.o.(weft.StreamOption)))
		if len(ps) != 1 {
			t.Errorf("Stream, %s: %d pairs, want one with the error", o.name, len(ps))
		}
		says(t, "Stream, "+o.name, ps[0].err, "Stream", o.name, o.mend)
		if ro, ok := o.o.(weft.ReduceOption); ok {
			_, err := weft.Reduce(bg, ints(10), sum, sum, ro)
			says(t, "Reduce, "+o.name, err, "Reduce", o.name, o.mend)
		}
		if fo, ok := o.o.(weft.ForOption); ok {
			says(t, "For, "+o.name, weft.For(bg, 10, func(int, int) error { ran = true; return nil }, fo), "For", o.name, o.mend)
		}
		_, err = weft.Explain(bg, ints(10), f, o.o)
		says(t, "Explain, "+o.name, err, o.name, o.mend)
		if ran {
			t.Errorf("%s: an item ran", o.name)
		}
	}

	for _, row := range []struct {
		what string
		do   func() error
		want []string
	}{
		{"Map, nil function", func() error { _, err := weft.Map[int, int](bg, ints(3), nil); return err }, []string{"Map", "function is nil", "pass"}},
		{"Each, nil function", func() error { return weft.Each(bg, ints(3), nil) }, []string{"Each", "function is nil", "pass"}},
		{"For, nil function", func() error { return weft.For(bg, 3, nil) }, []string{"For", "function is nil", "pass"}},
		{"Reduce, nil fold", func() error { _, err := weft.Reduce(bg, ints(3), nil, sum); return err }, []string{"Reduce", "function is nil", "pass"}},
		{"Reduce, nil merge", func() error { _, err := weft.Reduce(bg, ints(3), sum, nil); return err }, []string{"Reduce", "merge function is nil", "pass"}},
		{"Reduce, both nil", func() error { _, err := weft.Reduce[int, int](bg, ints(3), nil, nil); return err }, []string{"Reduce", "function is nil", "pass"}},
		{"Stream, nil function", func() error { return lastError(weft.Stream[int, int](bg, upTo(3), nil)) }, []string{"Stream", "function is nil", "pass"}},
		{"Explain, nil function", func() error { _, err := weft.Explain[int, int](bg, ints(3), nil); return err }, []string{"function is nil", "pass"}},
		{"Map, nil function, no items", func() error { _, err := weft.Map[int, int](bg, nil, nil); return err }, []string{"Map", "function is nil"}},

		{"Map, nil context", func() error { _, err := weft.Map(ctx, ints(3), identity); return err }, []string{"Map", "context is nil", "context.Background()"}},
		{"Each, nil context", func() error { return weft.Each(ctx, ints(3), nothing) }, []string{"Each", "context is nil", "context.Background()"}},
		{"For, nil context", func() error { return weft.For(ctx, 3, wholeRange) }, []string{"For", "context is nil", "context.Background()"}},
		{"Reduce, nil context", func() error { _, err := weft.Reduce(ctx, ints(3), sum, sum); return err }, []string{"Reduce", "context is nil", "context.Background()"}},
		{"Stream, nil context", func() error { return lastError(weft.Stream(ctx, upTo(3), identity)) }, []string{"Stream", "context is nil", "context.Background()"}},
		{"Explain, nil context", func() error { _, err := weft.Explain(ctx, ints(3), identity); return err }, []string{"context is nil", "context.Background()"}},

		{"Stream, nil sequence", func() error { return lastError(weft.Stream(bg, nil, identity)) }, []string{"Stream", "sequence of items is nil", "slices.Values"}},
		{"For, n below 0", func() error { return weft.For(bg, -1, wholeRange) }, []string{"For", "n is -1", "at least 0"}},
		{"Explain, Workers", func() error { _, err := weft.Explain(bg, ints(3), identity, weft.Workers(2)); return err }, []string{"Workers(2)", "leave the option out"}},
		{"memory", func() error {
			_, err := weft.Map(bg, ints(3), identity, weft.MemoryPerItem(2<<20), weft.MemoryLimit(1<<20))
			return err
		}, []string{"MemoryPerItem", "MemoryLimit", "2.00 MiB", "1.00 MiB", "raise the limit"}},
		{"PerKey's type", func() error {
			return weft.Each(bg, ints(3), nothing, weft.PerKey(func(float64) string { return "" }, 1))
		}, []string{"PerKey", "float64", "int", "make them the same"}},
	} {
		says(t, row.what, row.do(), row.want...)
	}
}

func TestNilOptionsAreIgnored(t *testing.T) {
	t.Parallel()
	got, err := weft.Map(t.Context(), ints(3), identity, nil, weft.Option{}, weft.ItemOption{})
	if err != nil || len(got) != 3 {
		t.Errorf("Map: %v, %v", got, err)
	}
	if err := weft.Each(t.Context(), ints(3), nothing, nil); err != nil {
		t.Error("Each:", err)
	}
	if err := weft.For(t.Context(), 3, wholeRange, nil); err != nil {
		t.Error("For:", err)
	}
	if s, err := weft.Reduce(t.Context(), ints(3), sum, sum, nil); err != nil || s != 3 {
		t.Error("Reduce:", s, err)
	}
	if ps := collect(weft.Stream(t.Context(), upTo(3), identity, nil, weft.OrderOption{})); len(ps) != 3 {
		t.Error("Stream:", ps)
	}
	if _, err := weft.Explain(t.Context(), ints(3), identity, nil); err != nil {
		t.Error("Explain:", err)
	}
}

func TestNoItems(t *testing.T) {
	t.Parallel()
	never := func(context.Context, int) (int, error) { return 0, errBoom }
	for _, w := range ways() {
		var rep weft.Report
		got, err := weft.Map(t.Context(), nil, never, w.mapped(weft.ReportTo(&rep), weft.KeepGoing())...)
		if err != nil || len(got) != 0 {
			t.Errorf("%s: Map: %v, %v", w.name, got, err)
		}
		if rep.Done != 0 || rep.Plan.Items != 0 {
			t.Errorf("%s: report %+v", w.name, rep)
		}
		if err := weft.For(t.Context(), 0, func(int, int) error { return errBoom }, w.ranged()...); err != nil {
			t.Errorf("%s: For: %v", w.name, err)
		}
		if s, err := weft.Reduce(t.Context(), nil, sum, sum, w.reduced()...); err != nil || s != 0 {
			t.Errorf("%s: Reduce: %v, %v", w.name, s, err)
		}
		if ps := collect(weft.Stream(t.Context(), upTo(0), never, w.streamed()...)); len(ps) != 0 {
			t.Errorf("%s: Stream: %v", w.name, ps)
		}
	}
	if _, err := weft.Explain(t.Context(), nil, never); err != nil {
		t.Errorf("Explain: %v", err)
	}
}

// A context that has ended stops the call before f is called once, and its
// cause is in the error.
func TestCancelledBefore(t *testing.T) {
	t.Parallel()
	why := errors.New("the reason")
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(why)
	for _, workers := range []int{0, 1, 2} {
		ran := false
		for _, c := range calls(func() { ran = true }) {
			if c.name == "Explain" && workers != 0 {
				continue
			}
			err := c.do(ctx, weft.Workers(workers))
			if !errors.Is(err, context.Canceled) || !errors.Is(err, why) {
				t.Errorf("%s, Workers(%d): %v", c.name, workers, err)
			}
			if ran {
				t.Errorf("%s, Workers(%d): f was called", c.name, workers)
			}
		}
	}
	var rep weft.Report
	if _, err := weft.Map(ctx, ints(5), identity, weft.ReportTo(&rep), weft.Name("name")); err == nil || rep.Plan.Name != "name" {
		t.Errorf("report %+v", rep)
	}
	deadline, stop := context.WithDeadline(t.Context(), time.Unix(0, 0))
	defer stop()
	if err := weft.Each(deadline, ints(5), nothing); !errors.Is(err, context.DeadlineExceeded) {
		t.Error(err)
	}
}

// What reading the input throws becomes the stream's error, and what was
// yielded before comes first.
func TestSequenceThatBreaks(t *testing.T) {
	t.Parallel()
	for _, w := range ways() {
		t.Run(w.name, func(t *testing.T) {
			t.Parallel()
			mustEnd(t, func() {
				ps := collect(weft.Stream(t.Context(), func(yield func(int) bool) {
					if yield(0) && yield(1) {
						panic("broken input")
					}
				}, identity, w.streamed()...))
				if len(ps) == 0 {
					t.Error("no pair")
					return
				}
				last := ps[len(ps)-1].err
				p, ok := errors.AsType[*weft.PanicError](last)
				if !ok || p.Value != "broken input" || !strings.Contains(last.Error(), "reading the input") {
					t.Errorf("the last pair has %v", last)
				}
			})
			if w.name == "Workers(1)" {
				return // there Goexit ends the caller, as in any loop
			}
			mustEnd(t, func() {
				ps := collect(weft.Stream(t.Context(), func(yield func(int) bool) {
					if yield(0) {
						runtime.Goexit()
					}
				}, identity, w.streamed()...))
				if len(ps) == 0 {
					t.Error("no pair")
					return
				}
				gone(t, "Goexit in the sequence", ps[len(ps)-1].err)
			})
		})
	}
}

// A sequence that ignores what yield returns must not bring down the program.
func TestSequenceThatDoesNotStop(t *testing.T) {
	t.Parallel()
	for _, w := range concurrent() {
		mustEnd(t, func() {
			for range weft.Stream(t.Context(), func(yield func(int) bool) {
				for i := range 1000 {
					yield(i)
				}
			}, identity, w.streamed()...) {
				break
			}
		})
	}
}

func TestWritersAndNames(t *testing.T) {
	t.Parallel()
	var rep weft.Report
	if _, err := weft.Map(t.Context(), ints(3), identity, weft.Progress(io.Discard), weft.ReportTo(&rep)); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(rep.Plan.Name, "identity") {
		t.Errorf("the run is called %q, its function identity", rep.Plan.Name)
	}
}

// The plan is of a Map; the errors are of the call that was made.
func TestExplainNamesItself(t *testing.T) {
	t.Parallel()
	for name, opt := range map[string]weft.MapOption{
		"Chunk": weft.Chunk(-1), "Workers": weft.Workers(3), "MemoryPerItem": weft.MemoryPerItem(-1),
	} {
		if _, err := weft.Explain(t.Context(), ints(3), identity, opt); err == nil || !strings.HasPrefix(err.Error(), "weft: Explain: ") {
			t.Errorf("%s: %v", name, err)
		}
	}
	p, err := weft.Explain(t.Context(), ints(3), identity)
	if err != nil || !strings.HasPrefix(p.Name, "Map(") {
		t.Errorf("the plan is of %q, %v", p.Name, err)
	}
}
