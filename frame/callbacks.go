//go:build cgo

package frame

/*
#include <stdint.h>
#include <stdlib.h>

void weftFrameBind(void *);
void weftFrameInit(void *);
void weftFrameLocal(void *);
void weftFrameDropLocal(void *);
void weftFrameFill(void *, void *);
void weftFrameCall(void *, void *, void *);
typedef void (*weft_one)(void *);
typedef void (*weft_two)(void *, void *);
typedef void (*weft_three)(void *, void *, void *);
*/
import "C"

import (
	"errors"
	"fmt"
	"sync"
	"unsafe"

	"github.com/duckdb/duckdb-go/v2/mapping"
)

// The engine calls Go through the functions in this file. C memory must not
// hold pointers of Go, so that what it keeps is numbers, by which registry
// finds the values.

// registry numbers values.
type registry[T any] struct {
	mu   sync.Mutex
	last uint64
	byID map[uint64]T
}

func (g *registry[T]) add(v T) uint64 {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.byID == nil {
		g.byID = map[uint64]T{}
	}
	g.last++
	g.byID[g.last] = v
	return g.last
}

func (g *registry[T]) get(id uint64) (T, bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	v, ok := g.byID[id]
	return v, ok
}

func (g *registry[T]) drop(id uint64) (T, bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	v, ok := g.byID[id]
	delete(g.byID, id)
	return v, ok
}

func (g *registry[T]) size() int {
	g.mu.Lock()
	defer g.mu.Unlock()
	return len(g.byID)
}

var (
	feedsByID registry[*feed]
	locals    registry[*local]
	functions registry[*goFunc]
	failures  failureLog
)

// box puts a number into C memory.
func box(id uint64) unsafe.Pointer {
	p := C.malloc(8)
	*(*uint64)(p) = id
	return p
}

func unbox(p unsafe.Pointer) uint64 {
	if p == nil {
		return 0
	}
	return *(*uint64)(p)
}

var freeBox = unsafe.Pointer(C.weft_one(C.free))

// sourceName is the engine's table function for rows from Go; its argument is
// the number of the feed.
const sourceName = "weft_rows"

func registerSource(conn mapping.Connection) error {
	f := mapping.CreateTableFunction()
	defer mapping.DestroyTableFunction(&f)
	mapping.TableFunctionSetName(f, sourceName)
	lt := mapping.CreateLogicalType(mapping.TypeBigInt)
	mapping.TableFunctionAddParameter(f, lt)
	mapping.DestroyLogicalType(&lt)
	mapping.TableFunctionSupportsProjectionPushdown(f, true)
	mapping.TableFunctionSetBind(f, unsafe.Pointer(C.weft_one(C.weftFrameBind)))
	mapping.TableFunctionSetInit(f, unsafe.Pointer(C.weft_one(C.weftFrameInit)))
	mapping.TableFunctionSetLocalInit(f, unsafe.Pointer(C.weft_one(C.weftFrameLocal)))
	mapping.TableFunctionSetFunction(f, unsafe.Pointer(C.weft_two(C.weftFrameFill)))
	if mapping.RegisterTableFunction(conn, f) == mapping.StateError {
		return errors.New("the source for rows from Go can't be registered")
	}
	return nil
}

// guard turns what goes wrong in a callback into the engine's error.
func guard(report func(string), f func() error) {
	defer func() {
		if v := recover(); v != nil {
			report(failures.add(newPanic(v)))
		}
	}()
	if err := f(); err != nil {
		report(failures.add(err))
	}
}

//export weftFrameBind
func weftFrameBind(p unsafe.Pointer) {
	info := mapping.BindInfo{Ptr: p}
	guard(func(s string) { mapping.BindSetError(info, s) }, func() error {
		v := mapping.BindGetParameter(info, 0)
		id := uint64(mapping.GetInt64(v))
		mapping.DestroyValue(&v)
		f, ok := feedsByID.get(id)
		if !ok {
			return fmt.Errorf("frame: no rows with number %d; %s is for frames only", id, sourceName)
		}
		for _, c := range f.src.layout() {
			lt := c.logical()
			mapping.BindAddResultColumn(info, c.name, lt)
			mapping.DestroyLogicalType(&lt)
		}
		if n := f.src.rows(); n >= 0 {
			mapping.BindSetCardinality(info, mapping.IdxT(n), true)
		}
		mapping.BindSetBindData(info, box(id), freeBox)
		return nil
	})
}

