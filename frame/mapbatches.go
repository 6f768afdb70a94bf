//go:build cgo

package frame

import (
	"context"
	"fmt"
	"reflect"
	"runtime"
	"sync"
	"unsafe"

	"github.com/weft-go/weft/internal/budget"
)

// MapBatches puts a function of Go between two parts of a plan: it gets the
// rows of f in slices of up to 2048, and the rows that it returns, any number,
// are those of the new frame. For the types see Rows and FromSlice.
//
// It is called by as many goroutines at once as the engine has threads; the
// batches keep their order. Its batch is its own to keep or change. The
// context is the query's. The first error ends the query, as does a panic,
// with a PanicError.
func MapBatches[In, Out any](f *Frame, fn func(ctx context.Context, batch []In) ([]Out, error)) *Frame {
	s, err := shapeOf[Out]()
	return f.then(goStep{"MapBatches", mapSource[In, Out]{s, f, fn}}, err)
}

type mapSource[In, Out any] struct {
	shape[Out]
	in *Frame
	fn func(ctx context.Context, batch []In) ([]Out, error)
}

func (s mapSource[In, Out]) words() string {
	name := "a function"
	if f := runtime.FuncForPC(reflect.ValueOf(s.fn).Pointer()); f != nil {
		name = f.Name()
	}
	return fmt.Sprintf("call %s with batches of %v, which gives %v", name, reflect.TypeFor[In](), reflect.TypeFor[Out]())
}
func (s mapSource[In, Out]) rows() int { return -1 }

// check finds what is wrong with the inner plan before it runs.
func (s mapSource[In, Out]) check(ctx context.Context, eng *Engine) error {
	r, err := eng.begin(ctx)
	if err != nil {
		return err
	}
	defer r.end()
	if _, err := r.compile(s.in.n); err != nil {
		return err
	}
	_, err = r.fields(reflect.TypeFor[In]())
	return err
}

func (s mapSource[In, Out]) open(ctx context.Context, eng *Engine) scan {
	ctx, cancel := context.WithCancel(ctx)
	m := &mapScan[In, Out]{ctx: ctx, cancel: cancel, queue: make(chan chan mapped[Out], 2*eng.cfg.Threads)}
	m.all.Go(func() { m.feed(s, eng) })
	return m
}

type mapped[Out any] struct {
	rows []Out
	err  error
}

type mapScan[In, Out any] struct {
	ctx    context.Context
	cancel context.CancelFunc
	queue  chan chan mapped[Out] // results in order
	err    error                 // before queue is closed
	all    sync.WaitGroup
}

// feed reads batches and has them worked on.
func (m *mapScan[In, Out]) feed(s mapSource[In, Out], eng *Engine) {
	defer close(m.queue)
	m.err = m.read(s, eng)
}

func (m *mapScan[In, Out]) read(s mapSource[In, Out], eng *Engine) (err error) {
	defer func() {
		if v := recover(); v != nil {
			err = newPanic(v)
		}
	}()
	r, err := eng.begin(m.ctx)
	if err != nil {
		return err
	}
	defer r.end()
	rd, err := newReader[In](r, s.in)
	if err != nil {
		return err
	}
	free := make(chan struct{}, eng.cfg.Threads)
	for {
		batch, err := rd.next()
		if err != nil || len(batch) == 0 {
			return err
		}
		rd.batch = nil // it is the function's now
		select {
		case free <- struct{}{}:
		case <-m.ctx.Done():
			return stopped(m.ctx)
		}
		result := make(chan mapped[Out], 1)
		m.all.Go(func() {
			budget.Shared.Force()
			defer budget.Shared.Release(1)
			rows, err := m.one(s, batch)
			result <- mapped[Out]{rows, err}
			<-free
		})
		select {
		case m.queue <- result:
		case <-m.ctx.Done():
			return stopped(m.ctx)
		}
	}
}

func (m *mapScan[In, Out]) one(s mapSource[In, Out], batch []In) (rows []Out, err error) {
	defer func() {
		if v := recover(); v != nil {
			err = newPanic(v)
		}
	}()
	rows, err = s.fn(m.ctx, batch)
	if err != nil {
		return nil, fmt.Errorf("frame: MapBatches: %w", err)
	}
	return rows, nil
}

func (m *mapScan[In, Out]) take(l *local) (unsafe.Pointer, int, error) {
	for {
		select {
		case result, ok := <-m.queue:
			if !ok {
				return nil, 0, m.err
			}
			select {
			case got := <-result:
				if got.err != nil {
					return nil, 0, got.err
				}
				if len(got.rows) == 0 {
					continue
				}
				l.keep = got.rows
				return unsafe.Pointer(unsafe.SliceData(got.rows)), len(got.rows), nil
			case <-m.ctx.Done():
				return nil, 0, stopped(m.ctx)
			}
		case <-m.ctx.Done():
			return nil, 0, stopped(m.ctx)
		}
	}
}

func (m *mapScan[In, Out]) close() {
	m.cancel()
	m.all.Wait()
}
