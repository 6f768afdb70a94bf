package pilot

import (
	"bytes"
	"os"
	"strconv"
	"time"

	"golang.org/x/sys/unix"
)

// HasThreadCPU tells whether ThreadCPU and CPUOf work here.
const HasThreadCPU = true

// ThreadCPU returns the CPU time of the calling thread. The goroutine must be
// locked to it. Costs about half a microsecond.
func ThreadCPU() time.Duration { return clock(unix.CLOCK_THREAD_CPUTIME_ID) }

// ThreadID returns the calling thread's id.
func ThreadID() int { return unix.Gettid() }

// CPUOf returns the CPU time of another thread of this process, 0 if there is
// none by that id.
func CPUOf(tid int) time.Duration {
	// The clock id of a thread, after clock_getcpuclockid(3): the inverted id,
	// with the bits for "of a thread" and "scheduler's account".
	return clock(int32(^tid<<3 | 6))
}

// RealTime is the system's monotonic clock: real also where time.Now is not
// (testing/synctest). Costs half a microsecond.
func RealTime() time.Duration { return clock(unix.CLOCK_MONOTONIC) }

// Nap waits 0.2 ms of real time, also where time.Sleep does not
// (testing/synctest).
func Nap() {
	ts := unix.NsecToTimespec(int64(200 * time.Microsecond))
	_ = unix.Nanosleep(&ts, nil)
}

// Blocked tells whether a thread of this process sleeps in the kernel, rather
// than running or standing ready for a CPU that another program has. Costs
// some microseconds.
func Blocked(tid int) bool {
	b, err := os.ReadFile("/proc/self/task/" + strconv.Itoa(tid) + "/stat")
	if err != nil {
		return false
	}
	// The state follows the command's name, which is in parentheses and may
	// hold any character.
	i := bytes.LastIndexByte(b, ')')
	return i >= 0 && i+2 < len(b) && b[i+2] != 'R'
}

// RunDelay returns for how long the calling thread stood ready without being
// given a CPU so far, 0 where the kernel does not tell. Costs some
// microseconds.
func RunDelay() time.Duration {
	b, err := os.ReadFile("/proc/thread-self/schedstat")
	if err != nil {
		return 0
	}
	return parseRunDelay(b)
}

// parseRunDelay reads the second number of "CPU-time run-delay timeslices", in
// nanoseconds.
func parseRunDelay(b []byte) time.Duration {
	f := bytes.Fields(b)
	if len(f) < 2 {
		return 0
	}
	ns, err := strconv.ParseInt(string(f[1]), 10, 64)
	if err != nil || ns < 0 {
		return 0
	}
	return time.Duration(ns)
}

// Switches returns how often the calling thread has given up its CPU to wait,
// and how often the kernel has taken it away. Costs a third of a microsecond.
func Switches() (waits, preempted int64) {
	var ru unix.Rusage
	if unix.Getrusage(unix.RUSAGE_THREAD, &ru) != nil {
		return 0, 0
	}
	return int64(ru.Nvcsw), int64(ru.Nivcsw)
}

// ProcessCPU returns the CPU time of all threads of this process.
func ProcessCPU() time.Duration { return clock(unix.CLOCK_PROCESS_CPUTIME_ID) }

func clock(id int32) time.Duration {
	var ts unix.Timespec
	if unix.ClockGettime(id, &ts) != nil {
		return 0
	}
	return time.Duration(ts.Nano())
}
