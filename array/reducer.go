package array

import (
	"context"
	"math"
	"unsafe"

	"github.com/weft-go/weft/graph"
	"github.com/weft-go/weft/internal/vector"
)

// A reduction is a tree that depends on the shape and the axes alone. Its leaves
// are cells of some cellLen elements, whose results are joined in a fixed order;
// within a cell it goes pairwise by tiles. That is why the result has the same
// bits however the array is cut and whoever computes it.
const (
	cellLen = 1 << 17
	// keptLen is how many results a cell has at most where the innermost axis
	// is not reduced: they stay in the second cache.
	keptLen = 1 << 12
	// joined is how many results of cells are joined one after the other.
	joined = 8
	// rowsJoined is how many rows are added one after the other before it goes
	// on pairwise.
	rowsJoined = 16
)

// reducer is how elements of one kind are reduced.
type reducer struct {
	// cell reduces a cell: prog's elements at ops, of the given shape. lo is
	// where it is in the array, shape that of the array.
	cell func(ctx context.Context, c cell) (block, error)
	// join joins the results of two cells, of k elements each; the first is
	// before the second.
	join func(a, b block, k int) block
	// finish turns the last result into k elements; nil if they are.
	finish func(a block, k, many, ddof int) block
	// words is how many words the result of a cell with k elements takes.
	words func(k int) int
	empty op // what the reduction of nothing is
}

// cell is a part of an array to be reduced.
type cell struct {
	prog  *program
	ops   []operand
	b     box
	shape []int // of the array
	red   []bool
}

// kept and gone are how many elements there are along the axes that stay, and
// along those that are reduced.
func (c *cell) kept() int {
	k := 1
	for a, gone := range c.red {
		if !gone {
			k *= c.b.n[a]
		}
	}
	return k
}

// order is that of the axes in which the cell is walked through: those that are
// reduced first if the innermost stays, else last.
func (c *cell) order() (perm []int, redFirst bool) {
	for a := len(c.red) - 1; a >= 0; a-- {
		if c.shape[a] > 1 {
			redFirst = !c.red[a]
			break
		}
	}
	var kept, red []int
	for a, gone := range c.red {
		if gone {
			red = append(red, a)
		} else {
			kept = append(kept, a)
		}
	}
	if redFirst {
		return append(red, kept...), true
	}
	return append(kept, red...), false
}

// cellShape cuts an array into cells.
func cellShape(shape []int, red []bool) []int {
	cell := make([]int, len(shape))
	for a := range cell {
		cell[a] = 1
	}
	left := cellLen
	grow := func(which bool, most int) {
		for a := len(shape) - 1; a >= 0; a-- {
			if red[a] != which {
				continue
			}
			k := min(max(1, shape[a]), most, left)
			if pieces := (shape[a] + k - 1) / k; pieces > 1 { // a power of two, so that tiles are whole
				for p := 1; ; p *= 2 {
					if 2*p > k {
						k = p
						break
					}
				}
			}
			cell[a] = k
			left /= k
			most /= k
			if k < shape[a] || left < 2 || most < 2 {
				return
			}
		}
	}
	last := false // whether the innermost axis is reduced
	for a := len(shape) - 1; a >= 0; a-- {
		if shape[a] > 1 {
			last = red[a]
			break
		}
	}
	if last {
		grow(true, cellLen)
		grow(false, cellLen)
	} else {
		grow(false, keptLen)
		grow(true, cellLen)
	}
	return cell
}

func (o reduceOp) grid(_ *planner, n *node) grid {
	in := n.in[0].shape
	cell := cellShape(in, o.red)
	g := make(grid, len(in))
	for a := range g {
		if o.red[a] {
			g[a] = []int{0, 1}
		} else {
			g[a] = evenly(in[a], cell[a])
		}
	}
	return g
}

