package memo

import (
	"errors"
	"fmt"
)

var (
	// ErrGone is that the entry behind a [Ref] is not there any more.
	ErrGone = errors.New("the entry has been removed; call Ref again to compute it anew")
	// ErrRecursion is that a function needs its own result for the same
	// argument.
	ErrRecursion = errors.New("the function calls itself with the same argument, which would never end")
)

// ArgumentError is an argument that has no key: it holds a channel, a cycle or
// the like, or a [File] that can't be read.
type ArgumentError struct {
	Function string
	Err      error // names the field
}

func (e *ArgumentError) Error() string {
	return fmt.Sprintf("memo: %s: the argument has no key: %v; leave the field out with the tag memo:\"-\" or memo.Ignore, or say with memo.Key what counts", e.Function, e.Err)
}

// Unwrap returns the cause.
func (e *ArgumentError) Unwrap() error { return e.Err }

// ResultError is a result that can't be stored. The call that found out
// returns the function's result as well, if the function has run.
type ResultError struct {
	Function string
	Err      error // names the field
}

func (e *ResultError) Error() string {
	return fmt.Sprintf("memo: %s: the result can't be stored: %v; return plain data, or tag the field memo:\"-\" to have it empty in stored results", e.Function, e.Err)
}

// Unwrap returns the cause.
func (e *ResultError) Unwrap() error { return e.Err }

// WrapError is a function, or an option for it, that can't be used. Every call
// of the wrapped function returns it.
type WrapError struct {
	Function string
	Why      string
}

func (e *WrapError) Error() string { return fmt.Sprintf("memo: %s: %s", e.Function, e.Why) }
