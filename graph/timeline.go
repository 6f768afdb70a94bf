package graph

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/weft-go/weft/internal/plan"
)

// Sizes of charts in pixels: of the whole, and of the room around the curves.
const (
	chartWide   = 1100
	chartLeft   = 84
	chartRight  = 16
	chartBottom = 34
	plotWide    = chartWide - chartLeft - chartRight
	// mostRows is how many workers the timeline shows.
	mostRows = 128
	// mostMarks is how many tasks are marks of their own; of more, those that
	// are too short to be seen are drawn together.
	mostMarks = 2000
	// seen is how wide a mark is, in pixels, that can be seen.
	seen = 1.5
)

// mark is a stretch of a worker's time: a task, or several short ones.
type mark struct {
	from, to time.Duration
	tasks    []int // of several a few with different names, for the title
	n        int
	busy     time.Duration // of the tasks
	group    int           // place in the legend of whatever took the longest
	failed   bool
}

// timeline is the run by worker.
type timeline struct {
	rows   [][]mark // by worker
	hidden int      // workers past mostRows
	idle   int      // workers after them, or after rowsAnyway, that ran nothing
	groups []groupSum
	// together is how many tasks are drawn with others.
	together int
	end      time.Duration
}

// groupSum is what the tasks of a group took.
type groupSum struct {
	name                 string
	tasks, ran, failed   int
	took, longest        time.Duration
	bytes, largest       int64
	color                rgb
	first                time.Duration
	attempts, fromCached int
}

// mean is the mean time of a task that ran.
func (g *groupSum) mean() time.Duration {
	if g.ran == 0 {
		return 0
	}
	return g.took / time.Duration(g.ran)
}

// sumGroups adds up the tasks by group, those that took the longest first. of[i]
// is the group of task i, -1 for constants.
func sumGroups(r *Record) (groups []groupSum, of []int) {
	byName := map[string]int{}
	of = make([]int, len(r.Tasks))
	for i := range r.Tasks {
		t := &r.Tasks[i]
		of[i] = -1
		if t.Kind == KindConst {
			continue
		}
		name := groupOf(t)
		g, ok := byName[name]
		if !ok {
			g = len(groups)
			byName[name] = g
			groups = append(groups, groupSum{name: clean(name), first: math.MaxInt64})
		}
		of[i] = g
		s := &groups[g]
		s.tasks++
		s.bytes += t.Bytes
		s.largest = max(s.largest, t.Bytes)
		s.attempts += t.Attempts
		if t.Attempts > 0 {
			s.ran++
			s.took += lasted(t)
			s.longest = max(s.longest, lasted(t))
			s.first = min(s.first, t.Start)
		}
		switch t.State {
		case StateFailed:
			s.failed++
		case StateCached:
			s.fromCached++
		}
	}
	order := make([]int, len(groups))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(groups[b].took, groups[a].took) })
	place := make([]int, len(groups))
	sorted := make([]groupSum, 0, len(groups))
	for i, g := range order {
		place[g] = i
		s := groups[g]
		s.color = otherColor
		if i < len(groupColors) {
			s.color = groupColors[i]
		}
		sorted = append(sorted, s)
	}
	for i, g := range of {
		if g >= 0 {
			of[i] = place[g]
		}
	}
	return sorted, of
}

// rowsAnyway is for how many workers there are rows whether they ran a task or
// not.
const rowsAnyway = 16

