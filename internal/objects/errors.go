package objects

import (
	"errors"
	"fmt"
)

var (
	// ErrRef marks a reference that this store did not give out: it is not
	// well formed, or it leads out of the store's prefix. It is refused before
	// anything is read.
	ErrRef = errors.New("not a reference of this store")
	// ErrMissing marks a reference whose object is not there (any more).
	ErrMissing = errors.New("object is missing")
	// ErrContent marks an object that is not what its reference says: another
	// length, other bytes, or sealed with another key.
	ErrContent = errors.New("object has other content than its reference says")
)

// Error is a failed operation on one object or prefix. It wraps the cause,
// one of the marks above among them.
type Error struct {
	Op    string // "put", "get", "list", "delete", "open"
	Path  string // below the store's URL; "" for the store itself
	Store string // the URL, without credentials
	Tries int    // how often it was tried; 0 if it was refused
	Err   error
}

func (e *Error) Error() string {
	where := e.Store
	if e.Path != "" {
		where = fmt.Sprintf("%q in %s", e.Path, e.Store)
	}
	times := ""
	if e.Tries > 1 {
		times = fmt.Sprintf(" (tried %d times)", e.Tries)
	}
	return fmt.Sprintf("objects: %s %s%s: %v", e.Op, where, times, e.Err)
}

func (e *Error) Unwrap() error { return e.Err }
