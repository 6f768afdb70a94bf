// Package funcname lets a function that stands for another one be shown by the
// other's name: a plan of weft shall print the function that was wrapped, and
// not the closure around it. The packages that make such closures and those
// that print names need not know each other for that.
package funcname

import (
	"reflect"
	"runtime"
	"sync"
	"unsafe"
)

// names holds an *entry for each closure with a name, by its address.
var names sync.Map

type entry struct {
	name string
	// code is the closure's, as another one may come to have its address.
	code uintptr
}

// closure is the address of what a func value points to, nil for a nil one.
// A func is a pointer, so that is what the interface holds.
func closure(f any) unsafe.Pointer {
	if v := reflect.ValueOf(f); v.Kind() != reflect.Func || v.IsNil() {
		return nil
	}
	return (*[2]unsafe.Pointer)(unsafe.Pointer(&f))[1]
}

// Set says that f, a closure, is to be shown as name, as long as f is there. It
// may be called concurrently.
func Set(f any, name string) {
	p := closure(f)
	if p == nil {
		return
	}
	at, e := uintptr(p), &entry{name, reflect.ValueOf(f).Pointer()}
	names.Store(at, e)
	// By then the address may be another closure's.
	runtime.AddCleanup((*byte)(p), func(e *entry) { names.CompareAndDelete(at, e) }, e)
}

// Of returns the name that Set gave f, and else that of its symbol; "" if f is
// no function or nil. It may be called concurrently.
func Of(f any) string {
	p := closure(f)
	if p == nil {
		return ""
	}
	code := reflect.ValueOf(f).Pointer()
	if e, ok := names.Load(uintptr(p)); ok && e.(*entry).code == code {
		return e.(*entry).name
	}
	if fn := runtime.FuncForPC(code); fn != nil {
		return fn.Name()
	}
	return ""
}
