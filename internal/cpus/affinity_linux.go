package cpus

import (
	"os"
	"runtime"

	"golang.org/x/sys/unix"
)

const affinitySource = "CPU affinity"

// affinity counts the CPUs that the process's first thread may run on now.
// That one, as the calling thread may be one that the program has pinned;
// runtime.NumCPU, as of when the process started, only if the kernel does not
// answer.
func affinity() int {
	var set unix.CPUSet // 1024 CPUs
	if unix.SchedGetaffinity(os.Getpid(), &set) == nil {
		return set.Count()
	}
	large := unix.NewCPUSet(1 << 16)
	if unix.SchedGetaffinityDynamic(os.Getpid(), large) == nil {
		return large.Count()
	}
	return runtime.NumCPU()
}
