package graph_test

import (
	"context"
	"strings"
	"testing"

	"github.com/weft-go/weft"
	"github.com/weft-go/weft/graph"
	"github.com/weft-go/weft/memo"
)

func join3(_ context.Context, a, b, c string) (string, error) { return a + b + c, nil }
func upper(_ context.Context, s string) (string, error)       { return strings.ToUpper(s), nil }
func listed(_ context.Context, ss []string) (string, error)   { return strings.Join(ss, ","), nil }
func four4(_ context.Context, a, b, c, d string) (string, error) {
	return a + b + c + d, nil
}
func hello(context.Context) (string, error)               { return "hello", nil }
func pair(_ context.Context, a, b string) (string, error) { return a + b, nil }

// The record says which tasks' results came from a cache, for any number of
// arguments, and a cache where tasks run elsewhere is refused rather than passed
// over.
func TestCachedState(t *testing.T) {
	t.Parallel()
	c, err := memo.Open(t.TempDir(), memo.Config{})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	}()
	for round := range 2 {
		g := graph.New()
		keep := graph.Cache(c)
		a := graph.Call0(g, hello, keep)
		b := graph.Call(g, upper, a, keep)
		d := graph.Call2(g, pair, a, b, keep)
		e := graph.Call3(g, join3, a, b, d, keep)
		f := graph.Call4(g, four4, a, b, d, e, keep)
		h := graph.CallN(g, listed, []graph.Value[string]{a, f}, keep)
		free := graph.Call(g, upper, h, graph.Name("free"))
		var rec graph.Record
		got, err := graph.Compute(t.Context(), free, graph.RecordTo(&rec))
		if err != nil || got != "HELLO,HELLOHELLOHELLOHELLOHELLOHELLOHELLOHELLO" {
			t.Fatal(got, err)
		}
		for _, k := range rec.Tasks {
			want := graph.StateDone
			if round == 1 && k.Name != "free" {
				want = graph.StateCached
			}
			if k.State != want {
				t.Errorf("round %d: %s is %v, not %v", round, k.Name, k.State, want)
			}
		}
		if _, err := graph.Compute(t.Context(), a, graph.On(weft.Goroutines(2))); err == nil || !strings.Contains(err.Error(), "leave out Cache") {
			t.Errorf("%v", err)
		}
	}
}
