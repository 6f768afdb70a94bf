package sched

import (
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"testing"
	"time"

	"github.com/weft-go/weft/internal/order"
)

// drawn makes a plan from inputs a task, each lower than the task, in the order
// that order.Order gives.
func drawn(in [][]uint32, asked []uint32, class func(t uint32) uint32, classes []Class) Plan {
	g := order.Graph{InOff: []uint32{0}, Asked: asked}
	for _, ds := range in {
		g.In = append(g.In, ds...)
		g.InOff = append(g.InOff, uint32(len(g.In)))
	}
	g.UseOff, g.Use = turned(g.InOff, g.In)
	perm := order.Order(g)
	at := make([]uint32, len(in))
	for i, t := range perm {
		at[t] = uint32(i)
	}
	p := Plan{InOff: []uint32{0}, Classes: classes}
	p.Held, p.Roots = order.Residents(g, perm)
	for _, t := range perm {
		for _, d := range in[t] {
			if d&Const == 0 {
				d = at[d]
			}
			p.In = append(p.In, d)
		}
		p.InOff = append(p.InOff, uint32(len(p.In)))
		p.Class = append(p.Class, class(t))
	}
	for _, t := range asked {
		p.Asked = append(p.Asked, at[t])
	}
	p.UseOff, p.Use = turned(p.InOff, p.In)
	return p
}

func turned(inOff, in []uint32) (off, use []uint32) {
	n := len(inOff) - 1
	users := make([][]uint32, n)
	for t := range n {
		for _, d := range in[inOff[t]:inOff[t+1]] {
			if d&Const == 0 {
				users[d] = append(users[d], uint32(t))
			}
		}
	}
	off = []uint32{0}
	for _, us := range users {
		use = append(use, us...)
		off = append(off, uint32(len(use)))
	}
	return off, use
}

// randomGraph is one of several shapes in which every task is needed.
func randomGraph(rng *rand.Rand, n int) (in [][]uint32, asked []uint32) {
	in = make([][]uint32, n)
	used := make([]bool, n)
	far := 1 + rng.IntN(n)
	for t := range in {
		for range rng.IntN(4) {
			if rng.IntN(6) == 0 || t == 0 {
				in[t] = append(in[t], Const|uint32(rng.IntN(5)))
				continue
			}
			d := max(0, t-1-rng.IntN(far))
			in[t] = append(in[t], uint32(d))
			used[d] = true
		}
	}
	for t, u := range used {
		if !u || rng.IntN(50) == 0 {
			asked = append(asked, uint32(t))
		}
	}
	return in, asked
}

// sim drives a machine with workers whose every step comes at a random time, and
// checks after each step that the account is right.
type sim struct {
	t     *testing.T
	seed  uint64
	rng   *rand.Rand
	m     *Machine
	batch [][]uint32 // what each worker has before it
	spill [][]uint32
	load  [][]uint32
	disk  map[uint32]bool
	mem   map[uint32]bool
	runs  []int
	steps int
	peak  int64
	// silent workers have ended a task, and the event was dropped; late are
	// those events.
	silent []bool
	late   []late
	bytes  func(t uint32) int64
}

type late struct {
	w int
	t uint32
}

func newSim(t *testing.T, seed uint64, p Plan, l Limits) *sim {
	n := len(p.Class)
	return &sim{
		t: t, seed: seed, rng: rand.New(rand.NewPCG(seed, 1)), m: New(p, l),
		batch: make([][]uint32, l.Workers), spill: make([][]uint32, l.Workers), load: make([][]uint32, l.Workers),
		silent: make([]bool, l.Workers), disk: map[uint32]bool{}, mem: map[uint32]bool{}, runs: make([]int, n),
		bytes: func(t uint32) int64 { return 8 },
	}
}

func (s *sim) fatal(format string, args ...any) {
	s.t.Helper()
	s.t.Fatalf("seed %d, step %d: %s", s.seed, s.steps, fmt.Sprintf(format, args...))
}

// obey carries out what concerns memory.
func (s *sim) obey() {
	for _, t := range s.m.Out.Free {
		if !s.mem[t] {
			s.fatal("task %d is freed and not in memory", t)
		}
		delete(s.mem, t)
	}
	for _, t := range s.m.Out.Unspill {
		if !s.disk[t] {
			s.fatal("task %d is removed from disk and not there", t)
		}
		delete(s.disk, t)
	}
}

