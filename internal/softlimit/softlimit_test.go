package softlimit

import (
	"runtime/debug"
	"testing"
)

func TestTightestOfAll(t *testing.T) { // not parallel: the limit is the process's
	before := debug.SetMemoryLimit(-1)
	now := func(want int64) {
		t.Helper()
		if got := debug.SetMemoryLimit(-1); got != want {
			t.Errorf("%d, want %d", got, want)
		}
	}
	Add(3 << 40)
	now(3 << 40)
	Add(2 << 40)
	now(2 << 40)
	Add(4 << 40)
	now(2 << 40)
	Remove(2 << 40)
	now(3 << 40)
	Remove(5 << 40) // nobody's
	Remove(3 << 40)
	now(4 << 40)
	Remove(4 << 40)
	now(before)
}
