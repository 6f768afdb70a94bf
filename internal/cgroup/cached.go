package cgroup

import (
	"sync"
	"sync/atomic"
	"time"
)

// MaxAge is how old a [Cached] value may get. Limits change under a running
// process (docker update, a vertical autoscaler), but rarely: a second keeps
// the cost of reading them far below a thousandth.
const MaxAge = time.Second

// Cached keeps the value that Read returned for up to [MaxAge]. Fields are set
// before the first use and not changed after. Methods are safe for concurrent
// use.
type Cached[T any] struct {
	// Read gets the value afresh. It is never called twice at once.
	Read func() T
	// Now is a clock with any origin. Defaults to the monotonic time since
	// the process started.
	Now func() time.Duration

	mu   sync.Mutex
	last atomic.Pointer[dated[T]]
}

type dated[T any] struct {
	at    time.Duration
	value T
}

var start = time.Now()

// Get returns the value. While it is fresh this costs one atomic load and one
// look at the clock and allocates nothing. When it is not, one caller reads it
// again; the others get the old value meanwhile, and wait only if there is none.
func (c *Cached[T]) Get() T {
	if d := c.fresh(); d != nil {
		return d.value
	}
	if !c.mu.TryLock() {
		if d := c.last.Load(); d != nil {
			return d.value
		}
		c.mu.Lock()
	}
	defer c.mu.Unlock()
	if d := c.fresh(); d != nil {
		return d.value
	}
	d := &dated[T]{at: c.now(), value: c.Read()}
	c.last.Store(d)
	return d.value
}

func (c *Cached[T]) fresh() *dated[T] {
	d := c.last.Load()
	if d == nil {
		return nil
	}
	// The age is below zero if the value was read inside a testing/synctest
	// bubble, whose clock is another one.
	if age := c.now() - d.at; age < 0 || age >= MaxAge {
		return nil
	}
	return d
}

func (c *Cached[T]) now() time.Duration {
	if c.Now != nil {
		return c.Now()
	}
	return time.Since(start)
}
