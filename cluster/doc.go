// Package cluster runs items and graphs on other machines: the same Map, with
// weft.On(c).
//
//	var _ = weft.Register(render)
//
//	func main() {
//		cluster.Init() // started as "prog weft-worker" this is where it stays
//		...
//		c, err := cluster.Dial(ctx, "temporal://localhost:7233/default?queue=weft&store=file:///data/weft")
//		...
//		defer c.Close()
//		pages, err := weft.Map(ctx, jobs, render, weft.On(c))
//	}
//
// Between the machines is Temporal, which places work, notices the loss of a
// worker and remembers what was done, and an object store for what is too large
// for a message. A worker is the same program, started elsewhere. It finds a
// function by the name under which [weft.Register] has it; no code travels.
//
// An item may run more than once: when its worker is lost in the middle of it,
// when the network is cut, when a worker is so slow to answer that it is taken
// for lost. Its result counts once.
//
// A run is one workflow. [Submit] starts one that goes on without this process,
// and [Cluster.Attach] follows it from any other.
package cluster