func (s *sim) take(w int) (got bool) {
	s.m.Take(w)
	s.obey()
	o := &s.m.Out
	s.batch[w] = append(s.batch[w], o.Run...)
	s.spill[w] = append(s.spill[w], o.Spill...)
	s.load[w] = append(s.load[w], o.Load...)
	if len(o.Spill) > 0 && len(o.Run) > 0 {
		s.fatal("to write and to run at once")
	}
	got = len(o.Run)+len(o.Spill) > 0
	o.Reset()
	return got
}

// step has worker w do one thing. It returns false if there was nothing.
func (s *sim) step(w int, f faults) bool {
	s.steps++
	defer s.check()
	switch {
	case s.silent[w]:
		if s.rng.IntN(20) > 0 {
			return true // nobody has noticed yet
		}
		for range 1 + s.rng.IntN(2) {
			s.m.LoseWorker(w)
		}
		s.silent[w], s.batch[w] = false, nil
		s.obey()
		s.m.Out.Reset()
	case len(s.spill[w]) > 0:
		t := s.spill[w][0]
		s.spill[w] = s.spill[w][1:]
		ok := s.rng.Float64() >= f.diskFull
		if ok {
			if !s.mem[t] {
				s.fatal("task %d is written and not in memory", t)
			}
			delete(s.mem, t)
			s.disk[t] = true
		}
		s.m.Spill(t, ok)
		s.obey()
		s.m.Out.Reset()
	case len(s.load[w]) > 0:
		t := s.load[w][0]
		s.load[w] = s.load[w][1:]
		if !s.disk[t] {
			s.fatal("task %d is read and not on disk", t)
		}
		if s.rng.Float64() < f.lose {
			for _, b := range s.batch[w] {
				s.m.Again(w, b)
			}
			for _, l := range s.load[w] {
				delete(s.disk, l)
				s.mem[l] = true
				s.m.Loaded(l)
			}
			s.batch[w], s.load[w] = nil, nil
			delete(s.disk, t)
			s.m.Lose(t)
			s.m.Idle(w)
		} else {
			delete(s.disk, t)
			s.mem[t] = true
			s.m.Loaded(t)
		}
		s.obey()
		s.m.Out.Reset()
	case len(s.batch[w]) > 0:
		t := s.batch[w][0]
		for _, d := range s.m.inputs(t) {
			if d&Const == 0 && !s.mem[d] {
				s.fatal("task %d runs without the result of %d (%v)", t, d, s.m.State(d))
			}
		}
		switch x := s.rng.Float64(); {
		case x < f.die:
			for range 1 + s.rng.IntN(2) {
				s.m.LoseWorker(w)
			}
			s.batch[w] = nil
			s.obey()
			s.m.Out.Reset()
			return true
		case x < f.die+f.drop:
			s.silent[w] = true
			s.late = append(s.late, late{w, t})
			return true
		case x < f.die+f.drop+f.again:
			s.m.Again(w, t)
			for _, b := range s.batch[w][1:] {
				s.m.Again(w, b)
			}
			s.batch[w] = nil
			s.m.Idle(w)
			return true
		case x < f.die+f.drop+f.again+f.fail:
			for _, b := range slices.Backward(s.batch[w][1:]) {
				s.m.Again(w, b)
			}
			s.m.Fail(w, t)
			s.batch[w] = nil
			s.m.Idle(w)
		default:
			s.batch[w] = s.batch[w][1:]
			s.mem[t] = true
			s.runs[t]++
			if !s.m.Finished(w, t, 50, s.bytes(t)) {
				s.fatal("task %d has run and nobody waits for it", t)
			}
			if s.rng.Float64() < f.twice && s.m.Finished(w, t, 50, 8) {
				s.fatal("task %d finished twice", t)
			}
		}
		s.obey()
		s.m.Out.Reset()
	default:
		return s.take(w)
	}
	return true
}

type faults struct{ die, drop, again, fail, lose, twice, diskFull float64 }

// run steps until all is over. Workers are chosen at random, so each step may
// take any time.
func (s *sim) run(f faults) {
	idle := 0
	for !s.m.Over() {
		w := s.rng.IntN(len(s.batch))
		if f.lose > 0 && s.rng.Float64() < f.lose {
			s.loseAny()
		}
		if len(s.late) > 0 && s.rng.IntN(50) == 0 {
			s.arrive()
		}
		if s.step(w, f) {
			idle = 0
			continue
		}
		idle++
		if idle > 200*len(s.batch) {
			ws, _ := s.m.Stalled(5)
			s.fatal("stalled: %d of %d ended, %d run: %+v", s.m.Ended(), s.m.Len(), s.m.Running(), ws)
		}
		s.peak = max(s.peak, s.m.Resident())
	}
}

