//go:build cgo

package frame

import (
	"fmt"
	"sort"
	"strconv"
	"strings"
)

// BadLines is what becomes of lines of a file that can't be read.
type BadLines int

const (
	FailBad BadLines = iota // the query ends with an error that names file, line and column
	SkipBad                 // they are left out
)

// CSV is how files of comma separated values are read. Of what is not set the
// engine makes a guess from the first 20480 rows.
type CSV struct {
	// Delimiter is between the values: "," ";" "\t" "|".
	// Defaults to a guess.
	Delimiter string
	// Quote is around values that have a delimiter in them, and Escape before
	// a quote in them. Defaults to a guess.
	Quote, Escape string
	// Comment begins lines that are left out.
	// Defaults to a guess.
	Comment string
	// Header says whether the first line has the names of the columns.
	// Defaults to a guess.
	Header *bool
	// Skip is how many lines to leave out at the begin of each file.
	// Defaults to what looks like a preamble.
	Skip int
	// Columns are all columns of the files, in order, with their types; then nothing
	// is guessed of them.
	// Defaults to the header's.
	Columns []Column
	// Types are the types of some columns, by name.
	// Defaults to a guess.
	Types map[string]Type
	// Nulls are the texts that stand for null.
	// Defaults to the empty one.
	Nulls []string
	// DateFormat and TimestampFormat are as strptime has them: "%d/%m/%Y".
	// Default to a guess.
	DateFormat, TimestampFormat string
	// Decimal is the point of numbers: "," in much of Europe.
	// Defaults to ".".
	Decimal string
	// Encoding is "utf-8", "utf-16" or "latin-1".
	// Defaults to utf-8.
	Encoding string
	// Compression is "gzip", "zstd" or "none".
	// Defaults to what the names of the files end with: .gz, .zst.
	Compression string
	// PathColumn is the name of a further column, with the path of the file.
	// Defaults to none.
	PathColumn string
	// UnionByName matches the columns of several files by name rather than by
	// place; those that a file lacks are null there. It looks into every file first.
	// Defaults to by place, as the first file has them.
	UnionByName bool
	// FillMissing reads lines that have too few values, as if nulls followed.
	// Defaults to such lines being bad.
	FillMissing bool
	// AllText leaves all columns texts.
	// Defaults to a guess of types.
	AllText bool
	// Sample is how many rows to look at for the guess; -1 is all.
	// Defaults to 20480.
	Sample int
	// MaxLine is how many bytes a line may have.
	// Defaults to 2 MB.
	MaxLine int
	// Bad is what becomes of bad lines.
	// Defaults to FailBad.
	Bad BadLines
	// OnBad is called for each bad line, after the query's last row, and the
	// line is left out. The engine keeps them in memory until then.
	// Defaults to Bad.
	OnBad func(BadLine)
}

// BadLine is a line that could not be read.
type BadLine struct {
	File   string
	Line   int64  // from 1
	Column string // "" if it is the whole line
	Text   string // the line
	Reason string
}

// ReadCSV makes a frame of files of comma separated values: a path, or a glob
// such as "logs/**/*.csv.gz". At most one CSV says how.
func ReadCSV(glob string, how ...CSV) *Frame {
	var c CSV
	var err error
	switch len(how) {
	case 0:
	case 1:
		c = how[0]
	default:
		err = fmt.Errorf("%d CSVs; it takes one", len(how))
	}
	args, argErr := c.args()
	if err == nil {
		err = argErr
	}
	s := readStep{call: "ReadCSV", files: []string{glob}, reader: "read_csv", args: args}
	if c.OnBad != nil {
		s.csv = &c
	}
	return source(s, err)
}

// argList collects named arguments.
type argList struct {
	list []string
	err  error
}

func (a *argList) text(name, v string) {
	if v == "" {
		return
	}
	q, err := quoteText(v)
	a.raw(name, q, err)
}

func (a *argList) flag(name string, on bool) {
	if on {
		a.raw(name, "true", nil)
	}
}

