package sched

import "slices"

// Machine is the state of one run.
type Machine struct {
	Plan
	Limits
	// Out is what the driver has to do. It takes what it finds there and
	// empties it.
	Out Out

	state      []State
	owner      []uint16 // who runs it
	missing    []uint32 // inputs that have not finished
	unstarted  []uint32 // users that have not begun
	unfinished []uint32 // users that have not finished
	size       []int64  // of results whose class does not say

	ready    heap // can run; roots that were never handed out are not in it
	cursor   uint32
	withheld heap   // can run, but would hold too much
	lacking  []heap // can run, for want of a resource; the last is CPU places

	held     int // results that running tasks will not free
	roots    int // results of roots, those of running ones included
	running  int
	ended    int // done, failed or skipped
	done     int // tasks that have run
	places   int // workers' places in use
	free     []int64
	stopped  bool
	moving   int // results being written or read
	spilled  int // results on disk
	resident int64
	reserved int64
	holds    []holding // by worker
	large    []uint32
	inHand   int
	redone   int
	sortable []victim
	stack    []uint32
	useless  []uint32 // tasks that nobody needs any more

	way     []float32 // the longest way from each task to the end, in nanoseconds; nil while not known
	nextWay int       // when so many tasks have run, it is worked out
	soon    []uint32  // the most results held in each piece of the order
}

// Out is what the driver has to do.
type Out struct {
	// Run are the tasks for the worker that asked, one after the other. Their
	// inputs are there, or come from those before them, or are in Load.
	Run []uint32
	// Load are results to be read from disk before the one task of Run begins.
	Load []uint32
	// Spill are results to be written to disk and dropped, by the worker that
	// asked, which then asks again.
	Spill []uint32
	// Free are results that nobody needs any more, and Unspill those of them
	// that are on disk.
	Free, Unspill []uint32
	// Refused is a task that can never run within the limits; it counts as
	// failed. NeedMem is the memory that it would take.
	Refused []uint32
	NeedMem int64
	// Skip are tasks that will never run, as they need one that failed.
	Skip []uint32
}

// Reset empties it.
func (o *Out) Reset() {
	o.Run, o.Load, o.Spill, o.Free, o.Unspill, o.Refused, o.Skip = o.Run[:0], o.Load[:0], o.Spill[:0], o.Free[:0], o.Unspill[:0], o.Refused[:0], o.Skip[:0]
}

// forever is added to the users of what is asked.
const forever = 1 << 30

// New returns the state before the first task.
func New(p Plan, l Limits) *Machine {
	n := len(p.Class)
	m := &Machine{
		Plan: p, Limits: l,
		state: make([]State, n), owner: make([]uint16, n),
		missing: make([]uint32, n), unstarted: make([]uint32, n), unfinished: make([]uint32, n),
		lacking: make([]heap, len(l.Resources)+1), free: append([]int64(nil), l.Resources...),
		holds: make([]holding, l.Workers+1), nextWay: firstWay,
	}
	for _, c := range p.Classes {
		if c.Size < 0 {
			m.size = make([]int64, n)
			break
		}
	}
	for t := range uint32(n) {
		k := uint32(0)
		for _, d := range p.In[p.InOff[t]:p.InOff[t+1]] {
			if d&Const == 0 {
				k++
			}
		}
		m.missing[t] = k
		if k == 0 {
			m.state[t] = Ready
		}
		u := p.UseOff[t+1] - p.UseOff[t]
		m.unstarted[t], m.unfinished[t] = u, u
	}
	for _, t := range p.Asked {
		m.unstarted[t] += forever
		m.unfinished[t] += forever
	}
	return m
}

// SetWorkers changes how many tasks run at once. What runs goes on.
func (m *Machine) SetWorkers(n int) {
	m.Workers = n
	for len(m.holds) <= n {
		m.holds = append(m.holds, holding{})
	}
}

// Len is how many tasks there are, Ended how many of them have finished, failed
// or been skipped, Running how many run.
func (m *Machine) Len() int     { return len(m.state) }
func (m *Machine) Ended() int   { return m.ended }
func (m *Machine) Running() int { return m.running }

// Done is how many tasks have run and not failed.
func (m *Machine) Done() int { return m.done }

// Over tells whether there is nothing left to do.
func (m *Machine) Over() bool { return m.ended == len(m.state) || m.stopped && m.running == 0 }

// Stop ends the run: nothing more is handed out.
func (m *Machine) Stop() { m.stopped = true }

