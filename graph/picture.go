package graph

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"
)

// Color says what the colours of [Dot], [Mermaid] and [SVG] show.
type Color uint8

const (
	// ByOrder colours tasks by the order in which one worker would run them,
	// from light to dark.
	ByOrder Color = iota
	// ByState colours them by what became of them: done, failed and so on.
	ByState
	// ByTime colours them by how long they took, from light to dark; of a
	// graph that was not run, all are grey.
	ByTime
)

func (c Color) String() string {
	switch c {
	case ByOrder:
		return "order"
	case ByState:
		return "state"
	case ByTime:
		return "time"
	}
	return fmt.Sprintf("Color(%d)", uint8(c))
}

const (
	// mostBoxes is how many tasks are drawn one by one: more are drawn as
	// groups. Pictures of more were not readable.
	mostBoxes = 500
	// mostArrows is the same for arrows.
	mostArrows = 2500
	// mostConstants is how many tasks and constants there may be for constants
	// to be drawn.
	mostConstants = 48
)

// picture is what all ways to draw have in common: boxes and arrows, chosen,
// named and coloured.
type picture struct {
	record *Record
	by     Color
	scale  scale
	boxes  []pictured
	arrows []arrow
	// grouped: a box is a group of tasks.
	grouped bool
	tasks   int // constants aside
	states  [len(stateNames)]int
	notes   []string
}

// pictured is a box.
type pictured struct {
	tasks  []int // places in Record.Tasks; one unless grouped
	name   string
	detail string // a second line
	title  string // all there is to say, in lines
	fill   rgb
	state  State // of a group the one that matters most
	// critical: on the critical path; asked: its result was asked for.
	critical, asked, constant bool
}

// arrow goes from one box to another and stands for so many inputs.
type arrow struct {
	from, to, inputs int
	critical         bool
}

// checkRecord holds that a record is one that can be drawn: a record may have
// been read from a file, or made by hand.
func checkRecord(call string, r *Record) error {
	if r == nil {
		return fmt.Errorf("graph: %s(nil): give a *Record, from RecordTo or from Graph.Record", call)
	}
	for i := range r.Tasks {
		for _, d := range r.Tasks[i].Inputs {
			if d < 0 || d >= i {
				return fmt.Errorf("graph: %s: the record is broken: task %d of %d has input %d, and inputs come before what uses them", call, i, len(r.Tasks), d)
			}
		}
	}
	for name, places := range map[string][]int{"Asked": r.Asked, "Critical": r.Critical} {
		for _, p := range places {
			if p < 0 || p >= len(r.Tasks) {
				return fmt.Errorf("graph: %s: the record is broken: %s has %d, and there are %d tasks", call, name, p, len(r.Tasks))
			}
		}
	}
	return nil
}

// newPicture chooses what is drawn: tasks, or groups where there are more than
// boxes tasks or arrows inputs.
func newPicture(call string, w io.Writer, r *Record, by Color, boxes, arrows int) (*picture, error) {
	if w == nil {
		return nil, errors.New("graph: " + call + ": the writer is nil; give it something to write to")
	}
	if by > ByTime {
		return nil, fmt.Errorf("graph: %s: %v is no way to colour; take ByOrder, ByState or ByTime", call, by)
	}
	if err := checkRecord(call, r); err != nil {
		return nil, err
	}
	p := &picture{record: r, by: by}
	inputs, constants := 0, 0
	for i := range r.Tasks {
		t := &r.Tasks[i]
		if t.Kind == KindConst {
			constants++
			continue
		}
		p.tasks++
		p.states[stateIndex(t.State)]++
		for _, d := range t.Inputs {
			if r.Tasks[d].Kind != KindConst {
				inputs++
			}
		}
	}
	p.scale = newScale(r, by)
	if p.tasks > boxes || inputs > arrows {
		p.group(boxes, arrows)
	} else {
		p.single(constants > 0 && len(r.Tasks) <= mostConstants)
	}
	if constants > 0 && (p.grouped || len(r.Tasks) > mostConstants) {
		p.notes = append(p.notes, counted(constants, "constant")+" not drawn")
	}
	return p, nil
}

