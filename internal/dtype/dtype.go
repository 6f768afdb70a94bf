// Package dtype knows the element types of arrays in files: their names in
// NumPy and Zarr, their size, and their bytes in both byte orders.
package dtype

import (
	"encoding/binary"
	"fmt"
	"math/bits"
	"unsafe"
)

// Element is what an array can hold.
type Element interface {
	float64 | float32 | int64 | int32 | uint8 | bool | complex128
}

// Kind is an element type. The zero Kind is none.
type Kind uint8

// The kinds.
const (
	Float64 Kind = 1 + iota
	Float32
	Int64
	Int32
	Uint8
	Bool
	Complex128
)

var kinds = [...]struct {
	name, code string
	size, word int // word is what the byte order is of
}{
	Float64:    {"float64", "f8", 8, 8},
	Float32:    {"float32", "f4", 4, 4},
	Int64:      {"int64", "i8", 8, 8},
	Int32:      {"int32", "i4", 4, 4},
	Uint8:      {"uint8", "u1", 1, 1},
	Bool:       {"bool", "b1", 1, 1},
	Complex128: {"complex128", "c16", 16, 8},
}

// Supported lists the kinds, for messages.
const Supported = "float64, float32, int64, int32, uint8, bool and complex128"

// Of is the kind of T.
func Of[T Element]() Kind {
	var zero T
	switch any(zero).(type) {
	case float64:
		return Float64
	case float32:
		return Float32
	case int64:
		return Int64
	case int32:
		return Int32
	case uint8:
		return Uint8
	case bool:
		return Bool
	default:
		return Complex128
	}
}

func (k Kind) valid() bool { return k > 0 && int(k) < len(kinds) }

// String is the name in Go, NumPy and Zarr 3, which is the same.
func (k Kind) String() string {
	if !k.valid() {
		return fmt.Sprintf("kind %d", uint8(k))
	}
	return kinds[k].name
}

// Size is the bytes of an element.
func (k Kind) Size() int { return kinds[k].size }

// Code is NumPy's array-protocol string, as "<f8" or "|u1".
func (k Kind) Code(big bool) string {
	switch {
	case kinds[k].word == 1:
		return "|" + kinds[k].code
	case big:
		return ">" + kinds[k].code
	}
	return "<" + kinds[k].code
}

// Parse reads NumPy's array-protocol string.
func Parse(code string) (k Kind, big bool, err error) {
	if len(code) > 1 {
		for k := Float64; k.valid(); k++ {
			if code[1:] != kinds[k].code {
				continue
			}
			switch code[0] {
			case '<':
				return k, false, nil
			case '>':
				return k, kinds[k].word > 1, nil
			case '=':
				return k, BigMachine && kinds[k].word > 1, nil
			case '|':
				if kinds[k].word == 1 {
					return k, false, nil
				}
			}
		}
	}
	return 0, false, fmt.Errorf("element type %q is not one of %s", clip(code), Supported)
}

// Named is the kind with this name.
func Named(name string) (Kind, error) {
	for k := Float64; k.valid(); k++ {
		if kinds[k].name == name {
			return k, nil
		}
	}
	return 0, fmt.Errorf("element type %q is not one of %s", clip(name), Supported)
}

func clip(s string) string {
	if len(s) > 40 {
		return s[:40] + "..."
	}
	return s
}

// BigMachine says whether this machine is big endian.
var BigMachine = binary.NativeEndian.Uint16([]byte{0, 1}) == 1

// Bytes are the bytes of s, not a copy.
func Bytes[T Element](s []T) []byte {
	if len(s) == 0 {
		return nil
	}
	return unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(s))), len(s)*int(unsafe.Sizeof(s[0])))
}

// Mend makes elements of what was read into their bytes: it turns them into
// the byte order of this machine, and makes each bool that is not 0 true.
func Mend[T Element](s []T, big bool) {
	if Of[T]() == Bool {
		for i, b := range Bytes(s) {
			if b > 1 {
				Bytes(s)[i] = 1
			}
		}
	}
	if big != BigMachine {
		Swap(Bytes(s), kinds[Of[T]()].word)
	}
}

// Turn makes the bytes of elements of this machine such of a file, in place.
func (k Kind) Turn(b []byte, big bool) {
	if big != BigMachine {
		Swap(b, kinds[k].word)
	}
}

// Swap reverses the bytes of each word.
func Swap(b []byte, word int) {
	switch word {
	case 8:
		for ; len(b) >= 8; b = b[8:] {
			binary.LittleEndian.PutUint64(b, bits.ReverseBytes64(binary.LittleEndian.Uint64(b)))
		}
	case 4:
		for ; len(b) >= 4; b = b[4:] {
			binary.LittleEndian.PutUint32(b, bits.ReverseBytes32(binary.LittleEndian.Uint32(b)))
		}
	}
}
