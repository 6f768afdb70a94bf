package array

import (
	"errors"
	"fmt"
	"runtime"
	"strings"
)

// Error says what is wrong with a call that built an array, and where it is.
type Error struct {
	Call string // the function or method: "Add"
	At   string // file:line of the call, "" if not known
	Err  error
}

func (e *Error) Error() string {
	var b strings.Builder
	b.WriteString("array: " + e.Call)
	if e.At != "" {
		b.WriteString(" at " + e.At)
	}
	b.WriteString(": " + e.Err.Error())
	return b.String()
}

// Unwrap is Err.
func (e *Error) Unwrap() error { return e.Err }

var (
	// ErrShape marks shapes, axes and indexes that do not fit.
	ErrShape = errors.New("shapes do not fit")
	// ErrType marks an operation that the element type does not have.
	ErrType = errors.New("no such operation on this type")
	// ErrTooLarge marks a result that has no room in the memory limit.
	ErrTooLarge = errors.New("the result is larger than the memory limit")
)

// marked is an error with a text of its own that errors.Is finds as mark.
type marked struct {
	text string
	mark error
}

func (m *marked) Error() string { return m.text }
func (m *marked) Unwrap() error { return m.mark }

func shapeError(format string, args ...any) error {
	return &marked{fmt.Sprintf(format, args...), ErrShape}
}

func typeError(format string, args ...any) error {
	return &marked{fmt.Sprintf(format, args...), ErrType}
}

// place is where the user's code called the package.
type place uintptr

const packagePath = "github.com/weft-go/weft/array"

// here is the first caller outside of the package.
func here() place {
	var pcs [12]uintptr
	n := runtime.Callers(3, pcs[:])
	for _, pc := range pcs[:n] {
		f := runtime.FuncForPC(pc - 1)
		if f == nil {
			continue
		}
		if file, _ := f.FileLine(pc - 1); !strings.HasPrefix(f.Name(), packagePath+".") || strings.HasSuffix(file, "_test.go") {
			return place(pc)
		}
	}
	return 0
}

func (p place) String() string {
	if p == 0 {
		return ""
	}
	f, _ := runtime.CallersFrames([]uintptr{uintptr(p)}).Next()
	if f.File == "" {
		return ""
	}
	return fmt.Sprintf("%s:%d", f.File, f.Line)
}
