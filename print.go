package weft

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/weft-go/weft/internal/memory"
	"github.com/weft-go/weft/internal/plan"
)

// String prints the plan for people, in a few lines.
func (p Plan) String() string {
	var b strings.Builder
	items := fmt.Sprintf("%s items", count(p.Items))
	switch p.Items {
	case -1:
		items = "a stream"
	case 1:
		items = "1 item"
	}
	fmt.Fprintf(&b, "%s: %s, ", p.Name, items)
	switch {
	case p.Schedule == "none":
		b.WriteString("plain loop")
	case p.Schedule == "dynamic" && p.Chunk <= 1:
		fmt.Fprintf(&b, "%d at a time", p.Workers)
	default:
		fmt.Fprintf(&b, "%d workers, %s chunks of up to %s", p.Workers, p.Schedule, count(p.Chunk))
	}
	b.WriteString("\n")
	line := func(label, format string, args ...any) {
		fmt.Fprintf(&b, "  %-10s %s\n", label, fmt.Sprintf(format, args...))
	}
	line("why", "%s", p.Reason)
	if m := p.Measured; m.Sampled > 0 {
		s := fmt.Sprintf("%s an item, %.0f %% of it CPU", plan.Nanos(m.ItemNanos), 100*m.CPUShare)
		if m.ItemBytes > 0 {
			s += ", " + memory.Text(m.ItemBytes)
		}
		line("measured", "%s (%s sampled)", s, count(m.Sampled))
		if m.EncodedBytes > 0 {
			line("encoding", "%s and %s an item", plan.Nanos(m.EncodeNanos), memory.Text(m.EncodedBytes))
		}
	}
	if p.Predicted > 0 {
		line("predicted", "%s", plan.Short(p.Predicted))
	}
	label := "rejected"
	for _, c := range p.Rejected {
		s := c.What
		if c.Predicted > 0 {
			s += ": " + plan.Short(c.Predicted)
		}
		if c.Why != "" {
			s += " (" + c.Why + ")"
		}
		line(label, "%s", s)
		label = ""
	}
	s := fmt.Sprintf("%d (%s)", p.CPUs, p.CPUSource)
	if p.MemoryBudget > 0 {
		s += ", memory budget " + memory.Text(p.MemoryBudget)
	}
	line("CPUs", "%s", s)
	for _, w := range p.Warnings {
		line("warning", "%s", w)
	}
	return b.String()
}

// String prints the report for people: the plan, the decisions on the way,
// and predicted against actual.
func (r Report) String() string {
	var b strings.Builder
	b.WriteString(r.Plan.String())
	line := func(label, format string, args ...any) {
		fmt.Fprintf(&b, "  %-10s %s\n", label, fmt.Sprintf(format, args...))
	}
	for i, d := range r.Decisions {
		if i == mostShown && len(r.Decisions) > mostShown+1 {
			line("", "... and %d more", len(r.Decisions)-i)
			break
		}
		line("at "+plan.Short(d.At.Round(10*time.Microsecond)), "%s", d.Why)
	}
	done := fmt.Sprintf("%s done", count(r.Done))
	if r.Failed > 0 {
		done += fmt.Sprintf(", %s failed", count(r.Failed))
	}
	if r.Retried > 0 {
		done += fmt.Sprintf(", %s retried", count(r.Retried))
	}
	line("items", "%s", done)
	actual := plan.Short(r.Wall)
	if r.Plan.Predicted > 0 {
		actual += fmt.Sprintf(" (predicted %s)", plan.Short(r.Plan.Predicted))
	}
	line("took", "%s, %s of CPU time", actual, plan.Short(r.CPU))
	if r.Speedup > 0 && r.Plan.Schedule != "none" {
		s := fmt.Sprintf("%.2f x the plain loop's estimated %s", r.Speedup, plan.Short(r.Serial))
		if r.Efficiency > 0 {
			s += fmt.Sprintf(", efficiency %.0f %%", 100*r.Efficiency)
		}
		line("speed-up", "%s", s)
	}
	if r.PeakMemory > 1<<20 {
		line("memory", "%s more than at the start, at most", memory.Text(r.PeakMemory))
	}
	for _, w := range r.Warnings {
		if slices.Contains(r.Plan.Warnings, w) {
			continue // printed with the plan
		}
		line("warning", "%s", w)
	}
	return b.String()
}

// mostShown is how many decisions String prints.
const mostShown = 8

// count prints a number with a thin grouping of thousands: 1_000_000.
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
