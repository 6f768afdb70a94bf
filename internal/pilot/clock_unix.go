//go:build unix && !linux

package pilot

import (
	"syscall"
	"time"
)

// HasThreadCPU is false here: the CPU time of one thread is not to be had
// without cgo. Runs fall back to the CPU time of the process.
const HasThreadCPU = false

func ThreadCPU() time.Duration           { return 0 }
func ThreadID() int                      { return 0 }
func CPUOf(tid int) time.Duration        { return 0 }
func Nap()                               {}
func Blocked(int) bool                   { return false }
func RunDelay() time.Duration            { return 0 }
func RealTime() time.Duration            { return 0 }
func Switches() (waits, preempted int64) { return 0, 0 }

// ProcessCPU returns the CPU time of all threads of this process.
func ProcessCPU() time.Duration {
	var ru syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &ru) != nil {
		return 0
	}
	return time.Duration(ru.Utime.Nano() + ru.Stime.Nano())
}
