package memo

import (
	"time"
)

// Option says more about one wrapped function.
type Option interface{ apply(*options) }

type option func(*options)

func (o option) apply(c *options) { o(c) }

type options struct {
	version   string
	versioned bool
	ignore    []string
	validate  func(Meta) bool
	expires   time.Duration
	key       any  // func(T) any
	open      bool // the argument may hold values of any type
}

// Version makes s stand for the function's code, in place of its sources or
// the binary: change s when results would change. It also allows to wrap
// function literals and methods, for whose captured values s then stands too.
// Defaults to the code itself.
func Version(s string) Option {
	return option(func(o *options) { o.version, o.versioned = s, true })
}

// Ignore leaves fields of the argument out of the key: "Verbose", or
// "Log.Level" for a field of a field. The tag memo:"-" does the same where the
// type is declared. A name that the argument does not have fails every call.
// Defaults to none.
func Ignore(fields ...string) Option {
	return option(func(o *options) { o.ignore = append(o.ignore, fields...) })
}

// Validate lets f have a look before a stored result is used; false is a miss.
// f is called for each hit, from several goroutines at once.
// Defaults to every result being used.
func Validate(f func(Meta) bool) Option {
	return option(func(o *options) { o.validate = f })
}

// ExpiresAfter makes a stored result a miss when it is older than d. It must
// be positive. A result from the future, from before a clock went back, is a
// miss too.
// Defaults to never.
func ExpiresAfter(d time.Duration) Option {
	return option(func(o *options) { o.expires = d })
}

// Key makes what f returns stand for the argument: arguments with the same
// result of f have the same key. f must be fast and may be called at any time.
// Defaults to the argument itself.
func Key[T any](f func(T) any) Option {
	return option(func(o *options) { o.key = f })
}
