// Package weft runs a function over many items just as parallel as pays.
//
//	thumbs, err := weft.Map(ctx, files, makeThumb)                // computes: uses the CPUs
//	pages, err := weft.Map(ctx, urls, fetch, weft.Retry(3))       // waits: finds its own concurrency
//	for row, err := range weft.Stream(ctx, lines, parse) { ... }  // endless input, bounded memory
//
// A run starts as a plain loop and is measured. If the items compute, take
// long enough and the process has CPUs to spare, more workers join, with
// chunks sized to the work; if they wait, many run at once, and the number is
// searched by throughput; if neither pays, the plain loop goes on. While it
// runs, Weft keeps measuring and changes the plan when the figures do.
// [Explain] tells the plan before, [ReportTo] what happened.
//
// [Map] returns results in input order, [Each] is for effects, [Stream] for
// input that is long or endless, [Reduce] folds (with the same bits for any
// number of workers), [For] is the parallel loop over an index.
//
// All of them share the CPUs: calls inside calls, at any depth, never run more
// computing workers than the process has CPUs. Pass on the context that your
// function gets; it is how a nested call knows where it is.
//
// No call returns while a goroutine of it runs. An item's failure is an
// [*ItemError] with its index, a panic in it a [*PanicError] with its stack.
package weft
