package plan

import (
	"fmt"
	"math"
	"time"
)

// Round is what was seen of the items that were started and finished at one
// level of concurrency.
type Round struct {
	Items    int           // finished
	Latency  time.Duration // mean, from start to finish
	Rate     float64       // items finished a second meanwhile, those started before included
	Busy     float64       // CPU time of the process over what its CPUs could give, 0 to 1
	BackOffs int           // items that asked to back off
	Left     int           // items that have not begun; 0 if that is not known
	Limited  string        // what else kept items from starting: "the rate limit", ...; "" if nothing
}

// Gradient finds how many items to have in flight when they wait rather than
// compute. By Little's law n items in flight that take L each finish n/L a
// second. It multiplies n as long as throughput grows nearly as much; where it
// bends, it looks between the last two levels for the smallest that does at
// least 96 % of the best seen, and holds there, looking a little up and down
// from time to time. The idea of a gradient on latency is that of TCP Vegas
// (Brakmo, O'Malley, Peterson, 1994) and of adaptive concurrency limits; here
// throughput decides, which also works where latency is noisy.
type Gradient struct {
	level   int
	limit   int
	why     string // what limit is
	phase   phase
	lo, hi  int     // the knee is between; hi is 0 while ramping
	good    int     // smallest level known to do nearly as much as the best
	goodX   float64 // what it does
	bestX   float64 // most seen in this search
	slowest time.Duration
	second  bool // the level had a first round that was not convincing
	ceiling int  // after a back-off: grow by small steps above
	held    int  // rounds at this level
	holdX   float64
	step    int
	trialN  int
	trialX  float64 // of the first of two rounds
	busy    float64 // Round.Busy, as last told
	gap     int     // rounds between looks around
	drops   int     // rounds in a row that did far less than the level used to
}

type phase uint8

const (
	ramping phase = iota
	searching
	holding
	lookingUp
	lookingDown
)

const (
	rampFactor = 4
	// fewRounds is when the rounds that are left are counted: where twice the
	// step saves one, it is taken.
	fewRounds = 3
	// full is the share of the CPUs' time from which they are the limit.
	full = 0.85
	// dear is the share from which starting an item is not cheap.
	dear = 0.3
	// linear is what each doubling must bring for the ramp to go on: more
	// than that, and the other side is not the limit yet.
	linear = 1.6
	// worthIt is what a step of the ramp must bring at least, or the knee may
	// lie below where it began.
	worthIt = 1.05
	// collapsed is the part of the throughput of the level before below which a
	// level is given up at once.
	collapsed = 0.5
	// lost is the part of its former throughput below which a level is no
	// longer trusted.
	lost = 0.7
	// nearly is the part of the best throughput that is as good.
	nearly = 0.96
	// finer is how close the ends of the search get.
	finer      = 1.35
	lookAround = 8
	// MostInFlight bounds everything: beyond it the cost of bookkeeping and
	// of ports and descriptors is not ours to guess.
	MostInFlight = 8192
)

// NewGradient starts at level and never passes limit; limitedBy says in a few
// words what the limit is.
func NewGradient(level, limit int, limitedBy string) *Gradient {
	if limit <= 0 || limit > MostInFlight {
		limit, limitedBy = MostInFlight, "Weft's own limit"
	}
	return &Gradient{level: max(1, min(level, limit)), limit: limit, why: limitedBy, gap: lookAround}
}

// Level is the number of items to have in flight now.
func (g *Gradient) Level() int { return g.level }

// Enough is how many items of a level must have finished for a round.
func (g *Gradient) Enough() int {
	if g.phase == ramping {
		// Three of four have been started for this level; the others were
		// running before.
		return max(g.level*7/10, 4)
	}
	return max(2*g.level, 32)
}

// Cap lowers or raises the limit while running.
func (g *Gradient) Cap(limit int, why string) {
	if limit <= 0 || limit > MostInFlight {
		limit, why = MostInFlight, "Weft's own limit"
	}
	g.limit, g.why = limit, why
	if g.level > limit {
		g.level = limit
	}
}

// Halve answers a request to back off: at once, without waiting for a round.
func (g *Gradient) Halve() string {
	from := g.level
	g.level = max(1, g.level/2)
	g.ceiling = g.level
	g.hold(0)
	if from == g.level {
		return ""
	}
	return fmt.Sprintf("the other side asked to back off: from %d in flight to %d", from, g.level)
}

