// Package key turns a Go value into 160 bits: the same value into the same
// bits in every process and on every machine.
//
// Values are written in a canonical form and hashed with BLAKE3; pieces of long
// slices by all CPUs at once. Maps are sorted; pointers are followed; nil and empty differ;
// all NaNs are one value; 0 and -0 are two, as a function can tell them apart;
// a time is its instant and its zone, without the monotonic clock.
package key

import (
	"bytes"
	"encoding"
	"encoding/base32"
	"encoding/binary"
	"errors"
	"fmt"
	"math/big"
	"reflect"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/zeebo/blake3"

	"github.com/weft-go/weft/memo/internal/raw"
	"github.com/weft-go/weft/memo/internal/shape"
)

// Size is the length of a key in bytes.
const Size = 20

// Key is the hash of a value.
type Key [Size]byte

var letters = base32.NewEncoding("abcdefghijklmnopqrstuvwxyz234567").WithPadding(base32.NoPadding)

// String is the key in 32 lower-case letters and digits.
func (k Key) String() string { return letters.EncodeToString(k[:]) }

// Parse is the inverse of String.
func Parse(s string) (Key, error) {
	var k Key
	b, err := letters.DecodeString(s)
	if err != nil || len(b) != Size || len(s) != letters.EncodedLen(Size) {
		return k, fmt.Errorf("%q is not a key: a key has 32 of the letters a to z and the digits 2 to 7", s)
	}
	copy(k[:], b)
	return k, nil
}

// Of joins byte strings into a key. Their borders count.
func Of(parts ...[]byte) Key {
	h := hashers.Get().(*blake3.Hasher)
	defer hashers.Put(h)
	h.Reset()
	var n [8]byte
	for _, p := range parts {
		binary.LittleEndian.PutUint64(n[:], uint64(len(p)))
		_, _ = h.Write(n[:])
		_, _ = h.Write(p)
	}
	return sum(h)
}

var hashers = sync.Pool{New: func() any { return blake3.New() }}

func sum(h *blake3.Hasher) (k Key) {
	var full [32]byte
	h.Sum(full[:0])
	copy(k[:], full[:])
	return k
}

// Options says what a key covers.
type Options struct {
	// Ignore holds the paths of fields that don't count: "Verbose",
	// "Log.Level".
	Ignore []string
	// Special is asked first about values of the type SpecialType, and says
	// what to hash for them.
	SpecialType reflect.Type
	Special     func(v reflect.Value) ([]byte, error)
}

// Value returns the key of v, a *shape.Error that names what has none, or the
// error of Special.
func Value(v reflect.Value, o Options) (Key, error) {
	e := encoders.Get().(*encoder)
	defer encoders.Put(e)
	e.hash.Reset()
	e.buf, e.o, e.depth = e.buf[:0], o, 0
	clear(e.seen)
	if !v.IsValid() {
		e.tag('0')
	} else if err := e.value(v); err != nil {
		var se *shape.Error
		if errors.As(err, &se) {
			se.Path = shape.Root(v.Type()) + se.Path
		}
		return Key{}, err
	}
	e.flush()
	return sum(e.hash), nil
}

// Check reports fields of Ignore that t does not have.
func Check(t reflect.Type, ignore []string) error {
	for _, path := range ignore {
		at := t
		for name := range strings.SplitSeq(path, ".") {
			for at.Kind() == reflect.Pointer || at.Kind() == reflect.Slice {
				at = at.Elem()
			}
			ok := at.Kind() == reflect.Struct
			var f reflect.StructField
			if ok {
				f, ok = at.FieldByName(name)
			}
			if !ok {
				return fmt.Errorf("%v has no field %s", t, path)
			}
			at = f.Type
		}
	}
	return nil
}

var encoders = sync.Pool{New: func() any { return &encoder{hash: blake3.New(), seen: map[visit]bool{}} }}

type visit struct {
	at uintptr
	t  reflect.Type
}

// encoder writes the canonical form through a buffer into the hash.
type encoder struct {
	hash  *blake3.Hasher
	buf   []byte
	o     Options
	path  []string // names of fields above, kept only where Ignore is used
	depth int
	seen  map[visit]bool // what stands above, from guardDepth on
}

const (
	// guardDepth is where nesting begins to look like a cycle.
	guardDepth = 64
	mostDepth  = 10_000
	fullBuffer = 16 << 10
	// chunk is how much of a slice is looked through for NaN, then hashed: it
	// stays in the second cache, and BLAKE3 is a quarter faster with it than
	// with 16 KiB.
	chunk = 256 << 10
)

func (e *encoder) flush() {
	_, _ = e.hash.Write(e.buf)
	e.buf = e.buf[:0]
}

func (e *encoder) tag(b byte) { e.buf = append(e.buf, b) }

func (e *encoder) length(n int) {
	e.buf = binary.AppendUvarint(e.buf, uint64(n))
	if len(e.buf) > fullBuffer {
		e.flush()
	}
}

