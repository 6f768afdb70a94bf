//go:build cgo

package frame

import (
	"context"
	"fmt"
	"iter"
	"reflect"
	"slices"
	"strings"
	"unsafe"

	"github.com/duckdb/duckdb-go/v2/mapping"
)

// Rows runs the frame and gives its rows one by one, as they come: what is
// not read is not computed, and the memory does not grow with the number of
// rows. Leaving the loop stops the query. The first error ends the rows.
//
// T is a struct, whose fields take the columns of their names or of their tags
// `frame:"name"`, whatever the case; fields tagged "-" are left alone, and
// columns without a field are not computed where that can be seen. Or T is a plain type, for a
// frame with one column, or map[string]any or []any for whatever there is.
//
// Numbers go into any type of number that can hold them, else the row is an
// error (ErrRange). Null goes into pointers, sql.Null, slices, maps and anys;
// elsewhere it is an error (ErrNull). Dates and times are time.Time in UTC,
// decimals float64, string or Decimal, lists slices, structs structs.
func Rows[T any](ctx context.Context, f *Frame) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		var zero T
		for batch, err := range batches[T](ctx, f) {
			if err != nil {
				yield(zero, err)
				return
			}
			for i := range batch {
				if !yield(batch[i], nil) {
					return
				}
			}
		}
	}
}

// Collect runs the frame and returns all rows. For the types see Rows.
func Collect[T any](ctx context.Context, f *Frame) ([]T, error) {
	out := []T{}
	for batch, err := range batches[T](ctx, f) {
		if err != nil {
			return nil, err
		}
		out = append(out, batch...)
	}
	return out, nil
}

// Head runs the frame and returns its first n rows. For the types see Rows.
func Head[T any](ctx context.Context, f *Frame, n int) ([]T, error) {
	return Collect[T](ctx, f.Limit(n))
}

// batches gives the rows in slices, each of which is overwritten by the next.
func batches[T any](ctx context.Context, f *Frame) iter.Seq2[[]T, error] {
	return func(yield func([]T, error) bool) {
		r, err := begin(ctx, f)
		if err != nil {
			yield(nil, err)
			return
		}
		defer r.end()
		rd, err := newReader[T](r, f)
		if err != nil {
			yield(nil, err)
			return
		}
		for {
			batch, err := rd.next()
			if err != nil {
				yield(nil, err)
				return
			}
			if len(batch) == 0 {
				if err := r.done(); err != nil {
					yield(nil, err)
				}
				return
			}
			if !yield(batch, nil) {
				return
			}
		}
	}
}

// reader reads the rows of a run.
type reader[T any] struct {
	r      *run
	fields []field
	batch  []T
	row    int64
}

// field is where a column goes.
type field struct {
	name   string
	col    int
	offset uintptr
	dec    decoder
}

func newReader[T any](r *run, f *Frame) (*reader[T], error) {
	g := reflect.TypeFor[T]()
	sql, err := r.compileFor(f.n, func(sql string, names []string) string { return onlyFields(sql, names, g) })
	if err != nil {
		return nil, err
	}
	if sql, again := r.castToText(sql, (*colType).readable); again {
		if err := r.prepare(sql); err != nil {
			return nil, r.explain(err)
		}
	}
	fields, err := r.fields(g)
	if err != nil {
		return nil, err
	}
	if err := r.query(); err != nil {
		return nil, err
	}
	return &reader[T]{r: r, fields: fields}, nil
}

// onlyFields leaves out the columns that a struct has no field for.
func onlyFields(sql string, names []string, g reflect.Type) string {
	if !plainStruct(g) {
		return sql
	}
	has := map[string]bool{}
	for _, f := range structFields(g) {
		has[strings.ToLower(f.name)] = true
	}
	var list []string
	for _, name := range names {
		if q, err := quoteName(name); err == nil && has[strings.ToLower(name)] {
			list = append(list, q)
		}
	}
	// A field without a column is an error, which names all that there are.
	if len(list) == 0 || len(list) == len(names) || len(list) < len(has) {
		return sql
	}
	return "SELECT " + strings.Join(list, ", ") + " FROM (\n" + sql + "\n)"
}

// castToText casts columns that there is no type for to text. again is whether
// the query differs.
func (r *run) castToText(sql string, has func(*colType) bool) (out string, again bool) {
	list := make([]string, len(r.cols))
	for i, c := range r.cols {
		q, err := quoteName(c.name)
		if err != nil {
			return sql, false
		}
		if !has(r.typ(i)) {
			again = true
			q = "CAST(" + q + " AS VARCHAR) AS " + q
		}
		list[i] = q
	}
	if !again {
		return sql, false
	}
	return "SELECT " + strings.Join(list, ", ") + " FROM (\n" + sql + "\n)", true
}

func plainStruct(g reflect.Type) bool {
	return g.Kind() == reflect.Struct && g != timeType && g != decimalType && g != intervalType && !isNull(g)
}

type goField struct {
	name   string
	tagged bool
	offset uintptr
	typ    reflect.Type
}

// structFields are the fields that take columns, those of embedded structs
// too.
func structFields(g reflect.Type) []goField {
	var out []goField
	for i := range g.NumField() {
		f := g.Field(i)
		tag, tagged := f.Tag.Lookup("frame")
		switch {
		case tag == "-":
		case f.Anonymous && !tagged && plainStruct(f.Type):
			for _, in := range structFields(f.Type) {
				in.offset += f.Offset
				out = append(out, in)
			}
		case !f.IsExported():
		default:
			name := f.Name
			if tagged && tag != "" {
				name = tag
			}
			out = append(out, goField{name, tagged, f.Offset, f.Type})
		}
	}
	return out
}

