// Package order puts the tasks of a graph in the order in which one worker
// would best run them: with few results at hand at any time. It is a pure
// function of the graph's shape and the tasks' priorities; it knows neither
// sizes nor times.
//
// The aim is that of dask.order (dask/order.py): finish what frees memory
// before beginning anew. The way is another one. A task's need is how many
// results its inputs take together when they are computed one after the other,
// the neediest first, as registers are counted for an expression (Sethi and
// Ullman, 1970). A walk from what is asked, depth first and neediest first, is
// the best order for trees; for what many tasks use it is a guess. On the way,
// a task whose inputs are all there and whose running frees one of them is
// taken at once, wherever the walk would have met it.
package order

import "slices"

// Const marks an input that is a constant. It takes no part in the order.
const Const = 1 << 31

// Graph is the shape of a graph as plain data. Its tasks are numbered so that
// inputs have lower numbers than what uses them.
type Graph struct {
	// The inputs of task t are In[InOff[t]:InOff[t+1]].
	InOff, In []uint32
	// The users of task t are Use[UseOff[t]:UseOff[t+1]].
	UseOff, Use []uint32
	// Asked are the tasks whose results are wanted.
	Asked []uint32
	// Priority is that of each task, higher first; nil if all have the same.
	Priority []int32
}

// Order returns the tasks in the order in which to run them. Tasks that nothing
// asked needs are not in it. It takes some 100 ns a task.
func Order(g Graph) []uint32 {
	n := len(g.InOff) - 1
	w := &walk{
		Graph: g, order: make([]uint32, 0, n), done: make([]bool, n),
		missing: make([]uint32, n), left: make([]uint32, n), need: needs(g),
	}
	if g.Priority != nil {
		w.urgent = urgency(g)
	}
	for t := range n {
		for _, d := range g.In[g.InOff[t]:g.InOff[t+1]] {
			if d&Const == 0 {
				w.missing[t]++
			}
		}
		w.left[t] = g.UseOff[t+1] - g.UseOff[t]
	}
	for _, t := range g.Asked {
		w.left[t]++ // never freed
	}
	asked := g.Asked
	if w.urgent != nil {
		asked = slices.Clone(asked)
		slices.SortStableFunc(asked, func(a, b uint32) int { return int(w.urgent[b]) - int(w.urgent[a]) })
	}
	for _, t := range asked {
		w.visit(t)
	}
	return w.order
}

// needs is how many results each task and what it needs take, counted as if
// nothing were shared.
func needs(g Graph) []uint16 {
	n := len(g.InOff) - 1
	need := make([]uint16, n)
	var ins []uint16
	for t := range n {
		ins = ins[:0]
		for _, d := range g.In[g.InOff[t]:g.InOff[t+1]] {
			if d&Const == 0 {
				ins = append(ins, need[d])
			}
		}
		m := 1
		switch len(ins) {
		case 0:
		case 1:
			m = int(ins[0])
		case 2:
			m = int(max(ins[0], ins[1]))
			if ins[0] == ins[1] {
				m++
			}
		default:
			slices.Sort(ins)
			for i := range ins {
				m = max(m, int(ins[len(ins)-1-i])+i)
			}
		}
		need[t] = uint16(min(m, most))
	}
	return need
}

const most = 1<<16 - 1

// urgency is the highest priority among each task and what it needs.
func urgency(g Graph) []int32 {
	u := slices.Clone(g.Priority)
	for t := range u {
		for _, d := range g.In[g.InOff[t]:g.InOff[t+1]] {
			if d&Const == 0 {
				u[t] = max(u[t], u[d])
			}
		}
	}
	return u
}

type walk struct {
	Graph
	order   []uint32
	done    []bool
	missing []uint32 // inputs not run
	left    []uint32 // users not run
	need    []uint16
	urgent  []int32
	stack   []uint32
	now     []uint32 // to be run at once
}

// expanded marks a task on the stack whose inputs are above it.
const expanded = 1 << 31

