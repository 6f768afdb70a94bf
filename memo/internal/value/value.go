// Package value writes the results of functions and reads them back as they
// were: nil stays nil, an empty slice empty, NaN keeps its bits, fields that
// are not exported are kept as well. What can't come back as it was is refused
// with its path.
//
// Reading needs the type and runs no code that the bytes name. Slices of
// numbers lie in the bytes as in memory, long ones on multiples of 64, so that
// they can be used where they are.
package value

import (
	"encoding"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"math/big"
	"reflect"
	"time"

	"github.com/weft-go/weft/memo/internal/raw"
	"github.com/weft-go/weft/memo/internal/shape"
)

const (
	// alignment is where long slices of numbers begin, from the first byte.
	alignment = 64
	// longSlice is the length in bytes from which a slice is aligned.
	longSlice = 4096
	mostDepth = 10_000
	// guardDepth is where nesting begins to look like a cycle.
	guardDepth = 64
)

// Check reports, as a *shape.Error, what in t can never be stored. Behind an
// interface that shows only later.
func Check(t reflect.Type) error {
	if se := check(t, map[reflect.Type]bool{}); se != nil {
		se.Path = shape.Root(t) + se.Path
		return se
	}
	return nil
}

func check(t reflect.Type, seen map[reflect.Type]bool) *shape.Error {
	if seen[t] {
		return nil
	}
	seen[t] = true
	info := shape.Of(t)
	switch info.Way {
	case shape.Refused:
		return &shape.Error{Type: t, Why: info.Why}
	case shape.Parts:
	default:
		return nil
	}
	step := ""
	switch t.Kind() {
	case reflect.Struct:
		for _, f := range info.Fields {
			if f.Skipped {
				continue
			}
			if se := check(f.Type, seen); se != nil {
				se.Path = "." + f.Name + se.Path
				return se
			}
		}
		return nil
	case reflect.Map:
		if se := check(t.Key(), seen); se != nil {
			se.Path = "[key]" + se.Path
			return se
		}
		step = "[]"
	case reflect.Slice, reflect.Array:
		step = "[]"
	case reflect.Pointer:
	default:
		return nil
	}
	if se := check(t.Elem(), seen); se != nil {
		se.Path = step + se.Path
		return se
	}
	return nil
}

// Append writes v behind b, which must be empty or end on a multiple of 64.
func Append(b []byte, v reflect.Value) ([]byte, error) {
	w := &writer{b: b, base: len(b)}
	if err := w.value(v); err != nil {
		if se, ok := errors.AsType[*shape.Error](err); ok {
			se.Path = shape.Root(v.Type()) + se.Path
		}
		return b, err
	}
	return w.b, nil
}

type visit struct {
	at uintptr
	t  reflect.Type
}

type writer struct {
	b     []byte
	base  int
	depth int
	seen  map[visit]bool
}

func (w *writer) enter(v reflect.Value) error {
	w.depth++
	if w.depth < guardDepth {
		return nil
	}
	at := visit{v.Pointer(), v.Type()}
	if w.seen[at] {
		return &shape.Error{Type: v.Type(), Why: "points back to itself; a cycle can't be stored"}
	}
	if w.depth > mostDepth {
		return &shape.Error{Type: v.Type(), Why: fmt.Sprintf("is nested more than %d deep", mostDepth)}
	}
	if w.seen == nil {
		w.seen = map[visit]bool{}
	}
	w.seen[at] = true
	return nil
}

func (w *writer) leave(v reflect.Value) {
	if w.depth >= guardDepth {
		delete(w.seen, visit{v.Pointer(), v.Type()})
	}
	w.depth--
}

func (w *writer) uvarint(n int)  { w.b = binary.AppendUvarint(w.b, uint64(n)) }
func (w *writer) bytes(b []byte) { w.uvarint(len(b)); w.b = append(w.b, b...) }

func (w *writer) value(v reflect.Value) error {
	t := v.Type()
	info := shape.Of(t)
	if info.Way != shape.Parts {
		return w.whole(v, info)
	}
	switch t.Kind() {
	case reflect.Bool:
		if v.Bool() {
			w.b = append(w.b, 1)
		} else {
			w.b = append(w.b, 0)
		}
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		w.b = binary.AppendVarint(w.b, v.Int())
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		w.b = binary.AppendUvarint(w.b, v.Uint())
	case reflect.Float32, reflect.Float64, reflect.Complex64, reflect.Complex128:
		w.number(v)
	case reflect.String:
		w.uvarint(v.Len())
		w.b = append(w.b, v.String()...)
	case reflect.Pointer:
		if v.IsNil() {
			w.b = append(w.b, 0)
			return nil
		}
		w.b = append(w.b, 1)
		if err := w.enter(v); err != nil {
			return err
		}
		defer w.leave(v)
		return w.value(v.Elem())
	case reflect.Interface:
		return w.dynamic(v)
	case reflect.Slice:
		if v.IsNil() {
			w.b = append(w.b, 0)
			return nil
		}
		w.uvarint(v.Len() + 1)
		if raw.Width(t.Elem().Kind()) > 0 {
			w.numbers(v)
			return nil
		}
		if v.Len() == 0 {
			return nil
		}
		if err := w.enter(v); err != nil {
			return err
		}
		defer w.leave(v)
		return w.elements(v)
	case reflect.Array:
		return w.elements(v)
	case reflect.Map:
		if v.IsNil() {
			w.b = append(w.b, 0)
			return nil
		}
		w.uvarint(v.Len() + 1)
		if err := w.enter(v); err != nil {
			return err
		}
		defer w.leave(v)
		for it := v.MapRange(); it.Next(); {
			err := w.value(it.Key())
			if err == nil {
				err = w.value(it.Value())
			}
			if err != nil {
				return below(err, fmt.Sprintf("[%v]", it.Key()))
			}
		}
	case reflect.Struct:
		if !v.CanAddr() {
			p := reflect.New(t).Elem()
			p.Set(v)
			v = p
		}
		for _, f := range info.Fields {
			if f.Skipped {
				continue
			}
			fv := v.Field(f.Index)
			if !f.Exported {
				fv = raw.Open(fv)
			}
			if err := w.value(fv); err != nil {
				return below(err, "."+f.Name)
			}
		}
	}
	return nil
}

