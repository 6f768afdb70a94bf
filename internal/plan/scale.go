package plan

import (
	"fmt"
	"time"
)

// Window is what was seen while the number of workers stayed the same.
type Window struct {
	Wall     time.Duration
	Workers  int           // as decided
	Items    int           // finished
	InItems  time.Duration // that the workers spent in these items, summed
	Sampled  time.Duration // that some of them took whose thread was watched
	OnCPU    time.Duration // the part of Sampled that they spent on a CPU
	CPU      time.Duration // of the whole process
	LockWait time.Duration // summed over goroutines, in the whole process
	GCShare  float64       // of the CPU time; 0 if no collection ended
	Running  float64       // workers that ran or could run, on average over the looks
	Runnable float64       // goroutines ready without a place to run, on average over the looks
	Ready    time.Duration // that one in ten goroutines stood ready before it ran, or longer; 0 if not measured
	Error    float64       // standard error of the mean item time, as a share of it
}

// rate is the items a second. It is told from the time inside the items, not
// from the length of the window: chunks are counted when they end, and a
// window has few of them.
func (w Window) rate() float64 {
	return float64(w.Items) / w.InItems.Seconds() * float64(w.Workers)
}

// perItem is the mean time of an item in nanoseconds.
func (w Window) perItem() float64 { return float64(w.InItems) / float64(w.Items) }

// busy is the share of the workers' time in which they computed, or would
// have if other programs had left them a CPU.
func (w Window) busy() float64 {
	if w.Sampled > 0 {
		return float64(w.OnCPU) / float64(w.Sampled)
	}
	n := float64(max(1, w.Workers))
	return max(float64(w.CPU)/(float64(w.Wall)*n), w.Running/n)
}

// manned tells whether the workers were at it for most of the window: in the
// first one some are only being started.
func (w Window) manned() bool {
	return float64(w.InItems) > 0.75*float64(w.Wall)*float64(w.Workers)
}

func (w Window) lockShare() float64 {
	return float64(w.LockWait) / (float64(w.Wall) * float64(max(1, w.Workers)))
}

// Scaler watches a CPU-bound run. While all is well it does nothing. When the
// figures are suspicious (workers that idle or wait for locks, or a rate far
// below what the first items promised) it tries half the workers for a moment
// and compares that with the windows before and after, so that items which
// grow dearer do not look like contention. If fewer workers cost less than
// 10 % of the rate each time, it stays with them; and from there it now and
// then tries twice as many. So the loss to trying is bounded, and a wrong
// suspicion costs a few windows at half speed. Windows whose items differ too
// much to tell a rate decide nothing.
type Scaler struct {
	most       int     // workers allowed
	cur        int     // workers settled on
	base       float64 // items a second and worker promised by the pilot
	state      scalerState
	high       float64       // rate with the larger number, in the window before
	low        float64       // rate with the smaller one
	lowError   float64       // standard error of its mean item time
	agree      int           // probes in a row that found the larger number useless
	wait       int           // windows until the next suspicion counts
	pause      int           // what wait is set to next
	last       Window        // of the suspicion
	ready      time.Duration // Window.Ready of the last comparison
	unverified bool          // nothing but the pilot speaks for cur: the first window is compared
	best       float64       // nanoseconds of an item in the pilot's best block
	idled      int           // windows in a row in which the workers waited
	cpu1       time.Duration
}

type scalerState uint8

const (
	steady scalerState = iota
	tryingFewer
	comparing // with the larger number again
	tryingMore
)

const (
	// lossAllowed is what fewer workers may cost and still be better: the
	// spared CPUs are worth it. It is the design's rule that doubling must
	// bring 10 %.
	lossAllowed = 0.10
	// suspicious is the share of the promised rate below which a closer look
	// is taken.
	suspicious = 0.65
	idleShare  = 0.6
	lockShare  = 0.15
	clearly    = 1.4
	// longReady is scheduler latency that is no chance: on a machine with a
	// place free it is some microseconds.
	longReady  = time.Millisecond
	asGood     = 1.15
	firstPause = 4
	mostPause  = 256
	// closeEnough is the standard error up to which a window's rate may
	// decide; a window past it should go on, for a while.
	closeEnough = 0.06
	tooVague    = 0.12
	// hopeless is the standard error from which a rate says nothing at all.
	hopeless = 0.5
	// agreement is how many comparisons in a row must find the larger number
	// useless: twice as many where no waiting for locks speaks for it.
	agreement = 2
)

