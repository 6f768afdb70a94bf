package weft

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"runtime"
	"runtime/debug"
	"strings"
	"sync"
	"time"
)

// Func is a registered function: one that can be called by its name in
// another process of the same program. See [Register].
type Func struct {
	name   string
	fn     reflect.Value
	shape  shape
	item   reflect.Type
	result reflect.Type
	pc     uintptr
	direct direct // nil: by reflection
}

type shape int

const (
	mapShape   shape = iota // func(context.Context, T) (R, error)
	eachShape               // func(context.Context, T) error
	foldShape               // func(A, T) A
	setupShape              // func(context.Context) error
	callShape               // func(context.Context, A, B, ...) (R, error), for graphs
)

// Register makes f callable in another process, under the full name of its
// symbol. Call it once for each function, at package level, so that it has
// happened before main begins:
//
//	var _ = weft.Register(render)
//
// f is a top-level function of one of these forms:
//
//	func(context.Context, T) (R, error)   for Map and Stream
//	func(context.Context, T) error        for Each
//	func(A, T) A                          for Reduce
//	func(context.Context) error           for the setup of a worker
//	func(context.Context, A, B) (R, error)
//	                                      for tasks of a graph, with any number
//	                                      of arguments, none too
//
// Or it is an error value, compared with errors.Is: an error that wraps it
// still does when it comes back from another process. Errors are known by
// their text.
//
// Anything else panics with the caller's line and the mend, as does registering
// twice: a closure or a method of a value carries data that stays behind, and an
// instance of a generic function has no name of its own.
//
// Through an executor a function for Map between numbers, strings, []byte and
// []float64 is called as it is, any other by reflection, which takes some 0.6 us
// more.
func Register(f any) *Func {
	fn, err := register(f)
	if err != nil {
		_, file, line, _ := runtime.Caller(1)
		panic(fmt.Sprintf("%s:%d: weft.Register: %v", file, line, err))
	}
	return fn
}

var registry struct {
	sync.RWMutex
	byName map[string]*Func
	byPC   map[uintptr]*Func
	errs   map[string]error
}

var (
	contextType = reflect.TypeFor[context.Context]()
	errorType   = reflect.TypeFor[error]()
)

func register(f any) (*Func, error) {
	if err, ok := f.(error); ok {
		return registerError(err)
	}
	v := reflect.ValueOf(f)
	if f == nil || v.Kind() != reflect.Func {
		return nil, fmt.Errorf("got a %T; pass a function, as in var _ = weft.Register(render), or an error value", f)
	}
	if v.IsNil() {
		return nil, errors.New("the function is nil; pass one")
	}
	rf := runtime.FuncForPC(v.Pointer())
	if rf == nil {
		return nil, errors.New("the function has no symbol; pass a top-level function")
	}
	name := rf.Name()
	if err := topLevel(name); err != nil {
		return nil, err
	}
	fn := &Func{name: name, fn: v, pc: v.Pointer(), direct: directOf(f)}
	if err := fn.classify(v.Type()); err != nil {
		return nil, err
	}
	registry.Lock()
	defer registry.Unlock()
	if registry.byName[name] != nil {
		return nil, fmt.Errorf("%s is registered already; keep one of the two lines", name)
	}
	if registry.byName == nil {
		registry.byName, registry.byPC = map[string]*Func{}, map[uintptr]*Func{}
	}
	registry.byName[name], registry.byPC[fn.pc] = fn, fn
	return fn, nil
}

func registerError(err error) (*Func, error) {
	text := err.Error()
	registry.Lock()
	defer registry.Unlock()
	if registry.errs == nil {
		registry.errs = map[string]error{}
	}
	if _, ok := registry.errs[text]; ok {
		return nil, fmt.Errorf("an error with the text %q is registered already; errors are known by their text, so give each its own", text)
	}
	registry.errs[text] = err
	return &Func{name: text}, nil
}

// topLevel tells from a symbol's name whether it is that of a top-level
// function. What follows the package path has a dot for each level within:
// pkg.F, but pkg.F.func1, pkg.T.M-fm, pkg.init.func2, pkg.F[...].
func topLevel(name string) error {
	short := name[strings.LastIndexByte(name, '/')+1:]
	_, symbol, _ := strings.Cut(short, ".")
	switch {
	case strings.HasSuffix(name, "-fm"):
		return fmt.Errorf("%s is a method bound to a value, which would stay behind in this process; write a top-level function that takes what it needs as its argument", strings.TrimSuffix(name, "-fm"))
	case strings.Contains(symbol, "["):
		return fmt.Errorf("%s is an instance of a generic function, which has no name of its own; write a top-level function that calls it", name)
	case strings.HasPrefix(symbol, "(") || strings.Count(symbol, ".") == 1 && !isClosure(symbol):
		return fmt.Errorf("%s is a method; write a top-level function that calls it", name)
	case symbol == "" || strings.Contains(symbol, "."):
		return fmt.Errorf("%s is a closure: the variables that it captures would stay behind in this process; write a top-level function that takes what it needs as its argument", name)
	}
	return nil
}

func isClosure(symbol string) bool {
	_, last, _ := strings.Cut(symbol, ".")
	return strings.HasPrefix(last, "func") || strings.HasPrefix(last, "gowrap") || strings.HasPrefix(symbol, "init.") || strings.HasPrefix(symbol, "glob.")
}