// throughput is by Little's law, which a short round tells exactly, unless
// what was really finished disagrees: then items waited outside, for a CPU.
func (r Round) throughput(level int) float64 {
	x := float64(level) / r.Latency.Seconds()
	if r.Rate > 0 && r.Rate < 0.6*x {
		return r.Rate
	}
	return x
}

func (g *Gradient) hold(x float64) {
	g.phase, g.held, g.holdX = holding, 0, x
}

// TooSlow tells whether a round that is not finished can be given up: it has
// lasted several times the latency of the level before, and finishes less than
// that level did.
func (g *Gradient) TooSlow(elapsed time.Duration, rate float64) bool {
	return g.phase == ramping && g.good > 0 && g.level > g.good &&
		elapsed > 6*g.slowest && rate < g.goodX*collapsed
}

// Step takes a finished round and returns a sentence if the level changed for
// a reason worth telling. Level has the new level.
func (g *Gradient) Step(r Round) string {
	if r.Items == 0 || r.Latency <= 0 {
		return ""
	}
	if r.Limited != "" {
		// More in flight would only wait: what is there is enough.
		return ""
	}
	if r.Busy > 0 {
		g.busy = r.Busy
	}
	why := g.judge(g.level, r.throughput(g.level), r)
	g.level = min(g.level, g.limit)
	return why
}

func (g *Gradient) judge(n int, x float64, r Round) string {
	switch g.phase {
	case ramping:
		if r.Busy > full && n > 2 && x > collapsed*g.goodX {
			// The CPUs are what limits: more in flight would only queue for
			// them, and fewer would leave them idle at times.
			g.good, g.goodX = n, x
			g.hold(x)
			return fmt.Sprintf("%d in flight keep the CPUs %.0f %% busy: that is enough", n, 100*r.Busy)
		}
		if g.good > 0 && n > g.good {
			from, fromX := g.good, g.goodX
			perDoubling := math.Pow(x/fromX, 1/math.Log2(float64(n)/float64(from)))
			if perDoubling < linear && !g.second && x > collapsed*fromX {
				// The first round at a level also pays for new connections.
				g.second = true
				return ""
			}
			g.second = false
			if perDoubling < linear {
				g.lo, g.hi, g.bestX = from, n, max(x, fromX)
				if x < worthIt*fromX {
					g.lo = max(1, from/8) // the first level may have been too much
				}
				if fromX < nearly*g.bestX {
					g.good, g.goodX = n, x
				}
				g.phase = searching
				g.mid()
				if g.phase == holding {
					return g.found()
				}
				return fmt.Sprintf("%d in flight did %.0f a second where %d did %.0f: looks for the knee between", n, x, from, fromX)
			}
		}
		g.good, g.goodX, g.slowest = n, x, r.Latency
		return g.grow(n, x, r)
	case searching:
		g.bestX = max(g.bestX, x)
		ok := x >= nearly*g.bestX
		switch {
		case ok && (n < g.good || g.goodX < nearly*g.bestX):
			if n > g.good {
				g.lo = g.good
			} else {
				g.hi = n
			}
			g.good, g.goodX = n, x
		case n < g.good:
			g.lo = n
		default:
			g.hi = n
		}
		g.mid()
		if g.phase == holding {
			return g.found()
		}
		return ""
	case holding:
		g.held++
		if g.holdX > 0 && g.held > 1 && x < lost*g.holdX && n > 1 && g.ceiling == 0 {
			if g.drops++; g.drops >= 2 {
				// Not noise: the other side can do less than it could.
				was := g.holdX
				g.drops = 0
				g.lo, g.hi, g.good, g.goodX, g.bestX = max(1, n/16), n, n, x, x
				g.phase = searching
				g.mid()
				return fmt.Sprintf("%d in flight do %.0f a second now, %.0f before: looks for the knee again", n, x, was)
			}
			return ""
		}
		g.drops = 0
		if g.holdX == 0 || g.held <= 2 {
			g.holdX = max(g.holdX, x)
		} else {
			g.holdX += (x - g.holdX) / 8
		}
		if g.ceiling > 0 && g.held >= 2 {
			// After a back-off: additive increase.
			g.held = 0
			g.level = min(g.limit, n+max(1, g.ceiling/8))
			return ""
		}
		if g.held >= g.gap {
			g.held = 0
			g.step++
			if g.step%2 == 1 && n < g.limit && r.Busy < 0.9 {
				g.phase, g.trialN, g.level = lookingUp, n, min(g.limit, n+max(1, n/2))
			} else if n > 1 {
				g.phase, g.trialN, g.level = lookingDown, n, max(1, n-max(1, n/4))
			}
		}
		return ""
	case lookingUp, lookingDown:
		// Two rounds: the first also pays for new connections, and one alone
		// may be luck.
		if g.trialX == 0 {
			g.trialX = x
			return ""
		}
		x = (x + g.trialX) / 2
		g.trialX = 0
	}
	switch g.phase {
	case lookingUp:
		from, was := g.trialN, g.holdX
		if x >= was*1.08 {
			// Better: on, step by step, as long as it pays.
			g.hold(x)
			g.gap = lookAround
			if n < g.limit {
				g.phase, g.trialN, g.level = lookingUp, n, min(g.limit, n+max(1, n/2))
			}
			return fmt.Sprintf("%d in flight now do %.0f a second where %d did %.0f", n, x, from, was)
		}
		g.gap = min(g.gap*2, 64*lookAround)
		g.level = from
		g.phase = holding
		return ""
	case lookingDown:
		from, was := g.trialN, g.holdX
		if x >= was*0.99 {
			g.hold(x)
			if x >= was*1.05 {
				return fmt.Sprintf("%d in flight now do %.0f a second where %d did %.0f", n, x, from, was)
			}
			return ""
		}
		g.gap = min(g.gap*2, 64*lookAround)
		g.level = from
		g.phase = holding
		return ""
	}
	return ""
}