func (o reduceOp) block(p *planner, n *node, b box) graph.Value[block] {
	in := n.in[0]
	shape := cellShape(in.shape, o.red)
	cuts := make(grid, len(in.shape))
	for a := range cuts {
		if o.red[a] {
			cuts[a] = evenly(in.shape[a], shape[a])
			if in.shape[a] == 0 {
				cuts[a] = []int{0, 0}
			}
		} else {
			cuts[a] = []int{b.lo[a], b.lo[a] + b.n[a]}
		}
	}
	prog := p.reader(in)
	k := b.len()
	var parts []graph.Value[block]
	many := 1
	for a, gone := range o.red {
		if gone {
			many *= in.shape[a]
		}
	}
	each(cuts.counts(), func(_ int, index []int) {
		cb := cuts.box(index)
		p.note(in, prog, o.code, cb)
		rs, ins := p.bindAll(prog, cb)
		c := cell{prog: prog, b: cb, shape: in.shape, red: o.red}
		parts = append(parts, p.task(o.code, o.r.words(k)*8, ins.values, func(ctx context.Context, bs []block) (block, error) {
			mine := c
			mine.ops = resolve(rs, bs)
			return o.r.cell(ctx, mine)
		}))
	})
	v := parts[0]
	if len(parts) > 1 {
		join := o.r.join
		v = graph.Reduce(p.g, func(_ context.Context, x, y block) (block, error) { return join(x, y, k), nil }, parts, joined, graph.Name("join "+o.code))
	}
	if o.r.finish == nil {
		return v
	}
	finish, ddof := o.r.finish, o.ddof
	return p.task("finish "+o.code, 0, []graph.Value[block]{v}, func(_ context.Context, bs []block) (block, error) {
		return finish(bs[0], k, many, ddof), nil
	})
}

// reducerOf is the reducer for a code and the kind of elements.
func reducerOf(code string, k kind) (reducer, bool) {
	switch k {
	case f64:
		return realReducer[float64](code)
	case f32:
		return realReducer[float32](code)
	case i64:
		return realReducer[int64](code)
	case i32:
		return smallReducer[int32](code)
	case u8:
		return smallReducer[uint8](code)
	case boolean:
		return boolReducer(code)
	}
	return sumReducer[complex128](code)
}

func sumReducer[T vector.Number](code string) (reducer, bool) {
	switch code {
	case "sum":
		return foldReducer(vector.Add[T], vector.Sum[T], 0), true
	case "prod":
		return foldReducer(vector.Mul[T], vector.Prod[T], 1), true
	}
	return reducer{}, false
}

func smallReducer[T Real](code string) (reducer, bool) {
	switch code {
	case "min":
		return foldReducer(vector.Min[T], vector.Least[T], 0), true
	case "max":
		return foldReducer(vector.Max[T], vector.Greatest[T], 0), true
	case "argmin":
		return argReducer(func(x, y T) bool { return x < y }), true
	case "argmax":
		return argReducer(func(x, y T) bool { return x > y }), true
	}
	return reducer{}, false
}

func realReducer[T interface {
	float64 | float32 | int64
}](code string) (reducer, bool) {
	if r, ok := smallReducer[T](code); ok {
		return r, true
	}
	if r, ok := sumReducer[T](code); ok {
		return r, true
	}
	if _, ok := any(*new(T)).(float64); ok && code == "var" {
		return varReducer(), true
	}
	return reducer{}, false
}

func boolReducer(code string) (reducer, bool) {
	switch code {
	case "any":
		return foldReducer(vector.Or, vector.Any, false), true
	case "all":
		return foldReducer(vector.And, vector.All, true), true
	}
	return reducer{}, false
}

// counter joins values pairwise as they come: it holds one for each bit of how
// many there were.
type counter[T any] struct {
	held  []T
	count int
	join  func(a, b T) T
}

func (c *counter[T]) push(v T) {
	for k := c.count; k&1 == 1; k >>= 1 {
		last := len(c.held) - 1
		v = c.join(c.held[last], v)
		c.held = c.held[:last]
	}
	c.held = append(c.held, v)
	c.count++
}

func (c *counter[T]) total() T {
	last := len(c.held) - 1
	v := c.held[last]
	for i := last - 1; i >= 0; i-- {
		v = c.join(c.held[i], v)
	}
	return v
}

// foldReducer reduces with an operation on pairs: two does it for slices, all
// for the elements of one.
func foldReducer[T Elem](two func(dst, a, b []T), all func([]T) T, none T) reducer {
	k := kindOf[T]()
	return reducer{
		empty: constOp[T]{none},
		words: func(n int) int { return (n*k.size() + 7) / 8 },
		join: func(a, b block, n int) block {
			out := newBlock(k, n)
			two(elems[T](out, n), elems[T](a, n), elems[T](b, n))
			return out
		},
		cell: func(ctx context.Context, c cell) (block, error) {
			kept := c.kept()
			out := newBlock(k, kept)
			return out, foldCell(ctx, c, elems[T](out, kept), two, all)
		},
	}
}

