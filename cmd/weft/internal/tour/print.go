package tour

import (
	"fmt"
	"io"
	"runtime"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/weft-go/weft"
	"github.com/weft-go/weft/internal/plan"
)

// printer lays the tour out for people.
type printer struct {
	width int
	color bool
}

const (
	bold  = "\x1b[1m"
	dim   = "\x1b[2m"
	green = "\x1b[32m"
	cyan  = "\x1b[36m"
	plain = "\x1b[0m"

	margin = 3
	// label is the width of the words on the left, with the space after.
	label = 12
	// planLabel is the same in what a Plan prints.
	planLabel = 13
	// shownChanges is how many changes of plan a stop shows.
	shownChanges = 6
	// mostBar is the width of the longest bar; timeText is what else its line
	// needs.
	mostBar  = 32
	timeText = 45
)

// WriteError is a failure to write to Config.Out.
type WriteError struct{ Err error }

func (e *WriteError) Error() string { return e.Err.Error() }

// Unwrap returns the cause.
func (e *WriteError) Unwrap() error { return e.Err }

func write(w io.Writer, text string) error {
	if _, err := io.WriteString(w, text); err != nil {
		return &WriteError{err}
	}
	return nil
}

// in colours a text.
func (p *printer) in(color, text string) string {
	if !p.color || text == "" {
		return text
	}
	return color + text + plain
}

func (p *printer) intro(n int) string {
	var b strings.Builder
	what := fmt.Sprintf("%d stops", n)
	if n == 1 {
		what = "one stop"
	}
	b.WriteString(p.in(bold, "Weft tour") + ": " + what + fmt.Sprintf(", under a minute, %d CPUs\n\n", cpus()))
	p.paragraph(&b, 0, "At each stop a plain loop and Weft do the same work, in turns, and the best time of each counts. "+
		"The results are compared item by item. What Weft is told about the work: nothing.")
	return b.String()
}

func (p *printer) stop(i int, s stop, o outcome) string {
	var b strings.Builder
	fmt.Fprintf(&b, "\n%s  %s\n", p.in(bold+cyan, fmt.Sprintf("%d", i)), p.in(bold, s.name+": "+s.title))
	p.paragraph(&b, margin, s.story)
	fmt.Fprintf(&b, "\n%s%s\n\n", strings.Repeat(" ", margin+2), p.in(cyan, s.code))
	p.plan(&b, o.report)
	b.WriteString("\n")
	same := "; the same both ways"
	if o.extrapolated() {
		same = fmt.Sprintf("; the plain loop did %d of them, with the same results", o.sampled)
	}
	p.line(&b, "result", o.result+same)
	full := max(o.plain, o.weft)
	note := ""
	if o.extrapolated() {
		note = fmt.Sprintf("  extrapolated from %d", o.sampled)
	}
	p.raw(&b, "plain loop", p.in(dim, p.bar(o.plain, full))+fmt.Sprintf(" %8s", plan.Short(o.plain))+note)
	p.raw(&b, "Weft", p.in(green, p.bar(o.weft, full))+fmt.Sprintf(" %8s", plan.Short(o.weft))+"  "+p.in(bold+green, speed(o)))
	return b.String()
}

// plan prints the plan that the run ended with: the decision, the reason for
// the first one, the figures, and what was changed on the way.
func (p *printer) plan(b *strings.Builder, rep weft.Report) {
	changes := rep.Decisions
	head := decided(rep.Plan)
	if len(changes) > 1 {
		rep.Plan.Reason = changes[0].Why
		if first := changes[0].Workers; first != rep.Plan.Workers {
			head += fmt.Sprintf(", at first %d", first)
		}
	}
	p.raw(b, "plan", p.in(bold, head))
	_, rest, _ := strings.Cut(rep.Plan.String(), "\n")
	for l := range strings.Lines(rest) {
		// A label of its own column, empty where the one above goes on.
		name, text := l[:min(len(l), planLabel)], l[min(len(l), planLabel):]
		p.line(b, strings.TrimSpace(name), strings.TrimSpace(text))
	}
	if len(changes) > 1 {
		p.changes(b, changes[1:])
	}
}

// changes prints what Weft changed after the first plan; of many the first
// and the last ones.
func (p *printer) changes(b *strings.Builder, all []weft.Decision) {
	for i, d := range all {
		left := len(all) - i
		if len(all) > shownChanges && i >= shownChanges/2 && left > shownChanges/2 {
			if i == shownChanges/2 {
				p.line(b, "", fmt.Sprintf("... %d more ...", len(all)-shownChanges/2*2))
			}
			continue
		}
		p.line(b, unless(i > 0, "then"), "after "+plan.Short(d.At)+": "+d.Why)
	}
}

func unless(cond bool, s string) string {
	if cond {
		return ""
	}
	return s
}

