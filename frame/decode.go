//go:build cgo

package frame

import (
	"fmt"
	"math"
	"math/big"
	"reflect"
	"time"
	"unsafe"

	"github.com/duckdb/duckdb-go/v2/mapping"
)

// decoder writes n elements of a vector to Go values that lie stride bytes
// apart. Nulls it leaves as they are. It returns the row that can't be
// written, and why.
type decoder func(v vec, n int, base unsafe.Pointer, stride uintptr) (int, error)

type number interface {
	~int8 | ~int16 | ~int32 | ~int64 | ~uint8 | ~uint16 | ~uint32 | ~uint64 | ~float32 | ~float64
}

// numbers decodes S as D.
func numbers[S, D number](v vec, n int, base unsafe.Pointer, stride uintptr) (int, error) {
	src := unsafe.Slice((*S)(v.data), n)
	if v.mask == nil {
		for i, s := range src {
			*(*D)(unsafe.Add(base, uintptr(i)*stride)) = D(s)
		}
		return 0, nil
	}
	for i, s := range src {
		if !v.null(i) {
			*(*D)(unsafe.Add(base, uintptr(i)*stride)) = D(s)
		}
	}
	return 0, nil
}

// checked is numbers for a D that can't hold every S.
func checked[S, D number](v vec, n int, base unsafe.Pointer, stride uintptr) (int, error) {
	for i, s := range unsafe.Slice((*S)(v.data), n) {
		d := D(s)
		if (S(d) != s || (d < 0) != (s < 0)) && !v.null(i) {
			return i, fmt.Errorf("%w: %v does not fit in %T", ErrRange, s, d)
		}
		*(*D)(unsafe.Add(base, uintptr(i)*stride)) = d
	}
	return 0, nil
}

// to returns the decoder of S as numbers of a kind of Go. Whole numbers may
// become floats, though large ones are rounded then.
func to[S number](k reflect.Kind) decoder {
	switch k {
	case reflect.Int8:
		return pick[S, int8]()
	case reflect.Int16:
		return pick[S, int16]()
	case reflect.Int32:
		return pick[S, int32]()
	case reflect.Int64, reflect.Int:
		return pick[S, int64]()
	case reflect.Uint8:
		return pick[S, uint8]()
	case reflect.Uint16:
		return pick[S, uint16]()
	case reflect.Uint32:
		return pick[S, uint32]()
	case reflect.Uint64, reflect.Uint:
		return pick[S, uint64]()
	case reflect.Float32:
		return numbers[S, float32]
	case reflect.Float64:
		return numbers[S, float64]
	}
	return nil
}

func pick[S, D number]() decoder {
	var s S
	var d D
	sk, dk := reflect.TypeOf(s).Kind(), reflect.TypeOf(d).Kind()
	signed := func(k reflect.Kind) bool { return k >= reflect.Int && k <= reflect.Int64 }
	float := sk == reflect.Float32 || sk == reflect.Float64
	if !float && (signed(sk) == signed(dk) && unsafe.Sizeof(d) >= unsafe.Sizeof(s) || !signed(sk) && unsafe.Sizeof(d) > unsafe.Sizeof(s)) {
		return numbers[S, D]
	}
	return checked[S, D]
}

func numberDecoder(stored mapping.Type, k reflect.Kind) decoder {
	switch stored {
	case mapping.TypeTinyInt:
		return to[int8](k)
	case mapping.TypeSmallInt:
		return to[int16](k)
	case mapping.TypeInteger:
		return to[int32](k)
	case mapping.TypeBigInt:
		return to[int64](k)
	case mapping.TypeUTinyInt:
		return to[uint8](k)
	case mapping.TypeUSmallInt:
		return to[uint16](k)
	case mapping.TypeUInteger:
		return to[uint32](k)
	case mapping.TypeUBigInt:
		return to[uint64](k)
	case mapping.TypeFloat:
		return to[float32](k)
	case mapping.TypeDouble:
		return to[float64](k)
	}
	return nil
}

