package graph

import (
	"reflect"

	"github.com/weft-go/weft/internal/sched"
	"github.com/weft-go/weft/memo"
)

// column is the place for the values of one type in a graph: its constants.
type column interface {
	// open makes the place for n results of a run.
	open(n int) store
	typ() reflect.Type
	// size is that of every value, -1 if they differ.
	size() int64
	constant(slot uint32) reflect.Value
	// snapshot is the column as it is now: constants that come later are not
	// in it.
	snapshot() column
	journal(c *memo.Cache, version string) journalColumn
}

// store is the place for the results of one type in a run.
type store interface {
	free(slot uint32)
	size(slot uint32) int64
	value(slot uint32) reflect.Value // settable
	constant(slot uint32) reflect.Value
}

type columnFor[T any] struct {
	constants []T
	fixed     int64
	measure   func(*T) int64
}

func newColumn[T any]() *columnFor[T] {
	c := &columnFor[T]{}
	c.fixed, c.measure = sizer[T]()
	return c
}

func (c *columnFor[T]) open(n int) store {
	return &results[T]{constants: c.constants, of: make([]T, n), measure: c.measure, fixed: c.fixed}
}
func (c *columnFor[T]) snapshot() column  { s := *c; return &s }
func (c *columnFor[T]) typ() reflect.Type { return reflect.TypeFor[T]() }
func (c *columnFor[T]) size() int64       { return c.fixed }
func (c *columnFor[T]) constant(slot uint32) reflect.Value {
	return reflect.ValueOf(&c.constants[slot]).Elem()
}

// results are those of one type in a run, and the constants as they were when
// it began. Different tasks write different places, and whoever reads one was
// told by the scheduler that it is there.
type results[T any] struct {
	constants []T
	of        []T
	fixed     int64
	measure   func(*T) int64
}

func (s *results[T]) free(slot uint32) {
	var zero T
	s.of[slot] = zero
}

func (s *results[T]) size(slot uint32) int64 {
	if s.fixed >= 0 {
		return s.fixed
	}
	return s.measure(&s.of[slot])
}

func (s *results[T]) value(slot uint32) reflect.Value {
	return reflect.ValueOf(&s.of[slot]).Elem()
}

func (s *results[T]) constant(slot uint32) reflect.Value {
	return reflect.ValueOf(&s.constants[slot]).Elem()
}

// get reads an input in a run.
func get[T any](r *run, column, in uint32) T {
	s := r.stores[column].(*results[T])
	if in&sched.Const != 0 {
		return s.constants[in&^sched.Const]
	}
	return s.of[r.slot[in]]
}

// getAll reads inputs of one type.
func getAll[T any](r *run, column uint32, in []uint32) []T {
	vs := make([]T, len(in))
	for i, d := range in {
		vs[i] = get[T](r, column, d)
	}
	return vs
}

// put writes the result of t.
func put[T any](r *run, column, t uint32, v T) {
	r.stores[column].(*results[T]).of[r.slot[t]] = v
}