// single makes a box of each task.
func (p *picture) single(constants bool) {
	r := p.record
	box := make([]int, len(r.Tasks))
	for i := range r.Tasks {
		t := &r.Tasks[i]
		box[i] = -1
		if t.Kind == KindConst && !constants {
			continue
		}
		box[i] = len(p.boxes)
		p.boxes = append(p.boxes, pictured{
			tasks: []int{i}, name: clean(t.Name), detail: detail(r, t), title: title(r, i), fill: p.scale.of(r, []int{i}),
			state: State(stateIndex(t.State)), constant: t.Kind == KindConst,
		})
		inputs := map[int]int{}
		for _, d := range t.Inputs {
			if box[d] < 0 {
				continue
			}
			if at, ok := inputs[d]; ok { // the same input twice is one arrow
				p.arrows[at].inputs++
				continue
			}
			inputs[d] = len(p.arrows)
			p.arrows = append(p.arrows, arrow{from: box[d], to: box[i], inputs: 1})
		}
	}
	p.mark(box)
}

// mark marks what was asked for and the critical path.
func (p *picture) mark(box []int) {
	for _, a := range p.record.Asked {
		if box[a] >= 0 {
			p.boxes[box[a]].asked = true
		}
	}
	steps := map[[2]int]bool{}
	for i, c := range p.record.Critical {
		if box[c] < 0 {
			continue
		}
		p.boxes[box[c]].critical = true
		if i > 0 {
			steps[[2]int{box[p.record.Critical[i-1]], box[c]}] = true
		}
	}
	for i := range p.arrows {
		a := &p.arrows[i]
		a.critical = steps[[2]int{a.from, a.to}]
	}
}

// group makes a box of each group of tasks, of the smaller groups one where
// there are too many, and leaves out the thinnest arrows where there are.
func (p *picture) group(boxes, arrows int) {
	p.grouped = true
	r := p.record
	byName := map[string]int{}
	var members [][]int
	var names []string
	of := make([]int, len(r.Tasks))
	for i := range r.Tasks {
		of[i] = -1
		if r.Tasks[i].Kind == KindConst {
			continue
		}
		name := groupOf(&r.Tasks[i])
		g, ok := byName[name]
		if !ok {
			g = len(members)
			byName[name] = g
			members, names = append(members, nil), append(names, name)
		}
		members[g] = append(members[g], i)
		of[i] = g
	}
	p.notes = append(p.notes, fmt.Sprintf("%s in %s: too many to draw each", counted(p.tasks, "task"), counted(len(members), "group")))
	if len(members) > boxes {
		bySize := make([]int, len(members))
		for i := range bySize {
			bySize[i] = i
		}
		slices.SortStableFunc(bySize, func(a, b int) int { return cmp.Compare(len(members[b]), len(members[a])) })
		kept := slices.Clone(bySize[:boxes-1])
		slices.Sort(kept)
		rest := len(kept)
		to := make([]int, len(members))
		for i := range to {
			to[i] = rest
		}
		var fewer [][]int
		var fewerNames []string
		for i, g := range kept {
			to[g] = i
			fewer, fewerNames = append(fewer, members[g]), append(fewerNames, names[g])
		}
		fewer, fewerNames = append(fewer, nil), append(fewerNames, fmt.Sprintf("%d smaller groups", len(members)-len(kept)))
		for i, g := range of {
			if g >= 0 {
				of[i] = to[g]
				if to[g] == rest {
					fewer[rest] = append(fewer[rest], i)
				}
			}
		}
		members, names = fewer, fewerNames
	}
	within := make([]int, len(members))
	at := map[[2]int]int{}
	for i := range r.Tasks {
		for _, d := range r.Tasks[i].Inputs {
			switch key := [2]int{of[d], of[i]}; {
			case of[d] < 0 || of[i] < 0:
			case of[d] == of[i]:
				within[of[i]]++
			default:
				k, ok := at[key]
				if !ok {
					k = len(p.arrows)
					at[key] = k
					p.arrows = append(p.arrows, arrow{from: of[d], to: of[i]})
				}
				p.arrows[k].inputs++
			}
		}
	}
	if over := len(p.arrows) - arrows; over > 0 {
		slices.SortStableFunc(p.arrows, func(a, b arrow) int { return cmp.Compare(b.inputs, a.inputs) })
		p.arrows = p.arrows[:arrows]
		p.notes = append(p.notes, counted(over, "arrow")+" with the fewest inputs not drawn")
	}
	for g, m := range members {
		p.boxes = append(p.boxes, p.groupBox(names[g], m, within[g]))
	}
	p.mark(of)
}

