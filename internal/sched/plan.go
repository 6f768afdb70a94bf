// Package sched decides what a run of a graph does next. It is a state machine:
// the driver tells it what has happened (a worker is free, a task has finished,
// failed, was lost, a result is on disk), and it answers with what to do (run
// these, free, spill or load those). It starts nothing, waits for nothing and
// knows no time, so a run of any length can be simulated, with every loss and
// every order of events.
//
// Tasks are numbered in the order in which one worker would run them
// (internal/order). Two things follow. The lowest task that has not finished can
// always run when nothing else does, so a run never stands still by itself. And
// a piece of the order is a plan for one worker, in which tasks find the results
// of those before them: tiny tasks are handed out in such pieces, so that each
// costs some tens of nanoseconds, chains and diamonds too.
//
// A Machine is not safe for concurrent use.
package sched

// Const marks an input that is a constant. The machine skips it.
const Const = 1 << 31

// Plan is what there is to run, as plain data in flat arrays. It does not
// change while it is run.
type Plan struct {
	// The inputs of task t are In[InOff[t]:InOff[t+1]]: lower tasks, or
	// constants.
	InOff, In []uint32
	// The users of task t are Use[UseOff[t]:UseOff[t+1]], once for each input
	// that it is.
	UseOff, Use []uint32
	// Class is the class of each task; tasks of a class have much in common.
	Class []uint32
	// Classes is what the classes have in common.
	Classes []Class
	// Asked are the tasks whose results are kept to the end.
	Asked []uint32
	// Held is how many results one worker holds while it runs each task, and
	// Roots how many of them are of roots: tasks that need constants only.
	Held, Roots []uint32
}

// Class is what some tasks have in common.
type Class struct {
	// Need is the memory that a task takes while it runs, in bytes, where the
	// user has said so; 0 if not.
	Need int64
	// CPU is how many workers' places a task takes, at least 1.
	CPU int32
	// Resource is an index into Limits.Resources plus 1 for a resource of which
	// a task takes Amount; 0 for none.
	Resource int32
	Amount   int64
	// Alone is set if a task is handed out by itself, never with others.
	Alone bool
	// Size is the size of the results in bytes, -1 if they differ.
	Size int64

	// Fixed is set if the results can't go to disk.
	Fixed bool

	// Nanos is how long a task takes, 0 while unknown. Bytes is the size of a
	// result as measured. The machine keeps both up to date.
	Nanos float64
	Bytes float64
	count int
}

// Limits is what a run may use.
type Limits struct {
	// Workers is how many tasks run at once.
	Workers int
	// Slack is how many results more than one worker would hold may be held,
	// beside one for each worker.
	Slack int
	// Memory is for results, in bytes; 0 is no limit.
	Memory int64
	// Resources has the amount that there is of each resource.
	Resources []int64
	// KeepGoing runs all that does not depend on what has failed.
	KeepGoing bool
	// Batch is how long the tasks that are handed out together should take, in
	// nanoseconds. Most is how many they are at most.
	Batch float64
	Most  int
}

// State is what a task is.
type State uint8

// The states of a task and of its result.
const (
	Waiting State = iota // for inputs
	Ready                // to run
	Running
	Done     // the result is in memory, or freed
	Spilling // the result is being written
	Spilled  // the result is on disk
	Loading  // the result is being read
	Failed
	Skipped // something that it needs has failed
)

func (s State) String() string {
	return [...]string{"waiting", "ready", "running", "done", "spilling", "spilled", "loading", "failed", "skipped"}[s]
}

// inHand tells whether a task has run and its result is somewhere.
func (s State) inHand() bool { return s >= Done && s <= Loading }

// Learn takes up what count tasks of the class took in an earlier run.
func (c *Class) Learn(count int, nanos, bytes float64) {
	c.count, c.Nanos, c.Bytes = count, nanos, bytes
}

// Count is how many tasks of the class have been measured.
func (c *Class) Count() int { return c.count }
