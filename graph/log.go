package graph

import (
	"reflect"
	"strings"
	"time"

	"github.com/weft-go/weft/internal/sched"
)

// log is what a run keeps for its Record: nothing unless somebody wants one.
type log struct {
	start, end []time.Duration
	worker     []int16
	tries      []uint8
	bytes      []int64
	spilled    []bool
	cached     []bool

	samples []Sample
	every   time.Duration // between samples
	next    time.Duration
}

// mostSamples bounds the samples of the memory: when there are so many, every
// second one is dropped, and from then on half as many are taken.
const mostSamples = 2000

func (r *run) openLog() {
	if len(r.cfg.after) == 0 {
		return
	}
	n := len(r.task)
	r.log = &log{
		start: make([]time.Duration, n), end: make([]time.Duration, n), worker: make([]int16, n), tries: make([]uint8, n),
		bytes: make([]int64, n), spilled: make([]bool, n), cached: make([]bool, n),
	}
}

// ran notes that a worker has run t. Each task is run by one worker at a time.
func (l *log) ran(t uint32, worker int, start, end time.Duration, bytes int64) {
	l.start[t], l.end[t], l.worker[t], l.bytes[t] = start, end, int16(worker), bytes
	l.tries[t] = max(1, l.tries[t])
}

func (l *log) attempts(t uint32, n int) { l.tries[t] = uint8(min(n, 255)) }

// sample notes what the results take now. Called with r.mu held.
func (l *log) sample(r *run) {
	now := time.Since(r.begun)
	if now < l.next {
		return
	}
	if len(l.samples) >= mostSamples {
		for i := range len(l.samples) / 2 {
			l.samples[i] = l.samples[2*i]
		}
		l.samples = l.samples[:len(l.samples)/2]
		l.every = max(2*l.every, 50*time.Microsecond)
	}
	l.next = now + l.every
	l.samples = append(l.samples, Sample{At: now, Bytes: r.m.Resident(), Disk: r.memory.disk, Results: r.m.InHand()})
}

// report gives the record to whoever wants it.
func (r *run) report(err error) error {
	if r.log == nil {
		return nil
	}
	r.mu.Lock()
	r.log.next = 0
	r.log.sample(r)
	r.mu.Unlock()
	rec := r.planned.record()
	rec.Ran, rec.Workers, rec.Begun, rec.Took, rec.Memory, rec.Budget = true, max(r.base, r.made), r.begun, time.Since(r.begun), r.log.samples, r.memory.limit
	rec.Notes = r.notes
	if err != nil {
		rec.Err = err.Error()
	}
	constants := len(rec.Tasks) - len(r.task)
	for t := range r.task {
		k := &rec.Tasks[constants+t]
		l := r.log
		k.Start, k.End, k.Bytes, k.Spilled, k.Attempts = l.start[t], l.end[t], l.bytes[t], l.spilled[t], int(l.tries[t])
		k.State = stateOf(r.m.State(uint32(t)), l.cached[t])
		if k.Attempts > 0 {
			k.Worker = int(l.worker[t])
		}
	}
	for _, f := range r.failures {
		rec.Tasks[constants+int(f.task)].Err = f.err.Error()
	}
	rec.Critical = critical(rec.Tasks)
	var failed error
	for _, f := range r.cfg.after {
		if err := f(rec); err != nil && failed == nil {
			failed = err
		}
	}
	return failed
}

func stateOf(s sched.State, cached bool) State {
	switch s {
	case sched.Running:
		return StateRunning
	case sched.Failed:
		return StateFailed
	case sched.Skipped:
		return StateSkipped
	case sched.Waiting, sched.Ready:
		return StateWaiting
	}
	if cached {
		return StateCached
	}
	return StateDone
}

// Record returns the part of the graph that the values need, as plain data,
// without running anything; all of it without values. It takes some
// microseconds a task.
func (g *Graph) Record(vs ...interface{ ref() anyValue }) (*Record, error) {
	var asked []uint32
	for _, v := range vs {
		a := v.ref()
		if err := sameGraph("Record", g, a.g); err != nil {
			return nil, err
		}
		asked = append(asked, a.task)
	}
	if len(vs) == 0 {
		asked = g.ends()
	}
	p, err := g.plan(asked, nil)
	if err != nil {
		return nil, err
	}
	return p.record(), nil
}

