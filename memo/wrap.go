package memo

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/weft-go/weft/internal/funcname"
	"github.com/weft-go/weft/memo/internal/code"
	"github.com/weft-go/weft/memo/internal/key"
	"github.com/weft-go/weft/memo/internal/shape"
	"github.com/weft-go/weft/memo/internal/value"
)

// Func is a wrapped function: it is called as the function itself, and can be
// passed wherever a func(context.Context, T) (R, error) is wanted. Its methods
// ask about the cache. All may be called concurrently.
type Func[T, R any] func(ctx context.Context, arg T) (R, error)

// Wrap returns f with its results kept in c. f must be a function declared at
// the top level of a package: what a literal captures, and what a method is
// called on, is not part of the key. With [Version] they may be wrapped too.
// Several arguments go into a struct.
//
// f runs in the caller's goroutine with the caller's context. While it runs,
// other calls with the same argument wait, in this process and in others; if it
// fails, those in this process that waited fail with it. A hit takes some
// 10 us, a miss some 50 us more than f, nearly all of it in the file system.
//
// If a result can't be kept because the disk is full or the like, there is a
// warning, and the call returns f's result. What can never work (a function
// that can't be told from others, a type that can't be stored) is an error of
// each call, without running f.
func Wrap[T, R any](c *Cache, f func(ctx context.Context, arg T) (R, error), opts ...Option) Func[T, R] {
	if c == nil || f == nil {
		panic("memo: Wrap needs a cache and a function")
	}
	w := &wrapped[T, R]{c: c, f: f}
	for _, o := range opts {
		if o != nil {
			o.apply(&w.opts)
		}
	}
	w.counted.name = functionName(reflect.ValueOf(f))
	w.opts.open = shape.Open(reflect.TypeFor[T]())
	w.err = w.check()
	keyName := ""
	if w.keyOf != nil {
		keyName = functionName(reflect.ValueOf(w.keyOf))
	}
	w.counted.identity = sync.OnceValues(func() (identity, error) { return c.identify(w.counted.name, keyName, &w.opts) })
	types := shape.Print(reflect.TypeFor[T]()) + " " + shape.Print(reflect.TypeFor[R]())
	// What stands for the argument is a part of the key as well.
	ignored := slices.Clone(w.opts.ignore)
	slices.Sort(ignored)
	w.base = key.Of([]byte("memo 1"), []byte(w.counted.name), []byte(types), []byte(strings.Join(ignored, ",")), []byte(keyName))
	if c.store != nil {
		c.mu.Lock()
		c.funcs = append(c.funcs, &w.counted)
		c.mu.Unlock()
	}
	call := Func[T, R](w.call)
	// Plans shall print the function, not what is around it.
	if fn := runtime.FuncForPC(reflect.ValueOf(f).Pointer()); fn != nil {
		funcname.Set(call, fn.Name())
	}
	return call
}

// wrapped is what stands behind a Func.
type wrapped[T, R any] struct {
	c       *Cache
	f       func(context.Context, T) (R, error)
	opts    options
	keyOf   func(T) any
	err     error
	base    key.Key
	counted counted
	known   sync.Once // the function's record is written
}

// counted is the part of a wrapped function that does not depend on its types.
type counted struct {
	name                        string
	identity                    func() (identity, error)
	hits, misses, waits, errors atomic.Int64
	saved                       atomic.Int64
}

func (f *counted) stats() FunctionStats {
	s := FunctionStats{
		Function: f.name, Hits: f.hits.Load(), Misses: f.misses.Load(), Waits: f.waits.Load(),
		Errors: f.errors.Load(), Saved: time.Duration(f.saved.Load()),
	}
	id, err := f.identity()
	s.Level, s.Note = id.level, id.note
	if err != nil {
		s.Note = err.Error()
	}
	return s
}

// functionName is the name of a function with the import path of its package,
// also for package main.
func functionName(f reflect.Value) string {
	fn := runtime.FuncForPC(f.Pointer())
	if fn == nil {
		return "?"
	}
	pkg, name := code.SplitName(fn.Name())
	if pkg == "main" {
		if info, ok := debug.ReadBuildInfo(); ok && info.Path != "" {
			pkg = info.Path
		}
	}
	return pkg + "." + name
}

