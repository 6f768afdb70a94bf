package array

import (
	"context"
	"fmt"
	"slices"

	"github.com/weft-go/weft/graph"
	"github.com/weft-go/weft/internal/npy"
	"github.com/weft-go/weft/internal/zarr"
)

// fileOp reads blocks of a file, each with the file opened anew: no array keeps
// one open.
type fileOp struct {
	what string
	cuts func(p *planner, n *node) grid
	read func(b box, d block) error
}

func (o fileOp) name() string                  { return o.what }
func (o fileOp) grid(p *planner, n *node) grid { return o.cuts(p, n) }

func (o fileOp) block(p *planner, n *node, b box) graph.Value[block] {
	return p.task(o.what, b.len()*n.kind.size(), nil, func(context.Context, []block) (block, error) {
		d := newBlock(n.kind, b.len())
		return d, o.read(b, d)
	})
}

// OpenNpy is the array in a .npy file. Its header is read here, elements when
// the array is computed, block by block; the file must not change meanwhile. T
// must be what the file holds.
func OpenNpy[T Elem](path string) Array[T] {
	k := kindOf[T]()
	f, err := npy.Open(path)
	if err != nil {
		return Array[T]{fail("OpenNpy", k, err)}
	}
	h := f.Header
	defer f.Close()
	if err := npy.ReadAt(f, []T{}, 0); err != nil { // another type
		return Array[T]{fail("OpenNpy", k, err)}
	}
	shape := slices.Clone(h.Shape)
	if h.Fortran { // the order of C of the axes turned around
		slices.Reverse(shape)
	}
	if err := checkShape(shape); err != nil {
		return Array[T]{fail("OpenNpy", k, fmt.Errorf("%s: %w", path, err))}
	}
	st := strides(shape)
	n := derive(k, shape, fileOp{"OpenNpy", func(p *planner, n *node) grid {
		return p.auto(n.shape, n.kind.size(), false) // blocks are pieces of the file
	}, func(b box, d block) error {
		f, err := npy.Open(path)
		if err != nil {
			return err
		}
		defer f.Close()
		if !slices.Equal(f.Shape, h.Shape) || f.Fortran != h.Fortran {
			return fmt.Errorf("%s: its shape was %s and is %s now; the file must not change while its array is used", path, shapeText(h.Shape), shapeText(f.Shape))
		}
		first := 0
		for a, lo := range b.lo {
			first += lo * st[a]
		}
		return npy.ReadAt(f, elems[T](d, b.len()), first)
	}})
	if h.Fortran && len(shape) > 1 {
		return Array[T]{transpose("OpenNpy", n, nil)}
	}
	return Array[T]{n}
}

// OpenNpz is the array of a name in a .npz file. It is read at once, as
// compressed files can't be read in pieces.
func OpenNpz[T Elem](path, name string) Array[T] {
	k := kindOf[T]()
	z, err := npy.OpenArchive(path)
	if err != nil {
		return Array[T]{fail("OpenNpz", k, err)}
	}
	defer z.Close()
	data, h, err := npy.ReadNamed[T](z, name)
	if err != nil {
		return Array[T]{fail("OpenNpz", k, err)}
	}
	shape := slices.Clone(h.Shape)
	if h.Fortran {
		slices.Reverse(shape)
	}
	n := dense(data, shape)
	if h.Fortran && len(shape) > 1 {
		n = transpose("OpenNpz", n, nil)
	}
	return Array[T]{n}
}

