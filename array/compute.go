package array

import (
	"context"
	"fmt"
	"unsafe"

	"github.com/weft-go/weft/graph"
	"github.com/weft-go/weft/internal/memory"
)

const (
	mostTarget  = 1 << 20
	leastTarget = 64 << 10
	// sharesOfLimit is how many blocks of the target size the memory limit has
	// room for: some for each worker, and for what waits to be used.
	sharesOfLimit = 64
)

// budget is the memory that a run may use.
func budget(opts []graph.RunOption) (limit int64, source string) {
	if limit = graph.MemoryLimitOf(opts...); limit > 0 {
		return limit, "graph.MemoryLimit"
	}
	free, source := memory.Available()
	return max(1, free/4*3), source
}

// targetOf is how large blocks are under a memory limit.
func targetOf(limit int64) int {
	return int(min(mostTarget, max(leastTarget, limit/sharesOfLimit)))
}

// Compute computes the elements and returns them in the order of C: those along
// the last axis are neighbours. Shape says how many there are along each axis.
//
// It runs as a graph, with its options: graph.Workers, graph.MemoryLimit,
// graph.SpillTo, graph.HTMLReport and the like. Work that is too small to be
// shared runs in the caller's goroutine. The result does not depend on the
// number of workers, nor on how the work was cut. A result that has no room in
// the memory limit is ErrTooLarge: reduce it, use Rows, or store it in a file.
func (a Array[T]) Compute(ctx context.Context, opts ...graph.RunOption) ([]T, error) {
	out, err := ComputeAll(ctx, []Array[T]{a}, opts...)
	if err != nil {
		return nil, err
	}
	return out[0], nil
}

// Item computes an array of one element.
func (a Array[T]) Item(ctx context.Context, opts ...graph.RunOption) (T, error) {
	n := a.node()
	var zero T
	if n.err == nil && product(n.shape) != 1 {
		return zero, shapeError("array: Item: the array of shape %s has %d elements; use Compute, or reduce it to one", shapeText(n.shape), product(n.shape))
	}
	out, err := a.Compute(ctx, opts...)
	if err != nil {
		return zero, err
	}
	return out[0], nil
}

// ComputeAll is Compute for several arrays at once. What they share is computed
// once.
func ComputeAll[T Elem](ctx context.Context, as []Array[T], opts ...graph.RunOption) ([][]T, error) {
	limit, why := budget(opts)
	total := int64(0)
	roots := make([]*node, len(as))
	for i, a := range as {
		roots[i] = a.node()
		if err := roots[i].err; err != nil {
			return nil, err
		}
		total += a.Bytes()
	}
	if total > limit {
		return nil, fmt.Errorf("array: Compute: the result of %s takes %s, and the memory limit is %s (%s): %w; reduce it, go through it with Rows, or store it", roots[0].op.name(), memory.Text(total), memory.Text(limit), why, ErrTooLarge)
	}
	p := newPlanner(targetOf(limit), roots...)
	outs := make([][]T, len(as))
	var tasks []graph.Value[struct{}]
	for i, n := range roots {
		outs[i] = make([]T, product(n.shape))
		tasks = append(tasks, p.writeTo(n, unsafe.Pointer(unsafe.SliceData(outs[i])))...)
	}
	if graph.MemoryLimitOf(opts...) > 0 { // what the result takes is not there for blocks
		opts = append(opts[:len(opts):len(opts)], graph.MemoryLimit(max(1, limit-total)))
	}
	if _, err := graph.ComputeAll(ctx, tasks, opts...); err != nil {
		return nil, err
	}
	return outs, nil
}

// writeTo adds tasks that write n to memory, in the order of C.
func (p *planner) writeTo(n *node, mem unsafe.Pointer) []graph.Value[struct{}] {
	if product(n.shape) == 0 {
		return nil
	}
	g := p.grid(n)
	prog := p.reader(n)
	size := n.kind.size()
	st := strides(n.shape)
	var tasks []graph.Value[struct{}]
	each(g.counts(), func(_ int, index []int) {
		b := g.box(index)
		p.note(n, prog, "", b)
		rs, in := p.bindAll(prog, b)
		out := operand{p: mem, strides: st, size: size}
		for i, lo := range b.lo {
			out.base += lo * st[i]
		}
		out.p, out.base = at(mem, out.base, size), 0
		tasks = append(tasks, writeTask(p, n, in.values, func(ctx context.Context, bs []block) error {
			return prog.run(ctx, resolve(rs, bs), b.n, nil, &out, 0, nil)
		}))
	})
	return tasks
}

// writeTask is a task whose result is elsewhere.
func writeTask(p *planner, n *node, in []graph.Value[block], f func(ctx context.Context, bs []block) error) graph.Value[struct{}] {
	name := graph.Name(p.name(n))
	switch len(in) {
	case 0:
		return graph.Call0(p.g, func(ctx context.Context) (struct{}, error) { return struct{}{}, f(ctx, nil) }, name)
	case 1:
		return graph.Call(p.g, func(ctx context.Context, b block) (struct{}, error) { return struct{}{}, f(ctx, []block{b}) }, in[0], name)
	}
	return graph.CallN(p.g, func(ctx context.Context, bs []block) (struct{}, error) { return struct{}{}, f(ctx, bs) }, in, name)
}

// Persist computes a and returns an array that is in memory.
func (a Array[T]) Persist(ctx context.Context, opts ...graph.RunOption) (Array[T], error) {
	data, err := a.Compute(ctx, opts...)
	if err != nil {
		return Array[T]{}, err
	}
	return Array[T]{dense(data, a.Shape())}, nil
}
