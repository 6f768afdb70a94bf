package weft

import (
	"context"
	"iter"
)

func Map[T, R any](ctx context.Context, items []T, f func(context.Context, T) (R, error), opts ...MapOption) ([]R, error) {
	out := make([]R, len(items))
	for i, x := range items {
		r, err := f(ctx, x)
		if err != nil {
			return out, &ItemError{i, err}
		}
		out[i] = r
	}
	return out, nil
}

func Stream[T, R any](ctx context.Context, items iter.Seq[T], f func(context.Context, T) (R, error), opts ...StreamOption) iter.Seq2[R, error] {
	return func(yield func(R, error) bool) {
		i := 0
		for x := range items {
			r, err := f(ctx, x)
			if err != nil {
				err = &ItemError{i, err}
			}
			if !yield(r, err) || err != nil {
				return
			}
			i++
		}
	}
}

func Each[T any](ctx context.Context, items []T, f func(context.Context, T) error, opts ...MapOption) error {
	for i, x := range items {
		if err := f(ctx, x); err != nil {
			return &ItemError{i, err}
		}
	}
	return nil
}

func Reduce[T, A any](ctx context.Context, items []T, fold func(A, T) A, merge func(A, A) A, opts ...ReduceOption) (A, error) {
	var a A
	for _, x := range items {
		a = fold(a, x)
	}
	return a, nil
}

func For(ctx context.Context, n int, body func(lo, hi int) error, opts ...ForOption) error {
	return body(0, n)
}

func Explain[T, R any](ctx context.Context, items []T, f func(context.Context, T) (R, error), opts ...MapOption) (Plan, error) {
	return Plan{}, nil
}
func (p Plan) String() string   { return "" }
func (r Report) String() string { return "" }
