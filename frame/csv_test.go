//go:build cgo

package frame

import (
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func TestCSVOptions(t *testing.T) {
	t.Parallel()
	yes, no := true, false
	for _, c := range []struct {
		name, content string
		how           CSV
		want          string
	}{
		{"delimiter", "a;b\n1;2\n", CSV{Delimiter: ";"}, "a|b\n1|2"},
		{"quote", "a,b\n'x,y',2\n", CSV{Quote: "'", Delimiter: ","}, "a|b\nx,y|2"},
		{"escape", "a\n\"x\\\"y\"\n", CSV{Quote: `"`, Escape: `\`}, "a\nx\"y"},
		{"comment", "a,b\n# no\n1,2\n", CSV{Comment: "#"}, "a|b\n1|2"},
		{"header", "x,y\n1,2\n", CSV{Header: &no}, "column0|column1\nx|y\n1|2"},
		{"with header", "1,2\n3,4\n", CSV{Header: &yes}, "1|2\n3|4"},
		{"skip", "preamble\n\na,b\n1,2\n", CSV{Skip: 2}, "a|b\n1|2"},
		{"columns", "1,2\n", CSV{Columns: []Column{{"it's", Int64}, {`q"`, String}}, Header: &no}, "it's|q\"\n1|2"},
		{"types", "a,b\n1,2\n", CSV{Types: map[string]Type{"a": String, "b": "DECIMAL(4,1)"}}, "a|b\n1|2.0"},
		{"nulls", "a\nNA\n-\n3\n", CSV{Nulls: []string{"NA", "-"}}, "a\n∅\n∅\n3"},
		{"dates", "d,t\n29/02/2024,29/02/2024 10h\n", CSV{DateFormat: "%d/%m/%Y", TimestampFormat: "%d/%m/%Y %Hh"}, "d|t\n2024-02-29|2024-02-29 10:00:00"},
		{"decimal", "a;b\n1,5;x\n", CSV{Decimal: ",", Delimiter: ";"}, "a|b\n1.5|x"},
		{"latin-1", "a\nM\xfcnchen\n", CSV{Encoding: "latin-1"}, "a\nMünchen"},
		{"text", "a\n1\n", CSV{AllText: true}, "a\n1"},
		{"missing", "a,b\n1,2\n3\n", CSV{FillMissing: true}, "a|b\n1|2\n3|∅"},
		{"sample", "a\n" + strings.Repeat("1\n", 3000) + "x\n", CSV{Sample: -1}, ""},
		{"bad", "a,b\n1,2\nx,3,4\n5,6\n", CSV{Bad: SkipBad, Columns: []Column{{"a", Int64}, {"b", Int64}}, Header: &yes}, "a|b\n1|2\n5|6"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			got := cells(t, ReadCSV(write(t, "x.csv", c.content), c.how))
			if c.want != "" && got != c.want {
				t.Errorf("got\n%s\nwant\n%s", got, c.want)
			}
		})
	}
}

func TestManyFiles(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	put := func(name, content string) {
		t.Helper()
		if strings.HasSuffix(name, ".gz") {
			var b bytes.Buffer
			w := gzip.NewWriter(&b)
			_, _ = w.Write([]byte(content))
			_ = w.Close()
			content = b.String()
		}
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	put("1.csv.gz", "a,b\n1,2\n")
	put("2.csv.gz", "b,a,c\n3,4,5\n")
	f := ReadCSV(dir+"/*.csv.gz", CSV{UnionByName: true, PathColumn: "file"}).Sort("a")
	got := strings.ReplaceAll(cells(t, f), dir+"/", "")
	if got != "a|b|c|file\n1|2|∅|1.csv.gz\n4|3|5|2.csv.gz" {
		t.Error(got)
	}
	// A file of another kind is named, with line and column.
	put("1.csv", "a,b\n1,2\n")
	put("2.csv", "a,b\n"+strings.Repeat("1,2\n", 50_000)+"3,oops\n")
	_, err := Collect[struct{ A, B int }](t.Context(), ReadCSV(dir+"/*.csv"))
	e, ok := errors.AsType[*Error](err)
	if !ok || !strings.HasSuffix(e.File, "2.csv") || e.Line != 50_002 || e.Column != "b" || !strings.Contains(err.Error(), "CSV.Types") {
		t.Errorf("%v\n%#v", err, e)
	}
}

func TestBadLines(t *testing.T) {
	t.Parallel()
	path := write(t, "bad.csv", "a,b\n1,2\nx,3\n4,5,6\n7,8\n")
	var bad []BadLine
	f := ReadCSV(path, CSV{Columns: []Column{{"a", Int64}, {"b", Int64}}, OnBad: func(b BadLine) { bad = append(bad, b) }})
	if got := cells(t, f); got != "a|b\n1|2\n7|8" {
		t.Error(got)
	}
	if len(bad) != 2 || bad[0].Line != 3 || bad[0].Column != "a" || bad[0].Text != "x,3" || bad[0].File != path || bad[1].Line != 4 || bad[1].Reason == "" {
		t.Errorf("%+v", bad)
	}
}

func TestOddFiles(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, content, want string }{
		{"header only", "a,b\n", "a|b"},
		{"one row", "a,b\n1,2", "a|b\n1|2"},
		{"BOM", "\ufeffa,b\n1,2\n", "a|b\n1|2"},
		{"CRLF", "a,b\r\n1,2\r\n", "a|b\n1|2"},
		{"quoted newline", "a,b\n\"x\ny\",2\n", "a|b\nx\ny|2"},
		{"NaN", "a\nNaN\ninf\n-inf\n1.5\n", "a\nnan\ninf\n-inf\n1.5"},
		{"unicode", "名,ü\n日本,🎉\n", "名|ü\n日本|🎉"},
		{"zones", "t\n2024-01-01 00:00:00+02\n", "t\n2023-12-31 22:00:00+00"},
		{"same names", "a,a\n1,2\n", "a|a_1\n1|2"},
		{"injection", "a;b,\"x\"\" , 1); DROP TABLE t; --\"\n1,2\n", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			f := ReadCSV(write(t, "x.csv", c.content))
			got := cells(t, f)
			if c.want != "" && got != c.want {
				t.Errorf("got\n%s\nwant\n%s", got, c.want)
			}
			cols, err := f.Schema(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			// Whatever the names, every step takes them.
			for _, col := range cols {
				if _, err := f.Filter(Col(col.Name).IsNotNull()).GroupBy(col.Name).Agg(Max(col.Name).As("m")).Sort(col.Name).Count(t.Context()); err != nil {
					t.Error(err)
				}
			}
		})
	}
	yes := true
	ragged := "a,b\n1,2\n3\n4,5,6\n" + strings.Repeat("1,2\n", 100)
	_, err := Collect[map[string]any](t.Context(), ReadCSV(write(t, "x.csv", ragged), CSV{Delimiter: ",", Header: &yes, Columns: []Column{{"a", Int64}, {"b", Int64}}}))
	if e, ok := errors.AsType[*Error](err); !ok || e.Line != 3 || !strings.Contains(err.Error(), "Expected Number of Columns: 2 Found: 1") {
		t.Errorf("ragged: %v", err)
	}
	_, err = ReadCSV(write(t, "x.csv", ragged), CSV{Delimiter: ",", Columns: []Column{{"a", Int64}, {"b", Int64}}}).Schema(t.Context())
	if e, ok := errors.AsType[*Error](err); !ok || !strings.HasSuffix(e.File, "x.csv") || strings.Count(err.Error(), "\n") > 0 || !strings.Contains(err.Error(), "CSV.FillMissing") {
		t.Errorf("a guess at ragged lines: %v", err)
	}
	if got := cells(t, ReadCSV(write(t, "empty.csv", ""))); got != "column0" {
		t.Errorf("an empty file: %s", got)
	}
}

func TestWideFile(t *testing.T) {
	t.Parallel()
	const n = 10_000
	names, values := make([]string, n), make([]string, n)
	for i := range n {
		names[i], values[i] = fmt.Sprint("c", i), fmt.Sprint(i)
	}
	f := ReadCSV(write(t, "wide.csv", strings.Join(names, ",")+"\n"+strings.Join(values, ",")+"\n"))
	got := collect[struct {
		C9999 int
		C0    int
		Sum   int
	}](t, f.With(Col("c1").Add(Col("c9998")).As("sum")).Drop("c17"))
	if got[0].C9999 != 9999 || got[0].Sum != 9999 {
		t.Error(got)
	}
	// As a table, within a width.
	few := write(t, "few.csv", strings.Join(names[:300], ",")+"\n"+strings.Join(values[:300], ",")+"\n")
	var b strings.Builder
	if err := ReadCSV(few).Show(t.Context(), &b, ShowOut{Width: 60}); err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(b.String()) {
		if len(line) > 61 {
			t.Errorf("a line of %d characters", len(line)-1)
		}
	}
	if !strings.Contains(b.String(), "300 columns, 1 row; ") || !strings.Contains(b.String(), "...") {
		t.Error(b.String())
	}
}

func TestFileFaults(t *testing.T) {
	t.Parallel()
	path := write(t, "x.parquet", "")
	if err := SQL("SELECT i, hash(i) AS h FROM range(1000000) t(i)", nil).WriteParquet(t.Context(), path, ParquetOut{RowGroup: 2048}); err != nil {
		t.Fatal(err)
	}
	// Cut off while it is read.
	seen := 0
	var err error
	for _, e := range Rows[struct{ I, H uint64 }](t.Context(), ReadParquet(path)) {
		if err = e; err != nil {
			break
		}
		if seen++; seen == 1 {
			if err := os.Truncate(path, 5000); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err == nil {
		t.Errorf("cut off, and %d rows are read without an error", seen)
	}
	if _, err := ReadParquet(path).Count(t.Context()); err == nil || !strings.Contains(err.Error(), "x.parquet") {
		t.Errorf("cut off: %v", err)
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if _, err := ReadParquet(path).Count(t.Context()); err == nil || !strings.Contains(err.Error(), "x.parquet") {
		t.Errorf("gone: %v", err)
	}
	if _, err := ReadJSON(write(t, "x.json", "{\"a\": 1}\n{\"a\": \n")).Count(t.Context()); err == nil || !strings.Contains(err.Error(), "x.json") {
		t.Errorf("half an object: %v", err)
	}
	// Whatever another one does with the file, the engine goes on.
	if got := collect[int](t, FromSlice([]int{1})); !slices.Equal(got, []int{1}) {
		t.Error(got)
	}
}

func TestJSON(t *testing.T) {
	t.Parallel()
	path := write(t, "x.json", `{"a": 1, "in": {"x": [1, 2]}, "s": "ü"}`+"\n"+`{"a": null, "in": {"x": []}}`+"\n")
	type row struct {
		A  *int
		In struct{ X []int }
		S  *string
	}
	got := collect[row](t, ReadJSON(path))
	if *got[0].A != 1 || !slices.Equal(got[0].In.X, []int{1, 2}) || *got[0].S != "ü" || got[1].A != nil || got[1].S != nil {
		t.Errorf("%+v", got)
	}
	if got := cells(t, ReadJSON(path, JSON{Format: "lines", Columns: []Column{{"a", String}}, PathColumn: "p"}).Select("a")); got != "a\n1\n∅" {
		t.Error(got)
	}
}
