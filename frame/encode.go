//go:build cgo

package frame

import (
	"fmt"
	"math"
	"reflect"
	"time"
	"unicode/utf8"
	"unsafe"

	"github.com/duckdb/duckdb-go/v2/mapping"
)

// encoder writes n values of Go, which lie stride bytes apart, to the elements
// of a vector from at on.
type encoder func(v mapping.Vector, at, n int, base unsafe.Pointer, stride uintptr) error

// goType is a type of Go as the engine sees it.
type goType struct {
	name    string // of a column
	id      mapping.Type
	typ     Type
	offset  uintptr
	width   uintptr // of an element that is the same in both worlds, else 0
	enc     encoder
	child   *goType  // of a list
	members []goType // of a struct

	digits, scale uint8 // of a decimal

	optional bool // of a function's argument: it takes nulls
}

func (t goType) logical() mapping.LogicalType {
	switch t.id {
	case mapping.TypeDecimal:
		return mapping.CreateDecimalType(t.digits, t.scale)
	case mapping.TypeList:
		c := t.child.logical()
		defer mapping.DestroyLogicalType(&c)
		return mapping.CreateListType(c)
	case mapping.TypeStruct:
		var names []string
		types := make([]mapping.LogicalType, len(t.members))
		for i, m := range t.members {
			names = append(names, m.name)
			types[i] = m.logical()
			defer mapping.DestroyLogicalType(&types[i])
		}
		return mapping.CreateStructType(types, names)
	}
	return mapping.CreateLogicalType(t.id)
}

func plainGo[S any](id mapping.Type, typ Type) goType {
	var s S
	return goType{id: id, typ: typ, width: unsafe.Sizeof(s), enc: func(v mapping.Vector, at, n int, base unsafe.Pointer, stride uintptr) error {
		dst := unsafe.Slice((*S)(mapping.VectorGetData(v)), at+n)[at:]
		for i := range dst {
			dst[i] = *(*S)(unsafe.Add(base, uintptr(i)*stride))
		}
		return nil
	}}
}

// convert is plainGo for values that are something else there.
func convert[S, D any](id mapping.Type, typ Type, f func(S) (D, error)) goType {
	return goType{id: id, typ: typ, enc: func(v mapping.Vector, at, n int, base unsafe.Pointer, stride uintptr) error {
		dst := unsafe.Slice((*D)(mapping.VectorGetData(v)), at+n)[at:]
		for i := range dst {
			var err error
			if dst[i], err = f(*(*S)(unsafe.Add(base, uintptr(i)*stride))); err != nil {
				return err
			}
		}
		return nil
	}}
}

func setNull(v mapping.Vector, i int) {
	mapping.VectorEnsureValidityWritable(v)
	w := (*uint64)(unsafe.Add(mapping.VectorGetValidity(v), i/64*8))
	*w &^= 1 << (i % 64)
}

// goTypeOf returns how a type of Go is given to the engine.
func goTypeOf(g reflect.Type) (goType, error) {
	switch g {
	case timeType:
		return convert(mapping.TypeTimestamp, DateTime, func(t time.Time) (int64, error) {
			if y := t.Year(); y < -290000 || y > 294000 {
				return 0, fmt.Errorf("%w: the year %d is none for a timestamp", ErrRange, y)
			}
			return t.UnixMicro(), nil
		}), nil
	case durationType:
		return convert(mapping.TypeInterval, Duration, func(d time.Duration) (Interval, error) {
			return Interval{Micros: d.Microseconds()}, nil
		}), nil
	case intervalType:
		return convert(mapping.TypeInterval, Duration, func(i Interval) (Interval, error) { return i, nil }), nil
	case bytesType:
		return goType{id: mapping.TypeBlob, typ: Bytes, enc: func(v mapping.Vector, at, n int, base unsafe.Pointer, stride uintptr) error {
			for i := range n {
				b := *(*[]byte)(unsafe.Add(base, uintptr(i)*stride))
				if b == nil {
					setNull(v, at+i)
					continue
				}
				mapping.VectorAssignStringElementLen(v, mapping.IdxT(at+i), b)
			}
			return nil
		}}, nil
	}
	switch g.Kind() {
	case reflect.Bool:
		return plainGo[bool](mapping.TypeBoolean, Bool), nil
	case reflect.Int8:
		return plainGo[int8](mapping.TypeTinyInt, Int8), nil
	case reflect.Int16:
		return plainGo[int16](mapping.TypeSmallInt, Int16), nil
	case reflect.Int32:
		return plainGo[int32](mapping.TypeInteger, Int32), nil
	case reflect.Int64, reflect.Int:
		return plainGo[int64](mapping.TypeBigInt, Int64), nil
	case reflect.Uint8:
		return plainGo[uint8](mapping.TypeUTinyInt, Uint8), nil
	case reflect.Uint16:
		return plainGo[uint16](mapping.TypeUSmallInt, Uint16), nil
	case reflect.Uint32:
		return plainGo[uint32](mapping.TypeUInteger, Uint32), nil
	case reflect.Uint64, reflect.Uint:
		return plainGo[uint64](mapping.TypeUBigInt, Uint64), nil
	case reflect.Float32:
		return plainGo[float32](mapping.TypeFloat, Float32), nil
	case reflect.Float64:
		return plainGo[float64](mapping.TypeDouble, Float64), nil
	case reflect.String:
		return goType{id: mapping.TypeVarchar, typ: String, enc: encodeText}, nil
	case reflect.Pointer:
		return optional(g.Elem(), func(p unsafe.Pointer) unsafe.Pointer { return *(*unsafe.Pointer)(p) })
	case reflect.Slice:
		return listOf(g)
	case reflect.Struct:
		if isNull(g) {
			val, _ := g.FieldByName("V")
			ok, _ := g.FieldByName("Valid")
			return optional(val.Type, func(p unsafe.Pointer) unsafe.Pointer {
				if !*(*bool)(unsafe.Add(p, ok.Offset)) {
					return nil
				}
				return unsafe.Add(p, val.Offset)
			})
		}
		if plainStruct(g) {
			return structOf(g)
		}
	}
	return goType{}, fmt.Errorf("a %v can't be a column; use numbers, strings, bools, []byte, time.Time, time.Duration, slices and structs of them, and pointers or sql.Null for nulls", g)
}

