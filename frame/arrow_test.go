//go:build cgo

package frame

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/decimal128"
	"github.com/apache/arrow-go/v18/arrow/memory"
)

// arrowBatches runs a frame.
func arrowBatches(t *testing.T, f *Frame) (*arrow.Schema, []arrow.RecordBatch) {
	t.Helper()
	var out []arrow.RecordBatch
	for b, err := range f.Arrow(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, b)
	}
	if len(out) == 0 {
		t.Fatal("no batch, so no schema")
	}
	return out[0].Schema(), out
}

func batchSeq(bs ...arrow.RecordBatch) iter.Seq2[arrow.RecordBatch, error] {
	return func(yield func(arrow.RecordBatch, error) bool) {
		for _, b := range bs {
			if !yield(b, nil) {
				return
			}
		}
	}
}

// What goes out as Arrow and comes back in is the same, nulls and nested
// nulls too.
func TestArrowRoundTrip(t *testing.T) {
	t.Parallel()
	for name, sql := range map[string]string{
		"numbers":  "i::TINYINT AS a, i::SMALLINT AS b, i::INTEGER AS c, i AS d, i::UTINYINT AS e, i::USMALLINT AS f, i::UINTEGER AS g, i::UBIGINT AS h, i / 7::FLOAT AS x, i / 7::DOUBLE AS y, i % 3 = 0 AS z",
		"nulls":    "CASE WHEN i % 3 = 0 THEN i END AS a, CASE WHEN i % 5 = 0 THEN 'text number ' || i END AS b, CASE WHEN i % 2 = 0 THEN i % 4 = 0 END AS c, NULL::DOUBLE AS d",
		"texts":    "'' AS a, 'ü' || i AS b, repeat('x', i::INTEGER) AS c, i::VARCHAR::BLOB AS d",
		"times":    "DATE '1969-12-30' + i::INTEGER AS a, TIME '01:02:03.456' AS b, TIMESTAMP '1901-02-03 04:05:06.789' + to_days(i::INTEGER) AS c, TIMESTAMPTZ '2024-01-01 00:00:00+02' AS d, TIMESTAMP_S '2024-01-01 00:00:01' AS e, TIMESTAMP_MS '2024-01-01 00:00:01.5' AS f, TIMESTAMP_NS '2024-01-01 00:00:01.123456789' AS g, INTERVAL '1 month 2 days 3 seconds' AS h",
		"decimals": "(i % 999 / 4)::DECIMAL(4,1) AS a, -i::DECIMAL(9,2) AS b, (i * 1000)::DECIMAL(18,3) AS c, (-i)::DECIMAL(38,10) AS d",
		"nested":   "[i, NULL, i + 1] AS a, CASE WHEN i % 3 > 0 THEN [['a' || i], [], NULL] END AS b, {'x': i, 'y': CASE WHEN i % 2 = 0 THEN {'z': [i]} END} AS c, CASE WHEN i % 4 > 0 THEN {'q': CASE WHEN i % 3 = 0 THEN i END} END AS d",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := SQL("SELECT "+sql+" FROM range(5000) t(i)", nil).Slice(0, 5000)
			if name == "numbers" {
				f = SQL("SELECT "+strings.ReplaceAll(sql, "i::UT", "(i % 100)::UT")+" FROM (SELECT i % 100 AS i FROM range(5000) t(i))", nil)
			}
			schema, batches := arrowBatches(t, f)
			back := FromArrow(schema, batchSeq(batches...))
			was, err := f.Schema(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			is, err := back.Schema(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if !slices.Equal(was, is) {
				t.Errorf("types %v, were %v", is, was)
			}
			if got, want := cells(t, back), cells(t, f); got != want {
				t.Errorf("the rows are other ones: got\n%.500s\nwant\n%.500s", got, want)
			}
			// The engine does not only print the same: it finds no difference.
			for _, d := range []*Frame{f.Except(back), back.Except(f)} {
				if n, err := d.Count(t.Context()); err != nil || n != 0 {
					t.Errorf("%d rows differ, %v", n, err)
				}
			}
		})
	}
}