// arrive has an event come that was taken for lost: nobody waits for it any more.
func (s *sim) arrive() {
	i := s.rng.IntN(len(s.late))
	l := s.late[i]
	if s.silent[l.w] || s.m.State(l.t) == Running && s.m.Owner(l.t) == l.w {
		return // it is still waited for, or anew
	}
	s.late = slices.Delete(s.late, i, i+1)
	if s.m.Finished(l.w, l.t, 50, s.bytes(l.t)) || s.m.Fail(l.w, l.t) || s.m.Again(l.w, l.t) {
		s.fatal("task %d of worker %d, long lost, was taken up", l.t, l.w)
	}
}

// loseAny loses a result in memory that no worker has before it.
func (s *sim) loseAny() {
	for t := range s.mem {
		busy := s.m.State(t) != Done
		for w := range s.batch {
			for _, b := range s.batch[w] {
				busy = busy || slices.Contains(s.m.inputs(b), t)
			}
		}
		if !busy {
			s.m.Lose(t)
			s.obey()
			s.m.Out.Reset()
		}
		return
	}
}

// check counts anew what the machine keeps count of.
func (s *sim) check() {
	m := s.m
	if s.steps%17 != 0 && len(m.state) > 200 {
		return
	}
	held, roots, running, ended, inHand, resident := 0, 0, 0, 0, 0, int64(0)
	for t := range uint32(len(m.state)) {
		st := m.state[t]
		switch {
		case st == Running:
			running++
		case st.inHand() || st == Failed || st == Skipped:
			ended++
		}
		missing := uint32(0)
		for _, d := range m.inputs(t) {
			if d&Const == 0 && !m.state[d].inHand() {
				missing++
			}
		}
		if st != Failed && st != Skipped && missing != m.missing[t] {
			s.fatal("task %d (%v) misses %d inputs, says %d", t, st, missing, m.missing[t])
		}
		unstarted, unfinished := uint32(0), uint32(0)
		for _, u := range m.users(t) {
			if m.state[u] == Waiting || m.state[u] == Ready {
				unstarted++
			}
			if m.state[u] == Waiting || m.state[u] == Ready || m.state[u] == Running {
				unfinished++
			}
		}
		if slices.Contains(m.Asked, t) {
			unstarted, unfinished = unstarted+forever, unfinished+forever
		}
		if unfinished != m.unfinished[t] || unstarted != m.unstarted[t] {
			s.fatal("task %d (%v) has %d users that have not begun and %d that have not ended, says %d and %d", t, st, unstarted, unfinished, m.unstarted[t], m.unfinished[t])
		}
		if unstarted > 0 && unstarted < forever && (st.inHand() || st == Running) {
			held++
		}
		if m.root(t) && unfinished < forever && (st == Running || st.inHand() && unfinished > 0) {
			roots++
		}
		if st.inHand() && unfinished > 0 {
			inHand++
			if st == Done || st == Spilling {
				resident += m.sizeOf(t)
				if !s.mem[t] {
					s.fatal("task %d is %v and not in memory", t, st)
				}
			}
			if (st == Spilled || st == Loading) && !s.disk[t] {
				s.fatal("task %d is %v and not on disk", t, st)
			}
		}
	}
	if held != m.held || running != m.running || ended != m.ended {
		s.fatal("held %d, says %d; running %d, says %d; ended %d, says %d", held, m.held, running, m.running, ended, m.ended)
	}
	if m.moving == 0 && roots != m.roots {
		s.fatal("%d results of roots, says %d", roots, m.roots)
	}
	if m.moving == 0 && (resident != m.resident || inHand != m.inHand) {
		s.fatal("resident %d, says %d; in hand %d, says %d", resident, m.resident, inHand, m.inHand)
	}
}

