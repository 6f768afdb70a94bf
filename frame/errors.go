//go:build cgo

package frame

import (
	"errors"
	"fmt"
	"reflect"
	"strings"
	"time"

	"github.com/weft-go/weft/internal/near"
)

var (
	// ErrMemory marks that a query needs more memory than the engine may have.
	ErrMemory = errors.New("out of memory")
	// ErrSpill marks that there is no room left to spill.
	ErrSpill = errors.New("no room to spill")
	// ErrClosed marks a call of an engine that was closed.
	ErrClosed = errors.New("the engine is closed")
	// ErrNull marks a null where the Go type has no place for one.
	ErrNull = errors.New("null")
	// ErrRange marks a number that the Go type can't hold.
	ErrRange = errors.New("out of range")
)

// Error says what is wrong, and at which call.
type Error struct {
	Call   string // the method or function: "Filter"
	At     string // file:line of the call, "" if not known
	Column string // the column that is not there, "" if it is something else
	File   string // the file that could not be read, "" if it is something else
	Line   int64  // its line, from 1; 0 if not known
	Err    error
}

// Error is one sentence, or several lines where the engine has more to say.
func (e *Error) Error() string {
	var b strings.Builder
	b.WriteString("frame: ")
	if e.Call != "" {
		b.WriteString(e.Call)
		if e.At != "" {
			b.WriteString(" at " + e.At)
		}
		b.WriteString(": ")
	}
	b.WriteString(e.Err.Error())
	return b.String()
}

// Unwrap is Err.
func (e *Error) Unwrap() error { return e.Err }

func noColumn(name string, names []string) string {
	s := fmt.Sprintf("no column %q", name)
	if n := near.To(name, names); n != "" {
		s += fmt.Sprintf("; did you mean %q?", n)
	} else {
		s += "."
	}
	const most = 20
	list := names
	if len(list) > most {
		list = list[:most]
	}
	quoted := make([]string, len(list))
	for i, n := range list {
		quoted[i] = fmt.Sprintf("%q", n)
	}
	s += " There are " + strings.Join(quoted, ", ")
	if more := len(names) - len(list); more > 0 {
		s += fmt.Sprintf(" and %d more", more)
	}
	return s
}

// kindOf sorts Go values into the kinds that FillNull tells apart.
func kindOf(v any) string {
	switch v.(type) {
	case time.Time:
		return "time"
	case Decimal:
		return "number"
	case nil:
		return ""
	}
	switch reflect.TypeOf(v).Kind() {
	case reflect.String:
		return "text"
	case reflect.Bool:
		return "bool"
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64, reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64, reflect.Float32, reflect.Float64:
		return "number"
	}
	return ""
}
