package rangelock

import (
	"os"
	"path/filepath"
	"testing"
)

func open(t *testing.T, name string) *Locks {
	t.Helper()
	f, err := os.OpenFile(name, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	l, err := New(f)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// Two users of one file exclude each other, byte by byte, also within one
// process; closing gives all back.
func TestExclude(t *testing.T) {
	t.Parallel()
	name := filepath.Join(t.TempDir(), "lock")
	a, b := open(t, name), open(t, name)
	try := func(l *Locks, off int64, want bool) {
		t.Helper()
		if ok, err := l.Try(off); ok != want || err != nil {
			t.Errorf("%d: %v %v", off, ok, err)
		}
	}
	for _, off := range []int64{0, 1, 1 << 40, Most} {
		try(a, off, true)
	}
	for _, off := range []int64{0, 1, 1 << 40, Most} {
		try(b, off, false)
		try(b, off^2, true)
	}
	a.Unlock(1)
	try(b, 1, true)
	try(a, 1, false)
	if err := a.Close(); err != nil {
		t.Error(err)
	}
	try(b, 0, true)
	try(b, Most, true)
	if err := b.Close(); err != nil {
		t.Error(err)
	}
}
