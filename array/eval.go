package array

import (
	"context"
	"sync"
	"unsafe"
)

// tileLen is how many elements a program works on at a time: 8 kB of float64,
// so that some operands fit into the first cache.
const tileLen = 1024

// rowLen is from which length of the innermost axis on tiles end where rows do,
// so that they need not be copied together.
const rowLen = 128

// operand is where a leaf's elements are, or where results go: element i of
// axis d is strides[d] elements behind element i-1. Either p or src is set.
type operand struct {
	p       unsafe.Pointer // of element 0
	src     source
	base    int // which element is the first
	strides []int
	size    int
}

// loop walks over the indexes of a box in order, after axes that follow each
// other in memory in all operands have been joined.
type loop struct {
	n     []int // lengths, the innermost last
	inner int
	total int
	// outer is n without the innermost.
	outer []int
}

// stream is an operand in a loop.
type stream struct {
	operand
	scalar bool           // the same element everywhere
	inner  int            // stride of the innermost axis
	outer  []int          // of the others
	buf    unsafe.Pointer // for tiles that are put together
}

// newLoop joins axes, in the given order (nil: as they are), and returns the
// operands as streams.
func newLoop(shape, perm []int, ops []operand) (l loop, streams []stream) {
	dims := len(shape)
	axis := func(i int) int {
		if perm != nil {
			return perm[i]
		}
		return i
	}
	st := make([][]int, len(ops)) // strides after joining
	l.total = product(shape)
	for i := range dims {
		d := axis(i)
		n := shape[d]
		if n == 1 {
			continue
		}
		join := len(l.n) > 0
		for k := range ops {
			if join && st[k][len(l.n)-1] != n*ops[k].strides[d] {
				join = false
			}
		}
		if join {
			l.n[len(l.n)-1] *= n
		} else {
			l.n = append(l.n, n)
		}
		for k := range ops {
			if join {
				st[k][len(l.n)-1] = ops[k].strides[d]
			} else {
				st[k] = append(st[k], ops[k].strides[d])
			}
		}
	}
	l.inner = 1
	if k := len(l.n); k > 0 {
		l.inner, l.outer = l.n[k-1], l.n[:k-1]
	}
	streams = make([]stream, len(ops))
	for k := range ops {
		s := stream{operand: ops[k], scalar: true}
		for _, v := range st[k] {
			s.scalar = s.scalar && v == 0
		}
		if n := len(st[k]); n > 0 {
			s.inner, s.outer = st[k][n-1], st[k][:n-1]
		} else {
			s.inner = 1
		}
		streams[k] = s
	}
	return l, streams
}

// row is the element at which a row begins in s.
func (s *stream) row(l *loop, row int) int {
	at := s.base
	for d := len(l.outer) - 1; d >= 0; d-- {
		at += row % l.outer[d] * s.outer[d]
		row /= l.outer[d]
	}
	return at
}

// load returns the memory of elements pos to pos+n of the loop, copied to the
// buffer of s if they are not neighbours.
func (s *stream) load(l *loop, pos, n int) unsafe.Pointer {
	row, col := pos/l.inner, pos%l.inner
	if col+n <= l.inner {
		e := s.row(l, row) + col*s.inner
		if s.src == nil && s.inner == 1 {
			return at(s.p, e, s.size)
		}
		s.gather(s.buf, e, n)
		return s.buf
	}
	for done := 0; done < n; {
		k := min(n-done, l.inner-col)
		s.gather(at(s.buf, done, s.size), s.row(l, row)+col*s.inner, k)
		done += k
		col = 0
		row++
	}
	return s.buf
}

// gather copies n elements of the innermost axis, from element e on.
func (s *stream) gather(d unsafe.Pointer, e, n int) {
	if s.src != nil {
		s.src.fill(d, e, s.inner, n)
		return
	}
	copyRun(d, 1, at(s.p, e, s.size), s.inner, n, s.size)
}

// store puts n elements from d to pos of the loop.
func (s *stream) store(l *loop, d unsafe.Pointer, pos, n int) {
	row, col := pos/l.inner, pos%l.inner
	for done := 0; done < n; {
		k := min(n-done, l.inner-col)
		copyRun(at(s.p, s.row(l, row)+col*s.inner, s.size), s.inner, at(d, done, s.size), 1, k, s.size)
		done += k
		col = 0
		row++
	}
}

