package graph

import (
	"fmt"
	"strings"
	"time"

	"github.com/weft-go/weft/internal/cpus"
	mem "github.com/weft-go/weft/internal/memory"
	"github.com/weft-go/weft/internal/sched"
)

// Explanation is what a run of a graph would be like.
type Explanation struct {
	// Tasks is how many tasks would run, Graph how many tasks and constants the
	// graph has in all.
	Tasks, Graph int
	// Workers is how many could run at once.
	Workers int
	// Critical are the names of the tasks on the critical path, first to last,
	// and CriticalTime what they take: no run is faster.
	Critical     []string
	CriticalTime time.Duration
	// Total is what all tasks take, one after the other; Parallelism is Total by
	// CriticalTime, the most workers that there can be work for.
	Total       time.Duration
	Parallelism float64
	// Predicted is how long a run would take with these workers.
	Predicted time.Duration
	// PeakBytes is the most that results would take in memory at a time,
	// PeakResults how many there would be, and SpilledBytes what would be on disk.
	PeakBytes, SpilledBytes int64
	PeakResults             int
	// Functions says for each function what its tasks take, and whether they are
	// handed out many at a time, and why.
	Functions []FunctionPlan
}

// FunctionPlan is what is known about the tasks of one function.
type FunctionPlan struct {
	Name  string
	Tasks int
	// Measured is how many of them have been measured, in earlier runs of the
	// graph.
	Measured int
	// Each is what one takes, Bytes the size of its result.
	Each  time.Duration
	Bytes int64
	// Fused tells whether tasks run together, those that follow each other in
	// the order; Why says the reason.
	Fused bool
	Why   string
}

// Explain tells what a run of v would be like, without running anything: the
// times and sizes are those of earlier runs of the graph. The scheduler is
// simulated, which takes some 0.3 us a task.
func Explain[T any](v Value[T], opts ...RunOption) (Explanation, error) {
	var c config
	for _, o := range opts {
		if o != nil {
			o.applyRun(&c)
		}
	}
	switch {
	case c.err != nil:
		return Explanation{}, fmt.Errorf("graph: Explain: %w", c.err)
	case v.g == nil:
		return Explanation{}, errZero("Explain")
	case c.exec != nil || c.journal != "":
		return Explanation{}, fmt.Errorf("graph: Explain: it tells of runs on goroutines without a journal; leave out On and Journal")
	}
	p, err := v.g.plan([]uint32{v.task}, nil)
	if err != nil {
		return Explanation{}, err
	}
	r := &run{planned: p, cfg: c, cpus: cpus.Get()}
	l := sched.Limits{Workers: cpus.Workers(c.workers, r.cpus), Slack: slack, Batch: batchNanos, Most: batchMost, Memory: c.memory / 100 * forResults}
	if err := r.openResources(&l); err != nil {
		return Explanation{}, fmt.Errorf("graph: Explain: %w", err)
	}
	e := Explanation{Tasks: len(p.task), Graph: v.g.Len(), Workers: l.Workers}
	p.functions(&e)
	p.longest(&e)
	each := make([]float64, len(p.Classes)) // as Simulate goes on learning
	size := make([]int64, len(p.Classes))
	for i := range p.Classes {
		each[i] = p.Classes[i].Nanos
		size[i] = max(p.Classes[i].Size, int64(p.Classes[i].Bytes))
	}
	nanos := func(t uint32) float64 { return each[p.Class[t]] }
	if e.Tasks > 0 {
		s := sched.Simulate(sched.New(p.Plan, l), nanos, func(t uint32) int64 { return size[p.Class[t]] })
		e.Predicted, e.PeakBytes, e.SpilledBytes, e.PeakResults = time.Duration(s.Nanos), s.Bytes, s.Disk, s.Results
	}
	return e, nil
}

// functions fills in what is known of each class.
func (p *planned) functions(e *Explanation) {
	counts, example := make([]int, len(p.Classes)), make([]uint32, len(p.Classes))
	for t, c := range p.Class {
		if counts[c] == 0 {
			example[c] = uint32(t)
		}
		counts[c]++
	}
	for i := range p.Classes {
		c := &p.Classes[i]
		f := FunctionPlan{Name: p.nameOf(example[i]), Tasks: counts[i], Measured: c.Count(), Each: time.Duration(c.Nanos), Bytes: max(c.Size, int64(c.Bytes))}
		switch {
		case c.Alone:
			f.Why = "it has a Memory, CPU or Resource of its own, so each runs by itself"
		case c.Count() == 0:
			f.Why = "not measured yet: the first runs by itself, and tells about the others"
		case c.Nanos >= batchNanos:
			f.Why = fmt.Sprintf("each takes %v, beside which handing it out, some 0.3 us, is nothing", f.Each)
		default:
			f.Fused = true
			f.Why = fmt.Sprintf("each takes %v, so up to %d that follow each other are handed out at a time: %v of work", f.Each, min(batchMost, int(batchNanos/c.Nanos)), time.Duration(batchNanos))
		}
		e.Functions = append(e.Functions, f)
	}
}

// longest finds the critical path by what was measured.
func (p *planned) longest(e *Explanation) {
	best, from := make([]float64, len(p.task)), make([]int32, len(p.task))
	last, total := -1, 0.0
	for t := range best {
		from[t] = -1
		for _, d := range p.In[p.InOff[t]:p.InOff[t+1]] {
			if d&sched.Const == 0 && (from[t] < 0 || best[d] > best[from[t]]) {
				from[t] = int32(d)
			}
		}
		if from[t] >= 0 {
			best[t] = best[from[t]]
		}
		n := p.Classes[p.Class[t]].Nanos
		best[t] += n
		total += n
		if last < 0 || best[t] > best[last] {
			last = t
		}
	}
	e.Total = time.Duration(total)
	if last < 0 {
		return
	}
	e.CriticalTime = time.Duration(best[last])
	if best[last] > 0 {
		e.Parallelism = total / best[last]
	}
	for t := int32(last); t >= 0; t = from[t] {
		e.Critical = append(e.Critical, p.nameOf(uint32(t)))
	}
	for i, j := 0, len(e.Critical)-1; i < j; i, j = i+1, j-1 {
		e.Critical[i], e.Critical[j] = e.Critical[j], e.Critical[i]
	}
}

// String prints it for people.
func (e Explanation) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%d tasks (of %d in the graph), up to %d at once\n", e.Tasks, e.Graph, e.Workers)
	fmt.Fprintf(&b, "work          %v, parallelism %.1f\n", e.Total, e.Parallelism)
	fmt.Fprintf(&b, "predicted     %v\n", e.Predicted)
	fmt.Fprintf(&b, "critical path %v: ", e.CriticalTime)
	list(&b, e.Critical, " > ")
	fmt.Fprintf(&b, "\nat most       %s in %d results", mem.Text(e.PeakBytes), e.PeakResults)
	if e.SpilledBytes > 0 {
		fmt.Fprintf(&b, ", and %s on disk", mem.Text(e.SpilledBytes))
	}
	for _, f := range e.Functions {
		fmt.Fprintf(&b, "\n%-14s %d tasks, %s each: %s", f.Name, f.Tasks, mem.Text(f.Bytes), f.Why)
	}
	b.WriteString("\n")
	return b.String()
}
