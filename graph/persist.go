package graph

import "context"

// Persist computes vs, shared parts once, and keeps their results as long as
// their graph is used: later runs take them as constants, and need nothing that
// only led to them. A value that is kept may also be used in other graphs.
func Persist[T any](ctx context.Context, vs []Value[T], opts ...RunOption) error {
	if len(vs) == 0 {
		return nil
	}
	out, err := ComputeAll(ctx, vs, opts...)
	if err != nil {
		return err
	}
	g := vs[0].g
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.kept == nil {
		g.kept = map[uint32]uint32{}
	}
	col := g.columns[columnOf[T](g)].(*columnFor[T])
	for i, v := range vs {
		if _, ok := g.kept[v.task]; !ok && !g.isConst(v.task) {
			g.kept[v.task] = uint32(len(col.constants))
			col.constants = append(col.constants, out[i])
			lend(g, v.task, out[i])
		}
	}
	return nil
}

// lend lets other graphs take a result.
func lend(g *Graph, task uint32, v any) {
	g.lent.Lock()
	defer g.lent.Unlock()
	if g.lent.values == nil {
		g.lent.values = map[uint32]any{}
	}
	g.lent.values[task] = v
}

// isConst tells whether t is a constant. Called with g.mu held.
func (g *Graph) isConst(t uint32) bool {
	p := planned{nodes: g.nodes}
	return g.nodes[p.nodeAt(t+1)].kind == KindConst
}

// adopt makes a kept value of another graph a constant of g. Called with g.mu
// held.
func adopt[T any](g *Graph, v Value[T]) (task uint32, ok bool) {
	v.g.lent.Lock()
	kept, ok := v.g.lent.values[v.task].(T)
	v.g.lent.Unlock()
	if !ok {
		return 0, false
	}
	return constants(g, kept), true
}
