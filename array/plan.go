package array

import (
	"context"
	"fmt"
	"sort"
	"strings"
	"unsafe"

	"github.com/weft-go/weft/graph"
)

// box is a part of an array: n[i] elements from lo[i] on along axis i.
type box struct{ lo, n []int }

func (b box) len() int { return product(b.n) }

// grid cuts an array into blocks: cuts[i] are where they begin along axis i, and
// the length of the axis.
type grid [][]int

// counts is how many blocks there are along each axis.
func (g grid) counts() []int {
	c := make([]int, len(g))
	for i := range g {
		c[i] = len(g[i]) - 1
	}
	return c
}

// box is the block with this index.
func (g grid) box(index []int) box {
	b := box{make([]int, len(g)), make([]int, len(g))}
	for i, k := range index {
		b.lo[i], b.n[i] = g[i][k], g[i][k+1]-g[i][k]
	}
	return b
}

// each calls f for the indexes of all blocks, in the order of C.
func each(counts []int, f func(flat int, index []int)) {
	index := make([]int, len(counts))
	for flat := range product(counts) {
		unravel(flat, counts, index)
		f(flat, index)
	}
}

// evenly cuts n into pieces of size at most.
func evenly(n, size int) []int {
	size = max(1, size)
	cuts := []int{0}
	for k := size; k < n; k += size {
		cuts = append(cuts, k)
	}
	return append(cuts, n)
}

// blockOp is an op that is computed block by block.
type blockOp interface {
	op
	// grid says which blocks there are.
	grid(p *planner, n *node) grid
	// block is the one at b.
	block(p *planner, n *node, b box) graph.Value[block]
}

// planner turns nodes into the tasks of a graph.
type planner struct {
	g       *graph.Graph
	target  int // about how many bytes a block has
	cut     map[*node]bool
	progs   map[*node]*program // that compute a node
	readers map[*node]*program // that read it, if it is there as blocks
	grids   map[*node]grid
	blocks  map[blockKey]graph.Value[block]
	regions map[string]graph.Value[block]
	loops   []loopInfo // for Explain
}

// loopInfo is one fused loop, for Explain.
type loopInfo struct {
	n     *node
	prog  *program
	what  string
	boxes int
	elems int
}

type blockKey struct {
	n    *node
	flat int
}

func newPlanner(target int, roots ...*node) *planner {
	p := &planner{
		g: graph.New(), target: target, cut: map[*node]bool{}, progs: map[*node]*program{}, readers: map[*node]*program{}, grids: map[*node]grid{},
		blocks: map[blockKey]graph.Value[block]{}, regions: map[string]graph.Value[block]{},
	}
	p.analyse(roots)
	return p
}

// worthKeeping is from which cost of an element on, in additions, a result that
// several loops need is computed once and kept, and not in each of them.
const worthKeeping = 24

// analyse finds what is computed once though it could be fused: what is
// expensive and needed by more than one loop.
func (p *planner) analyse(roots []*node) {
	var order []*node
	seen := map[*node]bool{}
	var visit func(n *node)
	visit = func(n *node) {
		if seen[n] {
			return
		}
		seen[n] = true
		for _, d := range n.in {
			visit(d)
		}
		order = append(order, n)
	}
	loops := map[*node]map[*node]bool{} // which loops compute a node
	add := func(n, loop *node) {
		if loops[n] == nil {
			loops[n] = map[*node]bool{}
		}
		loops[n][loop] = true
	}
	for _, r := range roots {
		visit(r)
		add(r, r)
	}
	weight := map[*node]int{}
	for _, n := range order {
		w := 0
		switch o := n.op.(type) {
		case elemOp:
			w = max(1, costs[o.code])
		case source:
			w = o.cost()
		}
		if _, ok := n.op.(blockOp); !ok {
			for _, d := range n.in {
				w += weight[d]
			}
		}
		weight[n] = min(w, 1<<20)
	}
	for i := len(order) - 1; i >= 0; i-- {
		n := order[i]
		_, blocky := n.op.(blockOp)
		_, isView := n.op.(viewOp)
		_, isDense := n.op.(denseOp)
		if !blocky && !isView && !isDense && len(loops[n]) > 1 && weight[n] >= worthKeeping {
			p.cut[n] = true
		}
		for _, d := range n.in {
			if blocky || p.cut[n] {
				add(d, n)
				continue
			}
			for l := range loops[n] {
				add(d, l)
			}
		}
	}
}

// kept tells whether n is there as blocks.
func (p *planner) kept(n *node) bool {
	if p.cut[n] {
		return true
	}
	_, ok := n.op.(blockOp)
	return ok
}