func (a *argList) raw(name, sql string, err error) {
	if err != nil && a.err == nil {
		a.err = err
	}
	a.list = append(a.list, name+" = "+sql)
}

func (c CSV) args() ([]string, error) {
	var a argList
	a.text("delim", c.Delimiter)
	a.text("quote", c.Quote)
	a.text("escape", c.Escape)
	a.text("comment", c.Comment)
	if c.Header != nil {
		a.raw("header", strconv.FormatBool(*c.Header), nil)
	}
	if c.Skip < 0 {
		return nil, fmt.Errorf("CSV.Skip is %d; it must not be negative", c.Skip)
	}
	if c.Skip > 0 {
		a.raw("skip", strconv.Itoa(c.Skip), nil)
	}
	if len(c.Columns) > 0 && c.Delimiter != "" && c.Header != nil {
		a.raw("auto_detect", "false", nil) // all is said
	}
	if len(c.Columns) > 0 {
		t, err := typesSQL(c.Columns)
		a.raw("columns", t, err)
	}
	if len(c.Types) > 0 {
		t, err := typesSQL(sorted(c.Types))
		a.raw("types", t, err)
	}
	if len(c.Nulls) > 0 {
		l, err := literal(c.Nulls)
		a.raw("nullstr", l, err)
	}
	a.text("dateformat", c.DateFormat)
	a.text("timestampformat", c.TimestampFormat)
	a.text("decimal_separator", c.Decimal)
	a.text("encoding", c.Encoding)
	a.text("compression", c.Compression)
	a.text("filename", c.PathColumn)
	a.flag("union_by_name", c.UnionByName)
	a.flag("null_padding", c.FillMissing)
	a.flag("all_varchar", c.AllText)
	switch {
	case c.Sample < -1:
		return nil, fmt.Errorf("CSV.Sample is %d; it must be more than 0, -1 for all rows, or 0 for the default", c.Sample)
	case c.Sample != 0:
		a.raw("sample_size", strconv.Itoa(c.Sample), nil)
	}
	switch {
	case c.MaxLine < 0:
		return nil, fmt.Errorf("CSV.MaxLine is %d bytes; it must not be negative", c.MaxLine)
	case c.MaxLine > 0:
		a.raw("max_line_size", strconv.Itoa(c.MaxLine), nil)
	}
	switch {
	case c.Bad != FailBad && c.Bad != SkipBad:
		return nil, fmt.Errorf("CSV.Bad is %d; it is FailBad or SkipBad", c.Bad)
	case c.OnBad != nil:
		a.flag("store_rejects", true)
	case c.Bad == SkipBad:
		a.flag("ignore_errors", true)
	}
	return a.list, a.err
}

func sorted(types map[string]Type) []Column {
	var out []Column
	for name, t := range types {
		out = append(out, Column{name, t})
	}
	sort.Slice(out, func(i, j int) bool { return out[i].Name < out[j].Name })
	return out
}

func typesSQL(cols []Column) (string, error) {
	parts := make([]string, len(cols))
	for i, c := range cols {
		name, err := quoteText(c.Name)
		if err != nil {
			return "", err
		}
		if strings.ContainsRune(c.Name, 0) {
			return "", fmt.Errorf("the name %q has a zero byte in it", c.Name)
		}
		t, err := checkType(c.Type)
		if err != nil {
			return "", err
		}
		parts[i] = name + ": '" + t + "'"
	}
	return "{" + strings.Join(parts, ", ") + "}", nil
}

// done is for the end of the rows: it tells of the bad lines of files.
func (r *run) done() error {
	if len(r.csvs) == 0 {
		return nil
	}
	r.finish()
	if err := r.prepare(`SELECT s.file_path, e.line, coalesce(e.column_name, ''), coalesce(e.csv_line, ''), e.error_message FROM reject_errors e JOIN reject_scans s USING (scan_id, file_id) ORDER BY ALL`); err != nil {
		return r.explain(err)
	}
	if err := r.query(); err != nil {
		return err
	}
	return r.badLines()
}
