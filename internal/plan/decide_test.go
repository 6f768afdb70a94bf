package plan

import (
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

func estimate(item time.Duration, share float64) Estimate {
	return Estimate{Items: 20, Nanos: float64(item), Wall: item, CPU: time.Duration(float64(item) * share), Share: share}
}

func TestDecide(t *testing.T) {
	t.Parallel()
	const us, ms = time.Microsecond, time.Millisecond
	for _, row := range []struct {
		name    string
		q       Question
		mode    Mode
		workers int
		reason  string // words that it has
	}{
		{"tiny work", Question{Estimate: estimate(1*us, 1), Remaining: 100, Workers: 8}, Plain, 1, "cost more than they save"},
		{"fine items, some of them", Question{Estimate: estimate(1*us, 1), Remaining: 200, Workers: 8}, Plain, 1, "cost more than they save"},
		{"fine items, many", Question{Estimate: estimate(1*us, 1), Remaining: 1_000_000, Workers: 8}, CPU, 8, "8 workers cut"},
		{"items of a nanosecond, many", Question{Estimate: Estimate{Items: 9, Nanos: 1, Share: 1}, Remaining: 100_000_000, Workers: 8}, CPU, 8, "8 workers cut"},
		{"items of a nanosecond, too few for all CPUs", Question{Estimate: Estimate{Items: 9, Nanos: 2, Share: 1}, Remaining: 600_000, Workers: 64}, CPU, 16, "16 workers cut"},
		{"items of a nanosecond, half a millisecond of them", Question{Estimate: Estimate{Items: 9, Nanos: 5, Share: 1}, Remaining: 100_000, Workers: 2}, Plain, 1, "cost more than they save"},
		{"items of half a nanosecond", Question{Estimate: Estimate{Items: 9, Nanos: 0.5, Share: 1}, Remaining: 100_000_000, Workers: 8}, Plain, 1, "too small"},
		{"coarse items", Question{Estimate: estimate(100*ms, 1), Remaining: 16, Workers: 8}, CPU, 8, "100 % of their time"},
		{"fewer coarse items than workers", Question{Estimate: estimate(100*ms, 1), Remaining: 3, Workers: 8}, CPU, 8, "workers"},
		{"two long items", Question{Estimate: estimate(time.Second, 1), Remaining: 2, Workers: 2}, CPU, 2, "2 workers"},
		{"one item left", Question{Estimate: estimate(time.Second, 1), Remaining: 1, Workers: 8}, Plain, 1, "one item is left"},
		{"one item left, beside one that runs", Question{Estimate: estimate(time.Second, 1), Remaining: 1, Workers: 8, Beside: true}, CPU, 8, "workers"},
		{"next to nothing left, beside an item that runs", Question{Estimate: estimate(time.Microsecond, 1), Remaining: 1, Workers: 8, Beside: true}, Plain, 1, "cost more than they save"},
		{"one CPU", Question{Estimate: estimate(10*ms, 1), Remaining: 1000, Workers: 1}, Plain, 1, "one CPU only"},
		{"two CPUs", Question{Estimate: estimate(10*ms, 1), Remaining: 1000, Workers: 2}, CPU, 2, "2 workers"},
		{"memory for one", Question{Estimate: estimate(10*ms, 1), Remaining: 1000, Workers: 8, Limit: 1}, Plain, 1, "memory budget"},
		{"memory for three", Question{Estimate: estimate(10*ms, 1), Remaining: 1000, Workers: 8, Limit: 3}, CPU, 3, "3 workers"},
		{"endless, fine", Question{Estimate: estimate(1*us, 1), Remaining: 0, Workers: 4}, CPU, 4, "times as many"},
		{"endless, tiny", Question{Estimate: Estimate{Items: 9, Nanos: 1, Share: 1}, Remaining: -1, Workers: 4}, Plain, 1, "too small"},
		{"endless, slow", Question{Estimate: estimate(10*time.Second, 1), Remaining: -1, Workers: 4}, CPU, 4, "times as many"},
		{"waiting", Question{Estimate: estimate(20*ms, 0.01), Remaining: 1000, Workers: 8}, IO, 64, "wait 99 % of their"},
		{"the first waits on", Question{Estimate: Estimate{Nanos: 2e6, Share: 0.2, Running: true}, Remaining: 1000, Workers: 2}, IO, 64, "still waits"},
		{"the first waits on, memory is limited", Question{Estimate: Estimate{Nanos: 2e6, Share: 0.2, Running: true}, Remaining: 1000, Workers: 2, Careful: true}, IO, 12, "still waits"},
		{"waiting, one CPU", Question{Estimate: estimate(20*ms, 0.01), Remaining: 1000, Workers: 1}, IO, 64, "wait"},
		{"waiting, few", Question{Estimate: estimate(20*ms, 0.01), Remaining: 5, Workers: 8}, IO, 6, "wait"}, // 5 and the one that runs
		{"waiting, memory for four", Question{Estimate: estimate(20*ms, 0.01), Remaining: 1000, Workers: 8, Limit: 4}, IO, 4, "memory or file descriptors"},
		{"waiting, memory for one", Question{Estimate: estimate(20*ms, 0.01), Remaining: 1000, Workers: 8, Limit: 1}, Plain, 1, "room for one"},
		{"waiting, next to nothing left", Question{Estimate: estimate(20*us, 0.01), Remaining: 5, Workers: 8}, Plain, 1, "cost more than they save"},
		{"waiting, endless", Question{Estimate: estimate(20*ms, 0), Remaining: -1, Workers: 8}, IO, 64, "wait 100 %"},
		{"mixed: half CPU", Question{Estimate: estimate(10*ms, 0.5), Remaining: 1000, Workers: 4}, IO, 10, "wait 50 %"},
		{"mixed: mostly CPU", Question{Estimate: estimate(10*ms, 0.8), Remaining: 1000, Workers: 4}, IO, 6, "wait 20 %"},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			a := Decide(row.q)
			if a.Mode != row.mode || a.Workers != row.workers {
				t.Errorf("%v with %d, want %v with %d: %s", a.Mode, a.Workers, row.mode, row.workers, a.Reason)
			}
			if !strings.Contains(a.Reason, row.reason) {
				t.Errorf("the reason is %q, it should have %q", a.Reason, row.reason)
			}
		})
	}
}

