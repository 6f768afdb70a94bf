package weft

import (
	"context"
	"reflect"
	"sync"
)

// mostLeaves is into how many leaves Reduce cuts its items. Enough to keep
// 64 CPUs busy to the end, few enough that merging large accumulators (maps)
// stays cheap.
const mostLeaves = 256

// Reduce folds the items into one value. The items are cut into at most 256
// leaves of equal size (or of [Chunk] items); each leaf is folded from the
// zero value of A, in input order, and the leaves are merged pairwise, left
// with right, as a balanced tree. Cutting and tree depend on the number of
// items only: the result, sums of floats included, has the same bits for one
// worker or a hundred.
//
// So the zero value of A must be neutral (merge(zero, a) is a), merge must be
// associative, and fold may change and return its accumulator. fold and merge
// are called from several goroutines at once, but no two of them with the
// same accumulator.
//
// A panic in fold or merge is returned as an [*ItemError] with the index of
// the item, of the leftmost one for merge.
func Reduce[T, A any](ctx context.Context, items []T, fold func(A, T) A, merge func(A, A) A, opts ...ReduceOption) (A, error) {
	var zero A
	r := &run{call: "Reduce", fn: fold}
	for _, o := range opts {
		if o != nil {
			o.applyReduce(&r.cfg)
		}
	}
	if merge == nil && fold != nil {
		r.cfg.fail("the merge function is nil; pass the one that joins two partial results")
	}
	size := (len(items) + mostLeaves - 1) / mostLeaves
	if r.cfg.chunk > 0 {
		size = r.cfg.chunk
	}
	size = max(size, 1)
	r.cfg.chunk = 0 // of leaves, the planner's to choose
	leaves := (len(items) + size - 1) / size
	r.n, r.perLeaf = leaves, size
	r.items = len(items)
	r.src = &slice{n: leaves}
	if err := r.start(ctx); err != nil {
		return zero, err
	}
	t := newTree(leaves, merge)
	r.body = func(ctx context.Context, w *worker) (next int) {
		if r.remote.active() {
			return shipLeaves(ctx, r, w, items, size, t)
		}
		leaf, hi := w.lo, w.hi
		normal := false
		defer func() {
			if !normal {
				r.crashed(w, w.at, recover())
				next = leaf + 1
				w.ran = next - w.lo
			}
		}()
		for ; leaf < hi; leaf++ {
			var a A
			first := leaf * size
			part := items[first:min(first+size, len(items))]
			for j := range part {
				if r.stopped.Load() {
					normal = true
					return leaf
				}
				w.at = first + j
				a = fold(a, part[j])
			}
			t.add(leaf, a, func(leftmost int) { w.at = leftmost * size })
			if w.stop.Load() {
				leaf++
				break
			}
		}
		normal = true
		return leaf
	}
	if err := r.run(ctx); err != nil {
		return zero, err
	}
	return t.root(), nil
}

// shipLeaves has the leaves of w folded elsewhere, and merges them here.
func shipLeaves[T, A any](ctx context.Context, r *run, w *worker, items []T, size int, t *tree[A]) (next int) {
	normal := false
	defer func() {
		if !normal {
			r.crashed(w, w.at, recover())
			next = max(next, w.lo+1)
			w.ran = next - w.lo
		}
	}()
	leaves := make([][]T, w.hi-w.lo)
	for k := range leaves {
		first := (w.lo + k) * size
		leaves[k] = items[first:min(first+size, len(items))]
	}
	out := make([]A, len(leaves))
	end := r.ship(ctx, w, reflect.ValueOf(leaves), reflect.ValueOf(out), func(leaf int, err error) bool {
		w.at = leaf * size
		if err != nil {
			return r.failed(w, w.at, err)
		}
		next = leaf + 1
		t.add(leaf, out[leaf-w.lo], func(leftmost int) { w.at = leftmost * size })
		return false
	})
	normal = true
	return end
}

// tree merges leaves as they come, always the same ones with each other.
type tree[A any] struct {
	merge  func(A, A) A
	leaves int
	mu     sync.Mutex
	parts  map[node]A // waiting for their sibling
	whole  A
}

// node is a place in the tree: its level above the leaves, and its index
// there.
type node struct{ level, index int }

func newTree[A any](leaves int, merge func(A, A) A) *tree[A] {
	return &tree[A]{merge: merge, leaves: leaves, parts: map[node]A{}}
}

// add puts a leaf in its place and merges upwards as far as siblings are
// there. about is told the leftmost leaf below each merge before it is made.
func (t *tree[A]) add(leaf int, a A, about func(leftmost int)) {
	at, width := node{0, leaf}, t.leaves // width is how many nodes the level has
	for width > 1 {
		if at.index == width-1 && width%2 == 1 {
			// No sibling: moves up as it is.
			at, width = node{at.level + 1, at.index / 2}, (width+1)/2
			continue
		}
		sibling := node{at.level, at.index ^ 1}
		t.mu.Lock()
		other, ok := t.parts[sibling]
		if !ok {
			t.parts[at] = a
			t.mu.Unlock()
			return
		}
		delete(t.parts, sibling)
		t.mu.Unlock()
		about((at.index &^ 1) << at.level)
		if at.index&1 == 0 {
			a = t.merge(a, other)
		} else {
			a = t.merge(other, a)
		}
		at, width = node{at.level + 1, at.index / 2}, (width+1)/2
	}
	t.mu.Lock()
	t.whole = a
	t.mu.Unlock()
}

func (t *tree[A]) root() A { return t.whole }
