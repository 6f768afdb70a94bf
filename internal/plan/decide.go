package plan

import (
	"fmt"
	"math"
	"time"
)

// Mode is a way to run.
type Mode uint8

const (
	Plain Mode = iota // one item after the other
	CPU               // as many workers as CPUs, in chunks
	IO                // many items waiting at once
)

func (m Mode) String() string {
	switch m {
	case CPU:
		return "goroutines"
	case IO:
		return "goroutines that wait"
	}
	return "plain loop"
}

// Question is what Decide is asked.
type Question struct {
	Estimate
	Remaining int // items left; 0 or less when the end is not known
	Workers   int // CPU workers that may run
	Limit     int // most items in flight that memory and descriptors allow

	// Beside says that an item runs beside those that are left: even one is
	// worth a worker of its own then.
	Beside bool

	// Careful says that memory is limited, and what an item takes not known
	// yet: the search begins with as many as fill the CPUs.
	Careful bool
}

// Answer is what it says.
type Answer struct {
	Mode      Mode
	Workers   int
	Reason    string
	Predicted time.Duration // for what is left
	Rejected  []Choice
}

// Choice is a way that was considered.
type Choice struct {
	What      string
	Mode      Mode
	Workers   int
	Predicted time.Duration
	Why       string
}

// What starting costs, and how little is not worth it. Found with
// BenchmarkStart in the root package: waking a worker on an idle CPU takes
// 5 to 50 us on the machines tried, a virtual machine being the slow end.
const (
	startCost = 50 * time.Microsecond // until the first other worker runs
	eachCost  = 2 * time.Microsecond  // for each further one
	// LeastWork is the serial time below which going parallel is noise.
	LeastWork = 250 * time.Microsecond
	// Below tinyItem nanoseconds it is tinyFactor times as much: such items
	// live from what the caches hold, and another CPU's have nothing of it.
	// Measured with 1e5, 3e5 and 1e6 items of 5 ns: 2 workers took 1.14, 1.00
	// and 0.80 of the time of one.
	tinyItem   = 100
	tinyFactor = 4
	// leastGain is the share of the serial time that must be saved.
	leastGain = 0.2
	// handOver is the part of an item's time, in nanoseconds, that more
	// workers do not shorten: reading the input and writing the result keep
	// the memory busy. Fitted to Map over 3e5 and 1e6 items that add one
	// number, with 1 and 2 workers.
	handOver = 0.7
	// queued is the same where items come through a queue, as in a stream.
	queued = 50.0
)

const (
	// cpuBound is the CPU share from which items count as CPU-bound, ioBound
	// the one below which they mostly wait.
	cpuBound = 0.85
	ioBound  = 0.5
	// firstInFlight is where the search for the best concurrency begins when
	// items hardly use the CPU. ThreadPoolExecutor stops at 32 threads, and
	// aiohttp's connector at 100 connections.
	firstInFlight = 64
)

// leastWork is LeastWork for items of the given nanoseconds.
func leastWork(nanos float64) time.Duration {
	if nanos < tinyItem {
		return tinyFactor * LeastWork
	}
	return LeastWork
}

// serial is the predicted time of the plain loop.
func serial(e Estimate, n int) time.Duration { return nanos(e.Nanos * float64(n)) }

// parallel is the predicted time with w CPU workers.
// Of each item the nanoseconds in fixed are not shared.
func parallel(e Estimate, n, w int, fixed float64) time.Duration {
	if w <= 1 {
		return serial(e, n)
	}
	w = min(w, n)
	fixed = min(fixed, e.Nanos)
	t := (fixed + (e.Nanos-fixed)/float64(w)) * float64(n)
	if n < 64*w { // whole items: the last round may be part empty
		t = max(t, e.Nanos*math.Ceil(float64(n)/float64(w)))
	}
	return nanos(t + float64(startCost) + float64(w-1)*float64(eachCost))
}

