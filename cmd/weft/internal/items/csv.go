package items

import (
	"bufio"
	"bytes"
	"encoding/csv"
	"errors"
	"io"
	"strconv"
	"strings"
)

// CSV says how a table is written.
type CSV struct {
	// Name is what errors call the table.
	Name string
	// Comma separates fields. Defaults to a comma.
	Comma rune
	// NoHeader: the first row is an item too, and columns have numbers only.
	NoHeader bool
}

// Table is an open table: its columns are known, its rows are read as they are
// asked for.
type Table struct {
	// Columns are the names in the header, empty strings without one.
	Columns []string
	rows    *csv.Reader
	first   []string
	opts    CSV
}

// Open reads so much of r that the columns are known.
func (o CSV) Open(r io.Reader) (*Table, error) {
	in := bufio.NewReader(r)
	start, err := in.Peek(3)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, fail("%s can not be read: %v", o.Name, cause(err))
	}
	if utf16(start) {
		return nil, fail("%s is UTF-16; convert it first: iconv -f UTF-16 -t UTF-8", o.Name)
	}
	if bytes.Equal(start, bom) {
		_, _ = in.Discard(len(bom))
	}
	rows := csv.NewReader(in)
	if o.Comma != 0 {
		rows.Comma = o.Comma
	}
	rows.FieldsPerRecord = 0 // all rows have as many as the first
	first, err := rows.Read()
	switch {
	case errors.Is(err, io.EOF) && o.NoHeader:
		return &Table{opts: o}, nil
	case errors.Is(err, io.EOF):
		return nil, fail("%s is empty: there is no row with the names of the columns", o.Name)
	case err != nil:
		return nil, o.explain(err, 0, 0)
	}
	t := &Table{Columns: first, rows: rows, opts: o}
	if o.NoHeader {
		t.Columns = make([]string, len(first))
		t.first = first
	} else {
		for i, c := range first {
			t.Columns[i] = strings.TrimSpace(c)
		}
	}
	return t, nil
}

// Rows yields the rows that follow the header. It can be ranged over once.
func (t *Table) Rows() Seq {
	return func(yield func(Item, error) bool) {
		if t.rows == nil {
			return
		}
		index := 0
		if t.first != nil {
			if !yield(t.item(0, t.first), nil) {
				return
			}
			index++
		}
		for {
			row, err := t.rows.Read()
			if errors.Is(err, io.EOF) {
				return
			}
			if err != nil {
				yield(Item{}, t.opts.explain(err, len(row), len(t.Columns)))
				return
			}
			for i, f := range row {
				if strings.IndexByte(f, 0) >= 0 {
					line, _ := t.rows.FieldPos(i)
					yield(Item{}, fail("%s, line %d has a NUL byte in it, which no argument can hold; remove it", t.opts.Name, line))
					return
				}
			}
			if !yield(t.item(index, row), nil) {
				return
			}
			index++
		}
	}
}

// Count reads the rest of the table and returns how many rows there are.
func (t *Table) Count() (int, error) {
	n := 0
	for _, err := range t.Rows() {
		if err != nil {
			return n, err
		}
		n++
	}
	return n, nil
}

func (t *Table) item(index int, row []string) Item {
	var b strings.Builder
	w := csv.NewWriter(&b)
	if t.opts.Comma != 0 {
		w.Comma = t.opts.Comma
	}
	_ = w.Write(row) // to memory
	w.Flush()
	return Item{Index: index, Text: strings.TrimSuffix(b.String(), "\n"), Fields: row}
}

func (o CSV) explain(err error, got, want int) error {
	pe, ok := errors.AsType[*csv.ParseError](err)
	if !ok {
		return fail("%s can not be read: %v", o.Name, cause(err))
	}
	switch {
	case errors.Is(pe.Err, csv.ErrFieldCount):
		return fail("%s, line %d has %d fields where the first row has %d; mend that line, quote a field with the separator in it, or set --delimiter",
			o.Name, pe.StartLine, got, want)
	case errors.Is(pe.Err, csv.ErrBareQuote), errors.Is(pe.Err, csv.ErrQuote):
		return fail(`%s, line %d, column %d: a quote in the wrong place; a field with quotes in it is written "so ""quoted"" here"`,
			o.Name, pe.Line, pe.Column)
	default:
		return fail("%s, line %s: %v", o.Name, strconv.Itoa(pe.Line), pe.Err)
	}
}

func cause(err error) error {
	for {
		next := errors.Unwrap(err)
		if next == nil {
			return err
		}
		err = next
	}
}
