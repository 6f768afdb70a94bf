//go:build cgo

package frame

import (
	"fmt"
	"reflect"
	"sync"
	"unsafe"

	"github.com/duckdb/duckdb-go/v2/mapping"
)

// Func1 makes a function of Go one that expressions can call, on columns of
// types that A and R are in Go:
//
//	sinc := frame.Func1("sinc", func(x float64) float64 { ... })
//	f.With(sinc(frame.Col("x")).As("y"))
//
// It is called for one row after the other, in several goroutines at once, and
// must depend on its arguments alone. Where an argument is null it is not
// called and the result is null, unless A is a pointer: then it gets nil. With
// R a pointer, nil is null. A panic ends the query with a PanicError. For
// numbers and bools a call costs some nanoseconds; texts are copied.
//
// Make a function once, as a package variable say: an engine keeps what it has
// seen as long as it is open.
func Func1[A, R any](name string, f func(A) R) func(a any) Expr {
	fn, err := newFunc(name, reflect.TypeFor[R](), reflect.TypeFor[A]())
	if err == nil {
		as, out := input[A](fn, 0), output[R](fn)
		fn.call = func(in mapping.DataChunk, v mapping.Vector, n int) error {
			a, doneA, err := as(in, n)
			if err != nil {
				return err
			}
			defer doneA()
			skip := nulls(fn, in, n)
			rs, done := out(v, n)
			if skip == nil {
				for i := range rs {
					rs[i] = f(a[i])
				}
			} else {
				for i := range rs {
					if !skip[i] {
						rs[i] = f(a[i])
					}
				}
			}
			return done(skip)
		}
	}
	return func(a any) Expr { return fn.expr(err, value(a)) }
}

// Func2 is Func1 for two arguments.
func Func2[A, B, R any](name string, f func(A, B) R) func(a, b any) Expr {
	fn, err := newFunc(name, reflect.TypeFor[R](), reflect.TypeFor[A](), reflect.TypeFor[B]())
	if err == nil {
		as, bs, out := input[A](fn, 0), input[B](fn, 1), output[R](fn)
		fn.call = func(in mapping.DataChunk, v mapping.Vector, n int) error {
			a, doneA, err := as(in, n)
			if err != nil {
				return err
			}
			defer doneA()
			b, doneB, err := bs(in, n)
			if err != nil {
				return err
			}
			defer doneB()
			skip := nulls(fn, in, n)
			rs, done := out(v, n)
			for i := range rs {
				if skip == nil || !skip[i] {
					rs[i] = f(a[i], b[i])
				}
			}
			return done(skip)
		}
	}
	return func(a, b any) Expr { return fn.expr(err, value(a), value(b)) }
}

// Func3 is Func1 for three arguments.
func Func3[A, B, C, R any](name string, f func(A, B, C) R) func(a, b, c any) Expr {
	fn, err := newFunc(name, reflect.TypeFor[R](), reflect.TypeFor[A](), reflect.TypeFor[B](), reflect.TypeFor[C]())
	if err == nil {
		as, bs, cs, out := input[A](fn, 0), input[B](fn, 1), input[C](fn, 2), output[R](fn)
		fn.call = func(in mapping.DataChunk, v mapping.Vector, n int) error {
			a, doneA, err := as(in, n)
			if err != nil {
				return err
			}
			defer doneA()
			b, doneB, err := bs(in, n)
			if err != nil {
				return err
			}
			defer doneB()
			c, doneC, err := cs(in, n)
			if err != nil {
				return err
			}
			defer doneC()
			skip := nulls(fn, in, n)
			rs, done := out(v, n)
			for i := range rs {
				if skip == nil || !skip[i] {
					rs[i] = f(a[i], b[i], c[i])
				}
			}
			return done(skip)
		}
	}
	return func(a, b, c any) Expr { return fn.expr(err, value(a), value(b), value(c)) }
}

