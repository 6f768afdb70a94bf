package weft_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/weft-go/weft"
	"pgregory.net/rapid"
)

// program is random work: what each item does.
type program struct {
	n     int
	fails map[int]string // item: "error", "panic", "once" (succeeds when tried again)
	cost  int
}

func drawProgram(t *rapid.T) program {
	p := program{n: rapid.IntRange(0, 400).Draw(t, "n"), fails: map[int]string{}, cost: rapid.SampledFrom([]int{0, 10, 1000}).Draw(t, "cost")}
	if p.n > 0 {
		for range rapid.IntRange(0, 5).Draw(t, "failures") {
			p.fails[rapid.IntRange(0, p.n-1).Draw(t, "item")] = rapid.SampledFrom([]string{"error", "panic"}).Draw(t, "kind")
		}
	}
	return p
}

func (p program) run(i int) (int, error) {
	compute(p.cost * (i%5 + 1))
	switch p.fails[i] {
	case "error":
		return 0, fmt.Errorf("%d: %w", i, errBoom)
	case "panic":
		panic(errBoom)
	}
	return 3*i + 1, nil
}

func (p program) failed() (is []int) {
	for i := range p.fails {
		is = append(is, i)
	}
	slices.Sort(is)
	return is
}

// setting is a random set of options.
type setting struct {
	shared    []weft.Option
	item      []weft.ItemOption
	keep      bool
	unordered bool
	plain     bool
}

func drawSetting(t *rapid.T) setting {
	var s setting
	workers := rapid.SampledFrom([]int{0, 0, 1, 2, 3, 7, 16, -1, -2}).Draw(t, "workers")
	s.plain = workers == 1
	s.shared = append(s.shared, weft.Workers(workers))
	if c := rapid.SampledFrom([]int{0, 0, 1, 3, 64}).Draw(t, "chunk"); c > 0 {
		s.shared = append(s.shared, weft.Chunk(c))
	}
	if rapid.Bool().Draw(t, "keepGoing") {
		s.keep = true
		s.item = append(s.item, weft.KeepGoing())
	}
	if rapid.IntRange(0, 3).Draw(t, "timeout") == 0 {
		s.item = append(s.item, weft.Timeout(hangs))
	}
	if rapid.IntRange(0, 3).Draw(t, "rate") == 0 {
		s.item = append(s.item, weft.Rate(1e8))
	}
	if k := rapid.IntRange(0, 6).Draw(t, "keys"); k > 0 && k < 4 {
		s.item = append(s.item, weft.PerKey(mod(k), rapid.IntRange(1, 3).Draw(t, "limit")))
	}
	s.unordered = rapid.Bool().Draw(t, "unordered")
	return s
}

func (s setting) mapped() (os []weft.MapOption) {
	for _, o := range s.shared {
		os = append(os, o)
	}
	for _, o := range s.item {
		os = append(os, o)
	}
	return os
}

func (s setting) streamed() (os []weft.StreamOption) {
	for _, o := range s.shared {
		os = append(os, o)
	}
	for _, o := range s.item {
		os = append(os, o)
	}
	if s.unordered {
		os = append(os, weft.Unordered())
	}
	return os
}

// checkError compares the error of a run with what the program does.
func checkError(t *rapid.T, p program, s setting, err error) {
	t.Helper()
	want := p.failed()
	switch {
	case len(want) == 0:
		if err != nil {
			t.Fatalf("nothing failed, and the error is %v", err)
		}
	case s.keep:
		if !slices.Equal(indices(err), want) || !errors.Is(err, errBoom) {
			t.Fatalf("failed: %v, want %v", indices(err), want)
		}
	default:
		item, ok := errors.AsType[*weft.ItemError](err)
		if !ok || !slices.Contains(want, item.Index) || !errors.Is(err, errBoom) {
			t.Fatalf("the error is %v, one of %v is wanted", err, want)
		}
		if s.plain && item.Index != want[0] {
			t.Fatalf("the plain loop stopped at %d, want %d", item.Index, want[0])
		}
	}
}

func TestMapEqualsThePlainLoop(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		p, s := drawProgram(t), drawSetting(t)
		calls := make([]atomic.Int32, p.n)
		out, err := weft.Map(context.Background(), ints(p.n), func(_ context.Context, i int) (int, error) { calls[i].Add(1); return p.run(i) }, s.mapped()...)
		checkError(t, p, s, err)
		for i := range p.n {
			want := 3*i + 1
			if p.fails[i] != "" {
				want = 0
			}
			c := calls[i].Load()
			if c > 1 || c == 0 && (s.keep || len(p.fails) == 0) {
				t.Fatalf("item %d was called %d times", i, c)
			}
			if c == 0 {
				want = 0
			}
			if out[i] != want {
				t.Fatalf("result %d is %d, want %d", i, out[i], want)
			}
		}
	})
}

