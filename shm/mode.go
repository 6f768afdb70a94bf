package shm

import "fmt"

// Mode is what may be done with memory.
type Mode uint8

const (
	// ReadOnly memory can't be written. A write ends the process that tries,
	// or panics under [Slice.Guard].
	ReadOnly Mode = 1 + iota
	// ReadWrite memory can be written, and all who share it see that.
	ReadWrite
	// CopyOnWrite memory can be written, and only the one who writes sees
	// it: the pages that are written become a private copy.
	CopyOnWrite
	// Create is for [MapFile]: the file is made, or emptied if it is there,
	// gets its whole length at once, and is then as with ReadWrite. It needs
	// [Length].
	Create
)

func (m Mode) String() string {
	switch m {
	case ReadOnly:
		return "read-only"
	case ReadWrite:
		return "read-write"
	case CopyOnWrite:
		return "copy-on-write"
	case Create:
		return "create"
	}
	return fmt.Sprintf("Mode(%d)", uint8(m))
}

// writes tells whether the shared memory itself may be changed.
func (m Mode) writes() bool { return m == ReadWrite }