// OpenZarr is the array in a directory of Zarr, version 2 or 3. Its description
// is read here, chunks when the array is computed. T must be what it holds.
func OpenZarr[T Elem](path string) Array[T] {
	k := kindOf[T]()
	z, err := zarr.Open(path)
	if err != nil {
		return Array[T]{fail("OpenZarr", k, err)}
	}
	defer z.Close()
	if _, err := zarr.Fill[T](z); err != nil { // another type
		return Array[T]{fail("OpenZarr", k, err)}
	}
	shape, cells := slices.Clone(z.Shape), slices.Clone(z.Cells)
	if err := checkShape(shape); err != nil {
		return Array[T]{fail("OpenZarr", k, fmt.Errorf("%s: %w", path, err))}
	}
	return Array[T]{derive(k, shape, fileOp{"OpenZarr", func(*planner, *node) grid {
		g := make(grid, len(shape))
		for a := range g {
			g[a] = evenly(shape[a], cells[a])
		}
		return g
	}, func(b box, d block) error {
		z, err := zarr.Open(path)
		if err != nil {
			return err
		}
		defer z.Close()
		return zarr.Read(z, elems[T](d, b.len()), b.lo, b.n)
	}})}
}

// StoreNpy computes a and writes it to a .npy file, block by block: it need not
// fit into memory. The file is there when it is complete; until then one that
// was there stays.
func (a Array[T]) StoreNpy(ctx context.Context, path string, opts ...graph.RunOption) error {
	n := a.node()
	if n.err != nil {
		return n.err
	}
	w, err := npy.Create[T](path, n.shape, false)
	if err != nil {
		return fmt.Errorf("array: StoreNpy: %w", err)
	}
	st := strides(n.shape)
	err = a.store(ctx, opts, func(p *planner) grid { return p.auto(n.shape, n.kind.size(), false) }, func(b box, data []T) error {
		first := 0
		for x, lo := range b.lo {
			first += lo * st[x]
		}
		return npy.WriteAt(w, data, first)
	})
	if err == nil {
		err = w.Commit()
	}
	if err != nil {
		w.Discard()
		return fmt.Errorf("array: StoreNpy: %w", err)
	}
	return nil
}

// StoreZarr computes a and writes it to a new directory of Zarr, version 3, with
// chunks of the given shape compressed by zstd; nil are blocks as the run
// chooses. The directory is there when it is complete.
func (a Array[T]) StoreZarr(ctx context.Context, path string, chunks []int, opts ...graph.RunOption) error {
	n := a.node()
	if n.err != nil {
		return n.err
	}
	limit, _ := budget(opts)
	if chunks == nil {
		for _, c := range newPlanner(targetOf(limit)).auto(n.shape, n.kind.size(), true) {
			chunks = append(chunks, max(1, c[1]))
		}
	}
	var zero T
	w, err := zarr.Create(path, n.shape, zero, zarr.Options{Chunks: chunks})
	if err != nil {
		return fmt.Errorf("array: StoreZarr: %w", err)
	}
	err = a.store(ctx, opts, func(*planner) grid {
		g := make(grid, len(n.shape))
		for x := range g {
			g[x] = evenly(n.shape[x], chunks[x])
		}
		return g
	}, func(b box, data []T) error { return zarr.Write(w, data, b.lo, b.n) })
	if err == nil {
		err = w.Commit()
	}
	if err != nil {
		w.Discard()
		return fmt.Errorf("array: StoreZarr: %w", err)
	}
	return nil
}

// store computes a and gives it to write, block by block, from several
// goroutines.
func (a Array[T]) store(ctx context.Context, opts []graph.RunOption, cuts func(*planner) grid, write func(b box, data []T) error) error {
	n := a.n
	limit, _ := budget(opts)
	p := newPlanner(targetOf(limit), n)
	if product(n.shape) == 0 {
		return nil
	}
	g := cuts(p)
	var tasks []graph.Value[struct{}]
	each(g.counts(), func(_ int, index []int) {
		b := g.box(index)
		tasks = append(tasks, graph.Call(p.g, func(_ context.Context, d block) (struct{}, error) {
			return struct{}{}, write(b, elems[T](d, b.len()))
		}, p.value(n, b), graph.Name("store")))
	})
	_, err := graph.ComputeAll(ctx, tasks, opts...)
	return err
}
