// Matmul multiplies two matrices in blocks: each block of the product is the sum
// of products of blocks, and each of these is a task. With a small memory limit,
// blocks that are needed later wait on disk.
//
//	go run ./examples/matmul
//	go run ./examples/matmul -n 2000 -block 250 -memory 64
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"log"
	"math"
	"os"
	"time"

	"github.com/weft-go/weft/graph"
)

// block is a square piece of a matrix, row by row.
type block []float64

// at is where a block of the input is.
type at struct{ Matrix, Row, Col int }

// element is the number at a place of one of the two matrices.
func element(matrix, row, col int) float64 {
	return math.Sin(float64(matrix + 3*row + 7*col))
}

func multiply(_ context.Context, a, b block) (block, error) {
	n := int(math.Sqrt(float64(len(a))))
	c := make(block, n*n)
	for i := range n {
		for k := range n {
			x := a[i*n+k]
			row := b[k*n : k*n+n]
			out := c[i*n : i*n+n]
			for j := range row {
				out[j] += x * row[j]
			}
		}
	}
	return c, nil
}

func add(_ context.Context, a, b block) (block, error) {
	c := make(block, len(a))
	for i := range c {
		c[i] = a[i] + b[i]
	}
	return c, nil
}

func trace(_ context.Context, bs []block) (float64, error) {
	sum := 0.0
	for _, b := range bs {
		n := int(math.Sqrt(float64(len(b))))
		for i := range n {
			sum += b[i*n+i]
		}
	}
	return sum, nil
}

// product is the graph of the trace of A*B, for matrices of blocks x blocks
// blocks of size x size numbers.
func product(g *graph.Graph, blocks, size int) graph.Value[float64] {
	load := func(_ context.Context, p at) (block, error) {
		b := make(block, size*size)
		for i := range b {
			b[i] = element(p.Matrix, p.Row*size+i/size, p.Col*size+i%size)
		}
		return b, nil
	}
	in := func(matrix int) [][]graph.Value[block] {
		rows := make([][]graph.Value[block], blocks)
		for i := range rows {
			for j := range blocks {
				rows[i] = append(rows[i], graph.Call(g, load, graph.Const(g, at{matrix, i, j}), graph.Name("load")))
			}
		}
		return rows
	}
	a, b := in(0), in(1)
	var diagonal []graph.Value[block]
	for i := range blocks {
		for j := range blocks {
			var terms []graph.Value[block]
			for k := range blocks {
				terms = append(terms, graph.Call2(g, multiply, a[i][k], b[k][j]))
			}
			if c := graph.Reduce(g, add, terms, 2); i == j {
				diagonal = append(diagonal, c)
			}
		}
	}
	return graph.CallN(g, trace, diagonal)
}

func run(ctx context.Context, w io.Writer, n, size int, memory int64) error {
	g := graph.New()
	t := product(g, n/size, size)
	var rec graph.Record
	opts := []graph.RunOption{graph.RecordTo(&rec)}
	if memory > 0 {
		opts = append(opts, graph.MemoryLimit(memory))
	}
	sum, err := graph.Compute(ctx, t, opts...)
	if err != nil {
		return err
	}
	most, spilled := int64(0), 0
	for _, s := range rec.Memory {
		most = max(most, s.Bytes)
	}
	for _, k := range rec.Tasks {
		if k.Spilled {
			spilled++
		}
	}
	fmt.Fprintf(w, "trace %.6f, %d tasks of %d in the graph in %v, at most %.1f MB of blocks in memory, %d were on disk\n",
		sum, len(rec.Tasks), g.Len(), rec.Took.Round(time.Millisecond), float64(most)/1e6, spilled)
	return nil
}

func main() {
	n := flag.Int("n", 1000, "rows and columns")
	size := flag.Int("block", 125, "rows and columns of a block")
	memory := flag.Int64("memory", 0, "memory limit, in MB (default: what is free)")
	flag.Parse()
	if err := run(context.Background(), os.Stdout, *n, *size, *memory*1e6); err != nil {
		log.Fatal(err)
	}
}
