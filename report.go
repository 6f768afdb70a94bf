package weft

import "time"

// Report is what a run did, next to what was planned. Fill one with
// [ReportTo]. It prints for people with String and for programs as JSON.
type Report struct {
	// Plan is the plan in force when the run ended.
	Plan Plan `json:"plan"`
	// Decisions are the changes of plan in the order they were made.
	Decisions []Decision `json:"decisions,omitempty"`
	// Done counts the items that finished without an error.
	Done int `json:"done"`
	// Failed counts the items that failed, after their last attempt.
	Failed int `json:"failed"`
	// Retried counts the attempts after the first.
	Retried int `json:"retried"`
	// Wall is the time from the call to its return.
	Wall time.Duration `json:"wall_ns"`
	// CPU is the CPU time of the whole process meanwhile.
	CPU time.Duration `json:"cpu_ns"`
	// Serial is the estimate of what the plain loop would have taken.
	Serial time.Duration `json:"serial_ns"`
	// Speedup is Serial over Wall.
	Speedup float64 `json:"speedup"`
	// Efficiency is Speedup over the workers that CPU-bound work had; 0 where
	// the items wait for something other than the CPU.
	Efficiency float64 `json:"efficiency,omitempty"`
	// PeakMemory is the most memory, in bytes, that the process held beyond
	// what it held at the start, as far as it was sampled.
	PeakMemory int64 `json:"peak_memory_bytes"`
	// Warnings say what the user may want to mend, those of Plan among them.
	Warnings []string `json:"warnings,omitempty"`
}

// Decision is one change of plan.
type Decision struct {
	// At is the time since the start of the run.
	At time.Duration `json:"at_ns"`
	// Workers is how many items run at once from then on.
	Workers int `json:"workers"`
	// Why is the evidence in one sentence.
	Why string `json:"why"`
}
