package graph

import (
	"fmt"

	"github.com/weft-go/weft/graph/internal/spill"
	mem "github.com/weft-go/weft/internal/memory"
	"github.com/weft-go/weft/internal/sched"
	"github.com/weft-go/weft/internal/softlimit"
)

const (
	// worthLimiting is from which size of results on a run without a limit of
	// its own asks what the machine has left: that takes some 50 us.
	worthLimiting = 64 << 20
	// forResults is the part of the budget, in percent, that results may take.
	// The rest is for what functions take meanwhile, and for garbage.
	forResults = 70
	// mostLost is how often a result may be found damaged.
	mostLost = 3
)

// memory is what a run knows about the memory of its results.
type memory struct {
	limit    int64 // the budget; 0 while unknown
	source   string
	soft     int64 // what softlimit was told, 0 if nothing
	file     *spill.File
	refs     map[uint32]spill.Ref
	lost     map[uint32]int
	disk     int64 // bytes of results on disk
	written  int64
	noSpill  error // why a result could not go to disk, the last one
	spilling int   // results written so far
}

// openMemory takes up the limit that the user gave, or finds one if a task says
// what it takes.
func (r *run) openMemory(l *sched.Limits) {
	m := &r.memory
	if m.limit = r.cfg.memory; m.limit > 0 {
		m.source = "MemoryLimit"
		m.soft = mem.Go().Held + m.limit
		softlimit.Add(m.soft)
	}
	for i := range r.Classes {
		if r.Classes[i].Need > 0 {
			m.find()
		}
	}
	l.Memory = m.limit / 100 * forResults
}

// find is the budget where the user gave none.
func (m *memory) find() {
	if m.limit > 0 {
		return
	}
	free, source := mem.Available()
	m.limit, m.source = max(1, free/4*3), source
}

// watchMemory begins to count once it can matter. Called with r.mu held.
func (r *run) watchMemory() {
	if r.m.Memory > 0 || r.m.Resident() < worthLimiting {
		return
	}
	r.memory.find()
	r.m.Memory = r.m.Resident() + r.memory.limit/100*forResults
}

func (m *memory) close() error {
	if m.soft > 0 {
		softlimit.Remove(m.soft)
	}
	if m.file == nil {
		return nil
	}
	return m.file.Close()
}

// forget lets go of a result on disk.
func (m *memory) forget(t uint32) {
	ref, ok := m.refs[t]
	if !ok {
		return
	}
	m.disk -= ref.Size()
	delete(m.refs, t)
	m.file.Forget(ref)
}

// spill writes results to disk. Called with r.mu held, and lets go of it
// meanwhile: nobody else touches a result that is being written.
func (r *run) spill(w *worker) {
	m := &r.memory
	if m.file == nil && m.noSpill == nil {
		create := r.cfg.disk
		if create == nil {
			create = spill.Create
		}
		m.refs, m.lost = map[uint32]spill.Ref{}, map[uint32]int{}
		m.file, m.noSpill = create(r.cfg.spill)
	}
	for _, t := range w.spills {
		n := &r.nodes[r.nodeOf[t]]
		s, slot, file := r.stores[n.column], r.slot[t], m.file
		err := m.noSpill
		var ref spill.Ref
		if file != nil {
			r.mu.Unlock()
			ref, err = file.Write(s.value(slot))
			r.mu.Lock()
		}
		if err == nil {
			s.free(slot)
			m.refs[t] = ref
			m.disk += ref.Size()
			m.written += ref.Size()
			m.spilling++
			if r.log != nil {
				r.log.spilled[t] = true
			}
		} else if file != nil {
			m.noSpill = fmt.Errorf("%s (task %d): %w", n.name(), r.task[t], err)
		}
		r.m.Spill(t, err == nil)
		r.sweep()
	}
	r.grow()
}

// load reads what the task before w needs. It tells whether w is to ask again,
// as something was lost. Called with r.mu held, and lets go of it meanwhile.
func (r *run) load(w *worker) (again bool) {
	m := &r.memory
	t := w.batch[0]
	lost := false
	for _, d := range w.load {
		s, slot, ref := r.stores[r.nodes[r.nodeOf[d]].column], r.slot[d], m.refs[d]
		var err error
		r.mu.Unlock()
		err = m.file.Read(ref, s.value(slot))
		r.mu.Lock()
		m.forget(d)
		if err == nil {
			r.m.Loaded(d)
			r.sweep()
			continue
		}
		s.free(slot)
		if !lost {
			lost = true
			r.m.Again(w.name, t)
			r.m.Idle(w.name)
			w.batch = w.batch[:0]
		}
		if m.lost[d]++; m.lost[d] >= mostLost {
			r.err = fmt.Errorf("graph: the result of %s (task %d) was damaged on disk %d times; set graph.SpillTo to another disk: %w", r.nameOf(d), r.task[d], mostLost, err)
			r.halt(r.err)
			return false
		}
		r.m.Lose(d)
		r.sweep()
	}
	r.grow()
	return lost
}

// refused notes that a task has no room even alone. Called with r.mu held.
func (r *run) refused(t uint32, need int64) {
	m := &r.memory
	why := fmt.Errorf("it takes %s with what it needs and what has to stay, and results may take %s of the memory budget of %s (%s); raise graph.MemoryLimit, make parts smaller, or ask for fewer results at once",
		mem.Text(need), mem.Text(r.m.Memory), mem.Text(m.limit), m.source)
	if err := m.noSpill; err != nil {
		why = fmt.Errorf("%w\nresults could not go to disk: %w", why, err)
	}
	r.failures = append(r.failures, failure{t, why, false})
	if !r.cfg.keepGoing {
		r.halt(stopCause{r.taskError(t, why)})
	}
}
