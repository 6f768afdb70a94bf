package weft_test

import (
	"context"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/weft-go/weft"
)

// These tests run on a fake clock and not in parallel: the CPU time that
// other tests use would look like this run's.

// Items that wait run many at once: far faster than one by one, and within
// bounds.
func TestWaitingItemsRunAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const n, each = 2000, 20 * time.Millisecond
		var p peak
		var rep weft.Report
		begin := time.Now()
		_, err := weft.Map(t.Context(), ints(n), func(_ context.Context, i int) (int, error) {
			p.enter()
			defer p.leave()
			time.Sleep(each)
			return i, nil
		}, weft.ReportTo(&rep))
		if err != nil {
			t.Fatal(err)
		}
		d := time.Since(begin)
		t.Logf("%v, %d at once at most", d, p.most.Load())
		if d > n*each/20 {
			t.Errorf("took %v, one by one it is %v\n%v", d, n*each, rep)
		}
		if m := p.most.Load(); m < 32 || m > n {
			t.Errorf("%d at once", m)
		}
		if rep.Plan.Bound != "io" || rep.Plan.Mode != "goroutines that wait" {
			t.Errorf("bound %q, mode %q", rep.Plan.Bound, rep.Plan.Mode)
		}
	})
}

// One item after the other never needs to wait for the pilot to end: eight
// items that wait a second each take little more than one.
func TestFewWaitingItems(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var rep weft.Report
		begin := time.Now()
		if err := weft.Each(t.Context(), ints(8), func(context.Context, int) error { time.Sleep(time.Second); return nil }, weft.ReportTo(&rep)); err != nil {
			t.Fatal(err)
		}
		if d := time.Since(begin); d > 1300*time.Millisecond {
			t.Errorf("8 items of 1s took %v\n%v", d, rep)
		}
	})
}

// Nor does a stream: the first item runs beside the reading of the others.
func TestFewWaitingItemsInAStream(t *testing.T) {
	for _, opts := range [][]weft.StreamOption{nil, {weft.Unordered()}, {weft.KeepGoing()}} {
		synctest.Test(t, func(t *testing.T) {
			var rep weft.Report
			begin := time.Now()
			ps := collect(weft.Stream(t.Context(), upTo(20), func(_ context.Context, i int) (int, error) {
				time.Sleep(time.Second)
				return i, nil
			}, append(opts, weft.ReportTo(&rep))...))
			if d := time.Since(begin); len(ps) != 20 || d > 1500*time.Millisecond {
				t.Errorf("%d items of 1s took %v\n%v", len(ps), d, rep)
			}
		})
	}
}

// An item that waits is not alone for long if the ones before it were short
// but not tiny.
func TestAStreamOfLongAndShortItems(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begin := time.Now()
		n := 0
		for v, err := range weft.Stream(t.Context(), upTo(24), func(_ context.Context, i int) (int, error) {
			switch {
			case i == 0:
				time.Sleep(300 * time.Microsecond)
			case i >= 4:
				time.Sleep(time.Second)
			}
			return i, nil
		}) {
			if v != n || err != nil {
				t.Errorf("pair %d is %d, %v", n, v, err)
			}
			n++
		}
		if d := time.Since(begin); n != 24 || d > 1500*time.Millisecond {
			t.Errorf("%d items, 20 of them of 1s, took %v", n, d)
		}
	})
}

// server answers in latency as long as at most good requests are there, and
// gets slower with each more: past good, throughput falls.
type server struct {
	latency time.Duration
	good    int
	mu      sync.Mutex
	inside  int
	most    int
	rng     *rand.Rand
	noise   float64
}

func (s *server) call(ctx context.Context) error {
	s.mu.Lock()
	s.inside++
	s.most = max(s.most, s.inside)
	f := 1.0
	if over := s.inside - s.good; over > 0 {
		r := float64(s.inside) / float64(s.good)
		f = r * r
	}
	if s.noise > 0 {
		f *= 1 + s.noise*(2*s.rng.Float64()-1)
	}
	d := time.Duration(float64(s.latency) * f)
	s.mu.Unlock()
	defer func() {
		s.mu.Lock()
		s.inside--
		s.mu.Unlock()
	}()
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// A server that gets worse past 64 requests at once is kept near 64: over a
// long run at least 70 % of the best throughput, the search included, and the
// level that is found near the knee.
func TestWaitingFindsTheKnee(t *testing.T) {
	for _, noise := range []float64{0, 0.3} {
		synctest.Test(t, func(t *testing.T) {
			const n = 20_000
			s := &server{latency: 50 * time.Millisecond, good: 64, noise: noise, rng: rand.New(rand.NewPCG(3, 4))}
			var rep weft.Report
			begin := time.Now()
			if err := weft.Each(t.Context(), ints(n), func(ctx context.Context, i int) error { return s.call(ctx) }, weft.ReportTo(&rep)); err != nil {
				t.Fatal(err)
			}
			best := time.Duration(float64(n) / 64 * float64(s.latency))
			d := time.Since(begin)
			t.Logf("noise %v: %v, the best is %v, at most %d at once, %d in the end", noise, d, best, s.most, rep.Plan.Workers)
			if d > best*10/7 {
				t.Errorf("took %v, the best is %v\n%v", d, best, rep)
			}
			if w := rep.Plan.Workers; w < 40 || w > 96 {
				t.Errorf("ends with %d in flight, the knee is 64", w)
			}
		})
	}
}

// The same in a stream, which ends when the loop does.
func TestWaitingStream(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const n, each = 2000, 20 * time.Millisecond
		begin := time.Now()
		k := 0
		for v, err := range weft.Stream(t.Context(), upTo(n), func(_ context.Context, i int) (int, error) { time.Sleep(each); return i, nil }) {
			if err != nil || v != k {
				t.Fatalf("pair %d: %d, %v", k, v, err)
			}
			k++
		}
		if d := time.Since(begin); d > n*each/20 {
			t.Errorf("took %v, one by one it is %v", d, n*each)
		}
	})
}