func below(err error, step string) error {
	if se, ok := errors.AsType[*shape.Error](err); ok {
		se.Path = step + se.Path
	}
	return err
}

func (w *writer) elements(v reflect.Value) error {
	for i := range v.Len() {
		if err := w.value(v.Index(i)); err != nil {
			return below(err, fmt.Sprintf("[%d]", i))
		}
	}
	return nil
}

// number writes an element of a slice of numbers, or a float, at its width.
func (w *writer) number(v reflect.Value) {
	le := binary.LittleEndian
	switch v.Kind() {
	case reflect.Float32:
		w.b = le.AppendUint32(w.b, math.Float32bits(float32(v.Float())))
	case reflect.Float64:
		w.b = le.AppendUint64(w.b, math.Float64bits(v.Float()))
	case reflect.Complex64:
		c := v.Complex()
		w.b = le.AppendUint32(w.b, math.Float32bits(float32(real(c))))
		w.b = le.AppendUint32(w.b, math.Float32bits(float32(imag(c))))
	case reflect.Complex128:
		c := v.Complex()
		w.b = le.AppendUint64(w.b, math.Float64bits(real(c)))
		w.b = le.AppendUint64(w.b, math.Float64bits(imag(c)))
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		var b [8]byte
		le.PutUint64(b[:], uint64(v.Int()))
		w.b = append(w.b, b[:raw.Width(v.Kind())]...)
	default:
		var b [8]byte
		le.PutUint64(b[:], v.Uint())
		w.b = append(w.b, b[:raw.Width(v.Kind())]...)
	}
}

func (w *writer) numbers(v reflect.Value) {
	elem := v.Type().Elem()
	if n := v.Len() * raw.Width(elem.Kind()); n >= longSlice {
		for (len(w.b)-w.base)%alignment != 0 {
			w.b = append(w.b, 0)
		}
	}
	if raw.Plain(elem) {
		w.b = append(w.b, raw.Bytes(v)...)
		return
	}
	for i := range v.Len() {
		w.number(v.Index(i))
	}
}

func (w *writer) whole(v reflect.Value, info *shape.Info) error {
	if info.Way == shape.Refused {
		return &shape.Error{Type: v.Type(), Why: info.Why}
	}
	p := reflect.New(v.Type())
	p.Elem().Set(v)
	var b []byte
	var err error
	switch info.Way {
	case shape.Time:
		b, err = appendTime(*p.Interface().(*time.Time))
	case shape.Float:
		b, err = p.Interface().(*big.Float).GobEncode()
	case shape.Binary:
		b, err = p.Interface().(encoding.BinaryMarshaler).MarshalBinary()
	default:
		b, err = p.Interface().(encoding.TextMarshaler).MarshalText()
	}
	if err != nil {
		return &shape.Error{Type: v.Type(), Why: err.Error()}
	}
	w.bytes(b)
	return nil
}

// dynamicTypes are what an interface may hold: a stored type must be known
// without looking it up. The place in the list is part of the format; new ones
// go to the end.
var dynamicTypes = []reflect.Type{
	nil,
	reflect.TypeFor[bool](),
	reflect.TypeFor[int](), reflect.TypeFor[int8](), reflect.TypeFor[int16](), reflect.TypeFor[int32](), reflect.TypeFor[int64](),
	reflect.TypeFor[uint](), reflect.TypeFor[uint8](), reflect.TypeFor[uint16](), reflect.TypeFor[uint32](), reflect.TypeFor[uint64](),
	reflect.TypeFor[float32](), reflect.TypeFor[float64](), reflect.TypeFor[complex64](), reflect.TypeFor[complex128](),
	reflect.TypeFor[string](), reflect.TypeFor[time.Time](), reflect.TypeFor[time.Duration](),
	reflect.TypeFor[[]any](), reflect.TypeFor[map[string]any](), reflect.TypeFor[map[any]any](),
	reflect.TypeFor[[]byte](), reflect.TypeFor[[]string](), reflect.TypeFor[map[string]string](),
	reflect.TypeFor[[]int](), reflect.TypeFor[[]int64](), reflect.TypeFor[[]float32](), reflect.TypeFor[[]float64](),
}

var dynamicPlace = func() map[reflect.Type]byte {
	m := map[reflect.Type]byte{}
	for i, t := range dynamicTypes[1:] {
		m[t] = byte(i + 1)
	}
	return m
}()

func (w *writer) dynamic(v reflect.Value) error {
	if v.IsNil() {
		w.b = append(w.b, 0)
		return nil
	}
	place, ok := dynamicPlace[v.Elem().Type()]
	if !ok {
		return &shape.Error{Type: v.Elem().Type(), Why: fmt.Sprintf("can't be stored behind the interface %v; make the field of a concrete type", v.Type())}
	}
	w.b = append(w.b, place)
	w.depth++
	defer func() { w.depth-- }()
	if w.depth > mostDepth {
		return &shape.Error{Type: v.Type(), Why: fmt.Sprintf("is nested more than %d deep", mostDepth)}
	}
	return w.value(v.Elem())
}
