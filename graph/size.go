package graph

import "reflect"

// sizer returns how to tell the size of a T in bytes: all have the same, or a
// function that looks. What several results share counts for each of them.
func sizer[T any]() (fixed int64, measure func(*T) int64) {
	t := reflect.TypeFor[T]()
	if !refers(t) {
		return int64(t.Size()), nil
	}
	var zero *T
	switch any(zero).(type) {
	case *string:
		return -1, func(v *T) int64 { return 16 + int64(len(*any(v).(*string))) }
	case *[]byte:
		return -1, func(v *T) int64 { return 24 + int64(cap(*any(v).(*[]byte))) }
	case *[]float64:
		return -1, func(v *T) int64 { return 24 + 8*int64(cap(*any(v).(*[]float64))) }
	}
	return -1, func(v *T) int64 {
		w := sizeWalk{left: mostLooks}
		return int64(t.Size()) + w.behind(reflect.ValueOf(v).Elem(), 0)
	}
}

// mostLooks bounds how many values are looked at to tell the size of one
// result. In longer slices and maps the rest counts like those looked at.
const mostLooks = 256

// deepest bounds how far pointers are followed.
const deepest = 16

// refers tells whether values of type t hold memory beside themselves.
func refers(t reflect.Type) bool {
	switch t.Kind() {
	case reflect.Bool, reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64, reflect.Uint, reflect.Uint8,
		reflect.Uint16, reflect.Uint32, reflect.Uint64, reflect.Uintptr, reflect.Float32, reflect.Float64, reflect.Complex64, reflect.Complex128:
		return false
	case reflect.Array:
		return t.Len() > 0 && refers(t.Elem())
	case reflect.Struct:
		for i := range t.NumField() {
			if refers(t.Field(i).Type) {
				return true
			}
		}
		return false
	}
	return true
}

type sizeWalk struct{ left int }

// behind is the memory that v points to.
func (w *sizeWalk) behind(v reflect.Value, depth int) int64 {
	if w.left--; w.left < 0 || depth > deepest {
		return 0
	}
	switch v.Kind() {
	case reflect.String:
		return int64(v.Len())
	case reflect.Slice:
		e := v.Type().Elem()
		return int64(v.Cap())*int64(e.Size()) + w.elements(v, e, depth)
	case reflect.Array:
		return w.elements(v, v.Type().Elem(), depth)
	case reflect.Struct:
		n := int64(0)
		for i := range v.NumField() {
			if f := v.Field(i); refers(f.Type()) {
				n += w.behind(f, depth+1)
			}
		}
		return n
	case reflect.Pointer, reflect.Interface:
		if v.IsNil() {
			return 0
		}
		e := v.Elem()
		return int64(e.Type().Size()) + w.behind(e, depth+1)
	case reflect.Map:
		return w.entries(v, depth)
	}
	return 0
}

// elements is what the elements of a slice or array point to.
func (w *sizeWalk) elements(v reflect.Value, e reflect.Type, depth int) int64 {
	if !refers(e) || v.Len() == 0 {
		return 0
	}
	n, seen := int64(0), 0
	for i := range v.Len() {
		if w.left <= 0 {
			break
		}
		n += w.behind(v.Index(i), depth+1)
		seen++
	}
	if seen == 0 {
		return 0
	}
	return n / int64(seen) * int64(v.Len())
}

func (w *sizeWalk) entries(v reflect.Value, depth int) int64 {
	if v.Len() == 0 {
		return 0
	}
	t := v.Type()
	each := int64(t.Key().Size()+t.Elem().Size()) + 2
	n, seen := int64(0), 0
	if refers(t.Key()) || refers(t.Elem()) {
		for it := v.MapRange(); it.Next() && w.left > 0; seen++ {
			n += w.behind(it.Key(), depth+1) + w.behind(it.Value(), depth+1)
		}
	}
	if seen > 0 {
		each += n / int64(seen)
	}
	return each * int64(v.Len())
}
