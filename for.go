package weft

import (
	"context"
	"fmt"
)

// For calls body for ranges [lo, hi) that cover [0, n) without overlap: the
// parallel loop over an index, numba's prange. The plan decides how the range
// is cut: not at all (the plain loop, in growing blocks), in pieces that
// shrink towards the end (guided), or index by index when one takes long
// (dynamic); Chunk gives equal pieces (static).
//
// body is called from several goroutines at once, with ranges in no
// particular order. What it writes at index i of a slice nobody else writes;
// for sums use [Reduce]. The first error stops the run; it is returned inside
// an [*ItemError] whose Index is the range's lo. For a body that can be
// stopped, look at the context around it.
func For(ctx context.Context, n int, body func(lo, hi int) error, opts ...ForOption) error {
	r := &run{call: "For", n: n, fn: body}
	for _, o := range opts {
		if o != nil {
			o.applyFor(&r.cfg)
		}
	}
	if n < 0 {
		r.cfg.fail("n is %d; the number of indices is at least 0", n)
		r.n = 0
	}
	r.src = &slice{n: r.n}
	if err := r.start(ctx); err != nil {
		return err
	}
	r.body = func(ctx context.Context, w *worker) (next int) {
		normal := false
		next = w.hi
		defer func() {
			if !normal {
				r.crashed(w, w.lo, recover())
				w.ran = next - w.lo
			}
		}()
		if err := body(w.lo, w.hi); err != nil {
			r.failed(w, w.lo, fmt.Errorf("in the range [%d, %d): %w", w.lo, w.hi, err))
		}
		normal = true
		return next
	}
	return r.run(ctx)
}