// foldCell reduces a cell to out.
func foldCell[T Elem](ctx context.Context, c cell, out []T, two func(dst, a, b []T), all func([]T) T) error {
	kept := len(out)
	gone := c.b.len() / kept
	perm, redFirst := c.order()
	pair := func(x, y T) T {
		a, b := [1]T{x}, [1]T{y}
		two(a[:], a[:], b[:])
		return a[0]
	}
	if redFirst && kept > 1 {
		return foldRows(ctx, c, perm, out, two)
	}
	tile := tileLen
	if gone < tileLen { // whole rows
		tile = tileLen / gone * gone
	}
	sums := counter[T]{join: pair}
	return c.prog.run(ctx, c.ops, c.b.n, perm, nil, tile, func(t unsafe.Pointer, pos, n int) {
		l := list[T](t, n)
		for len(l) > 0 {
			row, col := pos/gone, pos%gone
			m := min(len(l), gone-col)
			v := all(l[:m])
			if m == gone {
				out[row] = v
			} else {
				sums.push(v)
				if col+m == gone {
					out[row] = sums.total()
					sums.held, sums.count = sums.held[:0], 0
				}
			}
			l = l[m:]
			pos += m
		}
	})
}

// foldRows reduces rows of len(out) elements, the first to the last.
func foldRows[T Elem](ctx context.Context, c cell, perm []int, out []T, two func(dst, a, b []T)) error {
	kept := len(out)
	rows := c.b.len() / kept
	var spare [][]T
	fresh := func() []T {
		if k := len(spare); k > 0 {
			v := spare[k-1]
			spare = spare[:k-1]
			return v
		}
		return make([]T, kept)
	}
	sums := counter[[]T]{join: func(a, b []T) []T {
		two(a, a, b)
		spare = append(spare, b)
		return a
	}}
	tile := tileLen
	if kept < tileLen { // whole rows, which are halved
		tile = tileLen / kept * kept
	}
	var acc []T
	err := c.prog.run(ctx, c.ops, c.b.n, perm, nil, tile, func(t unsafe.Pointer, pos, n int) {
		if kept < tileLen {
			acc = fresh()
			fold(acc, list[T](t, n), kept, two)
			sums.push(acc)
			return
		}
		for l := list[T](t, n); len(l) > 0; {
			row, col := pos/kept, pos%kept
			m := min(len(l), kept-col)
			if row%rowsJoined == 0 {
				if col == 0 {
					acc = fresh()
				}
				copy(acc[col:], l[:m])
			} else {
				two(acc[col:col+m], acc[col:col+m], l[:m])
			}
			if col+m == kept && (row%rowsJoined == rowsJoined-1 || row == rows-1) {
				sums.push(acc)
			}
			l = l[m:]
			pos += m
		}
	})
	if err == nil {
		copy(out, sums.total())
	}
	return err
}

// fold joins the rows of l to one, halving them again and again. It does not
// write l.
func fold[T any](dst, l []T, kept int, two func(dst, a, b []T)) {
	rows := len(l) / kept
	if rows == 1 {
		copy(dst, l)
		return
	}
	var buf [tileLen]T
	h := (rows + 1) / 2 // the first half has the odd one
	w := buf[:h*kept]
	copy(w, l[:h*kept])
	two(w[:len(l)-h*kept], w[:len(l)-h*kept], l[h*kept:])
	for rows = h; rows > 1; rows = h {
		h = (rows + 1) / 2
		two(w[:(rows-h)*kept], w[:(rows-h)*kept], w[h*kept:rows*kept])
	}
	copy(dst, w[:kept])
}

// gathered are the elements of a cell in the order of perm.
func gathered[T Elem](ctx context.Context, c cell, perm []int) ([]T, error) {
	n := c.b.len()
	l := make([]T, n)
	st, k := make([]int, len(perm)), 1
	for i := len(perm) - 1; i >= 0; i-- {
		st[perm[i]] = k
		k *= c.b.n[perm[i]]
	}
	return l, c.prog.run(ctx, c.ops, c.b.n, perm, &operand{p: unsafe.Pointer(unsafe.SliceData(l)), strides: st, size: kindOf[T]().size()}, 0, nil)
}

