// Package shm has typed slices in memory that processes share, and files mapped
// as slices.
//
//	data, err := shm.Make[float64](32 << 20)     // 256 MB of zeros
//	defer data.Close()
//	fill(data.Slice())                           // an ordinary []float64
//	h := data.Handle(shm.ReadOnly)               // a small value that crosses
//
// The handle goes to another process as an argument; package proc carries it
// and the memory's descriptor. There, and in the same process as well:
//
//	data, err := h.Open()
//	defer data.Close()
//	sum(data.Slice())
//
// Nothing is copied: both see the same memory. What is read-only can't be
// written by the one who got it. An array that is elsewhere gets there by
// [Copy].
//
// # What can be shared
//
// Types of fixed size: numbers, bools, arrays and structs of them. A type with
// a pointer, string, slice, map, interface, func or chan in it is an error of
// [Make] that names the field. Numbers that are counted together are atomics
// ([Counter], or the types of sync/atomic), what is changed together is guarded
// by a [Mutex], which outlives a holder that is killed.
//
// # Lifetime
//
// Each [Slice] is a reference. The garbage collector does not know the memory
// behind it: close each one after the last use of its slice, not before. The
// memory of a process goes with its last reference, and all of it when the
// last process has closed it or has ended, killed or not. It never has a name
// in the file system, so that nothing can be left behind.
//
// # Files
//
// [MapFile] maps a file as a slice, to read, to write, or to write a private
// copy, from an offset behind a header if there is one.
//
// # Systems
//
// All of it works on Linux. On macOS and FreeBSD memory is a temporary file
// without a name, and Mutex and Freeze are missing. Elsewhere everything is an
// error that wraps [ErrUnsupported].
package shm
