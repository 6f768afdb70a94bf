//go:build cgo

package frame

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"math"
	"strings"
	"sync"
	"unsafe"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/duckdb/duckdb-go/v2/mapping"
)

// FromArrow makes a frame of record batches of Arrow. They are read anew each
// time that the frame runs, in a goroutine of its own and some batches ahead
// of the engine; they are never held as a whole. Each is retained until its
// rows are read, and then released. Reading must end soon when yield says so:
// a query returns only then. array.IterFromReader makes batches of a
// RecordReader, which can be read once only.
//
// Dictionaries become their values, maps lists of structs, durations
// intervals, and times of day microseconds. Moments with a zone are kept to
// the microsecond.
func FromArrow(schema *arrow.Schema, batches iter.Seq2[arrow.RecordBatch, error]) *Frame {
	s := &arrowSource{schema: schema, batches: batches}
	err := s.check()
	return source(goStep{"FromArrow", s}, err)
}

type arrowSource struct {
	schema  *arrow.Schema
	batches iter.Seq2[arrow.RecordBatch, error]
	cols    []fromArrow
}

// fromArrow writes arrays to vectors.
type fromArrow struct {
	goType
	// put writes n elements of an array, from one on, to those of a vector, from
	// at on.
	put func(v mapping.Vector, at int, a arrow.Array, from, n int) error
}

func (s *arrowSource) check() error {
	if s.schema == nil || s.batches == nil {
		return errors.New("the schema or the batches are nil")
	}
	seen := map[string]bool{}
	for _, f := range s.schema.Fields() {
		if f.Name == "" || seen[strings.ToLower(f.Name)] {
			return fmt.Errorf("the schema has two columns %q, or one without a name", f.Name)
		}
		seen[strings.ToLower(f.Name)] = true
		c, err := arrowColumn(f.Type)
		if err != nil {
			return fmt.Errorf("column %q: %w", f.Name, err)
		}
		c.name = f.Name
		s.cols = append(s.cols, c)
	}
	if len(s.cols) == 0 {
		return errors.New("the schema has no column")
	}
	return nil
}

func (s *arrowSource) words() string {
	return fmt.Sprintf("read %d columns of batches of Arrow", len(s.cols))
}
func (s *arrowSource) rows() int { return -1 }

func (s *arrowSource) columns() []Column {
	out := make([]Column, len(s.cols))
	for i, c := range s.cols {
		out[i] = Column{c.name, c.typ}
	}
	return out
}

func (s *arrowSource) layout() []goType {
	out := make([]goType, len(s.cols))
	for i, c := range s.cols {
		out[i] = c.goType
	}
	return out
}

func (s *arrowSource) open(ctx context.Context, eng *Engine) scan {
	ctx, cancel := context.WithCancel(ctx)
	c := &arrowScan{src: s, ctx: ctx, cancel: cancel, full: make(chan arrow.RecordBatch, 2*eng.cfg.Threads), held: map[*arrowPart]bool{}}
	c.producer.Go(c.produce)
	return c
}

// arrowScan is one reading of the batches.
type arrowScan struct {
	src      *arrowSource
	ctx      context.Context
	cancel   context.CancelFunc
	full     chan arrow.RecordBatch
	err      error // before full is closed
	producer sync.WaitGroup

	mu   sync.Mutex
	held map[*arrowPart]bool
}

// arrowPart is a batch of which some rows were read.
type arrowPart struct {
	batch arrow.RecordBatch
	at    int
}

func (s *arrowScan) produce() {
	defer close(s.full)
	defer func() {
		if v := recover(); v != nil {
			s.err = newPanic(v)
		}
	}()
	for batch, err := range s.src.batches {
		if err == nil {
			err = s.src.fits(batch.Schema())
		}
		if err != nil {
			s.err = err
			return
		}
		batch.Retain()
		select {
		case s.full <- batch:
		case <-s.ctx.Done():
			batch.Release()
			return
		}
	}
}

