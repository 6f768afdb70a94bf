package array

import (
	"context"
	"fmt"
	"slices"

	"github.com/weft-go/weft/graph"
)

// Block is a part of an array, as functions of the user get it.
type Block[T Elem] struct {
	// Data are the elements in the order of C. They are shared: they must not
	// be changed.
	Data []T
	// Shape is how many there are along each axis, Start where they begin in
	// the array.
	Shape, Start []int
}

// MapBlocks applies f to blocks and makes an array of the same shape of what it
// returns, as many elements as it got. Blocks are what the run chooses, or what
// Rechunk says. f is called from several goroutines, once a block; its context
// ends when the run is stopped. name is that of its tasks in errors, plans and
// reports; "" is MapBlocks.
func MapBlocks[T, R Elem](a Array[T], name string, f func(ctx context.Context, b Block[T]) ([]R, error)) Array[R] {
	n, k := a.node(), kindOf[R]()
	if n.err != nil {
		return Array[R]{&node{kind: k, err: n.err}}
	}
	if f == nil {
		return Array[R]{fail("MapBlocks", k, fmt.Errorf("the function is nil; give one of a block"))}
	}
	if name == "" {
		name = "MapBlocks"
	}
	return Array[R]{derive(k, n.shape, mapOp{name, func(ctx context.Context, b box, in block) (block, error) {
		out, err := f(ctx, Block[T]{elems[T](in, b.len()), slices.Clone(b.n), slices.Clone(b.lo)})
		if err != nil {
			return nil, fmt.Errorf("the block of shape %s at %s: %w", shapeText(b.n), shapeText(b.lo), err)
		}
		if len(out) != b.len() {
			return nil, fmt.Errorf("the block of shape %s at %s: the function returned %d elements; it must return %d", shapeText(b.n), shapeText(b.lo), len(out), b.len())
		}
		return asBlock(out), nil
	}}, n)}
}

// mapOp is a function of blocks.
type mapOp struct {
	what string
	f    func(ctx context.Context, b box, in block) (block, error)
}

func (o mapOp) name() string { return o.what }

func (o mapOp) grid(p *planner, n *node) grid { return slices.Clone(p.grid(n.in[0])) }

func (o mapOp) block(p *planner, n *node, b box) graph.Value[block] {
	return p.task(o.what, b.len()*n.kind.size(), []graph.Value[block]{p.value(n.in[0], b)}, func(ctx context.Context, bs []block) (block, error) {
		return o.f(ctx, b, bs[0])
	})
}
