//go:build race

package memory

// The race detector makes buffers escape to the heap.
const raceOn = true