// waiting is the predicted time with w items in flight that need the CPU for
// a share of their time only.
func waiting(e Estimate, n, w, cpus int) time.Duration {
	w = max(1, min(w, n))
	t := e.Nanos * math.Ceil(float64(n)/float64(w))
	cpu := e.Nanos * e.Share * float64(n) / float64(max(1, cpus))
	return nanos(max(t, cpu) + float64(startCost))
}

func nanos(f float64) time.Duration {
	if f >= math.MaxInt64 {
		return math.MaxInt64
	}
	return time.Duration(f)
}

// Decide chooses how to run what is left.
func Decide(q Question) Answer {
	n := q.Remaining
	endless, fixed := n <= 0, handOver
	if endless {
		fixed = queued
		// The end is not known: judge by a second's worth of items, or 1,000.
		n = int(min(1e9, max(1000, 1e9/max(q.Nanos, 1))))
	} else if q.Beside {
		n++
	}
	limit := q.Limit
	if limit <= 0 {
		limit = math.MaxInt32
	}
	w := min(q.Workers, limit)
	for w > 3 && parallel(q.Estimate, n, w/2, fixed) < parallel(q.Estimate, n, w, fixed) {
		w /= 2 // to start the others costs more than they bring
	}
	plain := Choice{What: "plain loop", Mode: Plain, Workers: 1, Predicted: serial(q.Estimate, n)}
	if q.Share < ioBound || q.Share < cpuBound && q.Workers > 1 {
		return decideIO(q, n, limit, plain)
	}
	many := Choice{What: workers(w), Mode: CPU, Workers: w, Predicted: parallel(q.Estimate, n, w, fixed)}
	a := Answer{Mode: Plain, Workers: 1, Predicted: plain.Predicted}
	gain := plain.Predicted - many.Predicted
	switch {
	case !endless && n == 1:
		a.Reason = "one item is left: nothing can run beside it"
		return a
	case q.Workers <= 1:
		a.Reason = fmt.Sprintf("the process may use one CPU only, and the items need the CPU for %.0f %% of their time", 100*q.Share)
		return a
	case w <= 1:
		a.Reason = "the memory budget has room for one item at a time"
		many = Choice{What: workers(q.Workers), Mode: CPU, Workers: q.Workers, Predicted: parallel(q.Estimate, n, q.Workers, fixed), Why: "would pass the memory budget"}
		a.Rejected = []Choice{many}
		return a
	case plain.Predicted < leastWork(q.Nanos):
		a.Reason = fmt.Sprintf("the items take %s each, %s in all: starting workers would cost more than they save",
			Nanos(q.Nanos), Short(plain.Predicted))
		a.Rejected = []Choice{many}
		return a
	case float64(gain) < leastGain*float64(plain.Predicted):
		a.Reason = fmt.Sprintf("items of %s are too small: %d workers would need %s where the plain loop needs %s",
			Nanos(q.Nanos), w, Short(many.Predicted), Short(plain.Predicted))
		a.Rejected = []Choice{many}
		return a
	}
	if q.Running {
		return Answer{Mode: CPU, Workers: w, Reason: fmt.Sprintf(
			"the first item still runs after %s and uses the CPU %.0f %% of the time: %d workers share the others", Nanos(q.Nanos), 100*q.Share, w)}
	}
	a = Answer{Mode: CPU, Workers: w, Predicted: many.Predicted}
	a.Reason = fmt.Sprintf("the items use the CPU %.0f %% of their time and take %s each: %d workers cut %s to %s",
		100*q.Share, Nanos(q.Nanos), w, Short(plain.Predicted), Short(many.Predicted))
	if endless {
		a.Reason = fmt.Sprintf("the items use the CPU %.0f %% of their time and take %s each: %d workers do %.1f times as many",
			100*q.Share, Nanos(q.Nanos), w, float64(plain.Predicted)/float64(many.Predicted))
	}
	a.Rejected = append(a.Rejected, plain)
	if w > 3 {
		half := w / 2
		a.Rejected = append(a.Rejected, Choice{What: workers(half), Mode: CPU, Workers: half, Predicted: parallel(q.Estimate, n, half, fixed)})
	}
	a.Rejected = append(a.Rejected, Choice{
		What: workers(2 * w), Mode: CPU, Workers: 2 * w,
		Predicted: nanos(float64(many.Predicted) + float64(w)*float64(eachCost)),
		Why:       noFaster(w, q.Workers),
	})
	return a
}

