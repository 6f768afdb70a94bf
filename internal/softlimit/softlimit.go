// Package softlimit shares the Go runtime's soft memory limit
// (debug.SetMemoryLimit) among all that have a memory budget: near the tightest
// of them the collector works harder, so that garbage does not pass it. The
// limit that was there before comes back when the last budget ends.
package softlimit

import (
	"runtime/debug"
	"slices"
	"sync"
)

var shared struct {
	mu     sync.Mutex
	active []int64
	before int64
}

// Add puts a limit in force, in bytes that the runtime holds in all. Safe for
// concurrent use.
func Add(limit int64) {
	s := &shared
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.active) == 0 {
		s.before = debug.SetMemoryLimit(-1)
	}
	s.active = append(s.active, limit)
	apply()
}

// Remove takes back what Add was given.
func Remove(limit int64) {
	s := &shared
	s.mu.Lock()
	defer s.mu.Unlock()
	if i := slices.Index(s.active, limit); i >= 0 {
		s.active = slices.Delete(s.active, i, i+1)
	}
	apply()
}

func apply() {
	tightest := shared.before
	for _, v := range shared.active {
		tightest = min(tightest, v)
	}
	debug.SetMemoryLimit(tightest)
}