// summary is the tour on one page.
func (p *printer) summary(seen []visited) string {
	var b strings.Builder
	fmt.Fprintf(&b, "\n%s\n", p.in(bold, fmt.Sprintf("%-7s %10s  %-22s %11s %9s  %8s", "stop", "items", "decided", "plain loop", "Weft", "speed-up")))
	star := false
	for _, v := range seen {
		mark := " "
		if v.extrapolated() {
			mark, star = "*", true
		}
		short, _, _ := strings.Cut(decided(v.report.Plan), ",")
		fmt.Fprintf(&b, "%-7s %10s  %-22s %10s%s %9s  %s\n", v.name, count(v.items), short,
			plan.Short(v.plain), mark, plan.Short(v.weft), p.in(green, fmt.Sprintf("%8s", times(v.speedup()))))
	}
	if star {
		b.WriteString(p.in(dim, "* extrapolated from a sample") + "\n")
	}
	b.WriteString("\n")
	p.paragraph(&b, 0, "Your own function next: README.md, \"Five minutes\". One stop again: weft tour --stop NAME.")
	return b.String()
}

// decided is the plan in a few words: the first line without the name and the
// number of items.
func decided(pl weft.Plan) string {
	head, _, _ := strings.Cut(pl.String(), "\n")
	_, head, _ = strings.Cut(strings.TrimPrefix(head, pl.Name), ", ")
	return head
}

// speed compares in words.
func speed(o outcome) string {
	s := o.speedup()
	if s > 1/level && s < level {
		return times(s) + ": as fast as the plain loop"
	}
	if o.report.Plan.Mode == plainMode && o.weft-o.plain < fewMicros {
		return "the same loop and " + plan.Short(o.weft-o.plain)
	}
	if s < 1 {
		return times(s) + ": slower than the plain loop"
	}
	return times(s) + " as fast"
}

// plainMode is what a plan calls the plain loop, and fewMicros what Weft may
// take to decide for it without being called slower.
const (
	plainMode = "plain loop"
	fewMicros = 100 * time.Microsecond
)

// level is the ratio of two times below which they count as equal: what the
// best of three runs of the same loop differ by on a machine in use.
const level = 1.05

func times(s float64) string {
	if s < 9.995 {
		return fmt.Sprintf("%.2f x", s)
	}
	return fmt.Sprintf("%.0f x", s)
}

// bar draws a time in proportion to the longest.
func (p *printer) bar(d, full time.Duration) string {
	width := min(mostBar, p.width-margin-label-timeText)
	n := 0
	if full > 0 {
		n = int(float64(d)/float64(full)*float64(width) + 0.5)
	}
	n = max(1, n)
	return strings.Repeat("█", n) + strings.Repeat(" ", width-n)
}

// raw prints a label and a text that is not wrapped.
func (p *printer) raw(b *strings.Builder, name, text string) {
	fmt.Fprintf(b, "%s%s%s\n", strings.Repeat(" ", margin), p.in(dim, fmt.Sprintf("%-*s", label, name)), text)
}

// line prints a label and a text, wrapped beside it.
func (p *printer) line(b *strings.Builder, name, text string) {
	for i, l := range wrap(text, p.width-margin-label) {
		if i > 0 {
			name = ""
		}
		p.raw(b, name, l)
	}
}

func (p *printer) paragraph(b *strings.Builder, indent int, text string) {
	for _, l := range wrap(text, p.width-indent) {
		b.WriteString(strings.Repeat(" ", indent) + l + "\n")
	}
}

// wrap breaks a text at spaces so that no line is wider than width, as far as
// its words allow.
func wrap(text string, width int) []string {
	var lines []string
	var line string
	for word := range strings.FieldsSeq(text) {
		switch {
		case line == "":
			line = word
		case utf8.RuneCountInString(line)+1+utf8.RuneCountInString(word) > width:
			lines = append(lines, line)
			line = word
		default:
			line += " " + word
		}
	}
	return append(lines, line)
}

// count prints a number as plans do: 1_000_000.
func count(n int) string {
	s := fmt.Sprint(n)
	if n < 10_000 {
		return s
	}
	var b strings.Builder
	for i, c := range s {
		if i > 0 && (len(s)-i)%3 == 0 {
			b.WriteByte('_')
		}
		b.WriteRune(c)
	}
	return b.String()
}

// record is a stop as JSON.
func record(s stop, o outcome) any {
	return struct {
		Stop         string      `json:"stop"`
		Title        string      `json:"title"`
		Items        int         `json:"items"`
		Result       string      `json:"result"`
		Rounds       int         `json:"rounds"`
		Plain        int64       `json:"plain_ns"`
		PlainSampled int         `json:"plain_sampled"`
		Extrapolated bool        `json:"plain_extrapolated"`
		Weft         int64       `json:"weft_ns"`
		Speedup      float64     `json:"speedup"`
		Report       weft.Report `json:"report"`
	}{s.name, s.title, o.items, o.result, o.rounds, int64(o.plain), o.sampled, o.extrapolated(), int64(o.weft), o.speedup(), o.report}
}

func cpus() int { return runtime.GOMAXPROCS(0) }
