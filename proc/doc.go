// Package proc runs items in child processes: for functions that crash, leak,
// hang, hog memory or call C code that is not thread-safe.
//
//	var _ = weft.Register(render)
//
//	func main() {
//		proc.Init() // in a worker process this is where it stays
//		...
//		pool, err := proc.Start(ctx, proc.Config{MemoryLimit: 1 << 30})
//		...
//		defer pool.Close()
//		pages, err := weft.Map(ctx, jobs, render, weft.On(pool))
//	}
//
// A worker is this program started again, never a bare fork. It finds the
// function by the name under which [weft.Register] has it; no code travels. What
// it prints arrives line by line with its name, on descriptors of their own.
//
// An item whose worker dies fails with a [*DeathError]: signal or exit code,
// memory, last lines of stderr. The others do not notice: those that were sent
// along go to another worker. Where several items were under way the one that
// ran is run once more by itself, and named if that ends a worker too.
//
// When this process ends, however it does, the workers end within a second:
// the kernel tells them, and so does the end of their socket. All memory that
// is shared has no name anywhere, and goes with the last process that has it.
//
// There are workers on Linux only, so far; elsewhere Start says so.
package proc
