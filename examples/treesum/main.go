// Treesum adds the squares of many numbers as a tree, and shows what the graph
// looks like before it runs and after. The sum has the same bits for any number
// of workers.
//
//	go run ./examples/treesum
package main

import (
	"context"
	"fmt"
	"io"
	"log"
	"os"

	"github.com/weft-go/weft/graph"
)

func square(_ context.Context, x float64) (float64, error) { return x * x, nil }
func add(_ context.Context, a, b float64) (float64, error) { return a + b, nil }

func run(ctx context.Context, w io.Writer, n int) error {
	numbers := make([]float64, n)
	for i := range numbers {
		numbers[i] = float64(i) / 3
	}
	g := graph.New()
	sum := graph.Reduce(g, add, graph.Map(g, square, graph.Consts(g, numbers)), 16)

	for _, workers := range []int{1, 2, 8} {
		s, err := graph.Compute(ctx, sum, graph.Workers(workers))
		if err != nil {
			return err
		}
		fmt.Fprintf(w, "%d workers: %x\n", workers, s)
	}
	plan, err := graph.Explain(sum) // by what the runs have taken
	if err != nil {
		return err
	}
	fmt.Fprint(w, plan)
	return nil
}

func main() {
	if err := run(context.Background(), os.Stdout, 1_000_000); err != nil {
		log.Fatal(err)
	}
}
