//go:build cgo

package frame

import (
	"encoding/hex"
	"fmt"
	"math"
	"math/big"
	"reflect"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// quoteName writes an identifier. Whatever is in the name, it stays a name.
func quoteName(name string) (string, error) {
	if name == "" {
		return "", fmt.Errorf("a name must not be empty")
	}
	if strings.ContainsRune(name, 0) {
		return "", fmt.Errorf("the name %q has a zero byte in it, which SQL can't have", name)
	}
	if !utf8.ValidString(name) {
		return "", fmt.Errorf("the name %q is not valid UTF-8", name)
	}
	return `"` + strings.ReplaceAll(name, `"`, `""`) + `"`, nil
}

// quoteText writes a string as a literal. A zero byte ends SQL text, so it is
// written as a call.
func quoteText(s string) (string, error) {
	if !utf8.ValidString(s) {
		return "", fmt.Errorf("the text %q is not valid UTF-8; use a []byte for bytes", s)
	}
	if !strings.ContainsRune(s, 0) {
		return "'" + strings.ReplaceAll(s, "'", "''") + "'", nil
	}
	parts := strings.Split(s, "\x00")
	for i, p := range parts {
		parts[i] = "'" + strings.ReplaceAll(p, "'", "''") + "'"
	}
	return "(" + strings.Join(parts, " || chr(0) || ") + ")", nil
}

// literal writes a Go value as SQL.
func literal(v any) (string, error) {
	switch v := v.(type) {
	case nil:
		return "NULL", nil
	case bool:
		if v {
			return "TRUE", nil
		}
		return "FALSE", nil
	case string:
		return quoteText(v)
	case []byte:
		if v == nil {
			return "NULL", nil
		}
		return "from_hex('" + hex.EncodeToString(v) + "')", nil
	case time.Time:
		return timeLiteral(v), nil
	case time.Duration:
		if v%time.Microsecond != 0 {
			return "", fmt.Errorf("the duration %v is finer than a microsecond, which an interval can't be", v)
		}
		return "to_microseconds(" + intLiteral(int64(v/time.Microsecond)) + ")", nil
	case *big.Int:
		if v == nil {
			return "NULL", nil
		}
		return "CAST('" + v.String() + "' AS HUGEINT)", nil
	case Decimal:
		return v.sql()
	}
	r := reflect.ValueOf(v)
	switch r.Kind() {
	case reflect.Bool:
		return literal(r.Bool())
	case reflect.String:
		return quoteText(r.String())
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		return intLiteral(r.Int()), nil
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		return strconv.FormatUint(r.Uint(), 10), nil
	case reflect.Float32, reflect.Float64:
		return floatLiteral(r.Float()), nil
	case reflect.Pointer:
		if r.IsNil() {
			return "NULL", nil
		}
		return literal(r.Elem().Interface())
	case reflect.Slice, reflect.Array:
		if r.Kind() == reflect.Slice && r.IsNil() {
			return "NULL", nil
		}
		items := make([]string, r.Len())
		for i := range items {
			var err error
			if items[i], err = literal(r.Index(i).Interface()); err != nil {
				return "", err
			}
		}
		return "[" + strings.Join(items, ", ") + "]", nil
	}
	return "", fmt.Errorf("a %T can't be a value in an expression; use a number, string, bool, time.Time, time.Duration, []byte, frame.Decimal, nil, or a slice of such", v)
}

func intLiteral(i int64) string {
	switch {
	case i == math.MinInt64:
		return "CAST('-9223372036854775808' AS BIGINT)"
	case i < 0:
		return "(" + strconv.FormatInt(i, 10) + ")"
	}
	return strconv.FormatInt(i, 10)
}

// floatLiteral has an exponent always: 1.5 would be a DECIMAL, 1.5e0 is a
// DOUBLE.
func floatLiteral(f float64) string {
	switch {
	case math.IsNaN(f):
		return "CAST('NaN' AS DOUBLE)"
	case math.IsInf(f, 1):
		return "CAST('Infinity' AS DOUBLE)"
	case math.IsInf(f, -1):
		return "CAST('-Infinity' AS DOUBLE)"
	case math.Signbit(f):
		return "(" + strconv.FormatFloat(f, 'e', -1, 64) + ")"
	}
	return strconv.FormatFloat(f, 'e', -1, 64)
}

// timeLiteral writes an instant in UTC, without a zone: the engine's zone is
// UTC always, so that it compares with both kinds of timestamps and with
// dates.
func timeLiteral(t time.Time) string {
	t = t.UTC()
	typ, layout := "TIMESTAMP", "2006-01-02 15:04:05.000000"
	if t.Nanosecond()%1000 != 0 {
		typ, layout = "TIMESTAMP_NS", "2006-01-02 15:04:05.000000000"
	}
	return "CAST('" + t.Format(layout) + "' AS " + typ + ")"
}

// checkType returns the name of a type if it can be nothing but that: letters,
// digits, and balanced brackets.
func checkType(t Type) (string, error) {
	s := string(t)
	depth := 0
	for _, r := range s {
		switch {
		case r == '(' || r == '[':
			depth++
		case r == ')' || r == ']':
			depth--
		case 'a' <= r && r <= 'z', 'A' <= r && r <= 'Z', '0' <= r && r <= '9', r == '_', r == ' ', r == ',':
		default:
			depth = -1
		}
		if depth < 0 {
			break
		}
	}
	if strings.TrimSpace(s) == "" || depth != 0 {
		return "", fmt.Errorf("%q is no type; use one like frame.Float64 or frame.Type(\"DECIMAL(18, 2)\")", s)
	}
	return s, nil
}
