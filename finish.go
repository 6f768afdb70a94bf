package weft

import (
	"fmt"
	"math"
	"strings"
	"time"

	"github.com/weft-go/weft/internal/pilot"
	"github.com/weft-go/weft/internal/plan"
)

// finishReport fills the report that the user asked for.
func (r *run) finishReport() {
	rep := r.cfg.report
	if rep == nil {
		return
	}
	wall := r.now()
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, w := range r.workers {
		r.keep(w)
	}
	failed := r.nfailed
	*rep = Report{
		Plan: r.plan(), Decisions: r.changes,
		Done: max(0, int(r.counted.Load())*max(1, r.perLeaf)-r.nfailed-r.echoes), Failed: failed, Retried: int(r.retry.Load()),
		Wall: wall,
	}
	if r.items > 0 {
		rep.Done = min(rep.Done, r.items)
	}
	if r.done == nil { // refused before it began
		return
	}
	rep.CPU = pilot.ProcessCPU() - time.Duration(r.cpu0.Load())
	if r.meter != nil {
		rep.CPU += r.meter.Sum().CPU
	}
	rep.CPU += r.remote.cpu()
	rep.Serial = r.remote.serial(time.Duration(r.inItems.Load()))
	if m := rep.Plan.Mode; m == plan.Plain.String() {
		rep.Serial = wall
	}
	if wall > 0 && r.rate == nil && rep.Retried == 0 {
		// Pauses between attempts and starts are in neither estimate.
		rep.Speedup = float64(rep.Serial) / float64(wall)
	}
	if plan.Mode(r.mode.Load()) == plan.CPU && rep.Plan.Workers > 0 {
		rep.Efficiency = rep.Speedup / float64(rep.Plan.Workers)
	}
	rep.PeakMemory = r.memory.peak.Load()
	rep.Plan.Warnings = r.warnings(&rep.Plan)
	rep.Warnings = rep.Plan.Warnings
}

// plan puts the decision in force into the user's words.
func (r *run) plan() Plan {
	a, est := r.answer, r.settled
	if est.Items == 0 {
		est = r.est.Estimate()
	}
	if n := int(r.counted.Load()); n > est.Items || est.Running {
		// What all items took, rather than the first ones.
		est.Items = n
		est.Nanos = float64(r.inItems.Load()) / float64(max(1, n))
		if r.io.gradient != nil && n > 0 && r.inItems.Load() > 0 {
			est.Share = min(1, float64(r.cpuTime())/float64(r.inItems.Load()))
		}
		est.CPU = time.Duration(est.Nanos * est.Share)
	}
	leaf := float64(max(1, r.perLeaf))
	call := r.call
	if r.explain {
		call = "Map" // the plan is Map's
	}
	p := Plan{
		Name: r.nameOf(call), Items: r.n, Mode: a.Mode.String(), Workers: max(1, a.Workers), Reason: a.Reason,
		CPUs: r.cpus.Effective, CPUSource: r.cpus.Source, MemoryBudget: r.memory.limit,
		Measured: Measured{
			Sampled: est.Items * int(leaf), Item: time.Duration(est.Nanos / leaf), ItemNanos: est.Nanos / leaf,
			ItemCPU: time.Duration(float64(est.CPU) / leaf), CPUShare: est.Share, Spread: est.Spread,
			ItemBytes: r.memory.perItem() / int64(leaf),
		},
	}
	if r.items > 0 {
		p.Items = r.items
	}
	if p.Reason == "" {
		p.Reason = "all items were done before a decision was due: starting workers would have cost more than it saved"
	}
	p.Bound = "unknown"
	if est.Items > 0 {
		p.Bound = plan.Bound(est.Share)
	}
	switch {
	case r.io.gradient != nil:
		p.Mode, p.Workers = plan.IO.String(), r.io.gradient.Level()
		p.Chunk, p.Schedule = 1, "dynamic"
	case a.Mode == plan.CPU:
		if r.meter != nil {
			p.Workers = int(r.target.Load())
		} else if r.scaler != nil {
			p.Workers = r.scaler.Settled()
		}
		p.Chunk = r.cfg.chunk
		nanos := est.Nanos
		if nanos == 0 {
			nanos = r.itemNanos()
		}
		if p.Chunk == 0 && nanos > 0 {
			n := r.n
			if n < 0 {
				n = math.MaxInt32
			}
			p.Chunk = plan.ChunkSize(n, p.Workers, nanos)
		}
		p.Schedule = plan.Schedule(plan.CPU, nanos, est.Spread, r.cfg.chunk)
		p.Chunk *= int(leaf)
	case a.Mode == plan.IO: // explained, and not carried out
		p.Chunk, p.Schedule = 1, "dynamic"
	default:
		p.Schedule = plan.Schedule(plan.Plain, 0, 0, 0)
	}
	r.remote.describe(&p, leaf)
	switch {
	case r.io.gradient != nil:
		p.Reason += "; " + r.io.gradient.Summary()
	case len(r.changes) > 1:
		p.Reason = r.changes[len(r.changes)-1].Why
	}
	if len(r.changes) == 1 && r.changes[0].Why == a.Reason {
		r.changes = nil
	}
	if r.n >= 0 {
		if a.Predicted > 0 && a.Predicted < math.MaxInt64 {
			p.Predicted = a.Predicted + r.decided
		}
	}
	p.Rejected = []Choice{}
	for _, c := range a.Rejected {
		predicted := c.Predicted + r.decided
		if r.n < 0 {
			predicted = 0
		}
		p.Rejected = append(p.Rejected, Choice{What: c.What, Predicted: predicted, Why: c.Why})
	}
	if r.done != nil {
		counts := pilot.Read()
		p.Measured.GCShare = pilot.GCShare(r.count0, counts)
		if in := r.inItems.Load(); in > 0 {
			p.Measured.LockWait = min(1, max(0, float64(counts.LockWait-r.count0.LockWait)/float64(in)))
		}
	}
	return p
}

// warnings are what the user may want to mend, from what was measured.
func (r *run) warnings(p *Plan) (ws []string) {
	if share := p.Measured.GCShare; share > 0.25 {
		ws = append(ws, fmt.Sprintf("the garbage collector took %.0f %% of the CPU time; reuse buffers in the function, or raise GOGC", 100*share))
	}
	if share := p.Measured.LockWait; share > 0.15 && p.Bound == "cpu" {
		ws = append(ws, fmt.Sprintf("the items waited for mutexes %.0f %% of their time; share less between items, or lock for less", 100*share))
	}
	if r.call == "Stream" && p.Measured.Sampled > 1000 && p.Measured.ItemNanos < 100 {
		ws = append(ws, "the items are so small that handing them over costs more than they do; loop over the input instead, or stream batches (slices.Chunk)")
	}
	return ws
}

// shortFunc takes the directories off a function's name.
func shortFunc(name string) string {
	if i := strings.LastIndexByte(name, '/'); i >= 0 {
		name = name[i+1:]
	}
	return strings.TrimSuffix(name, "[...]")
}
