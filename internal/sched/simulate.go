package sched

// Simulated is what a run would take.
type Simulated struct {
	// Nanos is how long it takes, in the unit of what nanos returned.
	Nanos float64
	// Bytes is the most that results take in memory at a time, Disk the most on
	// disk; Results the most results there are, asked ones left out.
	Bytes, Disk int64
	Results     int
	// Batches is how often tasks were handed out.
	Batches int
	// Stalled is set if the run did not come to its end.
	Stalled bool
}

// Simulate runs a machine in no time: each task takes what nanos says, and
// results what bytes says. It changes m.
func Simulate(m *Machine, nanos func(t uint32) float64, bytes func(t uint32) int64) (s Simulated) {
	type worker struct {
		batch []uint32
		until float64
	}
	ws := make([]worker, m.Workers)
	now, disk := 0.0, int64(0)
	tidy := func() {
		for _, t := range m.Out.Unspill {
			disk -= bytes(t)
		}
	}
	for {
		for again := true; again; {
			again = false
			for w := range ws {
				if len(ws[w].batch) > 0 {
					continue
				}
				m.Take(w)
				tidy()
				spill := append([]uint32(nil), m.Out.Spill...)
				load := append([]uint32(nil), m.Out.Load...)
				ws[w].batch = append(ws[w].batch[:0], m.Out.Run...)
				m.Out.Reset()
				for _, t := range spill {
					m.Spill(t, true)
					disk += bytes(t)
					again = true
				}
				for _, t := range load {
					m.Loaded(t)
					disk -= bytes(t)
				}
				tidy()
				m.Out.Reset()
				s.Disk = max(s.Disk, disk)
				if n := len(ws[w].batch); n > 0 {
					s.Batches++
					ws[w].until = now + nanos(ws[w].batch[0])
				}
			}
		}
		next := -1
		for w := range ws {
			if len(ws[w].batch) > 0 && (next < 0 || ws[w].until < ws[next].until) {
				next = w
			}
		}
		if next < 0 {
			break
		}
		w := &ws[next]
		now = w.until
		t := w.batch[0]
		w.batch = w.batch[1:]
		m.Finished(next, t, int64(nanos(t)), bytes(t))
		s.Bytes, s.Results = max(s.Bytes, m.Resident()), max(s.Results, m.InHand())
		tidy()
		m.Out.Reset()
		if len(w.batch) > 0 {
			w.until = now + nanos(w.batch[0])
		}
	}
	s.Nanos, s.Stalled = now, m.Ended() < m.Len()
	return s
}
