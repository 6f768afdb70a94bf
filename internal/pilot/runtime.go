package pilot

import (
	"runtime/metrics"
	"sync"
	"time"
)

// Counters is what the Go runtime has counted in this process so far.
type Counters struct {
	Allocated int64         // bytes ever allocated on the heap
	Live      int64         // bytes in heap objects, dead ones not yet swept included
	Held      int64         // bytes that the runtime has taken from the system and not given back
	LockWait  time.Duration // goroutines' waiting for sync mutexes, summed
	GC, CPU   float64       // CPU seconds of the collector and of all; they move when a collection ends
	Running   int64         // goroutines that run or could run now, the caller included
	Runnable  int64         // those of them that could and do not
}

var samples = sync.Pool{New: func() any {
	s := []metrics.Sample{
		{Name: "/gc/heap/allocs:bytes"},
		{Name: "/memory/classes/heap/objects:bytes"},
		{Name: "/sync/mutex/wait/total:seconds"},
		{Name: "/cpu/classes/gc/total:cpu-seconds"},
		{Name: "/cpu/classes/total:cpu-seconds"},
		{Name: "/sched/goroutines/running:goroutines"},
		{Name: "/sched/goroutines/runnable:goroutines"},
		{Name: "/memory/classes/total:bytes"},
		{Name: "/memory/classes/heap/released:bytes"},
	}
	return &s
}}

// Read returns the counters. Costs some hundred nanoseconds and allocates
// nothing. Safe for concurrent use.
func Read() Counters {
	p := samples.Get().(*[]metrics.Sample)
	s := *p
	metrics.Read(s)
	c := Counters{
		Allocated: int64(s[0].Value.Uint64()),
		Live:      int64(s[1].Value.Uint64()),
		LockWait:  time.Duration(s[2].Value.Float64() * 1e9),
		GC:        s[3].Value.Float64(),
		CPU:       s[4].Value.Float64(),
		Running:   int64(s[5].Value.Uint64() + s[6].Value.Uint64()),
		Runnable:  int64(s[6].Value.Uint64()),
		Held:      int64(s[7].Value.Uint64() - s[8].Value.Uint64()),
	}
	samples.Put(p)
	return c
}

// ReadyTimes counts how long goroutines stood ready before they ran, since the
// process began.
type ReadyTimes struct{ h *metrics.Float64Histogram }

// ReadReady returns the counts. Costs some microseconds and allocates about
// 10 kB: for rare use.
func ReadReady() ReadyTimes {
	s := []metrics.Sample{{Name: "/sched/latencies:seconds"}}
	metrics.Read(s)
	if s[0].Value.Kind() != metrics.KindFloat64Histogram {
		return ReadyTimes{}
	}
	return ReadyTimes{s[0].Value.Float64Histogram()}
}

// OneInTen is the time that one of ten goroutines stood ready, or longer,
// between two readings: the lower bound of its bucket. 0 if none ran.
func OneInTen(from, to ReadyTimes) time.Duration {
	if from.h == nil || to.h == nil || len(from.h.Counts) != len(to.h.Counts) {
		return 0
	}
	total := uint64(0)
	for i, n := range to.h.Counts {
		total += n - from.h.Counts[i]
	}
	above := uint64(0)
	for i := len(to.h.Counts) - 1; i >= 0; i-- {
		above += to.h.Counts[i] - from.h.Counts[i]
		if above > 0 && above*10 >= total {
			return time.Duration(max(0, to.h.Buckets[i]) * 1e9) // the first bound is -Inf
		}
	}
	return 0
}

// GCShare is the collector's share of the CPU time between two readings, 0
// when no collection ended in between.
func GCShare(from, to Counters) float64 {
	if to.CPU <= from.CPU {
		return 0
	}
	return min(1, max(0, (to.GC-from.GC)/(to.CPU-from.CPU)))
}
