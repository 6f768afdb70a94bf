package plan

import (
	"math"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// other is the simulated other side: the requests a second that it answers
// when n are in flight at round at. Latency follows by Little's law.
type other func(n, at int) float64

const latency = 0.05 // seconds, of an idle server

func unlimited(n, _ int) float64 { return float64(n) / latency }

// queueing answers up to n0 at once; further ones wait.
func queueing(n0 int) other {
	return func(n, _ int) float64 { return float64(min(n, n0)) / latency }
}

// degrading gets slower with the square of what is beyond n0.
func degrading(n0 int) other {
	return func(n, _ int) float64 {
		if n <= n0 {
			return float64(n) / latency
		}
		r := float64(n) / float64(n0)
		return float64(n) / (latency * r * r)
	}
}

// changing is a, from round at on b.
func changing(at int, a, b other) other {
	return func(n, i int) float64 {
		if i < at {
			return a(n, i)
		}
		return b(n, i)
	}
}

// search runs a Gradient and returns the throughput of each round.
func search(o other, limit, rounds int, noise float64, seed uint64) (g *Gradient, rates []float64) {
	rng := rand.New(rand.NewPCG(seed, 9))
	g = NewGradient(firstInFlight, limit, "the test")
	for at := range rounds {
		n := g.Level()
		x := o(n, at)
		rates = append(rates, x)
		l := float64(n) / x * max(0.2, 1+noise*rng.NormFloat64())
		g.Step(Round{Items: g.Enough(), Latency: time.Duration(l * 1e9), Rate: x})
	}
	return g, rates
}

func best(o other, limit, at int) float64 {
	x := 0.0
	for n := 1; n <= limit; n = max(n+1, n*21/20) {
		x = max(x, o(n, at))
	}
	return max(x, o(limit, at))
}

func mean(xs []float64) float64 {
	s := 0.0
	for _, x := range xs {
		s += x
	}
	return s / float64(len(xs))
}

// The search comes near the best fixed level within a bounded number of
// rounds and stays there.
func TestGradientConverges(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name   string
		o      other
		limit  int
		within int     // rounds to find it
		part   float64 // of the best from then on
	}{
		{"constant latency", unlimited, 2000, 15, 0.90},
		{"constant latency, little memory", unlimited, 10, 15, 0.90},
		{"a server for 100", queueing(100), 8192, 20, 0.90},
		{"a server for 33", queueing(33), 8192, 20, 0.90},
		{"a server for 5", queueing(5), 8192, 60, 0.90},
		{"a server for 3000", queueing(3000), 8192, 20, 0.90},
		{"worse past 64", degrading(64), 8192, 25, 0.85},
		{"worse past 20", degrading(20), 8192, 60, 0.85},
		{"worse past 500", degrading(500), 8192, 25, 0.85},
		{"slower from round 100 on", changing(100, queueing(100), func(n, _ int) float64 { return float64(min(n, 100)) / latency / 2 }), 8192, 130, 0.90},
		{"more servers from round 100 on", changing(100, queueing(64), queueing(256)), 8192, 400, 0.90},
		{"fewer servers from round 100 on", changing(100, degrading(256), degrading(64)), 8192, 400, 0.85},
	} {
		for _, noise := range []float64{0, 0.02, 0.05} {
			const seeds, after = 50, 200
			bad, worst := 0, math.Inf(1)
			level := 0
			for seed := range uint64(seeds) {
				g, rates := search(row.o, row.limit, row.within+after, noise, seed)
				got := mean(rates[row.within:]) / best(row.o, row.limit, row.within+after)
				if got < row.part {
					bad++
				}
				if got < worst {
					worst, level = got, g.Level()
				}
			}
			if bad > seeds/20 {
				t.Errorf("%s, noise %v: %d of %d seeds do less than %.0f %% of the best after %d rounds; the worst %.0f %%, in the end at %d", row.name, noise, bad, seeds, 100*row.part, row.within, 100*worst, level)
			}
		}
	}
}

// More in flight than the server has room for only waits there: the search
// does not stay far past the knee.
func TestGradientStaysLow(t *testing.T) {
	t.Parallel()
	for _, n0 := range []int{40, 100, 1000} {
		for _, noise := range []float64{0, 0.05} {
			g, _ := search(queueing(n0), 8192, 300, noise, 1)
			if l := g.Level(); l > 2*n0 {
				t.Errorf("a server for %d has %d in flight (noise %v)", n0, l, noise)
			}
		}
	}
}