// each decodes one element after the other.
func each[S, D any](f func(S) (D, error)) decoder {
	return func(v vec, n int, base unsafe.Pointer, stride uintptr) (int, error) {
		src := unsafe.Slice((*S)(v.data), n)
		for i := range src {
			if v.null(i) {
				continue
			}
			d, err := f(src[i])
			if err != nil {
				return i, err
			}
			*(*D)(unsafe.Add(base, uintptr(i)*stride)) = d
		}
		return 0, nil
	}
}

// text is a string of the engine: up to 12 bytes in place, else a pointer.
type text struct {
	size uint32
	in   [4]byte
	ptr  unsafe.Pointer
}

func (t *text) bytes() []byte {
	if t.size <= 12 {
		return unsafe.Slice(&t.in[0], t.size)
	}
	return unsafe.Slice((*byte)(t.ptr), t.size)
}

// texts copies strings or bytes into one piece of memory, which all of them
// share.
func texts(put func(p unsafe.Pointer, b []byte)) decoder {
	return func(v vec, n int, base unsafe.Pointer, stride uintptr) (int, error) {
		src := unsafe.Slice((*text)(v.data), n)
		total := 0
		for i := range src {
			if !v.null(i) {
				total += int(src[i].size)
			}
		}
		arena := make([]byte, total)
		for i := range src {
			if v.null(i) {
				continue
			}
			size := copy(arena, src[i].bytes())
			put(unsafe.Add(base, uintptr(i)*stride), arena[:size:size])
			arena = arena[size:]
		}
		return 0, nil
	}
}

func putString(p unsafe.Pointer, b []byte) {
	*(*string)(p) = unsafe.String(unsafe.SliceData(b), len(b))
}

func putBytes(p unsafe.Pointer, b []byte) {
	if b == nil {
		b = []byte{}
	}
	*(*[]byte)(p) = b
}

type huge struct {
	lo uint64
	hi int64
}

func (h huge) big() *big.Int {
	b := big.NewInt(h.hi)
	return b.Lsh(b, 64).Or(b, new(big.Int).SetUint64(h.lo))
}

func (h huge) float() float64 {
	if h.hi == int64(h.lo)>>63 {
		return float64(int64(h.lo))
	}
	f, _ := new(big.Float).SetInt(h.big()).Float64()
	return f
}

var (
	timeType     = reflect.TypeFor[time.Time]()
	durationType = reflect.TypeFor[time.Duration]()
	intervalType = reflect.TypeFor[Interval]()
	decimalType  = reflect.TypeFor[Decimal]()
	bigType      = reflect.TypeFor[*big.Int]()
	bytesType    = reflect.TypeFor[[]byte]()
	uuidType     = reflect.TypeFor[[16]byte]()
)

// scalar returns the decoder of a plain type, nil if there is none.
func scalar(t *colType, g reflect.Type) decoder {
	k := g.Kind()
	switch t.id {
	case mapping.TypeBoolean:
		if k == reflect.Bool {
			return each(func(b uint8) (bool, error) { return b != 0, nil })
		}
	case mapping.TypeVarchar:
		if k == reflect.String {
			return texts(putString)
		}
		if g == bytesType {
			return texts(putBytes)
		}
	case mapping.TypeBlob:
		if g == bytesType {
			return texts(putBytes)
		}
	case mapping.TypeEnum:
		if k == reflect.String {
			return enum(t)
		}
	case mapping.TypeHugeInt, mapping.TypeUHugeInt:
		return hugeDecoder(t, g)
	case mapping.TypeDecimal:
		return decimalDecoder(t, g)
	case mapping.TypeUUID:
		return uuidDecoder(g)
	case mapping.TypeInterval:
		switch g {
		case intervalType:
			return each(func(i Interval) (Interval, error) { return i, nil })
		case durationType:
			return each(func(i Interval) (time.Duration, error) {
				if i.Months != 0 {
					return 0, fmt.Errorf("%w: an interval of %d months is no time.Duration; use frame.Interval", ErrRange, i.Months)
				}
				return i.Duration(), nil
			})
		}
	case mapping.TypeTime:
		if g == durationType {
			return each(func(us int64) (time.Duration, error) { return time.Duration(us) * time.Microsecond, nil })
		}
	case mapping.TypeTimeNS:
		if g == durationType {
			return each(func(ns int64) (time.Duration, error) { return time.Duration(ns), nil })
		}
	case mapping.TypeDate, mapping.TypeTimestamp, mapping.TypeTimestampTZ, mapping.TypeTimestampS, mapping.TypeTimestampMS, mapping.TypeTimestampNS:
		if g == timeType {
			return timeDecoder(t.id)
		}
	default:
		if g != durationType {
			return numberDecoder(t.stored, k)
		}
	}
	return nil
}

