package weft

import (
	"fmt"
	"io"
	"reflect"
	"time"
)

// MapOption is an option of [Map], [Each] and [Explain].
type MapOption interface{ applyMap(*config) }

// StreamOption is an option of [Stream].
type StreamOption interface{ applyStream(*config) }

// ReduceOption is an option of [Reduce].
type ReduceOption interface{ applyReduce(*config) }

// ForOption is an option of [For].
type ForOption interface{ applyFor(*config) }

// Option fits every function of this package.
type Option struct{ set func(*config) }

func (o Option) applyMap(c *config)    { o.apply(c) }
func (o Option) applyStream(c *config) { o.apply(c) }
func (o Option) applyReduce(c *config) { o.apply(c) }
func (o Option) applyFor(c *config)    { o.apply(c) }
func (o Option) apply(c *config) {
	if o.set != nil {
		o.set(c)
	}
}

// ItemOption fits the functions that call the user's function once an item:
// [Map], [Each], [Stream] and [Explain].
type ItemOption struct{ set func(*config) }

func (o ItemOption) applyMap(c *config)    { Option(o).apply(c) }
func (o ItemOption) applyStream(c *config) { Option(o).apply(c) }

// OrderOption fits [Stream] only.
type OrderOption struct{ set func(*config) }

func (o OrderOption) applyStream(c *config) { Option(o).apply(c) }

// config is what the options of one call add up to.
type config struct {
	workers   int // as given
	chunk     int
	unordered bool
	keepGoing bool
	timeout   time.Duration
	attempts  int
	rate      float64
	keyLimit  int
	key       any          // func(T) string
	keyType   reflect.Type // T of key
	perItem   int64
	memory    int64
	progress  io.Writer
	report    *Report
	name      string
	exec      Executor
	required  Wish
	preferred Wish

	err error // the first option that made no sense
}

func (c *config) fail(format string, args ...any) {
	if c.err == nil {
		c.err = fmt.Errorf(format, args...)
	}
}

// Workers sets how many items run at once: 0 lets Weft choose, 1 is the plain
// loop in the caller's goroutine (the debugging mode), n > 1 is n, -1 is one
// for each CPU that the process may use, -2 all CPUs but one, and so on down,
// never less than one. Defaults to 0.
func Workers(n int) Option {
	return Option{func(c *config) { c.workers = n }}
}

// Chunk sets how many items a worker takes at a time; in [Reduce] it is the
// size of a leaf of the tree, and so part of the result. Defaults to 0: about
// a millisecond of work, less at the end.
func Chunk(n int) Option {
	return Option{func(c *config) {
		if n < 0 {
			c.fail("Chunk(%d): a chunk has at least 1 item; leave the option out to let Weft choose", n)
		}
		c.chunk = n
	}}
}

// Unordered lets [Stream] yield each result as soon as it is there instead of
// in input order.
func Unordered() OrderOption {
	return OrderOption{func(c *config) { c.unordered = true }}
}

// KeepGoing runs every item though some fail. The call then returns every
// result that exists, the zero value in the other places, and all errors
// joined in input order, each an [*ItemError]. Without it the first failure
// stops the run.
func KeepGoing() ItemOption {
	return ItemOption{func(c *config) { c.keepGoing = true }}
}

// Timeout bounds each attempt at an item: its context ends after d with a
// cause that says so. A function that does not look at its context can not be
// stopped inside a process: the call waits for it, and keeps its result if
// there is one.
func Timeout(d time.Duration) ItemOption {
	return ItemOption{func(c *config) {
		if d <= 0 {
			c.fail("Timeout(%v): the time for an item must be more than 0; leave the option out for no limit", d)
		}
		c.timeout = d
	}}
}

// Retry tries an item that failed again, up to attempts times in all, waiting
// in between: 100 ms, doubled each time up to 30 s, of which a random half is
// left out so that items do not come back in step ("equal jitter", after Marc
// Brooker, Exponential Backoff And Jitter, 2015). A panic is not tried again, nor
// is an error that wraps [ErrPermanent].
// Defaults to 1: no second attempt.
func Retry(attempts int) ItemOption {
	return ItemOption{func(c *config) {
		if attempts < 1 {
			c.fail("Retry(%d): at least 1 attempt is needed; 1 means no second one", attempts)
		}
		c.attempts = attempts
	}}
}

// Rate starts at most perSecond items (and further attempts) a second, evenly
// spread. Defaults to no limit.
func Rate(perSecond float64) ItemOption {
	return ItemOption{func(c *config) {
		if !(perSecond > 0) || perSecond > 1e9 {
			c.fail("Rate(%v): the rate is a number of items a second above 0; leave the option out for no limit", perSecond)
		}
		c.rate = perSecond
	}}
}

// PerKey runs at most limit items with the same key at once: requests to one
// host, writes to one file. Other items go ahead meanwhile. The type of key's
// argument is the type of the items, else the call returns an error.
func PerKey[T any](key func(T) string, limit int) ItemOption {
	return ItemOption{func(c *config) {
		if key == nil {
			c.fail("PerKey: the key function is nil; give one, as func(u URL) string { return u.Host }")
		}
		if limit < 1 {
			c.fail("PerKey(..., %d): the limit for a key is at least 1", limit)
		}
		c.key, c.keyLimit, c.keyType = key, limit, reflect.TypeFor[T]()
	}}
}

// MemoryPerItem says how many bytes one item holds at its peak, where that is
// known better than Weft can measure it. The number of items in flight is
// bounded by it and [MemoryLimit]. Defaults to what the first items allocated.
func MemoryPerItem(bytes int64) ItemOption {
	return ItemOption{func(c *config) {
		if bytes <= 0 {
			c.fail("MemoryPerItem(%d): an item's memory is a number of bytes above 0", bytes)
		}
		c.perItem = bytes
	}}
}

// MemoryLimit is the most memory, in bytes, that the run may add to what the
// process holds when it starts. Near it Weft runs fewer items at once and has
// the collector work harder; past it with one item left running the call
// fails and names the item. Defaults to three quarters of what is free under
// the tightest of the cgroup's limit, GOMEMLIMIT and the machine's memory.
func MemoryLimit(bytes int64) Option {
	return Option{func(c *config) {
		if bytes <= 0 {
			c.fail("MemoryLimit(%d): the limit is a number of bytes above 0", bytes)
		}
		c.memory = bytes
	}}
}

// Progress shows how far the run is on w: a bar with the time left on a
// terminal, a plain line every few seconds elsewhere. It counts items that
// have finished, for every number of workers. Defaults to nothing.
func Progress(w io.Writer) Option {
	return Option{func(c *config) {
		if w == nil {
			c.fail("Progress(nil): give a writer, os.Stderr say, or leave the option out")
		}
		c.progress = w
	}}
}

// ReportTo fills r when the call returns, also when it fails.
func ReportTo(r *Report) Option {
	return Option{func(c *config) {
		if r == nil {
			c.fail("ReportTo(nil): give the address of a weft.Report")
		}
		c.report = r
	}}
}

// Name names the run in plans, reports, progress and errors. Defaults to the
// name of the function that is called for each item.
func Name(s string) Option {
	return Option{func(c *config) { c.name = s }}
}
