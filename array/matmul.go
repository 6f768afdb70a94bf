package array

import (
	"context"
	"slices"
	"unsafe"

	"github.com/weft-go/weft/graph"
	"github.com/weft-go/weft/internal/vector"
)

const (
	// productSide is how many rows and columns a block of a matrix product has,
	// where the memory limit has room for such.
	productSide = 512
	// productDepth is how much of the inner axis is multiplied at a time. It is
	// the same in every run, as the bits depend on it.
	productDepth = 512
)

// MatMul is the matrix product, as np.matmul: of the last two axes, for each
// index of those before, which are broadcast. An array of one axis is a row on
// the left and a column on the right.
func MatMul[T Number](a, b Array[T]) Array[T] { return Array[T]{matmul("MatMul", a.node(), b.node())} }

func matmul(call string, a, b *node) *node {
	k := a.kind
	if err := firstError(a, b); err != nil {
		return &node{kind: k, err: err}
	}
	if len(a.shape) == 0 || len(b.shape) == 0 {
		return fail(call, k, shapeError("a product of the shapes %s and %s: both need an axis; multiply by a single value with Mul", shapeText(a.shape), shapeText(b.shape)))
	}
	row, col := len(a.shape) == 1, len(b.shape) == 1
	x, y := a, b
	if row {
		x = expand(x, 0)
	}
	if col {
		y = expand(y, 1)
	}
	m, kx := x.shape[len(x.shape)-2], x.shape[len(x.shape)-1]
	ky, n := y.shape[len(y.shape)-2], y.shape[len(y.shape)-1]
	if kx != ky {
		return fail(call, k, shapeError("a product of the shapes %s and %s: the last axis of the first has length %d, and that of the second which meets it has %d; they must be the same", shapeText(a.shape), shapeText(b.shape), kx, ky))
	}
	bx, by := x.shape[:len(x.shape)-2], y.shape[:len(y.shape)-2]
	batch, ok := broadcastShape(bx, by)
	if !ok {
		return fail(call, k, misfit([][]int{a.shape, b.shape}))
	}
	x = broadcastTo(x, append(slices.Clone(batch), m, kx))
	y = broadcastTo(y, append(slices.Clone(batch), kx, n))
	shape := append(slices.Clone(batch), m, n)
	var out *node
	if kx == 0 {
		out = derive(k, shape, zeroOf(k))
	} else {
		out = derive(k, shape, matmulOp{}, x, y)
	}
	gone := make([]bool, len(shape))
	gone[len(shape)-2], gone[len(shape)-1] = row, col
	if row || col {
		out = squeeze(out, gone)
	}
	return out
}

// zeroOf is the op of zeros.
func zeroOf(k kind) op {
	switch k {
	case f64:
		return constOp[float64]{}
	case f32:
		return constOp[float32]{}
	case i64:
		return constOp[int64]{}
	case i32:
		return constOp[int32]{}
	case u8:
		return constOp[uint8]{}
	case boolean:
		return constOp[bool]{}
	}
	return constOp[complex128]{}
}

type matmulOp struct{}

func (matmulOp) name() string { return "matmul" }

func (matmulOp) grid(p *planner, n *node) grid {
	g := make(grid, len(n.shape))
	side := productSide
	for side > 64 && side*side*n.kind.size() > 4*p.target {
		side /= 2
	}
	for a := range g {
		g[a] = evenly(n.shape[a], 1)
		if a >= len(g)-2 {
			g[a] = evenly(n.shape[a], side)
		}
	}
	return g
}

// region is how a task reads a box of n: in place if it can.
func (p *planner) region(n *node, b box, in *inputs) reading {
	l := leaf{n: n, m: identity(len(n.shape))}
	for {
		v, ok := l.n.op.(viewOp)
		if !ok {
			break
		}
		l = leaf{n: l.n.in[0], m: l.m.then(v.m)}
	}
	if _, ok := l.n.op.(denseOp); ok || p.kept(l.n) {
		return p.bind(l, b, in)
	}
	return reading{operand{strides: strides(b.n), size: n.kind.size()}, in.add(p.value(n, b))}
}