// Types that Arrow has no equal of.
func TestArrowTypes(t *testing.T) {
	t.Parallel()
	schema, batches := arrowBatches(t, SQL(`SELECT sum(i) AS s, uuid '00112233-4455-6677-8899-aabbccddeeff' AS u, 'b'::ENUM('a', 'b') AS e, MAP {'k': 1} AS m,
		[1, 2]::INTEGER[2] AS arr, '1010'::BIT AS bits, [uuid '00112233-4455-6677-8899-aabbccddeeff'] AS us FROM range(10) t(i)`, nil))
	want := "decimal(38, 0) utf8 utf8 map<utf8, int32, items_nullable> fixed_size_list<item: int32, nullable>[2] utf8 utf8"
	var types []string
	for _, f := range schema.Fields() {
		types = append(types, f.Type.String())
	}
	if got := strings.Join(types, " "); got != want {
		t.Errorf("types %s, want %s", got, want)
	}
	var values []string
	for _, c := range batches[0].Columns() {
		values = append(values, c.ValueStr(0))
	}
	if got := strings.Join(values, " "); got != `45 00112233-4455-6677-8899-aabbccddeeff b [{"key":"k","value":1}] [1,2] 1010 [00112233-4455-6677-8899-aabbccddeeff]` {
		t.Error(got)
	}
	if got := cells(t, FromArrow(schema, batchSeq(batches...)).Select("m", "arr", "s")); got != "m|arr|s\n[{'key': k, 'value': 1}]|[1, 2]|45" {
		t.Error(got)
	}
	for _, h := range []string{"100000000000000000000000000000000000000", "-100000000000000000000000000000000000000", "170141183460469231731687303715884105727", "-170141183460469231731687303715884105728"} {
		for b, err := range SQL("SELECT "+h+" AS h", nil).Arrow(t.Context()) {
			if !errors.Is(err, ErrRange) || b != nil {
				t.Errorf("%s: %v, %v", h, b, err)
			}
		}
	}
	_, batches = arrowBatches(t, SQL("SELECT -"+strings.Repeat("9", 38)+" AS h", nil))
	if got := batches[0].Column(0).ValueStr(0); got != "-"+strings.Repeat("9", 38) {
		t.Errorf("38 digits: %s", got)
	}
	// No rows: one batch, for the schema.
	_, batches = arrowBatches(t, SQL("SELECT 1 AS a, [{'b': 1}] AS c", nil).Limit(0))
	if len(batches) != 1 || batches[0].NumRows() != 0 || batches[0].NumCols() != 2 {
		t.Errorf("%v", batches)
	}
}

// Types that only Arrow has, and batches that are parts of others.
func TestFromArrow(t *testing.T) {
	t.Parallel()
	mem := memory.NewCheckedAllocator(memory.DefaultAllocator)
	defer mem.AssertSize(t, 0)
	dict := &arrow.DictionaryType{IndexType: arrow.PrimitiveTypes.Int8, ValueType: arrow.BinaryTypes.String}
	schema := arrow.NewSchema([]arrow.Field{
		{Name: "n", Type: arrow.Null}, {Name: "dict", Type: dict}, {Name: "big", Type: arrow.BinaryTypes.LargeString},
		{Name: "d64", Type: arrow.FixedWidthTypes.Date64}, {Name: "t32", Type: arrow.FixedWidthTypes.Time32s}, {Name: "ns", Type: &arrow.TimestampType{Unit: arrow.Nanosecond, TimeZone: "Europe/Paris"}},
		{Name: "dur", Type: arrow.FixedWidthTypes.Duration_ms}, {Name: "fixed", Type: &arrow.FixedSizeBinaryType{ByteWidth: 2}}, {Name: "i", Type: arrow.PrimitiveTypes.Int64},
	}, nil)
	b := array.NewRecordBuilder(mem, schema)
	defer b.Release()
	const n = 5000
	for i := range n {
		b.Field(0).AppendNull()
		if err := b.Field(1).(*array.BinaryDictionaryBuilder).AppendString([]string{"one", "a longer text than twelve"}[i%2]); err != nil {
			t.Fatal(err)
		}
		b.Field(2).(*array.LargeStringBuilder).Append(fmt.Sprint("s", i))
		b.Field(3).(*array.Date64Builder).Append(arrow.Date64(-86_400_000 * int64(i%3)))
		b.Field(4).(*array.Time32Builder).Append(arrow.Time32(i % 60))
		b.Field(5).(*array.TimestampBuilder).Append(arrow.Timestamp(-1)) // rounds down
		b.Field(6).(*array.DurationBuilder).Append(1500)
		b.Field(7).(*array.FixedSizeBinaryBuilder).Append([]byte("ab"))
		b.Field(8).(*array.Int64Builder).Append(int64(i))
	}
	whole := b.NewRecordBatch()
	defer whole.Release()
	part := whole.NewSlice(1001, 4500)
	defer part.Release()
	f := FromArrow(schema, batchSeq(part, whole))
	got := cells(t, f.Limit(2))
	if got != `n|dict|big|d64|t32|ns|dur|fixed|i
∅|a longer text than twelve|s1001|1969-12-30|00:00:41|1969-12-31 23:59:59.999999+00|00:00:01.5|ab|1001
∅|one|s1002|1970-01-01|00:00:42|1969-12-31 23:59:59.999999+00|00:00:01.5|ab|1002` {
		t.Error(got)
	}
	type sums struct {
		Rows, Sum int64
		Dicts     int64
	}
	s := collect[sums](t, f.GroupBy().Agg(CountRows().As("rows"), Sum("i").As("sum"), CountDistinct("dict").As("dicts")))[0]
	if want := int64(n*(n-1)/2 + (1001+4499)*3499/2); s != (sums{n + 3499, want, 2}) {
		t.Errorf("%+v, want a sum of %d", s, want)
	}
	// A query that ends early gives all batches back: AssertSize tells.
	for range Rows[map[string]any](t.Context(), f) {
		break
	}
}

