//go:build cgo

package frame

import (
	"fmt"
	"reflect"
	"strings"
	"unsafe"

	"github.com/duckdb/duckdb-go/v2/mapping"
)

// decoderFor returns how to write a column to a type of Go. A null is an
// error where the type has no place for it.
func decoderFor(t *colType, g reflect.Type) (decoder, error) {
	if d := scalar(t, g); d != nil {
		return notNull(d, g), nil
	}
	switch {
	case g.Kind() == reflect.Pointer:
		return pointer(t, g)
	case isNull(g):
		return nullable(t, g)
	case g.Kind() == reflect.Interface && g.NumMethod() == 0:
		return boxed(t)
	case (t.id == mapping.TypeList || t.id == mapping.TypeArray) && g.Kind() == reflect.Slice:
		return list(t, g)
	case t.id == mapping.TypeStruct && g.Kind() == reflect.Struct:
		return structure(t, g)
	case t.id == mapping.TypeStruct && g == reflect.TypeFor[map[string]any]():
		return structMap(t)
	case t.id == mapping.TypeMap && g.Kind() == reflect.Map:
		return maps(t, g)
	}
	return nil, fmt.Errorf("%s can't be read into a %v; %s", t.name, g, readAs(t))
}

// readAs is the advice for a type.
func readAs(t *colType) string {
	switch g := natural(t); {
	case g == nil:
		return "Cast the column first"
	default:
		return fmt.Sprintf("use a %v, or Cast the column", g)
	}
}

// natural is the type of Go that a value of a type is as an any.
func natural(t *colType) reflect.Type {
	switch t.id {
	case mapping.TypeBoolean:
		return reflect.TypeFor[bool]()
	case mapping.TypeTinyInt:
		return reflect.TypeFor[int8]()
	case mapping.TypeSmallInt:
		return reflect.TypeFor[int16]()
	case mapping.TypeInteger:
		return reflect.TypeFor[int32]()
	case mapping.TypeBigInt:
		return reflect.TypeFor[int64]()
	case mapping.TypeUTinyInt:
		return reflect.TypeFor[uint8]()
	case mapping.TypeUSmallInt:
		return reflect.TypeFor[uint16]()
	case mapping.TypeUInteger:
		return reflect.TypeFor[uint32]()
	case mapping.TypeUBigInt:
		return reflect.TypeFor[uint64]()
	case mapping.TypeHugeInt, mapping.TypeUHugeInt:
		return bigType
	case mapping.TypeFloat:
		return reflect.TypeFor[float32]()
	case mapping.TypeDouble:
		return reflect.TypeFor[float64]()
	case mapping.TypeVarchar, mapping.TypeEnum, mapping.TypeUUID:
		return reflect.TypeFor[string]()
	case mapping.TypeBlob:
		return bytesType
	case mapping.TypeDecimal:
		return decimalType
	case mapping.TypeInterval:
		return intervalType
	case mapping.TypeTime, mapping.TypeTimeNS:
		return durationType
	case mapping.TypeDate, mapping.TypeTimestamp, mapping.TypeTimestampTZ, mapping.TypeTimestampS, mapping.TypeTimestampMS, mapping.TypeTimestampNS:
		return timeType
	case mapping.TypeList, mapping.TypeArray:
		return reflect.TypeFor[[]any]()
	case mapping.TypeStruct:
		return reflect.TypeFor[map[string]any]()
	case mapping.TypeMap:
		return reflect.TypeFor[map[any]any]()
	}
	return nil
}

func notNull(d decoder, g reflect.Type) decoder {
	return func(v vec, n int, base unsafe.Pointer, stride uintptr) (int, error) {
		if i := v.firstNull(n); i < n {
			return i, fmt.Errorf("%w: a %v has no place for it; use a *%v or sql.Null[%v], or FillNull", ErrNull, g, g, g)
		}
		v.mask = nil
		return d(v, n, base, stride)
	}
}

// zeroNull leaves a value as it is where there is a null: for slices, maps and
// anys, which have nil.
func pointer(t *colType, g reflect.Type) (decoder, error) {
	elem := g.Elem()
	d, err := decoderFor(t, elem)
	if err != nil {
		return nil, err
	}
	return func(v vec, n int, base unsafe.Pointer, stride uintptr) (int, error) {
		all := reflect.MakeSlice(reflect.SliceOf(elem), n, n)
		size := elem.Size()
		for i := 0; i < n; {
			if v.null(i) {
				i++
				continue
			}
			run := 1
			for i+run < n && !v.null(i+run) {
				run++
			}
			part := v.slice(t, i)
			part.mask = nil
			if at, err := d(part, run, unsafe.Add(all.UnsafePointer(), uintptr(i)*size), size); err != nil {
				return i + at, err
			}
			for j := i; j < i+run; j++ {
				*(*unsafe.Pointer)(unsafe.Add(base, uintptr(j)*stride)) = unsafe.Add(all.UnsafePointer(), uintptr(j)*size)
			}
			i += run
		}
		return 0, nil
	}, nil
}

// isNull tells whether a type is a sql.Null.
func isNull(g reflect.Type) bool {
	return g.Kind() == reflect.Struct && g.PkgPath() == "database/sql" && strings.HasPrefix(g.Name(), "Null[")
}