func (e *encoder) bytes(b []byte) {
	e.length(len(b))
	if len(b) > fullBuffer {
		e.flush()
		e.long(b, 0)
		return
	}
	e.buf = append(e.buf, b...)
	if len(e.buf) > fullBuffer {
		e.flush()
	}
}

func (e *encoder) word(n uint64) { e.buf = binary.LittleEndian.AppendUint64(e.buf, n) }

// enter guards against cycles; leave is called after.
func (e *encoder) enter(v reflect.Value) error {
	e.depth++
	if e.depth < guardDepth {
		return nil
	}
	at := visit{v.Pointer(), v.Type()}
	if e.seen[at] {
		return &shape.Error{Type: v.Type(), Why: "points back to itself; a cycle has no key"}
	}
	if e.depth > mostDepth {
		return &shape.Error{Type: v.Type(), Why: fmt.Sprintf("is nested more than %d deep", mostDepth)}
	}
	e.seen[at] = true
	return nil
}

func (e *encoder) leave(v reflect.Value) {
	if e.depth >= guardDepth {
		delete(e.seen, visit{v.Pointer(), v.Type()})
	}
	e.depth--
}

// value writes v.
func (e *encoder) value(v reflect.Value) error {
	t := v.Type()
	if t == e.o.SpecialType {
		b, err := e.o.Special(v)
		if err != nil {
			return err
		}
		e.tag('F')
		e.bytes(b)
		return nil
	}
	info := shape.Of(t)
	if info.Way != shape.Parts {
		return e.whole(v, info)
	}
	switch t.Kind() {
	case reflect.Bool:
		e.tag('b')
		if v.Bool() {
			e.tag(1)
		} else {
			e.tag(0)
		}
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		e.tag('i')
		e.word(uint64(v.Int()))
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		e.tag('u')
		e.word(v.Uint())
	case reflect.Float32:
		e.tag('f')
		e.word(uint64(bits32(float32(v.Float()))))
	case reflect.Float64:
		e.tag('d')
		e.word(bits64(v.Float()))
	case reflect.Complex64, reflect.Complex128:
		e.tag('c')
		e.word(bits64(real(v.Complex())))
		e.word(bits64(imag(v.Complex())))
	case reflect.String:
		e.tag('s')
		s := v.String()
		e.length(len(s))
		if len(s) > fullBuffer {
			e.flush()
			e.long(raw.String(s), 0)
			return nil
		}
		e.buf = append(e.buf, s...)
	case reflect.Pointer:
		if v.IsNil() {
			e.tag('0')
			return nil
		}
		e.tag('p')
		if err := e.enter(v); err != nil {
			return err
		}
		defer e.leave(v)
		return e.value(v.Elem())
	case reflect.Interface:
		if v.IsNil() {
			e.tag('0')
			return nil
		}
		e.tag('a')
		elem := v.Elem()
		e.bytes([]byte(shape.Name(elem.Type())))
		return e.value(elem)
	case reflect.Slice:
		return e.slice(v)
	case reflect.Array:
		e.tag('l')
		e.length(v.Len())
		return e.elements(v)
	case reflect.Map:
		return e.mapping(v)
	case reflect.Struct:
		return e.fields(v, info)
	}
	return nil
}

// whole writes a value that has its own form.
func (e *encoder) whole(v reflect.Value, info *shape.Info) error {
	if info.Way == shape.Refused {
		return &shape.Error{Type: v.Type(), Why: info.Why}
	}
	p := reflect.New(v.Type())
	p.Elem().Set(v)
	switch x := p.Interface().(type) {
	case *time.Time:
		name, offset := x.Zone()
		e.tag('t')
		e.word(uint64(x.Unix()))
		e.word(uint64(x.Nanosecond()))
		e.word(uint64(int64(offset)))
		e.bytes([]byte(name))
		if where := x.Location().String(); where != name {
			e.bytes([]byte(where)) // its other half of the year counts too
		}
	case *big.Float:
		b, err := x.GobEncode()
		if err != nil {
			return &shape.Error{Type: v.Type(), Why: err.Error()}
		}
		e.tag('G')
		e.bytes(b)
	case encoding.BinaryMarshaler:
		b, err := x.MarshalBinary()
		if err != nil {
			return &shape.Error{Type: v.Type(), Why: err.Error()}
		}
		e.tag('B')
		e.bytes(b)
	case encoding.TextMarshaler:
		b, err := x.MarshalText()
		if err != nil {
			return &shape.Error{Type: v.Type(), Why: err.Error()}
		}
		e.tag('T')
		e.bytes(b)
	}
	return nil
}

func (e *encoder) slice(v reflect.Value) error {
	if v.IsNil() {
		e.tag('0')
		return nil
	}
	e.tag('l')
	e.length(v.Len())
	if w := raw.Width(v.Type().Elem().Kind()); w > 0 && !hasSpecial(v.Type().Elem(), e.o) {
		e.tag(byte(w))
		e.flush()
		if raw.Plain(v.Type().Elem()) {
			e.numbers(v)
			return nil
		}
		// One by one into the same bytes.
		for i := range v.Len() {
			e.number(v.Index(i), w)
		}
		b := e.buf
		e.buf = e.buf[:0]
		e.long(b, 0)
		return nil
	}
	if v.Len() == 0 {
		return nil
	}
	if err := e.enter(v); err != nil {
		return err
	}
	defer e.leave(v)
	return e.elements(v)
}

