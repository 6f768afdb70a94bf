package graph

import (
	"bufio"
	"cmp"
	_ "embed"
	"fmt"
	"html/template"
	"io"
	"slices"
	"strings"
	"time"
)

// HTMLReport writes a page about the run to w when it has ended, also when it has
// failed: totals, a timeline of what each worker ran, the critical path, the
// memory of results, the slowest tasks, errors, and the graph. The page is one
// file, loads nothing and needs no script to be read; with one its tables can be
// sorted. It has below 2 MB however many tasks there are: short tasks are
// drawn together, and the page says where. Writing takes some 40 ms, and some
// 2 us a task. A failure of w is an error of the run, if the run has no other.
// Defaults to no report.
func HTMLReport(w io.Writer) RunOption {
	return runOption(func(c *config) {
		if w == nil {
			c.fail("HTMLReport(nil): give something to write to, a file say")
			return
		}
		c.after = append(c.after, func(r *Record) error {
			if err := writeHTML(w, r); err != nil {
				return fmt.Errorf("graph: the report could not be written: %w", err)
			}
			return nil
		})
	})
}

//go:embed page/report.html
var reportPage string

//go:embed page/report.css
var reportStyle string

//go:embed page/report.js
var reportScript string

var reportTemplate = template.Must(template.New("report").Parse(reportPage))

const (
	mostSlowest  = 100
	mostErrors   = 50
	mostSteps    = 40  // of the critical path
	mostGroups   = 100 // rows of the table
	longestError = 4000
)

// reportData is what the page shows; all of it is words and numbers but the
// charts, which this package draws and escapes.
type reportData struct {
	Style  template.CSS
	Script template.JS

	Graph, Begun   string
	Ran, Failed    bool
	Err            string
	Notes          []string
	Tiles          []tile
	States         []stateShare
	Timeline       template.HTML
	TimelineNotes  []string
	Legend         []swatch
	Memory         template.HTML
	MemoryNote     string
	OnDisk, Budget bool
	Critical       []step
	CriticalNote   string
	Groups         []groupRow
	GroupsNote     string
	Slowest        []taskRow
	SlowestNote    string
	Errors         []taskRow
	ErrorsNote     string
	Pictures       []pictureTab
	Made           string
}

type tile struct{ Name, Value, Note, ID string }

type swatch struct{ Color, Name string }

type stateShare struct {
	Name, Color string
	Count       string
	Percent     string
}

type step struct {
	Name, Full, Start, Took, Wait string
	ID                            int
	Share, Offset                 string // percent
}

type groupRow struct {
	Name, Full, Color              string
	Tasks, Failed                  int
	Took, Mean, Longest, Bytes     string
	TookN, MeanN, LongestN, BytesN int64
	FirstN                         int64
	First                          string
}

type taskRow struct {
	Name, Full, State, Err string
	ID, Worker, Attempts   int
	Start, Took, Bytes     string
	StartN, TookN, BytesN  int64
}

type pictureTab struct {
	ID, Name string
	Checked  bool
	SVG      template.HTML
}

// writeHTML writes the report of a run as one page that loads nothing.
func writeHTML(w io.Writer, r *Record) error {
	if err := checkRecord("HTMLReport", r); err != nil {
		return err
	}
	d := &reportData{
		Style: template.CSS(reportStyle), Script: template.JS(reportScript),
		Graph: clean(r.Graph), Ran: r.Ran, Failed: r.Err != "", Err: cut(cleanLines(r.Err), longestError),
	}
	for _, n := range r.Notes {
		d.Notes = append(d.Notes, cut(clean(n), longestError))
	}
	if !r.Begun.IsZero() {
		d.Begun = r.Begun.UTC().Format("2006-01-02 15:04:05 UTC")
	}
	d.totals(r)
	tl := newTimeline(r)
	d.timeline(tl, r)
	if svg, note := memoryChart(r); svg != "" {
		d.Memory, d.MemoryNote = template.HTML(svg), note
		d.OnDisk = strings.Contains(svg, "class=\"disk\"")
		d.Budget = strings.Contains(svg, "class=\"budget\"")
	}
	d.critical(r)
	d.groups(tl.groups)
	d.tables(r)
	if err := d.pictures(r); err != nil {
		return err
	}
	b := bufio.NewWriterSize(w, 64<<10)
	if err := reportTemplate.Execute(b, d); err != nil {
		return err
	}
	return b.Flush()
}