func nullable(t *colType, g reflect.Type) (decoder, error) {
	val, _ := g.FieldByName("V")
	ok, _ := g.FieldByName("Valid")
	d, err := decoderFor(t, val.Type)
	if err != nil {
		return nil, err
	}
	return func(v vec, n int, base unsafe.Pointer, stride uintptr) (int, error) {
		for i := range n {
			if v.null(i) {
				continue
			}
			p := unsafe.Add(base, uintptr(i)*stride)
			one := v.slice(t, i)
			one.mask = nil
			if _, err := d(one, 1, unsafe.Add(p, val.Offset), 0); err != nil {
				return i, err
			}
			*(*bool)(unsafe.Add(p, ok.Offset)) = true
		}
		return 0, nil
	}, nil
}

// one decodes what is not null, one after the other.
func one(t *colType, f func(v vec, p unsafe.Pointer) error) decoder {
	return func(v vec, n int, base unsafe.Pointer, stride uintptr) (int, error) {
		for i := range n {
			if v.null(i) {
				continue
			}
			if err := f(v.slice(t, i), unsafe.Add(base, uintptr(i)*stride)); err != nil {
				return i, err
			}
		}
		return 0, nil
	}
}

func boxed(t *colType) (decoder, error) {
	g := natural(t)
	if g == nil {
		return nil, fmt.Errorf("%s can't be read; Cast the column first", t.name)
	}
	d, err := decoderFor(t, g)
	if err != nil {
		return nil, err
	}
	return one(t, func(v vec, p unsafe.Pointer) error {
		x := reflect.New(g)
		v.mask = nil
		if _, err := d(v, 1, x.UnsafePointer(), 0); err != nil {
			return err
		}
		*(*any)(p) = x.Elem().Interface()
		return nil
	}), nil
}

type entry struct{ off, size uint64 }

// elements is where a list's elements are.
func elements(t *colType, v vec) (child vec, n int) {
	c := &t.children[0]
	if t.id == mapping.TypeArray {
		return newVec(mapping.ArrayVectorGetChild(v.v)).slice(c, v.off*t.size), t.size
	}
	e := *(*entry)(v.data)
	return newVec(mapping.ListVectorGetChild(v.v)).slice(c, int(e.off)), int(e.size)
}

func list(t *colType, g reflect.Type) (decoder, error) {
	d, err := decoderFor(&t.children[0], g.Elem())
	if err != nil {
		return nil, fmt.Errorf("in a list: %w", err)
	}
	return one(t, func(v vec, p unsafe.Pointer) error {
		child, n := elements(t, v)
		s := reflect.MakeSlice(g, n, n)
		if i, err := d(child, n, s.UnsafePointer(), g.Elem().Size()); err != nil {
			return fmt.Errorf("in element %d: %w", i, err)
		}
		reflect.NewAt(g, p).Elem().Set(s)
		return nil
	}), nil
}

func structure(t *colType, g reflect.Type) (decoder, error) {
	fs, err := fieldsOf(g, t.names, func(i int) *colType { return &t.children[i] })
	if err != nil {
		return nil, err
	}
	d := one(t, func(v vec, p unsafe.Pointer) error {
		for _, f := range fs {
			child := newVec(mapping.StructVectorGetChild(v.v, mapping.IdxT(f.col))).slice(&t.children[f.col], v.off)
			if _, err := f.dec(child, 1, unsafe.Add(p, f.offset), 0); err != nil {
				return fmt.Errorf("in field %q: %w", f.name, err)
			}
		}
		return nil
	})
	return notNull(d, g), nil
}

func structMap(t *colType) (decoder, error) {
	ds := make([]decoder, len(t.children))
	for i := range ds {
		var err error
		if ds[i], err = boxed(&t.children[i]); err != nil {
			return nil, err
		}
	}
	return one(t, func(v vec, p unsafe.Pointer) error {
		m := make(map[string]any, len(ds))
		for i, d := range ds {
			child := newVec(mapping.StructVectorGetChild(v.v, mapping.IdxT(i))).slice(&t.children[i], v.off)
			var x any
			if _, err := d(child, 1, unsafe.Pointer(&x), 0); err != nil {
				return err
			}
			m[t.names[i]] = x
		}
		*(*map[string]any)(p) = m
		return nil
	}), nil
}

func maps(t *colType, g reflect.Type) (decoder, error) {
	key, err := decoderFor(&t.children[0], g.Key())
	if err != nil {
		return nil, fmt.Errorf("in a key: %w", err)
	}
	val, err := decoderFor(&t.children[1], g.Elem())
	if err != nil {
		return nil, fmt.Errorf("in a value: %w", err)
	}
	return one(t, func(v vec, p unsafe.Pointer) error {
		e := *(*entry)(v.data)
		n := int(e.size)
		pairs := mapping.ListVectorGetChild(v.v)
		part := func(i int, d decoder, g reflect.Type) (reflect.Value, error) {
			s := reflect.MakeSlice(reflect.SliceOf(g), n, n)
			child := newVec(mapping.StructVectorGetChild(pairs, mapping.IdxT(i))).slice(&t.children[i], int(e.off))
			_, err := d(child, n, s.UnsafePointer(), g.Size())
			return s, err
		}
		ks, err := part(0, key, g.Key())
		if err != nil {
			return err
		}
		vs, err := part(1, val, g.Elem())
		if err != nil {
			return err
		}
		m := reflect.MakeMapWithSize(g, n)
		for i := range n {
			m.SetMapIndex(ks.Index(i), vs.Index(i))
		}
		reflect.NewAt(g, p).Elem().Set(m)
		return nil
	}), nil
}
