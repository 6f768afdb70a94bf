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

// ErrDamaged is the cause of all errors of Read.
var ErrDamaged = errors.New("the stored value is damaged")

// Read sets v, which must be settable, to what Append wrote. With alias, long
// slices of numbers point into b where they can.
func Read(b []byte, v reflect.Value, alias bool) error {
	r := &reader{b: b, alias: alias}
	if err := r.value(v, 0); err != nil {
		return err
	}
	if r.at != len(b) {
		return fmt.Errorf("%w: %d bytes are left over", ErrDamaged, len(b)-r.at)
	}
	return nil
}

type reader struct {
	b     []byte
	at    int
	alias bool
}

func (r *reader) fail(t reflect.Type) error {
	return fmt.Errorf("%w: no %v at byte %d of %d", ErrDamaged, t, r.at, len(r.b))
}

func (r *reader) byte() (byte, bool) {
	if r.at >= len(r.b) {
		return 0, false
	}
	r.at++
	return r.b[r.at-1], true
}

func (r *reader) uvarint() (uint64, bool) {
	n, size := binary.Uvarint(r.b[r.at:])
	if size <= 0 {
		return 0, false
	}
	r.at += size
	return n, true
}

// bytes returns n bytes where they lie.
func (r *reader) bytes(n uint64) ([]byte, bool) {
	if n > uint64(len(r.b)-r.at) {
		return nil, false
	}
	b := r.b[r.at : r.at+int(n) : r.at+int(n)]
	r.at += int(n)
	return b, true
}

func (r *reader) value(v reflect.Value, depth int) error {
	t := v.Type()
	if depth > mostDepth+2 {
		return r.fail(t)
	}
	info := shape.Of(t)
	if info.Way != shape.Parts {
		return r.whole(v, info)
	}
	switch t.Kind() {
	case reflect.Bool:
		b, ok := r.byte()
		if !ok || b > 1 {
			return r.fail(t)
		}
		v.SetBool(b == 1)
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		n, size := binary.Varint(r.b[r.at:])
		if size <= 0 || v.OverflowInt(n) {
			return r.fail(t)
		}
		r.at += size
		v.SetInt(n)
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		n, ok := r.uvarint()
		if !ok || v.OverflowUint(n) {
			return r.fail(t)
		}
		v.SetUint(n)
	case reflect.Float32, reflect.Float64, reflect.Complex64, reflect.Complex128:
		b, ok := r.bytes(uint64(raw.Width(t.Kind())))
		if !ok {
			return r.fail(t)
		}
		setNumber(v, b)
	case reflect.String:
		n, ok := r.uvarint()
		if !ok {
			return r.fail(t)
		}
		b, ok := r.bytes(n)
		if !ok {
			return r.fail(t)
		}
		v.SetString(string(b))
	case reflect.Pointer:
		b, ok := r.byte()
		if !ok || b > 1 {
			return r.fail(t)
		}
		if b == 0 {
			v.SetZero()
			return nil
		}
		p := reflect.New(t.Elem())
		if err := r.value(p.Elem(), depth+1); err != nil {
			return err
		}
		v.Set(p.Convert(t))
	case reflect.Interface:
		return r.dynamic(v, depth)
	case reflect.Slice:
		return r.slice(v, depth)
	case reflect.Array:
		for i := range v.Len() {
			if err := r.value(v.Index(i), depth+1); err != nil {
				return err
			}
		}
	case reflect.Map:
		return r.mapping(v, depth)
	case reflect.Struct:
		for _, f := range info.Fields {
			if f.Skipped {
				continue
			}
			fv := v.Field(f.Index)
			if !f.Exported {
				fv = raw.Open(fv)
			}
			if err := r.value(fv, depth+1); err != nil {
				return err
			}
		}
	}
	return nil
}

// setNumber sets v from as many bytes as its kind is wide.
func setNumber(v reflect.Value, b []byte) {
	le := binary.LittleEndian
	switch v.Kind() {
	case reflect.Float32:
		v.SetFloat(float64(math.Float32frombits(le.Uint32(b))))
	case reflect.Float64:
		v.SetFloat(math.Float64frombits(le.Uint64(b)))
	case reflect.Complex64:
		v.SetComplex(complex(float64(math.Float32frombits(le.Uint32(b))), float64(math.Float32frombits(le.Uint32(b[4:])))))
	case reflect.Complex128:
		v.SetComplex(complex(math.Float64frombits(le.Uint64(b)), math.Float64frombits(le.Uint64(b[8:]))))
	case reflect.Int8:
		v.SetInt(int64(int8(b[0])))
	case reflect.Int16:
		v.SetInt(int64(int16(le.Uint16(b))))
	case reflect.Int32:
		v.SetInt(int64(int32(le.Uint32(b))))
	case reflect.Int, reflect.Int64:
		v.SetInt(int64(le.Uint64(b)))
	case reflect.Uint8:
		v.SetUint(uint64(b[0]))
	case reflect.Uint16:
		v.SetUint(uint64(le.Uint16(b)))
	case reflect.Uint32:
		v.SetUint(uint64(le.Uint32(b)))
	default:
		v.SetUint(le.Uint64(b))
	}
}

