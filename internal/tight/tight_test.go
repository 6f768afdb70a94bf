package tight

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"testing"
)

var errBoom = errors.New("boom")

// Every length around the four at a time, every item that fails or panics.
func TestLoops(t *testing.T) {
	t.Parallel()
	for n := range 11 {
		in := make([]int, n)
		for i := range in {
			in[i] = 10 + i
		}
		for bad := range n + 1 {
			for _, panics := range []bool{false, true} {
				want := make([]string, n)
				for i := range min(bad, n) {
					want[i] = fmt.Sprint(10 + i)
				}
				f := func(_ context.Context, x int) (string, error) {
					if x == 10+bad {
						if panics {
							panic(errBoom)
						}
						return "lost", errBoom
					}
					return fmt.Sprint(x), nil
				}
				out, got := make([]string, n), []string{}
				check(t, "Map", n, bad, panics, func(at *int) (int, error) { return Map(t.Context(), at, in, out, f) })
				check(t, "Each", n, bad, panics, func(at *int) (int, error) {
					return Each(t.Context(), at, in, func(ctx context.Context, x int) error {
						s, err := f(ctx, x)
						if err == nil {
							got = append(got, s)
						}
						return err
					})
				})
				if !slices.Equal(out, want) || !slices.Equal(got, want[:min(bad, n)]) {
					t.Errorf("%d items, %d bad: %q and %q, want %q", n, bad, out, got, want)
				}
			}
		}
	}
}

// check runs a loop over n items of which item bad fails or panics; bad == n
// is none.
func check(t *testing.T, name string, n, bad int, panics bool, loop func(at *int) (int, error)) {
	t.Helper()
	at, crashed := -1, false
	var ran int
	var err error
	func() {
		defer func() { crashed = recover() != nil }()
		ran, err = loop(&at)
	}()
	switch {
	case bad == n && (ran != n || err != nil || crashed || at != n-1):
		t.Errorf("%s of %d: ran %d, at %d, %v", name, n, ran, at, err)
	case bad < n && panics && (!crashed || at != bad):
		t.Errorf("%s of %d, item %d panics: at %d, crashed %v", name, n, bad, at, crashed)
	case bad < n && !panics && (ran != bad+1 || at != bad || !errors.Is(err, errBoom)):
		t.Errorf("%s of %d, item %d fails: ran %d, at %d, %v", name, n, bad, ran, at, err)
	}
}

func TestSizes(t *testing.T) {
	t.Parallel()
	at := 0
	// Nothing is written past a slice that is too short.
	out := []string{"a"}
	if n, err := Map(t.Context(), &at, []int{1, 2}, out, func(context.Context, int) (string, error) { return "x", nil }); n != 0 || err != nil || out[0] != "a" {
		t.Errorf("%d items, %v, %q", n, err, out)
	}
	n, err := Map(t.Context(), &at, make([]struct{}, 6), make([]struct{}, 6), func(context.Context, struct{}) (struct{}, error) { return struct{}{}, nil })
	if n != 6 || err != nil {
		t.Errorf("results without size: %d, %v", n, err)
	}
	type wide [5]int32
	in, wides := make([]byte, 9), make([]wide, 9)
	for i := range in {
		in[i] = byte(i)
	}
	if n, err := Map(t.Context(), &at, in, wides, func(_ context.Context, b byte) (wide, error) { return wide{int32(b), 4: -int32(b)}, nil }); n != 9 || err != nil {
		t.Errorf("%d items, %v", n, err)
	}
	for i, w := range wides {
		if w != (wide{int32(i), 4: -int32(i)}) {
			t.Errorf("item %d: %v", i, w)
		}
	}
}

// plain is the loop that a user would write: what Map is compared with.
//
//go:noinline
func plain[T, R any](ctx context.Context, in []T, f func(context.Context, T) (R, error)) ([]R, error) {
	out := make([]R, len(in))
	for i, x := range in {
		v, err := f(ctx, x)
		if err != nil {
			return nil, err
		}
		out[i] = v
	}
	return out, nil
}

// passed is the same with out passed in: the alternative that lost.
//
//go:noinline
func passed[T, R any](ctx context.Context, at *int, in []T, out []R, f func(context.Context, T) (R, error)) (int, error) {
	for i, x := range in {
		*at = i
		v, err := f(ctx, x)
		if err != nil {
			return i + 1, err
		}
		out[i] = v
	}
	return len(in), nil
}

func BenchmarkMap(b *testing.B) {
	const n, block = 100_000, 256
	in := make([]int, n)
	for i := range in {
		in[i] = i
	}
	add := func(_ context.Context, x int) (uint64, error) { return uint64(x) + 1, nil }
	at := new(int)
	type loop = func(context.Context, *int, []int, []uint64, func(context.Context, int) (uint64, error)) (int, error)
	blocks := func(l loop) func(context.Context) []uint64 {
		return func(ctx context.Context) []uint64 {
			out := make([]uint64, n)
			for i := 0; i < n; i += block {
				hi := min(i+block, n)
				l(ctx, at, in[i:hi], out[i:hi], add)
			}
			return out
		}
	}
	for _, c := range []struct {
		name string
		do   func(context.Context) []uint64
	}{
		{"plain", func(ctx context.Context) []uint64 { out, _ := plain(ctx, in, add); return out }},
		{"passed", blocks(passed[int, uint64])},
		{"tight", blocks(Map[int, uint64])},
	} {
		b.Run(c.name, func(b *testing.B) {
			for b.Loop() {
				runtime.KeepAlive(c.do(b.Context()))
			}
		})
	}
}