func newTimeline(r *Record) *timeline {
	tl := &timeline{}
	var of []int
	tl.groups, of = sumGroups(r)
	workers, ran := min(r.Workers, rowsAnyway), 0
	tl.end = r.Took
	for i := range r.Tasks {
		if t := &r.Tasks[i]; t.Attempts > 0 {
			ran++
			tl.end = max(tl.end, t.End)
			workers = max(workers, min(t.Worker+1, 1<<15))
		}
	}
	tl.end = max(tl.end, 1)
	tl.idle = max(0, r.Workers-workers)
	tl.hidden = max(0, workers-mostRows)
	tl.rows = make([][]mark, min(workers, mostRows))
	byWorker := make([][]int, len(tl.rows))
	for i := range r.Tasks {
		if t := &r.Tasks[i]; t.Attempts > 0 && t.Worker >= 0 && t.Worker < len(byWorker) {
			byWorker[t.Worker] = append(byWorker[t.Worker], i)
		}
	}
	least := time.Duration(0) // time that can be seen
	if ran > mostMarks {
		least = time.Duration(seen * float64(tl.end) / plotWide)
	}
	for w, tasks := range byWorker {
		slices.SortStableFunc(tasks, func(a, b int) int { return cmp.Compare(r.Tasks[a].Start, r.Tasks[b].Start) })
		var row []mark
		var shares map[int]time.Duration // of the last mark
		for _, i := range tasks {
			t := &r.Tasks[i]
			took := lasted(t)
			// Short tasks beside each other are one mark, until it can be seen.
			if n := len(row); least > 0 && n > 0 && took < least && row[n-1].busy < least*time.Duration(row[n-1].n) && t.Start-row[n-1].to < least && t.End-row[n-1].from < 2*least {
				m := &row[n-1]
				m.to, m.n, m.busy, m.failed = max(m.to, t.End), m.n+1, m.busy+took, m.failed || t.State == StateFailed
				if len(m.tasks) < 3 && !slices.ContainsFunc(m.tasks, func(k int) bool { return r.Tasks[k].Name == t.Name }) {
					m.tasks = append(m.tasks, i)
				}
				if shares[of[i]] += took; shares[of[i]] > shares[m.group] {
					m.group = of[i]
				}
				continue
			}
			row = append(row, mark{from: t.Start, to: max(t.End, t.Start), tasks: []int{i}, n: 1, busy: took, group: of[i], failed: t.State == StateFailed})
			shares = map[int]time.Duration{of[i]: took}
		}
		for _, m := range row {
			if m.n > 1 {
				tl.together += m.n
			}
		}
		tl.rows[w] = row
	}
	return tl
}

// ticks are some four to nine round numbers from 0 to most. Bytes have steps
// of powers of ten as times have: units are decimal.
func ticks(most float64) []float64 {
	if !(most > 0) || math.IsInf(most, 0) {
		return []float64{0}
	}
	step := math.Pow(10, math.Floor(math.Log10(most)))
	for _, part := range []float64{0.1, 0.2, 0.5, 1} {
		if most/(step*part) <= 8 {
			step *= part
			break
		}
	}
	var out []float64
	for i := 0; float64(i)*step <= most*(1+1e-9); i++ {
		out = append(out, float64(i)*step)
	}
	return out
}

// tickTime prints a time at an axis: without digits that say nothing.
func tickTime(ns float64) string { return trimZeros(plan.Nanos(ns)) }

func tickBytes(n float64) string { return trimZeros(inBytes(int64(n))) }

func trimZeros(s string) string {
	number, unit, ok := strings.Cut(s, " ")
	if !ok {
		return s
	}
	if strings.Contains(number, ".") {
		number = strings.TrimRight(strings.TrimRight(number, "0"), ".")
	}
	return number + " " + unit
}

// timeAxis draws the axis of time below a chart, with lines through it.
func timeAxis(b *strings.Builder, end time.Duration, height float64) {
	for _, v := range ticks(float64(end)) {
		x := chartLeft + plotWide*v/float64(end)
		anchor := "m"
		if x > chartWide-50 {
			anchor = "n"
			x = min(x, chartWide-4)
		}
		text := tickTime(v)
		if v == 0 {
			text = "0"
		}
		fmt.Fprintf(b, "<path class=\"tick\" d=\"M%.1f 0V%.1f\"/><text class=\"%s\" x=\"%.1f\" y=\"%.1f\">%s</text>", min(x, chartWide-chartRight), height+4, anchor, x, height+17, text)
	}
	fmt.Fprintf(b, "<text class=\"n q\" x=\"%d\" y=\"%.1f\">time since the run began</text>", chartWide-chartRight, height+31)
}

// svg draws the timeline.
func (tl *timeline) svg(r *Record) string {
	row := 24.0
	switch n := len(tl.rows); {
	case n > 64:
		row = 9
	case n > 24:
		row = 13
	}
	height := row * float64(max(1, len(tl.rows)))
	var b strings.Builder
	fmt.Fprintf(&b, "<svg class=\"chart\" id=\"timeline-chart\" viewBox=\"0 0 %d %.0f\" width=\"%d\" height=\"%.0f\" role=\"img\" aria-label=\"What each worker ran, over time\">", chartWide, height+chartBottom, chartWide, height+chartBottom)
	timeAxis(&b, tl.end, height)
	every := max(1, int(math.Ceil(14/row)))
	for w, marks := range tl.rows {
		y := row * float64(w)
		if w%every == 0 {
			fmt.Fprintf(&b, "<text class=\"n\" x=\"%d\" y=\"%.1f\">worker %d</text>", chartLeft-8, y+min(row, 24)/2+4, w)
		}
		fmt.Fprintf(&b, "<path class=\"row\" d=\"M%d %.1fh%d\"/>", chartLeft, y+row-0.5, plotWide)
		for i := range marks {
			m := &marks[i]
			x := chartLeft + plotWide*float64(m.from)/float64(tl.end)
			wide := max(0.6, plotWide*float64(m.to-m.from)/float64(tl.end))
			class := "task"
			if m.failed {
				class = "task bad"
			}
			if m.n > 1 {
				class += " many"
			}
			fmt.Fprintf(&b, "<rect class=\"%s\" x=\"%.2f\" y=\"%.1f\" width=\"%.2f\" height=\"%.1f\" fill=\"%v\"><title>%s</title></rect>",
				class, x, y+1.5, wide, row-3, tl.groups[m.group].color, inXML(m.title(r)))
			if m.failed {
				mid := x + wide/2
				fmt.Fprintf(&b, "<path class=\"cross\" d=\"M%.1f %.1fl7 7m0 -7l-7 7\"/>", mid-3.5, y+row/2-3.5)
			}
		}
	}
	b.WriteString("</svg>")
	return b.String()
}

