package wire

import (
	"encoding"
	"encoding/binary"
	"fmt"
	"math"
	"reflect"
	"unsafe"
)

// The major types of CBOR.
const (
	majorUint  = 0 << 5
	majorInt   = 1 << 5
	majorBytes = 2 << 5
	majorText  = 3 << 5
	majorArray = 4 << 5
	majorMap   = 5 << 5
	majorTag   = 6 << 5

	false0   = 0xf4
	true1    = 0xf5
	null     = 0xf6
	float32x = 0xfa
	float64x = 0xfb
)

// Tags beside those of RFC 8746 that this package gives a meaning to, from the
// range that is first come, first served.
const (
	tagBulk   = 0x77656674_0001 // an unsigned integer: memory passed by other means
	tagShared = 0x77656674_0002 // an unsigned integer: a value sent before
)

// mostDepth is how deep values may be nested.
const mostDepth = 1000

// Encoder appends values to Buf.
type Encoder struct {
	Buf []byte

	// Bulk is offered the memory of each slice of numbers, []byte and string of
	// BulkFrom bytes and more. If it takes it, the id that it returns travels in
	// its place. nil takes none.
	Bulk     func(memory []byte) (id uint64, taken bool, err error)
	BulkFrom int

	// Shared is offered what each pointer points to, encoded. If it takes it,
	// the id that it returns travels in its place, and that of the same pointer
	// from then on. nil takes none.
	Shared Sharer

	// Notice is told of each value that is encoded by its MarshalBinary. nil is
	// told nothing.
	Notice func(v encoding.BinaryMarshaler)

	depth int
}

// Sharer keeps what many items point to, so that it travels once. What is in
// a value that is offered is not offered by itself.
type Sharer interface {
	// Known returns the id of what p, of type t, points to. If it is not known,
	// the value is encoded next, and then offered.
	Known(p unsafe.Pointer, t reflect.Type) (id uint64, ok bool)
	// Offer may take the encoded value for p.
	Offer(p unsafe.Pointer, t reflect.Type, data []byte) (id uint64, taken bool)
}

func (e *Encoder) shared(v reflect.Value, ec *codec) error {
	p := v.UnsafePointer()
	id, ok := e.Shared.Known(p, v.Type())
	if !ok {
		at := len(e.Buf)
		e.head(majorArray, 1)
		from := len(e.Buf)
		sharer := e.Shared
		e.Shared = nil
		err := ec.encode(e, v.Elem())
		e.Shared = sharer
		if err != nil {
			return err
		}
		id, ok = e.Shared.Offer(p, v.Type(), e.Buf[from:])
		if !ok {
			return nil
		}
		e.Buf = e.Buf[:at]
	}
	e.head(majorTag, tagShared)
	e.head(majorUint, id)
	return nil
}

func (e *Encoder) deeper(t reflect.Type) error {
	if e.depth++; e.depth > mostDepth {
		return fmt.Errorf("a value of type %v is nested more than %d deep; does it contain itself?", t, mostDepth)
	}
	return nil
}

func (e *Encoder) head(major byte, n uint64) {
	switch {
	case n < 24:
		e.Buf = append(e.Buf, major|byte(n))
	case n <= math.MaxUint8:
		e.Buf = append(e.Buf, major|24, byte(n))
	case n <= math.MaxUint16:
		e.Buf = binary.BigEndian.AppendUint16(append(e.Buf, major|25), uint16(n))
	case n <= math.MaxUint32:
		e.Buf = binary.BigEndian.AppendUint32(append(e.Buf, major|26), uint32(n))
	default:
		e.Buf = binary.BigEndian.AppendUint64(append(e.Buf, major|27), n)
	}
}

func (e *Encoder) bytes(major byte, b []byte) {
	e.head(major, uint64(len(b)))
	e.Buf = append(e.Buf, b...)
}

// memory appends b, or has it passed by other means.
func (e *Encoder) memory(major byte, b []byte) error {
	if e.Bulk != nil && len(b) >= max(1, e.BulkFrom) {
		id, taken, err := e.Bulk(b)
		if err != nil {
			return err
		}
		if taken {
			e.head(majorTag, tagBulk)
			e.head(majorUint, id)
			return nil
		}
	}
	e.bytes(major, b)
	return nil
}

// Decoder reads values from Buf.
type Decoder struct {
	Buf []byte

	// Bulk returns the memory that Encoder.Bulk gave an id. It may be changed
	// and kept for as long as whoever made the Decoder says.
	Bulk func(id uint64) ([]byte, error)
	// Shared returns the value of a pointer type that Encoder.Shared gave an
	// id, decoding it with decode the first time.
	Shared func(id uint64, t reflect.Type, decode func(data []byte) (reflect.Value, error)) (reflect.Value, error)

	depth int
}