// A server that asks to back off past 50: the level is halved, grows again in
// small steps, and on average most of the server is used.
func TestGradientBackOffs(t *testing.T) {
	t.Parallel()
	g := NewGradient(firstInFlight, 8192, "the test")
	var done []float64
	refusals := 0
	for at := range 400 {
		n := g.Level()
		if n > 50 {
			was := n
			if why := g.Halve(); why == "" {
				t.Error("no reason")
			}
			if g.Level() != was/2 {
				t.Errorf("halved from %d to %d", was, g.Level())
			}
			refusals++
			continue
		}
		if at > 50 {
			done = append(done, float64(n)/50)
		}
		g.Step(Round{Items: g.Enough(), Latency: 50 * time.Millisecond})
	}
	if m := mean(done); m < 0.6 {
		t.Errorf("%.0f %% of what the server allows", 100*m)
	}
	if refusals > 60 {
		t.Errorf("%d refusals in 400 rounds", refusals)
	}
	for range 30 {
		g.Halve()
	}
	if g.Level() != 1 {
		t.Errorf("halved many times: %d", g.Level())
	}
}

// A rate limit or a slow input says nothing about the level.
func TestGradientWaitsForOthers(t *testing.T) {
	t.Parallel()
	g := NewGradient(32, 8192, "")
	for range 100 {
		if why := g.Step(Round{Items: 100, Latency: time.Second, Limited: "the rate limit"}); why != "" || g.Level() != 32 {
			t.Fatalf("%d, %q", g.Level(), why)
		}
	}
}

func TestGradientFullCPUs(t *testing.T) {
	t.Parallel()
	g := NewGradient(32, 8192, "")
	for range 20 {
		n := g.Level()
		x := queueing(100)(n, 0)
		g.Step(Round{Items: g.Enough(), Latency: time.Duration(float64(n) / x * 1e9), Rate: x, Busy: min(1, float64(n)/100)})
	}
	if l := g.Level(); l > 300 {
		t.Errorf("%d in flight though the CPUs are full with 100", l)
	}
}

// Whatever it is told, the level stays between 1 and the limit.
func TestGradientBounds(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		limit := rapid.IntRange(-1, 20_000).Draw(t, "limit")
		g := NewGradient(rapid.IntRange(-1, 20_000).Draw(t, "level"), limit, "the test")
		for range rapid.IntRange(1, 100).Draw(t, "rounds") {
			switch rapid.IntRange(0, 9).Draw(t, "what") {
			case 0:
				g.Halve()
			case 1:
				limit = rapid.IntRange(0, 10_000).Draw(t, "cap")
				g.Cap(limit, "the test")
			default:
				g.Step(Round{
					Items: rapid.IntRange(0, 1000).Draw(t, "items"), Latency: time.Duration(rapid.Int64Range(0, 1e10).Draw(t, "latency")),
					Rate: rapid.Float64Range(0, 1e6).Draw(t, "rate"), Busy: rapid.Float64Range(0, 1.5).Draw(t, "busy"),
				})
			}
			most := limit
			if most <= 0 || most > MostInFlight {
				most = MostInFlight
			}
			if l := g.Level(); l < 1 || l > most {
				t.Fatalf("level %d, limit %d", l, most)
			}
			if g.Enough() < 1 {
				t.Fatal(g.Enough())
			}
		}
	})
}

// At the knee it says who is the limit, from how busy the CPUs here are.
func TestGradientNamesTheOtherSide(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		busy float64
		want string
	}{
		{0, "more would only wait longer"},
		{0.12, "more would only wait longer for the other side: this process's CPUs are only 12 % busy"},
	} {
		o := queueing(100)
		g := NewGradient(firstInFlight, 8192, "the test")
		found := ""
		for at := 0; at < 40 && found == ""; at++ {
			n := g.Level()
			x := o(n, at)
			why := g.Step(Round{Items: g.Enough(), Latency: time.Duration(float64(n) / x * 1e9), Rate: x, Busy: row.busy})
			if strings.Contains(why, "is the knee") {
				found = why
			}
		}
		if !strings.HasSuffix(found, row.want) {
			t.Errorf("busy %v: %q", row.busy, found)
		}
	}
}
