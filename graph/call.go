package graph

import "context"

// Const is a value that is there already. It is kept as long as g is, and not
// copied: what it points to must not change while g is used.
func Const[T any](g *Graph, v T) Value[T] {
	g.mu.Lock()
	defer g.mu.Unlock()
	return Value[T]{g, constants(g, v)}
}

// Consts is [Const] for each of vs: one record for all, for long inputs. vs is
// copied.
func Consts[T any](g *Graph, vs []T) []Value[T] {
	g.mu.Lock()
	defer g.mu.Unlock()
	return values[T](g, constants(g, vs...), len(vs))
}

func constants[T any](g *Graph, vs ...T) (first uint32) {
	c := columnOf[T](g)
	col := g.columns[c].(*columnFor[T])
	at := uint32(len(col.constants))
	col.constants = append(col.constants, vs...)
	first = g.add(KindConst, nil, c, len(vs), nil)
	g.nodes[len(g.nodes)-1].first0 = at
	if col.fixed < 0 && len(vs) <= fewConstants {
		for i := range vs {
			g.noteLarge(c, at+uint32(i), col.measure(&vs[i]))
		}
	}
	return first
}

// fewConstants is how many constants at once are looked at for their size.
const fewConstants = 1024

// values are n Values from the task first on.
func values[T any](g *Graph, first uint32, n int) []Value[T] {
	vs := make([]Value[T], n)
	for i := range vs {
		vs[i] = Value[T]{g, first + uint32(i)}
	}
	return vs
}

// Call0 is a task that calls f with nothing but a context.
//
// All functions that make tasks take about 0.1 us a task, and return at once.
// What was built wrong, a nil function or a value of another graph, is an error
// of each Compute of the graph.
func Call0[R any](g *Graph, f func(context.Context) (R, error), opts ...NodeOption) Value[R] {
	g.mu.Lock()
	defer g.mu.Unlock()
	if f == nil {
		g.fail("Call0", "the function is nil; pass the one to call")
	}
	c, o := columnOf[R](g), collect(g, opts)
	var do op = call0[R]{f, c}
	if k := g.cacheOf("Call0", o, f, false); k != nil {
		do = cached0(k, f, c)
	}
	return one[R](g, do, c, o)
}

// Call is a task that calls f with the result of a.
func Call[A, R any](g *Graph, f func(context.Context, A) (R, error), a Value[A], opts ...NodeOption) Value[R] {
	g.mu.Lock()
	defer g.mu.Unlock()
	if f == nil {
		g.fail("Call", "the function is nil; pass the one to call")
	}
	c, o := columnOf[R](g), collect(g, opts)
	in := use(g, "Call", a)
	return one[R](g, newCall1(g, "Call", o, f, c), c, o, in)
}

// Call2 is a task that calls f with the results of a and b.
func Call2[A, B, R any](g *Graph, f func(context.Context, A, B) (R, error), a Value[A], b Value[B], opts ...NodeOption) Value[R] {
	g.mu.Lock()
	defer g.mu.Unlock()
	if f == nil {
		g.fail("Call2", "the function is nil; pass the one to call")
	}
	c, o := columnOf[R](g), collect(g, opts)
	do := newCall2(g, "Call2", o, f, c)
	return one[R](g, do, c, o, use(g, "Call2", a), use(g, "Call2", b))
}

// Call3 is a task that calls f with the results of a, b and c.
func Call3[A, B, C, R any](g *Graph, f func(context.Context, A, B, C) (R, error), a Value[A], b Value[B], c Value[C], opts ...NodeOption) Value[R] {
	g.mu.Lock()
	defer g.mu.Unlock()
	if f == nil {
		g.fail("Call3", "the function is nil; pass the one to call")
	}
	r, o := columnOf[R](g), collect(g, opts)
	var do op = &call3[A, B, C, R]{f, columnOf[A](g), columnOf[B](g), columnOf[C](g), r}
	if k := g.cacheOf("Call3", o, f, false); k != nil {
		do = cached3(k, f, columnOf[A](g), columnOf[B](g), columnOf[C](g), r)
	}
	return one[R](g, do, r, o, use(g, "Call3", a), use(g, "Call3", b), use(g, "Call3", c))
}

// Call4 is a task that calls f with the results of a, b, c and d.
func Call4[A, B, C, D, R any](g *Graph, f func(context.Context, A, B, C, D) (R, error), a Value[A], b Value[B], c Value[C], d Value[D], opts ...NodeOption) Value[R] {
	g.mu.Lock()
	defer g.mu.Unlock()
	if f == nil {
		g.fail("Call4", "the function is nil; pass the one to call")
	}
	r, o := columnOf[R](g), collect(g, opts)
	var do op = &call4[A, B, C, D, R]{f, columnOf[A](g), columnOf[B](g), columnOf[C](g), columnOf[D](g), r}
	if k := g.cacheOf("Call4", o, f, false); k != nil {
		do = cached4(k, f, columnOf[A](g), columnOf[B](g), columnOf[C](g), columnOf[D](g), r)
	}
	return one[R](g, do, r, o, use(g, "Call4", a), use(g, "Call4", b), use(g, "Call4", c), use(g, "Call4", d))
}

// CallN is a task that calls f with the results of vs, in their order. f may
// keep the slice, but what it points to is shared with other tasks.
func CallN[A, R any](g *Graph, f func(context.Context, []A) (R, error), vs []Value[A], opts ...NodeOption) Value[R] {
	g.mu.Lock()
	defer g.mu.Unlock()
	if f == nil {
		g.fail("CallN", "the function is nil; pass the one to call")
	}
	c, o := columnOf[R](g), collect(g, opts)
	in := make([]uint32, len(vs))
	for i, v := range vs {
		in[i] = use(g, "CallN", v)
	}
	var do op = &callN[A, R]{f, columnOf[A](g), c}
	if k := g.cacheOf("CallN", o, f, true); k != nil {
		do = cachedN(k, f, columnOf[A](g), c)
	}
	return one[R](g, do, c, o, in...)
}

