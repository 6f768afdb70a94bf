package npy

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/weft-go/weft/internal/dtype"
)

// The classes of errors. Others are those of the system.
var (
	ErrFormat    = errors.New("not a well-formed .npy file")
	ErrType      = errors.New("another element type")
	ErrTruncated = errors.New("truncated")
)

const (
	magic      = "\x93NUMPY"
	maxHeader  = 1 << 20 // bytes; NumPy itself refuses more than 10,000 unless told otherwise
	maxDims    = 64      // NumPy's own limit
	alignment  = 64      // the elements start at a multiple
	axisGrowth = 21      // digits NumPy keeps free, so that an axis can grow in place
)

// Header is what a file says of its array.
type Header struct {
	Shape   []int // no axis: one element
	Fortran bool  // the first axis is the one that varies fastest
	Kind    dtype.Kind
	Big     bool  // big endian
	Offset  int64 // of the first element, in bytes from the start
}

// Elements is how many there are.
func (h Header) Elements() int {
	n := 1
	for _, s := range h.Shape {
		n *= s
	}
	return n
}

// Bytes is what the elements take.
func (h Header) Bytes() int64 { return int64(h.Elements()) * int64(h.Kind.Size()) }

// ReadHeader reads the header of an array and leaves r at its first element.
func ReadHeader(r io.Reader) (Header, error) {
	var start [12]byte
	if n, err := io.ReadFull(r, start[:8]); err != nil {
		return Header{}, short(err, fmt.Sprintf("the first 8 bytes, %d are there", n))
	}
	if string(start[:6]) != magic {
		return Header{}, fmt.Errorf("%w: it starts with %q, not with %q", ErrFormat, start[:6], magic)
	}
	major := start[6]
	width := 4
	switch major {
	case 1:
		width = 2
	case 2, 3:
	default:
		return Header{}, fmt.Errorf("%w: version %d.%d; 1.0, 2.0 and 3.0 are known", ErrFormat, major, start[7])
	}
	if n, err := io.ReadFull(r, start[8:8+width]); err != nil {
		return Header{}, short(err, fmt.Sprintf("the length of the header, %d of %d bytes are there", n, width))
	}
	size := int64(binary.LittleEndian.Uint16(start[8:]))
	if width == 4 {
		size = int64(binary.LittleEndian.Uint32(start[8:]))
	}
	if size > maxHeader {
		return Header{}, fmt.Errorf("%w: a header of %d bytes; at most %d are read", ErrFormat, size, maxHeader)
	}
	text, err := io.ReadAll(io.LimitReader(r, size))
	if err != nil {
		return Header{}, err
	}
	if int64(len(text)) < size {
		return Header{}, fmt.Errorf("%w: %d bytes of a header of %d: %w", ErrFormat, len(text), size, ErrTruncated)
	}
	if major == 3 && !utf8.Valid(text) {
		return Header{}, fmt.Errorf("%w: the header of version 3 is not UTF-8", ErrFormat)
	}
	h, err := parseHeader(string(text))
	if err != nil {
		return Header{}, err
	}
	h.Offset = int64(8+width) + size
	return h, nil
}

func short(err error, what string) error {
	if err == io.EOF || err == io.ErrUnexpectedEOF {
		return fmt.Errorf("%w: it ends within %s: %w", ErrFormat, what, ErrTruncated)
	}
	return err
}

// parseHeader reads the Python dictionary: strings, True and False, and a
// tuple of numbers, which is all that a header has.
func parseHeader(text string) (Header, error) {
	p := parser{rest: text}
	var h Header
	var code string
	seen := map[string]bool{}
	p.take("{")
	for p.err == nil && !p.peek("}") {
		key := p.str()
		p.take(":")
		if seen[key] {
			p.fail("the key %q is there twice", key)
		}
		seen[key] = true
		switch key {
		case "descr":
			if p.peek("[") {
				return Header{}, fmt.Errorf("%w: it holds records with named fields; an array has elements of one of %s: save each field by itself", ErrType, dtype.Supported)
			}
			code = p.str()
		case "fortran_order":
			h.Fortran = p.boolean()
		case "shape":
			h.Shape = p.tuple()
		default:
			p.fail("the unknown key %q", key)
		}
		if !p.peek("}") {
			p.take(",")
		}
	}
	p.take("}")
	p.space()
	if p.err == nil && p.rest != "" {
		p.fail("%q behind the closing brace", clip(p.rest))
	}
	for _, key := range []string{"descr", "fortran_order", "shape"} {
		if p.err == nil && !seen[key] {
			p.fail("no key %q", key)
		}
	}
	if p.err != nil {
		return Header{}, fmt.Errorf("%w: its header has %w", ErrFormat, p.err)
	}
	var err error
	if strings.TrimLeft(code, "<>|=") == "O" {
		return Header{}, fmt.Errorf("%w: it holds Python objects, which only Python can read, by running code that the file names; convert it there with astype", ErrType)
	}
	if h.Kind, h.Big, err = dtype.Parse(code); err != nil {
		return Header{}, fmt.Errorf("%w: %w; convert it with NumPy's astype", ErrType, err)
	}
	if err := checkShape(h.Shape, h.Kind); err != nil {
		return Header{}, fmt.Errorf("%w: %w", ErrFormat, err)
	}
	return h, nil
}