// totals are the tiles at the top.
func (d *reportData) totals(r *Record) {
	var serial, critical time.Duration
	var states [len(stateNames)]int
	var peak, disk int64
	tasks, constants, spilled, ran := 0, 0, 0, 0
	for i := range r.Tasks {
		t := &r.Tasks[i]
		if t.Kind == KindConst {
			constants++
			continue
		}
		tasks++
		states[stateIndex(t.State)]++
		serial += lasted(t)
		if t.Attempts > 0 {
			ran++
		}
		if t.Spilled {
			spilled++
		}
	}
	for _, c := range r.Critical {
		critical += lasted(&r.Tasks[c])
	}
	for _, s := range r.Memory {
		peak, disk = max(peak, s.Bytes), max(disk, s.Disk)
	}
	add := func(id, name, value, note string) { d.Tiles = append(d.Tiles, tile{name, value, note, id}) }
	add("tasks", "tasks", number(tasks), fmt.Sprintf("%s ran; %s", number(ran), counted(constants, "constant")))
	if !r.Ran {
		return
	}
	add("wall", "wall time", inTime(r.Took), "from the first task to the last, and what is around them")
	add("workers", "workers", number(r.Workers), "how many tasks could run at once")
	add("serial", "serial sum", inTime(serial), "of the times of all tasks")
	if r.Took > 0 {
		speed := float64(serial) / float64(r.Took)
		note := "serial sum over wall time"
		if r.Workers > 0 {
			note += fmt.Sprintf("; workers were busy %.0f %%", min(100, 100*speed/float64(r.Workers)))
		}
		add("speedup", "speed-up", fmt.Sprintf("%.2f x", speed), note)
	}
	add("critical-sum", "critical path", inTime(critical), counted(len(r.Critical), "task")+" in a row: with these times no run is faster")
	note := "of results in memory"
	if r.Budget > 0 {
		note += ", of a budget of " + inBytes(r.Budget)
	}
	add("peak", "peak memory", inBytes(peak), note)
	if spilled > 0 || disk > 0 {
		add("spilled", "spilled", counted(spilled, "result"), "up to "+inBytes(disk)+" on disk at a time")
	}
	for s, n := range states {
		if n > 0 {
			d.States = append(d.States, stateShare{stateNames[s], stateColors[s].String(), number(n), fmt.Sprintf("%.3f", 100*float64(n)/float64(tasks))})
		}
	}
}

func (d *reportData) timeline(tl *timeline, r *Record) {
	ran := 0
	for i := range tl.groups {
		ran += tl.groups[i].ran
	}
	if ran == 0 {
		return
	}
	d.Timeline = template.HTML(tl.svg(r))
	for i := range min(len(tl.groups), len(groupColors)) {
		d.Legend = append(d.Legend, swatch{tl.groups[i].color.String(), short(tl.groups[i].name, 32)})
	}
	if len(tl.groups) > len(groupColors) {
		d.Legend = append(d.Legend, swatch{otherColor.String(), counted(len(tl.groups)-len(groupColors), "other group")})
	}
	if tl.together > 0 {
		d.TimelineNotes = append(d.TimelineNotes, fmt.Sprintf("%s are too short to be seen here: those beside each other are drawn as one, in the colour of the group that took most of it. graph.Trace writes each.", counted(tl.together, "task")))
	}
	if tl.idle > 0 {
		d.TimelineNotes = append(d.TimelineNotes, fmt.Sprintf("%s more ran no task.", counted(tl.idle, "worker")))
	}
	if tl.hidden > 0 {
		d.TimelineNotes = append(d.TimelineNotes, fmt.Sprintf("%s more are not shown.", counted(tl.hidden, "worker")))
	}
}

