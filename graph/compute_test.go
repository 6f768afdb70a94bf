package graph_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/weft-go/weft"
	"github.com/weft-go/weft/graph"
)

func add(_ context.Context, a, b int) (int, error) { return a + b, nil }
func double(_ context.Context, a int) (int, error) { return 2 * a, nil }
func zero(context.Context) (int, error)            { return 0, nil }

func TestCalls(t *testing.T) {
	t.Parallel()
	for _, workers := range []int{0, 1, 2, 7} {
		g := graph.New()
		a, b := graph.Const(g, 3), graph.Const(g, 4)
		c := graph.Call2(g, add, a, b)
		d := graph.Call(g, double, c)
		s := graph.Call(g, func(_ context.Context, n int) (string, error) { return fmt.Sprint(n), nil }, d)
		e := graph.Call3(g, func(_ context.Context, s string, n, m int) (string, error) { return fmt.Sprint(s, n, m), nil }, s, c, a)
		f := graph.Call4(g, func(_ context.Context, s, e string, n, m int) (string, error) { return fmt.Sprint(s, e, n, m), nil }, s, e, graph.Call0(g, zero), a)
		h := graph.CallN(g, func(_ context.Context, ss []string) (int, error) { return len(strings.Join(ss, "")), nil }, []graph.Value[string]{s, e, f})
		got, err := graph.Compute(t.Context(), h, graph.Workers(workers))
		if err != nil || got != len("14")+len("147 3")+len("14147 30 3") {
			t.Errorf("%d workers: %v, %v", workers, got, err)
		}
		x, y, z, w, err := graph.Compute4(t.Context(), a, d, s, e, graph.Workers(workers))
		if err != nil || x != 3 || y != 14 || z != "14" || w != "147 3" {
			t.Errorf("%d workers: %v %v %q %q, %v", workers, x, y, z, w, err)
		}
	}
}

func TestMapReduce(t *testing.T) {
	t.Parallel()
	for _, n := range []int{0, 1, 2, 3, 8, 9, 1000, 12345} {
		for _, fanIn := range []int{0, 2, 3, 8, 100000} {
			g := graph.New()
			in := make([]string, n)
			want := ""
			for i := range in {
				in[i] = string(rune('a' + i%26))
				want += strings.ToUpper(in[i])
			}
			parts := graph.Map(g, func(_ context.Context, s string) (string, error) { return strings.ToUpper(s), nil }, graph.Consts(g, in))
			all := graph.Reduce(g, func(_ context.Context, a, b string) (string, error) { return a + b, nil }, parts, fanIn)
			got, err := graph.Compute(t.Context(), all)
			if err != nil || got != want {
				t.Fatalf("%d parts, fan-in %d: %d bytes, want %d, %v", n, fanIn, len(got), len(want), err)
			}
		}
	}
}

// What two values share runs once, what nothing asked needs does not run.
func TestSharedOnceAndOthersNotAtAll(t *testing.T) {
	t.Parallel()
	g := graph.New()
	var runs atomic.Int64
	a := graph.Call0(g, func(context.Context) (int, error) { return int(runs.Add(1)), nil })
	graph.Call0(g, func(context.Context) (int, error) { t.Error("nobody asked for it"); return 0, nil })
	b, c := graph.Call(g, double, a), graph.Call(g, double, a)
	x, y, err := graph.Compute2(t.Context(), b, c)
	if err != nil || x != 2 || y != 2 || runs.Load() != 1 {
		t.Errorf("%d %d, %d runs, %v", x, y, runs.Load(), err)
	}
}

func TestErrorNamesTheTask(t *testing.T) {
	t.Parallel()
	bad := errors.New("no such table")
	for _, workers := range []int{0, 1, 3} {
		g := graph.New()
		a := graph.Call(g, double, graph.Const(g, 1), graph.Name("numbers"))
		b := graph.Call2(g, func(context.Context, int, string) (int, error) { return 0, bad }, a, graph.Const(g, "x.csv"), graph.Name("load"))
		c := graph.Call(g, double, b, graph.Name("clean"))
		d := graph.Call(g, double, c, graph.Name("report"))
		_, err := graph.Compute(t.Context(), d, graph.Workers(workers))
		te, ok := errors.AsType[*graph.TaskError](err)
		if !ok || !errors.Is(err, bad) || te.Task != "load" || te.ID != b.ID() {
			t.Fatalf("%v", err)
		}
		if want := `graph: load (task 3 of numbers, "x.csv", needed by clean < report): no such table`; err.Error() != want {
			t.Errorf("%v\nwant %s", err, want)
		}
	}
}

