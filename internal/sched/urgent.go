package sched

import "slices"

const (
	// near is how many tasks that can run are looked at for each worker.
	near = 2
	// firstWay is after how many tasks the ways to the end are worked out first;
	// again when half as many more have run, as times are known better then.
	firstWay = 32
	// margin is how much longer, in percent, the way from a task must be for it
	// to be run out of order.
	margin = 25
	// tail is how many tasks for each worker are left when the longest way
	// comes first in any case: the last results are few whatever the order.
	tail = 4
	// pieceBits is the logarithm of how many tasks are a piece of the order.
	pieceBits = 6
)

// urgent is the task to run rather than t, the lowest that can: the order keeps
// results few, but where there are many workers and tasks are long, what has the
// longest way to the end before it must not come last. Only tasks that can run
// and are near in the order are looked at.
func (m *Machine) urgent(t uint32) uint32 {
	c := m.class(t)
	if m.Workers == 1 || c.count == 0 || c.Nanos < m.Batch/2 {
		return t
	}
	if m.done >= m.nextWay {
		m.ways()
	}
	if m.way == nil {
		return t
	}
	best, more := m.way[t], float32(1+margin/100.0)
	if len(m.state)-m.ended < tail*m.Workers {
		more = 1
	}
	for _, q := range m.ready[:min(len(m.ready), near*m.Workers)] {
		if m.way[q] > best*more && m.state[q] == Ready && m.allowed(q) {
			t, best = q, m.way[q]
		}
	}
	return t
}

// ways works out how long the longest way from each task to the end is, by what
// the classes have taken so far.
func (m *Machine) ways() {
	m.nextWay = max(firstWay, m.done+m.done/2)
	if m.done < firstWay {
		return
	}
	known, sum := 0, 0.0
	for i := range m.Classes {
		if c := &m.Classes[i]; c.count > 0 {
			known++
			sum += c.Nanos
		}
	}
	mean := float32(sum / float64(known))
	if m.way == nil {
		m.way = make([]float32, len(m.state))
	}
	for t := range slices.Backward(m.way) {
		w := float32(0)
		for _, u := range m.users(uint32(t)) {
			w = max(w, m.way[u])
		}
		if c := m.class(uint32(t)); c.count > 0 {
			m.way[t] = w + float32(c.Nanos)
		} else {
			m.way[t] = w + mean
		}
	}
}

// soonHeld is how many results one worker will hold at some time while it runs
// the next tasks, some for each worker, from t on.
func (m *Machine) soonHeld(t uint32) int {
	if m.soon == nil {
		m.soon = make([]uint32, len(m.state)>>pieceBits+1)
		for i, h := range m.Plan.Held {
			m.soon[i>>pieceBits] = max(m.soon[i>>pieceBits], h)
		}
	}
	from := int(t >> pieceBits)
	to := min(len(m.soon), from+1+m.Workers>>2)
	most := uint32(0)
	for _, h := range m.soon[from:to] {
		most = max(most, h)
	}
	return int(most)
}
