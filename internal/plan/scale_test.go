package plan

import (
	"math"
	"math/rand/v2"
	"strings"
	"testing"
	"time"
)

// machine is a simulated run on a machine with most CPUs: how many items a
// second w workers do, and what the figures of a window show beside.
type machine struct {
	most  int
	nanos float64                                                       // of an item alone
	rate  func(w int, at int) float64                                   // items a second at window at
	show  func(w int, v *Window)                                        // sets CPU, LockWait, Running
	noise func(rng *rand.Rand) float64                                  // factor on a window's rate
	items func(rng *rand.Rand, w int, wall float64) (n int, in float64) // replaces rate, in seconds
}

func computing(w int, v *Window) {
	v.CPU = v.Wall * time.Duration(w)
	v.Running = float64(w)
}

// outcome is what a simulated run came to.
type outcome struct {
	settled int     // workers in the end
	least   int     // fewest ever settled on
	lost    float64 // share of the work that probes cost, against the best
	steps   int     // windows until settled was reached for good
	io      bool
	reasons []string
}

func simulate(m machine, windows int, seed uint64) outcome {
	rng := rand.New(rand.NewPCG(seed, 77))
	noise := 1.0
	if m.noise != nil {
		noise = m.noise(rng)
	}
	s := NewScaler(m.most, m.most, m.nanos*noise, time.Duration(m.nanos))
	w, o := m.most, outcome{least: m.most}
	const wall = 10 * time.Millisecond
	var done, best float64
	for at := range windows {
		v := Window{Wall: wall, Workers: w, InItems: wall * time.Duration(w)}
		if m.items != nil {
			n, in := m.items(rng, w, wall.Seconds())
			v.Items, v.InItems = n, time.Duration(in*1e9)
		} else {
			f := 1.0
			if m.noise != nil {
				f = m.noise(rng)
			}
			v.Items = max(1, int(m.rate(w, at)*wall.Seconds()*f))
			done += m.rate(w, at)
			best += max(m.rate(1, at), m.rate(2, at), m.rate(m.most/2, at), m.rate(m.most, at))
		}
		m.show(w, &v)
		d := s.Step(v)
		w = d.Workers
		if d.IO {
			o.io = true
			return o
		}
		if d.Why != "" {
			o.reasons = append(o.reasons, d.Why)
		}
		if s.Settled() != o.settled {
			o.settled, o.steps = s.Settled(), at
		}
		o.least = min(o.least, o.settled)
	}
	if best > 0 {
		o.lost = 1 - done/best
	}
	return o
}

func normal(sigma float64) func(*rand.Rand) float64 {
	return func(rng *rand.Rand) float64 { return max(0.05, 1+sigma*rng.NormFloat64()) }
}

const (
	seeds   = 200
	windows = 300
)

// share is the part of the seeds for which ok holds.
func share(m machine, ok func(outcome) bool) (float64, outcome) { return shareOf(seeds, m, ok) }

func shareOf(seeds int, m machine, ok func(outcome) bool) (float64, outcome) {
	good := 0
	var bad outcome
	for seed := range uint64(seeds) {
		if o := simulate(m, windows, seed); ok(o) {
			good++
		} else {
			bad = o
		}
	}
	return float64(good) / float64(seeds), bad
}

// Work that scales keeps its workers, however noisy the windows are.
func TestScalerKeepsWorkThatScales(t *testing.T) {
	t.Parallel()
	perfect := func(w, _ int) float64 { return float64(w) * 1e5 }
	for _, row := range []struct {
		name string
		m    machine
	}{
		{"no noise", machine{rate: perfect}},
		{"5 % noise", machine{rate: perfect, noise: normal(0.05)}},
		{"20 % noise", machine{rate: perfect, noise: normal(0.20)}},
		{"30 % noise", machine{rate: perfect, noise: normal(0.30)}},
		{"now and then a window at a third", machine{rate: perfect, noise: func(rng *rand.Rand) float64 {
			if rng.IntN(20) == 0 {
				return 0.33
			}
			return 1 + 0.1*rng.NormFloat64()
		}}},
		{"90 % efficiency", machine{rate: func(w, _ int) float64 { return 1e5 * math.Pow(float64(w), 0.95) }, noise: normal(0.1)}},
		{"Amdahl, a tenth serial", machine{rate: func(w, _ int) float64 { return 1e5 / (0.1 + 0.9/float64(w)) }, noise: normal(0.05)}},
		{"items that get ten times slower", machine{rate: func(w, at int) float64 { return float64(w) * 1e5 / (1 + 9*float64(at)/windows) }, noise: normal(0.1)}},
		{"items that get ten times slower at once", machine{rate: func(w, at int) float64 {
			if at > windows/2 {
				return float64(w) * 1e4
			}
			return float64(w) * 1e5
		}, noise: normal(0.1)}},
		{"a pilot that was three times too fast", machine{rate: func(w, _ int) float64 { return float64(w) * 1e5 / 3 }, noise: normal(0.1)}},
	} {
		for _, most := range []int{2, 6, 30} {
			m := row.m
			m.most, m.nanos, m.show = most, 1e4, computing
			part, bad := share(m, func(o outcome) bool { return o.least == most && !o.io })
			if part < 0.99 {
				t.Errorf("%s, %d workers: kept with %.1f %% of the seeds only; one stepped down to %d: %v", row.name, most, 100*part, bad.least, bad.reasons)
			}
			// Trying costs little.
			part, bad = share(m, func(o outcome) bool { return o.lost < 0.10 })
			if part < 0.95 {
				t.Errorf("%s, %d workers: only %.1f %% of the seeds lose less than 10 %%; one lost %.0f %%", row.name, most, 100*part, 100*bad.lost)
			}
		}
	}
}