func (matmulOp) block(p *planner, n *node, b box) graph.Value[block] {
	x, y := n.in[0], n.in[1]
	dims := len(n.shape)
	depth := x.shape[dims-1]
	m, cols := b.n[dims-2], b.n[dims-1]
	size := n.kind.size()
	var acc graph.Value[block]
	for k := 0; k < depth; k += productDepth {
		d := min(productDepth, depth-k)
		xb, yb := box{slices.Clone(b.lo), slices.Clone(b.n)}, box{slices.Clone(b.lo), slices.Clone(b.n)}
		xb.lo[dims-1], xb.n[dims-1] = k, d
		yb.lo[dims-2], yb.n[dims-2] = k, d
		var in inputs
		first := k == 0
		if !first {
			in.add(acc)
		}
		rs := []reading{p.region(x, xb, &in), p.region(y, yb, &in)}
		kind := n.kind
		acc = p.task("matmul", m*cols*size, in.values, func(_ context.Context, bs []block) (block, error) {
			ops := resolve(rs, bs)
			var c block
			if first {
				c = newBlock(kind, m*cols)
			} else {
				c = bs[0] // of the task before, which nobody else reads
			}
			multiply(kind, pointer(c), ops[0], ops[1], m, cols, d, dims)
			return c, nil
		})
	}
	return acc
}

// multiply adds the product of the m x d matrix at x and the d x n one at y to
// the m x n one at c.
func multiply(k kind, c unsafe.Pointer, x, y operand, m, n, d, dims int) {
	switch k {
	case f64:
		gemm[float64](c, x, y, m, n, d, dims)
	case f32:
		gemm[float32](c, x, y, m, n, d, dims)
	case i64:
		gemm[int64](c, x, y, m, n, d, dims)
	case i32:
		gemm[int32](c, x, y, m, n, d, dims)
	case u8:
		gemm[uint8](c, x, y, m, n, d, dims)
	default:
		gemm[complex128](c, x, y, m, n, d, dims)
	}
}

// panel is how many rows and columns the innermost loop of a product has.
const panel = 4

// gemm packs panels of x and y, so that the innermost loop reads both from
// front to back, and multiplies 4 rows by 4 columns at a time.
func gemm[T vector.Number](c unsafe.Pointer, x, y operand, m, n, d, dims int) {
	size := int(unsafe.Sizeof(*new(T)))
	sx0, sx1 := x.strides[dims-2]*size, x.strides[dims-1]*size
	sy0, sy1 := y.strides[dims-2]*size, y.strides[dims-1]*size
	xp, yp := at(x.p, x.base, size), at(y.p, y.base, size)
	out := list[T](c, m*n)
	packedY := make([]T, (n+panel-1)/panel*panel*d)
	for j := range n {
		col := packedY[j/panel*panel*d+j%panel:]
		for k := range d {
			col[k*panel] = *(*T)(unsafe.Add(yp, k*sy0+j*sy1))
		}
	}
	rows := make([]T, panel*d)
	for i := 0; i < m; i += panel {
		mi := min(panel, m-i)
		for k := range d {
			for r := range panel {
				var v T
				if r < mi {
					v = *(*T)(unsafe.Add(xp, (i+r)*sx0+k*sx1))
				}
				rows[k*panel+r] = v
			}
		}
		for j := 0; j < n; j += panel {
			t := tileProduct(rows, packedY[j*d:][:panel*d])
			nj := min(panel, n-j)
			for r := range mi {
				o := out[(i+r)*n+j:][:nj]
				for s := range o {
					o[s] += t[r*panel+s]
				}
			}
		}
	}
}

// tileProduct is the product of 4 rows and 4 columns.
func tileProduct[T vector.Number](x, y []T) (t [panel * panel]T) {
	var c00, c01, c02, c03, c10, c11, c12, c13, c20, c21, c22, c23, c30, c31, c32, c33 T
	for len(x) >= panel && len(y) >= panel {
		a, b := (*[panel]T)(x), (*[panel]T)(y)
		c00 += T(a[0] * b[0])
		c01 += T(a[0] * b[1])
		c02 += T(a[0] * b[2])
		c03 += T(a[0] * b[3])
		c10 += T(a[1] * b[0])
		c11 += T(a[1] * b[1])
		c12 += T(a[1] * b[2])
		c13 += T(a[1] * b[3])
		c20 += T(a[2] * b[0])
		c21 += T(a[2] * b[1])
		c22 += T(a[2] * b[2])
		c23 += T(a[2] * b[3])
		c30 += T(a[3] * b[0])
		c31 += T(a[3] * b[1])
		c32 += T(a[3] * b[2])
		c33 += T(a[3] * b[3])
		x, y = x[panel:], y[panel:]
	}
	return [panel * panel]T{c00, c01, c02, c03, c10, c11, c12, c13, c20, c21, c22, c23, c30, c31, c32, c33}
}
