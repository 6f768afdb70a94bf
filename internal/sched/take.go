package sched

// worthSpilling is the size from which a result is worth a file: below it the
// file system takes more time than the memory is worth.
const worthSpilling = 4 << 10

// none is no task.
const none = ^uint32(0)

// Take asks for work for worker w, which has none. The answer is in Out: tasks
// to run, or results to write to disk before asking again, or nothing.
func (m *Machine) Take(w int) {
	m.Idle(w)
	if m.stopped || m.places >= m.Workers && m.running > 0 {
		return
	}
	var off sources
	for {
		t, from := m.lowest(off)
		if t == none {
			return
		}
		if !m.allowed(t) {
			switch from {
			case nil:
				off |= roots
			case &m.withheld:
				off |= withheld
			default:
				from.pop()
				m.withheld.push(t)
			}
			continue
		}
		if from == &m.ready {
			t = m.urgent(t)
		}
		c := m.class(t)
		if m.running > 0 && int(c.CPU) > m.Workers-m.places {
			m.park(t, from, len(m.lacking)-1)
			return // others would take the places as they come free
		}
		if c.Resource > 0 && m.free[c.Resource-1] < c.Amount {
			m.park(t, from, int(c.Resource-1))
			continue
		}
		ok, refused := m.admit(t)
		if refused {
			m.remove(t, from)
			m.Out.Refused = append(m.Out.Refused, t)
			m.begin(t)
			m.giveUp(t)
			if m.stopped {
				return
			}
			continue
		}
		if !ok {
			return // results are to be written first, or have to be waited for
		}
		m.remove(t, from)
		m.start(w, t)
		m.Out.Run = append(m.Out.Run, t)
		if len(m.Out.Load) == 0 {
			m.extend(w, t)
		}
		return
	}
}

// Startable tells whether another worker would find something to do, and how
// long that would take, in nanoseconds; 0 if that is not known.
func (m *Machine) Startable() (nanos float64, ok bool) {
	if m.stopped || m.places >= m.Workers {
		return 0, false
	}
	var off sources
	for {
		t, from := m.lowest(off)
		if t == none {
			return 0, false
		}
		if !m.allowed(t) {
			switch from {
			case nil:
				off |= roots
			case &m.withheld:
				off |= withheld
			default:
				from.pop()
				m.withheld.push(t)
			}
			continue
		}
		c := m.class(t)
		if c.count == 0 {
			return 0, true
		}
		n := min(len(m.ready)+1, m.Most)
		if from == nil {
			n = min(m.Most, m.Len()-m.ended-m.running)
		}
		return min(m.Batch, float64(n)*c.Nanos), true
	}
}

// sources says where lowest does not look.
type sources int

const (
	roots sources = 1 << iota
	withheld
)

// lowest returns the lowest task that can run, and the heap that it is in: nil
// for one that the cursor has found.
func (m *Machine) lowest(off sources) (t uint32, from *heap) {
	t = none
	look := func(h *heap) {
		for len(*h) > 0 && m.state[(*h)[0]] != Ready {
			h.pop() // it was handed out with others
		}
		if len(*h) > 0 && (*h)[0] < t {
			t, from = (*h)[0], h
		}
	}
	look(&m.ready)
	if off&withheld == 0 {
		look(&m.withheld)
	}
	for i := range m.lacking {
		if h := &m.lacking[i]; len(*h) > 0 {
			for len(*h) > 0 && m.state[(*h)[0]] != Ready {
				h.pop()
			}
			if len(*h) == 0 {
				continue
			}
			c := m.class((*h)[0])
			if i == len(m.lacking)-1 || m.free[i] >= c.Amount {
				look(h)
			}
		}
	}
	if off&roots != 0 {
		return t, from
	}
	for m.cursor < uint32(len(m.state)) && m.state[m.cursor] != Ready {
		m.cursor++
	}
	if m.cursor < uint32(len(m.state)) && m.cursor < t {
		return m.cursor, nil
	}
	return t, from
}

// park takes t aside until there is what it lacks.
func (m *Machine) park(t uint32, from *heap, where int) {
	h := &m.lacking[where]
	if from == h {
		return
	}
	m.remove(t, from)
	h.push(t)
}

func (m *Machine) remove(t uint32, from *heap) {
	if from != nil {
		from.delete(t)
	} else {
		m.cursor = t + 1
	}
}

// allowed tells whether t may start without too many results being held. One
// worker alone would hold Held[t]; each further one may hold one more, and some
// slack keeps them from waiting for each other: where many results are held
// anyway, a quarter more of them. For roots, which bring new data in, what they
// have brought must also be few. What one worker will hold soon anyway may be held
// now. TestMakespan says what less slack would cost.
func (m *Machine) allowed(t uint32) bool {
	more := m.Workers + m.Slack
	held, roots := int(m.Plan.Held[t]), int(m.Plan.Roots[t])
	switch {
	case m.running == 0:
		return true
	case m.held >= held+held/2+m.Workers+more:
		return m.frees(t) || m.held < m.soonHeld(t)
	case m.roots >= roots+roots/4+more:
		return !m.root(t) || m.held < m.soonHeld(t)
	}
	return true
}

// frees tells whether t is the last to need one of its inputs.
func (m *Machine) frees(t uint32) bool {
	for _, d := range m.inputs(t) {
		if d&Const == 0 && m.unstarted[d] == 1 {
			return true
		}
	}
	return false
}

// extend hands out more tasks with t: those that follow in the order, and can
// run after those before them.
func (m *Machine) extend(w int, t uint32) {
	c := m.class(t)
	if c.Alone || c.count == 0 {
		return
	}
	took := c.Nanos
	skipped := 0
	n := uint32(len(m.state))
	for q := t + 1; q < n && len(m.Out.Run) < m.Most && took < m.Batch && skipped < 64; q++ {
		if m.state[q] > Ready || !m.follows(w, q) {
			skipped++
			continue
		}
		c := m.class(q)
		if c.Alone || c.count == 0 || took+c.Nanos > m.Batch || !m.allowed(q) {
			return // what follows would be out of order
		}
		if m.Memory > 0 && m.resident+m.reserved+m.estimate(c) > m.Memory {
			return
		}
		m.start(w, q)
		m.Out.Run = append(m.Out.Run, q)
		took += c.Nanos
	}
}

// follows tells whether all inputs of q are in memory, or are run by w before.
func (m *Machine) follows(w int, q uint32) bool {
	if m.missing[q] == 0 && m.state[q] == Ready {
		// In memory, unless some are on disk.
		if m.moving == 0 && !m.onDisk() {
			return true
		}
	}
	for _, d := range m.inputs(q) {
		if d&Const != 0 || m.state[d] == Done || m.state[d] == Running && int(m.owner[d]) == w {
			continue
		}
		return false
	}
	return true
}
