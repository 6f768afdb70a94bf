//go:build cgo

package frame

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/duckdb/duckdb-go/v2/mapping"
)

// CSVOut is how WriteCSV writes.
type CSVOut struct {
	// Delimiter is between the values. Defaults to ",".
	Delimiter string
	// NoHeader leaves out the line with the names. Defaults to writing it.
	NoHeader bool
	// Null stands for null. Defaults to nothing.
	Null string
	// Compression is "gzip", "zstd" or "none". Defaults to what the path ends
	// with: .gz, .zst.
	Compression string
}

// WriteCSV runs the frame and writes its rows to a file of comma separated
// values. The file is written under another name in the same directory and
// renamed when it is whole, so that path is the old file or the new one at any
// time. At most one CSVOut says how.
func (f *Frame) WriteCSV(ctx context.Context, path string, how ...CSVOut) error {
	var o CSVOut
	if len(how) > 0 {
		o = how[0]
	}
	a := argList{list: []string{"FORMAT csv"}}
	a.option("DELIMITER", o.Delimiter)
	a.option("NULLSTR", o.Null)
	a.option("COMPRESSION", compression(o.Compression, path))
	a.list = append(a.list, fmt.Sprintf("HEADER %t", !o.NoHeader))
	return f.write(ctx, "WriteCSV", path, a, len(how), nil, false)
}

// ParquetOut is how WriteParquet writes.
type ParquetOut struct {
	// Compression is "snappy", "zstd", "gzip", "lz4" or "uncompressed".
	// Defaults to "zstd".
	Compression string
	// RowGroup is how many rows are in a group, which is what a filter can
	// skip. Defaults to 122880.
	RowGroup int
	// PartitionBy are columns whose values become directories, as in
	// path/year=2024/month=5; path is a directory then.
	// Defaults to one file.
	PartitionBy []string
	// Overwrite replaces a directory that is there and not empty. Files are
	// replaced always.
	// Defaults to an error.
	Overwrite bool
}

// WriteParquet runs the frame and writes its rows to a Parquet file, or with
// PartitionBy to a directory of them. It is written under another name beside
// path and renamed when it is whole. At most one ParquetOut says how.
//
// Whole numbers of 128 bits, which the sum of an integer column is, become
// DECIMAL(38,0), as Parquet has none.
func (f *Frame) WriteParquet(ctx context.Context, path string, how ...ParquetOut) error {
	var o ParquetOut
	if len(how) > 0 {
		o = how[0]
	}
	a := argList{list: []string{"FORMAT parquet"}}
	if o.Compression == "" {
		o.Compression = "zstd"
	}
	a.option("COMPRESSION", o.Compression)
	if o.RowGroup < 0 {
		return fmt.Errorf("frame: WriteParquet: ParquetOut.RowGroup is %d; it must not be negative", o.RowGroup)
	}
	if o.RowGroup > 0 {
		a.list = append(a.list, fmt.Sprintf("ROW_GROUP_SIZE %d", o.RowGroup))
	}
	return f.write(ctx, "WriteParquet", path, a, len(how), o.PartitionBy, o.Overwrite)
}

// JSONOut is how WriteJSON writes.
type JSONOut struct {
	// Array writes one array instead of an object a line.
	Array bool
	// Compression is "gzip", "zstd" or "none". Defaults to what the path ends
	// with: .gz, .zst.
	Compression string
}

// WriteJSON runs the frame and writes its rows as JSON objects, one a line.
// The file is written under another name in the same directory and renamed
// when it is whole. At most one JSONOut says how.
func (f *Frame) WriteJSON(ctx context.Context, path string, how ...JSONOut) error {
	var o JSONOut
	if len(how) > 0 {
		o = how[0]
	}
	a := argList{list: []string{"FORMAT json", fmt.Sprintf("ARRAY %t", o.Array)}}
	a.option("COMPRESSION", compression(o.Compression, path))
	return f.write(ctx, "WriteJSON", path, a, len(how), nil, false)
}

func (a *argList) option(name, v string) {
	if v == "" {
		return
	}
	q, err := quoteText(v)
	if err != nil && a.err == nil {
		a.err = err
	}
	a.list = append(a.list, name+" "+q)
}

func compression(said, path string) string {
	switch {
	case said != "":
		return said
	case strings.HasSuffix(path, ".gz"):
		return "gzip"
	case strings.HasSuffix(path, ".zst"):
		return "zstd"
	}
	return "none"
}

