package graph_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/weft-go/weft/graph"
	"github.com/weft-go/weft/memo"
)

func load(_ context.Context, name string) ([]int, error) {
	if name == "" {
		return nil, errors.New("no name")
	}
	return []int{len(name), 2 * len(name)}, nil
}

func join(_ context.Context, a, b []int) (int, error) {
	sum := 0
	for _, v := range append(a, b...) {
		sum += v
	}
	return sum, nil
}

// Two files are loaded, and joined. Nothing runs before Compute.
func Example() {
	g := graph.New()
	a := graph.Call(g, load, graph.Const(g, "a.csv"))
	b := graph.Call(g, load, graph.Const(g, "bb.csv"))
	sum, err := graph.Compute(context.Background(), graph.Call2(g, join, a, b))
	fmt.Println(sum, err)
	// Output: 33 <nil>
}

// A Map is a task for each value, a Reduce a tree that joins them.
func ExampleReduce() {
	upper := func(_ context.Context, s string) (string, error) { return strings.ToUpper(s), nil }
	concat := func(_ context.Context, a, b string) (string, error) { return a + b, nil }

	g := graph.New()
	words := graph.Consts(g, []string{"a", "tree", "of", "words"})
	all := graph.Reduce(g, concat, graph.Map(g, upper, words), 2)
	s, err := graph.Compute(context.Background(), all)
	fmt.Println(s, err)
	// Output: ATREEOFWORDS <nil>
}

// What two values share runs once.
func ExampleCompute2() {
	g := graph.New()
	read := graph.Call0(g, func(context.Context) ([]int, error) {
		fmt.Println("reading")
		return []int{3, 1, 2}, nil
	})
	least := graph.Call(g, func(_ context.Context, v []int) (int, error) { return min(v[0], v[1], v[2]), nil }, read)
	most := graph.Call(g, func(_ context.Context, v []int) (int, error) { return max(v[0], v[1], v[2]), nil }, read)
	a, b, err := graph.Compute2(context.Background(), least, most)
	fmt.Println(a, b, err)
	// Output:
	// reading
	// 1 3 <nil>
}

// A failure names the task, what went in, and the way to what was asked for.
func ExampleTaskError() {
	g := graph.New()
	table := graph.Call(g, load, graph.Const(g, ""), graph.Name("load"))
	clean := graph.Call(g, func(_ context.Context, t []int) ([]int, error) { return t, nil }, table, graph.Name("clean"))
	report := graph.Call2(g, join, clean, clean, graph.Name("report"))
	_, err := graph.Compute(context.Background(), report)
	fmt.Println(err)
	// Output: graph: load (task 1 of "", needed by clean < report): no name
}

// With KeepGoing all that does not depend on a failure is computed.
func ExampleKeepGoing() {
	g := graph.New()
	sizes := graph.Map(g, load, graph.Consts(g, []string{"a", "", "ccc"}), graph.Name("load"))
	out, err := graph.ComputeAll(context.Background(), sizes, graph.KeepGoing())
	fmt.Println(out)
	fmt.Println(err)
	// Output:
	// [[1 2] [] [3 6]]
	// graph: 1 task failed
	// graph: load (task 4 of ""): no name
}

// The second run finds everything in the journal, as it would after a crash.
func ExampleJournal() {
	dir, err := os.MkdirTemp("", "example-")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)
	for range 2 {
		g := graph.New()
		v := graph.Call(g, func(_ context.Context, n int) (int, error) {
			fmt.Println("computing")
			return n * n, nil
		}, graph.Const(g, 12))
		n, err := graph.Compute(context.Background(), v, graph.Journal(dir))
		fmt.Println(n, err)
	}
	// Output:
	// computing
	// 144 <nil>
	// 144 <nil>
}

// Results of a task in a cache are shared by all programs that use it.
func ExampleCache() {
	dir, err := os.MkdirTemp("", "example-")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)
	cache, err := memo.Open(dir, memo.Config{})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer cache.Close()
	for range 2 {
		g := graph.New()
		v := graph.Call(g, load, graph.Const(g, "a.csv"), graph.Cache(cache))
		s, err := graph.Compute(context.Background(), v)
		fmt.Println(s, err, cache.Stats().Hits)
	}
	// Output:
	// [5 10] <nil> 0
	// [5 10] <nil> 1
}
