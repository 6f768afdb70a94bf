package graph

import (
	"context"
	"slices"

	"github.com/weft-go/weft/internal/budget"
	"github.com/weft-go/weft/internal/sched"
)

// LastUse tells a running task whether it is the last to use its input i,
// counted from 0 (for [CallN] the place in the slice): whether it may change what
// the input points to, and return it as its own result, rather than make a new
// one of the same size. ctx is the task's context.
//
//	func scale(ctx context.Context, block []float64) ([]float64, error) {
//		out := block
//		if !graph.LastUse(ctx, 0) {
//			out = make([]float64, len(block))
//		}
//		...
//
// It is false where another task will use the input or runs with it now, where
// it was asked for or is a constant, where the task takes it twice, may be tried
// again ([Retry]) or is looked up in a cache, with [On], and in what a task runs
// by weft.Map and the like. It can also be false where the last other user has only just ended. What it can't know is
// whether another result points to the same memory: functions that return parts
// of their inputs and functions that change theirs don't go together.
//
// It takes some 50 ns, and is safe for concurrent use while the task runs.
func LastUse(ctx context.Context, i int) bool {
	c, _ := ctx.Value(taskKey{}).(*taskContext)
	if c == nil || budget.Depth(ctx) != budget.Depth(c.Slot) {
		return false // no task, or an item of a run that a task has made
	}
	return c.run.lastUse(c.worker, i)
}

// taskContext is the context of the tasks that one worker runs.
type taskContext struct {
	*budget.Slot
	run    *run
	worker *worker
}

type taskKey struct{}

func (c *taskContext) Value(k any) any {
	if k == (taskKey{}) {
		return c
	}
	return c.Slot.Value(k)
}

// lastUse is LastUse for the task that w is at.
func (r *run) lastUse(w *worker, i int) bool {
	if w.ran >= len(w.batch) {
		return false
	}
	t := w.batch[w.ran]
	in := r.In[r.InOff[t]:r.InOff[t+1]]
	if i < 0 || i >= len(in) || in[i]&sched.Const != 0 || slices.Contains(in[:i], in[i]) || slices.Contains(in[i+1:], in[i]) {
		return false
	}
	if o := r.nodes[r.nodeOf[t]].opts; o != nil && (o.attempts > 1 || o.cache != nil) {
		return false
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.m.LastUse(t, in[i], w.batch[:w.ran])
}
