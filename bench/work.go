package main

import (
	"context"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"net/http"
	"runtime"
	"strconv"
	"sync"
	"time"
)

// itemFunc is the work on one item, the same for every contender in Go.
type itemFunc func(ctx context.Context, x int) (uint64, error)

// work is one kind of work that contenders are timed on.
type work struct {
	name  string
	title string
	about string
	items []int    // what itemFunc is given
	want  []uint64 // what it returns for each

	waits   bool // the items wait; more of them than CPUs may run at once
	probing int  // how many of the items decide on a peer's setting

	rounds       int // timed runs of a contender in Go
	pythonRounds int // and in Python

	// start returns the function for one run. What it holds, connections
	// say, is used by no other run. stop ends it.
	start func() (do itemFunc, stop func())

	// For the Python side, which has its own itemFunc.
	kind   string // "noop", "spin" or "get"
	micros []int  // spin: the length of each item
	url    string // get: the server
}

// sizes is how much work there is.
type sizes struct {
	noops, tiny, tail, gets int
}

var (
	fullSizes  = sizes{noops: 100_000, tiny: 10_000, tail: 10_000, gets: 2_000}
	quickSizes = sizes{noops: 2_000, tiny: 500, tail: 100, gets: 100}
)

const (
	tinyMicros = 16
	tailMicros = 1000 // mean
	getDelay   = 20 * time.Millisecond
)

func noopWork(n int) *work {
	w := &work{
		name:         "noop",
		title:        fmt.Sprintf("%d no-ops", n),
		about:        "A function that returns its argument: all that is left is what the library costs.",
		kind:         "noop",
		probing:      max(n/5, min(n, 1000)),
		rounds:       15,
		pythonRounds: 3,
		start: func() (itemFunc, func()) {
			return func(_ context.Context, x int) (uint64, error) { return uint64(x), nil }, func() {}
		},
	}
	for i := range n {
		w.items = append(w.items, i)
		w.want = append(w.want, uint64(i))
	}
	return w
}

func tinyWork(n int, rate float64) *work {
	micros := make([]int, n)
	for i := range micros {
		micros[i] = tinyMicros
	}
	w := spinWork(micros, rate)
	w.name = "tiny"
	w.title = fmt.Sprintf("%d tasks of %d µs", n, tinyMicros)
	w.about = "The case that ray's documentation gives for tasks that are too small " +
		"(there `time.sleep(1e-5)`, which takes about 16 µs), as CPU work."
	w.probing = n
	w.rounds, w.pythonRounds = 15, 3
	return w
}

func tailWork(n int, rate float64) *work {
	micros := tailDurations(n)
	sum, longest := 0, 0
	for _, us := range micros {
		sum += us
		longest = max(longest, us)
	}
	w := spinWork(micros, rate)
	w.name = "tail"
	w.title = fmt.Sprintf("%d tasks of 1 ms CPU with a heavy tail", n)
	w.about = fmt.Sprintf("Lognormal lengths from one seeded list, the same for both languages: "+
		"mean %.3f ms, longest %.1f ms, %.2f s in all, so %.2f s for %d workers in perfect balance.",
		float64(sum)/float64(n)/1e3, float64(longest)/1e3, float64(sum)/1e6,
		float64(sum)/1e6/float64(runtime.GOMAXPROCS(0)), runtime.GOMAXPROCS(0))
	w.probing = max(n/10, min(n, 100))
	w.rounds, w.pythonRounds = 5, 3
	return w
}

func getWork(n int, url string) *work {
	w := &work{
		name:  "http",
		title: fmt.Sprintf("%d HTTP GETs at %v", n, getDelay),
		about: fmt.Sprintf("A server in a process of its own on the loopback answers each GET after %v. "+
			"Every run opens its own connections.", getDelay),
		kind:         "get",
		url:          url,
		waits:        true,
		probing:      n,
		rounds:       7,
		pythonRounds: 3,
		start:        func() (itemFunc, func()) { return getter(url) },
	}
	for i := range n {
		w.items = append(w.items, i)
		w.want = append(w.want, uint64(i))
	}
	return w
}