// grow multiplies the level, at most to where the CPUs would be full.
func (g *Gradient) grow(n int, x float64, r Round) string {
	next := n * rampFactor
	if few := rounds(r.Left, next); few <= fewRounds && rounds(r.Left, 2*next) < few {
		next *= 2
	}
	what := ""
	if r.Busy > 0.02 {
		if most := int(math.Ceil(float64(n) / r.Busy * 1.5)); most < next {
			next, what = most, "the CPUs are full"
		}
	}
	if next > g.limit {
		next, what = g.limit, g.why
	}
	if 0 < r.Left && r.Left <= 2*n && r.Busy > dear {
		// New places (connections, say) cost CPU time and would be used once.
		next, what = n, fmt.Sprintf("%d items are left", r.Left)
	}
	if next < n+max(1, n/5) {
		g.hold(x)
		if what == "" {
			what = "there is nothing to gain"
		}
		return fmt.Sprintf("%d in flight do %.0f a second; not more, because of this: %s", n, x, what)
	}
	g.level = next
	return fmt.Sprintf("%d in flight did %.0f a second at %s each: on to %d", n, x, Short(r.Latency), next)
}

// rounds is how many rounds n items take if the ramp goes on from level.
func rounds(n, level int) (k int) {
	for ; n > 0; k++ {
		n -= level
		level *= rampFactor
	}
	return k
}

// mid goes on with the search, or ends it.
func (g *Gradient) mid() {
	if float64(g.hi) <= finer*float64(g.lo) || g.hi-g.lo < 2 {
		g.level = g.good
		g.hold(g.goodX)
		return
	}
	g.level = int(math.Round(math.Sqrt(float64(g.lo) * float64(g.hi))))
	if g.level == g.good {
		// The good one is in the middle: look at the wider side of it.
		if float64(g.good)/float64(g.lo) > float64(g.hi)/float64(g.good) {
			g.level = int(math.Round(math.Sqrt(float64(g.lo) * float64(g.good))))
		} else {
			g.level = int(math.Round(math.Sqrt(float64(g.good) * float64(g.hi))))
		}
	}
	if g.level <= g.lo || g.level >= g.hi || g.level == g.good {
		g.level = g.good
		g.hold(g.goodX)
	}
}

func (g *Gradient) found() string {
	s := fmt.Sprintf("%d in flight is the knee: %.0f a second, and more would only wait longer", g.level, g.goodX)
	switch {
	case g.busy > full:
		return s + fmt.Sprintf(" for this process's CPUs, which are %.0f %% busy", 100*g.busy)
	case g.busy > 0:
		return s + fmt.Sprintf(" for the other side: this process's CPUs are only %.0f %% busy", 100*g.busy)
	}
	return s
}

// Summary says where the search has come to, as part of a sentence.
func (g *Gradient) Summary() string {
	switch {
	case g.ceiling > 0:
		return fmt.Sprintf("asked to back off, it is at %d", g.level)
	case g.phase == ramping && g.good > 0:
		return fmt.Sprintf("throughput grew up to %d", g.level)
	case g.phase == ramping:
		return fmt.Sprintf("%d so far", g.level)
	case g.phase == searching:
		return fmt.Sprintf("throughput stops growing between %d and %d", g.lo, g.hi)
	}
	return fmt.Sprintf("%d do as much as more would", g.level)
}
