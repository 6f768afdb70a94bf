// Package cpus tells how many CPUs this process may really use, and how many
// workers to run on them.
//
// A machine with 64 CPUs may give a process far fewer. Two mechanisms of Linux
// do that. CPU affinity names the CPUs that the process may run on (taskset,
// cpusets, batch systems). A CPU quota lets it run on all of them, but only
// for so much time: a quota of 1.5 is 150 ms of CPU time in each 100 ms, and
// when it is used up all threads stand still until the next 100 ms begin
// (docker --cpus, Kubernetes limits, systemd CPUQuota).
//
// The Go runtime heeds both in GOMAXPROCS, but it reads only the quota of the
// process's own cgroup and not those of the cgroups around it
// (golang/go#81180), and it never goes below 2. This package takes the tightest
// of all: affinity, the quota of every visible cgroup up the tree in versions 1
// and 2, and GOMAXPROCS, as a user who lowered it meant it.
//
// On other systems than Linux there are only the machine's CPUs and GOMAXPROCS.
package cpus

import (
	"fmt"
	"math"
	"runtime"

	"github.com/weft-go/weft/internal/cgroup"
)

// Info is what a process may use of the machine's CPUs.
type Info struct {
	// Affinity is the number of CPUs that the process may run on, at least 1.
	Affinity int
	// Quota is the tightest CPU quota, in CPUs; 0 if there is none.
	Quota float64
	// Effective is how many CPU-bound workers can make progress at once, at
	// least 1: the tightest of Affinity, the rounded Quota and GOMAXPROCS.
	Effective int
	// Source is what decided Effective, as part of a sentence: "CPU affinity",
	// "cgroup v2 quota 1.5 at /a/b", "GOMAXPROCS".
	Source string
}

// Get returns what this process may use now. The answer is up to a second old.
//
// It takes some tens of nanoseconds, most of them to read the clock, and
// allocates nothing; once a second one caller spends about 50 µs on reading
// anew. Safe for concurrent use.
func Get() Info { return process.Get() }

var process = cgroup.Cached[Info]{Read: machine{
	tree:       cgroup.Self(),
	affinity:   affinity,
	gomaxprocs: func() int { return runtime.GOMAXPROCS(0) },
}.read}

// machine is where the numbers come from.
type machine struct {
	tree       *cgroup.Tree
	affinity   func() int
	gomaxprocs func() int
}

func (m machine) read() Info {
	i := Info{Affinity: max(1, m.affinity()), Source: affinitySource}
	i.Effective = i.Affinity
	quota, dir := tightest(m.tree)
	if quota > 0 {
		i.Quota = quota
		if n := Round(quota); n < i.Effective {
			i.Effective = n
			i.Source = fmt.Sprintf("cgroup v%d quota %g at %s", dir.Version, math.Round(quota*100)/100, dir.Name)
		}
	}
	if n := m.gomaxprocs(); n >= 1 && n < i.Effective {
		i.Effective = n
		i.Source = "GOMAXPROCS"
	}
	return i
}

// Round returns how many CPU-bound workers suit a quota of q CPUs: the nearest
// whole number, halves up, and at least 1.
//
// It weighs the two ways to be wrong. With the next lower number f of workers
// the fraction is wasted: f+1 would do q/f as much. With the next higher one
// the quota runs out before its period does, and then the whole process,
// heartbeats and all, stands still for 1-q/(f+1) of the time. Gain and stall
// are equal at q = 2f(f+1)/(2f+1), which is 1.33, 2.4, 3.43, ... and tends to
// f+1/2. So at 1.5 the second worker gains 50 % for 25 % of standing still, and
// is taken; at 1.2 it would gain 20 % for 40 %. What rounding down leaves is
// not lost either: Go's garbage collector runs on it.
func Round(q float64) int {
	if !(q >= 1) { // NaN too
		return 1
	}
	return int(min(math.Floor(q+0.5), math.MaxInt32))
}
