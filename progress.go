package weft

import (
	"fmt"
	"io"
	"math"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/weft-go/weft/internal/plan"
	"golang.org/x/term"
)

const (
	// On a terminal the bar is drawn ten times a second, elsewhere a line is
	// written at growing intervals, so that logs stay short.
	barEvery      = 100 * time.Millisecond
	firstLine     = 2 * time.Second
	lineEvery     = 10 * time.Second
	mostLineEvery = 5 * time.Minute
	barWidth      = 24
)

// showProgress starts to show how far the run is, if asked to. stop shows the
// end and returns when nothing more will be written. The workers do nothing
// for it: it reads the count that they keep anyway.
func (r *run) showProgress() (stop func()) {
	w := r.cfg.progress
	if w == nil {
		return func() {}
	}
	p := &progress{run: r, w: w, every: firstLine}
	if f, ok := w.(*os.File); ok && term.IsTerminal(int(f.Fd())) {
		p.bar, p.every = true, barEvery
		p.columns = func() int {
			n, _, err := term.GetSize(int(f.Fd()))
			if err != nil {
				return 0
			}
			return n
		}
		p.color = os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb"
	}
	quit := make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() { p.loop(quit) })
	return sync.OnceFunc(func() {
		close(quit)
		wg.Wait()
	})
}

type progress struct {
	run     *run
	w       io.Writer
	bar     bool
	color   bool
	columns func() int
	every   time.Duration
	shown   bool
	failed  bool // writing failed: stay silent from then on
}

func (p *progress) loop(quit <-chan struct{}) {
	t := time.NewTimer(p.every)
	defer t.Stop()
	for {
		select {
		case <-quit:
			p.end()
			return
		case <-t.C:
			p.show()
			if !p.bar {
				p.every = min(mostLineEvery, max(lineEvery, 2*p.every))
			}
			t.Reset(p.every)
		}
	}
}

func (p *progress) show() {
	p.shown = true
	line := progressLine(p.state(), p.bar, p.color)
	if p.bar {
		if n := p.columns(); n > 0 {
			line = clip(line, n-1)
		}
		p.write("\r" + line + "\x1b[K")
		return
	}
	p.write(line + "\n")
}

// end shows the last state: a short run writes one line, or nothing but a
// full bar.
func (p *progress) end() {
	if p.bar {
		p.show()
		p.write("\n")
		return
	}
	s := p.state()
	s.over = true
	p.write(progressLine(s, false, false) + "\n")
}

func (p *progress) write(s string) {
	if p.failed {
		return
	}
	if _, err := io.WriteString(p.w, s); err != nil {
		p.failed = true
	}
}

// progressState is what a line is made of.
type progressState struct {
	name    string
	done    int
	total   int // -1 if unknown
	failed  int
	workers int
	elapsed time.Duration
	over    bool
}

func (p *progress) state() progressState {
	r := p.run
	s := progressState{name: r.name(), done: int(r.counted.Load()), total: r.n, workers: int(max(1, r.live.Load())), elapsed: r.now()}
	if r.perLeaf > 0 {
		s.done, s.total = min(r.items, s.done*r.perLeaf), r.items
	}
	r.mu.Lock()
	s.failed = r.nfailed
	r.mu.Unlock()
	return s
}

// progressLine is the state in one line.
func progressLine(s progressState, bar, color bool) string {
	var b strings.Builder
	b.WriteString(s.name)
	rate := 0.0
	if s.elapsed > 0 {
		rate = float64(s.done) / s.elapsed.Seconds()
	}
	if s.total > 0 {
		part := float64(s.done) / float64(s.total)
		if bar {
			full := min(barWidth, int(part*barWidth))
			on, off := "", ""
			if color {
				on, off = "\x1b[32m", "\x1b[0m"
			}
			fmt.Fprintf(&b, " %s%s%s%s", on, strings.Repeat("━", full), off, strings.Repeat("─", barWidth-full))
		}
		fmt.Fprintf(&b, " %3.0f %%  %s of %s", math.Floor(100*part), count(s.done), count(s.total))
	} else {
		fmt.Fprintf(&b, "  %s done", count(s.done))
	}
	if s.failed > 0 {
		fmt.Fprintf(&b, ", %s failed", count(s.failed))
	}
	if rate > 0 {
		fmt.Fprintf(&b, "  %s/s", rounded(rate))
	}
	switch {
	case s.over || s.total > 0 && s.done >= s.total:
		fmt.Fprintf(&b, "  took %s", plan.Short(s.elapsed))
	default:
		fmt.Fprintf(&b, "  %s", plan.Short(s.elapsed.Round(100*time.Millisecond)))
		if s.total > 0 && s.done > 0 {
			left := time.Duration(float64(s.elapsed) / float64(s.done) * float64(s.total-s.done))
			fmt.Fprintf(&b, ", %s left", clock(left))
		}
	}
	if s.workers > 1 && !s.over {
		fmt.Fprintf(&b, "  %d at once", s.workers)
	}
	return b.String()
}

func rounded(f float64) string {
	switch {
	case f >= 100:
		return count(int(f + 0.5))
	case f >= 10:
		return fmt.Sprintf("%.0f", f)
	}
	return fmt.Sprintf("%.1f", f)
}

// clock prints a time left without false precision.
func clock(d time.Duration) string {
	switch {
	case d < time.Second:
		return "<1s"
	case d < time.Hour:
		return d.Round(time.Second).String()
	}
	return d.Round(time.Minute).String()
}

// clip cuts a line to n columns. Colours take none.
func clip(s string, n int) string {
	cols, esc := 0, false
	for i, c := range s {
		switch {
		case c == '\x1b':
			esc = true
		case esc:
			esc = c != 'm'
		default:
			if cols++; cols > n {
				return s[:i] + "\x1b[0m"
			}
		}
	}
	return s
}
