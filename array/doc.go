// Package array computes with n-dimensional arrays that may be larger than
// memory, as NumPy and dask.array do.
//
//	x := array.Random(1, 20_000, 20_000)
//	z := x.Sub(x.Mean(array.Axis(0))).Div(x.Std(array.Axis(0)))
//	top, err := z.Max(array.Axis(1)).Compute(ctx)
//
// An [Array] is lazy: it says how its elements are computed, and its shape is
// known at once. [Array.Compute] and its like run it, as a graph of tasks (see
// package graph, whose options they take) in which each task makes one block.
// Blocks that do not fit into the memory limit go to disk and come back.
//
// Operations on elements are fused: an expression of any size is one pass over
// the data, in tiles that stay in the cache, without a temporary array.
//
// Names, broadcasting and results are NumPy's. Operators are methods (Add, Lt,
// And; with S at the end for a single value), what is np.f(x) in Python is a
// function (Exp, Where, Concatenate) or a method (Sum, Transpose, Reshape). A
// method keeps the type of the elements; where NumPy changes it, [Cast] says so,
// and costs nothing as it is fused.
//
// A wrong shape or type is told at once by Err and again by Compute, with the
// line of the call that is to blame.
//
// Results do not depend on the number of workers, the memory limit or the
// blocks: sums have the same bits.
package array
