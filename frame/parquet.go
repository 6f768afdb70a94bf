//go:build cgo

package frame

import (
	"fmt"
	"strings"
)

// Parquet is how Parquet files are read.
type Parquet struct {
	// Hive reads values from the names of directories, such as year=2024, as
	// columns. Filters on them leave whole directories out.
	// Defaults to what the paths look like.
	Hive *bool
	// HiveTypes are the types of such columns.
	// Defaults to a guess: DATE, TIMESTAMP, BIGINT, or VARCHAR.
	HiveTypes map[string]Type
	// UnionByName matches the columns of several files by name rather than by
	// place; those that a file lacks are null there.
	// Defaults to by place, as the first file has them.
	UnionByName bool
	// PathColumn is the name of a further column, with the path of the file.
	// Defaults to none.
	PathColumn string
}

// ReadParquet makes a frame of Parquet files: a path, or a glob such as
// "data/*/*.parquet". At most one Parquet says how. Only the columns that are
// needed are read, and of those only the row groups where a filter can be
// true.
func ReadParquet(glob string, how ...Parquet) *Frame {
	var p Parquet
	var err error
	if len(how) > 0 {
		p = how[0]
	}
	if len(how) > 1 {
		err = fmt.Errorf("%d Parquets; it takes one", len(how))
	}
	var a argList
	if p.Hive != nil {
		a.raw("hive_partitioning", fmt.Sprint(*p.Hive), nil)
	}
	if len(p.HiveTypes) > 0 {
		var parts []string
		for _, c := range sorted(p.HiveTypes) {
			name, e := quoteText(c.Name)
			t, e2 := checkType(c.Type)
			if e != nil || e2 != nil || strings.ContainsRune(c.Name, 0) {
				err = fmt.Errorf("Parquet.HiveTypes has %q: %q, which is no name and type", c.Name, c.Type)
			}
			parts = append(parts, name+": "+t)
		}
		a.raw("hive_types", "{"+strings.Join(parts, ", ")+"}", nil)
	}
	a.flag("union_by_name", p.UnionByName)
	a.text("filename", p.PathColumn)
	if err == nil {
		err = a.err
	}
	return source(readStep{call: "ReadParquet", files: []string{glob}, reader: "read_parquet", args: a.list}, err)
}

// JSON is how files of JSON are read. Of what is not set the engine makes a
// guess from the first 20480 objects.
type JSON struct {
	// Format is "lines" for an object a line, or "array" for one array of
	// objects.
	// Defaults to a guess.
	Format string
	// Columns are the columns, with their types; others are left out.
	// Defaults to all that the sampled objects have.
	Columns []Column
	// Compression is "gzip", "zstd" or "none".
	// Defaults to what the names of the files end with: .gz, .zst.
	Compression string
	// UnionByName looks into all files for their columns, not only the first.
	UnionByName bool
	// PathColumn is the name of a further column, with the path of the file.
	// Defaults to none.
	PathColumn string
	// Sample is how many objects to look at for the guess; -1 is all.
	// Defaults to 20480.
	Sample int
	// SkipBad leaves lines out that are no JSON; it needs Format "lines".
	// Defaults to an error.
	SkipBad bool
}

// ReadJSON makes a frame of files of JSON objects: a path, or a glob. Their
// members are the columns; objects in them are structs, arrays lists. At most
// one JSON says how.
func ReadJSON(glob string, how ...JSON) *Frame {
	var j JSON
	var err error
	if len(how) > 0 {
		j = how[0]
	}
	if len(how) > 1 {
		err = fmt.Errorf("%d JSONs; it takes one", len(how))
	}
	var a argList
	switch j.Format {
	case "":
	case "lines":
		a.text("format", "newline_delimited")
	case "array":
		a.text("format", "array")
	default:
		err = fmt.Errorf("JSON.Format is %q; it is \"lines\" or \"array\"", j.Format)
	}
	if len(j.Columns) > 0 {
		t, e := typesSQL(j.Columns)
		a.raw("columns", t, e)
	}
	a.text("compression", j.Compression)
	a.flag("union_by_name", j.UnionByName)
	a.text("filename", j.PathColumn)
	a.flag("ignore_errors", j.SkipBad)
	switch {
	case j.Sample < -1:
		err = fmt.Errorf("JSON.Sample is %d; it must be more than 0, -1 for all, or 0 for the default", j.Sample)
	case j.Sample != 0:
		a.raw("sample_size", fmt.Sprint(j.Sample), nil)
	}
	if err == nil {
		err = a.err
	}
	return source(readStep{call: "ReadJSON", files: []string{glob}, reader: "read_json", args: a.list}, err)
}
