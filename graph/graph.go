package graph

import (
	"fmt"
	"path/filepath"
	"reflect"
	"runtime"
	"sync"
)

// Graph is tasks and what they need from each other. It grows only: what was
// built stays. All functions that build are safe for concurrent use, and may go
// on while the graph is computed. docs/design/0007-graph.md says what it is as
// data.
type Graph struct {
	where string // where New was called

	mu      sync.Mutex
	err     error    // the first thing that was built wrong
	nodes   []node   // in the order in which they were built
	inputs  []uint32 // of all tasks, one after the other
	tasks   uint32
	columns []column // one for each type of result
	byType  map[reflect.Type]uint32
	// firstTypes are the types of the first columns.
	firstTypes []reflect.Type
	kept       map[uint32]uint32 // constants in place of tasks: Persist
	dedup      map[string]uint32 // pure nodes by what they are
	learned    map[classKey]measured
	large      map[place]largeConstant // constants that are worth a word

	// lent is what other graphs may take: the kept results. It has a lock of its
	// own, which is the last to be taken.
	lent struct {
		sync.Mutex
		values map[uint32]any
	}
}

// node is a record of the graph: a range of tasks that differ in their inputs
// only. What Call makes is a range of one.
type node struct {
	do     op
	first  uint32 // its tasks are first, first+1, ...
	n      uint32
	in     uint32 // where the inputs of the first begin in Graph.inputs
	stride uint32 // inputs a task
	column uint32 // type of the results
	first0 uint32 // constants: where they begin in the column
	opts   *nodeOptions
	kind   Kind
}

// New returns an empty graph.
func New() *Graph {
	g := &Graph{byType: map[reflect.Type]uint32{}, where: "graph.New"}
	if _, file, line, ok := runtime.Caller(1); ok {
		g.where = fmt.Sprintf("the graph made at %s:%d", filepath.Base(file), line)
	}
	return g
}

// Len is how many tasks and constants the graph has.
func (g *Graph) Len() int {
	g.mu.Lock()
	defer g.mu.Unlock()
	return int(g.tasks)
}

func (g *Graph) String() string { return fmt.Sprintf("%s, of %d tasks", g.where, g.Len()) }

// Value stands for the result of a task, which may not be there yet. It is two
// words, and may be copied.
type Value[T any] struct {
	g    *Graph
	task uint32
}

// Graph is the graph that the value belongs to.
func (v Value[T]) Graph() *Graph { return v.g }

// ID is the number of its task, as [Record] has it.
func (v Value[T]) ID() int { return int(v.task) }

// fail records that something was built wrong. Compute returns it. Called with
// g.mu held.
func (g *Graph) fail(call string, format string, args ...any) {
	if g.err != nil {
		return
	}
	at := ""
	for skip := 2; skip < 8; skip++ { // the first caller outside of this package
		pc, file, line, ok := runtime.Caller(skip)
		if !ok {
			break
		}
		if f := runtime.FuncForPC(pc); f != nil && !inPackage(f.Name()) {
			at = fmt.Sprintf(" at %s:%d", filepath.Base(file), line)
			break
		}
	}
	g.err = fmt.Errorf("graph: %s%s: %s", call, at, fmt.Sprintf(format, args...))
}

func inPackage(name string) bool {
	const pkg = "github.com/weft-go/weft/graph."
	return len(name) > len(pkg) && name[:len(pkg)] == pkg
}

// fewTypes is how many types are looked for one by one.
const fewTypes = 8

// columnOf is the number of the column for results of type T. Called with g.mu
// held.
func columnOf[T any](g *Graph) uint32 {
	t := reflect.TypeFor[T]()
	for i, known := range g.firstTypes { // quicker than the map
		if known == t {
			return uint32(i)
		}
	}
	if c, ok := g.byType[t]; ok {
		return c
	}
	c := uint32(len(g.columns))
	if c < fewTypes {
		g.firstTypes = append(g.firstTypes, t)
	}
	g.columns = append(g.columns, newColumn[T]())
	g.byType[t] = c
	return c
}

// use returns the task behind v, as one of g. Called with g.mu held.
func use[T any](g *Graph, call string, v Value[T]) uint32 {
	switch {
	case v.g == g:
		return v.task
	case v.g == nil:
		g.fail(call, "an input is the zero Value; pass one that Const, Call, Map or Reduce returned")
		return 0
	}
	if k, ok := adopt(g, v); ok {
		return k
	}
	g.fail(call, "an input belongs to %s, and this is %s; build both in one graph, or compute the input and pass it with graph.Const, or graph.Persist it first", v.g.where, g.where)
	return 0
}

// add appends a node of n tasks with the given inputs, and returns the first.
// Called with g.mu held.
func (g *Graph) add(kind Kind, do op, column uint32, n int, o *nodeOptions) uint32 {
	first := g.tasks
	if uint64(first)+uint64(n) >= mostTasks {
		g.fail("add", "a graph has at most %d tasks", mostTasks)
		return 0
	}
	in := uint32(len(g.inputs))
	g.nodes = append(g.nodes, node{do: do, first: first, n: uint32(n), in: in, column: column, opts: o, kind: kind})
	g.tasks += uint32(n)
	return first
}

// mostTasks leaves a bit for constants and one for marks.
const mostTasks = 1 << 30