func TestFromArrowFails(t *testing.T) {
	t.Parallel()
	ints := arrow.NewSchema([]arrow.Field{{Name: "i", Type: arrow.PrimitiveTypes.Int64}}, nil)
	texts := arrow.NewSchema([]arrow.Field{{Name: "i", Type: arrow.BinaryTypes.String}}, nil)
	build := func(schema *arrow.Schema, add func(b *array.RecordBuilder)) arrow.RecordBatch {
		b := array.NewRecordBuilder(memory.DefaultAllocator, schema)
		add(b)
		return b.NewRecordBatch()
	}
	one := build(ints, func(b *array.RecordBuilder) { b.Field(0).(*array.Int64Builder).Append(1) })
	enough := errors.New("enough")
	if _, err := FromArrow(ints, func(yield func(arrow.RecordBatch, error) bool) { _ = yield(one, nil) && yield(nil, enough) }).Count(t.Context()); !errors.Is(err, enough) {
		t.Errorf("an error: %v", err)
	}
	_, err := FromArrow(ints, func(func(arrow.RecordBatch, error) bool) { panic(enough) }).Count(t.Context())
	if p, ok := errors.AsType[*PanicError](err); !ok || !errors.Is(err, enough) || !strings.Contains(string(p.Stack), "arrow_test.go") {
		t.Errorf("a panic: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	_, err = FromArrow(ints, func(yield func(arrow.RecordBatch, error) bool) {
		for i := 0; yield(one, nil); i++ {
			if i == 100 {
				cancel()
			}
		}
	}).Count(ctx)
	if !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
	bad := build(texts, func(b *array.RecordBuilder) { b.Field(0).(*array.StringBuilder).Append("a\xff") })
	wide := arrow.NewSchema([]arrow.Field{{Name: "i", Type: &arrow.Decimal128Type{Precision: 4}}}, nil)
	much := build(wide, func(b *array.RecordBuilder) {
		b.Field(0).(*array.Decimal128Builder).Append(decimal128.FromI64(123456))
	})
	for want, f := range map[string]*Frame{
		"the schema i of type int64": FromArrow(ints, batchSeq(bad)),
		"not valid UTF-8":            FromArrow(texts, batchSeq(bad)),
		"more digits than its type":  FromArrow(wide, batchSeq(much)),
		"nil":                        FromArrow(nil, nil),
		`two columns "I"`:            FromArrow(arrow.NewSchema([]arrow.Field{{Name: "i", Type: arrow.PrimitiveTypes.Int64}, {Name: "I", Type: arrow.PrimitiveTypes.Int64}}, nil), batchSeq()),
		`column "d": decimal256`:     FromArrow(arrow.NewSchema([]arrow.Field{{Name: "d", Type: &arrow.Decimal256Type{Precision: 70}}}, nil), batchSeq()),
		"no column":                  FromArrow(arrow.NewSchema(nil, nil), batchSeq()),
	} {
		if _, err := Collect[map[string]any](t.Context(), f); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
	if _, err := Collect[string](t.Context(), FromSlice([]string{"ok", "a\xff"})); err == nil || !strings.Contains(err.Error(), "not valid UTF-8") {
		t.Errorf("a text from Go that is no UTF-8: %v", err)
	}
}