// check finds what can never work.
func (w *wrapped[T, R]) check() error {
	name := w.counted.name
	fail := func(format string, args ...any) error { return &WrapError{name, fmt.Sprintf(format, args...)} }
	_, short := code.SplitName(name)
	if !w.opts.versioned {
		switch {
		case strings.HasSuffix(short, "-fm"):
			return fail("is a method of a value, which is no part of the key; wrap a top-level function, or say memo.Version")
		case strings.Contains(short, "["):
			return fail("is generic, and its type arguments are no part of its name; wrap a top-level function that calls it, or say memo.Version")
		case strings.Contains(short, "."):
			return fail("is a function literal, and what it captures is no part of the key; wrap a top-level function, or say memo.Version")
		}
	}
	if w.opts.key != nil {
		f, ok := w.opts.key.(func(T) any)
		if !ok {
			return fail("memo.Key has a %T, but the argument is a %v", w.opts.key, reflect.TypeFor[T]())
		}
		w.keyOf = f
	}
	if err := key.Check(reflect.TypeFor[T](), w.opts.ignore); err != nil {
		return fail("memo.Ignore: %v", err)
	}
	if w.opts.expires < 0 {
		return fail("memo.ExpiresAfter(%v): the time must be positive", w.opts.expires)
	}
	if err := value.Check(reflect.TypeFor[R]()); err != nil {
		return &ResultError{name, err}
	}
	return nil
}

// key returns the key of an argument's call, and the files in the argument.
func (w *wrapped[T, R]) key(arg T, id identity) (key.Key, *argument, error) {
	a := &argument{}
	// By way of pointers: so hidden fields can be reached, and the dynamic type
	// of what Key returns counts.
	a.value = reflect.ValueOf(&arg).Elem()
	if w.keyOf != nil {
		v := w.keyOf(arg)
		a.value = reflect.ValueOf(&v).Elem()
	}
	a.options = key.Options{Ignore: w.opts.ignore, SpecialType: fileType, Special: func(v reflect.Value) ([]byte, error) {
		s, err := w.c.file(File(v.String()))
		if err != nil {
			return nil, err
		}
		a.files = append(a.files, s)
		return []byte(s.Hash), nil
	}}
	hash, err := key.Value(a.value, a.options)
	if err != nil {
		return key.Key{}, nil, &ArgumentError{w.counted.name, err}
	}
	return w.keyFor(id.code, hash), a, nil
}

func (w *wrapped[T, R]) keyFor(code, arg key.Key) key.Key {
	return key.Of(w.base[:], code[:], arg[:])
}

var fileType = reflect.TypeFor[File]()

// argument is what there is to know about the argument of a call.
type argument struct {
	value   reflect.Value
	options key.Options
	files   []fileState
}

// changed tells whether a file in the argument has changed since.
func (a *argument) changed() bool {
	for _, f := range a.files {
		now, err := lookAt(f.Path)
		if err != nil || !now.same(f) {
			return true
		}
	}
	return false
}

// with is the key of the argument with earlier contents of files in place of
// today's.
func (a *argument) with(hashes map[string]string) (key.Key, error) {
	o := a.options
	i := 0
	o.Special = func(reflect.Value) ([]byte, error) {
		f := a.files[i]
		i++
		if h, ok := hashes[f.Path]; ok {
			return []byte(h), nil
		}
		return []byte(f.Hash), nil
	}
	return key.Value(a.value, o)
}

// The methods of Func reach what stands behind it through the call itself,
// with a request in the context.

type requestKind int

const (
	askCached requestKind = iota
	askForget
	askRef
	askRefresh
	askWhy
)

type request[R any] struct {
	kind   requestKind
	ctx    context.Context
	seen   bool
	cached bool
	reason Reason
	ref    Ref[R]
}

type requestKey struct{}

var errNotWrapped = errors.New("memo: this Func was not made by Wrap")

func (f Func[T, R]) ask(ctx context.Context, kind requestKind, arg T) (*request[R], R, error) {
	q := &request[R]{kind: kind, ctx: ctx}
	r, err := f(context.WithValue(ctx, requestKey{}, q), arg)
	if !q.seen {
		err = errNotWrapped
	}
	return q, r, err
}

// Cached tells whether a call would find its result, which is read and checked
// but not returned.
func (f Func[T, R]) Cached(arg T) (bool, error) {
	q, _, err := f.ask(context.Background(), askCached, arg)
	return q.cached, err
}

// Forget removes the result for arg, if there is one.
func (f Func[T, R]) Forget(arg T) error {
	_, _, err := f.ask(context.Background(), askForget, arg)
	return err
}

// Refresh runs the function though there may be a result, and keeps the new
// one.
func (f Func[T, R]) Refresh(ctx context.Context, arg T) (R, error) {
	_, r, err := f.ask(ctx, askRefresh, arg)
	return r, err
}

// Ref makes sure that there is a result, and returns a handle that loads it
// later. A result that is there is checked, not decoded.
func (f Func[T, R]) Ref(ctx context.Context, arg T) (Ref[R], error) {
	q, _, err := f.ask(ctx, askRef, arg)
	return q.ref, err
}

// Why says whether a call would find its result, and if not, what the cause is.
// It takes a millisecond or so and runs nothing.
func (f Func[T, R]) Why(arg T) (Reason, error) {
	q, _, err := f.ask(context.Background(), askWhy, arg)
	return q.reason, err
}