// program is the one that computes n, which is not a blockOp.
func (p *planner) program(n *node) *program {
	prog, ok := p.progs[n]
	if !ok {
		prog = compile(n, p.kept, true)
		p.progs[n] = prog
	}
	return prog
}

// reader is the program that reads n from its blocks if it is kept, and computes
// it if not.
func (p *planner) reader(n *node) *program {
	if !p.kept(n) {
		return p.program(n)
	}
	prog, ok := p.readers[n]
	if !ok {
		prog = compile(n, p.kept, false)
		p.readers[n] = prog
	}
	return prog
}

// grid is how n is cut into blocks.
func (p *planner) grid(n *node) grid {
	if g, ok := p.grids[n]; ok {
		return g
	}
	var g grid
	if o, ok := n.op.(blockOp); ok {
		g = o.grid(p, n)
	} else {
		g = p.follow(n)
	}
	p.grids[n] = g
	return g
}

// follow is the grid of a fused expression: that of the largest array that it
// reads block by block, else a new one.
func (p *planner) follow(n *node) grid {
	prog := p.program(n)
	var largest *leaf
	crossed := false // read in another order than that of memory
	for i := range prog.leaves {
		l := &prog.leaves[i]
		if p.kept(l.n) && !l.made && (largest == nil || product(l.n.shape) > product(largest.n.shape)) {
			largest = l
		}
		last := -1
		for _, m := range l.m {
			if m.axis >= 0 {
				crossed = crossed || m.axis < last
				last = m.axis
			}
		}
	}
	g := p.auto(n.shape, n.kind.size(), crossed)
	if largest == nil || product(largest.n.shape) < product(n.shape)/4 {
		return g
	}
	theirs := p.grid(largest.n)
	for a, m := range largest.m {
		if m.axis < 0 {
			continue
		}
		cuts := []int{0}
		length := n.shape[m.axis]
		for _, c := range theirs[a] {
			at := c - m.start
			if m.step < 0 {
				at = m.start + 1 - c
			}
			step := max(m.step, -m.step)
			at = (at + step - 1) / step
			if at > 0 && at < length {
				cuts = append(cuts, at)
			}
		}
		sort.Ints(cuts)
		g[m.axis] = append(cuts, length)
	}
	for o := range g { // axes that it does not have
		if !mapped(largest.m, o) {
			g[o] = []int{0, n.shape[o]}
		}
	}
	return g
}

func mapped(m amap, axis int) bool {
	for _, a := range m {
		if a.axis == axis {
			return true
		}
	}
	return false
}

// auto cuts a shape into blocks of about the target size: such that each is one
// piece of memory, or about as long as wide.
func (p *planner) auto(shape []int, size int, square bool) grid {
	left := max(1, p.target/size)
	g := make(grid, len(shape))
	if !square {
		for i := len(shape) - 1; i >= 0; i-- {
			k := min(left, max(1, shape[i]))
			if pieces := (shape[i] + k - 1) / k; pieces > 1 {
				k = (shape[i] + pieces - 1) / pieces
			}
			g[i] = evenly(shape[i], k)
			left = max(1, left/max(1, shape[i]))
		}
		return g
	}
	for _, i := range byLength(shape) { // the shortest first
		dims := 0
		for k := range g {
			if g[k] == nil {
				dims++
			}
		}
		side := root(left, dims)
		k := min(side, max(1, shape[i]))
		g[i] = evenly(shape[i], k)
		left = max(1, left/k)
	}
	return g
}

// byLength are the axes, the shortest first.
func byLength(shape []int) []int {
	order := make([]int, len(shape))
	for i := range order {
		order[i] = i
	}
	sort.SliceStable(order, func(a, b int) bool { return shape[order[a]] < shape[order[b]] })
	return order
}

// root is the whole part of the k-th root of n.
func root(n, k int) int {
	r := 1
	for pow(r+1, k, n) <= n {
		r++
		if k == 1 {
			return n
		}
	}
	return r
}

// pow is b to the power of k, but at most a bit more than most.
func pow(b, k, most int) int {
	v := 1
	for range k {
		if v > most/b {
			return most + 1
		}
		v *= b
	}
	return v
}

// blockAt is a block of an array that is kept.
func (p *planner) blockAt(n *node, index []int) graph.Value[block] {
	g := p.grid(n)
	flat := 0
	for i, k := range index {
		flat = flat*(len(g[i])-1) + k
	}
	key := blockKey{n, flat}
	if v, ok := p.blocks[key]; ok {
		return v
	}
	b := g.box(index)
	var v graph.Value[block]
	if o, ok := n.op.(blockOp); ok {
		v = o.block(p, n, b)
	} else {
		v = p.compute(n, b)
	}
	p.blocks[key] = v
	return v
}

