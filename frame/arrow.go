//go:build cgo

package frame

import (
	"context"
	"fmt"
	"iter"
	"math"
	"math/bits"
	"unsafe"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/duckdb/duckdb-go/v2/mapping"
)

// Arrow runs the frame and gives its rows as record batches of Arrow, of up to
// 2048 rows, as they come: the memory does not grow with the number of rows.
// Leaving the loop stops the query. The first error ends the batches. A frame
// without rows gives one batch without rows, so that the schema is known.
//
// The batches are copies in Go's memory: they may be kept, and need no
// Release. Whole numbers of 128 bits are Decimal128 with 38 digits, more is an
// error (ErrRange). UUIDs, enums, and what Arrow has no type for, are texts.
// array.ReaderFromIter makes a RecordReader of it.
func (f *Frame) Arrow(ctx context.Context) iter.Seq2[arrow.RecordBatch, error] {
	return func(yield func(arrow.RecordBatch, error) bool) {
		r, err := begin(ctx, f)
		if err != nil {
			yield(nil, err)
			return
		}
		defer r.end()
		schema, cols, err := r.arrow(f.n)
		if err != nil {
			yield(nil, err)
			return
		}
		for row := int64(0); ; {
			batch, err := r.nextArrow(schema, cols, row)
			if err != nil {
				yield(nil, err)
				return
			}
			n := batch.NumRows()
			if (n > 0 || row == 0) && !yield(batch, nil) {
				return
			}
			if n == 0 {
				if err := r.done(); err != nil {
					yield(nil, err)
				}
				return
			}
			row += n
		}
	}
}

// arrow runs a plan whose columns Arrow has types for.
func (r *run) arrow(n *node) (*arrow.Schema, []arrowCol, error) {
	sql, err := r.compile(n)
	if err != nil {
		return nil, nil, err
	}
	sql, again := r.castToText(sql, func(t *colType) bool { _, ok := toArrow(t); return ok })
	if again {
		if err := r.prepare(sql); err != nil {
			return nil, nil, r.explain(err)
		}
	}
	fields := make([]arrow.Field, len(r.cols))
	cols := make([]arrowCol, len(r.cols))
	for i, c := range r.cols {
		cols[i], _ = toArrow(r.typ(i))
		fields[i] = arrow.Field{Name: c.name, Type: cols[i].typ, Nullable: true}
	}
	return arrow.NewSchema(fields, nil), cols, r.query()
}

// nextArrow returns the next batch, one without rows at the end.
func (r *run) nextArrow(schema *arrow.Schema, cols []arrowCol, row int64) (arrow.RecordBatch, error) {
	chunk, n, err := r.next()
	if err != nil {
		return nil, err
	}
	arrays := make([]arrow.Array, len(cols))
	if n == 0 {
		mapping.DestroyDataChunk(&chunk)
		for i, c := range cols {
			arrays[i] = array.NewBuilder(memory.DefaultAllocator, c.typ).NewArray()
		}
		return array.NewRecordBatch(schema, arrays, 0), nil
	}
	defer mapping.DestroyDataChunk(&chunk)
	for i, c := range cols {
		d, err := c.get(newVec(mapping.DataChunkGetVector(chunk, mapping.IdxT(i))), nil, n)
		if err != nil {
			return nil, fmt.Errorf("frame: column %q, after row %d: %w", r.cols[i].name, row, err)
		}
		arrays[i] = array.MakeFromData(d)
	}
	return array.NewRecordBatch(schema, arrays, int64(n)), nil
}

// arrowCol makes arrays of vectors.
type arrowCol struct {
	typ arrow.DataType
	// get copies n elements: those at the places in at, or the first ones if it
	// is nil.
	get func(v vec, at []int, n int) (arrow.ArrayData, error)
}

func place1(at []int, i int) int {
	if at == nil {
		return i
	}
	return at[i]
}

