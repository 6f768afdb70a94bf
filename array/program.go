package array

import (
	"fmt"
	"slices"
	"strings"
)

// program is a fused expression: operations on tiles of elements, one after the
// other. Its slots are the leaves first, then registers, and the result last.
type program struct {
	kind   kind
	leaves []leaf
	instrs []instr
	slots  int
}

// leaf is an array that a program reads, and where: a map from the indexes of
// the program to those of the array.
type leaf struct {
	n *node
	m amap
	// made: its elements are made here, though others read them as blocks.
	made bool
}

// instr is one operation.
type instr struct {
	k    kernel
	code string
	dst  int
	src  [3]int
	n    int // how many operands
	size int // of an element of the result
}

// compiler turns the nodes from a root down to what is not fused into a program.
type compiler struct {
	p      *program
	stop   func(*node) bool // tells what is not fused
	known  map[string]int   // values that are there: leaves as they are, results as -1-i
	values []instr          // with operands as known has them
}

// compile makes the program that computes n. stop tells which nodes are read
// and not computed; it is not asked about n itself if force is set.
func compile(n *node, stop func(*node) bool, force bool) *program {
	c := compiler{p: &program{kind: n.kind}, stop: stop, known: map[string]int{}}
	root := c.visit(n, identity(len(n.shape)), force)
	c.allocate(root)
	return c.p
}

// visit has n computed, read by m, and says where its value is.
func (c *compiler) visit(n *node, m amap, force bool) int {
	if v, ok := n.op.(viewOp); ok && (force || !c.stop(n)) {
		return c.visit(n.in[0], m.then(v.m), false)
	}
	key := fmt.Sprintf("%p %v", n, m)
	if o, ok := n.op.(source); ok && o.cost() == 0 { // constants
		key, m = fmt.Sprintf("%d %s", n.kind, o.name()), nil
	}
	if v, ok := c.known[key]; ok {
		return v
	}
	o, ok := n.op.(elemOp)
	if !ok || !force && c.stop(n) {
		v := len(c.p.leaves)
		c.p.leaves = append(c.p.leaves, leaf{n, m, force})
		c.known[key] = v
		return v
	}
	in := instr{k: o.kernel(n.kind), code: o.code, n: len(n.in), size: n.kind.size()}
	for i, d := range n.in {
		in.src[i] = c.visit(d, m, false)
	}
	// The same operation on the same values is the same value.
	same := fmt.Sprintf("%s %d %d %v", o.code, o.of, n.kind, in.src[:in.n])
	v, ok := c.known[same]
	if !ok {
		c.values = append(c.values, in)
		v = -len(c.values)
		c.known[same] = v
	}
	c.known[key] = v
	return v
}

// allocate gives each value a slot; one whose value is not needed any more is
// used again.
func (c *compiler) allocate(root int) {
	last := make([]int, len(c.values)) // the last user of each value
	for i, in := range c.values {
		for _, s := range in.src[:in.n] {
			if s < 0 {
				last[-1-s] = i
			}
		}
	}
	base := len(c.p.leaves)
	slot, free, most := make([]int, len(c.values)), []int{}, 0
	for i, in := range c.values {
		var later []int // of another size: not to be written while it is read
		for k, s := range in.src[:in.n] {
			if s >= 0 {
				continue
			}
			in.src[k] = slot[-1-s]
			switch {
			case last[-1-s] != i || slices.Contains(free, slot[-1-s]) || slices.Contains(later, slot[-1-s]):
			case c.values[-1-s].size == in.size:
				free = append(free, slot[-1-s])
			default:
				later = append(later, slot[-1-s])
			}
		}
		switch {
		case -1-i == root:
			slot[i] = -1 // the result
		case len(free) > 0:
			slot[i] = free[len(free)-1]
			free = free[:len(free)-1]
		default:
			slot[i] = base + most
			most++
		}
		free = append(free, later...)
		in.dst = slot[i]
		c.p.instrs = append(c.p.instrs, in)
	}
	c.p.slots = base + most + 1
	for i := range c.p.instrs {
		in := &c.p.instrs[i]
		if in.dst < 0 {
			in.dst = c.p.slots - 1
		}
	}
}

// String is the operations in their order, for Explain.
func (p *program) String() string {
	if len(p.instrs) == 0 {
		return "copy"
	}
	codes := make([]string, len(p.instrs))
	for i, in := range p.instrs {
		codes[i] = in.code
	}
	return strings.Join(codes, ", ")
}