// fits tells what is wrong with the schema of a batch.
func (s *arrowSource) fits(got *arrow.Schema) error {
	if got.NumFields() != s.schema.NumFields() {
		return fmt.Errorf("frame: FromArrow: a batch has %d columns, the schema %d", got.NumFields(), s.schema.NumFields())
	}
	for i, f := range s.schema.Fields() {
		if g := got.Field(i); g.Name != f.Name || !arrow.TypeEqual(g.Type, f.Type) {
			return fmt.Errorf("frame: FromArrow: column %d of a batch is %s of type %v, that of the schema %s of type %v", i, g.Name, g.Type, f.Name, f.Type)
		}
	}
	return nil
}

func (s *arrowScan) fill(l *local, chunk mapping.DataChunk, want []int) (int, error) {
	part, _ := l.keep.(*arrowPart)
	for part == nil {
		select {
		case batch, ok := <-s.full:
			if !ok {
				return 0, s.err
			}
			if batch.NumRows() == 0 {
				batch.Release()
				continue
			}
			part = &arrowPart{batch: batch}
			s.mu.Lock()
			s.held[part] = true
			s.mu.Unlock()
		case <-s.ctx.Done():
			return 0, stopped(s.ctx)
		}
	}
	n := min(int(part.batch.NumRows())-part.at, int(mapping.VectorSize()))
	for i, c := range want {
		if c < 0 || c >= len(s.src.cols) {
			continue
		}
		v := mapping.DataChunkGetVector(chunk, mapping.IdxT(i))
		if err := s.src.cols[c].put(v, 0, part.batch.Column(c), part.at, n); err != nil {
			return 0, fmt.Errorf("frame: FromArrow: column %q: %w", s.src.cols[c].name, err)
		}
	}
	part.at += n
	l.keep = part
	if part.at == int(part.batch.NumRows()) {
		l.keep = nil
		s.mu.Lock()
		delete(s.held, part)
		s.mu.Unlock()
		part.batch.Release()
	}
	return n, nil
}

// close is called when no thread of the engine reads any more.
func (s *arrowScan) close() {
	s.cancel()
	s.producer.Wait()
	for batch := range s.full {
		batch.Release()
	}
	for part := range s.held {
		part.batch.Release()
	}
	s.held = nil
}

