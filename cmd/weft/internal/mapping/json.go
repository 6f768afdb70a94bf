package mapping

import (
	"bufio"
	"encoding/base64"
	"encoding/json"
	"io"
	"time"
	"unicode/utf8"

	"github.com/weft-go/weft"
	"github.com/weft-go/weft/cmd/weft/internal/joblog"
)

// jobLine is a job as --json writes it; stdout and stderr follow.
type jobLine struct {
	Type string `json:"type"` // "job"
	joblog.Entry
	Command []string `json:"command"`
}

// summaryLine is the last object that --json writes.
type summaryLine struct {
	Type string `json:"type"` // "summary"
	Summary
	Exit   int           `json:"exit"`
	Wall   time.Duration `json:"wall_ns"`
	Report *weft.Report  `json:"report,omitempty"`
}

// encode returns v as JSON without its line end.
func encode(v any) ([]byte, error) {
	b, err := marshal(v)
	if err != nil {
		return nil, err
	}
	return b[:len(b)-1], nil
}

// writeJob writes a job with its output, however long, in one line.
func writeJob(w io.Writer, j *job, line jobLine) error {
	head, err := encode(line)
	if err != nil {
		return err
	}
	b := bufio.NewWriterSize(w, 64<<10)
	_, _ = b.Write(head[:len(head)-1]) // bufio keeps the first error
	for _, o := range []struct {
		name string
		open func() io.Reader
	}{
		{"stdout", j.out.Reader},
		{"stderr", j.err.Reader},
	} {
		ok, err := valid(o.open())
		if err != nil {
			return err
		}
		if ok {
			_, _ = b.WriteString(`,"` + o.name + `":"`)
			err = writeEscaped(b, o.open())
		} else {
			_, _ = b.WriteString(`,"` + o.name + `_base64":"`)
			enc := base64.NewEncoder(base64.StdEncoding, b)
			if _, err = io.Copy(enc, o.open()); err == nil {
				err = enc.Close()
			}
		}
		if err != nil {
			return err
		}
		_ = b.WriteByte('"')
	}
	_, _ = b.WriteString("}\n")
	return b.Flush()
}

// valid reports whether all of r is UTF-8, which JSON strings are.
func valid(r io.Reader) (bool, error) {
	in := bufio.NewReaderSize(r, 64<<10)
	for {
		b, err := in.Peek(64 << 10)
		if len(b) == 0 {
			if err == io.EOF {
				err = nil
			}
			return err == nil, err
		}
		n := len(b)
		if err == nil { // a rune at the end may go on behind it
			for back := 1; back < utf8.UTFMax; back++ {
				if utf8.RuneStart(b[n-back]) {
					if !utf8.FullRune(b[n-back:]) {
						n -= back
					}
					break
				}
			}
		}
		if !utf8.Valid(b[:n]) {
			return false, nil
		}
		_, _ = in.Discard(n) // it was just peeked at
	}
}

const hex = "0123456789abcdef"

// writeEscaped writes UTF-8 as the inside of a JSON string.
func writeEscaped(b *bufio.Writer, r io.Reader) error {
	in := bufio.NewReaderSize(r, 32<<10)
	for {
		c, err := in.ReadByte()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		switch {
		case c == '"' || c == '\\':
			_, _ = b.Write([]byte{'\\', c})
		case c == '\n':
			_, _ = b.WriteString(`\n`)
		case c == '\t':
			_, _ = b.WriteString(`\t`)
		case c == '\r':
			_, _ = b.WriteString(`\r`)
		case c < 0x20:
			_, _ = b.WriteString(`\u00` + string([]byte{hex[c>>4], hex[c&15]}))
		default:
			err = b.WriteByte(c)
		}
		if err != nil {
			return err
		}
	}
}

func marshal(v any) ([]byte, error) {
	var w lines
	enc := json.NewEncoder(&w)
	enc.SetEscapeHTML(false)
	err := enc.Encode(v)
	return w, err
}

type lines []byte

func (l *lines) Write(p []byte) (int, error) {
	*l = append(*l, p...)
	return len(p), nil
}
