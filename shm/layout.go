package shm

import (
	"fmt"
	"hash/fnv"
	"io"
	"reflect"
	"strconv"
	"sync"
)

// layout is what two processes must agree on about T.
type layout struct {
	name        string // as in Go source, for messages
	size, align int
	fingerprint uint64 // of kinds, offsets and names
	hasBool     string // path of the first bool
	err         error
}

var layouts sync.Map // of layout by reflect.Type

// layoutOf returns the layout of T or why T can't be shared. It is worked out
// once a type; after that it takes some 20 ns.
func layoutOf[T any]() (layout, error) {
	t := reflect.TypeFor[T]()
	l, ok := layouts.Load(t)
	if !ok {
		l, _ = layouts.LoadOrStore(t, newLayout(t))
	}
	return l.(layout), l.(layout).err
}

func newLayout(t reflect.Type) layout {
	l := layout{name: short(t.String()), size: int(t.Size()), align: t.Align()}
	hash := fnv.New64a()
	if l.err = l.walk(hash, t, t.String()); l.err == nil && l.size == 0 {
		l.err = fmt.Errorf("shm: %s has no size; share a type that holds something", t)
	}
	l.fingerprint = hash.Sum64()
	return l
}

// maxName is the longest name of a type that a handle carries.
const maxName = 120

func short(name string) string {
	if len(name) > maxName {
		return name[:maxName-3] + "..."
	}
	return name
}

// walk writes the layout of t to hash. path names t as a user would: item.At.X.
func (l *layout) walk(hash io.Writer, t reflect.Type, path string) error {
	if err := unshareable(t, path); err != nil {
		return err
	}
	switch t.Kind() {
	case reflect.Bool:
		if l.hasBool == "" {
			l.hasBool = path
		}
		fmt.Fprint(hash, t.Kind())
	case reflect.Array:
		fmt.Fprintf(hash, "[%d]", t.Len())
		return l.walk(hash, t.Elem(), path+"[]")
	case reflect.Struct:
		fmt.Fprintf(hash, "struct %s {", t.String())
		for f := range t.Fields() {
			fmt.Fprintf(hash, "%s@%d ", f.Name, f.Offset)
			if err := l.walk(hash, f.Type, path+"."+f.Name); err != nil {
				return err
			}
			fmt.Fprint(hash, ";")
		}
		fmt.Fprintf(hash, "}%d", t.Size())
	default:
		fmt.Fprintf(hash, "%s%d", t.Kind(), t.Size())
	}
	return nil
}

// unshareable says why memory of type t means nothing to another process.
func unshareable(t reflect.Type, path string) error {
	bad := func(why string) error { return fmt.Errorf("shm: %s is a %s: %s", path, t, why) }
	switch t.Kind() {
	case reflect.Pointer, reflect.UnsafePointer, reflect.Map, reflect.Chan, reflect.Func, reflect.Interface:
		return bad("it points into the memory of one process; share numbers, arrays and structs of them")
	case reflect.Slice:
		return bad("it points into the memory of one process; use an array of fixed length, or a segment of its own")
	case reflect.String:
		return bad("it points into the memory of one process; use an array of bytes such as [" + strconv.Itoa(32) + "]byte")
	case reflect.Uintptr:
		return bad("an address means nothing to another process; use uint64")
	}
	if p := t.PkgPath(); p == "sync" || p == "internal/sync" {
		return bad("it works in one process only; use shm.Mutex")
	}
	return nil
}