// arrowColumn returns how arrays of a type are written to vectors.
func arrowColumn(t arrow.DataType) (fromArrow, error) {
	plain := func(id mapping.Type, typ Type, put func(v mapping.Vector, at int, a arrow.Array, from, n int) error) (fromArrow, error) {
		return fromArrow{goType: goType{id: id, typ: typ}, put: put}, nil
	}
	switch t := t.(type) {
	case *arrow.NullType:
		return plain(mapping.TypeInteger, Int32, func(v mapping.Vector, at int, a arrow.Array, from, n int) error {
			for i := range n {
				setNull(v, at+i)
			}
			return nil
		})
	case *arrow.BooleanType:
		return plain(mapping.TypeBoolean, Bool, putEach(func(a *array.Boolean, i int) (bool, error) { return a.Value(i), nil }))
	case *arrow.Int8Type:
		return plain(mapping.TypeTinyInt, Int8, putSame[int8])
	case *arrow.Int16Type:
		return plain(mapping.TypeSmallInt, Int16, putSame[int16])
	case *arrow.Int32Type:
		return plain(mapping.TypeInteger, Int32, putSame[int32])
	case *arrow.Int64Type:
		return plain(mapping.TypeBigInt, Int64, putSame[int64])
	case *arrow.Uint8Type:
		return plain(mapping.TypeUTinyInt, Uint8, putSame[uint8])
	case *arrow.Uint16Type:
		return plain(mapping.TypeUSmallInt, Uint16, putSame[uint16])
	case *arrow.Uint32Type:
		return plain(mapping.TypeUInteger, Uint32, putSame[uint32])
	case *arrow.Uint64Type:
		return plain(mapping.TypeUBigInt, Uint64, putSame[uint64])
	case *arrow.Float16Type:
		return plain(mapping.TypeFloat, Float32, putEach(func(a *array.Float16, i int) (float32, error) { return a.Value(i).Float32(), nil }))
	case *arrow.Float32Type:
		return plain(mapping.TypeFloat, Float32, putSame[float32])
	case *arrow.Float64Type:
		return plain(mapping.TypeDouble, Float64, putSame[float64])
	case *arrow.StringType:
		return plain(mapping.TypeVarchar, String, putTexts(func(a *array.String, i int) string { return a.Value(i) }))
	case *arrow.LargeStringType:
		return plain(mapping.TypeVarchar, String, putTexts(func(a *array.LargeString, i int) string { return a.Value(i) }))
	case *arrow.StringViewType:
		return plain(mapping.TypeVarchar, String, putTexts(func(a *array.StringView, i int) string { return a.Value(i) }))
	case *arrow.BinaryType:
		return plain(mapping.TypeBlob, Bytes, putBlobs(func(a *array.Binary, i int) []byte { return a.Value(i) }))
	case *arrow.LargeBinaryType:
		return plain(mapping.TypeBlob, Bytes, putBlobs(func(a *array.LargeBinary, i int) []byte { return a.Value(i) }))
	case *arrow.FixedSizeBinaryType:
		return plain(mapping.TypeBlob, Bytes, putBlobs(func(a *array.FixedSizeBinary, i int) []byte { return a.Value(i) }))
	case *arrow.Date32Type:
		return plain(mapping.TypeDate, Date, putSame[int32])
	case *arrow.Date64Type:
		return plain(mapping.TypeDate, Date, putEach(func(a *array.Date64, i int) (int32, error) {
			return narrow(floorDiv(int64(a.Value(i)), 86_400_000))
		}))
	case *arrow.Time32Type:
		scale := int64(t.Unit.Multiplier() / 1000)
		return plain(mapping.TypeTime, Time, putEach(func(a *array.Time32, i int) (int64, error) { return int64(a.Value(i)) * scale, nil }))
	case *arrow.Time64Type:
		scale := int64(t.Unit.Multiplier())
		return plain(mapping.TypeTime, Time, putEach(func(a *array.Time64, i int) (int64, error) { return int64(a.Value(i)) * scale / 1000, nil }))
	case *arrow.DurationType:
		return plain(mapping.TypeInterval, Duration, putEach(func(a *array.Duration, i int) (Interval, error) {
			us, err := micros(int64(a.Value(i)), t.Unit)
			return Interval{Micros: us}, err
		}))
	case *arrow.MonthDayNanoIntervalType:
		return plain(mapping.TypeInterval, Duration, putEach(func(a *array.MonthDayNanoInterval, i int) (Interval, error) {
			x := a.Value(i)
			return Interval{x.Months, x.Days, floorDiv(x.Nanoseconds, 1000)}, nil
		}))
	case *arrow.TimestampType:
		return arrowTimestamp(t)
	case *arrow.Decimal128Type:
		return arrowDecimal(t)
	case *arrow.DictionaryType:
		c, err := arrowColumn(t.ValueType)
		elem := c.put
		c.put = func(v mapping.Vector, at int, a arrow.Array, from, n int) error {
			d, ok := a.(*array.Dictionary)
			if !ok {
				return fmt.Errorf("it is a %T", a)
			}
			for i := range n {
				if d.IsNull(from + i) {
					setNull(v, at+i)
					continue
				}
				if err := elem(v, at+i, d.Dictionary(), d.GetValueIndex(from+i), 1); err != nil {
					return err
				}
			}
			return nil
		}
		return c, err
	case *arrow.StructType:
		return arrowStruct(t)
	case arrow.ListLikeType:
		return arrowList(t.Elem())
	}
	return fromArrow{}, fmt.Errorf("%v can't be read from Arrow; cast the column to another type before", t)
}

func floorDiv(a, b int64) int64 {
	q := a / b
	if a%b < 0 {
		q--
	}
	return q
}

func narrow(x int64) (int32, error) {
	if x != int64(int32(x)) {
		return 0, fmt.Errorf("%w: %d days", ErrRange, x)
	}
	return int32(x), nil
}

