// Package plan decides: whether a run stays a plain loop, how many workers it
// gets, how large its chunks are, how many requests are in flight. It is pure:
// figures in, decisions out; no goroutine, no clock, no I/O. So every decision
// can be tested as a table row or by simulating the work.
//
// Four parts follow one another in a run:
//
//   - [Estimator] turns the timings of the first items into an [Estimate].
//   - [Decide] chooses between the plain loop, CPU workers and many waiting
//     items at once, and keeps what it rejected.
//   - [ChunkSize] says how many items a worker takes next.
//   - [Scaler] (CPU-bound) and [Gradient] (I/O-bound) watch the run and change
//     the number of workers when the figures say so.
package plan