func TestPanicAndGoexit(t *testing.T) {
	t.Parallel()
	g := graph.New()
	p := graph.Call0(g, func(context.Context) (int, error) { panic("oh") })
	_, err := graph.Compute(t.Context(), p)
	if pe, ok := errors.AsType[*weft.PanicError](err); !ok || pe.Value != "oh" || !strings.Contains(string(pe.Stack), "TestPanicAndGoexit") {
		t.Errorf("%v", err)
	}
	q := graph.Call0(g, func(context.Context) (int, error) { runtime.Goexit(); return 0, nil })
	_, err = graph.Compute(t.Context(), q)
	if pe, ok := errors.AsType[*weft.PanicError](err); !ok || pe.Value != nil {
		t.Errorf("%v", err)
	}
}

func TestBuiltWrong(t *testing.T) {
	t.Parallel()
	g, h := graph.New(), graph.New()
	a := graph.Const(g, 1)
	for name, row := range map[string]struct {
		build func(g *graph.Graph) graph.Value[int]
		want  string
	}{
		"nil function": {func(g *graph.Graph) graph.Value[int] {
			return graph.Call[int, int](g, nil, graph.Const(g, 1))
		}, "graph: Call at compute_test.go:"},
		"two graphs": {func(g *graph.Graph) graph.Value[int] { return graph.Call2(g, add, graph.Const(g, 1), a) },
			"an input belongs to the graph made at compute_test.go:"},
		"zero": {func(g *graph.Graph) graph.Value[int] { return graph.Call(g, double, graph.Value[int]{}) }, "the zero Value"},
		"retry": {func(g *graph.Graph) graph.Value[int] {
			return graph.Call(g, double, graph.Const(g, 1), graph.Retry(0))
		}, "Retry(0): at least 1"},
		"resource": {func(g *graph.Graph) graph.Value[int] {
			return graph.Call(g, double, graph.Const(g, 1), graph.Resource("gpu", 1))
		}, `add graph.Capacity("gpu", n)`},
	} {
		g := graph.New()
		_, err := graph.Compute(t.Context(), row.build(g))
		if err == nil || !strings.Contains(err.Error(), row.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, _, err := graph.Compute2(t.Context(), a, graph.Const(h, 1)); err == nil || strings.Count(err.Error(), "made at") != 2 {
		t.Errorf("%v", err)
	}
}

func TestRecord(t *testing.T) {
	t.Parallel()
	g := graph.New()
	parts := graph.Map(g, double, graph.Consts(g, []int{1, 2, 3, 4}), graph.Name("read"))
	sum := graph.Reduce(g, add, parts, 2, graph.Name("sum"))
	var rec graph.Record
	n, err := graph.Compute(t.Context(), sum, graph.RecordTo(&rec))
	if err != nil || n != 20 {
		t.Fatal(n, err)
	}
	if len(rec.Tasks) != 11 || !rec.Ran || rec.Err != "" || len(rec.Memory) == 0 || len(rec.Critical) < 3 {
		t.Fatalf("%+v", rec)
	}
	for i, k := range rec.Tasks {
		if k.State != graph.StateDone || k.Kind != graph.KindConst && (k.End < k.Start || k.Worker < 0 || k.Bytes != 8 || len(k.Inputs) == 0 || k.Attempts != 1) {
			t.Errorf("%d: %+v", i, k)
		}
		for _, d := range k.Inputs {
			if d >= i {
				t.Errorf("%d needs %d, which comes later", i, d)
			}
		}
	}
	if k := rec.Tasks[rec.Asked[0]]; k.Name != "sum" || k.Kind != graph.KindReduce {
		t.Errorf("%+v", k)
	}
}

// Of what can run, what has the higher priority runs first, with what it needs.
func TestPriority(t *testing.T) {
	t.Parallel()
	g := graph.New()
	var ran []string
	task := func(name string, opts ...graph.NodeOption) graph.Value[int] {
		read := graph.Call(g, func(_ context.Context, n int) (int, error) { ran = append(ran, "read "+name); return n, nil }, graph.Const(g, 1))
		return graph.Call(g, func(_ context.Context, n int) (int, error) { ran = append(ran, name); return n, nil }, read, opts...)
	}
	vs := []graph.Value[int]{task("a"), task("b", graph.Priority(1)), task("c", graph.Priority(-1)), task("d", graph.Priority(7))}
	if _, err := graph.ComputeAll(t.Context(), vs, graph.Workers(1)); err != nil {
		t.Fatal(err)
	}
	if got, want := strings.Join(ran, ", "), "read d, d, read b, b, read a, a, read c, c"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
}