func noFaster(w, cpus int) string {
	if 2*w <= cpus {
		return "no faster: to start more costs more than they bring"
	}
	return fmt.Sprintf("no faster: only %d can run at once", cpus)
}

func decideIO(q Question, n, limit int, plain Choice) Answer {
	share := q.Share
	if q.Running && share < ioBound/2 && !q.Careful {
		share = 0 // it has waited since it began to, and goes on doing so
	}
	start := FirstInFlight(share, q.Workers)
	w := min(start, limit)
	if q.Remaining > 0 {
		w = min(w, q.Remaining+1) // with the one that the pilot is at
	}
	a := Answer{Mode: IO, Workers: w, Predicted: waiting(q.Estimate, n, w, q.Workers)}
	a.Reason = fmt.Sprintf("the items wait %.0f %% of their %s: starts with %d in flight and goes on as throughput grows",
		100*(1-q.Share), Nanos(q.Nanos), w)
	if w == limit {
		a.Reason = fmt.Sprintf("the items wait %.0f %% of their %s: memory or file descriptors allow %d in flight",
			100*(1-q.Share), Nanos(q.Nanos), w)
	}
	if q.Running && w > 1 {
		a.Reason = fmt.Sprintf("the first item still waits after %s, %.0f %% of it on the CPU: starts with %d in flight and goes on as throughput grows",
			Nanos(q.Nanos), 100*q.Share, w)
		a.Predicted = 0
		return a
	}
	if w <= 1 || plain.Predicted < LeastWork {
		a.Mode, a.Workers, a.Predicted = Plain, 1, plain.Predicted
		a.Reason = fmt.Sprintf("%s of work is left: starting workers would cost more than they save", Short(plain.Predicted))
		if w <= 1 {
			a.Reason = "there is room for one item at a time only"
			if q.Remaining == 1 {
				a.Reason = "one item is left: nothing can run beside it"
			}
		}
		return a
	}
	a.Rejected = []Choice{plain}
	if q.Workers > 1 && q.Workers < w {
		a.Rejected = append(a.Rejected, Choice{
			What: workers(q.Workers), Mode: CPU, Workers: q.Workers,
			Predicted: waiting(q.Estimate, n, q.Workers, q.Workers),
			Why:       "the CPUs would mostly idle",
		})
	}
	return a
}

// FirstInFlight is how many items to have in flight at first when they use
// the CPU for share of their time: enough to keep all CPUs busy (1/share for
// each), but at most 64 before anything is known of the other side.
func FirstInFlight(share float64, cpus int) int {
	if share <= 0 {
		return firstInFlight
	}
	return max(2, min(firstInFlight, int(math.Ceil(float64(cpus)/share*1.2))))
}

// Bound names what the items wait for.
func Bound(share float64) string {
	switch {
	case share >= cpuBound:
		return "cpu"
	case share >= ioBound:
		return "mixed"
	}
	return "io"
}

func workers(n int) string {
	if n == 1 {
		return "1 worker"
	}
	return fmt.Sprintf("%d workers", n)
}

// Short prints a duration with three digits.
func Short(d time.Duration) string { return Nanos(float64(d)) }

// Nanos prints nanoseconds as a duration with three digits.
func Nanos(ns float64) string {
	switch {
	case ns < 0:
		return "-" + Nanos(-ns)
	case ns < 999.5:
		return digits(ns) + " ns"
	case ns < 999.5e3:
		return digits(ns/1e3) + " us"
	case ns < 999.5e6:
		return digits(ns/1e6) + " ms"
	case ns < 120e9:
		return digits(ns/1e9) + " s"
	}
	return time.Duration(ns).Round(time.Second).String()
}

func digits(f float64) string {
	switch {
	case f < 9.995:
		return fmt.Sprintf("%.2f", f)
	case f < 99.95:
		return fmt.Sprintf("%.1f", f)
	}
	return fmt.Sprintf("%.0f", f)
}
