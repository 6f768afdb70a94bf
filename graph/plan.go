package graph

import (
	"cmp"
	"fmt"
	"reflect"
	"runtime"
	"slices"
	"strings"

	"github.com/weft-go/weft/internal/order"
	"github.com/weft-go/weft/internal/sched"
)

// planned is a graph, or the part of it that is asked for, made ready to be run:
// its tasks numbered anew in the order in which one worker would run them.
type planned struct {
	sched.Plan
	g       *Graph
	nodes   []node
	task    []uint32 // the number of each task in the graph
	nodeOf  []uint32 // its node
	slot    []uint32 // its place among the results of its type
	counts  []int    // results of each type
	columns []column
	keys    []classKey // of the classes
	asked   []uint32   // as asked for, constants too: sched.Const with the place of a column
	askedID []uint32   // the same as numbers in the graph
	journal *journal
	cut     []bool // tasks whose result is in the journal; nil without one
}

// classKey is what the tasks of a class have in common.
type classKey struct {
	fn       uintptr
	column   uint32
	memory   int64
	cpu      int
	resource string
	amount   int64
	careful  bool
}

// measured is what the tasks of a class have taken in earlier runs.
type measured struct {
	nanos, bytes float64
	count        int
}

// plan takes what is asked for, leaves out what nothing asked needs, and puts
// the rest in order. What is in the journal, if there is one, needs nothing.
func (g *Graph) plan(asked []uint32, j *journal) (*planned, error) {
	g.mu.Lock()
	if g.err != nil {
		defer g.mu.Unlock()
		return nil, g.err
	}
	p := &planned{g: g, nodes: g.nodes, columns: slices.Clone(g.columns), askedID: asked, journal: j}
	inputs, kept := g.inputs, map[uint32]uint32(nil)
	if len(g.kept) > 0 {
		kept = make(map[uint32]uint32, len(g.kept))
		for t, slot := range g.kept {
			kept[t] = slot
		}
	}
	for i, c := range p.columns {
		p.columns[i] = c.snapshot()
	}
	g.mu.Unlock()

	top := uint32(0)
	for _, t := range asked {
		top = max(top, t+1)
	}
	var cut []bool // by number in the graph
	if j != nil {
		var err error
		if j.digests, err = p.digests(inputs, top); err != nil {
			return nil, fmt.Errorf("graph: Journal: %w", err)
		}
		cut = make([]bool, top)
	}
	// Inputs have lower numbers than what uses them: from the top down, each
	// task is known to be needed or not when it is come to.
	needed := make([]bool, top)
	for _, t := range asked {
		needed[t] = true
	}
	local := make([]uint32, top) // tasks: their new number; constants: sched.Const and their place
	nodes, links := 0, 0
	for k := p.nodeAt(top); k >= 0; k-- {
		n := &p.nodes[k]
		for t := min(n.first+n.n, top); t > n.first; {
			t--
			if !needed[t] {
				continue
			}
			if n.kind == KindConst {
				local[t] = sched.Const | (n.first0 + t - n.first)
				continue
			}
			if slot, ok := kept[t]; ok {
				local[t] = sched.Const | slot
				continue
			}
			nodes++
			if j != nil {
				var err error
				if cut[t], err = j.look(p, n, t); err != nil {
					return nil, fmt.Errorf("graph: Journal: %w", err)
				}
				if cut[t] {
					continue
				}
			}
			for _, d := range n.inputs(inputs, t) {
				needed[d] = true
				links++
			}
		}
	}
	shape := order.Graph{InOff: make([]uint32, 1, nodes+1), In: make([]uint32, 0, links)}
	task, nodeOf := make([]uint32, 0, nodes), make([]uint32, 0, nodes)
	for k := range p.nodes {
		n := &p.nodes[k]
		if n.first >= top {
			break
		}
		if n.kind == KindConst {
			continue
		}
		for t := n.first; t < min(n.first+n.n, top); t++ {
			if !needed[t] || local[t]&sched.Const != 0 {
				continue
			}
			local[t] = uint32(len(task))
			task, nodeOf = append(task, t), append(nodeOf, uint32(k))
			if cut == nil || !cut[t] {
				for _, d := range n.inputs(inputs, t) {
					shape.In = append(shape.In, local[d])
				}
			}
			shape.InOff = append(shape.InOff, uint32(len(shape.In)))
		}
	}
	shape.UseOff, shape.Use = users(shape.InOff, shape.In)
	seen := make([]bool, len(task))
	for _, t := range asked {
		if l := local[t]; l&sched.Const == 0 && !seen[l] {
			seen[l] = true
			shape.Asked = append(shape.Asked, l)
		}
	}
	shape.Priority = p.priorities(nodeOf)
	p.renumber(shape, order.Order(shape), task, nodeOf, local, asked)
	if cut != nil {
		p.cut = make([]bool, len(p.task))
		for t, id := range p.task {
			p.cut[t] = cut[id]
		}
	}
	p.classify()
	return p, nil
}

