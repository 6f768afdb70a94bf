package sched

import (
	"cmp"
	"slices"
)

// victim is a result that could go to disk, and the next task that needs it.
type victim struct{ task, next uint32 }

func (m *Machine) onDisk() bool { return m.spilled > 0 }

// admit tells whether t has the memory that it needs: for its spilled inputs,
// its result and what it takes meanwhile. If not, it asks for results to be
// written to disk. If that can't help either, t waits for others to end; and if
// there are none, it is refused.
func (m *Machine) admit(t uint32) (ok, refused bool) {
	m.Out.Load = m.Out.Load[:0]
	loads, inputs := int64(0), int64(0)
	if m.spilled+m.moving > 0 || m.Memory > 0 {
		for i, d := range m.inputs(t) {
			if d&Const != 0 || slices.Contains(m.inputs(t)[:i], d) {
				continue
			}
			switch m.state[d] {
			case Spilled:
				m.Out.Load = append(m.Out.Load, d)
				loads += m.sizeOf(d)
			case Spilling, Loading:
				m.Out.Load = m.Out.Load[:0]
				return false, false // it arrives
			}
			inputs += m.sizeOf(d)
		}
	}
	if m.Memory <= 0 {
		m.loading()
		return true, false
	}
	need := m.estimate(m.class(t))
	short := m.resident + m.reserved + loads + need - m.Memory
	if short <= 0 {
		m.loading()
		return true, false
	}
	m.Out.Load = m.Out.Load[:0]
	if got := m.evict(t, short); got > 0 {
		return false, false
	}
	if m.running > 0 || m.moving > 0 {
		return false, false
	}
	// Nothing runs, and nothing more can go. What was measured is a guess, so
	// the task is given a try if its inputs at least have room.
	own := inputs + m.class(t).Need
	if own > m.Memory || m.resident+loads+m.class(t).Need > m.Memory {
		m.Out.NeedMem = m.resident + loads + need
		return false, true
	}
	for _, d := range m.inputs(t) {
		if d&Const == 0 && m.state[d] == Spilled && !slices.Contains(m.Out.Load, d) {
			m.Out.Load = append(m.Out.Load, d)
		}
	}
	m.loading()
	return true, false
}

// loading marks what is in Load.
func (m *Machine) loading() {
	for _, d := range m.Out.Load {
		m.state[d] = Loading
		m.moving++
		m.spilled--
	}
}

// evict asks for results to be written to disk, those first that are needed
// last, until want bytes come free. It returns how many will.
func (m *Machine) evict(t uint32, want int64) (got int64) {
	vs, kept := m.sortable[:0], m.large[:0]
	for _, d := range m.large {
		if m.state[d] != Done || m.unfinished[d] == 0 {
			continue
		}
		kept = append(kept, d)
		if m.class(d).Fixed || slices.Contains(m.inputs(t), d) {
			continue
		}
		next, used := none, false
		for _, u := range m.users(d) {
			switch m.state[u] {
			case Running:
				used = true
			case Waiting, Ready:
				next = min(next, u)
			}
		}
		if !used {
			vs = append(vs, victim{d, next})
		}
	}
	m.large, m.sortable = kept, vs
	slices.SortFunc(vs, func(a, b victim) int { return cmp.Compare(b.next, a.next) })
	for _, v := range vs {
		if got >= want {
			break
		}
		if m.state[v.task] != Done {
			continue // listed twice: it has been on disk before
		}
		m.state[v.task] = Spilling
		m.moving++
		m.Out.Spill = append(m.Out.Spill, v.task)
		got += m.sizeOf(v.task)
	}
	return got
}

// Spill has happened: the result of t is on disk and no longer in memory. If
// that did not work, it stays, and results of its class are not tried again.
func (m *Machine) Spill(t uint32, ok bool) {
	if m.state[t] != Spilling {
		return
	}
	m.moving--
	if !ok {
		m.state[t] = Done
		m.class(t).Fixed = true
		m.note(t)
		if m.unfinished[t] == 0 {
			m.inHand++
			m.count(t, 1)
			m.drop(t)
		}
		return
	}
	m.resident -= m.sizeOf(t)
	m.state[t] = Spilled
	m.spilled++
	if m.unfinished[t] == 0 {
		m.inHand++
		m.count(t, 1)
		m.drop(t)
	}
}

// Loaded says that the result of t is in memory again.
func (m *Machine) Loaded(t uint32) {
	if m.state[t] != Loading {
		return
	}
	m.moving--
	m.state[t] = Done
	m.resident += m.sizeOf(t)
	m.note(t)
	if m.unfinished[t] == 0 {
		m.inHand++
		m.count(t, 1)
		m.drop(t)
	}
}

// note lists t among what could go to disk.
func (m *Machine) note(t uint32) {
	if len(m.large) > 2*m.inHand+1024 {
		slices.Sort(m.large)
		m.large = slices.DeleteFunc(slices.Compact(m.large), func(d uint32) bool { return m.state[d] != Done || m.unfinished[d] == 0 })
	}
	m.large = append(m.large, t)
}