// inputs are the blocks that a task reads, each once.
type inputs struct {
	values []graph.Value[block]
	at     map[int]int
}

func (in *inputs) add(v graph.Value[block]) int {
	if in.at == nil {
		in.at = map[int]int{}
	}
	i, ok := in.at[v.ID()]
	if !ok {
		i = len(in.values)
		in.at[v.ID()] = i
		in.values = append(in.values, v)
	}
	return i
}

// reading is an operand whose memory may be that of an input of the task.
type reading struct {
	operand
	in int // which input; -1 if none
}

// resolve gives readings their memory.
func resolve(rs []reading, bs []block) []operand {
	ops := make([]operand, len(rs))
	for i, r := range rs {
		ops[i] = r.operand
		if r.in >= 0 {
			ops[i].p = pointer(bs[r.in])
		}
	}
	return ops
}

// bind finds where a program finds the elements of a leaf for a box.
func (p *planner) bind(l leaf, b box, in *inputs) reading {
	r := reading{in: -1}
	r.size = l.n.kind.size()
	r.strides = make([]int, len(b.n))
	if l.m == nil { // a constant
		r.src, _ = l.n.op.(source)
		return r
	}
	// The part of the leaf, with steps above 0.
	dims := len(l.m)
	start, step, count := make([]int, dims), make([]int, dims), make([]int, dims)
	for a, m := range l.m {
		start[a], step[a], count[a] = m.start, 1, 1
		if m.axis >= 0 {
			start[a], step[a], count[a] = m.start+m.step*b.lo[m.axis], m.step, b.n[m.axis]
		}
		if step[a] < 0 {
			start[a] += step[a] * (count[a] - 1)
			step[a] = -step[a]
		}
		if step[a] == 0 {
			step[a] = 1
		}
	}
	var st []int // strides of what is read, and the part's place in it
	first := 0
	unit := false // what is read has been cut to the part, steps included
	switch o := l.n.op.(type) {
	case denseOp:
		r.p, st = o.p, strides(l.n.shape)
	case source:
		if !p.cut[l.n] || l.made {
			r.src, st = o, strides(l.n.shape)
		}
	}
	if st == nil { // blocks
		g := p.grid(l.n)
		index := make([]int, dims)
		one := true
		for a := range dims {
			index[a] = find(g[a], start[a])
			one = one && start[a]+step[a]*(count[a]-1) < g[a][index[a]+1]
		}
		if one {
			bb := g.box(index)
			r.in, st = in.add(p.blockAt(l.n, index)), strides(bb.n)
			for a := range dims {
				first -= bb.lo[a] * st[a]
			}
		} else {
			r.in, st, unit = in.add(p.gather(l.n, start, step, count)), strides(count), true
		}
	}
	for a, m := range l.m {
		s := st[a]
		lo := 0
		if !unit {
			lo, s = start[a]*st[a], st[a]*step[a]
		}
		if m.step < 0 {
			lo += s * (count[a] - 1)
			s = -s
		}
		first += lo
		if m.axis >= 0 {
			r.strides[m.axis] += s
		}
	}
	r.base = first
	return r
}

// find is the block that index i is in.
func find(cuts []int, i int) int { return sort.SearchInts(cuts, i+1) - 1 }

// bindAll binds the leaves of a program.
func (p *planner) bindAll(prog *program, b box) ([]reading, *inputs) {
	in := &inputs{}
	rs := make([]reading, len(prog.leaves))
	for i, l := range prog.leaves {
		rs[i] = p.bind(l, b, in)
	}
	return rs, in
}

// task adds a task of the given name that makes a block of bytes from inputs.
func (p *planner) task(name string, bytes int, in []graph.Value[block], f func(ctx context.Context, bs []block) (block, error)) graph.Value[block] {
	opts := []graph.NodeOption{graph.Name(name)}
	if bytes >= worthAsking {
		opts = append(opts, graph.Memory(int64(bytes)))
	}
	switch len(in) {
	case 0:
		return graph.Call0(p.g, func(ctx context.Context) (block, error) { return f(ctx, nil) }, opts...)
	case 1:
		return graph.Call(p.g, func(ctx context.Context, b block) (block, error) { return f(ctx, []block{b}) }, in[0], opts...)
	}
	return graph.CallN(p.g, f, in, opts...)
}

// worthAsking is from which size on a task says what memory it needs. It then
// runs by itself.
const worthAsking = 256 << 10

// name is that of the tasks that compute n.
func (p *planner) name(n *node) string {
	if prog := p.progs[n]; prog != nil && len(prog.instrs) > 1 {
		return fmt.Sprintf("%s and %d more", n.op.name(), len(prog.instrs)-1)
	}
	return n.op.name()
}

