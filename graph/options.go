package graph

import (
	"fmt"
	"io"
	"math"
	"time"

	"github.com/weft-go/weft"
	"github.com/weft-go/weft/graph/internal/spill"
)

// NodeOption is an option of a task, or of all tasks of a [Map] or [Reduce].
type NodeOption interface{ applyNode(*nodeOptions) }

type nodeOption func(*nodeOptions)

func (f nodeOption) applyNode(o *nodeOptions) { f(o) }

// nodeOptions is what the options of a node add up to.
type nodeOptions struct {
	name     string
	attempts int
	timeout  time.Duration
	memory   int64
	cpu      int
	resource string
	amount   int64
	priority int
	pure     bool
	cache    *cacheOption
	err      error
}

func (o *nodeOptions) fail(format string, args ...any) {
	if o.err == nil {
		o.err = fmt.Errorf(format, args...)
	}
}

func collect(g *Graph, opts []NodeOption) *nodeOptions {
	if len(opts) == 0 {
		return nil
	}
	o := &nodeOptions{}
	for _, opt := range opts {
		if opt != nil {
			opt.applyNode(o)
		}
	}
	if o.err != nil {
		g.fail("option", "%v", o.err)
	}
	return o
}

// Name is the name of the task in errors, plans, pictures and reports. Tasks
// with one name are shown as a group. Defaults to the name of the function.
func Name(s string) NodeOption { return nodeOption(func(o *nodeOptions) { o.name = s }) }

// Retry calls the function up to attempts times, waiting a little longer each
// time, from 100 ms to 30 s, half of it random. A failure that wraps
// weft.ErrPermanent is not tried again. Defaults to 1: no second attempt.
func Retry(attempts int) NodeOption {
	return nodeOption(func(o *nodeOptions) {
		if attempts < 1 {
			o.fail("Retry(%d): at least 1 attempt is needed; 1 means no second one", attempts)
		}
		o.attempts = attempts
	})
}

// Timeout bounds each attempt: the task's context ends with a cause that says
// so. A function that does not look at its context is not cut off. Defaults to
// no limit.
func Timeout(d time.Duration) NodeOption {
	return nodeOption(func(o *nodeOptions) {
		if d <= 0 {
			o.fail("Timeout(%v): the limit is a time above 0; leave the option out for none", d)
		}
		o.timeout = d
	})
}

// Memory says how many bytes the task takes at its peak, its result included.
// It starts only when the budget has room for as much. Defaults to the size of
// the results of the same function so far.
func Memory(bytes int64) NodeOption {
	return nodeOption(func(o *nodeOptions) {
		if bytes <= 0 {
			o.fail("Memory(%d): a task's memory is a number of bytes above 0", bytes)
		}
		o.memory = bytes
	})
}

// CPU says that the task computes on n CPUs at once: it takes the places of n
// workers, or all there are. Defaults to 1.
func CPU(n int) NodeOption {
	return nodeOption(func(o *nodeOptions) {
		if n < 1 || n > math.MaxInt16 {
			o.fail("CPU(%d): a task takes at least 1 CPU", n)
		}
		o.cpu = n
	})
}

// Resource says that the task takes so much of something of which there is only
// so much: a GPU, a licence, connections. [Capacity] says how much there is.
// A task takes of one resource at most.
func Resource(name string, amount int64) NodeOption {
	return nodeOption(func(o *nodeOptions) {
		if name == "" || amount < 1 {
			o.fail("Resource(%q, %d): give a name and an amount of at least 1", name, amount)
		}
		if o.resource != "" && o.resource != name {
			o.fail("Resource(%q): the task takes %q already, and a task takes one resource at most", name, o.resource)
		}
		o.resource, o.amount = name, amount
	})
}

// Priority has a task, and what it needs, run before others where there is a
// choice: higher first. Defaults to 0.
func Priority(p int) NodeOption {
	return nodeOption(func(o *nodeOptions) {
		if p < math.MinInt32/2 || p > math.MaxInt32/2 {
			o.fail("Priority(%d): keep it between -1e9 and 1e9", p)
		}
		o.priority = p
	})
}