// varReducer keeps the mean of each result, then the sum of squared distances
// from it, then how many elements they are of: it joins them as Chan, Golub and
// LeVeque do.
func varReducer() reducer {
	return reducer{
		empty: constOp[float64]{math.NaN()},
		words: func(n int) int { return 2*n + 1 },
		cell: func(ctx context.Context, c cell) (block, error) {
			kept := c.kept()
			out := make(block, 2*kept+1)
			gone := c.b.len() / max(1, kept)
			out[2*kept] = float64(gone)
			if gone == 0 {
				return out, nil
			}
			perm, redFirst := c.order()
			l, err := gathered[float64](ctx, c, perm)
			if err != nil {
				return nil, err
			}
			mean, m2 := out[:kept], out[kept:2*kept]
			if redFirst && kept > 1 {
				varRows(mean, m2, l, kept, gone)
				return out, nil
			}
			for i := range kept {
				row := l[i*gone:][:gone]
				mean[i] = vector.Sum(row) / float64(gone)
				m2[i] = vector.SumSquares(row, mean[i])
			}
			return out, nil
		},
		join: func(a, b block, k int) block {
			out := make(block, 2*k+1)
			na, nb := a[2*k], b[2*k]
			n := na + nb
			for i := range k {
				d := b[i] - a[i]
				out[i] = a[i] + d*(nb/n)
				out[k+i] = a[k+i] + b[k+i] + d*d*(na*nb/n)
			}
			out[2*k] = n
			return out
		},
		finish: func(a block, k, many, ddof int) block {
			out := make(block, k)
			for i := range out {
				out[i] = a[k+i] / float64(many-ddof)
				if many-ddof <= 0 {
					out[i] = math.NaN()
					if many > 0 && a[k+i] > 0 {
						out[i] = math.Inf(1)
					}
				}
			}
			return out
		},
	}
}

// varRows is the mean and the sum of squared distances of each column of l,
// which has rows of kept elements.
func varRows(mean, m2, l []float64, kept, rows int) {
	add := func(dst, a, b []float64) { vector.Add(dst, a, b) }
	pairwise := func(dst []float64, next func(row int) []float64) {
		sums := counter[[]float64]{join: func(a, b []float64) []float64 { add(a, a, b); return a }}
		for r := 0; r < rows; r += rowsJoined {
			acc := make([]float64, kept)
			copy(acc, next(r))
			for k := r + 1; k < min(r+rowsJoined, rows); k++ {
				add(acc, acc, next(k))
			}
			sums.push(acc)
		}
		copy(dst, sums.total())
	}
	pairwise(mean, func(r int) []float64 { return l[r*kept:][:kept] })
	for i := range mean {
		mean[i] /= float64(rows)
	}
	d := make([]float64, kept)
	pairwise(m2, func(r int) []float64 {
		vector.Sub(d, l[r*kept:][:kept], mean)
		vector.Mul(d, d, d)
		return d
	})
}

// argReducer keeps the best elements, then their indexes among those that are
// reduced. before tells which of two is better.
func argReducer[T Real](before func(x, y T) bool) reducer {
	k := kindOf[T]()
	// better tells whether y, which comes later, is better than x: NaN is best.
	better := func(x, y T) bool { return x == x && (before(y, x) || y != y) } //nolint:staticcheck // NaN
	index := func(b block, n int) []int64 { return elems[int64](b[(n*k.size()+7)/8:], n) }
	words := func(n int) int { return (n*k.size()+7)/8 + n }
	return reducer{
		words: words,
		cell: func(ctx context.Context, c cell) (block, error) {
			kept := c.kept()
			out := make(block, words(kept))
			perm, redFirst := c.order()
			l, err := gathered[T](ctx, c, perm)
			if err != nil {
				return nil, err
			}
			gone := len(l) / kept
			best, at := elems[T](out, kept), index(out, kept)
			if redFirst {
				copy(best, l)
				for r := 1; r < gone; r++ {
					for i, v := range l[r*kept:][:kept] {
						if better(best[i], v) {
							best[i], at[i] = v, int64(r)
						}
					}
				}
			} else {
				for i := range best {
					row := l[i*gone:][:gone]
					best[i] = row[0]
					for r, v := range row {
						if better(best[i], v) {
							best[i], at[i] = v, int64(r)
						}
					}
				}
			}
			for i, r := range at {
				at[i] = c.flat(int(r))
			}
			return out, nil
		},
		join: func(a, b block, n int) block {
			out := make(block, words(n))
			copy(out, a)
			best, at := elems[T](out, n), index(out, n)
			for i, v := range elems[T](b, n) {
				if at2 := index(b, n)[i]; better(best[i], v) || (v == best[i] || v != v && best[i] != best[i]) && at2 < at[i] { //nolint:staticcheck // NaN
					best[i], at[i] = v, at2
				}
			}
			return out
		},
		finish: func(a block, n, _, _ int) block { return a[(n*k.size()+7)/8:] },
	}
}

// flat turns an index among the reduced elements of the cell into one among
// those of the array.
func (c *cell) flat(r int) int64 {
	var n, shape, lo []int
	for a, gone := range c.red {
		if gone {
			n, shape, lo = append(n, c.b.n[a]), append(shape, c.shape[a]), append(lo, c.b.lo[a])
		}
	}
	index := make([]int, len(n))
	unravel(r, n, index)
	at := 0
	for i := range index {
		at = at*shape[i] + lo[i] + index[i]
	}
	return int64(at)
}