// compute is the elements of a box of n, by its program.
func (p *planner) compute(n *node, b box) graph.Value[block] {
	prog := p.program(n)
	p.note(n, prog, "", b)
	rs, in := p.bindAll(prog, b)
	size := n.kind.size()
	out := operand{strides: strides(b.n), size: size}
	return p.task(p.name(n), b.len()*size, in.values, func(ctx context.Context, bs []block) (block, error) {
		d := newBlock(n.kind, b.len())
		o := out
		o.p = pointer(d)
		return d, prog.run(ctx, resolve(rs, bs), b.n, nil, &o, 0, nil)
	})
}

// note counts a loop for Explain.
func (p *planner) note(n *node, prog *program, what string, b box) {
	for i := len(p.loops) - 1; i >= 0; i-- {
		if l := &p.loops[i]; l.n == n && l.what == what {
			l.boxes++
			l.elems += b.len()
			return
		}
	}
	p.loops = append(p.loops, loopInfo{n, prog, what, 1, b.len()})
}

// value is the elements of a box of n as one block, in the order of C.
func (p *planner) value(n *node, b box) graph.Value[block] {
	if b.len() == 0 {
		return graph.Const(p.g, block(nil))
	}
	if p.kept(n) {
		step := make([]int, len(b.n))
		for i := range step {
			step[i] = 1
		}
		return p.gather(n, b.lo, step, b.n)
	}
	key := fmt.Sprintf("%p %v", n, b)
	v, ok := p.regions[key]
	if !ok {
		v = p.compute(n, b)
		p.regions[key] = v
	}
	return v
}

// gather is a part of an array that is kept, as one block: count elements from
// start on along each axis, step apart.
func (p *planner) gather(n *node, start, step, count []int) graph.Value[block] {
	g := p.grid(n)
	dims := len(start)
	type span struct{ k, lo, n, first int } // block, first element here, how many, first element in the block
	spans := make([][]span, dims)
	parts := make([]int, dims)
	index := make([]int, dims)
	exact := true
	for a := range dims {
		for i := 0; i < count[a]; {
			at := start[a] + i*step[a]
			k := find(g[a], at)
			c := min(count[a]-i, (g[a][k+1]-at+step[a]-1)/step[a])
			spans[a] = append(spans[a], span{k, i, c, at - g[a][k]})
			i += c
		}
		parts[a] = len(spans[a])
		index[a] = spans[a][0].k
		exact = exact && parts[a] == 1 && step[a] == 1 && count[a] == g[a][index[a]+1]-g[a][index[a]]
	}
	if exact {
		return p.blockAt(n, index)
	}
	var key strings.Builder
	fmt.Fprintf(&key, "%p %v %v %v", n, start, step, count)
	if v, ok := p.regions[key.String()]; ok {
		return v
	}
	type piece struct {
		in       int
		dst, src int
		n        []int
		ds, ss   []int
	}
	var in inputs
	var pieces []piece
	out := strides(count)
	each(parts, func(_ int, at []int) {
		pc := piece{n: make([]int, dims), ds: out, ss: make([]int, dims)}
		for a := range dims {
			index[a] = spans[a][at[a]].k
		}
		st := strides(g.box(index).n)
		for a := range dims {
			s := spans[a][at[a]]
			pc.n[a], pc.ss[a] = s.n, st[a]*step[a]
			pc.dst += s.lo * out[a]
			pc.src += s.first * st[a]
		}
		pc.in = in.add(p.blockAt(n, index))
		pieces = append(pieces, pc)
	})
	total, size := product(count), n.kind.size()
	v := p.task("gather", total*size, in.values, func(ctx context.Context, bs []block) (block, error) {
		d := newBlock(n.kind, total)
		for _, pc := range pieces {
			copyBox(at(pointer(d), pc.dst, size), pc.ds, at(pointer(bs[pc.in]), pc.src, size), pc.ss, pc.n, size)
		}
		return d, nil
	})
	p.regions[key.String()] = v
	return v
}

// copyBox copies the elements of a box from one place to another.
func copyBox(d unsafe.Pointer, ds []int, s unsafe.Pointer, ss, n []int, size int) {
	l, st := newLoop(n, nil, []operand{{p: d, strides: ds, size: size}, {p: s, strides: ss, size: size}})
	if l.total == 0 {
		return
	}
	for row := range l.total / l.inner {
		copyRun(at(d, st[0].row(&l, row), size), st[0].inner, at(s, st[1].row(&l, row), size), st[1].inner, l.inner, size)
	}
}