// What memory allows bounds the items in flight, for every number of workers.
func TestWaitingWithinMemory(t *testing.T) {
	for _, w := range ways() {
		t.Run(w.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var p peak
				err := weft.Each(t.Context(), ints(100), func(context.Context, int) error {
					p.enter()
					defer p.leave()
					time.Sleep(20 * time.Millisecond)
					return nil
				}, w.mapped(weft.MemoryPerItem(1<<30), weft.MemoryLimit(2<<30+1))...)
				if err != nil {
					t.Fatal(err)
				}
				if m := p.most.Load(); m > 2 {
					t.Errorf("%d items of 1 GiB at once, in a budget of 2 GiB", m)
				}
			})
		})
	}
}

// All options at once.
func TestOptionsCombined(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const n = 300
		var p peak
		keys := newPerKey()
		var calls [n]atomic.Int32
		var s starts
		var rep weft.Report
		begin := time.Now()
		out, err := weft.Map(t.Context(), ints(n), func(ctx context.Context, i int) (int, error) {
			p.enter()
			defer p.leave()
			k := mod(10)(i)
			keys.enter(k)
			defer keys.leave(k)
			s.add()
			switch c := calls[i].Add(1); {
			case i%7 == 0 && c == 1:
				return 0, weft.BackOff{After: 100 * time.Millisecond}
			case i%11 == 0 && c == 1:
				<-ctx.Done()
				return 0, ctx.Err()
			case i%50 == 49:
				return 0, errBoom
			}
			time.Sleep(30 * time.Millisecond)
			return i + 1, nil
		}, weft.Timeout(time.Second), weft.Retry(3), weft.Rate(500), weft.PerKey(mod(10), 3), weft.KeepGoing(),
			weft.MemoryPerItem(1<<20), weft.MemoryLimit(40<<20), weft.ReportTo(&rep), weft.Name("all"))
		if got := len(indices(err)); got != n/50 {
			t.Errorf("%d failures, want %d: %v", got, n/50, err)
		}
		for i, v := range out {
			if want := i + 1; i%50 != 49 && v != want {
				t.Errorf("result %d is %d", i, v)
			}
		}
		for k, m := range keys.most {
			if m > 3 {
				t.Errorf("%d of key %s at once", m, k)
			}
		}
		if m := p.most.Load(); m > 40 {
			t.Errorf("%d at once, the budget has room for 40", m)
		}
		checkRate(t, s.at, 500)
		if rep.Failed != n/50 || rep.Done != n-n/50 || rep.Retried == 0 {
			t.Errorf("report: %d done, %d failed, %d retried", rep.Done, rep.Failed, rep.Retried)
		}
		if d := time.Since(begin); d > 5*time.Minute {
			t.Errorf("took %v", d)
		}
	})
}

// Items that compute at first and wait later: once none of the workers runs,
// many are started. Each waits until 40 do; two workers would wait for ever.
func TestComputingThenWaiting(t *testing.T) {
	const computing, together = 2000, 40
	b := newBarrier(together)
	var rep weft.Report
	mustEnd(t, func() {
		err := weft.Each(t.Context(), ints(computing+400), func(ctx context.Context, i int) error {
			if i < computing {
				computeFor(10 * time.Microsecond)
			} else if !b.wait(ctx) {
				return context.Cause(ctx)
			}
			return nil
		}, weft.ReportTo(&rep))
		if err != nil {
			t.Error(err)
		}
	})
	if b.come.Load() != 400 {
		t.Errorf("%d waited\n%v", b.come.Load(), rep)
	}
}

// The plan of work that waits says so, also where nothing of it is carried out.
func TestExplainWaitingItems(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, err := weft.Explain(t.Context(), ints(500), func(ctx context.Context, i int) (int, error) {
			time.Sleep(20 * time.Millisecond)
			return i, nil
		})
		if err != nil {
			t.Fatal(err)
		}
		if p.Mode != "goroutines that wait" || p.Schedule != "dynamic" || p.Workers < 32 {
			t.Errorf("mode %q, schedule %q, %d workers", p.Mode, p.Schedule, p.Workers)
		}
		if s := p.String(); !strings.Contains(s, "at a time") || strings.Contains(strings.SplitN(s, "\n", 2)[0], "plain loop") {
			t.Error(s)
		}
	})
}
