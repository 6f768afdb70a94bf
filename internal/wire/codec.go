package wire

import (
	"encoding"
	"errors"
	"fmt"
	"reflect"
	"sync"
)

// codec is how values of one type are encoded. It is made once for each type.
type codec struct {
	t reflect.Type
	// encode appends v to e.Buf.
	encode func(e *Encoder, v reflect.Value) error
	// decode fills v, which is settable and zero.
	decode func(d *Decoder, v reflect.Value) error
}

var codecs sync.Map // reflect.Type -> *codec or error

var (
	marshaler   = reflect.TypeFor[encoding.BinaryMarshaler]()
	unmarshaler = reflect.TypeFor[encoding.BinaryUnmarshaler]()
)

// Check tells whether values of type t can cross, and if not which field is to
// blame.
func Check(t reflect.Type) error {
	_, err := codecOf(t)
	return err
}

func codecOf(t reflect.Type) (*codec, error) {
	if c, ok := codecs.Load(t); ok {
		if err, ok := c.(error); ok {
			return nil, err
		}
		return c.(*codec), nil
	}
	m := maker{made: map[reflect.Type]*codec{}}
	c, err := m.make(t, shortType(t))
	if err != nil {
		codecs.Store(t, err)
		return nil, err
	}
	codecs.Store(t, c)
	return c, nil
}

func shortType(t reflect.Type) string {
	if t == nil {
		return "nil"
	}
	return t.String()
}

// maker makes the codecs of a type and all types in it. A type that holds
// itself finds its own codec in made, still empty, and uses it later.
type maker struct {
	made map[reflect.Type]*codec
}

func (m *maker) make(t reflect.Type, path string) (*codec, error) {
	if c := m.made[t]; c != nil {
		return c, nil
	}
	c := &codec{t: t}
	m.made[t] = c
	if err := m.fill(c, t, path); err != nil {
		return nil, err
	}
	return c, nil
}

func refuse(path, why string) error {
	return fmt.Errorf("%s can't cross to another process: %s", path, why)
}

func (m *maker) fill(c *codec, t reflect.Type, path string) error {
	if t.Kind() != reflect.Pointer && t.Kind() != reflect.Interface {
		if pt := reflect.PointerTo(t); pt.Implements(marshaler) && pt.Implements(unmarshaler) {
			fillMarshaler(c, t.Implements(marshaler))
			return nil
		}
	}
	if fillNumber(c, t) {
		return nil
	}
	switch t.Kind() {
	case reflect.String:
		c.encode, c.decode = encodeString, decodeString
		return nil
	case reflect.Bool:
		c.encode, c.decode = encodeBool, decodeBool
		return nil
	case reflect.Complex64, reflect.Complex128:
		c.encode, c.decode = encodeComplex, decodeComplex
		return nil
	case reflect.Slice, reflect.Array:
		return m.fillList(c, t, path)
	case reflect.Map:
		return m.fillMap(c, t, path)
	case reflect.Pointer:
		return m.fillPointer(c, t, path)
	case reflect.Struct:
		return m.fillStruct(c, t, path)
	case reflect.Func:
		return refuse(path, "it is a function; pass what it needs as data, and call a top-level function there")
	case reflect.Chan:
		return refuse(path, "it is a channel; return the values, or use weft.Stream")
	case reflect.Interface:
		return refuse(path, fmt.Sprintf("it is the interface %v, and what is in it is not known; use the concrete type, or give the type around it MarshalBinary and UnmarshalBinary", t))
	case reflect.UnsafePointer, reflect.Uintptr:
		return refuse(path, "it is an address, which means nothing elsewhere")
	}
	return refuse(path, fmt.Sprintf("values of kind %v have no encoding", t.Kind()))
}

// addressable returns v, or a copy of it that has an address.
func addressable(v reflect.Value) reflect.Value {
	if v.CanAddr() {
		return v
	}
	p := reflect.New(v.Type()).Elem()
	p.Set(v)
	return p
}

func fillMarshaler(c *codec, byValue bool) {
	c.encode = func(e *Encoder, v reflect.Value) error {
		if !byValue {
			v = addressable(v).Addr()
		}
		m := v.Interface().(encoding.BinaryMarshaler)
		if e.Notice != nil {
			e.Notice(m)
		}
		data, err := m.MarshalBinary()
		if err != nil {
			return fmt.Errorf("MarshalBinary of %v: %w", c.t, err)
		}
		e.bytes(majorBytes, data)
		return nil
	}
	c.decode = func(d *Decoder, v reflect.Value) error {
		data, err := d.bytes(majorBytes)
		if err != nil {
			return err
		}
		if err := v.Addr().Interface().(encoding.BinaryUnmarshaler).UnmarshalBinary(data); err != nil {
			return fmt.Errorf("UnmarshalBinary of %v: %w", c.t, err)
		}
		return nil
	}
}