func (f *Func) classify(t reflect.Type) error {
	in, out := t.NumIn(), t.NumOut()
	if !t.IsVariadic() {
		switch {
		case in == 2 && t.In(0) == contextType && out == 2 && t.Out(1) == errorType:
			f.shape, f.item, f.result = mapShape, t.In(1), t.Out(0)
			return nil
		case in == 2 && t.In(0) == contextType && out == 1 && t.Out(0) == errorType:
			f.shape, f.item = eachShape, t.In(1)
			return nil
		case in == 1 && t.In(0) == contextType && out == 1 && t.Out(0) == errorType:
			f.shape = setupShape
			return nil
		case in == 2 && out == 1 && t.In(0) == t.Out(0):
			f.shape, f.item, f.result = foldShape, reflect.SliceOf(t.In(1)), t.Out(0)
			return nil
		case in >= 1 && t.In(0) == contextType && out == 2 && t.Out(1) == errorType:
			args := make([]reflect.StructField, in-1)
			for i := range args {
				args[i] = reflect.StructField{Name: fmt.Sprintf("Arg%d", i+1), Type: t.In(i + 1)}
			}
			f.shape, f.item, f.result = callShape, reflect.StructOf(args), t.Out(0)
			return nil
		}
	}
	return fmt.Errorf("%s is a %v; it must be a func(context.Context, T) (R, error), a func(context.Context, T) error, a func(A, T) A, a func(context.Context) error or, for a graph, a func(context.Context, A, B) (R, error)", f.name, t)
}

// Lookup returns the registered function of that name.
func Lookup(name string) (*Func, error) {
	registry.RLock()
	defer registry.RUnlock()
	if f := registry.byName[name]; f != nil {
		return f, nil
	}
	return nil, fmt.Errorf("no function %s is registered in this program; add at package level: var _ = weft.Register(%s)", name, shortName(name))
}

// Registered returns the registration of a function, or an error with the mend if there
// is none.
func Registered(fn any) (*Func, error) {
	v := reflect.ValueOf(fn)
	rf := runtime.FuncForPC(v.Pointer())
	if rf == nil {
		return nil, errors.New("the function has no symbol; pass a top-level function and register it: var _ = weft.Register(f)")
	}
	registry.RLock()
	f := registry.byPC[v.Pointer()]
	registry.RUnlock()
	if f != nil && f.fn.Type() == v.Type() {
		return f, nil
	}
	if err := topLevel(rf.Name()); err != nil {
		return nil, err
	}
	return nil, fmt.Errorf("%s is not registered, so another process can't find it; add at package level: var _ = weft.Register(%s)", rf.Name(), shortName(rf.Name()))
}

func shortName(name string) string { return name[strings.LastIndexByte(name, '.')+1:] }

// RegisteredErrors returns the registered error values by their text, for
// executors. The map is a copy.
func RegisteredErrors() map[string]error {
	registry.RLock()
	defer registry.RUnlock()
	m := make(map[string]error, len(registry.errs))
	for text, err := range registry.errs {
		m[text] = err
	}
	return m
}

// RegisteredFuncs returns the registered functions, in no order, for executors
// that compare what two programs have.
func RegisteredFuncs() []*Func {
	registry.RLock()
	defer registry.RUnlock()
	fs := make([]*Func, 0, len(registry.byName))
	for _, f := range registry.byName {
		fs = append(fs, f)
	}
	return fs
}

// Name is the full name of the function's symbol.
func (f *Func) Name() string { return f.name }

// Item is the type of what the function is called with. In a fold it is a slice
// of the items: a leaf of [Reduce] is one call. Of several arguments, or none, it
// is a struct with a field for each.
func (f *Func) Item() reflect.Type { return f.item }

// Result is the type of what the function returns, nil where that is an error
// only.
func (f *Func) Result() reflect.Type { return f.result }

// Setup calls a function of the form func(context.Context) error.
func (f *Func) Setup(ctx context.Context) (err error) {
	if f.shape != setupShape {
		return fmt.Errorf("%s is a %v; a setup is a func(context.Context) error", f.name, f.fn.Type())
	}
	normal := false
	defer func() {
		if !normal {
			err = &PanicError{Value: recover(), Stack: debug.Stack()}
		}
	}()
	err = f.fn.Interface().(func(context.Context) error)(ctx)
	normal = true
	return err
}

// call calls the function with one item and puts its result into result. The
// context is in in[0].
func (f *Func) call(in []reflect.Value, item, result reflect.Value) error {
	if f.shape == foldShape {
		a, in := reflect.Zero(f.result), make([]reflect.Value, 2)
		for i := range item.Len() {
			in[0], in[1] = a, item.Index(i)
			a = f.fn.Call(in)[0]
		}
		result.Set(a)
		return nil
	}
	if f.shape == callShape {
		in = append(in[:1:1], make([]reflect.Value, item.NumField())...)
		for i := range item.NumField() {
			in[i+1] = item.Field(i)
		}
	} else {
		in[1] = item
	}
	out := f.fn.Call(in)
	if err, _ := out[len(out)-1].Interface().(error); err != nil {
		return err
	}
	if f.shape == mapShape || f.shape == callShape {
		result.Set(out[0])
	}
	return nil
}

// timed is the context of one item under Timeout.
func timed(ctx context.Context, d time.Duration) (context.Context, context.CancelFunc, timeoutError) {
	late := timeoutError{d}
	ctx, cancel := context.WithTimeoutCause(ctx, d, late)
	return ctx, cancel, late
}
