//go:build !unix && !windows

package rangelock

import "os"

// Locks has none on this system.
type Locks struct{ f *os.File }

// New keeps the file.
func New(f *os.File) (*Locks, error) { return &Locks{f}, nil }

// Close closes the file.
func (l *Locks) Close() error { return l.f.Close() }

// Try returns ErrUnsupported.
func (l *Locks) Try(int64) (bool, error) { return false, ErrUnsupported }

// Unlock does nothing.
func (l *Locks) Unlock(int64) {}
