//go:build !linux

package memory

// RSS returns what the Go runtime holds, as other systems than Linux have no
// cheap way to ask for the whole process.
func RSS() int64 { return Go().Held }