// Stopped tells whether the run was stopped.
func (m *Machine) Stopped() bool { return m.stopped }

// State is what a task is.
func (m *Machine) State(t uint32) State { return m.state[t] }

// Needed tells whether somebody still needs the result of t.
func (m *Machine) Needed(t uint32) bool { return m.unfinished[t] > 0 }

// LastUse tells whether nobody but t, which runs, needs the result of d any
// more. ran are tasks that have ended, which the machine has not been told yet.
func (m *Machine) LastUse(t, d uint32, ran []uint32) bool {
	if m.asked(d) || len(ran) == 0 && m.unfinished[d] > 1 {
		return false
	}
	for _, u := range m.users(d) {
		if s := m.state[u]; u != t && (s == Waiting || s == Ready || s == Running && !slices.Contains(ran, u)) {
			return false
		}
	}
	return true
}

// Held is how many results are held that no running task will free, those of
// running tasks included; InHand how many there are in all, in memory or on
// disk, asked ones left out.
func (m *Machine) Held() int   { return m.held }
func (m *Machine) InHand() int { return m.inHand }

// Resident is the size of the results in memory, in bytes.
func (m *Machine) Resident() int64 { return m.resident }

// Redone is how many tasks had to be run again as their result was lost.
func (m *Machine) Redone() int { return m.redone }

// Owner is the worker that runs t or ran it.
func (m *Machine) Owner(t uint32) int { return int(m.owner[t]) }

func (m *Machine) inputs(t uint32) []uint32 { return m.In[m.InOff[t]:m.InOff[t+1]] }
func (m *Machine) users(t uint32) []uint32  { return m.Use[m.UseOff[t]:m.UseOff[t+1]] }
func (m *Machine) class(t uint32) *Class    { return &m.Classes[m.Class[t]] }
func (m *Machine) asked(t uint32) bool      { return m.unfinished[t] >= forever }

func (m *Machine) sizeOf(t uint32) int64 {
	if m.size != nil {
		if c := m.class(t); c.Size < 0 {
			return m.size[t]
		}
	}
	return m.class(t).Size
}

// holding is what a worker holds while it runs what it was handed.
type holding struct {
	cpu      int32
	resource int32
	amount   int64
	memory   int64
}

// start hands t to worker w.
func (m *Machine) start(w int, t uint32) {
	m.state[t], m.owner[t] = Running, uint16(w)
	m.running++
	m.count(t, 1)
	m.begin(t)
	c, h := m.class(t), &m.holds[w]
	if h.cpu == 0 {
		h.cpu, h.resource, h.amount = c.CPU, c.Resource, c.Amount
		m.places += int(c.CPU)
		if c.Resource > 0 {
			m.free[c.Resource-1] -= c.Amount
		}
	}
	if m.Memory > 0 {
		b := m.estimate(c)
		h.memory += b
		m.reserved += b
	}
}

// count counts the result of a root that is not asked for.
func (m *Machine) count(t uint32, by int) {
	if m.root(t) && !m.asked(t) {
		m.roots += by
	}
}

// root tells whether t needs nothing but constants.
func (m *Machine) root(t uint32) bool {
	for _, d := range m.inputs(t) {
		if d&Const == 0 {
			return false
		}
	}
	return true
}

// begin counts t as one that has begun.
func (m *Machine) begin(t uint32) {
	if m.unstarted[t] > 0 && !m.asked(t) {
		m.held++
	}
	for _, d := range m.inputs(t) {
		if d&Const != 0 {
			continue
		}
		if m.unstarted[d]--; m.unstarted[d] == 0 {
			m.held--
		}
	}
}

// estimate is the memory that a task of the class takes, as far as is known.
func (m *Machine) estimate(c *Class) int64 {
	if c.Need > 0 {
		return c.Need
	}
	if c.Size >= 0 {
		return c.Size
	}
	return int64(c.Bytes)
}

// Idle says that worker w has nothing to do any more.
func (m *Machine) Idle(w int) {
	h := &m.holds[w]
	m.reserved -= h.memory
	m.places -= int(h.cpu)
	if h.resource > 0 {
		m.free[h.resource-1] += h.amount
	}
	*h = holding{}
}

