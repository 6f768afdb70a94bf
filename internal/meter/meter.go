// Package meter carries the cost of work that is done outside this process,
// in child processes say, to the run that ordered it. Such work looks idle
// from inside: the goroutine only waits. A run whose context carries a Meter
// judges its items by what was charged and not by the CPU time of its own
// threads.
package meter

import (
	"context"
	"sync/atomic"
	"time"
)

// Meter adds up what the items of one run cost elsewhere. All methods are
// safe for concurrent use.
type Meter struct {
	items atomic.Int64
	cpu   atomic.Int64
	wall  atomic.Int64
	peak  atomic.Int64
}

type key struct{}

// With returns a context whose runs are measured by m.
func With(ctx context.Context, m *Meter) context.Context {
	return context.WithValue(ctx, key{}, m)
}

// From returns the meter of ctx, or nil.
func From(ctx context.Context) *Meter {
	m, _ := ctx.Value(key{}).(*Meter)
	return m
}

// Charge records one finished item: its wall time, the CPU time it took and
// the most bytes it held in memory.
func (m *Meter) Charge(wall, cpu time.Duration, peakBytes int64) {
	m.ChargeMany(1, wall, cpu, peakBytes)
}

// ChargeMany records items that took wall and cpu together; peakBytes is that
// of the largest.
func (m *Meter) ChargeMany(items int, wall, cpu time.Duration, peakBytes int64) {
	m.cpu.Add(int64(cpu))
	m.wall.Add(int64(wall))
	m.items.Add(int64(items))
	for {
		old := m.peak.Load()
		if peakBytes <= old || m.peak.CompareAndSwap(old, peakBytes) {
			return
		}
	}
}

// Sum is what a Meter has recorded so far.
type Sum struct {
	Items     int64
	Wall, CPU time.Duration
	PeakBytes int64 // of the largest item
}

// Sum returns the record so far.
func (m *Meter) Sum() Sum {
	return Sum{
		Items:     m.items.Load(),
		Wall:      time.Duration(m.wall.Load()),
		CPU:       time.Duration(m.cpu.Load()),
		PeakBytes: m.peak.Load(),
	}
}