// micros converts a time to microseconds.
func micros(x int64, unit arrow.TimeUnit) (int64, error) {
	scale := int64(1)
	switch unit {
	case arrow.Nanosecond:
		return floorDiv(x, 1000), nil
	case arrow.Millisecond:
		scale = 1000
	case arrow.Second:
		scale = 1_000_000
	}
	if x > math.MaxInt64/scale || x < math.MinInt64/scale {
		return 0, fmt.Errorf("%w: %d %v in microseconds", ErrRange, x, unit)
	}
	return x * scale, nil
}

func arrowTimestamp(t *arrow.TimestampType) (fromArrow, error) {
	if t.TimeZone != "" {
		return fromArrow{goType{id: mapping.TypeTimestampTZ, typ: Instant}, putEach(func(a *array.Timestamp, i int) (int64, error) {
			return micros(int64(a.Value(i)), t.Unit)
		})}, nil
	}
	g := goType{id: mapping.TypeTimestamp, typ: DateTime}
	switch t.Unit {
	case arrow.Second:
		g = goType{id: mapping.TypeTimestampS, typ: "TIMESTAMP_S"}
	case arrow.Millisecond:
		g = goType{id: mapping.TypeTimestampMS, typ: "TIMESTAMP_MS"}
	case arrow.Nanosecond:
		g = goType{id: mapping.TypeTimestampNS, typ: "TIMESTAMP_NS"}
	}
	return fromArrow{g, putSame[int64]}, nil
}

func arrowDecimal(t *arrow.Decimal128Type) (fromArrow, error) {
	if t.Precision < 1 || t.Precision > 38 || t.Scale < 0 || t.Scale > t.Precision {
		return fromArrow{}, fmt.Errorf("%v can't be read: the engine's decimals have up to 38 digits, and not more than that after the point", t)
	}
	c := fromArrow{goType: goType{id: mapping.TypeDecimal, typ: Type(fmt.Sprintf("DECIMAL(%d,%d)", t.Precision, t.Scale)), digits: uint8(t.Precision), scale: uint8(t.Scale)}}
	switch {
	case t.Precision <= 4:
		c.put = putEach(shorter[int16])
	case t.Precision <= 9:
		c.put = putEach(shorter[int32])
	case t.Precision <= 18:
		c.put = putEach(shorter[int64])
	default:
		c.put = putSame[huge]
	}
	return c, nil
}

func shorter[D int16 | int32 | int64](a *array.Decimal128, i int) (D, error) {
	x := a.Value(i)
	d := D(x.LowBits())
	if int64(d)>>63 != x.HighBits() || uint64(int64(d)) != x.LowBits() {
		return 0, fmt.Errorf("%w: %v has more digits than its type says", ErrRange, x.BigInt())
	}
	return d, nil
}

// putNulls writes the nulls.
func putNulls(v mapping.Vector, at int, a arrow.Array, from, n int) {
	if a.NullN() == 0 {
		return
	}
	for i := range n {
		if a.IsNull(from + i) {
			setNull(v, at+i)
		}
	}
}

// putSame copies what is the same in both worlds.
func putSame[S any](v mapping.Vector, at int, a arrow.Array, from, n int) error {
	if n == 0 {
		return nil // there may be no buffer
	}
	var s S
	src := a.Data().Buffers()[1].Bytes()
	from += a.Data().Offset()
	size := int(unsafe.Sizeof(s))
	dst := unsafe.Slice((*byte)(mapping.VectorGetData(v)), (at+n)*size)[at*size:]
	copy(dst, src[from*size:(from+n)*size])
	putNulls(v, at, a, from-a.Data().Offset(), n)
	return nil
}

// putEach converts one element after the other.
func putEach[A arrow.Array, D any](f func(a A, i int) (D, error)) func(v mapping.Vector, at int, a arrow.Array, from, n int) error {
	return func(v mapping.Vector, at int, a arrow.Array, from, n int) error {
		src, ok := a.(A)
		if !ok {
			return fmt.Errorf("it is a %T", a)
		}
		dst := unsafe.Slice((*D)(mapping.VectorGetData(v)), at+n)[at:]
		for i := range dst {
			if src.IsNull(from + i) {
				setNull(v, at+i)
				continue
			}
			var err error
			if dst[i], err = f(src, from+i); err != nil {
				return err
			}
		}
		return nil
	}
}

