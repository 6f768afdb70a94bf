//go:build windows

package pilot

import (
	"time"

	"golang.org/x/sys/windows"
)

// HasThreadCPU is false here: the clock of a Windows thread ticks in steps of
// 15 ms, too coarse. Runs fall back to the CPU time of the process.
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
	var c, e, k, u windows.Filetime
	if windows.GetProcessTimes(windows.CurrentProcess(), &c, &e, &k, &u) != nil {
		return 0
	}
	return time.Duration((int64(k.HighDateTime)<<32|int64(k.LowDateTime))+(int64(u.HighDateTime)<<32|int64(u.LowDateTime))) * 100
}