// Finished says that w has run t, in so many nanoseconds, with a result of so
// many bytes. It returns false, and does nothing, if w does not run t: it was
// taken for lost, or says so twice.
func (m *Machine) Finished(w int, t uint32, nanos, bytes int64) bool {
	if m.state[t] != Running || int(m.owner[t]) != w {
		return false
	}
	m.running--
	m.state[t] = Done
	m.ended++
	m.done++
	m.inHand++
	c := m.class(t)
	c.learn(float64(nanos), float64(bytes))
	if c.Size < 0 {
		m.size[t] = bytes
	} else {
		bytes = c.Size
	}
	m.resident += bytes
	if bytes >= worthSpilling && !m.asked(t) {
		m.note(t)
	}
	for _, u := range m.users(t) {
		if m.missing[u]--; m.missing[u] == 0 && m.state[u] == Waiting {
			m.state[u] = Ready
			m.ready.push(u)
		}
	}
	m.release(t)
	if m.unfinished[t] == 0 {
		m.drop(t)
	}
	return true
}

// learn takes up what a task took.
func (c *Class) learn(nanos, bytes float64) {
	c.count++
	if c.count == 1 {
		c.Nanos, c.Bytes = max(1, nanos), bytes
		return
	}
	// The first is often cold, and forgotten soon; one that the system took
	// the CPU away from does not turn a tiny task into a long one.
	w := 0.1
	if c.count < 8 {
		w = 0.5
	}
	c.Nanos += w * (min(nanos, 16*c.Nanos) - c.Nanos)
	c.Nanos = max(1, c.Nanos)
	c.Bytes += w * (bytes - c.Bytes)
}

// release says of all inputs of t that t needs them no more.
func (m *Machine) release(t uint32) {
	for _, d := range m.inputs(t) {
		if d&Const != 0 {
			continue
		}
		if m.unfinished[d]--; m.unfinished[d] == 0 {
			if m.state[d].inHand() {
				m.drop(d)
			} else {
				m.useless = append(m.useless, d)
			}
		}
	}
}

// drop frees the result of t.
func (m *Machine) drop(t uint32) {
	m.inHand--
	m.count(t, -1)
	switch m.state[t] {
	case Spilled:
		m.spilled--
		m.Out.Unspill = append(m.Out.Unspill, t)
	case Done:
		m.resident -= m.sizeOf(t)
		m.Out.Free = append(m.Out.Free, t)
	default: // on its way: freed when it arrives
		return
	}
	m.state[t] = Done
}

// Fail says that t has failed for good. What depends on it is skipped, and
// unless KeepGoing the run stops.
func (m *Machine) Fail(w int, t uint32) bool {
	if m.state[t] != Running || int(m.owner[t]) != w {
		return false
	}
	m.running--
	m.count(t, -1)
	m.giveUp(t)
	return true
}

func (m *Machine) giveUp(t uint32) {
	if m.unstarted[t] > 0 && !m.asked(t) {
		m.held--
	}
	m.state[t] = Failed
	m.ended++
	m.release(t)
	if !m.KeepGoing {
		m.stopped = true
	}
	m.propagate(t)
}

// propagate skips what needs t, which will never be there, and what only that
// needed.
func (m *Machine) propagate(t uint32) {
	m.stack = append(m.stack[:0], t)
	for len(m.stack) > 0 {
		t := m.stack[len(m.stack)-1]
		m.stack = m.stack[:len(m.stack)-1]
		for _, u := range m.users(t) {
			if m.state[u] != Waiting && m.state[u] != Ready {
				continue
			}
			m.skip(u)
			m.stack = append(m.stack, u)
		}
	}
	for len(m.useless) > 0 {
		t := m.useless[len(m.useless)-1]
		m.useless = m.useless[:len(m.useless)-1]
		if m.state[t] == Waiting || m.state[t] == Ready {
			m.skip(t)
		}
	}
}

// skip ends t before it has begun.
func (m *Machine) skip(t uint32) {
	m.state[t] = Skipped
	m.ended++
	m.Out.Skip = append(m.Out.Skip, t)
	for _, d := range m.inputs(t) {
		if d&Const != 0 {
			continue
		}
		if m.unstarted[d]--; m.unstarted[d] == 0 && (m.state[d].inHand() || m.state[d] == Running) {
			m.held--
		}
	}
	m.release(t)
}

// Again says that w has not run t to its end, and that it is to be run once
// more: its worker was lost, or it is to be tried again.
func (m *Machine) Again(w int, t uint32) bool {
	if m.state[t] != Running || int(m.owner[t]) != w {
		return false
	}
	m.running--
	m.count(t, -1)
	m.unstart(t)
	if m.missing[t] == 0 {
		m.state[t] = Ready
		m.ready.push(t)
	} else {
		m.state[t] = Waiting
	}
	return true
}

