// Arrays standardizes the columns of a table of 400 million numbers, 3.2 GB,
// and finds the row that is farthest from the mean: within 256 MB of memory.
// Run it with
//
//	go run ./examples/arrays
package main

import (
	"context"
	"fmt"
	"log"

	"github.com/weft-go/weft/array"
	"github.com/weft-go/weft/graph"
)

func main() {
	ctx := context.Background()
	limit := graph.MemoryLimit(256 << 20)

	// Nothing is computed here. The numbers depend on the seed and their place
	// alone, so they need not be kept.
	x := array.Random(1, 4_000_000, 100)
	z := x.Sub(x.Mean(array.Axis(0))).Div(x.Std(array.Axis(0)))
	distance := array.Sqrt(z.Square().Sum(array.Axis(1)))

	farthest, err := distance.ArgMax().Item(ctx, limit)
	if err != nil {
		log.Fatal(err)
	}
	row, err := z.At("%d, :5", farthest).Compute(ctx, limit)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("row %d is the farthest from the mean: it begins with %.2f\n", farthest, row)
}