func (d *Decoder) deeper() error {
	if d.depth++; d.depth > mostDepth {
		return fmt.Errorf("%w: nested more than %d deep", ErrCorrupt, mostDepth)
	}
	return nil
}

// head reads the head of an item and returns its argument.
func (d *Decoder) head(major byte) (uint64, error) {
	if len(d.Buf) == 0 {
		return 0, fmt.Errorf("%w: it ends too early", ErrCorrupt)
	}
	b := d.Buf[0]
	if b&0xe0 != major {
		return 0, fmt.Errorf("%w: major type %d where %d belongs", ErrCorrupt, b>>5, major>>5)
	}
	return d.argument()
}

// argument reads the head's argument, whatever its major type.
func (d *Decoder) argument() (uint64, error) {
	info := d.Buf[0] & 0x1f
	if info < 24 {
		d.Buf = d.Buf[1:]
		return uint64(info), nil
	}
	if info > 27 {
		return 0, fmt.Errorf("%w: lengths are always given", ErrCorrupt)
	}
	size := 1 << (info - 24)
	if len(d.Buf) < 1+size {
		return 0, fmt.Errorf("%w: it ends too early", ErrCorrupt)
	}
	b := d.Buf[1 : 1+size]
	d.Buf = d.Buf[1+size:]
	switch size {
	case 1:
		return uint64(b[0]), nil
	case 2:
		return uint64(binary.BigEndian.Uint16(b)), nil
	case 4:
		return uint64(binary.BigEndian.Uint32(b)), nil
	}
	return binary.BigEndian.Uint64(b), nil
}

// length reads the head of something of that many parts, each of at least one
// byte.
func (d *Decoder) length(major byte) (int, error) {
	n, err := d.head(major)
	if err != nil {
		return 0, err
	}
	if n > uint64(len(d.Buf)) {
		return 0, fmt.Errorf("%w: it is said to have %d parts and %d bytes are left", ErrCorrupt, n, len(d.Buf))
	}
	return int(n), nil
}

// bytes reads a string. The result is a part of Buf.
func (d *Decoder) bytes(major byte) ([]byte, error) {
	n, err := d.length(major)
	if err != nil {
		return nil, err
	}
	b := d.Buf[:n:n]
	d.Buf = d.Buf[n:]
	return b, nil
}

// memory reads what Encoder.memory wrote. own tells that it is nobody else's.
func (d *Decoder) memory(major byte) (b []byte, own bool, err error) {
	id, ok, err := d.tagged(tagBulk)
	if err != nil {
		return nil, false, err
	}
	if ok {
		if d.Bulk == nil {
			return nil, false, fmt.Errorf("%w: memory that is passed by other means, and there are none", ErrCorrupt)
		}
		b, err = d.Bulk(id)
		return b, true, err
	}
	b, err = d.bytes(major)
	return b, false, err
}

// tagged reads an unsigned integer with that tag, if there is one.
func (d *Decoder) tagged(tag uint64) (n uint64, ok bool, err error) {
	if len(d.Buf) == 0 || d.Buf[0] != majorTag|27 {
		return 0, false, nil
	}
	before := d.Buf
	got, err := d.argument()
	if err != nil {
		return 0, false, err
	}
	if got != tag {
		d.Buf = before
		return 0, false, nil
	}
	n, err = d.head(majorUint)
	return n, err == nil, err
}

func (d *Decoder) sharedID() (uint64, bool, error) { return d.tagged(tagShared) }

func (d *Decoder) sharedValue(id uint64, v reflect.Value, ec *codec) error {
	if d.Shared == nil {
		return fmt.Errorf("%w: a value that was sent before, and none was", ErrCorrupt)
	}
	got, err := d.Shared(id, v.Type(), func(data []byte) (reflect.Value, error) {
		inner := *d
		inner.Buf = data
		p := reflect.New(v.Type().Elem())
		err := ec.decode(&inner, p.Elem())
		if err == nil && len(inner.Buf) > 0 {
			err = corrupt(nil, "more than one value")
		}
		return p, err
	})
	if err != nil {
		return err
	}
	if got.Type() != v.Type() {
		return fmt.Errorf("%w: a %v where a %v belongs", ErrCorrupt, got.Type(), v.Type())
	}
	v.Set(got)
	return nil
}