func (m *mark) title(r *Record) string {
	if m.n == 1 {
		return title(r, m.tasks[0])
	}
	var names []string
	for _, i := range m.tasks {
		names = append(names, short(clean(r.Tasks[i].Name), 30))
	}
	return fmt.Sprintf("%s, busy %s of %s, from %s\namong them %s", counted(m.n, "task"), inTime(m.busy), inTime(m.to-m.from), inTime(m.from), strings.Join(names, ", "))
}

// memoryChart draws what results took, and the budget.
func memoryChart(r *Record) (svg, note string) {
	const height = 190.0
	var most int64
	for _, s := range r.Memory {
		most = max(most, s.Bytes, s.Disk)
	}
	if len(r.Memory) == 0 {
		return "", ""
	}
	end := max(r.Took, r.Memory[len(r.Memory)-1].At, 1)
	top := float64(most)
	budget := r.Budget > 0
	if budget && float64(r.Budget) <= 4*top {
		top = max(top, float64(r.Budget))
	} else if budget {
		note = fmt.Sprintf("The budget, %s, is far above the curve and not drawn.", inBytes(r.Budget))
		budget = false
	}
	top = max(1, top*1.06)
	x := func(at time.Duration) float64 { return chartLeft + plotWide*float64(max(0, at))/float64(end) }
	y := func(bytes int64) float64 { return height - (height-12)*float64(max(0, bytes))/top }
	var b strings.Builder
	fmt.Fprintf(&b, "<svg class=\"chart\" id=\"memory-chart\" viewBox=\"0 0 %d %.0f\" width=\"%d\" height=\"%.0f\" role=\"img\" aria-label=\"Bytes of results over time\">", chartWide, height+chartBottom, chartWide, height+chartBottom)
	timeAxis(&b, end, height)
	for _, v := range ticks(top) {
		ly := y(int64(v))
		text := tickBytes(v)
		if v == 0 {
			text = "0 B"
		}
		fmt.Fprintf(&b, "<path class=\"tick\" d=\"M%d %.1fh%d\"/><text class=\"n\" x=\"%d\" y=\"%.1f\">%s</text>", chartLeft, ly, plotWide, chartLeft-8, ly+4, text)
	}
	curve := func(class string, of func(Sample) int64, area bool) {
		fmt.Fprintf(&b, "<path class=\"%s\" d=\"M%.1f %.1f", class, x(r.Memory[0].At), y(of(r.Memory[0])))
		for _, s := range r.Memory[1:] { // it is so much until the next sample
			fmt.Fprintf(&b, "H%.1fV%.1f", x(s.At), y(of(s)))
		}
		fmt.Fprintf(&b, "H%.1f", x(end))
		if area {
			fmt.Fprintf(&b, "V%.1fH%.1fz", height, x(r.Memory[0].At))
		}
		b.WriteString("\"/>")
	}
	curve("area", func(s Sample) int64 { return s.Bytes }, true)
	curve("line", func(s Sample) int64 { return s.Bytes }, false)
	onDisk := slices.ContainsFunc(r.Memory, func(s Sample) bool { return s.Disk > 0 })
	if onDisk {
		curve("disk", func(s Sample) int64 { return s.Disk }, false)
	}
	if budget {
		ly := y(r.Budget)
		fmt.Fprintf(&b, "<path class=\"budget\" d=\"M%d %.1fh%d\"/><text class=\"n budgettext\" x=\"%d\" y=\"%.1f\">budget %s</text>", chartLeft, ly, plotWide, chartWide-chartRight-4, ly-4, inBytes(r.Budget))
	}
	b.WriteString("</svg>")
	return b.String(), note
}