// empty tells whether values of t take no bytes.
func empty(t reflect.Type) bool {
	info := shape.Of(t)
	if info.Way != shape.Parts {
		return false
	}
	switch t.Kind() {
	case reflect.Array:
		return t.Len() == 0 || empty(t.Elem())
	case reflect.Struct:
		for _, f := range info.Fields {
			if !f.Skipped && !empty(f.Type) {
				return false
			}
		}
		return true
	}
	return false
}

// mostEmpty bounds the length of slices whose elements take no bytes.
const mostEmpty = 1 << 24

// count reads a length, plus one, of elements that take a byte or more each.
func (r *reader) count(elem reflect.Type) (n int, isNil, ok bool) {
	m, ok := r.uvarint()
	if !ok || m == 0 {
		return 0, true, ok
	}
	m--
	if w := raw.Width(elem.Kind()); w > 0 {
		ok = m <= uint64(len(r.b)-r.at)/uint64(w)
	} else if empty(elem) {
		ok = m <= mostEmpty
	} else {
		ok = m <= uint64(len(r.b)-r.at)
	}
	return int(m), false, ok
}

func (r *reader) slice(v reflect.Value, depth int) error {
	t := v.Type()
	elem := t.Elem()
	n, isNil, ok := r.count(elem)
	if !ok {
		return r.fail(t)
	}
	if isNil {
		v.SetZero()
		return nil
	}
	w := raw.Width(elem.Kind())
	if w == 0 {
		// Grown on the way: a damaged length must not take all memory.
		s := reflect.New(t).Elem()
		s.Set(reflect.MakeSlice(t, 0, min(n, 1<<12)))
		for i := range n {
			if i == s.Cap() {
				s.Grow(min(s.Cap(), n-i))
			}
			s.SetLen(i + 1)
			if err := r.value(s.Index(i), depth+1); err != nil {
				return err
			}
		}
		v.Set(s)
		return nil
	}
	size := uint64(n * w)
	if size >= longSlice {
		pad := (alignment - r.at%alignment) % alignment
		if _, ok := r.bytes(uint64(pad)); !ok {
			return r.fail(t)
		}
	}
	b, ok := r.bytes(size)
	if !ok {
		return r.fail(t)
	}
	if r.alias && size >= longSlice && raw.Plain(elem) && raw.Aligned(b, elem) {
		v.Set(raw.Slice(b, elem).Convert(t))
		return nil
	}
	s := reflect.MakeSlice(t, n, n)
	if raw.Plain(elem) {
		copy(raw.Bytes(s), b)
	} else {
		for i := range n {
			setNumber(s.Index(i), b[i*w:])
		}
	}
	v.Set(s)
	return nil
}

func (r *reader) mapping(v reflect.Value, depth int) error {
	t := v.Type()
	n, isNil, ok := r.count(t.Key())
	if !ok {
		return r.fail(t)
	}
	if isNil {
		v.SetZero()
		return nil
	}
	m := reflect.MakeMapWithSize(t, min(n, 1<<12))
	for range n {
		k, e := reflect.New(t.Key()).Elem(), reflect.New(t.Elem()).Elem()
		if err := r.value(k, depth+1); err != nil {
			return err
		}
		if !k.Comparable() {
			return r.fail(t)
		}
		if err := r.value(e, depth+1); err != nil {
			return err
		}
		m.SetMapIndex(k, e)
	}
	v.Set(m)
	return nil
}

func (r *reader) whole(v reflect.Value, info *shape.Info) (err error) {
	t := v.Type()
	defer func() {
		// An unmarshaler of the standard library must not end the program.
		if p := recover(); p != nil {
			err = fmt.Errorf("%w: %v: %v", ErrDamaged, t, p)
		}
	}()
	n, ok := r.uvarint()
	if !ok {
		return r.fail(t)
	}
	b, ok := r.bytes(n)
	if !ok {
		return r.fail(t)
	}
	p := reflect.New(t)
	switch info.Way {
	case shape.Time:
		*p.Interface().(*time.Time), err = readTime(b)
	case shape.Float:
		err = p.Interface().(*big.Float).GobDecode(b)
	case shape.Binary:
		err = p.Interface().(encoding.BinaryUnmarshaler).UnmarshalBinary(b)
	case shape.Text:
		err = p.Interface().(encoding.TextUnmarshaler).UnmarshalText(b)
	default:
		return r.fail(t)
	}
	if err != nil {
		return fmt.Errorf("%w: %v: %w", ErrDamaged, t, err)
	}
	v.Set(p.Elem())
	return nil
}

func (r *reader) dynamic(v reflect.Value, depth int) error {
	place, ok := r.byte()
	if !ok || int(place) >= len(dynamicTypes) {
		return r.fail(v.Type())
	}
	if place == 0 {
		v.SetZero()
		return nil
	}
	t := dynamicTypes[place]
	if !t.AssignableTo(v.Type()) {
		return r.fail(v.Type())
	}
	p := reflect.New(t).Elem()
	if err := r.value(p, depth+1); err != nil {
		return err
	}
	v.Set(p)
	return nil
}
