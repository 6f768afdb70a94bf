//go:build cgo

package frame

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func files(t *testing.T, dir string) []string {
	t.Helper()
	list, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, f := range list {
		out = append(out, f.Name())
	}
	return out
}

func TestWrite(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	f := items().Select("k", "n")
	for name, write := range map[string]func(path string) (*Frame, error){
		"a.csv":     func(p string) (*Frame, error) { return ReadCSV(p), f.WriteCSV(t.Context(), p) },
		"b.csv.gz":  func(p string) (*Frame, error) { return ReadCSV(p), f.WriteCSV(t.Context(), p) },
		"c.csv.zst": func(p string) (*Frame, error) { return ReadCSV(p), f.WriteCSV(t.Context(), p) },
		"d.csv": func(p string) (*Frame, error) {
			return ReadCSV(p, CSV{Nulls: []string{"NA"}, Columns: []Column{{"K", String}, {"N", Int64}}}), f.WriteCSV(t.Context(), p, CSVOut{Delimiter: ";", NoHeader: true, Null: "NA"})
		},
		"e.parquet": func(p string) (*Frame, error) { return ReadParquet(p), f.WriteParquet(t.Context(), p) },
		"f.parquet": func(p string) (*Frame, error) {
			return ReadParquet(p), f.WriteParquet(t.Context(), p, ParquetOut{Compression: "snappy", RowGroup: 2048})
		},
		"g.json":    func(p string) (*Frame, error) { return ReadJSON(p), f.WriteJSON(t.Context(), p) },
		"h.json.gz": func(p string) (*Frame, error) { return ReadJSON(p), f.WriteJSON(t.Context(), p) },
		"i.json": func(p string) (*Frame, error) {
			return ReadJSON(p, JSON{Format: "array"}), f.WriteJSON(t.Context(), p, JSONOut{Array: true})
		},
		"it's j.csv": func(p string) (*Frame, error) { return ReadCSV(p), f.WriteCSV(t.Context(), p) },
	} {
		for range 2 { // the second time there is a file
			g, err := write(filepath.Join(dir, name))
			if err != nil {
				t.Errorf("%s: %v", name, err)
				continue
			}
			if got, want := cells(t, g), "K|N\na|1\nb|∅\na|3\nc|4"; got != want {
				t.Errorf("%s: got\n%s\nwant\n%s", name, got, want)
			}
		}
	}
	if got := files(t, dir); len(got) != 10 {
		t.Errorf("left over: %v", got)
	}
}

func TestWritePartitions(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path := filepath.Join(dir, "parts")
	f := items().Select("k", Sum("n").Over("k").As("s"), "x")
	if err := f.WriteParquet(t.Context(), path, ParquetOut{PartitionBy: []string{"k"}}); err != nil {
		t.Fatal(err)
	}
	if got := files(t, path); !slices.Equal(got, []string{"K=a", "K=b", "K=c"}) {
		t.Errorf("partitions %v", got)
	}
	got := cells(t, ReadParquet(path+"/*/*.parquet").Filter(Col("k").Eq("a")).Select("k", "s", "x").Sort("x"))
	if got != "K|s|X\na|4|1.5\na|4|3.5" {
		t.Error(got)
	}
	if err := f.WriteParquet(t.Context(), path, ParquetOut{PartitionBy: []string{"k"}}); err == nil || !strings.Contains(err.Error(), "Overwrite") {
		t.Errorf("over what is there: %v", err)
	}
	if err := f.Limit(1).WriteParquet(t.Context(), path, ParquetOut{PartitionBy: []string{"k"}, Overwrite: true}); err != nil {
		t.Fatal(err)
	}
	if got := files(t, path); !slices.Equal(got, []string{"K=a"}) || len(files(t, dir)) != 1 {
		t.Errorf("partitions %v beside %v", got, files(t, dir))
	}
	if err := f.WriteParquet(t.Context(), path); err == nil {
		t.Error("a directory was replaced by a file")
	}
	if err := f.WriteParquet(t.Context(), path+"2", ParquetOut{PartitionBy: []string{"nope"}}); err == nil || !strings.Contains(err.Error(), `no column "nope"`) {
		t.Errorf("a column: %v", err)
	}
}

// A write that fails, or is cancelled, leaves the old file and nothing else.
func TestWriteFails(t *testing.T) {
	t.Parallel()
	path := write(t, "out.csv", "old\n")
	whole := func(what string) {
		t.Helper()
		b, err := os.ReadFile(path)
		if err != nil || string(b) != "old\n" || len(files(t, filepath.Dir(path))) != 1 {
			t.Errorf("%s: %q, %v, %v", what, b, err, files(t, filepath.Dir(path)))
		}
	}
	err := SQL("SELECT CASE WHEN i > 900000 THEN CAST('x' || i AS INTEGER) ELSE i END AS i FROM range(1000000) t(i)", nil).WriteCSV(t.Context(), path)
	if err == nil || !strings.Contains(err.Error(), "Could not convert") {
		t.Errorf("%v", err)
	}
	whole("a failure")
	ctx, cancel := context.WithCancel(t.Context())
	f := FromSeq(func(yield func(int) bool) {
		for i := 0; yield(i); i++ {
			if i == 1_000_000 {
				cancel()
			}
		}
	})
	if err := f.WriteCSV(ctx, path); !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
	whole("cancelled")
	if err := items().WriteCSV(t.Context(), filepath.Join(filepath.Dir(path), "no", "such")); err == nil {
		t.Error("no directory, and no error")
	}
}

func TestPersist(t *testing.T) {
	t.Parallel()
	src, dir := write(t, "log.csv", logCSV), t.TempDir()
	plan := func() *Frame { return ReadCSV(src).GroupBy("host").Agg(Sum("bytes").As("b")).Sort("host") }
	var want string
	for i := range 2 {
		f, err := plan().Persist(t.Context(), dir)
		if err != nil {
			t.Fatal(err)
		}
		if want == "" {
			want = cells(t, plan())
		}
		if got := cells(t, f); got != want || len(files(t, dir)) != 1 {
			t.Errorf("time %d: %s, want %s; %v", i, got, want, files(t, dir))
		}
		got, err := f.Schema(t.Context())
		if was, err2 := plan().Schema(t.Context()); err != nil || err2 != nil || !slices.Equal(got, was) {
			t.Errorf("schema %v, was %v", got, was)
		}
	}
	if err := os.WriteFile(src, []byte(logCSV+"z,200,3\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	f, err := plan().Persist(t.Context(), dir)
	if err != nil || len(files(t, dir)) != 2 || !strings.HasSuffix(cells(t, f), "z|3") {
		t.Errorf("a changed file: %v, %v", err, files(t, dir))
	}
	for name, f := range map[string]*Frame{"rows": items(), "sql": SQL("SELECT 1 AS a", nil)} {
		if _, err := f.Persist(t.Context(), dir); err == nil || !strings.Contains(err.Error(), "WriteParquet") {
			t.Errorf("%s: %v", name, err)
		}
	}
}
