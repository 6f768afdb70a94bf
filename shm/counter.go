package shm

import "sync/atomic"

// Counter is a number that processes count together: a T for [Make], or a field
// of one. The zero Counter is 0. It fills a cache line, so that counters beside
// each other do not slow each other down; where room matters more, share
// atomic.Int64. Its methods are atomic, and an addition takes some 5 ns when
// nobody else adds. In memory opened read-only only Load works.
type Counter struct {
	n atomic.Int64
	_ [56]byte
}

// Add adds delta and returns the new value.
func (c *Counter) Add(delta int64) int64 { return c.n.Add(delta) }

// Load returns the value.
func (c *Counter) Load() int64 { return c.n.Load() }

// Store sets the value.
func (c *Counter) Store(n int64) { c.n.Store(n) }

// CompareAndSwap sets the value to next if it is old, and tells whether it was.
func (c *Counter) CompareAndSwap(old, next int64) bool { return c.n.CompareAndSwap(old, next) }