func (m *maker) fillStruct(c *codec, t reflect.Type, path string) error {
	fields := make([]*codec, t.NumField())
	for i := range fields {
		f := t.Field(i)
		at := path + "." + f.Name
		if f.Name == "_" {
			continue
		}
		if !f.IsExported() {
			return refuse(at, fmt.Sprintf("it is not exported; export it, or give %v MarshalBinary and UnmarshalBinary", t))
		}
		fc, err := m.make(f.Type, at)
		if err != nil {
			return err
		}
		fields[i] = fc
	}
	n := 0
	for _, fc := range fields {
		if fc != nil {
			n++
		}
	}
	c.encode = func(e *Encoder, v reflect.Value) error {
		if err := e.deeper(t); err != nil {
			return err
		}
		e.head(majorArray, uint64(n))
		for i, fc := range fields {
			if fc == nil {
				continue
			}
			if err := fc.encode(e, v.Field(i)); err != nil {
				return err
			}
		}
		e.depth--
		return nil
	}
	c.decode = func(d *Decoder, v reflect.Value) error {
		if err := d.deeper(); err != nil {
			return err
		}
		got, err := d.length(majorArray)
		if err != nil {
			return err
		}
		if got != n {
			return fmt.Errorf("%w: %d fields where %v has %d", ErrCorrupt, got, t, n)
		}
		for i, fc := range fields {
			if fc == nil {
				continue
			}
			if err := fc.decode(d, v.Field(i)); err != nil {
				return err
			}
		}
		d.depth--
		return nil
	}
	return nil
}

func (m *maker) fillPointer(c *codec, t reflect.Type, path string) error {
	ec, err := m.make(t.Elem(), path)
	if err != nil {
		return err
	}
	c.encode = func(e *Encoder, v reflect.Value) error {
		if v.IsNil() {
			e.Buf = append(e.Buf, null)
			return nil
		}
		if err := e.deeper(t); err != nil {
			return err
		}
		if e.Shared != nil {
			err := e.shared(v, ec)
			e.depth--
			return err
		}
		// An array of one, so that a pointer to a nil pointer is not nil.
		e.head(majorArray, 1)
		err := ec.encode(e, v.Elem())
		e.depth--
		return err
	}
	c.decode = func(d *Decoder, v reflect.Value) error {
		if d.isNull() {
			return nil
		}
		if err := d.deeper(); err != nil {
			return err
		}
		if id, ok, err := d.sharedID(); err != nil {
			return err
		} else if ok {
			d.depth--
			return d.sharedValue(id, v, ec)
		}
		if n, err := d.length(majorArray); err != nil || n != 1 {
			return corrupt(err, "a pointer is an array of one")
		}
		p := reflect.New(t.Elem())
		if err := ec.decode(d, p.Elem()); err != nil {
			return err
		}
		v.Set(p)
		d.depth--
		return nil
	}
	return nil
}

func (m *maker) fillMap(c *codec, t reflect.Type, path string) error {
	kc, err := m.make(t.Key(), path+"[key]")
	if err != nil {
		return err
	}
	vc, err := m.make(t.Elem(), path+"[...]")
	if err != nil {
		return err
	}
	c.encode = func(e *Encoder, v reflect.Value) error {
		if v.IsNil() {
			e.Buf = append(e.Buf, null)
			return nil
		}
		if err := e.deeper(t); err != nil {
			return err
		}
		e.head(majorMap, uint64(v.Len()))
		for it := v.MapRange(); it.Next(); {
			if err := kc.encode(e, it.Key()); err != nil {
				return err
			}
			if err := vc.encode(e, it.Value()); err != nil {
				return err
			}
		}
		e.depth--
		return nil
	}
	c.decode = func(d *Decoder, v reflect.Value) error {
		if d.isNull() {
			return nil
		}
		if err := d.deeper(); err != nil {
			return err
		}
		n, err := d.length(majorMap)
		if err != nil {
			return err
		}
		out := reflect.MakeMapWithSize(t, min(n, 1024))
		for range n {
			k, e := reflect.New(t.Key()).Elem(), reflect.New(t.Elem()).Elem()
			if err := kc.decode(d, k); err != nil {
				return err
			}
			if err := vc.decode(d, e); err != nil {
				return err
			}
			out.SetMapIndex(k, e)
		}
		v.Set(out)
		d.depth--
		return nil
	}
	return nil
}

func (m *maker) fillList(c *codec, t reflect.Type, path string) error {
	if tag, size, ok := typedArray(t.Elem()); ok {
		fillTyped(c, t, tag, size)
		return nil
	}
	ec, err := m.make(t.Elem(), path+"[...]")
	if err != nil {
		return err
	}
	slice := t.Kind() == reflect.Slice
	c.encode = func(e *Encoder, v reflect.Value) error {
		if slice && v.IsNil() {
			e.Buf = append(e.Buf, null)
			return nil
		}
		if err := e.deeper(t); err != nil {
			return err
		}
		e.head(majorArray, uint64(v.Len()))
		for i := range v.Len() {
			if err := ec.encode(e, v.Index(i)); err != nil {
				return err
			}
		}
		e.depth--
		return nil
	}
	c.decode = func(d *Decoder, v reflect.Value) error {
		if slice && d.isNull() {
			return nil
		}
		if err := d.deeper(); err != nil {
			return err
		}
		n, err := d.length(majorArray)
		if err != nil {
			return err
		}
		if !slice && n != t.Len() {
			return fmt.Errorf("%w: %d elements where %v has %d", ErrCorrupt, n, t, t.Len())
		}
		if slice {
			// Each element takes a byte at least: length saw to it that they are
			// there. The memory grows as they come, should they be large.
			v.Set(reflect.MakeSlice(t, 0, min(n, 1024)))
		}
		for i := range n {
			if slice {
				if i == v.Cap() {
					v.Grow(1)
				}
				v.SetLen(i + 1)
			}
			if err := ec.decode(d, v.Index(i)); err != nil {
				return err
			}
		}
		d.depth--
		return nil
	}
	return nil
}

// ErrCorrupt is wrapped by the error of every decoding that finds something
// else than was encoded.
var ErrCorrupt = errors.New("corrupt data")

func corrupt(err error, what string) error {
	if err != nil {
		return err
	}
	return fmt.Errorf("%w: %s", ErrCorrupt, what)
}