func newCall1[A, R any](g *Graph, call string, o *nodeOptions, f func(context.Context, A) (R, error), out uint32) op {
	if k := g.cacheOf(call, o, f, true); k != nil {
		return cached1(k, f, columnOf[A](g), out)
	}
	return &call1[A, R]{f, columnOf[A](g), out}
}

func newCall2[A, B, R any](g *Graph, call string, o *nodeOptions, f func(context.Context, A, B) (R, error), out uint32) op {
	if k := g.cacheOf(call, o, f, false); k != nil {
		return cached2(k, f, columnOf[A](g), columnOf[B](g), out)
	}
	return &call2[A, B, R]{f, columnOf[A](g), columnOf[B](g), out}
}

// one adds a node of one task.
func one[R any](g *Graph, do op, column uint32, o *nodeOptions, in ...uint32) Value[R] {
	return Value[R]{g, g.single(KindCall, do, column, o, in...)}
}

// single is a task, a new one or a pure one that is there already. Called with
// g.mu held.
func (g *Graph) single(kind Kind, do op, column uint32, o *nodeOptions, in ...uint32) uint32 {
	key, known, ok := g.pure(do, column, o, in)
	if ok {
		return known
	}
	t := g.add(kind, do, column, 1, o)
	g.link(in, len(in))
	if key != "" {
		g.dedup[key] = t
	}
	return t
}

// link gives the last node its inputs, stride for each task. Called with g.mu
// held.
func (g *Graph) link(in []uint32, stride int) {
	n := &g.nodes[len(g.nodes)-1]
	n.stride = uint32(stride)
	g.inputs = append(g.inputs, in...)
}

// Map is a task for each of vs that calls f with its result.
func Map[A, R any](g *Graph, f func(context.Context, A) (R, error), vs []Value[A], opts ...NodeOption) []Value[R] {
	g.mu.Lock()
	defer g.mu.Unlock()
	if f == nil {
		g.fail("Map", "the function is nil; pass the one to call")
	}
	c := columnOf[R](g)
	if o := collect(g, opts); o != nil && o.pure {
		do := newCall1(g, "Map", o, f, c)
		out := make([]Value[R], len(vs))
		for i, v := range vs {
			out[i] = Value[R]{g, g.single(KindMap, do, c, o, use(g, "Map", v))}
		}
		return out
	}
	// Inputs first: one that is adopted becomes a node of its own.
	at := len(g.inputs)
	g.inputs = grow(g.inputs, len(vs))
	for _, v := range vs {
		g.inputs = append(g.inputs, use(g, "Map", v))
	}
	o := collect(g, opts)
	first := g.add(KindMap, newCall1(g, "Map", o, f, c), c, len(vs), o)
	n := &g.nodes[len(g.nodes)-1]
	n.in, n.stride = uint32(at), 1
	return values[R](g, first, len(vs))
}

// Reduce joins vs with f, in their order, as a tree: fanIn of them at a time,
// one after the other, then fanIn of the results, and so on. f must be
// associative, as (a+b)+c = a+(b+c); it need not be commutative. The tree
// depends on len(vs) and fanIn alone, so that the result has the same bits for
// any number of workers.
//
// Each call of f is a task that takes the next result as soon as it is there and
// lets it go, so that a tree with a large fanIn holds no more of them than one
// with a small one; a smaller fanIn lets more calls run at once. A fanIn below 2
// stands for 8. Without values the result is the zero value.
func Reduce[T any](g *Graph, f func(context.Context, T, T) (T, error), vs []Value[T], fanIn int, opts ...NodeOption) Value[T] {
	g.mu.Lock()
	defer g.mu.Unlock()
	if f == nil {
		g.fail("Reduce", "the function is nil; pass the one that joins two values")
	}
	if fanIn < 2 {
		fanIn = 8
	}
	c := columnOf[T](g)
	if len(vs) == 0 {
		var zero T
		return Value[T]{g, constants(g, zero)}
	}
	level := make([]uint32, len(vs))
	for i, v := range vs {
		level[i] = use(g, "Reduce", v)
	}
	o := collect(g, opts)
	do := newCall2(g, "Reduce", o, f, c)
	for o != nil && o.pure && len(level) > 1 {
		up := level[:0] // behind what is read
		for lo := 0; lo < len(level); lo += fanIn {
			acc := level[lo]
			for _, v := range level[lo+1 : min(lo+fanIn, len(level))] {
				acc = g.single(KindReduce, do, c, o, acc, v)
			}
			up = append(up, acc)
		}
		level = up
	}
	for len(level) > 1 {
		groups := (len(level) + fanIn - 1) / fanIn
		t := g.add(KindReduce, do, c, len(level)-groups, o)
		g.nodes[len(g.nodes)-1].stride = 2
		g.inputs = grow(g.inputs, 2*(len(level)-groups))
		up := level[:0] // behind what is read
		for lo := 0; lo < len(level); lo += fanIn {
			acc := level[lo]
			for _, v := range level[lo+1 : min(lo+fanIn, len(level))] {
				g.inputs = append(g.inputs, acc, v)
				acc = t
				t++
			}
			up = append(up, acc)
		}
		level = up
	}
	return Value[T]{g, level[0]}
}

// grow makes room for n more.
func grow(s []uint32, n int) []uint32 {
	if cap(s)-len(s) >= n {
		return s
	}
	return append(make([]uint32, 0, max(len(s)+n, len(s)+len(s)/4)), s...)
}
