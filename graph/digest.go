package graph

import (
	"bytes"
	"crypto/sha256"
	"encoding"
	"encoding/binary"
	"fmt"
	"hash"
	"math"
	"reflect"
	"slices"
)

// digest tells a task or a constant from others, in every run of the program.
type digest [16]byte

// deepestDigest bounds how far pointers are followed: a cycle has no digest.
const deepestDigest = 100

// digestOf is the digest of a value: of all that it holds, maps sorted.
func digestOf(v reflect.Value) (d digest, err error) {
	h := sha256.New()
	fmt.Fprintf(h, "%v\n", v.Type())
	if err := hashValue(h, v, v.Type().String(), 0); err != nil {
		return d, err
	}
	return digest(h.Sum(nil)[:len(d)]), nil
}

func hashValue(h hash.Hash, v reflect.Value, path string, depth int) error {
	if depth > deepestDigest {
		return fmt.Errorf("%s goes too deep, or in a circle", path)
	}
	word := func(n uint64) {
		var b [8]byte
		binary.LittleEndian.PutUint64(b[:], n)
		h.Write(b[:])
	}
	if v.CanInterface() && v.Kind() != reflect.Pointer && v.Kind() != reflect.Interface {
		if m, ok := v.Interface().(encoding.BinaryMarshaler); ok {
			b, err := m.MarshalBinary()
			if err != nil {
				return fmt.Errorf("%s: %w", path, err)
			}
			word(uint64(len(b)))
			h.Write(b)
			return nil
		}
	}
	switch v.Kind() {
	case reflect.Bool:
		if v.Bool() {
			word(1)
		} else {
			word(0)
		}
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		word(uint64(v.Int()))
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64, reflect.Uintptr:
		word(v.Uint())
	case reflect.Float32, reflect.Float64:
		word(math.Float64bits(v.Float()))
	case reflect.Complex64, reflect.Complex128:
		word(math.Float64bits(real(v.Complex())))
		word(math.Float64bits(imag(v.Complex())))
	case reflect.String:
		word(uint64(v.Len()))
		h.Write([]byte(v.String()))
	case reflect.Slice:
		if v.IsNil() {
			word(math.MaxUint64)
			return nil
		}
		word(uint64(v.Len()))
		if v.Type().Elem().Kind() == reflect.Uint8 {
			h.Write(v.Bytes())
			return nil
		}
		fallthrough
	case reflect.Array:
		for i := range v.Len() {
			if err := hashValue(h, v.Index(i), path+"[...]", depth+1); err != nil {
				return err
			}
		}
	case reflect.Struct:
		for i := range v.NumField() {
			if err := hashValue(h, v.Field(i), path+"."+v.Type().Field(i).Name, depth+1); err != nil {
				return err
			}
		}
	case reflect.Map:
		return hashMap(h, v, path, depth)
	case reflect.Pointer, reflect.Interface:
		if v.IsNil() {
			word(0)
			return nil
		}
		word(1)
		if v.Kind() == reflect.Interface {
			fmt.Fprintf(h, "%v\n", v.Elem().Type())
		}
		return hashValue(h, v.Elem(), path, depth+1)
	default:
		return fmt.Errorf("%s is a %v, which can't be told from others", path, v.Kind())
	}
	return nil
}

func hashMap(h hash.Hash, v reflect.Value, path string, depth int) error {
	entries := make([][]byte, 0, v.Len())
	for it := v.MapRange(); it.Next(); {
		e := sha256.New()
		if err := hashValue(e, it.Key(), path+"[key]", depth+1); err != nil {
			return err
		}
		if err := hashValue(e, it.Value(), path+"[...]", depth+1); err != nil {
			return err
		}
		entries = append(entries, e.Sum(nil))
	}
	slices.SortFunc(entries, bytes.Compare)
	fmt.Fprintf(h, "%v %d\n", v.IsNil(), len(entries))
	for _, e := range entries {
		h.Write(e)
	}
	return nil
}

// digests are those of all tasks below top. A task's digest is made of its
// function's name, its type, its inputs' digests, and how many that are the same
// in this come before it: what is written twice are two.
func (p *planned) digests(inputs []uint32, top uint32) ([]digest, error) {
	ds := make([]digest, top)
	seen := map[digest]uint64{}
	h := sha256.New()
	for k := range p.nodes {
		n := &p.nodes[k]
		if n.first >= top {
			break
		}
		name := ""
		if n.do != nil {
			name = functionName(n.do.fn())
		}
		for t := n.first; t < min(n.first+n.n, top); t++ {
			if n.kind == KindConst {
				d, err := digestOf(p.columns[n.column].constant(n.first0 + t - n.first))
				if err != nil {
					return nil, fmt.Errorf("a constant: %w", err)
				}
				ds[t] = d
				continue
			}
			h.Reset()
			fmt.Fprintf(h, "%s\n%v\n", name, p.columns[n.column].typ())
			for _, d := range n.inputs(inputs, t) {
				h.Write(ds[d][:])
			}
			base := digest(h.Sum(nil)[:len(digest{})])
			fmt.Fprintf(h, "%d", seen[base])
			seen[base]++
			ds[t] = digest(h.Sum(nil)[:len(digest{})])
		}
	}
	return ds, nil
}
