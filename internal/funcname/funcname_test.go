package funcname

import (
	"runtime"
	"strings"
	"testing"
	"time"
)

func double(n int) int { return 2 * n }

type adder struct{ n int }

func (a *adder) add(n int) int { return a.n + n }

func TestNames(t *testing.T) {
	t.Parallel()
	if s := Of(double); !strings.HasSuffix(s, "funcname.double") {
		t.Error(s)
	}
	one, two := (&adder{1}).add, (&adder{2}).add
	Set(one, "one")
	if s := Of(one); s != "one" {
		t.Error(s)
	}
	if s := Of(two); !strings.Contains(s, "adder") {
		t.Error("of another closure with the same code: ", s)
	}
	Set((func(int) int)(nil), "nil") // does nothing
	for _, f := range []any{nil, 3, (func(int) int)(nil)} {
		if s := Of(f); s != "" {
			t.Errorf("%T: %q", f, s)
		}
	}
	runtime.KeepAlive(one)
}

// set gives a name to a closure that nobody keeps, and returns where it was.
//
//go:noinline
func set() uintptr {
	f := (&adder{3}).add
	Set(f, "gone")
	return uintptr(closure(f))
}

func TestNamesGoWithTheirFunctions(t *testing.T) {
	t.Parallel()
	at := set()
	e, ok := names.Load(at)
	if !ok {
		t.Fatal("no name is kept")
	}
	// The collector runs cleanups some time after a cycle.
	for deadline := time.Now().Add(10 * time.Second); ; {
		runtime.GC()
		if now, ok := names.Load(at); !ok || now != e {
			return
		}
		if time.Now().After(deadline) {
			t.Fatal("the name of a function that is gone is still kept")
		}
		runtime.Gosched()
	}
}