// getter returns a function that gets one page with a client of its own, set
// so that no connection is closed for want of room among the idle ones.
func getter(url string) (do itemFunc, stop func()) {
	transport := &http.Transport{MaxIdleConnsPerHost: math.MaxInt, DisableCompression: true}
	client := &http.Client{Transport: transport}
	do = func(ctx context.Context, x int) (uint64, error) {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, url+"/"+strconv.Itoa(x), nil)
		if err != nil {
			return 0, err
		}
		resp, err := client.Do(req)
		if err != nil {
			return 0, err
		}
		defer resp.Body.Close()
		body, err := io.ReadAll(resp.Body)
		if err != nil {
			return 0, err
		}
		if resp.StatusCode != http.StatusOK {
			return 0, fmt.Errorf("GET %s: %s", req.URL, resp.Status)
		}
		return strconv.ParseUint(string(body), 10, 64)
	}
	return do, transport.CloseIdleConnections
}

// spinWork is CPU work whose items take the given times where the loop does
// rate iterations a microsecond.
func spinWork(micros []int, rate float64) *work {
	w := &work{
		kind:   "spin",
		micros: micros,
		start: func() (itemFunc, func()) {
			return func(_ context.Context, n int) (uint64, error) { return spin(n), nil }, func() {}
		},
	}
	for _, us := range micros {
		n := int(math.Round(float64(us) * rate))
		w.items = append(w.items, n)
		w.want = append(w.want, spinJump(n))
	}
	return w
}

// tailDurations returns n lengths in microseconds with a heavy tail: lognormal
// with sigma 1.4, scaled to the mean of tailMicros. The seed is one whose
// longest of 10,000 is between 50 and 100 ms, which the test holds.
func tailDurations(n int) []int {
	const sigma = 1.4
	r := rand.New(rand.NewPCG(tailSeed, 0))
	lengths := make([]float64, n)
	sum := 0.0
	for i := range lengths {
		lengths[i] = math.Exp(sigma * r.NormFloat64())
		sum += lengths[i]
	}
	micros := make([]int, n)
	for i, l := range lengths {
		micros[i] = max(1, int(math.Round(l*tailMicros*float64(n)/sum)))
	}
	return micros
}

const tailSeed = 1

// The CPU work is a linear congruential generator, the one of the C standard's
// example. Its state fits in 31 bits, so that Python computes it without long
// integers. The n-th state is also known in log n steps, which is how every
// result is checked without doing the work a second time.
const (
	lcgMul  = 1103515245
	lcgAdd  = 12345
	lcgMask = 1<<31 - 1
)

//go:noinline
func spin(n int) uint64 {
	x := uint64(1)
	for range n {
		x = (x*lcgMul + lcgAdd) & lcgMask
	}
	return x
}

// spinJump is spin(n) by repeated squaring of the step.
func spinJump(n int) uint64 {
	mul, add := uint64(1), uint64(0) // nothing
	stepMul, stepAdd := uint64(lcgMul), uint64(lcgAdd)
	for ; n > 0; n >>= 1 {
		if n&1 == 1 {
			mul, add = mul*stepMul&lcgMask, (add*stepMul+stepAdd)&lcgMask
		}
		stepMul, stepAdd = stepMul*stepMul&lcgMask, (stepAdd*stepMul+stepAdd)&lcgMask
	}
	return (mul + add) & lcgMask
}

// calibration is how fast a language runs the loop of the CPU work here.
type calibration struct {
	// Rate is how many iterations take a microsecond, on one CPU with the
	// others left alone.
	Rate float64 `json:"rate"`
	// Crowded is how many times longer an iteration takes when every worker
	// runs the loop: what no library can win back.
	Crowded float64 `json:"crowded"`
}

// calibrate measures spin. Each figure is the fastest of several tries: what
// disturbs one can only make it slower.
func calibrate(workers int) calibration {
	alone := spinRate(150, 2*time.Millisecond)
	rates := make([]float64, workers)
	var wg sync.WaitGroup
	for i := range rates {
		wg.Go(func() { rates[i] = spinRate(60, 5*time.Millisecond) })
	}
	wg.Wait()
	sum := 0.0
	for _, r := range rates {
		sum += r
	}
	return calibration{alone, alone / (sum / float64(workers))}
}

func spinRate(tries int, each time.Duration) float64 {
	best, n := 0.0, 100_000
	for range tries {
		start := time.Now()
		runtime.KeepAlive(spin(n))
		d := time.Since(start)
		rate := float64(n) / (float64(d) / 1e3)
		best = max(best, rate)
		n = int(best * float64(each) / 1e3)
	}
	return best
}
