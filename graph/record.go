package graph

import (
	"fmt"
	"time"
)

// Record is a graph as plain data, and what a run of it did. [Graph.Record]
// gives it without a run, [RecordTo] with one. It marshals to JSON as it is.
//
// Tasks that the run did not need are not in it. A Record is the reader's own:
// nothing changes it.
type Record struct {
	// Graph says which graph it is: where it was made.
	Graph string `json:"graph"`
	// Tasks are all tasks and constants, inputs before what uses them.
	Tasks []Task `json:"tasks"`
	// Asked are the places in Tasks of what was asked for.
	Asked []int `json:"asked"`

	// What follows is of a run; Ran is false without one.
	Ran bool `json:"ran"`
	// Workers is how many tasks could run at once.
	Workers int `json:"workers"`
	// Begun is when the run began, Took how long it took.
	Begun time.Time     `json:"begun"`
	Took  time.Duration `json:"took"`
	// Memory is what the results took, in the order of time.
	Memory []Sample `json:"memory"`
	// Budget is the most that they might take, in bytes; 0 if it was not known
	// to matter.
	Budget int64 `json:"budget"`
	// Critical is the critical path: places in Tasks, first to last. The run
	// could not have been faster than these tasks one after the other, however
	// many workers there were.
	Critical []int `json:"critical"`
	// Notes is what is worth knowing about the run, as sentences: large constants
	// that went to other processes, say.
	Notes []string `json:"notes,omitempty"`
	// Err is what the run failed with, "" if it did not.
	Err string `json:"err"`
}

// Task is one task, or a constant.
type Task struct {
	// ID is the task's number in the graph: see [Value.ID].
	ID int `json:"id"`
	// Name is the name of the function, or what the option Name says; of a
	// constant its type.
	Name string `json:"name"`
	// Group is the same for tasks that belong together: those of one Map or
	// Reduce, and those of one name.
	Group string `json:"group"`
	// Kind is what made it.
	Kind Kind `json:"kind"`
	// Inputs are places in Record.Tasks.
	Inputs []int `json:"inputs"`
	// Order is the task's place in the order in which one worker would run
	// them, counted from 0; -1 for constants.
	Order int `json:"order"`

	// State is what became of it.
	State State `json:"state"`
	// Start and End are times since the run began; both 0 if it did not run.
	Start time.Duration `json:"start"`
	End   time.Duration `json:"end"`
	// Worker is who ran it, counted from 0; -1 if it did not run.
	Worker int `json:"worker"`
	// Bytes is the size of the result; 0 if there is none.
	Bytes int64 `json:"bytes"`
	// Spilled tells that the result has been on disk for some time.
	Spilled bool `json:"spilled"`
	// Attempts is how often it was run, 0 if it did not run.
	Attempts int `json:"attempts"`
	// Err is what it failed with.
	Err string `json:"err,omitempty"`
}

// Sample is what results took at a time.
type Sample struct {
	At time.Duration `json:"at"` // since the run began
	// Bytes is their size in memory, Disk that of those on disk.
	Bytes int64 `json:"bytes"`
	Disk  int64 `json:"disk"`
	// Results is how many there were in memory or on disk.
	Results int `json:"results"`
}

// Kind is what made a task.
type Kind uint8

// The kinds of tasks.
const (
	KindConst Kind = iota
	KindCall
	KindMap
	KindReduce
)

func (k Kind) String() string {
	return [...]string{"const", "call", "map", "reduce"}[k]
}

// MarshalText makes it its name.
func (k Kind) MarshalText() ([]byte, error) { return []byte(k.String()), nil }

// State is what has become of a task.
type State uint8

// The states of a task.
const (
	StateWaiting State = iota // not run, or not yet
	StateRunning
	StateDone
	StateFailed
	StateSkipped // something that it needs has failed
	StateCached  // its result came from a journal or a cache
)

func (s State) String() string {
	return [...]string{"waiting", "running", "done", "failed", "skipped", "cached"}[s]
}

// MarshalText makes it its name.
func (s State) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// UnmarshalText reads what MarshalText wrote.
func (k *Kind) UnmarshalText(b []byte) error {
	for i := KindConst; i <= KindReduce; i++ {
		if i.String() == string(b) {
			*k = i
			return nil
		}
	}
	return fmt.Errorf("graph: %q is no kind of task", b)
}

// UnmarshalText reads what MarshalText wrote.
func (s *State) UnmarshalText(b []byte) error {
	for i := StateWaiting; i <= StateCached; i++ {
		if i.String() == string(b) {
			*s = i
			return nil
		}
	}
	return fmt.Errorf("graph: %q is no state of a task", b)
}