func enum(t *colType) decoder {
	at := numberDecoder(t.stored, reflect.Uint32)
	return func(v vec, n int, base unsafe.Pointer, stride uintptr) (int, error) {
		codes := make([]uint32, n)
		_, _ = at(v, n, unsafe.Pointer(unsafe.SliceData(codes)), 4)
		for i, c := range codes {
			if !v.null(i) {
				*(*string)(unsafe.Add(base, uintptr(i)*stride)) = t.dict[c]
			}
		}
		return 0, nil
	}
}

func hugeDecoder(t *colType, g reflect.Type) decoder {
	asBig := huge.big
	if t.id == mapping.TypeUHugeInt {
		asBig = func(h huge) *big.Int {
			b := new(big.Int).SetUint64(uint64(h.hi))
			return b.Lsh(b, 64).Or(b, new(big.Int).SetUint64(h.lo))
		}
	}
	switch {
	case g == bigType:
		return each(func(h huge) (*big.Int, error) { return asBig(h), nil })
	case g.Kind() == reflect.Float64 && t.id == mapping.TypeHugeInt:
		return each(func(h huge) (float64, error) { return h.float(), nil })
	case g.Kind() == reflect.Float64:
		return each(func(h huge) (float64, error) { f, _ := new(big.Float).SetInt(asBig(h)).Float64(); return f, nil })
	case g.Kind() == reflect.Int64 || g.Kind() == reflect.Int:
		return each(func(h huge) (int64, error) {
			if h.hi != int64(h.lo)>>63 || t.id == mapping.TypeUHugeInt && h.hi != 0 {
				return 0, fmt.Errorf("%w: %v does not fit in an int64; use *big.Int or float64", ErrRange, asBig(h))
			}
			return int64(h.lo), nil
		})
	case g.Kind() == reflect.Uint64 || g.Kind() == reflect.Uint:
		return each(func(h huge) (uint64, error) {
			if h.hi != 0 {
				return 0, fmt.Errorf("%w: %v does not fit in a uint64; use *big.Int or float64", ErrRange, asBig(h))
			}
			return h.lo, nil
		})
	case g.Kind() >= reflect.Int8 && g.Kind() <= reflect.Int32:
		bits := g.Bits()
		put := to[int64](g.Kind())
		return func(v vec, n int, base unsafe.Pointer, stride uintptr) (int, error) {
			for i, h := range unsafe.Slice((*huge)(v.data), n) {
				if v.null(i) {
					continue
				}
				if h.hi != int64(h.lo)>>63 {
					return i, fmt.Errorf("%w: %v does not fit in %d bits", ErrRange, asBig(h), bits)
				}
				x := int64(h.lo)
				if _, err := put(vec{data: unsafe.Pointer(&x)}, 1, unsafe.Add(base, uintptr(i)*stride), 0); err != nil {
					return i, err
				}
			}
			return 0, nil
		}
	}
	return nil
}