// Pure says that the function's result depends on its inputs alone and that it
// has no other effect. Two such tasks with the same function, declared at the
// top level of a package, and the same inputs are one, whether [Call] or its like
// made them, [Map] or [Reduce]. Finding that out takes some 0.3 us a task. Defaults
// to not being pure: what is written twice runs twice.
func Pure() NodeOption { return nodeOption(func(o *nodeOptions) { o.pure = true }) }

// RunOption is an option of [Compute] and its like.
type RunOption interface{ applyRun(*config) }

type runOption func(*config)

func (f runOption) applyRun(c *config) { f(c) }

// config is what the options of a run add up to.
type config struct {
	workers   int
	keepGoing bool
	memory    int64
	spill     string
	disk      func(dir string) (*spill.File, error) // spill.Create, but for tests
	capacity  map[string]int64
	exec      weft.Executor
	required  weft.Wish
	preferred weft.Wish
	journal   string
	after     []func(*Record) error // called with what happened, at the end
	progress  io.Writer
	err       error
}

func (c *config) fail(format string, args ...any) {
	if c.err == nil {
		c.err = fmt.Errorf(format, args...)
	}
}

// Workers sets how many tasks run at once at most: 1 is the plain loop in the
// caller's goroutine, in the order of the graph (the debugging mode), n > 1 is
// n, -1 one for each CPU of the process, -2 all CPUs but one, and so on. Defaults
// to 0: as many as pay, up to all CPUs of 1 or 2, all but one of 3 to 8, all but
// two of more; and where tasks turn out to wait rather than compute, for a network
// say, as many as bring more, up to 128. With more at once more results are held.
func Workers(n int) RunOption { return runOption(func(c *config) { c.workers = n }) }

// KeepGoing computes all that does not depend on a task that has failed. The
// error then has all failures.
func KeepGoing() RunOption { return runOption(func(c *config) { c.keepGoing = true }) }

// MemoryLimit is the most memory, in bytes, that the results of the run may take
// at a time. Past it those that are needed last go to disk; when that is not
// enough, tasks wait; and if nothing can go on, the run fails and names the task
// that has no room. Defaults to three quarters of what is free under the
// tightest of the cgroup's limit, GOMEMLIMIT and the machine's memory.
func MemoryLimit(bytes int64) RunOption {
	return runOption(func(c *config) {
		if bytes <= 0 {
			c.fail("MemoryLimit(%d): the limit is a number of bytes above 0", bytes)
		}
		c.memory = bytes
	})
}

// SpillTo is the directory for results that do not fit into memory. A private
// directory is made in it, and removed at the end. Defaults to that for
// temporary files.
func SpillTo(dir string) RunOption { return runOption(func(c *config) { c.spill = dir }) }

// Capacity is how much of a [Resource] there is for the run. A task that takes
// of a resource without a Capacity, or more than there is, is an error before
// anything runs.
func Capacity(name string, amount int64) RunOption {
	return runOption(func(c *config) {
		if name == "" || amount < 1 {
			c.fail("Capacity(%q, %d): give a name and an amount of at least 1", name, amount)
		}
		if c.capacity == nil {
			c.capacity = map[string]int64{}
		}
		c.capacity[name] = amount
	})
}

// RecordTo fills rec when the run has ended, also when it has failed. It costs
// some 100 bytes a task.
func RecordTo(rec *Record) RunOption {
	return runOption(func(c *config) {
		if rec == nil {
			c.fail("RecordTo(nil): give the address of a graph.Record")
			return
		}
		c.after = append(c.after, func(r *Record) error { *rec = *r; return nil })
	})
}

// MemoryLimitOf is the limit that [MemoryLimit] sets among opts, in bytes; 0 if
// none does. It is for packages that choose the size of tasks by it.
func MemoryLimitOf(opts ...RunOption) int64 {
	var c config
	for _, o := range opts {
		if o != nil {
			o.applyRun(&c)
		}
	}
	return c.memory
}