// Whatever the graph, the order of events and what is lost on the way: each task
// is run when its inputs are there, the account is right after every step, and
// the run comes to its end with every task done and nothing but what was asked
// left over.
func TestSimulated(t *testing.T) {
	t.Parallel()
	seeds := 300
	if testing.Short() {
		seeds = 50
	}
	if os.Getenv("WEFT_SOAK") != "" {
		seeds = 20000
	}
	steps, dropped := 0, 0
	begun := time.Now()
	for seed := range uint64(seeds) {
		rng := rand.New(rand.NewPCG(seed, 0))
		in, asked := randomGraph(rng, 1+rng.IntN(150))
		l := Limits{Workers: 1 + rng.IntN(6), Slack: 2, Batch: float64(rng.IntN(2000)), Most: 1 + rng.IntN(20), KeepGoing: true, Resources: []int64{2}}
		classes := []Class{{CPU: 1, Size: 8}, {CPU: 1, Size: -1}, {CPU: int32(1 + rng.IntN(l.Workers)), Size: -1, Alone: true}, {CPU: 1, Size: 8, Resource: 1, Amount: 1, Alone: true}}
		p := drawn(in, asked, func(uint32) uint32 { return uint32(rng.IntN(len(classes))) }, classes)
		var f faults
		if seed%2 == 1 {
			f = faults{die: 0.01, drop: 0.01, again: 0.02, lose: 0.01, twice: 0.1, diskFull: 0.1}
		}
		if seed%5 == 0 {
			f.fail = 0.02
		}
		if seed%3 == 0 {
			l.Memory = 1 << 20
		}
		s := newSim(t, seed, p, l)
		s.bytes = func(t uint32) int64 { return int64(1+t%7) * 20 << 10 }
		s.run(f)
		steps, dropped = steps+s.steps, dropped+len(s.late)
		if f.fail > 0 || l.Memory > 0 {
			continue // tasks may have failed, or have been refused
		}
		for k, st := range s.m.state {
			if st != Done {
				s.fatal("task %d is %v in the end", k, st)
			}
			if f == (faults{}) && s.runs[k] != 1 {
				s.fatal("task %d ran %d times", k, s.runs[k])
			}
		}
		if len(s.mem) != len(asked) || len(s.disk) != 0 || s.m.held != 0 || s.m.inHand != len(asked) {
			s.fatal("%d results in memory, %d on disk, %d held; %d were asked for", len(s.mem), len(s.disk), s.m.held, len(asked))
		}
	}
	t.Logf("%d steps in %v, each of which the whole account was checked after; %d events never came", steps, time.Since(begun).Round(time.Millisecond), dropped)
}

// What was never said to have ended is named, whatever it is.
func TestStalledNamesWhatIsMissing(t *testing.T) {
	t.Parallel()
	classes := []Class{{CPU: 1, Size: 100 << 10}, {CPU: 1, Size: 8, Resource: 1, Amount: 1, Alone: true}}
	// 0 and 1 are needed by 2, which takes the resource; 3 takes it too.
	p := drawn([][]uint32{{}, {}, {0, 1}, {2}}, []uint32{3}, func(t uint32) uint32 { return t / 2 }, classes)
	l := Limits{Workers: 2, Slack: 2, Resources: []int64{1}, Memory: 250 << 10, Most: 1}
	for _, row := range []struct {
		name  string
		drive func(m *Machine)
		task  uint32
		why   string
	}{
		{"a task that has not ended", func(m *Machine) { m.Take(0) }, 0, "it runs and has not said that it ended"},
		{"a resource that is not given back", func(m *Machine) {
			for range 2 {
				m.Take(0)
				m.Finished(0, m.Out.Run[0], 1, 100<<10)
				m.Out.Reset()
			}
			m.Take(0)
			m.Finished(0, m.Out.Run[0], 1, 8) // and no Idle
		}, 3, "the resource that it needs is not free"},
		{"a result that is not read", func(m *Machine) {
			for range 2 {
				m.Take(0)
				m.Finished(0, m.Out.Run[0], 1, 100<<10)
				m.Out.Reset()
			}
			m.state[0] = Spilling // as evict would
			m.moving++
			m.Spill(0, true)
			m.Take(0)
			if len(m.Out.Load) != 1 {
				t.Errorf("loads %v", m.Out.Load)
			}
			m.Again(0, 2)
		}, 2, "a result that it needs is on its way to or from disk and has not arrived"},
	} {
		m := New(p, l)
		row.drive(m)
		ws, _ := m.Stalled(10)
		if !slices.ContainsFunc(ws, func(w Waits) bool { return w.Task == row.task && w.Why == row.why }) {
			t.Errorf("%s: %+v", row.name, ws)
		}
	}
}