// encodeText gives the engine short texts in place and others by a copy that
// it makes.
func encodeText(v mapping.Vector, at, n int, base unsafe.Pointer, stride uintptr) error {
	dst := unsafe.Slice((*text)(mapping.VectorGetData(v)), at+n)[at:]
	for i := range n {
		s := *(*string)(unsafe.Add(base, uintptr(i)*stride))
		if len(s) <= 12 && ascii(s) {
			t := text{size: uint32(len(s))}
			copy(unsafe.Slice(&t.in[0], 12), s)
			dst[i] = t
			continue
		}
		if uint64(len(s)) > math.MaxUint32 {
			return fmt.Errorf("%w: a text of %d bytes", ErrRange, len(s))
		}
		if !utf8.ValidString(s) { // the engine would put null there
			return fmt.Errorf("the text %.60q is not valid UTF-8; use []byte for bytes, or strings.ToValidUTF8", s)
		}
		mapping.VectorAssignStringElementLen(v, mapping.IdxT(at+i), unsafe.Slice(unsafe.StringData(s), len(s)))
	}
	return nil
}

func ascii(s string) bool {
	for i := range len(s) {
		if s[i] >= 0x80 {
			return false
		}
	}
	return true
}

// optional is a type whose values may be null: get returns nil for those.
func optional(g reflect.Type, get func(unsafe.Pointer) unsafe.Pointer) (goType, error) {
	t, err := goTypeOf(g)
	if err != nil {
		return t, err
	}
	enc := t.enc
	t.width = 0
	t.enc = func(v mapping.Vector, at, n int, base unsafe.Pointer, stride uintptr) error {
		for i := range n {
			p := get(unsafe.Add(base, uintptr(i)*stride))
			if p == nil {
				setNull(v, at+i)
				continue
			}
			if err := enc(v, at+i, 1, p, 0); err != nil {
				return err
			}
		}
		return nil
	}
	return t, nil
}

func listOf(g reflect.Type) (goType, error) {
	child, err := goTypeOf(g.Elem())
	if err != nil {
		return goType{}, err
	}
	size := g.Elem().Size()
	return goType{id: mapping.TypeList, typ: child.typ + "[]", child: &child, enc: func(v mapping.Vector, at, n int, base unsafe.Pointer, stride uintptr) error {
		type slice struct {
			p    unsafe.Pointer
			n, c int
		}
		total := int(mapping.ListVectorGetSize(v))
		from := total
		for i := range n {
			total += (*slice)(unsafe.Add(base, uintptr(i)*stride)).n
		}
		mapping.ListVectorReserve(v, mapping.IdxT(total))
		mapping.ListVectorSetSize(v, mapping.IdxT(total))
		dst := unsafe.Slice((*entry)(mapping.VectorGetData(v)), at+n)[at:]
		for i := range n {
			s := (*slice)(unsafe.Add(base, uintptr(i)*stride))
			dst[i] = entry{uint64(from), uint64(s.n)}
			if s.p == nil {
				setNull(v, at+i)
				continue
			}
			if s.n > 0 {
				if err := child.enc(mapping.ListVectorGetChild(v), from, s.n, s.p, size); err != nil {
					return err
				}
			}
			from += s.n
		}
		return nil
	}}, nil
}

func structOf(g reflect.Type) (goType, error) {
	members, err := layoutOf(g)
	if err != nil {
		return goType{}, err
	}
	t := goType{id: mapping.TypeStruct, members: members, enc: func(v mapping.Vector, at, n int, base unsafe.Pointer, stride uintptr) error {
		for i, m := range members {
			if err := m.enc(mapping.StructVectorGetChild(v, mapping.IdxT(i)), at, n, unsafe.Add(base, m.offset), stride); err != nil {
				return err
			}
		}
		return nil
	}}
	t.typ = "STRUCT"
	return t, nil
}

// layoutOf returns the columns that a T has: the fields of a struct, or one
// that is called value.
func layoutOf(g reflect.Type) ([]goType, error) {
	if !plainStruct(g) {
		t, err := goTypeOf(g)
		t.name = "value"
		return []goType{t}, err
	}
	var out []goType
	for _, f := range structFields(g) {
		t, err := goTypeOf(f.typ)
		if err != nil {
			return nil, fmt.Errorf("field %s of %v: %w; or leave it out with the tag `frame:\"-\"`", f.name, g, err)
		}
		t.name, t.offset = f.name, f.offset
		out = append(out, t)
	}
	if len(out) == 0 {
		return nil, fmt.Errorf("%v has no exported field", g)
	}
	return out, nil
}
