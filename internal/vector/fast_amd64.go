package vector

import (
	"unsafe"

	"golang.org/x/sys/cpu"
)

// fast says whether the CPU, and the system for its registers, can do what
// the kernels need. The tests turn it off to compare.
var fast = cpu.X86.HasAVX2 && cpu.X86.HasFMA && cpu.X86.HasBMI2

// The functions here do as many elements from the front as their kernels can,
// and say how many; the caller does the rest in Go.

func at[T any](s []T) unsafe.Pointer { return unsafe.Pointer(unsafe.SliceData(s)) }

func fast2[T Element](o op, dst, a, b []T) int {
	if !fast {
		return 0
	}
	switch any(dst).(type) {
	case []float64:
		n := len(dst) &^ 15
		if n == 0 {
			return 0
		}
		switch o {
		case opAdd:
			addF64(at(dst), at(a), at(b), n)
		case opSub:
			subF64(at(dst), at(a), at(b), n)
		case opMul:
			mulF64(at(dst), at(a), at(b), n)
		case opDiv:
			divF64(at(dst), at(a), at(b), n)
		case opMin:
			minF64(at(dst), at(a), at(b), n)
		case opMax:
			maxF64(at(dst), at(a), at(b), n)
		default:
			return 0
		}
		return n
	case []float32:
		n := len(dst) &^ 31
		if n == 0 {
			return 0
		}
		switch o {
		case opAdd:
			addF32(at(dst), at(a), at(b), n)
		case opSub:
			subF32(at(dst), at(a), at(b), n)
		case opMul:
			mulF32(at(dst), at(a), at(b), n)
		case opDiv:
			divF32(at(dst), at(a), at(b), n)
		case opMin:
			minF32(at(dst), at(a), at(b), n)
		case opMax:
			maxF32(at(dst), at(a), at(b), n)
		default:
			return 0
		}
		return n
	case []int64:
		n := len(dst) &^ 15
		if n == 0 {
			return 0
		}
		switch o {
		case opAdd:
			addI64(at(dst), at(a), at(b), n)
		case opSub:
			subI64(at(dst), at(a), at(b), n)
		default:
			return 0
		}
		return n
	case []int32:
		n := len(dst) &^ 31
		if n == 0 {
			return 0
		}
		switch o {
		case opAdd:
			addI32(at(dst), at(a), at(b), n)
		case opSub:
			subI32(at(dst), at(a), at(b), n)
		case opMul:
			mulI32(at(dst), at(a), at(b), n)
		case opMin:
			minI32(at(dst), at(a), at(b), n)
		case opMax:
			maxI32(at(dst), at(a), at(b), n)
		default:
			return 0
		}
		return n
	case []uint8:
		n := len(dst) &^ 127
		if n == 0 {
			return 0
		}
		switch o {
		case opAdd:
			addU8(at(dst), at(a), at(b), n)
		case opSub:
			subU8(at(dst), at(a), at(b), n)
		case opMin:
			minU8(at(dst), at(a), at(b), n)
		case opMax:
			maxU8(at(dst), at(a), at(b), n)
		default:
			return 0
		}
		return n
	}
	return 0
}

// fastBool is And, Or and Xor, which for bools that are 0 or 1 are those of bytes.
func fastBool(o op, dst, a, b []bool) int {
	n := len(dst) &^ 127
	if !fast || n == 0 {
		return 0
	}
	switch o {
	case opAnd:
		andU8(at(dst), at(a), at(b), n)
	case opOr:
		orU8(at(dst), at(a), at(b), n)
	case opXor:
		xorU8(at(dst), at(a), at(b), n)
	case opNot:
		notU8(at(dst), at(a), n)
	}
	return n
}