func (d *Decoder) isNull() bool {
	if len(d.Buf) == 0 || d.Buf[0] != null {
		return false
	}
	d.Buf = d.Buf[1:]
	return true
}

func encodeString(e *Encoder, v reflect.Value) error {
	s := v.String()
	// A Go string need not be UTF-8, as text in CBOR must.
	return e.memory(majorBytes, unsafe.Slice(unsafe.StringData(s), len(s)))
}

func decodeString(d *Decoder, v reflect.Value) error {
	b, _, err := d.memory(majorBytes)
	if err != nil {
		return err
	}
	v.SetString(string(b))
	return nil
}

func encodeBool(e *Encoder, v reflect.Value) error {
	b := byte(false0)
	if v.Bool() {
		b = true1
	}
	e.Buf = append(e.Buf, b)
	return nil
}

func decodeBool(d *Decoder, v reflect.Value) error {
	if len(d.Buf) == 0 || d.Buf[0] != false0 && d.Buf[0] != true1 {
		return corrupt(nil, "neither true nor false")
	}
	v.SetBool(d.Buf[0] == true1)
	d.Buf = d.Buf[1:]
	return nil
}

func (e *Encoder) float(f float64) {
	e.Buf = binary.BigEndian.AppendUint64(append(e.Buf, float64x), math.Float64bits(f))
}

func (d *Decoder) float() (float64, error) {
	if len(d.Buf) < 9 || d.Buf[0] != float64x {
		return 0, corrupt(nil, "not a float")
	}
	f := math.Float64frombits(binary.BigEndian.Uint64(d.Buf[1:]))
	d.Buf = d.Buf[9:]
	return f, nil
}

func encodeComplex(e *Encoder, v reflect.Value) error {
	c := v.Complex()
	e.head(majorArray, 2)
	e.float(real(c))
	e.float(imag(c))
	return nil
}

func decodeComplex(d *Decoder, v reflect.Value) error {
	if n, err := d.length(majorArray); err != nil || n != 2 {
		return corrupt(err, "a complex number has two parts")
	}
	re, err := d.float()
	if err != nil {
		return err
	}
	im, err := d.float()
	v.SetComplex(complex(re, im))
	return err
}

// fillNumber makes the codec of a number.
func fillNumber(c *codec, t reflect.Type) bool {
	switch t.Kind() {
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		c.encode = func(e *Encoder, v reflect.Value) error {
			if n := v.Int(); n >= 0 {
				e.head(majorUint, uint64(n))
			} else {
				e.head(majorInt, uint64(^n))
			}
			return nil
		}
		c.decode = func(d *Decoder, v reflect.Value) error {
			if len(d.Buf) == 0 || d.Buf[0] >= majorBytes {
				return corrupt(nil, "not an integer")
			}
			negative := d.Buf[0]&0xe0 == majorInt
			u, err := d.argument()
			if err != nil {
				return err
			}
			n := int64(u)
			if negative {
				n = ^n
			}
			if u > math.MaxInt64 || v.OverflowInt(n) {
				return corrupt(nil, "an integer too large for its type")
			}
			v.SetInt(n)
			return nil
		}
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		c.encode = func(e *Encoder, v reflect.Value) error {
			e.head(majorUint, v.Uint())
			return nil
		}
		c.decode = func(d *Decoder, v reflect.Value) error {
			u, err := d.head(majorUint)
			if err != nil {
				return err
			}
			if v.OverflowUint(u) {
				return corrupt(nil, "an integer too large for its type")
			}
			v.SetUint(u)
			return nil
		}
	case reflect.Float64:
		c.encode = func(e *Encoder, v reflect.Value) error {
			e.float(v.Float())
			return nil
		}
		c.decode = func(d *Decoder, v reflect.Value) error {
			f, err := d.float()
			v.SetFloat(f)
			return err
		}
	case reflect.Float32:
		// By its bits: a conversion would quieten a signalling NaN.
		c.encode = func(e *Encoder, v reflect.Value) error {
			f := *(*uint32)(addressable(v).Addr().UnsafePointer())
			e.Buf = binary.BigEndian.AppendUint32(append(e.Buf, float32x), f)
			return nil
		}
		c.decode = func(d *Decoder, v reflect.Value) error {
			if len(d.Buf) < 5 || d.Buf[0] != float32x {
				return corrupt(nil, "not a float32")
			}
			*(*uint32)(v.Addr().UnsafePointer()) = binary.BigEndian.Uint32(d.Buf[1:])
			d.Buf = d.Buf[5:]
			return nil
		}
	default:
		return false
	}
	return true
}
