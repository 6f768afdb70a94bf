package shm

import (
	"fmt"
	"io"
	"os"
	"runtime"
	"strconv"
	"sync/atomic"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// ownerByte is where in the file the owners' bytes begin: far behind its end,
// where locks may be all the same.
const ownerByte = 1 << 40

func ownerLock(owner uint32) unix.Flock_t {
	return unix.Flock_t{Type: unix.F_WRLCK, Whence: io.SeekStart, Start: ownerByte + int64(owner), Len: 1}
}

// claimOwner locks the owner's byte. The lock belongs to the open file
// description, so this is a new one: those that were sent are shared.
func claimOwner(rw *os.File, owner uint32) (*os.File, error) {
	f, err := os.OpenFile("/proc/self/fd/"+strconv.Itoa(int(rw.Fd())), os.O_RDWR, 0)
	if err != nil {
		return nil, fmt.Errorf("a lock of its own needs /proc: %w", descriptorError(err))
	}
	l := ownerLock(owner)
	if err := unix.FcntlFlock(f.Fd(), unix.F_OFD_SETLK, &l); err != nil {
		f.Close()
		return nil, fmt.Errorf("mark this process as alive: %w", os.NewSyscallError("fcntl", err))
	}
	return f, nil
}

// ownerAlive asks the kernel whether anybody holds the owner's byte.
func ownerAlive(f *os.File, owner uint32) (bool, error) {
	l := ownerLock(owner)
	if err := unix.FcntlFlock(f.Fd(), unix.F_OFD_GETLK, &l); err != nil {
		return false, fmt.Errorf("look whether the holder lives: %w", os.NewSyscallError("fcntl", err))
	}
	return l.Type != unix.F_UNLCK, nil
}

const (
	futexOpWait = 0 // without FUTEX_PRIVATE_FLAG: across processes
	futexOpWake = 1
)

// futexWait sleeps while the word is value, until it is woken or the time is
// over. It may return early.
func futexWait(word *atomic.Uint32, value uint32, most time.Duration) error {
	t := unix.NsecToTimespec(int64(most))
	_, _, e := unix.Syscall6(unix.SYS_FUTEX, uintptr(unsafe.Pointer(word)), futexOpWait, uintptr(value), uintptr(unsafe.Pointer(&t)), 0, 0)
	runtime.KeepAlive(&t)
	switch e {
	case 0, unix.EAGAIN, unix.EINTR, unix.ETIMEDOUT:
		return nil
	}
	return os.NewSyscallError("futex", e)
}

func futexWake(word *atomic.Uint32) {
	unix.Syscall6(unix.SYS_FUTEX, uintptr(unsafe.Pointer(word)), futexOpWake, 1, 0, 0, 0)
}
