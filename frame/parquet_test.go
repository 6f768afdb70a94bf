//go:build cgo

package frame

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// A filter reaches into the files: what it leaves out is not even read. That
// what is read without it can't be is how one sees it.
func TestFiltersReachFiles(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "x.parquet")
	const rows, group = 100_000, 10_240
	src := SQL(fmt.Sprintf("SELECT i, 'needle ' || i AS s FROM range(%d) t(i)", rows), nil)
	if err := src.WriteParquet(t.Context(), path, ParquetOut{RowGroup: group, Compression: "uncompressed"}); err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	// Spoil the pages of the last groups, but not what is known of them.
	from := bytes.Index(b, []byte("needle 60000"))
	footer := bytes.LastIndex(b, []byte("needle 99999"))
	if from < 0 || footer < from {
		t.Fatal("the texts are not where they were")
	}
	for i := from; i < from+20_000; i++ {
		b[i] = 0xff
	}
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
	f := ReadParquet(path)
	if n, err := f.Filter(Col("s").Contains("needle")).Count(t.Context()); err == nil && n == rows {
		t.Error("the spoiled groups can be read; the test shows nothing")
	}
	for name, c := range map[string]struct {
		f    *Frame
		want int64
	}{
		"a filter at once":      {f.Filter(Col("i").Lt(group), Col("s").Contains("needle")), group},
		"a filter after steps":  {f.With(Col("s").Upper().As("u")).Rename("i", "k").Filter(Col("k").Lt(group), Col("u").Contains("NEEDLE")), group},
		"a filter after a join": {f.Join(FromSlice([]struct{ I int64 }{{5}, {7}}), Inner, "i").Filter(Col("i").Lt(group), Col("s").Contains("needle")), 2},
		"a filter in SQL":       {SQL("SELECT * FROM t WHERE i < 10240 AND s LIKE '%needle%'", map[string]*Frame{"t": f}), group},
		"other columns":         {f.Select("i").Filter(Col("i").Ge(0)), rows},
	} {
		if n, err := c.f.Count(t.Context()); err != nil || n != c.want {
			t.Errorf("%s: %d rows, want %d; %v", name, n, c.want, err)
		}
	}
}

func TestParquetOptions(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	put := func(sql, name string) {
		t.Helper()
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := SQL(sql, nil).WriteParquet(t.Context(), path); err != nil {
			t.Fatal(err)
		}
	}
	put("SELECT 1 AS a, 'x' AS b", "hive/code=01/x.parquet")
	put("SELECT 2 AS a, 'y' AS b", "hive/code=02/y.parquet")
	if err := os.MkdirAll(filepath.Join(dir, "hive/code=99"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "hive/code=99/z.parquet"), []byte("no Parquet"), 0o600); err != nil {
		t.Fatal(err)
	}
	put("SELECT 3 AS a, DATE '2024-02-29' AS c", "other/3.parquet")
	put("SELECT 1 AS a, 'x' AS b", "other/1.parquet")
	yes, no := true, false
	glob := dir + "/hive/*/*.parquet"
	for name, c := range map[string]struct {
		f    *Frame
		want string
	}{
		// The file that is none is not opened: its directory is left out.
		"a guess": {ReadParquet(glob).Filter(Col("code").Ne("99")).Sort("a"), "a|b|code\n1|x|01\n2|y|02"},
		"hive":    {ReadParquet(glob, Parquet{Hive: &yes}).Filter(Col("code").Eq("02")), "a|b|code\n2|y|02"},
		"types":   {ReadParquet(glob, Parquet{Hive: &yes, HiveTypes: map[string]Type{"code": Int16}}).Filter(Col("code").Eq(2)), "a|b|code\n2|y|2"},
		"no hive": {ReadParquet(dir+"/hive/code=01/*.parquet", Parquet{Hive: &no}), "a|b\n1|x"},
		"path":    {ReadParquet(dir+"/hive/code=01/*.parquet", Parquet{Hive: &no, PathColumn: "from"}).With(Col("from").EndsWith("code=01/x.parquet").As("from")), "a|b|from\n1|x|true"},
		"by name": {ReadParquet(dir+"/other/*.parquet", Parquet{UnionByName: true}).Sort("a"), "a|b|c\n1|x|∅\n3|∅|2024-02-29"},
	} {
		if got := cells(t, c.f); got != c.want {
			t.Errorf("%s: got\n%s\nwant\n%s", name, got, c.want)
		}
	}
	for want, f := range map[string]*Frame{
		"z.parquet":   ReadParquet(glob),
		"takes one":   ReadParquet(glob, Parquet{}, Parquet{}),
		"no name and": ReadParquet(glob, Parquet{HiveTypes: map[string]Type{"a": "INTEGER; DROP TABLE x"}}),
		"3.parquet":   ReadParquet(dir + "/other/*.parquet").Select("b"),
	} {
		if _, err := Collect[map[string]any](t.Context(), f); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
}

// Decimals keep their digits from a file to Go and back.
func TestDecimalFiles(t *testing.T) {
	t.Parallel()
	csv := write(t, "d.csv", "small,large\n0.1,12345678901234567890123456789012.345678\n-99.9,-0.000001\n,\n")
	f := ReadCSV(csv, CSV{Types: map[string]Type{"small": "DECIMAL(3,1)", "large": "DECIMAL(38,6)"}})
	parquet := filepath.Join(t.TempDir(), "d.parquet")
	if err := f.WriteParquet(t.Context(), parquet); err != nil {
		t.Fatal(err)
	}
	type row struct{ Small, Large *Decimal }
	for name, f := range map[string]*Frame{"csv": f, "parquet": ReadParquet(parquet)} {
		cols, err := f.Schema(t.Context())
		if err != nil || !slices.Equal(cols, []Column{{"small", "DECIMAL(3,1)"}, {"large", "DECIMAL(38,6)"}}) {
			t.Errorf("%s: %v, %v", name, cols, err)
		}
		var got []string
		for _, r := range collect[row](t, f) {
			if r.Small == nil && r.Large == nil {
				got = append(got, "null")
				continue
			}
			got = append(got, r.Small.String()+" "+r.Large.String())
		}
		if want := []string{"0.1 12345678901234567890123456789012.345678", "-99.9 -0.000001", "null"}; !slices.Equal(got, want) {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
		// The sum is exact, and so is a filter.
		sum := collect[Decimal](t, f.GroupBy().Agg(Sum("large").As("s")))[0]
		if sum.String() != "12345678901234567890123456789012.345677" {
			t.Errorf("%s: the sum is %v", name, sum)
		}
		if n, err := f.Filter(Col("small").Eq(*collect[row](t, f.Limit(1))[0].Small)).Count(t.Context()); err != nil || n != 1 {
			t.Errorf("%s: a filter by 0.1 finds %d, %v", name, n, err)
		}
	}
	if _, err := Collect[row](t.Context(), ReadCSV(csv, CSV{Types: map[string]Type{"small": "DECIMAL(3,1)", "large": "DECIMAL(10,2)"}})); err == nil || !strings.Contains(err.Error(), "line 2") {
		t.Errorf("digits that do not fit: %v", err)
	}
}
