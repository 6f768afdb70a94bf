// Package raw looks at slices of numbers as bytes and the other way round,
// reaches unexported fields, and maps files into memory: all of memo that
// needs unsafe. It knows nothing of formats.
package raw

import (
	"encoding/binary"
	"reflect"
	"unsafe"
)

// Little tells whether the machine stores numbers as files of memo do.
var Little = binary.NativeEndian.Uint16([]byte{1, 0}) == 1

// Width is the number of bytes that one element of kind k takes in a file, 0
// where elements are no plain numbers. int and uint take 8 on every machine.
func Width(k reflect.Kind) int {
	switch k {
	case reflect.Int8, reflect.Uint8:
		return 1
	case reflect.Int16, reflect.Uint16:
		return 2
	case reflect.Int32, reflect.Uint32, reflect.Float32:
		return 4
	case reflect.Int, reflect.Uint, reflect.Int64, reflect.Uint64, reflect.Float64, reflect.Complex64:
		return 8
	case reflect.Complex128:
		return 16
	}
	return 0
}

// Plain tells whether a slice of t lies in memory exactly as in a file.
func Plain(t reflect.Type) bool {
	w := Width(t.Kind())
	return w > 0 && (Little || w == 1) && int(t.Size()) == w
}

// Bytes is the memory of a slice whose elements are plain. It is not copied.
func Bytes(slice reflect.Value) []byte {
	n := slice.Len() * int(slice.Type().Elem().Size())
	if n == 0 {
		return nil
	}
	return unsafe.Slice((*byte)(slice.UnsafePointer()), n)
}

// String is the memory of a string, which must not be written to.
func String(s string) []byte { return unsafe.Slice(unsafe.StringData(s), len(s)) }

// Floats64 is b as numbers of 64 bits, without a copy. Its length must be a
// multiple of 8, and b must lie on a multiple of 8.
func Floats64(b []byte) []float64 {
	if len(b) == 0 {
		return nil
	}
	return unsafe.Slice((*float64)(unsafe.Pointer(unsafe.SliceData(b))), len(b)/8)
}

// Floats32 is the same for 32 bits.
func Floats32(b []byte) []float32 {
	if len(b) == 0 {
		return nil
	}
	return unsafe.Slice((*float32)(unsafe.Pointer(unsafe.SliceData(b))), len(b)/4)
}

// Aligned tells whether b may be looked at as elements of t.
func Aligned(b []byte, t reflect.Type) bool {
	return uintptr(unsafe.Pointer(unsafe.SliceData(b)))%uintptr(t.Align()) == 0
}

// Slice is b as a slice of plain t, without a copy. b must be aligned, not
// empty, and its length a multiple of t's size.
func Slice(b []byte, t reflect.Type) reflect.Value {
	return reflect.SliceAt(t, unsafe.Pointer(unsafe.SliceData(b)), len(b)/int(t.Size()))
}

// Open is v, a field of an addressable struct, as if it were exported.
func Open(v reflect.Value) reflect.Value {
	if v.CanSet() {
		return v
	}
	return reflect.NewAt(v.Type(), unsafe.Pointer(v.UnsafeAddr())).Elem()
}
