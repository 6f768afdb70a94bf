package weft_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/weft-go/weft"
)

var _ = weft.Register(registered)

func registered(_ context.Context, n int) (int, error) { return n, nil }

func twoNumbers(a, b int) (int, error) { return a + b, nil }

func generic[T any](_ context.Context, x T) (T, error) { return x, nil }

type thing struct{}

func (thing) Method(_ context.Context, n int) (int, error) { return n, nil }

func variadic(context.Context, ...int) error { return nil }

var errOnce = errors.New("weft_test: registered once")

var _ = weft.Register(errOnce)

func TestRegisterRefuses(t *testing.T) {
	t.Parallel()
	captured := 1
	var none func(context.Context, int) (int, error)
	for name, c := range map[string]struct {
		f    any
		want string
	}{
		"twice":    {registered, "registered is registered already"},
		"closure":  {func(_ context.Context, n int) (int, error) { return n + captured, nil }, "is a closure: the variables that it captures would stay behind"},
		"bound":    {thing{}.Method, "is a method bound to a value"},
		"method":   {thing.Method, "is a method; write a top-level function"},
		"generic":  {generic[int], "is an instance of a generic function"},
		"shape":    {twoNumbers, "it must be a func(context.Context, T) (R, error)"},
		"variadic": {variadic, "it must be a func"},
		"nil":      {nil, "pass a function"},
		"nil func": {none, "the function is nil"},
		"number":   {7, "got a int; pass a function"},
		"error":    {errOnce, "registered already; errors are known by their text"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			defer func() {
				s, _ := recover().(string)
				if !strings.Contains(s, c.want) || !strings.Contains(s, "register_test.go:") {
					t.Errorf("panics with %q", s)
				}
			}()
			weft.Register(c.f)
		})
	}
}

func TestLookup(t *testing.T) {
	t.Parallel()
	f, err := weft.Lookup("github.com/weft-go/weft_test.registered")
	if err != nil || f.Name() != "github.com/weft-go/weft_test.registered" || f.Item().String() != "int" || f.Result().String() != "int" {
		t.Errorf("%v, %v", f, err)
	}
	if _, err := weft.Lookup("no/such.function"); err == nil || !strings.Contains(err.Error(), "no function no/such.function is registered") {
		t.Errorf("%v", err)
	}
}

func TestWishesWithoutExecutor(t *testing.T) {
	t.Parallel()
	items := []int{1, 2}
	for want, opt := range map[string]weft.MapOption{
		"add weft.On(pool)":     weft.Require(weft.Isolation),
		"On(nil): give an":      weft.On(nil),
		"Require(0): there is":  weft.Require(0),
		"Prefer(99): there is ": weft.Prefer(99),
	} {
		if _, err := weft.Map(t.Context(), items, registered, opt); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("want %q: %v", want, err)
		}
	}
	if got, err := weft.Map(t.Context(), items, registered, weft.Prefer(weft.Isolation)); err != nil || got[1] != 2 {
		t.Errorf("%v, %v", got, err)
	}
	if _, err := weft.Explain(t.Context(), items, registered, weft.On(weft.Goroutines(2))); err == nil || !strings.Contains(err.Error(), "leave the option out") {
		t.Errorf("%v", err)
	}
	if s := (weft.Isolation | weft.SharedMemory).String(); s != "Isolation|SharedMemory" {
		t.Error(s)
	}
}