func hasSpecial(t reflect.Type, o Options) bool { return t == o.SpecialType }

// elements writes what a slice or an array holds.
func (e *encoder) elements(v reflect.Value) error {
	elem := v.Type().Elem()
	if w := raw.Width(elem.Kind()); w > 0 && !hasSpecial(elem, e.o) {
		e.tag(byte(w))
		for i := range v.Len() {
			e.number(v.Index(i), w)
			if len(e.buf) > fullBuffer {
				e.flush()
			}
		}
		return nil
	}
	for i := range v.Len() {
		if err := e.value(v.Index(i)); err != nil {
			return below(err, fmt.Sprintf("[%d]", i))
		}
	}
	return nil
}

// number writes one element of width w.
func (e *encoder) number(v reflect.Value, w int) {
	var n uint64
	switch v.Kind() {
	case reflect.Float32:
		n = uint64(bits32(float32(v.Float())))
	case reflect.Float64:
		n = bits64(v.Float())
	case reflect.Complex64:
		c := v.Complex()
		n = uint64(bits32(float32(real(c)))) | uint64(bits32(float32(imag(c))))<<32
	case reflect.Complex128:
		e.word(bits64(real(v.Complex())))
		n, w = bits64(imag(v.Complex())), 8
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		n = uint64(v.Int())
	default:
		n = v.Uint()
	}
	var b [8]byte
	binary.LittleEndian.PutUint64(b[:], n)
	e.buf = append(e.buf, b[:w]...)
}

// numbers writes a slice of plain numbers straight from memory. The buffer must
// be empty.
func (e *encoder) numbers(v reflect.Value) {
	b := raw.Bytes(v)
	kind := v.Type().Elem().Kind()
	switch kind {
	case reflect.Float64, reflect.Complex128:
		e.long(b, 8)
	case reflect.Float32, reflect.Complex64:
		e.long(b, 4)
	default:
		e.long(b, 0)
	}
}

func (e *encoder) mapping(v reflect.Value) error {
	if v.IsNil() {
		e.tag('0')
		return nil
	}
	e.tag('m')
	e.length(v.Len())
	if err := e.enter(v); err != nil {
		return err
	}
	defer e.leave(v)
	// Each pair is hashed by itself, so that pairs can be put in order.
	pairs := make([]Key, 0, v.Len())
	for it := v.MapRange(); it.Next(); {
		sub := encoders.Get().(*encoder)
		sub.hash.Reset()
		sub.buf, sub.o, sub.depth, sub.path = sub.buf[:0], e.o, e.depth, e.path
		own := sub.seen
		sub.seen = e.seen
		err := sub.value(it.Key())
		if err == nil {
			err = sub.value(it.Value())
		}
		sub.flush()
		pairs = append(pairs, sum(sub.hash))
		sub.seen, sub.path = own, nil
		encoders.Put(sub)
		if err != nil {
			return below(err, fmt.Sprintf("[%v]", it.Key()))
		}
	}
	slices.SortFunc(pairs, func(a, b Key) int { return bytes.Compare(a[:], b[:]) })
	for _, p := range pairs {
		e.buf = append(e.buf, p[:]...)
		if len(e.buf) > fullBuffer {
			e.flush()
		}
	}
	return nil
}

func (e *encoder) fields(v reflect.Value, info *shape.Info) error {
	e.tag('{')
	if hasHidden(info) && !v.CanAddr() {
		// Fields that are not exported can be opened in a copy only.
		p := reflect.New(v.Type()).Elem()
		p.Set(v)
		v = p
	}
	for _, f := range info.Fields {
		if f.Skipped {
			continue
		}
		if len(e.o.Ignore) > 0 {
			e.path = append(e.path, f.Name)
			if slices.Contains(e.o.Ignore, strings.Join(e.path, ".")) {
				e.path = e.path[:len(e.path)-1]
				continue
			}
		}
		fv := v.Field(f.Index)
		if !f.Exported {
			fv = raw.Open(fv)
		}
		err := e.value(fv)
		if len(e.o.Ignore) > 0 {
			e.path = e.path[:len(e.path)-1]
		}
		if err != nil {
			return below(err, "."+f.Name)
		}
	}
	e.tag('}')
	return nil
}

func hasHidden(info *shape.Info) bool {
	return slices.ContainsFunc(info.Fields, func(f shape.Field) bool { return !f.Exported })
}

// below adds a step to the path of a shape.Error.
func below(err error, step string) error {
	if se, ok := errors.AsType[*shape.Error](err); ok {
		se.Path = step + se.Path
	}
	return err
}
