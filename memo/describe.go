package memo

import (
	"fmt"
	"reflect"
	"strconv"
	"strings"
	"unicode/utf8"
)

// mostDescribed is how long the description of an argument gets.
const mostDescribed = 120

// describe puts the beginning of a value into words, for weft cache ls. It
// calls no methods and looks at little of a large value.
func describe(v reflect.Value) string {
	d := &description{}
	d.value(v, 0)
	s := d.String()
	if len(s) > mostDescribed {
		s = s[:mostDescribed]
		for len(s) > 0 && !utf8.ValidString(s) {
			s = s[:len(s)-1]
		}
		s += "..."
	}
	return s
}

type description struct{ strings.Builder }

func (d *description) value(v reflect.Value, depth int) {
	if d.Len() > mostDescribed || depth > 8 {
		return
	}
	if !v.IsValid() {
		d.WriteString("nil")
		return
	}
	switch v.Kind() {
	case reflect.Bool:
		d.WriteString(strconv.FormatBool(v.Bool()))
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		d.WriteString(strconv.FormatInt(v.Int(), 10))
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		d.WriteString(strconv.FormatUint(v.Uint(), 10))
	case reflect.Float32, reflect.Float64:
		d.WriteString(strconv.FormatFloat(v.Float(), 'g', -1, 64))
	case reflect.String:
		s := v.String()
		d.WriteString(strconv.Quote(s[:min(len(s), mostDescribed)]))
	case reflect.Pointer, reflect.Interface:
		if v.IsNil() {
			d.WriteString("nil")
			return
		}
		d.value(v.Elem(), depth+1)
	case reflect.Slice, reflect.Array:
		if n := v.Len(); n > 4 {
			fmt.Fprintf(d, "%d of %v", n, v.Type().Elem())
			return
		}
		d.WriteByte('[')
		for i := range v.Len() {
			if i > 0 {
				d.WriteString(", ")
			}
			d.value(v.Index(i), depth+1)
		}
		d.WriteByte(']')
	case reflect.Map:
		fmt.Fprintf(d, "%d in a map", v.Len())
	case reflect.Struct:
		d.WriteByte('{')
		first := true
		for f, fv := range v.Fields() {
			if f.Tag.Get("memo") == "-" {
				continue
			}
			if !first {
				d.WriteString(", ")
			}
			first = false
			d.WriteString(f.Name + ": ")
			d.value(fv, depth+1)
		}
		d.WriteByte('}')
	default:
		d.WriteString(v.Kind().String())
	}
}