// fieldsOf matches fields with columns.
func fieldsOf(g reflect.Type, names []string, typ func(i int) *colType) ([]field, error) {
	var out []field
	for _, f := range structFields(g) {
		i := slices.Index(names, f.name)
		if i < 0 {
			i = slices.IndexFunc(names, func(n string) bool { return strings.EqualFold(n, f.name) })
		}
		if i < 0 {
			return nil, fmt.Errorf("for the field %s of %v: %s", f.name, g, noColumn(f.name, names))
		}
		d, err := decoderFor(typ(i), f.typ)
		if err != nil {
			return nil, fmt.Errorf("column %q: %w", names[i], err)
		}
		out = append(out, field{names[i], i, f.offset, d})
	}
	if len(out) == 0 {
		return nil, fmt.Errorf("%v has no exported field for a column", g)
	}
	return out, nil
}

// fields says where the columns go in a T.
func (r *run) fields(g reflect.Type) ([]field, error) {
	names := make([]string, len(r.cols))
	for i, c := range r.cols {
		names[i] = c.name
	}
	typ := r.typ
	switch {
	case plainStruct(g):
		fs, err := fieldsOf(g, names, typ)
		if err != nil {
			return nil, fmt.Errorf("frame: %w", err)
		}
		return fs, nil
	case g == reflect.TypeFor[map[string]any]():
		var out []field
		for i, name := range names {
			d, err := boxed(typ(i))
			if err != nil {
				return nil, fmt.Errorf("frame: column %q: %w", name, err)
			}
			out = append(out, field{name, i, 0, func(v vec, n int, base unsafe.Pointer, stride uintptr) (int, error) {
				xs := make([]any, n)
				at, err := d(v, n, unsafe.Pointer(unsafe.SliceData(xs)), unsafe.Sizeof(xs[0]))
				for j, x := range xs {
					m := (*map[string]any)(unsafe.Add(base, uintptr(j)*stride))
					if *m == nil {
						*m = make(map[string]any, len(names))
					}
					(*m)[name] = x
				}
				return at, err
			}})
		}
		return out, nil
	case g == reflect.TypeFor[[]any]():
		var out []field
		for i, name := range names {
			d, err := boxed(typ(i))
			if err != nil {
				return nil, fmt.Errorf("frame: column %q: %w", name, err)
			}
			out = append(out, field{name, i, 0, func(v vec, n int, base unsafe.Pointer, stride uintptr) (int, error) {
				for j := range n {
					if s := (*[]any)(unsafe.Add(base, uintptr(j)*stride)); *s == nil {
						*s = make([]any, len(names))
					}
				}
				xs := make([]any, n)
				at, err := d(v, n, unsafe.Pointer(unsafe.SliceData(xs)), unsafe.Sizeof(xs[0]))
				for j, x := range xs {
					(*(*[]any)(unsafe.Add(base, uintptr(j)*stride)))[i] = x
				}
				return at, err
			}})
		}
		return out, nil
	case len(r.cols) != 1:
		return nil, fmt.Errorf("frame: the frame has %d columns, which can't be one %v; use a struct, or Select one of %s", len(names), g, strings.Join(names, ", "))
	}
	d, err := decoderFor(typ(0), g)
	if err != nil {
		return nil, fmt.Errorf("frame: column %q: %w", names[0], err)
	}
	return []field{{names[0], 0, 0, d}}, nil
}

// next returns the next rows, none at the end.
func (rd *reader[T]) next() ([]T, error) {
	chunk, n, err := rd.r.next()
	if err != nil || n == 0 {
		mapping.DestroyDataChunk(&chunk)
		return nil, err
	}
	defer mapping.DestroyDataChunk(&chunk)
	if n > cap(rd.batch) {
		rd.batch = make([]T, n)
	}
	rd.batch = rd.batch[:n]
	clear(rd.batch)
	for _, f := range rd.fields {
		v := newVec(mapping.DataChunkGetVector(chunk, mapping.IdxT(f.col)))
		at, err := f.dec(v, n, unsafe.Add(unsafe.Pointer(unsafe.SliceData(rd.batch)), f.offset), unsafe.Sizeof(rd.batch[0]))
		if err != nil {
			return nil, fmt.Errorf("frame: column %q of row %d: %w", f.name, rd.row+int64(at), err)
		}
	}
	rd.row += int64(n)
	return rd.batch, nil
}

// Count runs the frame and returns how many rows it has.
func (f *Frame) Count(ctx context.Context) (int64, error) {
	got, err := Collect[int64](ctx, f.GroupBy().Agg(CountRows().As("n")))
	if err != nil {
		return 0, err
	}
	return got[0], nil
}

// Schema returns the columns without computing rows: it opens the files of the
// sources and reads as much as their types need.
func (f *Frame) Schema(ctx context.Context) ([]Column, error) {
	r, err := begin(ctx, f)
	if err != nil {
		return nil, err
	}
	defer r.end()
	if _, err := r.compile(f.n); err != nil {
		return nil, err
	}
	return r.columns(), nil
}
