//go:build !amd64

package vector

// No fast path: the Go loops do all.
var fast = false

func fast1[T Element](op, []T, []T) int                   { return 0 }
func fast2[T Element](op, []T, []T, []T) int              { return 0 }
func fastScalar[T Element](op, []T, []T, T) int           { return 0 }
func fastCompare[T Element](op, []bool, []T, []T) int     { return 0 }
func fastCompareScalar[T Element](op, []bool, []T, T) int { return 0 }
func fastBool(op, []bool, []bool, []bool) int             { return 0 }
func fastWhere[T Element]([]T, []bool, []T, []T) int      { return 0 }
func fastLanes[T Number](op, *[lanes]T, []T, []T, T) int  { return 0 }
func fastMath(op, []float64, []float64, []float64) int    { return 0 }
func fastStream([]byte, []byte) int                       { return 0 }
func fastWiden([]float64, []float32) int                  { return 0 }
func fastWiden32([]float64, []int32) int                  { return 0 }
func fastNarrow([]float32, []float64) int                 { return 0 }