// nodeAt is the index of the last node that begins below task top.
func (p *planned) nodeAt(top uint32) int {
	k, _ := slices.BinarySearchFunc(p.nodes, top, func(n node, t uint32) int { return cmp.Compare(n.first, t) })
	return k - 1
}

// inputs are those of task t of the node.
func (n *node) inputs(all []uint32, t uint32) []uint32 {
	at := uint64(n.in) + uint64(t-n.first)*uint64(n.stride)
	return all[at : at+uint64(n.stride)]
}

// users turns the inputs around.
func users(inOff, in []uint32) (useOff, use []uint32) {
	n := len(inOff) - 1
	useOff = make([]uint32, n+2)
	k := 0
	for _, d := range in {
		if d&sched.Const == 0 {
			useOff[d+2]++
			k++
		}
	}
	for i := 2; i < len(useOff); i++ {
		useOff[i] += useOff[i-1]
	}
	use = make([]uint32, k)
	for t := range n {
		for _, d := range in[inOff[t]:inOff[t+1]] {
			if d&sched.Const == 0 {
				use[useOff[d+1]] = uint32(t)
				useOff[d+1]++
			}
		}
	}
	return useOff[:n+1], use
}

// priorities are those of the tasks, nil if all have the same.
func (p *planned) priorities(nodeOf []uint32) []int32 {
	var ps []int32
	for t, k := range nodeOf {
		if o := p.nodes[k].opts; o != nil && o.priority != 0 {
			if ps == nil {
				ps = make([]int32, len(nodeOf))
			}
			ps[t] = int32(o.priority)
		}
	}
	return ps
}

// renumber writes the plan in the given order.
func (p *planned) renumber(shape order.Graph, perm, task, nodeOf, local, asked []uint32) {
	n := len(perm)
	p.Held, p.Roots = order.Residents(shape, perm)
	in := true
	for i, t := range perm {
		if uint32(i) != t {
			in = false
			break
		}
	}
	at := make([]uint32, len(task)) // old to new
	for i, t := range perm {
		at[t] = uint32(i)
	}
	if in {
		p.InOff, p.In, p.UseOff, p.Use = shape.InOff, shape.In, shape.UseOff, shape.Use
		p.task, p.nodeOf = task, nodeOf
	} else {
		p.InOff, p.In = make([]uint32, 1, n+1), make([]uint32, 0, len(shape.In))
		p.task, p.nodeOf = make([]uint32, n), make([]uint32, n)
		for i, t := range perm {
			p.task[i], p.nodeOf[i] = task[t], nodeOf[t]
			for _, d := range shape.In[shape.InOff[t]:shape.InOff[t+1]] {
				if d&sched.Const == 0 {
					d = at[d]
				}
				p.In = append(p.In, d)
			}
			p.InOff = append(p.InOff, uint32(len(p.In)))
		}
		p.UseOff, p.Use = users(p.InOff, p.In)
	}
	for _, t := range shape.Asked {
		p.Asked = append(p.Asked, at[t])
	}
	p.asked = make([]uint32, len(asked))
	for i, t := range asked {
		if l := local[t]; l&sched.Const == 0 {
			p.asked[i] = at[l]
		} else {
			p.asked[i] = l
		}
	}
}