// NewScaler starts with workers, of at most most. nanos is what an item took
// alone, cpu its CPU time.
func NewScaler(workers, most int, nanos float64, cpu time.Duration) *Scaler {
	s := &Scaler{most: max(1, most), cur: max(1, workers), pause: firstPause, cpu1: cpu}
	if nanos > 0 {
		s.base = 1e9 / nanos
	}
	return s
}

// Verify makes the Scaler compare once without a suspicion, unless the items
// take about as long beside others as in the pilot's best block, best
// nanoseconds each. The pilot's items may have been cold, and what it promised
// too little to miss anything by. Worth it where the run lasts long beside a
// window or two.
func (s *Scaler) Verify(best float64) { s.unverified, s.best = true, best }

// Verdict is what a step decides.
type Verdict struct {
	Workers int
	Why     string  // set when the plan changes, not for a probe
	IO      bool    // the items wait rather than compute
	Share   float64 // with IO: of their time that they compute
}

// Settled is the number of workers the Scaler believes in, probes aside.
func (s *Scaler) Settled() int { return s.cur }

// Probing tells whether the rate of the window that is open will decide.
func (s *Scaler) Probing() bool { return s.state != steady }

// WantsMore tells whether the open window should go on, given the standard
// error of its mean item time: a probe that can't be told from noise is no use.
// Waiting for locks is evidence enough, and makes items differ by itself.
func (s *Scaler) WantsMore(err float64) bool {
	return s.Probing() && err > closeEnough && s.last.lockShare() < lockShare
}

// Step takes a full window and says how many workers the next one has.
func (s *Scaler) Step(w Window) Verdict {
	if w.Items == 0 || w.Wall <= 0 || w.InItems <= 0 {
		return s.idle(w)
	}
	rate := w.rate()
	if s.Probing() && w.Error > tooVague && s.last.lockShare() < lockShare && !s.tells(rate, w.Error) {
		return s.trust()
	}
	switch s.state {
	case tryingFewer:
		if rate < (1-2*lossAllowed)*s.high && s.agree == 0 {
			return s.trust() // clearly slower: the workers are worth it
		}
		s.low, s.lowError, s.state = rate, w.Error, comparing
		return Verdict{Workers: s.cur}
	case comparing:
		before := s.high
		s.high, s.ready = rate, w.Ready
		if s.low < (1-lossAllowed)*(before+rate)/2 {
			return s.trust()
		}
		s.agree++
		need := agreement
		switch more := max(before, rate); {
		case s.low > 2*clearly*more && s.promised(max(1, s.cur/2)) > clearly*more:
			// Far faster with fewer workers, as the pilot was: once is enough.
			need = 1
		case s.low > clearly*more:
			// Fewer workers are faster: that is enough.
		case s.last.lockShare() < lockShare:
			need *= 2
		}
		if s.agree < need {
			s.state = tryingFewer
			return Verdict{Workers: max(1, s.cur/2)}
		}
		return s.fewer()
	case tryingMore:
		more := min(s.most, s.cur*2)
		s.state = steady
		if rate >= (1+2*lossAllowed)*s.high {
			from := s.cur
			s.cur = more
			s.wait = s.pause
			return Verdict{Workers: s.cur, Why: fmt.Sprintf("%s are now %.1f times as fast as %d", workers(more), rate/s.high, from)}
		}
		s.pause = min(mostPause, s.pause*2)
		s.wait = s.pause
		return Verdict{Workers: s.cur}
	}
	if s.wait > 0 {
		s.wait--
		return Verdict{Workers: s.cur}
	}
	// A vague window, and one in which not all workers had begun, leave it to
	// the next one, unless the items take longer beyond doubt.
	unverified := s.unverified && w.perItem()*(1-2*min(w.Error, hopeless)) > asGood*s.best
	if unverified || w.Error <= closeEnough && w.manned() {
		s.unverified = false
	}
	if s.cur > 1 && (unverified || s.suspects(w)) {
		if s.waiting(w, idleShare) {
			if s.idled++; s.idled < 2 && (w.Sampled == 0 || w.busy() > idleShare/2) {
				return Verdict{Workers: s.cur} // one window may be chance
			}
			return s.toIO(w)
		}
		s.idled = 0
		s.last, s.high, s.state, s.agree = w, rate, tryingFewer, 0
		return Verdict{Workers: max(1, s.cur/2)}
	}
	if s.cur < s.most && w.Error <= tooVague {
		s.high, s.state = rate, tryingMore
		return Verdict{Workers: min(s.most, s.cur*2)}
	}
	return Verdict{Workers: s.cur}
}