func fastScalar[T Element](o op, dst, a []T, s T) int {
	if !fast {
		return 0
	}
	switch any(dst).(type) {
	case []float64:
		n := len(dst) &^ 15
		if n == 0 {
			return 0
		}
		switch o {
		case opAdd:
			addScalarF64(at(dst), at(a), unsafe.Pointer(&s), n)
		case opSub:
			subScalarF64(at(dst), at(a), unsafe.Pointer(&s), n)
		case opMul:
			mulScalarF64(at(dst), at(a), unsafe.Pointer(&s), n)
		case opDiv:
			divScalarF64(at(dst), at(a), unsafe.Pointer(&s), n)
		case opMin:
			minScalarF64(at(dst), at(a), unsafe.Pointer(&s), n)
		case opMax:
			maxScalarF64(at(dst), at(a), unsafe.Pointer(&s), n)
		case opSubLeft:
			subScalarLeftF64(at(dst), at(a), unsafe.Pointer(&s), n)
		case opDivLeft:
			divScalarLeftF64(at(dst), at(a), unsafe.Pointer(&s), n)
		default:
			return 0
		}
		return n
	case []float32:
		n := len(dst) &^ 31
		if n == 0 {
			return 0
		}
		switch o {
		case opAdd:
			addScalarF32(at(dst), at(a), unsafe.Pointer(&s), n)
		case opSub:
			subScalarF32(at(dst), at(a), unsafe.Pointer(&s), n)
		case opMul:
			mulScalarF32(at(dst), at(a), unsafe.Pointer(&s), n)
		case opDiv:
			divScalarF32(at(dst), at(a), unsafe.Pointer(&s), n)
		case opMin:
			minScalarF32(at(dst), at(a), unsafe.Pointer(&s), n)
		case opMax:
			maxScalarF32(at(dst), at(a), unsafe.Pointer(&s), n)
		case opSubLeft:
			subScalarLeftF32(at(dst), at(a), unsafe.Pointer(&s), n)
		case opDivLeft:
			divScalarLeftF32(at(dst), at(a), unsafe.Pointer(&s), n)
		default:
			return 0
		}
		return n
	case []int64:
		n := len(dst) &^ 15
		if n == 0 {
			return 0
		}
		switch o {
		case opAdd:
			addScalarI64(at(dst), at(a), unsafe.Pointer(&s), n)
		case opSub:
			subScalarI64(at(dst), at(a), unsafe.Pointer(&s), n)
		default:
			return 0
		}
		return n
	case []int32:
		n := len(dst) &^ 31
		if n == 0 {
			return 0
		}
		switch o {
		case opAdd:
			addScalarI32(at(dst), at(a), unsafe.Pointer(&s), n)
		case opSub:
			subScalarI32(at(dst), at(a), unsafe.Pointer(&s), n)
		case opMul:
			mulScalarI32(at(dst), at(a), unsafe.Pointer(&s), n)
		case opMin:
			minScalarI32(at(dst), at(a), unsafe.Pointer(&s), n)
		case opMax:
			maxScalarI32(at(dst), at(a), unsafe.Pointer(&s), n)
		default:
			return 0
		}
		return n
	case []uint8:
		n := len(dst) &^ 127
		if n == 0 {
			return 0
		}
		switch o {
		case opAdd:
			addScalarU8(at(dst), at(a), unsafe.Pointer(&s), n)
		case opSub:
			subScalarU8(at(dst), at(a), unsafe.Pointer(&s), n)
		case opMin:
			minScalarU8(at(dst), at(a), unsafe.Pointer(&s), n)
		case opMax:
			maxScalarU8(at(dst), at(a), unsafe.Pointer(&s), n)
		default:
			return 0
		}
		return n
	}
	return 0
}

func fast1[T Element](o op, dst, a []T) int {
	if !fast {
		return 0
	}
	switch any(dst).(type) {
	case []float64:
		n := len(dst) &^ 15
		if n == 0 {
			return 0
		}
		switch o {
		case opSqrt:
			sqrtF64(at(dst), at(a), n)
		case opNeg:
			negF64(at(dst), at(a), n)
		case opAbs:
			absF64(at(dst), at(a), n)
		case opRound:
			roundF64(at(dst), at(a), n)
		case opFloor:
			floorF64(at(dst), at(a), n)
		case opCeil:
			ceilF64(at(dst), at(a), n)
		case opTrunc:
			truncF64(at(dst), at(a), n)
		default:
			return 0
		}
		return n
	case []float32:
		n := len(dst) &^ 31
		if n == 0 {
			return 0
		}
		switch o {
		case opSqrt:
			sqrtF32(at(dst), at(a), n)
		case opNeg:
			negF32(at(dst), at(a), n)
		case opAbs:
			absF32(at(dst), at(a), n)
		case opRound:
			roundF32(at(dst), at(a), n)
		case opFloor:
			floorF32(at(dst), at(a), n)
		case opCeil:
			ceilF32(at(dst), at(a), n)
		case opTrunc:
			truncF32(at(dst), at(a), n)
		default:
			return 0
		}
		return n
	}
	return 0
}

func fastCompare[T Element](o op, dst []bool, a, b []T) int {
	if !fast {
		return 0
	}
	switch any(a).(type) {
	case []float64:
		n := len(dst) &^ 7
		if n == 0 {
			return 0
		}
		switch o {
		case opEqual:
			eqF64(at(dst), at(a), at(b), n)
		case opNotEqual:
			neF64(at(dst), at(a), at(b), n)
		case opLess:
			ltF64(at(dst), at(a), at(b), n)
		case opLessEqual:
			leF64(at(dst), at(a), at(b), n)
		default:
			return 0
		}
		return n
	case []float32:
		n := len(dst) &^ 7
		if n == 0 {
			return 0
		}
		switch o {
		case opEqual:
			eqF32(at(dst), at(a), at(b), n)
		case opNotEqual:
			neF32(at(dst), at(a), at(b), n)
		case opLess:
			ltF32(at(dst), at(a), at(b), n)
		case opLessEqual:
			leF32(at(dst), at(a), at(b), n)
		default:
			return 0
		}
		return n
	}
	return 0
}

