package graph

import (
	"context"
	"errors"
	"fmt"

	"github.com/weft-go/weft/internal/sched"
)

// Compute runs what v needs and returns its result.
//
// It starts in one goroutine and adds workers where there is work that is worth
// them (see [Workers]). The first failure stops the run: the contexts of the
// other tasks end with a cause, no further task starts, and Compute returns once
// all have ended. The error is a [*TaskError]. With [KeepGoing] all that does not
// depend on what failed is run. A panic in a task becomes a *weft.PanicError in
// its TaskError.
//
// Functions are called from several goroutines at once. A result is shared by
// all tasks that use it: they must not change it.
//
// Each Compute runs anew what it needs; [Persist] keeps results. A graph may be
// computed many times, and at the same time.
//
// It takes some 10 us, and below 1 us a task beside calling the function.
// Memory: about 150 bytes a task and the results that are needed yet.
func Compute[T any](ctx context.Context, v Value[T], opts ...RunOption) (T, error) {
	var zero T
	if v.g == nil {
		return zero, errZero("Compute")
	}
	r, err := v.g.compute(ctx, "Compute", []uint32{v.task}, opts)
	if r == nil {
		return zero, err
	}
	return result[T](r, 0), err
}

// Compute2 is [Compute] for two values; what both need runs once. What exists is
// returned also with an error; other results are zero values.
func Compute2[A, B any](ctx context.Context, a Value[A], b Value[B], opts ...RunOption) (ra A, rb B, err error) {
	r, err := computeAll(ctx, "Compute2", opts, anyOf(a), anyOf(b))
	if r != nil {
		ra, rb = result[A](r, 0), result[B](r, 1)
	}
	return ra, rb, err
}

// Compute3 is [Compute2] for three values.
func Compute3[A, B, C any](ctx context.Context, a Value[A], b Value[B], c Value[C], opts ...RunOption) (ra A, rb B, rc C, err error) {
	r, err := computeAll(ctx, "Compute3", opts, anyOf(a), anyOf(b), anyOf(c))
	if r != nil {
		ra, rb, rc = result[A](r, 0), result[B](r, 1), result[C](r, 2)
	}
	return ra, rb, rc, err
}

// Compute4 is [Compute2] for four values.
func Compute4[A, B, C, D any](ctx context.Context, a Value[A], b Value[B], c Value[C], d Value[D], opts ...RunOption) (ra A, rb B, rc C, rd D, err error) {
	r, err := computeAll(ctx, "Compute4", opts, anyOf(a), anyOf(b), anyOf(c), anyOf(d))
	if r != nil {
		ra, rb, rc, rd = result[A](r, 0), result[B](r, 1), result[C](r, 2), result[D](r, 3)
	}
	return ra, rb, rc, rd, err
}

// ComputeAll is [Compute] for any number of values of one type. What exists is
// returned also with an error; other places hold zero values.
func ComputeAll[T any](ctx context.Context, vs []Value[T], opts ...RunOption) ([]T, error) {
	if len(vs) == 0 {
		return nil, nil
	}
	g := vs[0].g
	asked := make([]uint32, len(vs))
	for i, v := range vs {
		if err := sameGraph("ComputeAll", g, v.g); err != nil {
			return nil, err
		}
		asked[i] = v.task
	}
	r, err := g.compute(ctx, "ComputeAll", asked, opts)
	if r == nil {
		return nil, err
	}
	out := make([]T, len(vs))
	c := resultColumn[T](r)
	for i := range out {
		out[i] = resultIn[T](r, c, i)
	}
	return out, err
}

// anyValue is a Value of any type.
type anyValue struct {
	g    *Graph
	task uint32
}

func anyOf[T any](v Value[T]) anyValue { return anyValue(v) }

func computeAll(ctx context.Context, call string, opts []RunOption, vs ...anyValue) (*run, error) {
	asked := make([]uint32, len(vs))
	for i, v := range vs {
		if err := sameGraph(call, vs[0].g, v.g); err != nil {
			return nil, err
		}
		asked[i] = v.task
	}
	return vs[0].g.compute(ctx, call, asked, opts)
}

func sameGraph(call string, g, other *Graph) error {
	switch {
	case g == nil || other == nil:
		return errZero(call)
	case g != other:
		return fmt.Errorf("graph: %s: the values belong to two graphs, %s and %s; compute them one after the other", call, g.where, other.where)
	}
	return nil
}

func errZero(call string) error {
	return errors.New("graph: " + call + ": the value is the zero Value; pass one that Const, Call, Map or Reduce returned")
}

// result is what was asked for i-th, the zero value if there is none.
func result[T any](r *run, i int) T { return resultIn[T](r, resultColumn[T](r), i) }

func resultColumn[T any](r *run) uint32 {
	r.g.mu.Lock()
	defer r.g.mu.Unlock()
	return columnOf[T](r.g)
}

func resultIn[T any](r *run, column uint32, i int) (v T) {
	t := r.planned.asked[i]
	if t&sched.Const == 0 && r.m.State(t) != sched.Done {
		return v
	}
	return get[T](r, column, t)
}