// idle is a window in which nothing finished: long items, or long waits.
func (s *Scaler) idle(w Window) Verdict {
	if s.state != steady {
		return s.trust()
	}
	if w.Wall > 0 && s.waiting(w, idleShare/2) {
		return s.toIO(w)
	}
	return Verdict{Workers: s.cur}
}

// waiting tells whether the workers wait for something that is neither a lock
// nor the collector nor a CPU.
func (s *Scaler) waiting(w Window, share float64) bool {
	return w.busy() < share && w.lockShare() < lockShare && w.GCShare < 0.5 &&
		w.Runnable < 0.25*float64(w.Workers)
}

func (s *Scaler) toIO(w Window) Verdict {
	return Verdict{Workers: s.cur, IO: true, Share: w.busy(), Why: fmt.Sprintf("the workers used the CPU %.0f %% of the time and waited for no lock: they wait for something else", 100*w.busy())}
}

// promised is the rate of n workers by what the pilot measured.
func (s *Scaler) promised(n int) float64 { return s.base * float64(n) }

// fewer settles on half the workers.
func (s *Scaler) fewer() Verdict {
	from := s.cur
	s.cur = max(1, s.cur/2)
	s.state, s.agree = steady, 0
	s.pause = firstPause * 4
	s.wait = s.pause
	if s.cur > 1 {
		s.wait = 0 // half again may do as well
	}
	return Verdict{Workers: s.cur, Why: fmt.Sprintf("%s were no faster than %d: %s", workers(from), s.cur, s.cause())}
}

func (s *Scaler) trust() Verdict {
	s.state, s.agree = steady, 0
	s.pause = min(mostPause, s.pause*4)
	s.wait = s.pause
	return Verdict{Workers: s.cur}
}

func (s *Scaler) suspects(w Window) bool {
	rate := w.rate()
	if w.Error > tooVague {
		rate *= 1 + 2*w.Error // what it may be at best
	}
	return w.busy() < idleShare || w.lockShare() > lockShare ||
		s.base > 0 && w.Error < hopeless && rate < suspicious*s.base*float64(w.Workers)
}

// tells whether a probe's window whose rate is vague still says, beyond twice
// the errors of both, that fewer workers are faster. Items that fight over a
// cache line differ a lot in time, and are slower by far more than that.
func (s *Scaler) tells(rate, err float64) bool {
	switch s.state {
	case tryingFewer:
		return beyond(rate, err, s.high, s.last.Error)
	case comparing:
		return beyond(s.low, s.lowError, rate, err)
	}
	return false
}

func beyond(a, aError, b, bError float64) bool { return a*(1-2*aError) > b*(1+2*bError) }

// cause names what the evidence of the suspicious window points to.
func (s *Scaler) cause() string {
	w := s.last
	perItem := time.Duration(0)
	if w.Items > 0 {
		perItem = w.CPU / time.Duration(w.Items)
	}
	switch {
	case w.lockShare() > lockShare:
		return fmt.Sprintf("they waited for mutexes %.0f %% of the time; share less, or lock for less", 100*w.lockShare())
	case w.GCShare > 0.25:
		return fmt.Sprintf("the garbage collector took %.0f %% of the CPU time; allocate less, or raise GOGC", 100*w.GCShare)
	case s.ready > longReady:
		return fmt.Sprintf("one goroutine in ten stood ready for %s or more before it ran; the scheduler has more to run than places, so let fewer goroutines compute beside these", Short(s.ready))
	case w.busy() < idleShare:
		return fmt.Sprintf("they used the CPU only %.0f %% of the time; they wait for each other or for other programs", 100*w.busy())
	case s.cpu1 > 0 && perItem > s.cpu1*3/2:
		return fmt.Sprintf("an item took %s of CPU time beside others, %s alone; they fight over memory or a shared cache line", Short(perItem), Short(s.cpu1))
	}
	return "the rate stayed the same"
}
