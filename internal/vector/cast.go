package vector

import "math"

// Cast sets dst to src, converted. A bool is 0 or 1, and a number is true
// unless it is 0 (NaN is true). The imaginary part of a complex number is
// dropped. A float loses its fraction on the way to an integer; one that the
// integer cannot hold, NaN among them, becomes the smallest int64 or int32,
// as on amd64, and for uint8 the low byte of that int64. An integer that is
// too wide keeps its low bits.
func Cast[D, S Element](dst []D, src []S) {
	src = src[:len(dst)]
	switch s := any(src).(type) {
	case []D:
		copy(dst, s)
	case []float64:
		castFloat(dst, s)
	case []float32:
		castFloat(dst, s)
	case []int64:
		castInteger(dst, s)
	case []int32:
		castInteger(dst, s)
	case []uint8:
		castInteger(dst, s)
	case []bool:
		switch d := any(dst).(type) {
		case []float64:
			castBool(d, s)
		case []float32:
			castBool(d, s)
		case []int64:
			castBool(d, s)
		case []int32:
			castBool(d, s)
		case []uint8:
			castBool(d, s)
		case []complex128:
			castBool(d, s)
		}
	case []complex128:
		switch d := any(dst).(type) {
		case []bool:
			NotEqualScalar(d, s, 0)
		default:
			var part [256]float64
			for len(s) > 0 {
				n := min(len(s), len(part))
				RealPart(part[:n], s)
				castFloat(dst[:n], part[:n])
				dst, s = dst[n:], s[n:]
			}
		}
	}
}

func castFloat[D Element, S Float](dst []D, src []S) {
	switch d := any(dst).(type) {
	case []float64:
		n := 0
		if s, ok := any(src).([]float32); ok {
			n = fastWiden(d, s)
		}
		d = d[n:]
		for i, v := range src[n:] {
			d[i] = float64(v)
		}
	case []float32:
		n := 0
		if s, ok := any(src).([]float64); ok {
			n = fastNarrow(d, s)
		}
		d = d[n:]
		for i, v := range src[n:] {
			d[i] = float32(v)
		}
	case []int64:
		for i, v := range src {
			d[i] = whole64(float64(v))
		}
	case []int32:
		for i, v := range src {
			d[i] = whole32(float64(v))
		}
	case []uint8:
		for i, v := range src {
			d[i] = uint8(whole64(float64(v)))
		}
	case []bool:
		NotEqualScalar(d, src, 0)
	case []complex128:
		for i, v := range src {
			d[i] = complex(float64(v), 0)
		}
	}
}

// whole64 and whole32 say the same on every machine; Go leaves it open what
// the conversion of a float out of range gives.
func whole64(v float64) int64 {
	if v >= -1<<63 && v < 1<<63 {
		return int64(v)
	}
	return math.MinInt64
}

func whole32(v float64) int32 {
	if v > -1<<31-1 && v < 1<<31 {
		return int32(v)
	}
	return math.MinInt32
}

func castInteger[D Element, S Integer](dst []D, src []S) {
	switch d := any(dst).(type) {
	case []float64:
		n := 0
		if s, ok := any(src).([]int32); ok {
			n = fastWiden32(d, s)
		}
		d = d[n:]
		for i, v := range src[n:] {
			d[i] = float64(v)
		}
	case []float32:
		for i, v := range src {
			d[i] = float32(v)
		}
	case []int64:
		for i, v := range src {
			d[i] = int64(v)
		}
	case []int32:
		for i, v := range src {
			d[i] = int32(v)
		}
	case []uint8:
		for i, v := range src {
			d[i] = uint8(v)
		}
	case []bool:
		NotEqualScalar(d, src, 0)
	case []complex128:
		for i, v := range src {
			d[i] = complex(float64(v), 0)
		}
	}
}

func castBool[D Number](dst []D, src []bool) {
	for i, v := range src {
		var d D
		if v {
			d = 1
		}
		dst[i] = d
	}
}