// What holds for every question.
func TestDecideAlways(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		nanos := rapid.Float64Range(0, 1e12).Draw(t, "nanos")
		q := Question{
			Estimate:  Estimate{Items: 10, Nanos: nanos, Wall: time.Duration(nanos), Share: rapid.Float64Range(0, 1).Draw(t, "share")},
			Remaining: rapid.IntRange(-1, 1<<40).Draw(t, "remaining"),
			Workers:   rapid.IntRange(1, 512).Draw(t, "workers"),
			Limit:     rapid.IntRange(0, 10_000).Draw(t, "limit"),
		}
		a := Decide(q)
		switch {
		case a.Workers < 1:
			t.Fatalf("%d workers", a.Workers)
		case q.Limit > 0 && a.Workers > q.Limit:
			t.Fatalf("%d workers pass the limit of %d", a.Workers, q.Limit)
		case a.Mode == Plain && a.Workers != 1:
			t.Fatalf("a plain loop with %d workers", a.Workers)
		case a.Mode == CPU && a.Workers > q.Workers:
			t.Fatalf("%d CPU workers of %d", a.Workers, q.Workers)
		case a.Mode == IO && q.Remaining > 0 && a.Workers > q.Remaining+1:
			t.Fatalf("%d in flight of %d", a.Workers, q.Remaining)
		case a.Reason == "":
			t.Fatal("no reason")
		case a.Predicted < 0:
			t.Fatalf("predicted %v", a.Predicted)
		case q.Remaining == 1 && a.Mode == CPU:
			t.Fatal("workers for one item")
		}
		for _, c := range a.Rejected {
			if c.Predicted < 0 || c.What == "" {
				t.Fatalf("rejected %+v", c)
			}
			// Contract 1: what is chosen is predicted to be fastest, unless a
			// reason says why the other is not to be had or not worth it.
			if c.Why == "" && a.Mode == CPU && c.Predicted < a.Predicted {
				t.Fatalf("chose %v, rejected %s of %v", a.Predicted, c.What, c.Predicted)
			}
		}
	})
}

func TestBound(t *testing.T) {
	t.Parallel()
	for share, want := range map[float64]string{0: "io", 0.49: "io", 0.5: "mixed", 0.84: "mixed", 0.85: "cpu", 1: "cpu"} {
		if got := Bound(share); got != want {
			t.Errorf("Bound(%v) is %q, want %q", share, got, want)
		}
	}
}

func TestShort(t *testing.T) {
	t.Parallel()
	for d, want := range map[time.Duration]string{
		0:                         "0.00 ns",
		999:                       "999 ns",
		1500:                      "1.50 us",
		25 * time.Microsecond:     "25.0 us",
		1234 * time.Microsecond:   "1.23 ms",
		119 * time.Second:         "119 s",
		2 * time.Minute:           "2m0s",
		3*time.Hour + time.Second: "3h0m1s",
		-1500:                     "-1.50 us",
		999_999:                   "1.00 ms",
		9_999:                     "10.0 us",
	} {
		if got := Short(d); got != want {
			t.Errorf("Short(%d) is %q, want %q", d, got, want)
		}
	}
}
