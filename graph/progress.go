package graph

import (
	"fmt"
	"io"
	"math"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	mem "github.com/weft-go/weft/internal/memory"
	"github.com/weft-go/weft/internal/plan"
	"github.com/weft-go/weft/internal/sched"
	"golang.org/x/term"
)

// Progress shows on w how far the run is, in all and by name of the tasks. On a
// terminal that is a bar with a line for each name that is under way, drawn ten
// times a second; elsewhere a line at growing intervals, so that logs stay short.
// NO_COLOR and TERM=dumb are minded. Tasks that have ended are counted, those
// that failed too. It takes less than a hundredth of one CPU. Defaults to nothing
// being shown.
func Progress(w io.Writer) RunOption {
	return runOption(func(c *config) {
		if w == nil {
			c.fail("Progress(nil): give a writer, os.Stderr say")
		}
		c.progress = w
	})
}

const (
	barEvery      = 100 * time.Millisecond
	firstLine     = 2 * time.Second
	lineEvery     = 10 * time.Second
	mostLineEvery = 5 * time.Minute
	barWidth      = 24
	// mostNames is for how many names there are lines.
	mostNames = 8
	// lookShare bounds the time for counting the tasks: after a look of d the
	// next one is at least lookShare*d later.
	lookShare = 200
)

// progress shows how far a run is. It counts the tasks each time, so that
// workers do nothing for it.
type progress struct {
	run     *run
	w       io.Writer
	bar     bool
	color   bool
	size    func() (columns, rows int)
	every   time.Duration
	nameOf  []int32 // by node
	names   []string
	drawn   int  // lines below the first that are on the terminal
	failed  bool // writing failed: stay silent from then on
	counted time.Duration
}

// showProgress starts to show how far the run is, if asked to. stop shows the
// end and returns when nothing more will be written.
func (r *run) showProgress() (stop func()) {
	if r.cfg.progress == nil {
		return func() {}
	}
	p := &progress{run: r, w: r.cfg.progress, every: firstLine}
	if f, ok := p.w.(*os.File); ok && term.IsTerminal(int(f.Fd())) {
		p.bar, p.every = true, barEvery
		p.color = os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb"
		p.size = func() (int, int) {
			c, r, err := term.GetSize(int(f.Fd()))
			if err != nil {
				return 0, 0
			}
			return c, r
		}
	}
	p.group()
	quit := make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() { p.loop(quit) })
	return sync.OnceFunc(func() {
		close(quit)
		wg.Wait()
	})
}

// group gives each name a number, in the order of the plan.
func (p *progress) group() {
	p.nameOf = make([]int32, len(p.run.nodes))
	numbers := map[string]int32{}
	for _, k := range p.run.nodeOf {
		if p.nameOf[k] > 0 {
			continue
		}
		name := p.run.nodes[k].name()
		n, ok := numbers[name]
		if !ok {
			n = int32(len(p.names))
			numbers[name] = n
			p.names = append(p.names, name)
		}
		p.nameOf[k] = n + 1
	}
}

func (p *progress) loop(quit <-chan struct{}) {
	t := time.NewTimer(p.every)
	defer t.Stop()
	for {
		select {
		case <-quit:
			p.show(true)
			return
		case <-t.C:
			p.show(false)
			if !p.bar {
				p.every = min(mostLineEvery, max(lineEvery, 2*p.every))
			}
			t.Reset(max(p.every, lookShare*p.counted))
		}
	}
}

