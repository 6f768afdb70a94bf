// Package pilot measures: the CPU time of a thread and of the process, what
// the Go runtime counts about memory, locks and collections. It decides
// nothing; package plan does.
//
// A goroutine's CPU time can only be told while it is locked to its thread
// (runtime.LockOSThread), so a run locks while it samples its first items and
// not longer: handing goroutines over is much slower when locked
// (golang/go#18023).
package pilot
