// Package graph composes functions into a graph of tasks, checked by the
// compiler, and runs it.
//
//	g := graph.New()
//	a := graph.Call(g, load, graph.Const(g, "a.csv"))
//	b := graph.Call(g, load, graph.Const(g, "b.csv"))
//	sum, err := graph.Compute(ctx, graph.Call2(g, join, a, b))
//
// Building never computes: [Const], [Call], [Map] and [Reduce] write down what
// there is to do, and give a [Value], which stands for a result that is not
// there yet. A task takes Values that exist, so a graph has no cycles. [Compute]
// runs what a Value needs, each task once however many others use it, and
// nothing else.
//
// A run starts in one goroutine; more join where the work pays for them, within
// the CPUs of the process, which it shares with all other runs of Weft, or beyond
// them where tasks turn out to wait rather than compute. A task may build and
// compute graphs itself, or call weft.Map: pass on its context.
//
// Tasks run in an order that keeps few results in memory, a result is let go
// when the last task that needs it has run, and tasks that read new data wait
// while others can finish. Past the memory budget, results that are needed last
// go to disk and come back when they are needed.
//
// A task that fails stops the run; the error is a [*TaskError] that names it,
// what went in, and the way to what was asked for.
//
// A run can be seen: [Progress] shows how far it is, [HTMLReport] writes one page
// about it, [Trace] a file for ui.perfetto.dev, and [SVG], [Dot] and [Mermaid] draw
// a [Record], from [RecordTo] or, without a run, from [Graph.Record].
package graph
