package graph

import "context"

// op is what the tasks of a node do.
type op interface {
	// run calls the function for task t with its inputs, and keeps the result.
	run(ctx context.Context, r *run, t uint32, in []uint32) error
	// fn is the user's function.
	fn() any
	// input is the column of input i.
	input(i int) uint32
	// takes is how a registered function takes the inputs as one item.
	takes() takes
}

// takes is how inputs are one item: see weft.Register.
type takes int

const (
	single takes = iota // the input itself
	fields              // a struct with a field for each
	slice               // a slice of them
)

type call0[R any] struct {
	f   func(context.Context) (R, error)
	out uint32
}

func (o call0[R]) run(ctx context.Context, r *run, t uint32, _ []uint32) error {
	v, err := o.f(ctx)
	if err == nil {
		put(r, o.out, t, v)
	}
	return err
}
func (o call0[R]) fn() any          { return o.f }
func (o call0[R]) input(int) uint32 { return 0 }

type call1[A, R any] struct {
	f      func(context.Context, A) (R, error)
	a, out uint32
}

func (o *call1[A, R]) run(ctx context.Context, r *run, t uint32, in []uint32) error {
	v, err := o.f(ctx, get[A](r, o.a, in[0]))
	if err == nil {
		put(r, o.out, t, v)
	}
	return err
}
func (o *call1[A, R]) fn() any          { return o.f }
func (o *call1[A, R]) input(int) uint32 { return o.a }

type call2[A, B, R any] struct {
	f         func(context.Context, A, B) (R, error)
	a, b, out uint32
}

func (o *call2[A, B, R]) run(ctx context.Context, r *run, t uint32, in []uint32) error {
	v, err := o.f(ctx, get[A](r, o.a, in[0]), get[B](r, o.b, in[1]))
	if err == nil {
		put(r, o.out, t, v)
	}
	return err
}
func (o *call2[A, B, R]) fn() any            { return o.f }
func (o *call2[A, B, R]) input(i int) uint32 { return [...]uint32{o.a, o.b}[i] }

type call3[A, B, C, R any] struct {
	f            func(context.Context, A, B, C) (R, error)
	a, b, c, out uint32
}

func (o *call3[A, B, C, R]) run(ctx context.Context, r *run, t uint32, in []uint32) error {
	v, err := o.f(ctx, get[A](r, o.a, in[0]), get[B](r, o.b, in[1]), get[C](r, o.c, in[2]))
	if err == nil {
		put(r, o.out, t, v)
	}
	return err
}
func (o *call3[A, B, C, R]) fn() any            { return o.f }
func (o *call3[A, B, C, R]) input(i int) uint32 { return [...]uint32{o.a, o.b, o.c}[i] }

type call4[A, B, C, D, R any] struct {
	f               func(context.Context, A, B, C, D) (R, error)
	a, b, c, d, out uint32
}

func (o *call4[A, B, C, D, R]) run(ctx context.Context, r *run, t uint32, in []uint32) error {
	v, err := o.f(ctx, get[A](r, o.a, in[0]), get[B](r, o.b, in[1]), get[C](r, o.c, in[2]), get[D](r, o.d, in[3]))
	if err == nil {
		put(r, o.out, t, v)
	}
	return err
}
func (o *call4[A, B, C, D, R]) fn() any            { return o.f }
func (o *call4[A, B, C, D, R]) input(i int) uint32 { return [...]uint32{o.a, o.b, o.c, o.d}[i] }

type callN[A, R any] struct {
	f      func(context.Context, []A) (R, error)
	a, out uint32
}

func (o *callN[A, R]) run(ctx context.Context, r *run, t uint32, in []uint32) error {
	v, err := o.f(ctx, getAll[A](r, o.a, in))
	if err == nil {
		put(r, o.out, t, v)
	}
	return err
}
func (o *callN[A, R]) fn() any          { return o.f }
func (o *callN[A, R]) input(int) uint32 { return o.a }

func (o call0[R]) takes() takes { return fields }

func (o *call1[A, R]) takes() takes { return single }

func (o *call2[A, B, R]) takes() takes { return fields }

func (o *call3[A, B, C, R]) takes() takes { return fields }

func (o *call4[A, B, C, D, R]) takes() takes { return fields }

func (o *callN[A, R]) takes() takes { return slice }
