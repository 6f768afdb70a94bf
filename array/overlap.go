package array

import (
	"context"
	"fmt"
	"slices"

	"github.com/weft-go/weft/graph"
)

// MapOverlap applies f to blocks with neighbours: along axis i, depth[i] more
// elements on both sides, beyond the border those that border says. f returns
// the elements of the block without them. It is for stencils; see MapBlocks for
// the rest. b.Start is where the block begins in a, without the neighbours: it
// may be negative.
func MapOverlap[T, R Elem](a Array[T], name string, depth []int, border Border, f func(ctx context.Context, b Block[T]) ([]R, error)) Array[R] {
	n, k := a.node(), kindOf[R]()
	if n.err != nil {
		return Array[R]{&node{kind: k, err: n.err}}
	}
	switch {
	case f == nil:
		return Array[R]{fail("MapOverlap", k, fmt.Errorf("the function is nil; give one of a block"))}
	case len(depth) != len(n.shape):
		return Array[R]{fail("MapOverlap", k, shapeError("%d depths are given, and the array of shape %s has %d axes; give one for each", len(depth), shapeText(n.shape), len(n.shape)))}
	}
	if name == "" {
		name = "MapOverlap"
	}
	depth = slices.Clone(depth)
	padded := a
	for i, d := range depth {
		padded = padded.Pad(i, d, d, border)
	}
	if padded.n.err != nil {
		return Array[R]{&node{kind: k, err: padded.n.err}}
	}
	return Array[R]{derive(k, n.shape, overlapOp{name, depth, func(ctx context.Context, b, wide box, in block) (block, error) {
		start := slices.Clone(b.lo)
		for i := range start {
			start[i] -= depth[i]
		}
		out, err := f(ctx, Block[T]{elems[T](in, wide.len()), slices.Clone(wide.n), start})
		if err == nil && len(out) != b.len() {
			err = fmt.Errorf("the function returned %d elements; it must return %d, those of the block without its neighbours", len(out), b.len())
		}
		if err != nil {
			return nil, fmt.Errorf("the block of shape %s at %s: %w", shapeText(b.n), shapeText(b.lo), err)
		}
		return asBlock(out), nil
	}}, n, padded.n)}
}

type overlapOp struct {
	what  string
	depth []int
	f     func(ctx context.Context, b, wide box, in block) (block, error)
}

func (o overlapOp) name() string { return o.what }

func (o overlapOp) grid(p *planner, n *node) grid {
	if p.kept(n.in[0]) {
		return slices.Clone(p.grid(n.in[0]))
	}
	return p.auto(n.shape, n.kind.size(), true) // little border for much inside
}

func (o overlapOp) block(p *planner, n *node, b box) graph.Value[block] {
	wide := box{b.lo, slices.Clone(b.n)} // the padded array begins depth earlier
	for i, d := range o.depth {
		wide.n[i] += 2 * d
	}
	return p.task(o.what, b.len()*n.kind.size(), []graph.Value[block]{p.value(n.in[1], wide)}, func(ctx context.Context, bs []block) (block, error) {
		return o.f(ctx, b, wide, bs[0])
	})
}