func (v Value[T]) ref() anyValue { return anyValue(v) }

// ends are the tasks that no other uses.
func (g *Graph) ends() (ts []uint32) {
	g.mu.Lock()
	defer g.mu.Unlock()
	used := make([]bool, g.tasks)
	for _, d := range g.inputs {
		used[d] = true
	}
	for t, u := range used {
		if !u {
			ts = append(ts, uint32(t))
		}
	}
	return ts
}

// record writes the plan as plain data: constants first, then tasks in order.
func (p *planned) record() *Record {
	rec := &Record{Graph: p.g.where}
	constants := map[place]int{}
	constant := func(column, slot uint32) int {
		at, ok := constants[place{column, slot}]
		if !ok {
			at = len(rec.Tasks)
			constants[place{column, slot}] = at
			name := constantName(p.columns[column], slot)
			rec.Tasks = append(rec.Tasks, Task{ID: p.constantID(column, slot), Name: name, Group: name, Kind: KindConst, Order: -1, Worker: -1, State: StateDone, Bytes: max(0, p.columns[column].size())})
		}
		return at
	}
	for t := range uint32(len(p.task)) {
		n := &p.nodes[p.nodeOf[t]]
		for i, d := range p.In[p.InOff[t]:p.InOff[t+1]] {
			if d&sched.Const != 0 {
				constant(n.do.input(i), d&^sched.Const)
			}
		}
	}
	for i, t := range p.asked {
		if t&sched.Const != 0 {
			constant(p.nodes[p.nodeAt(p.askedID[i]+1)].column, t&^sched.Const)
		}
	}
	base := len(rec.Tasks)
	for t := range uint32(len(p.task)) {
		n := &p.nodes[p.nodeOf[t]]
		name := n.name()
		k := Task{ID: int(p.task[t]), Name: name, Group: name, Kind: n.kind, Order: int(t), Worker: -1}
		for i, d := range p.In[p.InOff[t]:p.InOff[t+1]] {
			if d&sched.Const != 0 {
				k.Inputs = append(k.Inputs, constant(n.do.input(i), d&^sched.Const))
			} else {
				k.Inputs = append(k.Inputs, base+int(d))
			}
		}
		rec.Tasks = append(rec.Tasks, k)
	}
	for i, t := range p.asked {
		if t&sched.Const != 0 {
			rec.Asked = append(rec.Asked, constant(p.nodes[p.nodeAt(p.askedID[i]+1)].column, t&^sched.Const))
		} else {
			rec.Asked = append(rec.Asked, base+int(t))
		}
	}
	return rec
}

// constantID is the number of a constant in the graph, or of the task whose
// result was kept.
func (p *planned) constantID(column, slot uint32) int {
	for k := range p.nodes {
		n := &p.nodes[k]
		if n.kind == KindConst && n.column == column && slot >= n.first0 && slot < n.first0+n.n {
			return int(n.first + slot - n.first0)
		}
	}
	return -1
}

// constantName is the type of a constant, with its value where that is short.
func constantName(c column, slot uint32) string {
	v := c.constant(slot)
	switch v.Kind() {
	case reflect.String:
		s := v.String()
		if len(s) > 40 {
			s = s[:37] + "..."
		}
		return "\"" + strings.ToValidUTF8(s, "?") + "\""
	}
	return c.typ().String()
}

// critical is the longest way through what ran: by time, first to last.
func critical(ts []Task) []int {
	best, from, last := make([]time.Duration, len(ts)), make([]int, len(ts)), -1
	for i := range ts {
		from[i] = -1
		for _, d := range ts[i].Inputs {
			if ts[d].Kind == KindConst {
				continue
			}
			if from[i] < 0 || best[d] > best[from[i]] {
				from[i] = d
			}
		}
		if from[i] >= 0 {
			best[i] = best[from[i]]
		}
		best[i] += ts[i].End - ts[i].Start
		if ts[i].Kind != KindConst && (last < 0 || best[i] >= best[last]) {
			last = i
		}
	}
	var path []int
	for i := last; i >= 0; i = from[i] {
		path = append(path, i)
	}
	for i, j := 0, len(path)-1; i < j; i, j = i+1, j-1 {
		path[i], path[j] = path[j], path[i]
	}
	return path
}
