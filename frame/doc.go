// Package frame has lazy tables larger than memory: what dask.dataframe, pandas
// and polars are for in Python, on an embedded DuckDB.
//
//	top := frame.ReadCSV("logs/*.csv").
//		Filter(frame.Col("status").Eq(200)).
//		GroupBy("host").Agg(frame.Sum("bytes").As("total")).
//		Sort(frame.Desc("total")).Limit(10)
//	err := top.Show(ctx, os.Stdout)
//
// # Frames
//
// A [Frame] is a plan: where rows come from, and steps. Building one opens no
// file and computes nothing. What computes are the functions and methods that
// take a context: [Rows], [Collect], [Head], Count, Show, WriteCSV,
// WriteParquet, WriteJSON and Persist. Schema and Explain check a plan, and
// read of the files what their types need.
//
// A mistake is an error of those, never of the building: it names the column,
// those that are there, and the file and line of the call that built the step.
//
// # Memory
//
// A query holds at most about [Config].MemoryLimit. Group by, join, sort and
// windows spill to disk past that. Results are streamed: [Rows] over a billion
// rows needs a few megabytes. All queries of the process share one engine
// and its limit, unless [Frame.On] gives them another; its threads are in
// the account of CPUs that all of Weft draws on.
//
// # Go
//
// [FromSlice], [FromSeq] and [FromSeq2] make frames of Go values, and [Func1]
// and its like call Go functions in expressions. [MapBatches] puts a Go function between
// two parts of a plan.
//
// # Nulls and times
//
// Null is as in SQL: not a value, not equal to anything, left out by
// aggregates, last in a sort. Times are in UTC.
//
// The package needs cgo: without it, or on a system that DuckDB is not built
// for, it has no functions.
package frame
