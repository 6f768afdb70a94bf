package graph_test

import (
	"context"
	"fmt"
	"os"

	"github.com/weft-go/weft/graph"
)

// addInto adds b to a, in the memory of a where nobody else needs that.
func addInto(ctx context.Context, a, b []float64) ([]float64, error) {
	sum := a
	if !graph.LastUse(ctx, 0) {
		sum = make([]float64, len(a))
	}
	for i := range sum {
		sum[i] = a[i] + b[i]
	}
	return sum, nil
}

func ones(context.Context) ([]float64, error) { return []float64{1, 1, 1}, nil }

func ExampleLastUse() {
	g := graph.New()
	sum := graph.Call0(g, ones)
	for range 9 {
		sum = graph.Call2(g, addInto, sum, graph.Call0(g, ones)) // one block for all sums
	}
	out, err := graph.Compute(context.Background(), sum)
	fmt.Println(out, err)
	// Output: [10 10 10] <nil>
}

func ExamplePersist() {
	ctx := context.Background()
	g := graph.New()
	table := graph.Call(g, func(_ context.Context, n int) (int, error) {
		fmt.Println("read the table")
		return n * n, nil
	}, graph.Const(g, 7))
	if err := graph.Persist(ctx, []graph.Value[int]{table}); err != nil {
		fmt.Println(err)
	}
	for _, by := range []int{1, 2} { // new questions, the same table
		n, err := graph.Compute(ctx, graph.Call2(g, add, table, graph.Const(g, by)))
		fmt.Println(n, err)
	}
	// Output:
	// read the table
	// 50 <nil>
	// 51 <nil>
}

func ExampleExplain() {
	g := graph.New()
	sum := graph.Reduce(g, add, graph.Map(g, double, graph.Consts(g, []int{1, 2, 3, 4})), 2)
	plan, err := graph.Explain(sum, graph.Workers(2))
	fmt.Println(plan.Tasks, "tasks,", plan.Workers, "workers; at most", plan.PeakResults, "results at hand;", err)
	for _, f := range plan.Functions {
		fmt.Printf("%d tasks: %s\n", f.Tasks, f.Why)
	}
	// Output:
	// 7 tasks, 2 workers; at most 3 results at hand; <nil>
	// 4 tasks: not measured yet: the first runs by itself, and tells about the others
	// 3 tasks: not measured yet: the first runs by itself, and tells about the others
}

func ExamplePure() {
	g := graph.New()
	c := graph.Const(g, 21)
	a := graph.Call(g, double, c, graph.Pure())
	b := graph.Call(g, double, c, graph.Pure()) // the same task
	fmt.Println(a == b)
	// Output: true
}

func ExampleProgress() {
	g := graph.New()
	sum := graph.Reduce(g, add, graph.Map(g, double, graph.Consts(g, []int{1, 2, 3, 4})), 2)
	// A bar with a line for each name on a terminal, some lines in a log.
	n, err := graph.Compute(context.Background(), sum, graph.Progress(os.Stderr))
	fmt.Println(n, err)
	// Output: 20 <nil>
}
