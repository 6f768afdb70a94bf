package main

import (
	"context"
	"fmt"
	"runtime"
	"strings"
	"time"

	"github.com/weft-go/weft"
)

// neverSlower compares Map with the plain loop over items from a nanosecond to
// a millisecond, one to a million of them. Both sides call the function
// through a func value, as Map must; the plain loop is the one a user would
// write around it.
var neverSlower = sectionBenchmark("never-slower",
	"Map against the plain loop, items of 1 ns to 1 ms, 1 to 1e6 of them",
	"Never slower than the plain loop", 21, measureNeverSlower)

// allowance is what Map may take on top of 1.05 x the plain loop.
const (
	slowerAllowed = 1.05
	allowance     = 20 * time.Microsecond
	longestCase   = 600 * time.Millisecond
)

func measureNeverSlower(ctx context.Context, o sectionOptions) (string, error) {
	rate := spinRate(5, 20*time.Millisecond)
	costs := []struct {
		name  string
		iters int
	}{
		{"1 ns", 0},
		{"10 ns", int(rate / 100)},
		{"100 ns", int(rate / 10)},
		{"1 µs", int(rate)},
		{"10 µs", int(rate * 10)},
		{"100 µs", int(rate * 100)},
		{"1 ms", int(rate * 1000)},
	}
	var b strings.Builder
	b.WriteString("`Map` with nothing set, beside the plain loop in the same round, the order changing from round to round. " +
		"Each cell is the median over the rounds of (Map − 20 µs) / plain loop; at most 1.05 is the aim. " +
		"Both call the function through a func value; in the 1 ns column it adds one number.\n\n")
	b.WriteString("| items |")
	for _, c := range costs {
		fmt.Fprintf(&b, " %s |", c.name)
	}
	b.WriteString("\n|---:|" + strings.Repeat("---:|", len(costs)) + "\n")
	worst, worstAt := 0.0, ""
	for n := 1; n <= 1_000_000; n *= 10 {
		fmt.Fprintf(&b, "| %d |", n)
		items := make([]int, n)
		for i := range items {
			items[i] = i
		}
		for _, c := range costs {
			f := spinFunc(c.iters)
			one := oneItem(ctx, f)
			if time.Duration(n)*one > longestCase || !o.wants(c.name) {
				b.WriteString(" |")
				continue
			}
			rounds := o.rounds
			if time.Duration(n)*one > 50*time.Millisecond {
				rounds = max(5, rounds/3)
			}
			if o.quick {
				rounds = 3
			}
			ratios, err := compareWithLoop(ctx, items, f, rounds)
			if err != nil {
				return "", err
			}
			ratio := medianOf(ratios)
			fmt.Fprintf(&b, " %.3f |", ratio)
			if ratio > worst {
				worst, worstAt = ratio, fmt.Sprintf("%d items of %s", n, c.name)
			}
		}
		b.WriteString("\n")
	}
	verdict := "within"
	if worst > slowerAllowed {
		verdict = "over"
	}
	fmt.Fprintf(&b, "\nWorst: %.3f (%s), %s the aim of %.2f.\n", worst, worstAt, verdict, slowerAllowed)
	return b.String(), nil
}

func compareWithLoop(ctx context.Context, items []int, f itemFunc, rounds int) ([]float64, error) {
	// Short runs are timed many at a time: the clock has some 50 ns of noise.
	reps := 1
	for {
		begin := time.Now()
		for range reps {
			keep(loop(ctx, items, f))
		}
		if time.Since(begin) > 500*time.Microsecond || reps >= 1<<14 {
			break
		}
		reps *= 2
	}
	var ratios []float64
	for round := range rounds + 1 {
		var plain, mapped time.Duration
		for side := range 2 {
			if ctx.Err() != nil {
				return nil, context.Cause(ctx)
			}
			runtime.GC() // neither side pays for the other's garbage
			begin := time.Now()
			if (side == 0) == (round%2 == 0) {
				for range reps {
					out, err := loop(ctx, items, f)
					keep(out, err)
				}
				plain = time.Since(begin)
			} else {
				for range reps {
					out, err := weft.Map(ctx, items, f)
					keep(out, err)
				}
				mapped = time.Since(begin)
			}
		}
		if round == 0 {
			continue // warm-up
		}
		ratios = append(ratios, (float64(mapped)/float64(reps)-float64(allowance))/(float64(plain)/float64(reps)))
	}
	return ratios, nil
}

// loop is the plain loop that a user would write.
//
//go:noinline
func loop[T, R any](ctx context.Context, items []T, f func(context.Context, T) (R, error)) ([]R, error) {
	out := make([]R, len(items))
	for i, x := range items {
		r, err := f(ctx, x)
		if err != nil {
			return nil, fmt.Errorf("item %d: %w", i, err)
		}
		out[i] = r
	}
	return out, nil
}

// keep keeps the compiler from dropping what is measured.
func keep(out []uint64, err error) {
	if err != nil {
		panic(err) // none of the functions fails
	}
	runtime.KeepAlive(out)
}

// spinFunc computes for iters rounds.
func spinFunc(iters int) itemFunc {
	if iters == 0 {
		return func(_ context.Context, x int) (uint64, error) { return uint64(x) + 1, nil }
	}
	return func(_ context.Context, x int) (uint64, error) { return spin(iters), nil }
}

// oneItem is how long an item takes, roughly.
func oneItem(ctx context.Context, f itemFunc) time.Duration {
	begin := time.Now()
	n := 0
	for time.Since(begin) < 200*time.Microsecond {
		for range 10 {
			f(ctx, n)
			n++
			if time.Since(begin) > 10*time.Millisecond {
				break
			}
		}
	}
	return time.Since(begin) / time.Duration(n)
}
