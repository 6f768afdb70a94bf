package weft

import (
	"fmt"
	"math"
	"runtime"
	"sync/atomic"
	"time"

	"github.com/weft-go/weft/internal/memory"
	"github.com/weft-go/weft/internal/pilot"
	"github.com/weft-go/weft/internal/plan"
	"github.com/weft-go/weft/internal/softlimit"
)

const (
	// worthCounting is the size from which an item's memory can matter.
	worthCounting = 64 << 10
	// largeGrowth is when a run without a limit of its own begins to look
	// what the machine has left.
	largeGrowth = 256 << 20
	memoryLook  = 2 * time.Millisecond
	// patience is how many looks in a row one item alone may be past the
	// budget, after a collection, before the run fails.
	patience = 10
)

// memoryAccount is the run's memory: the budget, what an item takes, what is
// in use.
type memoryAccount struct {
	opened   bool
	explicit bool  // MemoryLimit was given
	limit    int64 // 0 while unknown
	source   string
	user     int64 // MemoryPerItem
	base     int64 // what the process held at the start
	measured atomic.Int64
	fits     atomic.Int64 // items that the budget has room for, 0 if not known to matter
	room     atomic.Int64 // the same by what those in flight hold together, garbage included

	// The rest belongs to the coordinator.
	looked  time.Duration
	peak    atomic.Int64
	over    int
	squeeze bool
	failed  error // set with the run's lock held
}

// open begins the account; held is what the process holds.
func (m *memoryAccount) open(c *config, held int64) {
	m.opened = true
	m.user = c.perItem
	m.base = held
	if c.memory > 0 {
		m.explicit, m.limit, m.source = true, c.memory, "MemoryLimit"
		softlimit.Add(m.base + m.limit)
	}
}

func (m *memoryAccount) close() {
	if m.explicit {
		softlimit.Remove(m.base + m.limit)
	}
}

// item records that an item takes b bytes.
func (m *memoryAccount) item(b int64) {
	if b > m.measured.Load() {
		m.measured.Store(b)
	}
}

func (m *memoryAccount) perItem() int64 {
	if m.user > 0 {
		return m.user
	}
	return m.measured.Load()
}

// budget is the limit, found out when first needed.
func (m *memoryAccount) budget() int64 {
	if m.limit == 0 {
		free, source := memory.Available()
		m.limit, m.source = max(1, free/4*3), source
	}
	return m.limit
}

// mostInFlight is how many items memory and file descriptors allow at once,
// and which of them. Called with the run's lock held or by the coordinator.
func (r *run) mostInFlight() (limit int, why string) {
	limit, why = plan.MostInFlight, "Weft's own limit"
	if files := descriptors(); files > 0 && files*3/4 < limit {
		limit, why = max(1, files*3/4), "the limit on open files (ulimit -n)"
	}
	if room := int(r.memory.room.Load()); room > 0 && room < limit {
		limit, why = room, "the memory budget of "+memory.Text(r.memory.budget())
	}
	per := r.memory.perItem()
	if per < worthCounting && r.memory.user == 0 {
		return limit, why
	}
	budget := r.memory.budget()
	n := max(1, int(min(budget/max(1, per), math.MaxInt32)))
	r.memory.fits.Store(int64(n))
	if n < limit {
		limit, why = n, fmt.Sprintf("the memory budget of %s, at %s an item", memory.Text(budget), memory.Text(per))
	}
	return limit, why
}

// allowed is w, or what mostInFlight leaves of it.
func (r *run) allowed(w int) int {
	limit, _ := r.mostInFlight()
	return min(w, limit)
}

// watchMemory slows the run down near its budget, and ends it past it.
func (r *run) watchMemory(now time.Duration) {
	m := &r.memory
	if now-m.looked < memoryLook {
		return
	}
	m.looked = now
	used := pilot.Read().Held - m.base
	m.peak.Store(max(m.peak.Load(), used))
	if !m.explicit && used < largeGrowth {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	budget := m.budget()
	if live := int64(r.live.Load()); m.explicit && m.user == 0 && used > budget/10 {
		m.room.Store(max(1, int64(float64(live)*float64(budget)/float64(used))))
	}
	switch {
	case used > budget && r.live.Load() <= 1:
		// Garbage may be all of it: look at what is left of it.
		m.over++
		if m.over < patience || r.stopped.Load() {
			return
		}
		m.over = 0
		runtime.GC()
		live := pilot.Read().Live - r.count0.Live
		if live <= budget {
			return
		}
		at := 0
		for _, w := range r.workers {
			at = int(w.base.Load()) // the one that runs
		}
		m.failed = &ItemError{Index: at, Err: fmt.Errorf(
			"the run holds %s and its memory budget is %s (%s), with this item alone running; raise weft.MemoryLimit, take the results from weft.Stream one by one, or make the items smaller",
			memory.Text(live), memory.Text(budget), m.source)}
		r.haltLocked(m.failed)
	case used > budget/10*9:
		m.over = 0
		if target := r.target.Load(); target > 1 && !r.fixed {
			if !m.squeeze {
				r.note(int(target/2), fmt.Sprintf("%s of the memory budget of %s are in use: fewer at once", memory.Text(used), memory.Text(budget)))
			}
			m.squeeze = true
			r.target.Store(max(1, target/2))
		}
	case m.squeeze && used < budget/10*6:
		m.squeeze, m.over = false, 0
		if r.scaler != nil {
			r.target.Store(int32(r.allowed(r.scaler.Settled())))
		} else if r.io.gradient != nil {
			r.target.Store(int32(r.io.gradient.Level()))
		}
	default:
		m.over = 0
	}
}