func TestEachEqualsThePlainLoop(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		p, s := drawProgram(t), drawSetting(t)
		calls := make([]atomic.Int32, p.n)
		err := weft.Each(context.Background(), ints(p.n), func(_ context.Context, i int) error {
			calls[i].Add(1)
			_, err := p.run(i)
			return err
		}, s.mapped()...)
		checkError(t, p, s, err)
		for i := range calls {
			if c := calls[i].Load(); c > 1 || c == 0 && (s.keep || len(p.fails) == 0) {
				t.Fatalf("item %d was called %d times", i, c)
			}
		}
	})
}

func TestStreamEqualsThePlainLoop(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		p, s := drawProgram(t), drawSetting(t)
		stop := rapid.IntRange(0, 2*p.n+1).Draw(t, "stop")
		var ps []pair[int]
		k := 0
		for v, err := range weft.Stream(context.Background(), upTo(p.n), func(_ context.Context, i int) (int, error) { return p.run(i) }, s.streamed()...) {
			ps = append(ps, pair[int]{v, err})
			if k++; k > stop {
				break
			}
		}
		if s.keep {
			if want := min(p.n, stop+1); len(ps) != want {
				t.Fatalf("%d pairs, want %d", len(ps), want)
			}
		}
		seen := map[int]bool{}
		for at, q := range ps {
			i := (q.val - 1) / 3
			if q.err != nil {
				item, ok := errors.AsType[*weft.ItemError](q.err)
				if !ok || p.fails[item.Index] == "" || !errors.Is(q.err, errBoom) {
					t.Fatalf("pair %d has the error %v", at, q.err)
				}
				if !s.keep && at != len(ps)-1 {
					t.Fatalf("pair %d of %d has an error and is not the last", at, len(ps))
				}
				i = item.Index
			} else if p.fails[i] != "" || q.val != 3*i+1 {
				t.Fatalf("pair %d is %d", at, q.val)
			}
			if seen[i] {
				t.Fatalf("item %d came twice", i)
			}
			seen[i] = true
			if !s.unordered && i != at && (q.err == nil || s.keep) {
				t.Fatalf("pair %d is of item %d", at, i)
			}
		}
		if len(p.fails) == 0 && stop >= p.n && len(ps) != p.n {
			t.Fatalf("%d pairs for %d items", len(ps), p.n)
		}
		if len(p.fails) > 0 && !s.keep && k <= stop && (len(ps) == 0 || ps[len(ps)-1].err == nil) {
			t.Fatal("the failure is missing")
		}
	})
}

func TestReduceEqualsTheSerialTree(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(0, 2000).Draw(t, "n")
		workers := rapid.SampledFrom([]int{0, 1, 2, 3, 7, 16}).Draw(t, "workers")
		chunk := rapid.SampledFrom([]int{0, 0, 1, 2, 100}).Draw(t, "chunk")
		bad := rapid.IntRange(-3*n-1, max(0, n-1)).Draw(t, "panics at") // mostly none
		fold := func(a string, i int) string {
			if i == bad {
				panic(errBoom)
			}
			return a + strconv.Itoa(i%10)
		}
		merge := func(a, b string) string { return "(" + a + b + ")" }
		got, err := weft.Reduce(context.Background(), ints(n), fold, merge, weft.Workers(workers), weft.Chunk(chunk))
		if bad >= 0 && bad < n {
			if item, ok := errors.AsType[*weft.ItemError](err); !ok || item.Index != bad || got != "" {
				t.Fatalf("item %d panics: %.20q, %v", bad, got, err)
			}
			return
		}
		size := leafSize(n)
		if chunk > 0 {
			size = chunk
		}
		if want := serialTree(ints(n), size, fold, merge); err != nil || got != want {
			t.Fatalf("%s\nwant %s\n%v", got, want, err)
		}
	})
}

func TestForEqualsThePlainLoop(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(0, 5000).Draw(t, "n")
		s := drawSetting(t)
		bad := rapid.IntRange(-3*n-1, max(0, n-1)).Draw(t, "fails at")
		var opts []weft.ForOption
		for _, o := range s.shared {
			opts = append(opts, o)
		}
		calls := make([]atomic.Int32, n)
		err := weft.For(context.Background(), n, func(lo, hi int) error {
			for i := lo; i < hi; i++ {
				calls[i].Add(1)
				if i == bad {
					return errBoom
				}
			}
			return nil
		}, opts...)
		fails := bad >= 0 && bad < n
		if fails {
			item, ok := errors.AsType[*weft.ItemError](err)
			if !ok || item.Index > bad || !errors.Is(err, errBoom) || !strings.Contains(err.Error(), fmt.Sprintf("[%d, ", item.Index)) {
				t.Fatalf("fails at %d: %v", bad, err)
			}
		} else if err != nil {
			t.Fatal(err)
		}
		for i := range calls {
			if c := calls[i].Load(); c > 1 || c == 0 && !fails {
				t.Fatalf("index %d was covered %d times", i, c)
			}
		}
	})
}
