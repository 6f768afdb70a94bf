package graph

import (
	"context"
	"fmt"

	"github.com/weft-go/weft/memo"
)

// Cache keeps the task's results in c, under its function and the values that it
// is called with: a run of this or another program that calls the same with the
// same finds them there. The function must be declared at the top level of a
// package. Where it takes one argument, memo minds its code (package memo, Code);
// where it takes none or several, the program's binary stands for the code, so
// that each build begins anew. Defaults to no cache.
func Cache(c *memo.Cache, opts ...memo.Option) NodeOption {
	return nodeOption(func(o *nodeOptions) {
		if c == nil {
			o.fail("Cache(nil): give a cache, as memo.Open returns it")
			return
		}
		o.cache = &cacheOption{c, opts}
	})
}

type cacheOption struct {
	c    *memo.Cache
	opts []memo.Option
}

// cached is an op whose function is called through a cache.
type cached struct {
	op
	user any
	// known tells whether the cache has what the function would return.
	known func(r *run, in []uint32) (bool, error)
}

func (c cached) fn() any { return c.user }

// binary are the options for functions that memo can't tell by their code.
func (o *cacheOption) binary(f any) []memo.Option {
	hash, err := binaryHash()
	if err != nil {
		hash = err.Error()
	}
	return append([]memo.Option{memo.Version(fmt.Sprintf("graph %s %s", functionName(f), hash))}, o.opts...)
}

// cacheOf is the cache of a node, nil for none. f is its function, which must be
// a top-level one where memo does not check that.
func (g *Graph) cacheOf(call string, o *nodeOptions, f any, checked bool) *cacheOption {
	if o == nil || o.cache == nil || g.err != nil {
		return nil
	}
	if !checked && !topLevel(pcOf(f)) {
		g.fail(call, "Cache: %s is not declared at the top level of a package, and what it captures would be no part of the key; pass a top-level function", functionName(f))
		return nil
	}
	return o.cache
}

type none struct{}

type two[A, B any] struct {
	A A
	B B
}

type three[A, B, C any] struct {
	A A
	B B
	C C
}

type four[A, B, C, D any] struct {
	A A
	B B
	C C
	D D
}

func cached0[R any](o *cacheOption, f func(context.Context) (R, error), out uint32) op {
	m := memo.Wrap(o.c, func(ctx context.Context, _ none) (R, error) { return f(ctx) }, o.binary(f)...)
	call := func(ctx context.Context) (R, error) { return m(ctx, none{}) }
	return cached{call0[R]{call, out}, f, func(*run, []uint32) (bool, error) { return m.Cached(none{}) }}
}

func cached1[A, R any](o *cacheOption, f func(context.Context, A) (R, error), a, out uint32) op {
	m := memo.Wrap(o.c, f, o.opts...)
	return cached{&call1[A, R]{m, a, out}, f, func(r *run, in []uint32) (bool, error) { return m.Cached(get[A](r, a, in[0])) }}
}

func cached2[A, B, R any](o *cacheOption, f func(context.Context, A, B) (R, error), a, b, out uint32) op {
	m := memo.Wrap(o.c, func(ctx context.Context, v two[A, B]) (R, error) { return f(ctx, v.A, v.B) }, o.binary(f)...)
	call := func(ctx context.Context, a A, b B) (R, error) { return m(ctx, two[A, B]{a, b}) }
	return cached{&call2[A, B, R]{call, a, b, out}, f, func(r *run, in []uint32) (bool, error) {
		return m.Cached(two[A, B]{get[A](r, a, in[0]), get[B](r, b, in[1])})
	}}
}

func cached3[A, B, C, R any](o *cacheOption, f func(context.Context, A, B, C) (R, error), a, b, c, out uint32) op {
	m := memo.Wrap(o.c, func(ctx context.Context, v three[A, B, C]) (R, error) { return f(ctx, v.A, v.B, v.C) }, o.binary(f)...)
	call := func(ctx context.Context, a A, b B, c C) (R, error) { return m(ctx, three[A, B, C]{a, b, c}) }
	return cached{&call3[A, B, C, R]{call, a, b, c, out}, f, func(r *run, in []uint32) (bool, error) {
		return m.Cached(three[A, B, C]{get[A](r, a, in[0]), get[B](r, b, in[1]), get[C](r, c, in[2])})
	}}
}

func cached4[A, B, C, D, R any](o *cacheOption, f func(context.Context, A, B, C, D) (R, error), a, b, c, d, out uint32) op {
	m := memo.Wrap(o.c, func(ctx context.Context, v four[A, B, C, D]) (R, error) { return f(ctx, v.A, v.B, v.C, v.D) }, o.binary(f)...)
	call := func(ctx context.Context, a A, b B, c C, d D) (R, error) { return m(ctx, four[A, B, C, D]{a, b, c, d}) }
	return cached{&call4[A, B, C, D, R]{call, a, b, c, d, out}, f, func(r *run, in []uint32) (bool, error) {
		return m.Cached(four[A, B, C, D]{get[A](r, a, in[0]), get[B](r, b, in[1]), get[C](r, c, in[2]), get[D](r, d, in[3])})
	}}
}

func cachedN[A, R any](o *cacheOption, f func(context.Context, []A) (R, error), a, out uint32) op {
	m := memo.Wrap(o.c, f, o.opts...)
	return cached{&callN[A, R]{m, a, out}, f, func(r *run, in []uint32) (bool, error) { return m.Cached(getAll[A](r, a, in)) }}
}

// noteCached marks t if the cache has its result. It asks twice for the key, so
// it is for runs that are recorded.
func (r *run) noteCached(n *node, t uint32, in []uint32) {
	if c, ok := n.do.(cached); ok {
		r.log.cached[t], _ = c.known(r, in) // what is wrong with the cache, the call itself says
	}
}