// critical lists the critical path: of a long one the steps that took longest,
// in order.
func (d *reportData) critical(r *Record) {
	if !r.Ran || len(r.Critical) == 0 {
		return
	}
	shown := make([]int, len(r.Critical)) // places in r.Critical
	var sum time.Duration
	for i, c := range r.Critical {
		shown[i] = i
		sum += lasted(&r.Tasks[c])
	}
	if len(shown) > mostSteps {
		slices.SortStableFunc(shown, func(a, b int) int {
			return cmp.Compare(lasted(&r.Tasks[r.Critical[b]]), lasted(&r.Tasks[r.Critical[a]]))
		})
		shown = shown[:mostSteps]
		slices.Sort(shown)
		d.CriticalNote = fmt.Sprintf("The %d longest of %s.", mostSteps, counted(len(r.Critical), "task"))
	}
	wall := float64(max(1, r.Took))
	for _, i := range shown {
		t := &r.Tasks[r.Critical[i]]
		s := step{
			Name: short(clean(t.Name), 40), Full: title(r, r.Critical[i]), ID: t.ID, Start: inTime(t.Start), Took: inTime(lasted(t)),
			Share: fmt.Sprintf("%.3f", min(100, 100*float64(lasted(t))/wall)), Offset: fmt.Sprintf("%.3f", min(100, 100*float64(max(0, t.Start))/wall)),
		}
		if i > 0 {
			if wait := t.Start - r.Tasks[r.Critical[i-1]].End; wait >= 0 {
				s.Wait = inTime(wait)
			}
		} else {
			s.Wait = inTime(max(0, t.Start))
		}
		d.Critical = append(d.Critical, s)
	}
}

func (d *reportData) groups(all []groupSum) {
	for i := range min(len(all), mostGroups) {
		g := &all[i]
		row := groupRow{
			Name: short(g.name, 48), Full: g.name, Color: g.color.String(), Tasks: g.tasks, Failed: g.failed,
			Took: inTime(g.took), TookN: int64(g.took), Mean: inTime(g.mean()), MeanN: int64(g.mean()),
			Longest: inTime(g.longest), LongestN: int64(g.longest), Bytes: inBytes(g.bytes), BytesN: g.bytes,
		}
		if g.ran > 0 {
			row.First, row.FirstN = inTime(g.first), int64(g.first)
		}
		d.Groups = append(d.Groups, row)
	}
	if len(all) > mostGroups {
		d.GroupsNote = fmt.Sprintf("The %d that took longest of %s.", mostGroups, counted(len(all), "group"))
	}
}

func newRow(r *Record, i int) taskRow {
	t := &r.Tasks[i]
	return taskRow{
		Name: short(clean(t.Name), 48), Full: title(r, i), State: stateNames[stateIndex(t.State)], Err: cut(cleanLines(t.Err), longestError),
		ID: t.ID, Worker: t.Worker, Attempts: t.Attempts, Start: inTime(t.Start), StartN: int64(t.Start),
		Took: inTime(lasted(t)), TookN: int64(lasted(t)), Bytes: inBytes(t.Bytes), BytesN: t.Bytes,
	}
}

// tables are the slowest tasks and the errors.
func (d *reportData) tables(r *Record) {
	var ran, failed []int
	for i := range r.Tasks {
		t := &r.Tasks[i]
		if t.Kind != KindConst && t.Attempts > 0 {
			ran = append(ran, i)
		}
		if t.Err != "" || t.State == StateFailed {
			failed = append(failed, i)
		}
	}
	slices.SortStableFunc(ran, func(a, b int) int { return cmp.Compare(lasted(&r.Tasks[b]), lasted(&r.Tasks[a])) })
	for _, i := range ran[:min(len(ran), mostSlowest)] {
		d.Slowest = append(d.Slowest, newRow(r, i))
	}
	if len(ran) > mostSlowest {
		d.SlowestNote = fmt.Sprintf("The %d slowest of %s that ran.", mostSlowest, counted(len(ran), "task"))
	}
	for _, i := range failed[:min(len(failed), mostErrors)] {
		d.Errors = append(d.Errors, newRow(r, i))
	}
	if len(failed) > mostErrors {
		d.ErrorsNote = fmt.Sprintf("The first %d of %s.", mostErrors, counted(len(failed), "failure"))
	}
}

// pictures draws the graph in each way to colour it.
func (d *reportData) pictures(r *Record) error {
	for _, by := range []Color{ByTime, ByState, ByOrder} {
		var b strings.Builder
		p, err := newPicture("HTMLReport", &b, r, by, mostBoxes, mostArrows)
		if err != nil {
			return err
		}
		w := bufio.NewWriter(&b)
		newDrawing(p).write(w)
		_ = w.Flush() // a Builder takes everything
		d.Pictures = append(d.Pictures, pictureTab{ID: by.String(), Name: "by " + by.String(), Checked: by == ByState && r.Err != "" || by == ByTime && r.Err == "", SVG: template.HTML(b.String())})
	}
	return nil
}