// toArrow returns the type of Arrow for one of the engine; ok is false if
// there is none.
func toArrow(t *colType) (c arrowCol, ok bool) {
	us := func(tz string) arrow.DataType { return &arrow.TimestampType{Unit: arrow.Microsecond, TimeZone: tz} }
	switch t.id {
	case mapping.TypeBoolean:
		return arrowCol{arrow.FixedWidthTypes.Boolean, boolsToArrow}, true
	case mapping.TypeTinyInt:
		return sameInArrow[int8](arrow.PrimitiveTypes.Int8), true
	case mapping.TypeSmallInt:
		return sameInArrow[int16](arrow.PrimitiveTypes.Int16), true
	case mapping.TypeInteger:
		return sameInArrow[int32](arrow.PrimitiveTypes.Int32), true
	case mapping.TypeBigInt:
		return sameInArrow[int64](arrow.PrimitiveTypes.Int64), true
	case mapping.TypeUTinyInt:
		return sameInArrow[uint8](arrow.PrimitiveTypes.Uint8), true
	case mapping.TypeUSmallInt:
		return sameInArrow[uint16](arrow.PrimitiveTypes.Uint16), true
	case mapping.TypeUInteger:
		return sameInArrow[uint32](arrow.PrimitiveTypes.Uint32), true
	case mapping.TypeUBigInt:
		return sameInArrow[uint64](arrow.PrimitiveTypes.Uint64), true
	case mapping.TypeFloat:
		return sameInArrow[float32](arrow.PrimitiveTypes.Float32), true
	case mapping.TypeDouble:
		return sameInArrow[float64](arrow.PrimitiveTypes.Float64), true
	case mapping.TypeDate:
		return sameInArrow[int32](arrow.FixedWidthTypes.Date32), true
	case mapping.TypeTime:
		return sameInArrow[int64](arrow.FixedWidthTypes.Time64us), true
	case mapping.TypeTimeNS:
		return sameInArrow[int64](arrow.FixedWidthTypes.Time64ns), true
	case mapping.TypeTimestamp:
		return sameInArrow[int64](us("")), true
	case mapping.TypeTimestampTZ:
		return sameInArrow[int64](us("UTC")), true
	case mapping.TypeTimestampS:
		return sameInArrow[int64](&arrow.TimestampType{Unit: arrow.Second}), true
	case mapping.TypeTimestampMS:
		return sameInArrow[int64](&arrow.TimestampType{Unit: arrow.Millisecond}), true
	case mapping.TypeTimestampNS:
		return sameInArrow[int64](&arrow.TimestampType{Unit: arrow.Nanosecond}), true
	case mapping.TypeVarchar:
		return arrowCol{arrow.BinaryTypes.String, textsToArrow(arrow.BinaryTypes.String)}, true
	case mapping.TypeBlob:
		return arrowCol{arrow.BinaryTypes.Binary, textsToArrow(arrow.BinaryTypes.Binary)}, true
	case mapping.TypeInterval:
		return eachToArrow(arrow.FixedWidthTypes.MonthDayNanoInterval, func(i Interval) (arrow.MonthDayNanoInterval, error) {
			if i.Micros > math.MaxInt64/1000 || i.Micros < math.MinInt64/1000 {
				return arrow.MonthDayNanoInterval{}, fmt.Errorf("%w: an interval of %d microseconds in nanoseconds", ErrRange, i.Micros)
			}
			return arrow.MonthDayNanoInterval{Months: i.Months, Days: i.Days, Nanoseconds: i.Micros * 1000}, nil
		}), true
	case mapping.TypeHugeInt:
		return eachToArrow(&arrow.Decimal128Type{Precision: 38}, func(h huge) (huge, error) {
			// Ten to the 38 is 0x4b3b4ca85a86c47a_098a224000000000.
			hi, lo := h.hi, h.lo
			if hi < 0 {
				var borrow uint64
				lo, borrow = bits.Sub64(0, lo, 0)
				hi = -hi - int64(borrow)
			}
			if hi < 0 || hi > 0x4b3b4ca85a86c47a || hi == 0x4b3b4ca85a86c47a && lo >= 0x098a224000000000 {
				return h, fmt.Errorf("%w: %v has more than 38 digits; Cast the column", ErrRange, h.big())
			}
			return h, nil
		}), true
	case mapping.TypeDecimal:
		typ := &arrow.Decimal128Type{Precision: int32(t.digits), Scale: int32(t.scale)}
		switch t.stored {
		case mapping.TypeSmallInt:
			return eachToArrow(typ, widen[int16]), true
		case mapping.TypeInteger:
			return eachToArrow(typ, widen[int32]), true
		case mapping.TypeBigInt:
			return eachToArrow(typ, widen[int64]), true
		}
		return sameInArrow[huge](typ), true
	case mapping.TypeList, mapping.TypeArray, mapping.TypeMap:
		return listToArrow(t)
	case mapping.TypeStruct:
		return structToArrow(t)
	}
	return arrowCol{}, false
}

