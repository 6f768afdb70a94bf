package graph_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"strings"

	"github.com/weft-go/weft/graph"
)

func readText(_ context.Context, name string) (string, error) { return "text of " + name, nil }

func measureText(_ context.Context, text string) (int, error) { return len(text), nil }

func joined(_ context.Context, a, b int) (int, error) { return a + b, nil }

// ExampleHTMLReport writes a page about a run and looks for what it says.
func ExampleHTMLReport() {
	g := graph.New()
	a := graph.Call(g, measureText, graph.Call(g, readText, graph.Const(g, "a.txt")))
	b := graph.Call(g, measureText, graph.Call(g, readText, graph.Const(g, "b.txt")))
	var page bytes.Buffer // a file, say
	sum, err := graph.Compute(context.Background(), graph.Call2(g, joined, a, b), graph.HTMLReport(&page))
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(sum, strings.Contains(page.String(), `<dd id="total-tasks">5</dd>`))
	// Output: 26 true
}

// ExampleTrace writes a trace for ui.perfetto.dev and counts its slices.
func ExampleTrace() {
	g := graph.New()
	v := graph.Call(g, measureText, graph.Call(g, readText, graph.Const(g, "a.txt")))
	var trace bytes.Buffer // a file, say
	if _, err := graph.Compute(context.Background(), v, graph.Trace(&trace)); err != nil {
		fmt.Println(err)
		return
	}
	var events struct {
		TraceEvents []struct{ Ph string }
	}
	if err := json.Unmarshal(trace.Bytes(), &events); err != nil {
		fmt.Println(err)
		return
	}
	slices := 0
	for _, e := range events.TraceEvents {
		if e.Ph == "X" {
			slices++
		}
	}
	fmt.Println(slices, "slices")
	// Output: 2 slices
}

// ExampleDot draws a graph that was not run.
func ExampleDot() {
	g := graph.New()
	text := graph.Call(g, readText, graph.Const(g, "a.txt"), graph.Name("read"))
	n := graph.Call(g, measureText, text, graph.Name("measure"))
	rec, err := g.Record(n)
	if err != nil {
		fmt.Println(err)
		return
	}
	var dot strings.Builder
	if err := graph.Dot(&dot, rec, graph.ByOrder); err != nil {
		fmt.Println(err)
		return
	}
	for line := range strings.Lines(dot.String()) {
		if strings.Contains(line, "->") {
			fmt.Println(strings.TrimSpace(line))
		}
	}
	// Output:
	// n0 -> n1;
	// n1 -> n2;
}

// ExampleMermaid writes a flowchart that Markdown can hold.
func ExampleMermaid() {
	g := graph.New()
	text := graph.Call(g, readText, graph.Const(g, "a.txt"), graph.Name("read"))
	rec, err := g.Record(graph.Call(g, measureText, text, graph.Name("measure")))
	if err != nil {
		fmt.Println(err)
		return
	}
	rec.Graph = "" // where it was made: a line of this file
	if err := graph.Mermaid(os.Stdout, rec, graph.ByState); err != nil {
		fmt.Println(err)
	}
	// Output:
	// flowchart TD
	// %% 2 tasks
	// %% coloured by state: 2 waiting
	// classDef c0 fill:#ffffff,color:#111111,stroke:#555555
	// n0(["#34;a.txt#34;"]):::c0
	// classDef c1 fill:#c4c4c4,color:#111111,stroke:#555555
	// n1["read"]:::c1
	// n2[["measure"]]:::c1
	// n0 --> n1
	// n1 --> n2
}

// ExampleSVG records a run and draws it, coloured by time.
func ExampleSVG() {
	g := graph.New()
	v := graph.Call(g, measureText, graph.Call(g, readText, graph.Const(g, "a.txt")))
	var rec graph.Record
	if _, err := graph.Compute(context.Background(), v, graph.RecordTo(&rec)); err != nil {
		fmt.Println(err)
		return
	}
	var svg strings.Builder
	if err := graph.SVG(&svg, &rec, graph.ByTime); err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(strings.Count(svg.String(), "<g class=\"t\">"), "boxes")
	// Output: 3 boxes
}
