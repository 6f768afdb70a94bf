package graph_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/weft-go/weft"
	"github.com/weft-go/weft/graph"
	"github.com/weft-go/weft/proc"
)

var (
	_ = weft.Register(numberAt)
	_ = weft.Register(addFloats)
	_ = weft.Register(countOf)
	_ = weft.Register(answer)
	_ = weft.Register(scale)
	_ = weft.Register(dieOnce)
)

func numberAt(_ context.Context, i int) (float64, error) {
	if i < 0 {
		return 0, fmt.Errorf("%d is negative", i)
	}
	return float64(i) / 3, nil
}
func addFloats(_ context.Context, a, b float64) (float64, error) { return a + b, nil }
func countOf(_ context.Context, vs []float64) (int, error)       { return len(vs), nil }
func answer(context.Context) (int, error)                        { return 42, nil }
func scale(_ context.Context, table []float64, by float64, i int) (float64, error) {
	return table[i] * by, nil
}

// dieOnce kills its process the first time, and says so in a file.
func dieOnce(_ context.Context, name string) (string, error) {
	f, err := os.OpenFile(name, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err == nil {
		_ = f.Close()
		os.Exit(3)
	}
	return "alive", nil
}

func pool(t *testing.T) weft.Executor {
	t.Helper()
	if runtime.GOOS != "linux" {
		t.Skip("there are worker processes on Linux only")
	}
	p, err := proc.Start(t.Context(), proc.Config{Workers: 2})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := p.Close(); err != nil {
			t.Error(err)
		}
	})
	return p
}

// The same graph gives the same on goroutines, on the executor of goroutines and
// on processes: calls with any number of arguments.
func TestOn(t *testing.T) {
	t.Parallel()
	g := graph.New()
	n := make([]int, 300)
	for i := range n {
		n[i] = i
	}
	nums := graph.Map(g, numberAt, graph.Consts(g, n))
	sum := graph.Reduce(g, addFloats, nums, 4)
	count := graph.CallN(g, countOf, nums)
	scaled := graph.Call3(g, scale, graph.Const(g, []float64{1, 2, 3}), sum, graph.Call(g, minus40, graph.Call0(g, answer)))
	wantSum, wantCount, wantScaled, err := graph.Compute3(t.Context(), sum, count, scaled)
	if err != nil || wantCount != 300 {
		t.Fatal(err)
	}
	for _, e := range []weft.Executor{weft.Goroutines(3), pool(t)} {
		s, c, x, err := graph.Compute3(t.Context(), sum, count, scaled, graph.On(e))
		if err != nil || s != wantSum || c != wantCount || x != wantScaled {
			t.Errorf("%s: %v %v %v, %v; want %v %v %v", e.Traits().Name, s, c, x, err, wantSum, wantCount, wantScaled)
		}
	}
}

var _ = weft.Register(minus40)

func minus40(_ context.Context, i int) (int, error) { return i - 40, nil }

func TestOnNamesTheTask(t *testing.T) {
	t.Parallel()
	p := pool(t)
	g := graph.New()
	bad := graph.Call(g, numberAt, graph.Const(g, -1), graph.Name("read"))
	_, err := graph.Compute(t.Context(), graph.Call2(g, addFloats, bad, bad), graph.On(p))
	if te, ok := errors.AsType[*graph.TaskError](err); !ok || te.Task != "read" || !strings.Contains(err.Error(), "-1 is negative") {
		t.Errorf("%v", err)
	}
	// What is not registered is refused before anything runs.
	_, err = graph.Compute(t.Context(), graph.Call(g, func(context.Context, float64) (int, error) { return 0, nil }, bad, graph.Name("closure")), graph.On(p))
	if err == nil || !strings.Contains(err.Error(), "closure: ") || !strings.Contains(err.Error(), "write a top-level function") {
		t.Errorf("%v", err)
	}
}

// A worker that dies costs the task that it ran, which is run again.
func TestOnSurvivesADeath(t *testing.T) {
	t.Parallel()
	g := graph.New()
	v := graph.Call(g, dieOnce, graph.Const(g, filepath.Join(t.TempDir(), "died")))
	got, err := graph.Compute(t.Context(), v, graph.On(pool(t)))
	if err != nil || got != "alive" {
		t.Errorf("%q, %v", got, err)
	}
}

// D8: a large constant goes once, however often it is there, and the user is
// told where it was made.
func TestLargeConstantIsToldOf(t *testing.T) {
	t.Parallel()
	table := make([]float64, 1<<18)
	for i := range table {
		table[i] = rand.Float64()
	}
	g := graph.New()
	var vs []graph.Value[float64]
	for i := range 10 {
		vs = append(vs, graph.Call3(g, scale, graph.Const(g, slices.Clone(table)), graph.Const(g, 2.0), graph.Const(g, i)))
	}
	var rec graph.Record
	got, err := graph.ComputeAll(t.Context(), vs, graph.On(pool(t)), graph.RecordTo(&rec))
	if err != nil {
		t.Fatal(err)
	}
	for i, v := range got {
		if v != 2*table[i] {
			t.Errorf("%d: %v", i, v)
		}
	}
	if len(rec.Notes) != 1 || !strings.Contains(rec.Notes[0], "2.00 MiB ([]float64), made at remote_test.go:") || !strings.Contains(rec.Notes[0], "10 tasks") {
		t.Errorf("%q", rec.Notes)
	}
}
