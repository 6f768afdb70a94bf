package weft

import "time"

// Plan is how a run is carried out and why. It prints for people with String
// and for programs as JSON.
type Plan struct {
	// Name is the run's name: [Name], or that of the user's function.
	Name string `json:"name"`
	// Items is the number of items, -1 for a stream.
	Items int `json:"items"`
	// Mode is "plain loop", "goroutines", or the name of the executor that
	// [On] asks for.
	Mode string `json:"mode"`
	// Bound is what the items wait for: "cpu", "io", "mixed", or "unknown"
	// where nothing was measured.
	Bound string `json:"bound"`
	// Workers is how many items run at once.
	Workers int `json:"workers"`
	// Chunk is how many items a worker takes at a time.
	Chunk int `json:"chunk"`
	// Schedule is how chunks shrink: "none" (plain loop), "static" (equal),
	// "guided" (smaller to the end) or "dynamic" (one item at a time).
	Schedule string `json:"schedule"`
	// Reason is the choice in one sentence.
	Reason string `json:"reason"`
	// Predicted is the time the whole run should take; 0 for a stream.
	Predicted time.Duration `json:"predicted_ns"`
	// Rejected lists the other choices.
	Rejected []Choice `json:"rejected"`
	// Measured is what the first items showed.
	Measured Measured `json:"measured"`
	// CPUs is how many CPU slots the process has for Weft's workers.
	CPUs int `json:"cpus"`
	// CPUSource says where CPUs comes from: affinity, a cgroup's quota, ...
	CPUSource string `json:"cpu_source"`
	// MemoryBudget is the run's budget in bytes, 0 if there is none.
	MemoryBudget int64 `json:"memory_budget_bytes"`
	// Warnings say what the user may want to mend.
	Warnings []string `json:"warnings,omitempty"`
}

// Choice is a way to run that was not taken.
type Choice struct {
	// What names it: "plain loop", "2 workers", ...
	What string `json:"what"`
	// Predicted is the time the whole run would take that way.
	Predicted time.Duration `json:"predicted_ns"`
	// Why says why not, where the time alone does not.
	Why string `json:"why,omitempty"`
}

// Measured is what the pilot saw.
type Measured struct {
	// Sampled is the number of items behind the figures.
	Sampled int `json:"sampled"`
	// Item is the wall time of one item.
	Item time.Duration `json:"-"`
	// ItemNanos is the same in nanoseconds, with the part below one.
	ItemNanos float64 `json:"item_ns"`
	// ItemCPU is the CPU time of one item.
	ItemCPU time.Duration `json:"item_cpu_ns"`
	// CPUShare is CPU time over wall time, from 0 to 1.
	CPUShare float64 `json:"cpu_share"`
	// Spread is the coefficient of variation of the item times: 0 when all
	// cost the same.
	Spread float64 `json:"spread"`
	// ItemBytes is how many bytes one item allocated.
	ItemBytes int64 `json:"item_bytes"`
	// LockWait is the share of the workers' time spent waiting for mutexes.
	LockWait float64 `json:"lock_wait"`
	// GCShare is the share of CPU time that the garbage collector took.
	GCShare float64 `json:"gc_share"`
	// EncodeNanos is how many nanoseconds it took to encode and decode one
	// item and its result, where items run in other processes.
	EncodeNanos float64 `json:"encode_ns,omitempty"`
	// EncodedBytes is the size of one item and its result as encoded.
	EncodedBytes int64 `json:"encoded_bytes,omitempty"`
}