// Item costs with a heavy tail (Pareto, index 1.5) make windows differ by
// factors though the work scales perfectly.
func TestScalerKeepsHeavyTailedWork(t *testing.T) {
	t.Parallel()
	for _, most := range []int{2, 6, 30} {
		m := machine{most: most, nanos: 3e5, show: computing}
		m.items = func(rng *rand.Rand, w int, wall float64) (n int, in float64) {
			for in < wall*float64(w) {
				in += min(10e-3, 1e-4*math.Pow(1-rng.Float64(), -1/1.5))
				n++
			}
			return n, in
		}
		part, bad := shareOf(60, m, func(o outcome) bool { return o.least == most && !o.io })
		if part < 0.99 {
			t.Errorf("%d workers: kept with %.1f %% of the seeds only: %v", most, 100*part, bad.reasons)
		}
	}
}

// Work that does not scale gives its workers back, soon.
func TestScalerStepsDown(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name   string
		m      machine
		enough int // workers that are enough
		within int // windows
	}{
		{"one mutex", machine{
			rate: func(int, int) float64 { return 1e5 },
			show: func(w int, v *Window) {
				v.CPU, v.LockWait, v.Running = v.Wall, v.Wall*time.Duration(w-1), 1
			},
		}, 2, 100},
		{"one mutex that workers spin on", machine{
			rate: func(int, int) float64 { return 1e5 },
			show: func(w int, v *Window) {
				computing(w, v)
				v.LockWait = v.Wall * time.Duration(w) / 3
			},
		}, 2, 100},
		{"a cache line", machine{
			rate: func(w, _ int) float64 { return 1e5 * float64(w) / (1 + 1.2*float64(w-1)) },
			show: computing,
		}, 2, 100},
		{"memory bandwidth for two", machine{
			rate: func(w, _ int) float64 { return 1e5 * math.Min(2, float64(w)) },
			show: computing,
		}, 4, 100},
	} {
		for _, most := range []int{2, 8, 32} {
			m := row.m
			m.most, m.nanos, m.noise = most, 1e4, normal(0.03)
			want := min(row.enough, most)
			if most == 2 {
				want = 2 // may stay: the loss is one CPU
			}
			part, bad := share(m, func(o outcome) bool { return o.settled <= want && !o.io })
			if part < 0.95 {
				t.Errorf("%s, %d workers: only %.1f %% of the seeds end with %d or fewer; one ended with %d (IO %v): %v", row.name, most, 100*part, want, bad.settled, bad.io, bad.reasons)
			}
			// Soon: how long until it first gets there.
			late := 0
			for seed := range uint64(100) {
				if o := simulate(m, row.within, seed); o.settled > want {
					late++
				}
			}
			if late > 10 {
				t.Errorf("%s, %d workers: %d of 100 seeds need more than %d windows", row.name, most, late, row.within)
			}
			// And never at more than a small loss against the best.
			part, bad = share(m, func(o outcome) bool { return o.lost < 0.15 })
			if part < 0.95 {
				t.Errorf("%s, %d workers: %.1f %% of the seeds lose less than 15 %%; one lost %.0f %%", row.name, most, 100*part, 100*bad.lost)
			}
		}
	}
}

// Contention that ends is noticed: workers come back.
func TestScalerStepsUpAgain(t *testing.T) {
	t.Parallel()
	m := machine{most: 8, nanos: 1e4, noise: normal(0.03)}
	contended := false
	m.show = func(w int, v *Window) {
		computing(w, v)
		if contended {
			v.LockWait = v.Wall * time.Duration(w) / 3
		}
	}
	m.rate = func(w, at int) float64 {
		if contended = at < 100; contended {
			return 1e5
		}
		return float64(w) * 1e5
	}
	part, bad := share(m, func(o outcome) bool { return o.settled >= 7 })
	if part < 0.95 {
		t.Errorf("only %.1f %% of the seeds get all workers back within %d windows; one has %d: %v", 100*part, windows-100, bad.settled, bad.reasons)
	}
}