// show writes the state. over is set for the last time.
func (p *progress) show(over bool) {
	s := p.state()
	s.over = over
	if !p.bar {
		p.write(s.line(0, false) + s.namesInLine() + "\n")
		return
	}
	wide, rows := p.size()
	width := barWidth
	if wide > 0 {
		width = max(4, min(width, wide-60))
	}
	lines := []string{s.line(width, p.color)}
	most := mostNames
	if rows > 0 {
		most = min(most, rows-2)
	}
	if !over {
		lines = append(lines, s.nameLines(most, width, p.color)...)
	}
	var b strings.Builder
	b.WriteString("\r")
	if p.drawn > 0 {
		fmt.Fprintf(&b, "\x1b[%dA", p.drawn) // to the first line
	}
	for i, l := range lines {
		if i > 0 {
			b.WriteString("\n")
		}
		if wide > 0 {
			l = clip(l, wide-1)
		}
		b.WriteString(l + "\x1b[K")
	}
	b.WriteString("\x1b[J") // what was below
	if over {
		b.WriteString("\n")
	}
	p.drawn = len(lines) - 1
	p.write(b.String())
}

func (p *progress) write(s string) {
	if p.failed {
		return
	}
	if _, err := io.WriteString(p.w, s); err != nil {
		p.failed = true
	}
}

// progressState is what is shown.
type progressState struct {
	tally
	elapsed time.Duration
	left    time.Duration // 0 if not known
	workers int
	bytes   int64 // of results
	disk    int64
	over    bool
	names   []nameState // in the order of the plan
}

type nameState struct {
	name string
	tally
}

// tally counts tasks.
type tally struct{ total, done, failed, skipped, running int }

func (t *tally) add(s sched.State) {
	t.total++
	switch s {
	case sched.Failed:
		t.failed++
	case sched.Skipped:
		t.skipped++
	case sched.Running:
		t.running++
	case sched.Waiting, sched.Ready:
	default:
		t.done++
	}
}

func (t tally) ended() int { return t.done + t.failed + t.skipped }

// state counts the tasks.
func (p *progress) state() progressState {
	r := p.run
	s := progressState{names: make([]nameState, len(p.names))}
	for i, n := range p.names {
		s.names[i].name = n
	}
	known, unknown, knownLeft, unknownLeft := 0.0, 0, 0.0, 0 // times of what has ended and of what has not
	r.mu.Lock()
	begun := time.Now()
	for t, k := range r.nodeOf {
		st, c := r.m.State(uint32(t)), &r.m.Classes[r.Class[t]]
		s.add(st)
		s.names[p.nameOf[k]-1].add(st)
		switch waits := st <= sched.Running; {
		case c.Count() > 0 && waits:
			knownLeft += c.Nanos
		case c.Count() > 0:
			known += c.Nanos
		case waits:
			unknownLeft++
		default:
			unknown++
		}
	}
	p.counted = time.Since(begun)
	s.workers, s.bytes, s.disk = r.live, r.m.Resident(), r.memory.disk
	r.mu.Unlock()
	s.elapsed = time.Since(r.begun)
	if ended := s.ended(); known > 0 && ended > 0 {
		// What nothing is known of takes what the others take.
		mean := known / float64(max(1, ended-unknown))
		work := knownLeft + mean*float64(unknownLeft)
		s.left = time.Duration(float64(s.elapsed) * work / known)
	}
	return s
}

// line is the run as a whole in one line, with a bar of so many columns.
func (s progressState) line(bar int, color bool) string {
	var b strings.Builder
	b.WriteString("graph")
	s.part(&b, bar, color)
	if s.elapsed > 0 && s.done > 0 {
		fmt.Fprintf(&b, "  %s/s", rate(float64(s.done)/s.elapsed.Seconds()))
	}
	if s.over {
		fmt.Fprintf(&b, "  took %s", plan.Short(s.elapsed))
		return b.String()
	}
	fmt.Fprintf(&b, "  %s", plan.Short(s.elapsed.Round(100*time.Millisecond)))
	if s.left > 0 {
		fmt.Fprintf(&b, ", %s left", clock(s.left))
	}
	if s.workers > 1 {
		fmt.Fprintf(&b, "  %d at once", s.workers)
	}
	if s.disk > 0 {
		fmt.Fprintf(&b, "  %s on disk", mem.Text(s.disk))
	}
	return b.String()
}

