//go:build cgo

package frame

import (
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
)

// write makes a file in a directory of the test's own.
func write(t *testing.T, name, content string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func collect[T any](t *testing.T, f *Frame) []T {
	t.Helper()
	out, err := Collect[T](t.Context(), f)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

const logCSV = `host,status,bytes
a,200,10
b,200,20
a,404,1000
b,200,5
c,200,1
`

type total struct {
	Host  string
	Total int64
}

func top(path string) *Frame {
	return ReadCSV(path).
		Filter(Col("status").Eq(200)).
		GroupBy("host").Agg(Sum("bytes").As("total")).
		Sort(Desc("total")).Limit(2)
}

func TestFirstSight(t *testing.T) {
	t.Parallel()
	f := top(write(t, "log.csv", logCSV))
	want := []total{{"b", 25}, {"a", 10}}
	if got := collect[total](t, f); !slices.Equal(got, want) {
		t.Errorf("collected %v, want %v", got, want)
	}
	var rows []total
	for r, err := range Rows[total](t.Context(), f) {
		if err != nil {
			t.Fatal(err)
		}
		rows = append(rows, r)
	}
	if !slices.Equal(rows, want) {
		t.Errorf("rows %v, want %v", rows, want)
	}
	if n, err := f.Count(t.Context()); n != 2 || err != nil {
		t.Errorf("%d rows, %v", n, err)
	}
	schema, err := f.Schema(t.Context())
	if want := []Column{{"host", String}, {"total", HugeInt}}; !slices.Equal(schema, want) || err != nil {
		t.Errorf("schema %v, %v; want %v", schema, err, want)
	}
	var b strings.Builder
	if err := f.Show(t.Context(), &b); err != nil {
		t.Fatal(err)
	}
	if want := `host       total
VARCHAR  HUGEINT
----------------
b             25
a             10
2 columns, 2 rows
`; b.String() != want {
		t.Errorf("shown:\n%s\nwant:\n%s", b.String(), want)
	}
}

func TestExplain(t *testing.T) {
	t.Parallel()
	path := write(t, "log.csv", logCSV)
	got, err := top(path).Explain(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	got = strings.ReplaceAll(got, path, "log.csv")
	_, sql, _ := strings.Cut(got, "\n\n")
	if want := `SELECT *
FROM (
  SELECT t."host", sum(t."bytes") AS "total"
  FROM read_csv('log.csv') AS t
  WHERE (t."status" = 200)
  GROUP BY 1
) AS t
ORDER BY t."total" DESC NULLS LAST LIMIT 2
`; sql != want {
		t.Errorf("SQL:\n%s\nwant:\n%s", sql, want)
	}
	for _, want := range []string{"read log.csv\n", "keep rows where (\"status\" = 200)\n", "group by \"host\": sum(\"bytes\") AS \"total\"\n", "gives   host VARCHAR, total HUGEINT\n"} {
		if !strings.Contains(got, want) {
			t.Errorf("no %q in\n%s", want, got)
		}
	}
}

// A wrong column is named with those that there are, and the call's line.
func TestWrongColumn(t *testing.T) {
	t.Parallel()
	f := ReadCSV(write(t, "log.csv", logCSV)).Filter(Col("statsu").Eq(200))
	_, err := f.Schema(t.Context())
	e, ok := errors.AsType[*Error](err)
	if !ok || e.Column != "statsu" || e.Call != "Filter" || !strings.Contains(e.At, "frame_test.go:") {
		t.Fatalf("%#v", err)
	}
	if want := `no column "statsu"; did you mean "status"? There are "host", "status", "bytes"`; e.Err.Error() != want {
		t.Errorf("%q, want %q", e.Err, want)
	}
	// A type that does not fit is found by the engine, and blamed on the step.
	_, err = ReadCSV(write(t, "log.csv", logCSV)).
		With(Col("bytes").Add(1).As("more")).
		Filter(Col("more").Lower().Eq("x")).
		Limit(1).Explain(t.Context())
	if e, ok := errors.AsType[*Error](err); !ok || e.Call != "Filter" || !strings.Contains(e.At, "frame_test.go:") {
		t.Errorf("%v", err)
	}
}

func TestReadTypes(t *testing.T) {
	t.Parallel()
	type row struct {
		I8  int8
		U   uint
		F   float32
		S   string
		B   []byte
		P   *int
		L   []int64
		In  struct{ X, Y int32 }
		Any any
	}
	p := 7
	in := []row{
		{-1, 1 << 63, 1.5, "a text longer than twelve bytes", []byte{0, 1}, &p, []int64{1, 2}, struct{ X, Y int32 }{1, 2}, nil},
		{1, 2, -2, "ü", []byte{}, nil, []int64{}, struct{ X, Y int32 }{3, 4}, nil},
	}
	type noAny struct {
		I8 int8
		U  uint
		F  float32
		S  string
		B  []byte
		P  *int
		L  []int64
		In struct{ X, Y int32 }
	}
	var plain []noAny
	for _, r := range in {
		plain = append(plain, noAny{r.I8, r.U, r.F, r.S, r.B, r.P, r.L, r.In})
	}
	if got := collect[noAny](t, FromSlice(plain)); !reflect.DeepEqual(got, plain) {
		t.Errorf("%+v\nwant\n%+v", got, plain)
	}
	if _, err := FromSlice(in).Schema(t.Context()); err == nil || !strings.Contains(err.Error(), "field Any") {
		t.Errorf("an any as a column: %v", err)
	}
}