// visit runs t after all that it needs.
func (w *walk) visit(t uint32) {
	w.stack = append(w.stack[:0], t)
	for len(w.stack) > 0 {
		t := w.stack[len(w.stack)-1]
		w.stack = w.stack[:len(w.stack)-1]
		if t&expanded != 0 {
			w.run(t &^ expanded)
			continue
		}
		if w.done[t] {
			continue
		}
		if w.missing[t] == 0 {
			w.run(t)
			continue
		}
		w.stack = append(w.stack, t|expanded)
		at := len(w.stack)
		for _, d := range w.In[w.InOff[t]:w.InOff[t+1]] {
			if d&Const == 0 && !w.done[d] {
				w.stack = append(w.stack, d)
			}
		}
		w.sort(w.stack[at:])
	}
}

// sort puts what is to be visited first last.
func (w *walk) sort(ts []uint32) {
	slices.Reverse(ts)
	before := func(a, b uint32) bool { // a is visited before b
		if w.urgent != nil && w.urgent[a] != w.urgent[b] {
			return w.urgent[a] > w.urgent[b]
		}
		return w.need[a] > w.need[b]
	}
	if len(ts) > 8 {
		slices.SortStableFunc(ts, func(a, b uint32) int {
			switch {
			case before(a, b):
				return 1
			case before(b, a):
				return -1
			}
			return 0
		})
		return
	}
	for i := 1; i < len(ts); i++ {
		for j := i; j > 0 && before(ts[j-1], ts[j]); j-- {
			ts[j-1], ts[j] = ts[j], ts[j-1]
		}
	}
}

// run puts t into the order, and what can run now and frees a result.
func (w *walk) run(t uint32) {
	if w.done[t] {
		return
	}
	w.done[t] = true
	w.now = append(w.now[:0], t)
	for len(w.now) > 0 {
		t := w.now[len(w.now)-1]
		w.now = w.now[:len(w.now)-1]
		w.order = append(w.order, t)
		uses := w.Use[w.UseOff[t]:w.UseOff[t+1]]
		for _, u := range uses {
			w.missing[u]--
		}
		for _, d := range w.In[w.InOff[t]:w.InOff[t+1]] {
			if d&Const != 0 {
				continue
			}
			if w.left[d]--; w.left[d] == 1 {
				w.last(d)
			}
		}
		if len(uses) <= few {
			for _, u := range uses {
				if w.missing[u] == 0 && !w.done[u] && w.frees(u) {
					w.done[u] = true
					w.now = append(w.now, u)
				}
			}
		}
	}
}

// few bounds how many users are looked at, so that the whole takes time in
// proportion to the number of inputs.
const few = 8

// last runs the last user of d, if it can be run.
func (w *walk) last(d uint32) {
	uses := w.Use[w.UseOff[d]:w.UseOff[d+1]]
	if len(uses) > few {
		return
	}
	for _, u := range uses {
		if !w.done[u] && w.missing[u] == 0 {
			w.done[u] = true
			w.now = append(w.now, u)
			return
		}
	}
}

// frees tells whether u is the last user of one of its inputs.
func (w *walk) frees(u uint32) bool {
	for _, d := range w.In[w.InOff[u]:w.InOff[u+1]] {
		if d&Const == 0 && w.left[d] == 1 {
			return true
		}
	}
	return false
}

// Residents returns how many results one worker holds while it runs each task
// of an order, its own included: those that have run, are not asked and have
// users left. roots are those of them that need nothing but constants.
func Residents(g Graph, order []uint32) (held, roots []uint32) {
	n := len(g.InOff) - 1
	left, root := make([]uint32, n), make([]bool, n)
	for t := range left {
		left[t] = g.UseOff[t+1] - g.UseOff[t]
	}
	for _, t := range g.Asked {
		left[t] = forever
	}
	held, roots = make([]uint32, len(order)), make([]uint32, len(order))
	now, rootsNow := uint32(0), uint32(0)
	for i, t := range order {
		in := g.In[g.InOff[t]:g.InOff[t+1]]
		root[t] = true
		for _, d := range in {
			root[t] = root[t] && d&Const != 0
		}
		if left[t] < forever {
			now++
			if root[t] {
				rootsNow++
			}
		}
		held[i], roots[i] = now, rootsNow
		for _, d := range in {
			if d&Const != 0 || left[d] >= forever {
				continue
			}
			if left[d]--; left[d] == 0 {
				now--
				if root[d] {
					rootsNow--
				}
			}
		}
	}
	return held, roots
}

const forever = 1 << 31
