// Package items reads what a run is over: lines, arguments, files, rows.
package items

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"iter"
	"slices"
	"unicode/utf8"
)

// Item is one of the things to run a command for.
type Item struct {
	// Index counts from 0.
	Index int
	// Text is the item; of a CSV the row, written as CSV.
	Text string
	// Fields are the columns of a CSV's row, else nil.
	Fields []string
}

// Seq is a lazy source. An error is the last thing it yields.
type Seq = iter.Seq2[Item, error]

// Error is input that can not be read, said with the mend.
type Error struct{ Msg string }

func (e *Error) Error() string { return e.Msg }

func fail(format string, args ...any) error { return &Error{fmt.Sprintf(format, args...)} }

// Longest is the most bytes that a line may have. No system passes a longer
// argument to a program.
const Longest = 1 << 20

var bom = []byte("\uFEFF")

// Args yields the given items.
func Args(args []string) Seq {
	return func(yield func(Item, error) bool) {
		for i, a := range args {
			if !yield(Item{Index: i, Text: a}, nil) {
				return
			}
		}
	}
}

// Lines yields the lines of r, without their ends (\n or \r\n) and without the
// empty ones. Name is what errors call r.
func Lines(r io.Reader, name string) Seq {
	return records(r, name, '\n', func(b []byte, n int) ([]byte, bool, error) {
		if n == 1 {
			if utf16(b) {
				return nil, false, fail("%s is UTF-16; convert it first: iconv -f UTF-16 -t UTF-8", name)
			}
			b = bytes.TrimPrefix(b, bom)
		}
		b = bytes.TrimSuffix(b, []byte("\r"))
		if bytes.IndexByte(b, 0) >= 0 {
			return nil, false, fail("%s, line %d has a NUL byte in it, which no argument can hold; if the items are separated by NUL, add -0", name, n)
		}
		return b, len(b) > 0, nil
	})
}

// Records yields the NUL-separated records of r as they are, also empty ones.
func Records(r io.Reader, name string) Seq {
	return records(r, name, 0, func(b []byte, _ int) ([]byte, bool, error) { return b, true, nil })
}

func records(r io.Reader, name string, sep byte, clean func([]byte, int) ([]byte, bool, error)) Seq {
	return func(yield func(Item, error) bool) {
		in := bufio.NewReaderSize(r, 64<<10)
		index := 0
		for n := 1; ; n++ {
			b, err := record(in, sep)
			if errors.Is(err, errLong) {
				yield(Item{}, fail("%s, line %d is longer than %d bytes, more than any program takes as an argument; if the items are separated by NUL, add -0", name, n, Longest))
				return
			}
			if err != nil && !errors.Is(err, io.EOF) {
				yield(Item{}, fail("%s can not be read on after %d items: %v", name, index, err))
				return
			}
			end := err != nil
			if end && len(b) == 0 {
				return
			}
			b, keep, err := clean(b, n)
			if err != nil {
				yield(Item{}, err)
				return
			}
			if keep {
				if !yield(Item{Index: index, Text: string(b)}, nil) {
					return
				}
				index++
			}
			if end {
				return
			}
		}
	}
}

var errLong = errors.New("too long")

// record reads up to sep, which it drops. With io.EOF comes what was left.
func record(in *bufio.Reader, sep byte) ([]byte, error) {
	var long []byte
	for {
		b, err := in.ReadSlice(sep)
		if err == nil {
			b = b[:len(b)-1]
		}
		if len(long)+len(b) > Longest {
			return nil, errLong
		}
		if errors.Is(err, bufio.ErrBufferFull) {
			long = append(long, b...)
			continue
		}
		if long == nil {
			return b, err
		}
		return append(long, b...), err
	}
}

func utf16(b []byte) bool {
	return bytes.HasPrefix(b, []byte{0xff, 0xfe}) || bytes.HasPrefix(b, []byte{0xfe, 0xff})
}

// Valid reports whether the text of it can be shown as it is.
func (it Item) Valid() bool {
	return utf8.ValidString(it.Text) && !slices.Contains([]byte(it.Text), 0)
}
