package array

import "unsafe"

// Elem are the types of elements.
type Elem interface {
	float64 | float32 | int64 | int32 | uint8 | bool | complex128
}

// Number are the types that can be added and multiplied.
type Number interface {
	float64 | float32 | int64 | int32 | uint8 | complex128
}

// Real are the numbers that have an order.
type Real interface {
	float64 | float32 | int64 | int32 | uint8
}

// Float are the types of the functions whose results are not whole numbers.
type Float interface{ float64 | float32 }

// kind is the type of the elements of a node.
type kind uint8

const (
	f64 kind = iota
	f32
	i64
	i32
	u8
	boolean
	c128
)

var kindNames = [...]string{"float64", "float32", "int64", "int32", "uint8", "bool", "complex128"}

func (k kind) String() string { return kindNames[k] }

var kindSizes = [...]int{8, 4, 8, 4, 1, 1, 16}

// size is how many bytes an element has.
func (k kind) size() int { return kindSizes[k] }

func (k kind) float() bool { return k == f64 || k == f32 }

func (k kind) whole() bool { return k == i64 || k == i32 || k == u8 }

func kindOf[T Elem]() kind {
	var zero T
	switch any(zero).(type) {
	case float64:
		return f64
	case float32:
		return f32
	case int64:
		return i64
	case int32:
		return i32
	case uint8:
		return u8
	case bool:
		return boolean
	default:
		return c128
	}
}

// block is the memory of a block, whatever its elements are: words of 8 bytes.
// A slice of float64 is what the graph measures, spills and reads back without
// a second copy.
type block = []float64

// newBlock has room for n elements.
func newBlock(k kind, n int) block { return make(block, (n*k.size()+7)/8) }

// pointer is where the elements of a block begin.
func pointer(b block) unsafe.Pointer { return unsafe.Pointer(unsafe.SliceData(b)) }

// elems are the first n elements of a block.
func elems[T Elem](b block, n int) []T { return unsafe.Slice((*T)(pointer(b)), n) }

// at is the address of element i behind p.
func at(p unsafe.Pointer, i, size int) unsafe.Pointer { return unsafe.Add(p, i*size) }

// asBlock is the block that a slice is, without a copy where the elements fill
// words.
func asBlock[T Elem](s []T) block {
	k := kindOf[T]()
	if bytes := len(s) * k.size(); bytes%8 == 0 && uintptr(unsafe.Pointer(unsafe.SliceData(s)))%8 == 0 {
		return unsafe.Slice((*float64)(unsafe.Pointer(unsafe.SliceData(s))), bytes/8)
	}
	b := newBlock(k, len(s))
	copy(elems[T](b, len(s)), s)
	return b
}