// checkShape refuses what does not fit an address space, zero axes not
// counted: views of such an array would not either.
func checkShape(shape []int, k dtype.Kind) error {
	if len(shape) > maxDims {
		return fmt.Errorf("%d axes; at most %d", len(shape), maxDims)
	}
	n := int64(k.Size())
	for _, s := range shape {
		if s < 0 {
			return fmt.Errorf("shape %v has a negative axis", shape)
		}
		if s > 0 {
			if n > math.MaxInt64/int64(s) || int64(int(n*int64(s))) != n*int64(s) {
				return fmt.Errorf("shape %v of %s has more bytes than an address", shape, k)
			}
			n *= int64(s)
		}
	}
	return nil
}

func clip(s string) string {
	if len(s) > 40 {
		return s[:40] + "..."
	}
	return s
}

type parser struct {
	rest string
	err  error // what is there instead
}

func (p *parser) fail(format string, args ...any) {
	if p.err == nil {
		p.err = fmt.Errorf(format, args...)
	}
	p.rest = ""
}

func (p *parser) space() { p.rest = strings.TrimLeft(p.rest, " \t\r\n") }

func (p *parser) peek(s string) bool {
	p.space()
	return strings.HasPrefix(p.rest, s)
}

func (p *parser) take(s string) {
	if !p.peek(s) {
		p.fail("%q where %q is expected", clip(p.rest), s)
		return
	}
	p.rest = p.rest[len(s):]
}

func (p *parser) str() string {
	p.space()
	if p.rest == "" || p.rest[0] != '\'' && p.rest[0] != '"' {
		p.fail("%q where a string is expected", clip(p.rest))
		return ""
	}
	quote := p.rest[:1]
	text, rest, ok := strings.Cut(p.rest[1:], quote)
	if !ok || strings.Contains(text, `\`) {
		p.fail("a string without end, or with an escape: %q", clip(p.rest))
		return ""
	}
	p.rest = rest
	return text
}

func (p *parser) boolean() bool {
	switch {
	case p.peek("True"):
		p.rest = p.rest[len("True"):]
		return true
	case p.peek("False"):
		p.rest = p.rest[len("False"):]
		return false
	}
	p.fail("%q where True or False is expected", clip(p.rest))
	return false
}

func (p *parser) tuple() []int {
	shape := []int{}
	p.take("(")
	for p.err == nil && !p.peek(")") {
		end := strings.IndexFunc(p.rest, func(r rune) bool { return r != '-' && (r < '0' || r > '9') })
		if end <= 0 {
			p.fail("%q where a number is expected", clip(p.rest))
			return nil
		}
		n, err := strconv.ParseInt(p.rest[:end], 10, strconv.IntSize)
		if err != nil {
			p.fail("the axis %s, which is no int", clip(p.rest[:end]))
			return nil
		}
		p.rest = strings.TrimPrefix(p.rest[end:], "L") // Python 2
		shape = append(shape, int(n))
		if len(shape) > maxDims {
			p.fail("more than %d axes", maxDims)
			return nil
		}
		if !p.peek(")") {
			p.take(",")
		} else if len(shape) == 1 { // (3) is a number in Python, (3,) a tuple
			p.fail("(%d), a number in brackets, where a tuple is expected", n)
		}
	}
	p.take(")")
	return shape
}

// appendHeader adds the header as NumPy writes it.
func appendHeader(b []byte, shape []int, fortran bool, k dtype.Kind) []byte {
	text := []byte("{'descr': '" + k.Code(false) + "', 'fortran_order': ")
	if fortran {
		text = append(text, "True"...)
	} else {
		text = append(text, "False"...)
	}
	text = append(text, ", 'shape': ("...)
	for i, s := range shape {
		if i > 0 {
			text = append(text, ' ')
		}
		text = strconv.AppendInt(text, int64(s), 10)
		if len(shape) == 1 || i < len(shape)-1 {
			text = append(text, ',')
		}
	}
	text = append(text, "), }"...)
	if len(shape) > 0 {
		grows := shape[0]
		if fortran {
			grows = shape[len(shape)-1]
		}
		text = append(text, strings.Repeat(" ", axisGrowth-len(strconv.Itoa(grows)))...)
	}
	// 64 axes of 19 digits stay far below the 65,535 bytes of version 1.
	for (10+len(text)+1)%alignment != 0 {
		text = append(text, ' ')
	}
	text = append(text, '\n')
	b = append(b, magic...)
	b = append(b, 1, 0)
	b = binary.LittleEndian.AppendUint16(b, uint16(len(text)))
	return append(b, text...)
}
