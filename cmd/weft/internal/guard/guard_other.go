//go:build !unix

package guard

import "io"

// Guard does nothing where there are no process groups.
type Guard struct{}

// New returns a guard.
func New(string) *Guard { return &Guard{} }

// Start starts nothing.
func (*Guard) Start() error { return nil }

// Add does nothing.
func (*Guard) Add(int) error { return nil }

// Drop does nothing.
func (*Guard) Drop(int) error { return nil }

// Close does nothing.
func (*Guard) Close(bool) error { return nil }

// Main is never the guard here.
func Main(io.Reader, string) int { return 0 }