func (p *picture) groupBox(name string, members []int, within int) pictured {
	r := p.record
	var took, longest time.Duration
	var bytes int64
	var states [len(stateNames)]int
	for _, i := range members {
		t := &r.Tasks[i]
		took += lasted(t)
		longest = max(longest, lasted(t))
		bytes += t.Bytes
		states[stateIndex(t.State)]++
	}
	b := pictured{tasks: members, name: clean(name), fill: p.scale.of(r, members), state: worst(states)}
	lines := []string{b.name, counted(len(members), "task") + stateCounts(states)}
	b.detail = counted(len(members), "task")
	if r.Ran {
		b.detail += ", " + inTime(took)
		lines = append(lines, fmt.Sprintf("%s in all, %s the mean, %s the longest", inTime(took), inTime(took/time.Duration(len(members))), inTime(longest)),
			inBytes(bytes)+" of results")
	}
	if within > 0 {
		lines = append(lines, counted(within, "input")+" from within the group")
	}
	b.title = strings.Join(lines, "\n")
	return b
}

// worst is the state that matters most of those that there are.
func worst(states [len(stateNames)]int) State {
	for _, s := range []State{StateFailed, StateRunning, StateSkipped, StateWaiting, StateDone, StateCached} {
		if states[s] > 0 {
			return s
		}
	}
	return StateWaiting
}

func stateCounts(states [len(stateNames)]int) string {
	var parts []string
	for s, n := range states {
		if n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", n, stateNames[s]))
		}
	}
	return ": " + strings.Join(parts, ", ")
}

// stateNames are the names of the states, and what to call one that is not
// known.
var stateNames = [...]string{"waiting", "running", "done", "failed", "skipped", "cached", "unknown"}

// stateIndex is the place of a state in stateNames.
func stateIndex(s State) int { return min(int(s), len(stateNames)-1) }

func kindName(k Kind) string {
	if k > KindReduce {
		return "unknown"
	}
	return k.String()
}

// groupOf is the group of a task; its name where there is none.
func groupOf(t *Task) string { return cmp.Or(t.Group, t.Name) }

// lasted is how long a task ran, never below 0.
func lasted(t *Task) time.Duration { return max(0, t.End-t.Start) }

// detail is the second line of a task's box.
func detail(r *Record, t *Task) string {
	if t.Kind == KindConst || !r.Ran {
		return ""
	}
	var parts []string
	if t.State != StateDone {
		parts = append(parts, stateNames[stateIndex(t.State)])
	}
	if t.Attempts > 0 {
		parts = append(parts, inTime(lasted(t)))
	}
	if t.Bytes > 0 && len(parts) < 2 {
		parts = append(parts, inBytes(t.Bytes))
	}
	return strings.Join(parts, ", ")
}

// title is all that there is to say of a task.
func title(r *Record, i int) string {
	t := &r.Tasks[i]
	lines := []string{clean(t.Name)}
	if t.Kind == KindConst {
		return lines[0] + "\na constant" + unlessZero(t.Bytes, ", "+inBytes(t.Bytes))
	}
	lines = append(lines, fmt.Sprintf("task %d, a %s, %s", t.ID, kindName(t.Kind), stateNames[stateIndex(t.State)]))
	if g := clean(groupOf(t)); g != lines[0] {
		lines = append(lines, "of group "+g)
	}
	if t.Order >= 0 {
		lines = append(lines, fmt.Sprintf("order %d", t.Order))
	}
	if t.Attempts > 0 {
		lines = append(lines, fmt.Sprintf("took %s, from %s, worker %d", inTime(lasted(t)), inTime(t.Start), t.Worker))
	}
	if t.Attempts > 1 {
		lines = append(lines, counted(t.Attempts, "attempt"))
	}
	if t.Bytes > 0 {
		spilled := ""
		if t.Spilled {
			spilled = ", for some time on disk"
		}
		lines = append(lines, "result of "+inBytes(t.Bytes)+spilled)
	}
	if t.Err != "" {
		lines = append(lines, "error: "+cut(clean(t.Err), 300))
	}
	return strings.Join(lines, "\n")
}

func unlessZero(n int64, s string) string {
	if n == 0 {
		return ""
	}
	return s
}

// head says what the picture is of.
func (p *picture) head() string {
	what := counted(p.tasks, "task")
	if g := clean(p.record.Graph); g != "" {
		what += " of " + g
	}
	return what
}
