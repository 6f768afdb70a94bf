package graph

import (
	"context"
	"fmt"
	"reflect"
	"slices"
	"time"

	"github.com/weft-go/weft"
	"github.com/weft-go/weft/internal/sched"
)

// chainBatch is how much work the tasks of a chain hold: handing one over takes
// some tens of milliseconds, and while one worker has it others have none of it.
const chainBatch = 250 * time.Millisecond

// openChains has the scheduler hand out more at a time where tasks travel far.
func (m *remote) openChains(l *sched.Limits) {
	if e, ok := m.exec.(weft.ChainExecutor); ok && m.traits.Batch > 0 {
		m.chains = e
		l.Batch = float64(min(chainBatch, m.traits.Batch))
	}
}

// shipChain runs what is left of w's batch as one, each task with those before
// it that it needs. It returns false if the tasks are to be run otherwise.
func (r *run) shipChain(w *worker) bool {
	m := r.exec
	ts := w.batch[w.ran:]
	if m.chains == nil || r.journal != nil || len(ts) < 2 {
		return false
	}
	place := make(map[uint32]int, len(ts))
	c := &weft.Chain{Steps: make([]weft.Step, len(ts)), Run: m.life}
	for i, t := range ts {
		n := &r.nodes[r.nodeOf[t]]
		if r.cut != nil && r.cut[t] || n.opts != nil && n.opts.attempts > 1 {
			return false
		}
		fn := m.funcs[r.Class[t]]
		s := &c.Steps[i]
		s.Func, s.Item = fn, reflect.New(fn.Item()).Elem()
		s.Result = r.stores[n.column].value(r.slot[t])
		if n.opts != nil {
			s.Timeout = n.opts.timeout
		}
		in := r.In[r.InOff[t]:r.InOff[t+1]]
		takes := n.do.takes()
		if takes == slice {
			s.Item.Set(reflect.MakeSlice(s.Item.Type(), len(in), len(in)))
		}
		for k, d := range in {
			at := -1
			if takes != single {
				at = k
			}
			if p, ok := place[d]; ok && d&sched.Const == 0 {
				s.Links = append(s.Links, weft.Link{At: at, Step: p})
				continue
			}
			v := r.input(n, k, d)
			switch takes {
			case single:
				s.Item.Set(v)
			case slice:
				s.Item.Index(k).Set(v)
			case fields:
				s.Item.Field(k).Set(v)
			}
		}
		place[t] = i
	}
	for i, t := range ts {
		keep := slices.Contains(r.Asked, t)
		for _, u := range r.Use[r.UseOff[t]:r.UseOff[t+1]] {
			_, here := place[u]
			keep = keep || !here
		}
		c.Steps[i].Keep = keep
	}
	w.began = time.Since(r.begun)
	err := m.chains.RunChain(w.slot, c)
	r.weigh(c.Ran, c.Cost)
	for i, t := range ts[:c.Ran] {
		n := &r.nodes[r.nodeOf[t]]
		if i == c.Ran-1 && c.Err != nil {
			r.ended(w, t, n, c.Err)
			return true
		}
		r.ended(w, t, n, nil)
		if c.Cost.Wall > 0 {
			w.nanos[len(w.nanos)-1] = int64(c.Cost.Wall) / int64(c.Ran)
		}
	}
	if err == nil && c.Ran == 0 {
		err = context.Cause(r.ctx)
		if err == nil {
			err = fmt.Errorf("%s did not run the task and did not say why", m.traits.Name)
		}
	}
	if err != nil && w.ran < len(w.batch) {
		t := w.batch[w.ran]
		r.ended(w, t, &r.nodes[r.nodeOf[t]], err)
	}
	return true
}