// copyRun copies n elements of the given size and strides.
func copyRun(d unsafe.Pointer, ds int, s unsafe.Pointer, ss, n, size int) {
	if ds == 1 && ss == 1 || n == 1 {
		copy(unsafe.Slice((*byte)(d), n*size), unsafe.Slice((*byte)(s), n*size))
		return
	}
	switch size {
	case 8:
		copyStrided[uint64](d, ds, s, ss, n)
	case 4:
		copyStrided[uint32](d, ds, s, ss, n)
	case 1:
		copyStrided[uint8](d, ds, s, ss, n)
	default:
		copyStrided[[2]uint64](d, ds, s, ss, n)
	}
}

func copyStrided[T any](d unsafe.Pointer, ds int, s unsafe.Pointer, ss, n int) {
	size := int(unsafe.Sizeof(*new(T)))
	if ss == 0 && ds == 1 {
		v := *(*T)(s)
		for i, l := 0, list[T](d, n); i < len(l); i++ {
			l[i] = v
		}
		return
	}
	ds, ss = ds*size, ss*size
	if ds == size {
		for i, l := 0, list[T](d, n); i < len(l); i++ {
			l[i] = *(*T)(unsafe.Add(s, i*ss))
		}
		return
	}
	for i := range n {
		*(*T)(unsafe.Add(d, i*ds)) = *(*T)(unsafe.Add(s, i*ss))
	}
}

// scratch is memory for registers.
var scratch = sync.Pool{New: func() any { return new([]float64) }}

// checkEvery is after how many tiles a program looks at its context.
const checkEvery = 256

// run computes the elements of a box of the given shape from the operands of
// the leaves. They go to out, or tile by tile to sink, in the order of the axes
// in perm. tile is the length of a tile that sink gets, all but the last; 0 is
// any. sink must not keep the memory.
func (p *program) run(ctx context.Context, ops []operand, shape, perm []int, out *operand, tile int, sink func(t unsafe.Pointer, pos, n int)) error {
	if out != nil {
		ops = append(ops[:len(ops):len(ops)], *out)
	}
	l, streams := newLoop(shape, perm, ops)
	if l.total == 0 {
		return nil
	}
	byRow := sink == nil && l.inner >= rowLen
	if tile == 0 {
		tile = tileLen
	}
	words := scratch.Get().(*[]float64)
	defer scratch.Put(words)
	const regWords = tileLen * 2 // of the largest element
	if need := p.slots * regWords; len(*words) < need {
		*words = make([]float64, need)
	}
	slot := make([]unsafe.Pointer, p.slots)
	for i := range slot {
		slot[i] = unsafe.Pointer(&(*words)[i*regWords])
	}
	own := slot[p.slots-1]
	leaves := streams[:len(p.leaves)]
	for i := range leaves {
		s := &leaves[i]
		s.buf = slot[i]
		if s.scalar { // once for all tiles
			s.inner = 0
			s.gather(s.buf, s.base, min(tile, l.total))
		}
	}
	for pos, k := 0, 0; pos < l.total; k++ {
		if k%checkEvery == checkEvery-1 {
			if err := ctx.Err(); err != nil {
				return context.Cause(ctx)
			}
		}
		n := min(tile, l.total-pos)
		if byRow {
			n = min(n, l.inner-pos%l.inner)
		}
		for i := range leaves {
			if !leaves[i].scalar {
				slot[i] = leaves[i].load(&l, pos, n)
			}
		}
		result := own
		direct := false
		if out != nil {
			if s := &streams[len(p.leaves)]; s.inner == 1 && pos%l.inner+n <= l.inner {
				result, direct = at(s.p, s.row(&l, pos/l.inner)+pos%l.inner, s.size), true
			}
		}
		slot[p.slots-1] = result
		for i := range p.instrs {
			in := &p.instrs[i]
			in.k(slot[in.dst], slot[in.src[0]], slot[in.src[1]], slot[in.src[2]], n)
		}
		if len(p.instrs) == 0 {
			if result = slot[0]; direct {
				copyRun(slot[p.slots-1], 1, result, 1, n, p.kind.size())
			}
		}
		switch {
		case sink != nil:
			sink(result, pos, n)
		case !direct:
			streams[len(p.leaves)].store(&l, result, pos, n)
		}
		pos += n
	}
	return nil
}