func widen[S int16 | int32 | int64](s S) (huge, error) { return huge{uint64(s), int64(s) >> 63}, nil }

// validity is which elements are not null.
func validity(v vec, at []int, n int) (valid *memory.Buffer, nulls int) {
	if v.mask == nil {
		return nil, 0
	}
	set := make([]byte, (n+7)/8)
	for i := range n {
		if v.null(place1(at, i)) {
			nulls++
		} else {
			set[i/8] |= 1 << (i % 8)
		}
	}
	return memory.NewBufferBytes(set), nulls
}

// bytesOf is the memory of a slice.
func bytesOf[T any](s []T) *memory.Buffer {
	var t T
	return memory.NewBufferBytes(unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(s))), len(s)*int(unsafe.Sizeof(t))))
}

func arrowData(typ arrow.DataType, v vec, at []int, n int, children []arrow.ArrayData, buffers ...*memory.Buffer) arrow.ArrayData {
	valid, nulls := validity(v, at, n)
	return array.NewData(typ, n, append([]*memory.Buffer{valid}, buffers...), children, nulls, 0)
}

// sameInArrow copies what is the same in both worlds.
func sameInArrow[S any](typ arrow.DataType) arrowCol {
	return arrowCol{typ, func(v vec, at []int, n int) (arrow.ArrayData, error) {
		out := make([]S, n)
		if at == nil {
			copy(out, unsafe.Slice((*S)(v.data), n))
		} else {
			for i, j := range at {
				out[i] = *(*S)(unsafe.Add(v.data, uintptr(j)*unsafe.Sizeof(out[0])))
			}
		}
		return arrowData(typ, v, at, n, nil, bytesOf(out)), nil
	}}
}

func eachToArrow[S, D any](typ arrow.DataType, f func(S) (D, error)) arrowCol {
	return arrowCol{typ, func(v vec, at []int, n int) (arrow.ArrayData, error) {
		out := make([]D, n)
		var s S
		for i := range out {
			j := place1(at, i)
			if v.null(j) {
				continue
			}
			var err error
			if out[i], err = f(*(*S)(unsafe.Add(v.data, uintptr(j)*unsafe.Sizeof(s)))); err != nil {
				return nil, err
			}
		}
		return arrowData(typ, v, at, n, nil, bytesOf(out)), nil
	}}
}

func boolsToArrow(v vec, at []int, n int) (arrow.ArrayData, error) {
	set := make([]byte, (n+7)/8)
	for i := range n {
		if *(*byte)(unsafe.Add(v.data, place1(at, i))) != 0 {
			set[i/8] |= 1 << (i % 8)
		}
	}
	return arrowData(arrow.FixedWidthTypes.Boolean, v, at, n, nil, memory.NewBufferBytes(set)), nil
}