func fastCompareScalar[T Element](o op, dst []bool, a []T, s T) int {
	if !fast {
		return 0
	}
	switch any(a).(type) {
	case []float64:
		n := len(dst) &^ 7
		if n == 0 {
			return 0
		}
		switch o {
		case opEqual:
			eqScalarF64(at(dst), at(a), unsafe.Pointer(&s), n)
		case opNotEqual:
			neScalarF64(at(dst), at(a), unsafe.Pointer(&s), n)
		case opLess:
			ltScalarF64(at(dst), at(a), unsafe.Pointer(&s), n)
		case opLessEqual:
			leScalarF64(at(dst), at(a), unsafe.Pointer(&s), n)
		case opGreater:
			gtScalarF64(at(dst), at(a), unsafe.Pointer(&s), n)
		case opGreaterEqual:
			geScalarF64(at(dst), at(a), unsafe.Pointer(&s), n)
		default:
			return 0
		}
		return n
	case []float32:
		n := len(dst) &^ 7
		if n == 0 {
			return 0
		}
		switch o {
		case opEqual:
			eqScalarF32(at(dst), at(a), unsafe.Pointer(&s), n)
		case opNotEqual:
			neScalarF32(at(dst), at(a), unsafe.Pointer(&s), n)
		case opLess:
			ltScalarF32(at(dst), at(a), unsafe.Pointer(&s), n)
		case opLessEqual:
			leScalarF32(at(dst), at(a), unsafe.Pointer(&s), n)
		case opGreater:
			gtScalarF32(at(dst), at(a), unsafe.Pointer(&s), n)
		case opGreaterEqual:
			geScalarF32(at(dst), at(a), unsafe.Pointer(&s), n)
		default:
			return 0
		}
		return n
	}
	return 0
}

func fastWhere[T Element](dst []T, mask []bool, a, b []T) int {
	n := len(dst) &^ 7
	if !fast || n == 0 {
		return 0
	}
	// Bits are moved, whatever they mean; no complex128, which is 16 bytes.
	switch any(dst).(type) {
	case []float64, []int64:
		whereF64(at(dst), at(mask), at(a), at(b), n)
	case []float32, []int32:
		whereF32(at(dst), at(mask), at(a), at(b), n)
	default:
		return 0
	}
	return n
}

// fastLanes adds to the lanes of a leaf.
func fastLanes[T Number](o op, s *[lanes]T, a, b []T, center T) int {
	n := len(a) &^ (lanes - 1)
	if !fast || n == 0 {
		return 0
	}
	switch any(a).(type) {
	case []float64:
		switch o {
		case opSum:
			sumF64(unsafe.Pointer(s), at(a), n)
		case opDot:
			dotF64(unsafe.Pointer(s), at(a), at(b), n)
		case opSumSquares:
			sumSquaresF64(unsafe.Pointer(s), at(a), unsafe.Pointer(&center), n)
		}
	case []float32:
		switch o {
		case opSum:
			sumF32(unsafe.Pointer(s), at(a), n)
		case opDot:
			dotF32(unsafe.Pointer(s), at(a), at(b), n)
		case opSumSquares:
			sumSquaresF32(unsafe.Pointer(s), at(a), unsafe.Pointer(&center), n)
		}
	default:
		return 0
	}
	return n
}

// fastMath stops before four elements that a kernel leaves to Go.
func fastMath(o op, dst, a, b []float64) int {
	n := len(dst) &^ 3
	if !fast || n == 0 {
		return 0
	}
	switch o {
	case opExp:
		return expF64(at(dst), at(a), n)
	case opLog:
		return logF64(at(dst), at(a), n)
	case opSin:
		return sinF64(at(dst), at(a), n)
	case opCos:
		return cosF64(at(dst), at(a), n)
	case opTanh:
		return tanhF64(at(dst), at(a), n)
	case opPow:
		return powF64(at(dst), at(a), at(b), n)
	}
	return 0
}

func fastWiden(dst []float64, a []float32) int {
	n := len(dst) &^ 7
	if !fast || n == 0 {
		return 0
	}
	widen(at(dst), at(a), n)
	return n
}

func fastWiden32(dst []float64, a []int32) int {
	n := len(dst) &^ 7
	if !fast || n == 0 {
		return 0
	}
	widenI32(at(dst), at(a), n)
	return n
}

func fastNarrow(dst []float32, a []float64) int {
	n := len(dst) &^ 7
	if !fast || n == 0 {
		return 0
	}
	narrow(at(dst), at(a), n)
	return n
}

// fastStream copies past the caches, the first bytes up to where a vector
// starts with a plain copy.
func fastStream(dst, src []byte) int {
	head := int(-uintptr(at(dst)) & 31)
	n := (len(dst) - head) &^ 127
	if !fast || n <= 0 {
		return 0
	}
	copy(dst[:head], src[:head])
	streamBytes(at(dst[head:]), at(src[head:]), n)
	return head + n
}
