package memo

import (
	"context"
	"errors"
	"strings"
	"testing"
)

func literal(c *Cache) map[string]func() error {
	ctx := context.Background()
	run := func(f Func[int, int]) func() error {
		return func() error { _, err := f(ctx, 1); return err }
	}
	captured := 1
	lit := func(_ context.Context, n int) (int, error) { return n + captured, nil }
	return map[string]func() error{
		"literal": run(Wrap(c, lit)),
		"method":  run(Wrap(c, (&adder{1}).add)),
		"generic": run(Wrap(c, generic[int])),
		"ignore":  run(Wrap(c, double, Ignore("Nope"))),
		"expires": run(Wrap(c, double, ExpiresAfter(-1))),
		"key":     run(Wrap(c, double, Key(func(string) any { return nil }))),
		"fine":    run(Wrap(c, lit, Version("1"))),
	}
}

type adder struct{ n int }

func (a *adder) add(_ context.Context, n int) (int, error) { return a.n + n, nil }

func generic[T any](_ context.Context, x T) (T, error) { return x, nil }

func TestWhatCanNotBeWrapped(t *testing.T) {
	t.Parallel()
	b := setup(t, Config{})
	words := map[string]string{
		"literal": "function literal", "method": "method of a value", "generic": "is generic",
		"ignore": "no field Nope", "expires": "must be positive", "key": "memo.Key has a func(string)",
	}
	for name, f := range literal(b.Cache) {
		err := f()
		we, ok := errors.AsType[*WrapError](err)
		if name == "fine" {
			if err != nil {
				t.Error(err)
			}
			continue
		}
		if !ok || !strings.Contains(we.Why, words[name]) {
			t.Errorf("%s: %v", name, err)
		}
	}
	func() {
		defer func() {
			if recover() == nil {
				t.Error("no panic without a cache")
			}
		}()
		Wrap[int, int](nil, double)
	}()
	if _, err := Func[int, int](double).Why(1); err == nil {
		t.Error("a Func that was not wrapped has a Why")
	}
}

type withChan struct {
	Jobs []struct{ Done chan int }
}

func returnsChan(ctx context.Context, _ int) (withChan, error) { ran(ctx, 0); return withChan{}, nil }

func returnsAny(ctx context.Context, _ int) (map[string]any, error) {
	return map[string]any{"a": []any{1, point{}}}, nil
}

func takesChan(context.Context, withChan) (int, error) { return 0, nil }

func TestWhatCanNotBeStored(t *testing.T) {
	t.Parallel()
	b := setup(t, Config{})
	var r recorder
	_, err := Wrap(b.Cache, returnsChan)(r.in(t.Context()), 1)
	if re, ok := errors.AsType[*ResultError](err); !ok || !strings.Contains(re.Error(), "withChan.Jobs[].Done (chan int)") || r.count() != 0 {
		t.Error(err, r.count())
	}
	got, err := Wrap(b.Cache, returnsAny)(t.Context(), 1)
	if _, ok := errors.AsType[*ResultError](err); !ok || !strings.Contains(err.Error(), `[a][1] (memo.point)`) || got == nil {
		t.Error(err, got)
	}
	_, err = Wrap(b.Cache, takesChan)(t.Context(), withChan{Jobs: make([]struct{ Done chan int }, 2)})
	if _, ok := errors.AsType[*ArgumentError](err); !ok || !strings.Contains(err.Error(), "withChan.Jobs[0].Done (chan int)") || !strings.Contains(err.Error(), "memo.Ignore") {
		t.Error(err)
	}
	if n := b.Stats().Items; n != 0 {
		t.Errorf("%d entries", n)
	}
}