// classify finds what tasks have in common, and gives each a place for its
// result.
func (p *planned) classify() {
	byKey := map[classKey]uint32{}
	p.Class, p.slot = make([]uint32, len(p.task)), make([]uint32, len(p.task))
	p.counts = make([]int, len(p.columns))
	ofNode := make([]uint32, len(p.nodes))
	var last classKey // often that of the next node too
	var lastClass uint32
	for i, k := range p.nodeOf {
		n := &p.nodes[k]
		if ofNode[k] == 0 {
			key := n.class()
			c, ok := lastClass, len(p.keys) > 0 && key == last
			if !ok {
				c, ok = byKey[key]
			}
			if !ok {
				c = uint32(len(p.keys))
				byKey[key] = c
				p.keys = append(p.keys, key)
				p.Classes = append(p.Classes, p.newClass(key))
			}
			last, lastClass = key, c
			ofNode[k] = c + 1
		}
		p.Class[i] = ofNode[k] - 1
		p.slot[i] = uint32(p.counts[n.column])
		p.counts[n.column]++
	}
}

func (n *node) class() classKey {
	key := classKey{fn: pcOf(n.do.fn()), column: n.column, cpu: 1}
	if o := n.opts; o != nil {
		key.memory, key.cpu, key.resource, key.amount = o.memory, max(1, o.cpu), o.resource, o.amount
		key.careful = o.careful()
	}
	return key
}

func pcOf(f any) uintptr { return reflect.ValueOf(f).Pointer() }

// careful tells whether a task takes more than a call.
func (o *nodeOptions) careful() bool {
	return o != nil && (o.attempts > 1 || o.timeout > 0)
}

func (p *planned) newClass(key classKey) sched.Class {
	c := sched.Class{Need: key.memory, CPU: int32(key.cpu), Amount: key.amount, Size: p.columns[key.column].size()}
	c.Alone = key.resource != "" || key.cpu > 1 || key.memory > 0
	p.g.mu.Lock()
	defer p.g.mu.Unlock()
	if m, ok := p.g.learned[key]; ok {
		c.Learn(m.count, m.nanos, m.bytes)
	}
	return c
}

// name is the name of a task, or of the constant.
func (n *node) name() string {
	if n.opts != nil && n.opts.name != "" {
		return n.opts.name
	}
	if n.do == nil {
		return "constant"
	}
	return functionName(n.do.fn())
}

func functionName(f any) string {
	v := reflect.ValueOf(f)
	if v.Kind() != reflect.Func || v.IsNil() {
		return "?"
	}
	fn := runtime.FuncForPC(v.Pointer())
	if fn == nil {
		return "?"
	}
	name := fn.Name()
	name = name[strings.LastIndexByte(name, '/')+1:]
	return strings.TrimPrefix(strings.TrimSuffix(name, "[...]"), "main.")
}

// nameOf is the name of task t of the plan.
func (p *planned) nameOf(t uint32) string { return p.nodes[p.nodeOf[t]].name() }

// inputNames are the names of what task t is called with.
func (p *planned) inputNames(t uint32) []string {
	n := &p.nodes[p.nodeOf[t]]
	var names []string
	for i, d := range p.In[p.InOff[t]:p.InOff[t+1]] {
		if d&sched.Const != 0 {
			names = append(names, constantName(p.columns[n.do.input(i)], d&^sched.Const))
			continue
		}
		names = append(names, p.nameOf(d))
	}
	return names
}

// path are the names of the tasks from a user of t to what was asked for, the
// shortest way.
func (p *planned) path(t uint32) []string {
	from := map[uint32]uint32{t: t}
	queue := []uint32{t}
	for len(queue) > 0 {
		u := queue[0]
		queue = queue[1:]
		if slices.Contains(p.Asked, u) {
			var names []string
			for ; u != t; u = from[u] {
				names = append(names, p.nameOf(u))
			}
			slices.Reverse(names)
			return names
		}
		for _, v := range p.Use[p.UseOff[u]:p.UseOff[u+1]] {
			if _, ok := from[v]; !ok {
				from[v] = u
				queue = append(queue, v)
			}
		}
	}
	return nil
}
