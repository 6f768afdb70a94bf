package vector

//go:generate go run ./gen

// op names what a fast path is asked for.
type op uint8

const (
	opAdd op = iota
	opSub
	opMul
	opDiv
	opMin
	opMax
	opSubLeft // scalar - a
	opDivLeft // scalar / a
	opAnd
	opOr
	opXor

	opSqrt
	opNeg
	opAbs
	opRound
	opFloor
	opCeil
	opTrunc
	opNot

	opEqual
	opNotEqual
	opLess
	opLessEqual
	opGreater
	opGreaterEqual

	opSum
	opDot
	opSumSquares

	opExp
	opLog
	opSin
	opCos
	opTanh
	opPow
)
