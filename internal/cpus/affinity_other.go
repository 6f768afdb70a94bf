//go:build !linux

package cpus

import "runtime"

const affinitySource = "the machine's CPUs"

func affinity() int { return runtime.NumCPU() }
