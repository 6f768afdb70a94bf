package crossing

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"runtime/debug"
	"time"

	"github.com/weft-go/weft"
)

// Failure is an error on its way to another process: its text, which of the
// known errors it is, and what it carries.
type Failure struct {
	Text    string
	Is      []string // texts of registered errors, names of standard ones
	BackOff bool
	After   time.Duration
	Timeout bool // has a method Timeout that says so
	Panic   bool
	Goexit  bool
	Value   string
	Cause   *Failure // what a panic's value is, if an error
	Stack   []byte
	Inner   *Failure // a panic that the error wraps
}

// standard are the errors that keep their identity without registration.
var standard = map[string]error{
	"context.Canceled":         context.Canceled,
	"context.DeadlineExceeded": context.DeadlineExceeded,
	"fs.ErrClosed":             fs.ErrClosed,
	"fs.ErrExist":              fs.ErrExist,
	"fs.ErrInvalid":            fs.ErrInvalid,
	"fs.ErrNotExist":           fs.ErrNotExist,
	"fs.ErrPermission":         fs.ErrPermission,
	"io.EOF":                   io.EOF,
	"io.ErrUnexpectedEOF":      io.ErrUnexpectedEOF,
	"os.ErrDeadlineExceeded":   os.ErrDeadlineExceeded,
	"weft.ErrLost":             weft.ErrLost,
	"weft.ErrPermanent":        weft.ErrPermanent,
}

// Pack takes an error apart. The error is the user's: its methods may panic,
// and what they do then is part of the failure.
func Pack(err error, registered map[string]error) (f *Failure) {
	defer func() {
		if v := recover(); v != nil {
			f = &Failure{Text: fmt.Sprintf("an error of type %T whose own methods panic: %v", err, v)}
		}
	}()
	f = &Failure{Text: err.Error()}
	if p, ok := err.(*weft.PanicError); ok { //nolint:errorlint // one that is wrapped keeps its text
		f.Panic, f.Goexit, f.Stack = true, p.Value == nil, p.Stack
		f.Value = valueText(p.Value)
		f.Text = ""
		if cause, ok := p.Value.(error); ok {
			f.Cause = Pack(cause, registered)
		}
		return f
	}
	for name, known := range standard {
		if errors.Is(err, known) {
			f.Is = append(f.Is, name)
		}
	}
	for text, known := range registered {
		if errors.Is(err, known) {
			f.Is = append(f.Is, text)
		}
	}
	if b, ok := errors.AsType[weft.BackOff](err); ok {
		f.BackOff, f.After = true, b.After
	}
	if t, ok := errors.AsType[interface {
		error
		Timeout() bool
	}](err); ok {
		f.Timeout = t.Timeout()
	}
	if p, ok := errors.AsType[*weft.PanicError](err); ok {
		f.Inner = Pack(p, registered)
	}
	return f
}

func valueText(v any) (s string) {
	defer func() {
		if recover() != nil {
			s = fmt.Sprintf("a value of type %T that can't be printed", v)
		}
	}()
	return fmt.Sprint(v)
}

// Unpack puts it together again, on the other side.
func (f *Failure) Unpack(registered map[string]error) error {
	if f.Panic {
		p := &weft.PanicError{Stack: f.Stack}
		switch {
		case f.Goexit:
		case f.Cause != nil:
			p.Value = f.Cause.Unpack(registered)
		default:
			p.Value = f.Value
		}
		return p
	}
	e := &remoteError{text: f.Text, timeout: f.Timeout}
	for _, name := range f.Is {
		if known := standard[name]; known != nil {
			e.is = append(e.is, known)
		} else if known := registered[name]; known != nil {
			e.is = append(e.is, known)
		}
	}
	if f.Inner != nil {
		e.is = append(e.is, f.Inner.Unpack(registered))
	}
	if f.BackOff {
		e.is = append(e.is, weft.BackOff{After: f.After})
	}
	return e
}

// remoteError is an error that was made in another process. It has the text
// of the original and is what that was of the known errors.
type remoteError struct {
	text    string
	is      []error
	timeout bool
}

func (e *remoteError) Error() string   { return e.text }
func (e *remoteError) Unwrap() []error { return e.is }
func (e *remoteError) Timeout() bool   { return e.timeout }

// NewPanic is the error for a value that was just recovered.
func NewPanic(v any) *weft.PanicError { return &weft.PanicError{Value: v, Stack: debug.Stack()} }