// part is how much of the tasks has ended.
func (t tally) part(b *strings.Builder, bar int, color bool) {
	part := 1.0
	if t.total > 0 {
		part = float64(t.ended()) / float64(t.total)
	}
	if bar > 0 {
		full := min(bar, int(part*float64(bar)))
		on, off := "", ""
		if color {
			on, off = "\x1b[32m", "\x1b[0m"
			if t.failed > 0 {
				on = "\x1b[31m"
			}
		}
		fmt.Fprintf(b, " %s%s%s%s", on, strings.Repeat("━", full), off, strings.Repeat("─", bar-full))
	}
	fmt.Fprintf(b, " %3.0f %%  %s of %s", math.Floor(100*part), number(t.ended()), number(t.total))
	if t.failed > 0 {
		fmt.Fprintf(b, ", %s failed", number(t.failed))
	}
	if t.skipped > 0 {
		fmt.Fprintf(b, ", %s skipped", number(t.skipped))
	}
}

// underWay are the names of which tasks have begun and not all have ended, those
// that run first, at most so many, and how many more there are.
func (s progressState) underWay(most int) (names []nameState, more int) {
	for _, n := range s.names {
		if n.running > 0 || n.ended() > 0 && n.ended() < n.total {
			names = append(names, n)
		}
	}
	slices.SortStableFunc(names, func(a, b nameState) int { return min(1, b.running) - min(1, a.running) })
	if len(names) > most {
		more = len(names) - most
		names = names[:most]
	}
	return names, more
}

// nameLines are lines for the names that are under way.
func (s progressState) nameLines(most, bar int, color bool) (lines []string) {
	if most < 1 {
		return nil
	}
	names, more := s.underWay(most)
	if more > 0 {
		names, more = names[:most-1], more+1
	}
	width := 0
	for _, n := range names {
		width = max(width, min(mostNameWidth, columns(clean(n.name))))
	}
	for _, n := range names {
		var b strings.Builder
		name := short(clean(n.name), mostNameWidth)
		b.WriteString("  " + name + strings.Repeat(" ", max(0, width-columns(name))))
		n.part(&b, bar, color)
		if n.running > 0 {
			fmt.Fprintf(&b, "  %s running", number(n.running))
		}
		lines = append(lines, b.String())
	}
	if more > 0 {
		lines = append(lines, fmt.Sprintf("  ... and %s more names under way", number(more)))
	}
	return lines
}

// namesInLine is the same for the end of a line.
func (s progressState) namesInLine() string {
	names, more := s.underWay(mostNames)
	if s.over {
		if names = s.names; len(names) > mostNames {
			names, more = names[:mostNames], len(names)-mostNames
		}
	}
	var parts []string
	for _, n := range names {
		part := fmt.Sprintf("%s %s of %s", short(clean(n.name), mostNameWidth), number(n.ended()), number(n.total))
		if s.over && n.done == n.total {
			part = fmt.Sprintf("%s %s", short(clean(n.name), mostNameWidth), number(n.total))
		}
		if n.failed > 0 {
			part += fmt.Sprintf(" (%s failed)", number(n.failed))
		}
		parts = append(parts, part)
	}
	if more > 0 {
		parts = append(parts, fmt.Sprintf("%s more", number(more)))
	}
	if len(parts) == 0 {
		return ""
	}
	return ": " + strings.Join(parts, ", ")
}

const mostNameWidth = 32

// rate prints tasks a second.
func rate(f float64) string {
	switch {
	case f >= 100:
		return number(int(f + 0.5))
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

// clip cuts a line to so many columns. Colours take none.
func clip(s string, n int) string {
	wide, esc := 0, false
	for i, c := range s {
		switch {
		case c == '\x1b':
			esc = true
		case esc:
			esc = c != 'm'
		default:
			if wide += runeColumns(c); wide > n {
				return s[:i] + "\x1b[0m"
			}
		}
	}
	return s
}
