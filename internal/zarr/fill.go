package zarr

import (
	"encoding/base64"
	"encoding/json"
	"math"
	"strconv"
	"strings"

	"github.com/weft-go/weft/internal/dtype"
)

func bytesOf[T dtype.Element](v T) []byte {
	return append([]byte(nil), dtype.Bytes([]T{v})...)
}

// parseFill reads a fill value of either version; null is 0.
func parseFill(k dtype.Kind, v any) ([]byte, error) {
	bad := func() ([]byte, error) { return nil, malformed("the fill value %v of %s", v, k) }
	if v == nil {
		return make([]byte, k.Size()), nil
	}
	switch k {
	case dtype.Bool:
		switch v := v.(type) {
		case bool:
			return bytesOf(v), nil
		case json.Number: // version 2
			if v == "0" || v == "1" {
				return bytesOf(v == "1"), nil
			}
		}
	case dtype.Int64, dtype.Int32, dtype.Uint8:
		n, ok := v.(json.Number)
		if !ok {
			return bad()
		}
		i, err := strconv.ParseInt(string(n), 10, 64)
		if err != nil {
			f, ferr := n.Float64() // 0.0
			if ferr != nil || f != math.Trunc(f) || math.Abs(f) > 1<<53 {
				return bad()
			}
			i = int64(f)
		}
		switch {
		case k == dtype.Int64:
			return bytesOf(i), nil
		case k == dtype.Int32 && i == int64(int32(i)):
			return bytesOf(int32(i)), nil
		case k == dtype.Uint8 && i == int64(uint8(i)):
			return bytesOf(uint8(i)), nil
		}
	case dtype.Float64:
		if f, ok := parseFloat(v, 64); ok {
			return bytesOf(f), nil
		}
	case dtype.Float32:
		if f, ok := parseFloat(v, 32); ok {
			return bytesOf(float32(f)), nil
		}
	case dtype.Complex128:
		switch v := v.(type) {
		case []any:
			if len(v) != 2 {
				return bad()
			}
			re, ok1 := parseFloat(v[0], 64)
			im, ok2 := parseFloat(v[1], 64)
			if ok1 && ok2 {
				return bytesOf(complex(re, im)), nil
			}
		case string: // version 2, at times: the bytes, little endian
			if b, err := base64.StdEncoding.DecodeString(v); err == nil && len(b) == 16 {
				k.Turn(b, false)
				return b, nil
			}
		default:
			if f, ok := parseFloat(v, 64); ok {
				return bytesOf(complex(f, 0)), nil
			}
		}
	}
	return bad()
}

func parseFloat(v any, bits int) (float64, bool) {
	switch v := v.(type) {
	case json.Number:
		f, err := strconv.ParseFloat(string(v), bits)
		return f, err == nil
	case string:
		switch v {
		case "NaN":
			return math.Float64frombits(0x7ff8000000000000), true // as the specification says; Go's has another payload
		case "Infinity":
			return math.Inf(1), true
		case "-Infinity":
			return math.Inf(-1), true
		}
		if digits, ok := strings.CutPrefix(v, "0x"); ok && len(digits) == bits/4 {
			u, err := strconv.ParseUint(digits, 16, 64)
			if bits == 32 {
				return float64(math.Float32frombits(uint32(u))), err == nil
			}
			return math.Float64frombits(u), err == nil
		}
	}
	return 0, false
}

func elementOf[T dtype.Element](b []byte) T {
	var v [1]T
	copy(dtype.Bytes(v[:]), b)
	return v[0]
}

// fillJSON is the fill value as both versions write it.
func fillJSON(k dtype.Kind, b []byte) any {
	switch k {
	case dtype.Bool:
		return elementOf[bool](b)
	case dtype.Uint8:
		return elementOf[uint8](b)
	case dtype.Int32:
		return elementOf[int32](b)
	case dtype.Int64:
		return elementOf[int64](b)
	case dtype.Float32:
		return floatJSON(float64(elementOf[float32](b)), 32)
	case dtype.Float64:
		return floatJSON(elementOf[float64](b), 64)
	default:
		c := elementOf[complex128](b)
		return []any{floatJSON(real(c), 64), floatJSON(imag(c), 64)}
	}
}

func floatJSON(f float64, bits int) any {
	switch {
	case f != f:
		return "NaN"
	case math.IsInf(f, 1):
		return "Infinity"
	case math.IsInf(f, -1):
		return "-Infinity"
	}
	s := strconv.FormatFloat(f, 'g', -1, bits)
	if !strings.ContainsAny(s, ".e") {
		s += ".0"
	}
	return json.Number(s)
}
