package wire

import (
	"fmt"
	"reflect"
	"unsafe"
)

// bigEndian is a property of the machine: 1 if numbers begin with their
// largest byte.
var bigEndian = func() uint64 {
	x := uint16(1)
	return uint64(1 - *(*byte)(unsafe.Pointer(&x)))
}()

// typedArray returns the tag of RFC 8746 for arrays of elements of type t, as
// they are in this machine's memory. Its bits are 0b010 f s e ll: float,
// signed, little-endian, size. Types with methods of their own for it are
// encoded by those.
func typedArray(t reflect.Type) (tag uint64, size int, ok bool) {
	if p := reflect.PointerTo(t); p.Implements(marshaler) && p.Implements(unmarshaler) {
		return 0, 0, false
	}
	size = int(t.Size())
	ll := map[int]uint64{1: 0, 2: 1, 4: 2, 8: 3}[size]
	switch t.Kind() {
	case reflect.Uint8:
		return 0, 1, true // a byte string needs no tag
	case reflect.Uint, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		return 64 | (1-bigEndian)<<2 | ll, size, true
	case reflect.Int8:
		return 64 | 1<<3 | ll, size, true
	case reflect.Int, reflect.Int16, reflect.Int32, reflect.Int64:
		return 64 | 1<<3 | (1-bigEndian)<<2 | ll, size, true
	case reflect.Float32, reflect.Float64:
		return 64 | 1<<4 | (1-bigEndian)<<2 | (ll - 1), size, true
	}
	return 0, 0, false
}

// fillTyped makes the codec of a slice or array of numbers.
func fillTyped(c *codec, t reflect.Type, tag uint64, size int) {
	slice := t.Kind() == reflect.Slice
	c.encode = func(e *Encoder, v reflect.Value) error {
		if slice && v.IsNil() {
			e.Buf = append(e.Buf, null)
			return nil
		}
		if tag != 0 {
			e.head(majorTag, tag)
		}
		return e.memory(majorBytes, memoryOf(v, size))
	}
	c.decode = func(d *Decoder, v reflect.Value) error {
		if slice && d.isNull() {
			return nil
		}
		if tag != 0 {
			if got, err := d.head(majorTag); err != nil || got != tag {
				return corrupt(err, fmt.Sprintf("tag %d where %d belongs", got, tag))
			}
		}
		b, own, err := d.memory(majorBytes)
		if err != nil {
			return err
		}
		if len(b)%size != 0 {
			return fmt.Errorf("%w: %d bytes are no whole number of %v", ErrCorrupt, len(b), t.Elem())
		}
		n := len(b) / size
		switch {
		case !slice && n != t.Len():
			return fmt.Errorf("%w: %d elements where %v has %d", ErrCorrupt, n, t, t.Len())
		case slice && own && n > 0:
			// The memory is the slice's, as it is: only the header is written, and
			// those of all slices look alike, with lengths in elements.
			*(*[]byte)(v.Addr().UnsafePointer()) = unsafe.Slice(unsafe.SliceData(b), n)
		default:
			if slice {
				v.Set(reflect.MakeSlice(t, n, n))
			}
			copy(memoryOf(v, size), b)
		}
		return nil
	}
}

// memoryOf is the memory of a slice or array of numbers.
func memoryOf(v reflect.Value, size int) []byte {
	n := v.Len()
	if n == 0 {
		return nil
	}
	if v.Kind() == reflect.Array {
		return unsafe.Slice((*byte)(addressable(v).Addr().UnsafePointer()), n*size)
	}
	return unsafe.Slice((*byte)(v.UnsafePointer()), n*size)
}

// Append encodes the slice or value v.
func (e *Encoder) Append(v reflect.Value) error {
	c, err := codecOf(v.Type())
	if err != nil {
		return err
	}
	e.depth = 0
	return c.encode(e, v)
}

// Value decodes into v, which is settable and zero.
func (d *Decoder) Value(v reflect.Value) error {
	c, err := codecOf(v.Type())
	if err != nil {
		return err
	}
	d.depth = 0
	return c.decode(d, v)
}

// Uint appends an unsigned integer.
func (e *Encoder) Uint(n uint64) { e.head(majorUint, n) }

// Bytes appends a byte string.
func (e *Encoder) Bytes(b []byte) { e.bytes(majorBytes, b) }

// String appends s as a byte string: it need not be UTF-8.
func (e *Encoder) String(s string) {
	e.head(majorBytes, uint64(len(s)))
	e.Buf = append(e.Buf, s...)
}

// Uint reads an unsigned integer.
func (d *Decoder) Uint() (uint64, error) { return d.head(majorUint) }

// Bytes reads a byte string. The result is a part of Buf.
func (d *Decoder) Bytes() ([]byte, error) { return d.bytes(majorBytes) }