func putTexts[A arrow.Array](f func(a A, i int) string) func(v mapping.Vector, at int, a arrow.Array, from, n int) error {
	return func(v mapping.Vector, at int, a arrow.Array, from, n int) error {
		src, ok := a.(A)
		if !ok {
			return fmt.Errorf("it is a %T", a)
		}
		for i := range n {
			if src.IsNull(from + i) {
				setNull(v, at+i)
				continue
			}
			s := f(src, from+i)
			if err := encodeText(v, at+i, 1, unsafe.Pointer(&s), 0); err != nil {
				return err
			}
		}
		return nil
	}
}

func putBlobs[A arrow.Array](f func(a A, i int) []byte) func(v mapping.Vector, at int, a arrow.Array, from, n int) error {
	return func(v mapping.Vector, at int, a arrow.Array, from, n int) error {
		src, ok := a.(A)
		if !ok {
			return fmt.Errorf("it is a %T", a)
		}
		for i := range n {
			if src.IsNull(from + i) {
				setNull(v, at+i)
				continue
			}
			mapping.VectorAssignStringElementLen(v, mapping.IdxT(at+i), f(src, from+i))
		}
		return nil
	}
}

func arrowList(elem arrow.DataType) (fromArrow, error) {
	child, err := arrowColumn(elem)
	if err != nil {
		return fromArrow{}, fmt.Errorf("in a list: %w", err)
	}
	return fromArrow{goType{id: mapping.TypeList, typ: child.typ + "[]", child: &child.goType}, func(v mapping.Vector, at int, a arrow.Array, from, n int) error {
		src, ok := a.(array.ListLike)
		if !ok {
			return fmt.Errorf("it is a %T", a)
		}
		total := int(mapping.ListVectorGetSize(v))
		dst := func() []entry { return unsafe.Slice((*entry)(mapping.VectorGetData(v)), at+n)[at:] }
		for i := range n {
			if src.IsNull(from + i) {
				dst()[i] = entry{uint64(total), 0}
				setNull(v, at+i)
				continue
			}
			begin, end := src.ValueOffsets(from + i)
			count := int(end - begin)
			mapping.ListVectorReserve(v, mapping.IdxT(total+count))
			mapping.ListVectorSetSize(v, mapping.IdxT(total+count))
			dst()[i] = entry{uint64(total), uint64(count)}
			if err := child.put(mapping.ListVectorGetChild(v), total, src.ListValues(), int(begin), count); err != nil {
				return err
			}
			total += count
		}
		return nil
	}}, nil
}

func arrowStruct(t *arrow.StructType) (fromArrow, error) {
	g := goType{id: mapping.TypeStruct}
	puts := make([]fromArrow, t.NumFields())
	parts := make([]string, t.NumFields())
	for i, f := range t.Fields() {
		c, err := arrowColumn(f.Type)
		if err != nil {
			return fromArrow{}, fmt.Errorf("in field %q: %w", f.Name, err)
		}
		c.name = f.Name
		puts[i] = c
		g.members = append(g.members, c.goType)
		parts[i] = fmt.Sprintf("%s %s", f.Name, c.typ)
	}
	if len(puts) == 0 {
		return fromArrow{}, errors.New("a struct without fields")
	}
	g.typ = Type("STRUCT(" + strings.Join(parts, ", ") + ")")
	return fromArrow{g, func(v mapping.Vector, at int, a arrow.Array, from, n int) error {
		src, ok := a.(*array.Struct)
		if !ok {
			return fmt.Errorf("it is a %T", a)
		}
		for i, c := range puts {
			child := mapping.StructVectorGetChild(v, mapping.IdxT(i))
			if err := c.put(child, at, src.Field(i), from, n); err != nil {
				return err
			}
			putNulls(child, at, a, from, n)
		}
		putNulls(v, at, a, from, n)
		return nil
	}}, nil
}