// unstart undoes what start counts.
func (m *Machine) unstart(t uint32) {
	if m.unstarted[t] > 0 && !m.asked(t) {
		m.held--
	}
	for _, d := range m.inputs(t) {
		if d&Const != 0 {
			continue
		}
		if m.unstarted[d]++; m.unstarted[d] == 1 && (m.state[d].inHand() || m.state[d] == Running) {
			m.held++
		}
	}
}

// LoseWorker says that worker w is gone, with what it ran.
func (m *Machine) LoseWorker(w int) {
	for t := range m.state {
		if m.state[t] == Running && int(m.owner[t]) == w {
			m.Again(w, uint32(t))
		}
	}
	m.Idle(w)
}

// Lose says that the result of t is gone. If it is still needed, it is computed
// again, with those of its inputs that were freed meanwhile, and nothing else; if
// one of those has failed by now, it is skipped.
// Tasks that run with it are for the driver to take back first (Again).
func (m *Machine) Lose(t uint32) {
	if !m.state[t].inHand() || m.unfinished[t] == 0 {
		return
	}
	switch m.state[t] {
	case Done:
		m.resident -= m.sizeOf(t)
		m.Out.Free = append(m.Out.Free, t)
	case Spilled:
		m.spilled--
		m.Out.Unspill = append(m.Out.Unspill, t)
	default:
		m.moving--
	}
	m.inHand--
	m.count(t, -1)
	if m.unstarted[t] > 0 && !m.asked(t) {
		m.held--
	}
	var doomed []uint32
	m.stack = append(m.stack[:0], t)
	for len(m.stack) > 0 {
		t := m.stack[len(m.stack)-1]
		m.stack = m.stack[:len(m.stack)-1]
		m.ended--
		if m.state[t].inHand() {
			m.redone++
			m.done--
			for _, u := range m.users(t) {
				m.missing[u]++
				if m.state[u] == Ready {
					m.state[u] = Waiting
				}
			}
		}
		m.state[t] = Waiting
		for _, d := range m.inputs(t) {
			if d&Const != 0 {
				continue
			}
			// t needs its inputs once more.
			m.unstarted[d]++
			m.unfinished[d]++
			switch s := m.state[d]; {
			case s == Running || s.inHand() && m.unfinished[d] > 1:
				if m.unstarted[d] == 1 {
					m.held++
				}
			case s == Failed:
				doomed = append(doomed, t)
			case s == Skipped || s.inHand(): // nobody needed it any more, or it is freed
				if m.unfinished[d] == 1 || s == Skipped && !slices.Contains(m.stack, d) {
					m.stack = append(m.stack, d)
				}
			}
		}
		if m.missing[t] == 0 {
			m.state[t] = Ready
			m.ready.push(t)
		}
	}
	for _, t := range doomed {
		if m.state[t] == Waiting || m.state[t] == Ready {
			m.skip(t)
			m.propagate(t)
		}
	}
}

// Waits is a task that has not ended, and what it waits for.
type Waits struct {
	Task  uint32
	State State
	For   []uint32 // inputs that are not there
	Why   string   // where it is something else
}

// Stalled returns some of the tasks that have not ended, and what each waits
// for: what there is to say when nothing runs and nothing can start.
func (m *Machine) Stalled(most int) (ws []Waits, more int) {
	for t := range uint32(len(m.state)) {
		s := m.state[t]
		if s != Waiting && s != Ready && s != Running {
			continue
		}
		if len(ws) == most {
			more++
			continue
		}
		w := Waits{Task: t, State: s}
		moves := ""
		for _, d := range m.inputs(t) {
			if d&Const != 0 {
				continue
			}
			switch m.state[d] {
			case Spilling, Loading:
				w.For = append(w.For, d)
				moves = "a result that it needs is on its way to or from disk and has not arrived"
			case Waiting, Ready, Running, Failed, Skipped:
				w.For = append(w.For, d)
			}
		}
		switch c := m.class(t); {
		case s == Running:
			w.Why = "it runs and has not said that it ended"
		case len(w.For) > 0:
			w.Why = moves
		case c.Resource > 0 && m.free[c.Resource-1] < c.Amount:
			w.Why = "the resource that it needs is not free"
		case int(c.CPU) > m.Workers-m.places:
			w.Why = "the CPUs that it needs are not free"
		default:
			w.Why = "it can run"
		}
		ws = append(ws, w)
	}
	return ws, more
}
