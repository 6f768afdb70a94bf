package plan

import (
	"math"
	"slices"
	"time"
)

// Estimate is what is known of one item.
type Estimate struct {
	Items  int           // items seen
	Wall   time.Duration // wall time of one item, see Nanos for parts of a nanosecond
	Nanos  float64       // the same in nanoseconds
	CPU    time.Duration // CPU time of one item
	Share  float64       // CPU over wall time, 0 to 1; 1 where unknown
	Spread float64       // coefficient of variation between the blocks
	Best   float64       // nanoseconds of an item in the cheapest block of 10 us and more; 0 if there was none
	Bytes  int64         // memory of one item

	// Running says that no item has finished: the times are of one that still
	// runs, so lower bounds.
	Running bool
}

// window is how many blocks an Estimator looks back. Enough to tell one
// outlier from a change, few enough to follow one.
const window = 8

const mostRestarts = 3

// tellingBlock is how long a block takes at least to be the best: in shorter
// ones the clock's own time counts.
const tellingBlock = 10 * time.Microsecond

// Estimator turns the timings of blocks of items into an Estimate. It forgets:
// only the last 8 blocks count, so that cold first items lose their weight.
// The zero value is ready.
type Estimator struct {
	items [window]float64
	nanos [window]float64
	n     int
	seen  int
	cpu   time.Duration
	wall  time.Duration
	known bool
	best  float64

	restarts int
	bytes    int64
}

// Add records a block of items that took wall together.
func (e *Estimator) Add(items int, wall time.Duration) {
	if items <= 0 {
		return
	}
	e.items[e.n%window] = float64(items)
	e.nanos[e.n%window] = float64(max(wall, 0))
	e.n++
	e.seen += items
	if per := float64(wall) / float64(items); wall >= tellingBlock && (e.best == 0 || per < e.best) {
		e.best = per
	}
}

// Restart forgets the blocks so far, which something has disturbed. It returns
// false when that has happened too often: then it is how things are here.
func (e *Estimator) Restart() bool {
	if e.restarts++; e.restarts > mostRestarts {
		return false
	}
	*e = Estimator{seen: e.seen, restarts: e.restarts, bytes: e.bytes}
	return true
}

// CPU records that the items so far, which took wall on the clock, took cpu
// of CPU time.
func (e *Estimator) CPU(cpu, wall time.Duration) {
	e.cpu, e.wall, e.known = cpu, wall, wall > 0
}

// Bytes records the memory that an item needs.
func (e *Estimator) Bytes(b int64) { e.bytes = b }

// Blocks is the number of blocks recorded.
func (e *Estimator) Blocks() int { return e.n }

// Estimate sums up. One block that cost far more an item than the others is
// an outlier and weighs as the median does, be it the last and largest: a cold
// start, a slow item or a hiccup of the machine must not decide. A real change
// shows in the next block too, and only one block is left out.
func (e *Estimator) Estimate() Estimate {
	k := min(e.n, window)
	est := Estimate{Items: e.seen, Share: 1, Bytes: e.bytes, Best: e.best}
	if e.known {
		est.Share = min(1, max(0, float64(e.cpu)/float64(e.wall)))
	}
	if k == 0 {
		return est
	}
	var per [window]float64
	var sumItems, sumNanos float64
	worst := 0
	for i := range k {
		per[i] = e.nanos[i] / e.items[i]
		sumItems += e.items[i]
		sumNanos += e.nanos[i]
		if per[i] > per[worst] {
			worst = i
		}
	}
	if k >= 4 {
		sorted := per
		slices.Sort(sorted[:k])
		median := sorted[k/2]
		if per[worst] > 8*median {
			sumNanos += (median - per[worst]) * e.items[worst]
			per[worst] = median
		}
	}
	est.Nanos = sumNanos / sumItems
	est.Wall = time.Duration(est.Nanos)
	if k > 1 && est.Nanos > 0 {
		// Blocks differ in size: weigh each by its items.
		var v float64
		for i := range k {
			d := per[i] - est.Nanos
			v += d * d * e.items[i]
		}
		est.Spread = math.Sqrt(v/sumItems) / est.Nanos
	}
	est.CPU = time.Duration(est.Nanos * est.Share)
	return est
}