// Workers that neither compute nor wait for locks wait for something outside.
func TestScalerSeesWaiting(t *testing.T) {
	t.Parallel()
	m := machine{most: 8, nanos: 1e4, noise: normal(0.05)}
	m.rate = func(w, _ int) float64 { return float64(w) * 1e5 / 2 }
	m.show = func(w int, v *Window) { v.CPU, v.Running = v.Wall*time.Duration(w)/5, float64(w)/5 }
	if part, _ := share(m, func(o outcome) bool { return o.io }); part < 0.99 {
		t.Errorf("seen with %.1f %% of the seeds", 100*part)
	}
	// Also when nothing finishes.
	s := NewScaler(4, 4, 1e6, time.Millisecond)
	if v := s.Step(Window{Wall: 100 * time.Millisecond, Workers: 4}); !v.IO {
		t.Error("4 workers that used no CPU for 100ms do not count as waiting")
	}
	// Other programs that take the CPUs are no reason: the workers would run.
	busy := NewScaler(4, 4, 1e6, time.Millisecond)
	if v := busy.Step(Window{Wall: 100 * time.Millisecond, Workers: 4, Running: 4}); v.IO {
		t.Error("workers that stand ready for a CPU count as waiting")
	}
}

// The number of workers never leaves [1, most].
func TestScalerBounds(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(5, 6))
	for range 200 {
		most := 1 + rng.IntN(16)
		s := NewScaler(most, most, rng.Float64()*1e6, time.Duration(rng.IntN(1e6)))
		w := most
		for range 300 {
			v := s.Step(Window{
				Wall: time.Duration(rng.IntN(1e8)), Workers: w, Items: rng.IntN(1000), InItems: time.Duration(rng.IntN(1e9)),
				CPU: time.Duration(rng.IntN(1e9)), LockWait: time.Duration(rng.IntN(1e8)), GCShare: rng.Float64(), Running: rng.Float64() * 16,
			})
			if v.Workers < 1 || v.Workers > most || s.Settled() < 1 || s.Settled() > most {
				t.Fatalf("%d workers, settled on %d, of %d", v.Workers, s.Settled(), most)
			}
			w = v.Workers
		}
	}
}

// The cause is named from the evidence that speaks most plainly.
func TestScalerNamesTheCause(t *testing.T) {
	t.Parallel()
	const wall = 10 * time.Millisecond
	base := Window{Wall: wall, Workers: 4, Items: 100, InItems: 4 * wall, CPU: 4 * wall, Running: 4}
	for _, row := range []struct {
		name  string
		with  func(*Window)
		ready time.Duration
		want  string
	}{
		{"nothing", func(*Window) {}, 0, "the rate stayed the same"},
		{"a free place", func(*Window) {}, 30 * time.Microsecond, "the rate stayed the same"},
		{"scheduler latency", func(*Window) {}, 3 * time.Millisecond, "one goroutine in ten stood ready for 3.00 ms or more before it ran"},
		{"latency and idling", func(w *Window) { w.CPU, w.Running = wall, 1 }, 3 * time.Millisecond, "one goroutine in ten stood ready"},
		{"idling", func(w *Window) { w.CPU, w.Running = wall, 1 }, 0, "they used the CPU only 25 % of the time"},
		{"locks before latency", func(w *Window) { w.LockWait = 2 * wall }, 3 * time.Millisecond, "they waited for mutexes 50 %"},
		{"the collector before latency", func(w *Window) { w.GCShare = 0.4 }, 3 * time.Millisecond, "the garbage collector took 40 %"},
	} {
		s := NewScaler(4, 4, 0, 0)
		s.last = base
		row.with(&s.last)
		s.high, s.low, s.state, s.agree = 1000, 1000, comparing, 2*agreement
		last := base
		last.Items, last.Ready = 10, row.ready // 1000 a second, as with half the workers
		v := s.Step(last)
		if v.Workers != 2 || !strings.Contains(v.Why, row.want) {
			t.Errorf("%s: %d workers, %q; want %q", row.name, v.Workers, v.Why, row.want)
		}
	}
}

// Items that fight over a cache line differ so much in time that no window
// tells a close rate. They are so much slower together that it does not matter.
func TestScalerSeesContentionThroughNoise(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name     string
		together time.Duration // of an item beside another; alone it takes 450 ns
		err      float64       // of windows with two workers
		fewer    bool
	}{
		{"four times as slow, vague", 2000, 0.25, true},
		{"eight times as slow, very vague", 3600, 0.40, true},
		{"as fast as alone, vague", 450, 0.25, false},
		{"a little slower, vague", 600, 0.25, false},
		{"four times as slow, but who knows", 2000, 0.9, false},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			s := NewScaler(2, 2, 450, 450)
			workers, windows := 2, 0
			for ; windows < 40 && s.Settled() == 2; windows++ {
				w := Window{Wall: 2 * time.Millisecond, Workers: workers, Error: row.err}
				each := row.together
				if workers == 1 {
					each, w.Error = 450, 0.02
				}
				w.InItems = w.Wall * time.Duration(workers)
				w.Items = int(w.InItems / each)
				w.CPU, w.Running = w.InItems, float64(workers)
				workers = s.Step(w).Workers
			}
			if got := s.Settled() == 1; got != row.fewer {
				t.Errorf("steps down: %v, want %v, after %d windows", got, row.fewer, windows)
			}
			if row.fewer && windows > 12 {
				t.Errorf("found out after %d windows", windows)
			}
		})
	}
}