func decimalDecoder(t *colType, g reflect.Type) decoder {
	unscaled := func(v vec, i int) (int64, *big.Int) {
		switch t.stored {
		case mapping.TypeSmallInt:
			return int64(unsafe.Slice((*int16)(v.data), i+1)[i]), nil
		case mapping.TypeInteger:
			return int64(unsafe.Slice((*int32)(v.data), i+1)[i]), nil
		case mapping.TypeBigInt:
			return unsafe.Slice((*int64)(v.data), i+1)[i], nil
		}
		return 0, unsafe.Slice((*huge)(v.data), i+1)[i].big()
	}
	loop := func(put func(p unsafe.Pointer, small int64, large *big.Int)) decoder {
		return func(v vec, n int, base unsafe.Pointer, stride uintptr) (int, error) {
			for i := range n {
				if !v.null(i) {
					small, large := unscaled(v, i)
					put(unsafe.Add(base, uintptr(i)*stride), small, large)
				}
			}
			return 0, nil
		}
	}
	whole := func(small int64, large *big.Int) Decimal {
		if large == nil {
			large = big.NewInt(small)
		}
		return Decimal{large, t.scale}
	}
	div := math.Pow10(t.scale)
	switch {
	case g == decimalType:
		return loop(func(p unsafe.Pointer, s int64, l *big.Int) { *(*Decimal)(p) = whole(s, l) })
	case g.Kind() == reflect.String:
		return loop(func(p unsafe.Pointer, s int64, l *big.Int) { *(*string)(p) = whole(s, l).String() })
	case g.Kind() == reflect.Float64:
		return loop(func(p unsafe.Pointer, s int64, l *big.Int) {
			if l == nil && s > -1<<53 && s < 1<<53 {
				*(*float64)(p) = float64(s) / div
				return
			}
			*(*float64)(p) = whole(s, l).Float64()
		})
	case t.scale == 0 && t.stored == mapping.TypeHugeInt:
		return hugeDecoder(&colType{id: mapping.TypeHugeInt}, g)
	case t.scale == 0:
		return numberDecoder(t.stored, g.Kind())
	}
	return nil
}

func uuidDecoder(g reflect.Type) decoder {
	raw := func(h huge) (b [16]byte) {
		hi := uint64(h.hi) ^ 1<<63 // stored so that it sorts
		for i := range 8 {
			b[i], b[8+i] = byte(hi>>(56-8*i)), byte(h.lo>>(56-8*i))
		}
		return b
	}
	switch {
	case g.Kind() == reflect.Array && g.ConvertibleTo(uuidType):
		return each(func(h huge) ([16]byte, error) { return raw(h), nil })
	case g.Kind() == reflect.String:
		return each(func(h huge) (string, error) {
			b := raw(h)
			return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:]), nil
		})
	}
	return nil
}

func timeDecoder(id mapping.Type) decoder {
	infinite := fmt.Errorf("%w: an infinite date is no time.Time", ErrRange)
	from := func(f func(int64) time.Time) decoder {
		return each(func(x int64) (time.Time, error) {
			if x == math.MaxInt64 || x == -math.MaxInt64 {
				return time.Time{}, infinite
			}
			return f(x).UTC(), nil
		})
	}
	switch id {
	case mapping.TypeDate:
		return each(func(d int32) (time.Time, error) {
			if d == math.MaxInt32 || d == -math.MaxInt32 {
				return time.Time{}, infinite
			}
			return time.Unix(int64(d)*86400, 0).UTC(), nil
		})
	case mapping.TypeTimestampS:
		return from(func(x int64) time.Time { return time.Unix(x, 0) })
	case mapping.TypeTimestampMS:
		return from(time.UnixMilli)
	case mapping.TypeTimestampNS:
		return from(func(x int64) time.Time { return time.Unix(0, x) })
	}
	return from(time.UnixMicro)
}
