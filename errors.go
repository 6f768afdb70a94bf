package weft

import (
	"errors"
	"fmt"
	"strings"
	"time"
)

// ItemError is the failure of one item. Every error that an item causes,
// panics included, reaches the caller inside one.
type ItemError struct {
	// Index is the item's place in the input, counted from 0.
	Index int
	// Err is what the function returned, or a *PanicError, or why the item
	// did not run.
	Err error
}

func (e *ItemError) Error() string { return fmt.Sprintf("item %d: %v", e.Index, e.Err) }

// Unwrap returns the cause, so errors.Is and errors.AsType see through.
func (e *ItemError) Unwrap() error { return e.Err }

// PanicError is a panic in a user's function, kept as a value so that it
// neither kills the program from another goroutine nor is lost.
type PanicError struct {
	// Value is what was passed to panic; nil when the function ended its
	// goroutine with runtime.Goexit.
	Value any
	// Stack is the stack at the panic, as debug.Stack prints it.
	Stack []byte
}

func (e *PanicError) Error() string {
	if e.Value == nil {
		return "the function called runtime.Goexit; return an error instead (t.FailNow and log.Fatal belong outside)\n" + string(e.Stack)
	}
	return fmt.Sprintf("panic: %v\n%s", e.Value, e.Stack)
}

// Unwrap returns the panic's value where it is an error.
func (e *PanicError) Unwrap() error {
	err, _ := e.Value.(error)
	return err
}

// BackOff is an error that a function returns, or wraps, to say that the
// other side asks for less: an HTTP 429, a throttled API. Weft halves the
// number of items in flight and starts none until After has passed. The item
// itself has failed; with [Retry] it is tried again.
//
//	return nil, fmt.Errorf("GET %s: %w", url, weft.BackOff{After: wait})
type BackOff struct {
	// After is how long to start nothing new. Defaults to 0: only the
	// concurrency is halved.
	After time.Duration
}

func (b BackOff) Error() string {
	if b.After > 0 {
		return fmt.Sprintf("asked to back off for %v", b.After)
	}
	return "asked to back off"
}

// ErrPermanent is an error that a function wraps to say that another attempt
// would end the same way: an HTTP 404, a malformed file. [Retry] then gives the
// item up at once.
//
//	return nil, fmt.Errorf("GET %s: %s: %w", url, resp.Status, weft.ErrPermanent)
var ErrPermanent = errors.New("not worth another attempt")

// itemErrors is every failure of a KeepGoing run, in input order.
type itemErrors []*ItemError

const shownErrors = 10

func (es itemErrors) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%d items failed", len(es))
	if len(es) == 1 {
		b.Reset()
		b.WriteString("1 item failed")
	}
	for i, e := range es {
		if i == shownErrors {
			fmt.Fprintf(&b, "\n... and %d more", len(es)-i)
			break
		}
		b.WriteString("\n")
		b.WriteString(e.Error())
	}
	return b.String()
}

// Unwrap returns the failures, so errors.Is and errors.AsType look at each.
func (es itemErrors) Unwrap() []error {
	out := make([]error, len(es))
	for i, e := range es {
		out[i] = e
	}
	return out
}

// stopCause is the cause with which the other items of a failed run are
// cancelled.
type stopCause struct{ err error }

func (s stopCause) Error() string { return "weft: stopped because " + s.err.Error() }
func (s stopCause) Unwrap() error { return s.err }

var errBroke = errors.New("weft: the loop over the stream was left")