func textsToArrow(typ arrow.DataType) func(v vec, at []int, n int) (arrow.ArrayData, error) {
	return func(v vec, at []int, n int) (arrow.ArrayData, error) {
		one := func(i int) []byte {
			j := place1(at, i)
			if v.null(j) {
				return nil
			}
			return (*text)(unsafe.Add(v.data, uintptr(j)*unsafe.Sizeof(text{}))).bytes()
		}
		offsets := make([]int32, n+1)
		total := 0
		for i := range n {
			if total += len(one(i)); total > math.MaxInt32 {
				return nil, fmt.Errorf("%w: the texts of %d rows have more than 2 GiB", ErrRange, n)
			}
			offsets[i+1] = int32(total)
		}
		all := make([]byte, 0, total)
		for i := range n {
			all = append(all, one(i)...)
		}
		return arrowData(typ, v, at, n, nil, bytesOf(offsets), memory.NewBufferBytes(all)), nil
	}
}

// listToArrow is for lists, arrays and maps.
func listToArrow(t *colType) (arrowCol, bool) {
	var elem arrowCol
	var ok bool
	var typ arrow.DataType
	if t.id == mapping.TypeMap {
		pair := colType{id: mapping.TypeStruct, names: []string{"key", "value"}, children: t.children}
		if elem, ok = structToArrow(&pair); ok {
			of := elem.typ.(*arrow.StructType)
			m := arrow.MapOf(of.Field(0).Type, of.Field(1).Type)
			typ, elem.typ = m, m.Elem()
		}
	} else if elem, ok = toArrow(&t.children[0]); ok {
		typ = arrow.ListOf(elem.typ)
		if t.id == mapping.TypeArray {
			typ = arrow.FixedSizeListOf(int32(t.size), elem.typ)
		}
	}
	if !ok {
		return arrowCol{}, false
	}
	return arrowCol{typ, func(v vec, at []int, n int) (arrow.ArrayData, error) {
		offsets := make([]int32, n+1)
		inner := []int{}
		child := mapping.Vector{}
		if t.id == mapping.TypeArray {
			child = mapping.ArrayVectorGetChild(v.v)
		} else {
			child = mapping.ListVectorGetChild(v.v)
		}
		for i := range n {
			j := place1(at, i)
			switch {
			case t.id == mapping.TypeArray:
				for k := range t.size {
					inner = append(inner, j*t.size+k)
				}
			case !v.null(j):
				e := (*entry)(unsafe.Add(v.data, uintptr(j)*unsafe.Sizeof(entry{})))
				for k := range e.size {
					inner = append(inner, int(e.off+k))
				}
			}
			if len(inner) > math.MaxInt32 {
				return nil, fmt.Errorf("%w: the lists of %d rows have more than 2^31 elements", ErrRange, n)
			}
			offsets[i+1] = int32(len(inner))
		}
		d, err := elem.get(newVec(child), inner, len(inner))
		if err != nil {
			return nil, err
		}
		if t.id == mapping.TypeArray {
			return arrowData(typ, v, at, n, []arrow.ArrayData{d}), nil
		}
		return arrowData(typ, v, at, n, []arrow.ArrayData{d}, bytesOf(offsets)), nil
	}}, true
}

func structToArrow(t *colType) (arrowCol, bool) {
	fields := make([]arrow.Field, len(t.children))
	members := make([]arrowCol, len(t.children))
	for i := range t.children {
		var ok bool
		if members[i], ok = toArrow(&t.children[i]); !ok {
			return arrowCol{}, false
		}
		fields[i] = arrow.Field{Name: t.names[i], Type: members[i].typ, Nullable: true}
	}
	typ := arrow.StructOf(fields...)
	return arrowCol{typ, func(v vec, at []int, n int) (arrow.ArrayData, error) {
		data := make([]arrow.ArrayData, len(members))
		for i, m := range members {
			var err error
			if data[i], err = m.get(newVec(mapping.StructVectorGetChild(v.v, mapping.IdxT(i))), at, n); err != nil {
				return nil, err
			}
		}
		return arrowData(typ, v, at, n, data), nil
	}}, true
}