func (f *Frame) write(ctx context.Context, verb, path string, a argList, hows int, partition []string, overwrite bool) error {
	switch {
	case hows > 1:
		return fmt.Errorf("frame: %s: it takes one set of options", verb)
	case a.err != nil:
		return fmt.Errorf("frame: %s: %w", verb, a.err)
	case path == "":
		return fmt.Errorf("frame: %s: the path is empty", verb)
	}
	path, err := filepath.Abs(path)
	if err != nil {
		return fmt.Errorf("frame: %s: %w", verb, err)
	}
	info, err := os.Stat(path)
	switch {
	case err == nil && len(partition) == 0 && info.IsDir():
		return fmt.Errorf("frame: %s: %s is a directory; give the path of a file, or set PartitionBy", verb, path)
	case err == nil && len(partition) > 0 && !overwrite:
		if left, err := os.ReadDir(path); err != nil || len(left) > 0 {
			return fmt.Errorf("frame: %s: %s is there and not an empty directory; set Overwrite to replace it", verb, path)
		}
	case err != nil && !errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("frame: %s: %w", verb, err)
	}
	r, err := begin(ctx, f)
	if err != nil {
		return err
	}
	defer r.end()
	sql, err := r.compile(f.n)
	if err != nil {
		return err
	}
	names := make([]string, len(r.cols))
	var casts []string
	for i, c := range r.cols {
		names[i] = c.name
		if q, err := quoteName(c.name); err == nil && (r.typ(i).id == mapping.TypeHugeInt || r.typ(i).id == mapping.TypeUHugeInt) {
			casts = append(casts, "CAST("+q+" AS DECIMAL(38,0)) AS "+q)
		}
	}
	if verb == "WriteParquet" && len(casts) > 0 {
		sql = "SELECT * REPLACE (" + strings.Join(casts, ", ") + ")\nFROM (\n" + sql + "\n)"
	}
	if len(partition) > 0 {
		list, err := nameList(scope{"", names, nil}, partition)
		if err != nil {
			return fmt.Errorf("frame: %s: PartitionBy: %w", verb, err)
		}
		if len(list) == len(names) {
			return fmt.Errorf("frame: %s: PartitionBy names all columns, so that none is left for the files", verb)
		}
		a.list = append(a.list, "PARTITION_BY ("+strings.Join(list, ", ")+")")
	} else {
		a.list = append(a.list, "USE_TMP_FILE false")
	}
	temp, remove, err := tempName(path)
	if err != nil {
		return fmt.Errorf("frame: %s: %w", verb, err)
	}
	defer remove()
	target, err := quoteText(temp)
	if err != nil {
		return fmt.Errorf("frame: %s: %w", verb, err)
	}
	if _, err := r.exec("COPY (\n" + sql + "\n) TO " + target + " (" + strings.Join(a.list, ", ") + ")"); err != nil {
		return err
	}
	if err := r.done(); err != nil {
		return err
	}
	if ctx.Err() != nil {
		return stopped(ctx)
	}
	if err := replaceBy(temp, path); err != nil {
		return fmt.Errorf("frame: %s: %w", verb, err)
	}
	return nil
}

// tempName returns a name beside path that nothing has. It is in a directory of
// its own, which remove removes with all that is in it.
func tempName(path string) (name string, remove func(), err error) {
	dir, err := os.MkdirTemp(filepath.Dir(path), "."+filepath.Base(path)+".weft-*")
	if err != nil {
		return "", nil, err
	}
	return filepath.Join(dir, filepath.Base(path)), func() { _ = os.RemoveAll(dir) }, nil
}

// replaceBy puts what is at temp to path, once it is on the disk.
func replaceBy(temp, path string) error {
	if _, err := os.Stat(temp); errors.Is(err, fs.ErrNotExist) {
		if err := os.Mkdir(temp, 0o755); err != nil { // no rows, no partitions
			return err
		}
	}
	err := filepath.WalkDir(temp, func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		f, err := os.OpenFile(name, os.O_RDWR, 0)
		if err != nil {
			return err
		}
		return errors.Join(f.Sync(), f.Close())
	})
	if err != nil {
		return err
	}
	if info, err := os.Stat(path); err == nil && info.IsDir() {
		old := filepath.Join(filepath.Dir(temp), "old")
		if err := os.Rename(path, old); err != nil {
			return err
		}
		if err := os.Rename(temp, path); err != nil {
			return errors.Join(err, os.Rename(old, path))
		}
		return syncDir(filepath.Dir(path))
	}
	if err := os.Rename(temp, path); err != nil {
		return err
	}
	return syncDir(filepath.Dir(path))
}

// syncDir has the names in a directory on the disk. Systems that can't sync a
// directory are left alone.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	_ = d.Sync()
	return d.Close()
}