func newFunc(name string, result reflect.Type, args ...reflect.Type) (*goFunc, error) {
	f := &goFunc{name: name}
	for _, a := range args {
		t, err := goTypeOf(a)
		if err != nil {
			return f, fmt.Errorf("the function %s: %w", name, err)
		}
		t.optional = a.Kind() == reflect.Pointer || isNull(a)
		f.args = append(f.args, t)
	}
	var err error
	if f.result, err = goTypeOf(result); err != nil {
		return f, fmt.Errorf("the function %s: %w", name, err)
	}
	f.id = functions.add(f)
	return f, nil
}

func (f *goFunc) expr(err error, args ...Expr) Expr {
	if err != nil {
		return bad(err)
	}
	return Expr{&expr{kind: kindGo, name: f.name, args: args, value: f, at: here()}}
}

// nulls says which rows a function is not called for, nil for none.
func nulls(f *goFunc, in mapping.DataChunk, n int) []bool {
	var skip []bool
	for i, a := range f.args {
		if a.optional {
			continue
		}
		v := newVec(mapping.DataChunkGetVector(in, mapping.IdxT(i)))
		if v.firstNull(n) == n {
			continue
		}
		if skip == nil {
			skip = make([]bool, n)
		}
		for j := range n {
			skip[j] = skip[j] || v.null(j)
		}
	}
	return skip
}

// input returns how to get at an argument: in place, or as a copy in a slice
// that done gives back.
func input[A any](f *goFunc, i int) func(in mapping.DataChunk, n int) (list []A, done func(), err error) {
	if f.args[i].width > 0 {
		return func(in mapping.DataChunk, n int) ([]A, func(), error) {
			return unsafe.Slice((*A)(mapping.VectorGetData(mapping.DataChunkGetVector(in, mapping.IdxT(i)))), n), func() {}, nil
		}
	}
	lt := f.args[i].logical()
	typ := newColType(lt)
	dec, err := decoderFor(&typ, reflect.TypeFor[A]())
	var pool sync.Pool
	return func(in mapping.DataChunk, n int) ([]A, func(), error) {
		if err != nil {
			return nil, nil, err
		}
		p, _ := pool.Get().(*[]A)
		if p == nil || cap(*p) < n {
			s := make([]A, n)
			p = &s
		}
		list := (*p)[:n]
		v := newVec(mapping.DataChunkGetVector(in, mapping.IdxT(i)))
		var a A
		size := unsafe.Sizeof(a)
		base := unsafe.Pointer(unsafe.SliceData(list))
		if f.args[i].optional {
			if _, err := dec(v, n, base, size); err != nil {
				return nil, nil, err
			}
		} else {
			for at := 0; at < n; { // what is not null
				if v.null(at) {
					at++
					continue
				}
				run := 1
				for at+run < n && !v.null(at+run) {
					run++
				}
				part := v.slice(&typ, at)
				part.mask = nil
				if _, err := dec(part, run, unsafe.Add(base, uintptr(at)*size), size); err != nil {
					return nil, nil, err
				}
				at += run
			}
		}
		return list, func() {
			clear(list)
			pool.Put(p)
		}, nil
	}
}

// output returns where to put the results: in place, or in a slice that done
// encodes. done is told which are null.
func output[R any](f *goFunc) func(v mapping.Vector, n int) (list []R, done func(skip []bool) error) {
	mark := func(v mapping.Vector, skip []bool) {
		for i, s := range skip {
			if s {
				setNull(v, i)
			}
		}
	}
	if f.result.width > 0 {
		return func(v mapping.Vector, n int) ([]R, func([]bool) error) {
			return unsafe.Slice((*R)(mapping.VectorGetData(v)), n), func(skip []bool) error {
				mark(v, skip)
				return nil
			}
		}
	}
	return func(v mapping.Vector, n int) ([]R, func([]bool) error) {
		list := make([]R, n)
		return list, func(skip []bool) error {
			var r R
			if err := f.result.enc(v, 0, n, unsafe.Pointer(unsafe.SliceData(list)), unsafe.Sizeof(r)); err != nil {
				return err
			}
			mark(v, skip)
			return nil
		}
	}
}