//export weftFrameInit
func weftFrameInit(p unsafe.Pointer) {
	info := mapping.InitInfo{Ptr: p}
	guard(func(s string) { mapping.InitSetError(info, s) }, func() error {
		f, ok := feedsByID.get(unbox(mapping.InitGetBindData(info)))
		if !ok {
			return errors.New("frame: the rows are gone")
		}
		var want []int
		for i := range mapping.InitGetColumnCount(info) {
			want = append(want, int(int64(mapping.InitGetColumnIndex(info, i))))
		}
		id, err := f.start(want)
		if err != nil {
			return err
		}
		mapping.InitSetInitData(info, box(id), freeBox)
		mapping.InitSetMaxThreads(info, mapping.IdxT(f.threads))
		return nil
	})
}

//export weftFrameLocal
func weftFrameLocal(p unsafe.Pointer) {
	info := mapping.InitInfo{Ptr: p}
	mapping.InitSetInitData(info, box(locals.add(&local{})), unsafe.Pointer(C.weft_one(C.weftFrameDropLocal)))
}

//export weftFrameDropLocal
func weftFrameDropLocal(p unsafe.Pointer) {
	locals.drop(unbox(p))
	C.free(p)
}

//export weftFrameFill
func weftFrameFill(p, out unsafe.Pointer) {
	info, chunk := mapping.FunctionInfo{Ptr: p}, mapping.DataChunk{Ptr: out}
	guard(func(s string) { mapping.FunctionSetError(info, s) }, func() error {
		f, ok := feedsByID.get(unbox(mapping.FunctionGetBindData(info)))
		l, has := locals.get(unbox(mapping.FunctionGetLocalInitData(info)))
		if !ok || !has {
			return errors.New("frame: the rows are gone")
		}
		n, err := f.fill(unbox(mapping.FunctionGetInitData(info)), l, chunk)
		mapping.DataChunkSetSize(chunk, mapping.IdxT(n))
		return err
	})
}

// registerFunc makes a Go function known to the engine.
func registerFunc(conn mapping.Connection, f *goFunc) error {
	s := mapping.CreateScalarFunction()
	defer mapping.DestroyScalarFunction(&s)
	mapping.ScalarFunctionSetName(s, f.sqlName())
	for _, a := range f.args {
		lt := a.logical()
		mapping.ScalarFunctionAddParameter(s, lt)
		mapping.DestroyLogicalType(&lt)
	}
	lt := f.result.logical()
	mapping.ScalarFunctionSetReturnType(s, lt)
	mapping.DestroyLogicalType(&lt)
	mapping.ScalarFunctionSetSpecialHandling(s) // nulls come to us
	mapping.ScalarFunctionSetExtraInfo(s, box(f.id), freeBox)
	mapping.ScalarFunctionSetFunction(s, unsafe.Pointer(C.weft_three(C.weftFrameCall)))
	if mapping.RegisterScalarFunction(conn, s) == mapping.StateError {
		return fmt.Errorf("frame: the function %s can't be registered", f.name)
	}
	return nil
}

//export weftFrameCall
func weftFrameCall(p, in, out unsafe.Pointer) {
	info, chunk := mapping.FunctionInfo{Ptr: p}, mapping.DataChunk{Ptr: in}
	guard(func(s string) { mapping.ScalarFunctionSetError(info, s) }, func() error {
		f, ok := functions.get(unbox(mapping.ScalarFunctionGetExtraInfo(info)))
		if !ok {
			return errors.New("frame: the function is gone")
		}
		return f.call(chunk, mapping.Vector{Ptr: out}, int(mapping.DataChunkGetSize(chunk)))
	})
}
