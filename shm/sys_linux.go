package shm

import (
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"strconv"

	"github.com/weft-go/weft/internal/memory"
	"golang.org/x/sys/unix"
)

// makeMemory makes size bytes of memory that is there, a header and then
// content, or zeros: two descriptors, to write and to read, the second nil where
// it can be got from the first.
func makeMemory(size int64, content []byte) (rw, ro *os.File, err error) {
	if err := roomFor(size); err != nil {
		return nil, nil, err
	}
	rw, err = makeMemfd(size, content)
	if errors.Is(err, errNoMemfd) {
		rw, err = makeUnlinked(size, content, "/dev/shm", os.TempDir())
	}
	return rw, nil, err
}

// fill gets the memory behind f. What is written whole need not be zero first,
// and is not touched twice.
func fill(f *os.File, size int64, content []byte) error {
	if content == nil {
		return allocate(f, 0, size, 0)
	}
	if err := allocate(f, 0, headerSize, 0); err != nil {
		return err
	}
	return writeAll(f, headerSize, content)
}

// populate has the kernel enter all pages of b in the page table at once, which
// takes a third of the time of so many page faults. Before Linux 5.14 it does
// nothing.
func populate(b []byte) { unix.Madvise(b, unix.MADV_POPULATE_WRITE) }

// roomMatters is the size from which available memory is looked at, which
// takes some 100 µs.
const roomMatters = 1 << 20

// roomFor refuses what would not fit, where the kernel would not: past the
// limit of a memory cgroup it does not fail the call, it kills a process.
func roomFor(size int64) error {
	var l unix.Rlimit
	// Past this limit the kernel sends SIGXFSZ, which ends a Go program.
	if err := unix.Getrlimit(unix.RLIMIT_FSIZE, &l); err == nil && l.Cur != math.MaxUint64 && uint64(size) > l.Cur {
		return fmt.Errorf("%w: files of this process may have %d bytes (RLIMIT_FSIZE, ulimit -f) and it is %d", ErrFull, l.Cur, size)
	}
	if size < roomMatters {
		return nil
	}
	if err := fitsMachine(size); err != nil {
		return err
	}
	// GOMEMLIMIT is about Go's own memory, which this is not.
	if room, source := memory.Available(); size > room && source != "GOMEMLIMIT" {
		return fmt.Errorf("%w: %s is available (%s)", ErrFull, bytesText(room), source)
	}
	return nil
}

// fitsMachine refuses what the machine could never hold. It needs no /proc,
// without which the memory that is available is not known, and the kernel would
// hand out pages until it has to kill.
func fitsMachine(size int64) error {
	var s unix.Sysinfo_t
	if err := unix.Sysinfo(&s); err != nil {
		return nil
	}
	if total := uint64(s.Totalram) * uint64(s.Unit); uint64(size) > total {
		return fmt.Errorf("%w: the machine has %s", ErrFull, bytesText(int64(total)))
	}
	return nil
}

// errNoMemfd: the kernel is older than 3.17, or a filter forbids the call.
var errNoMemfd = errors.New("no memfd_create")

func makeMemfd(size int64, content []byte) (*os.File, error) {
	const flags = unix.MFD_CLOEXEC | unix.MFD_ALLOW_SEALING
	fd, err := unix.MemfdCreate("weft", flags|unix.MFD_NOEXEC_SEAL)
	if err == unix.EINVAL { // before Linux 6.3
		fd, err = unix.MemfdCreate("weft", flags)
	}
	switch err {
	case nil:
	case unix.ENOSYS, unix.EPERM, unix.EACCES, unix.EINVAL:
		return nil, errNoMemfd
	default:
		return nil, descriptorError(os.NewSyscallError("memfd_create", err))
	}
	f := os.NewFile(uintptr(fd), "shared memory")
	if err := fill(f, size, content); err != nil {
		f.Close()
		return nil, err
	}
	// Nobody can make it shorter now, so no access can end in SIGBUS.
	if _, err := unix.FcntlInt(f.Fd(), unix.F_ADD_SEALS, unix.F_SEAL_SHRINK|unix.F_SEAL_GROW); err != nil {
		f.Close()
		return nil, errNoMemfd
	}
	return f, nil
}

// makeUnlinked makes a file that has no name, in the first directory that
// works. A full one is not passed over: the next may be a disk.
func makeUnlinked(size int64, content []byte, dirs ...string) (*os.File, error) {
	var failed []error
	for _, dir := range dirs {
		f, err := unlinked(dir)
		if err != nil {
			failed = append(failed, err)
			continue
		}
		if err := fill(f, size, content); err != nil {
			f.Close()
			return nil, fmt.Errorf("in %s: %w", dir, err)
		}
		return f, nil
	}
	return nil, fmt.Errorf("memfd_create is not permitted, and no directory takes a file: %w", errors.Join(failed...))
}

func unlinked(dir string) (*os.File, error) {
	fd, err := unix.Open(dir, unix.O_TMPFILE|unix.O_EXCL|unix.O_RDWR|unix.O_CLOEXEC, 0o600)
	switch err {
	case nil:
		return os.NewFile(uintptr(fd), "shared memory in "+dir), nil
	case unix.EOPNOTSUPP, unix.EISDIR, unix.EINVAL: // no O_TMPFILE here
	default:
		return nil, descriptorError(&fs.PathError{Op: "open", Path: dir, Err: err})
	}
	f, err := os.CreateTemp(dir, "weft-shm-*")
	if err != nil {
		return nil, err
	}
	if err := os.Remove(f.Name()); err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}

func descriptorError(err error) error {
	if errors.Is(err, unix.EMFILE) || errors.Is(err, unix.ENFILE) {
		return fmt.Errorf("%w; each segment takes a descriptor: close some, make fewer and larger ones, or raise ulimit -n", err)
	}
	return err
}

// step is how much is allocated at a time. A signal interrupts fallocate on
// shared memory and undoes it, so each call must be short.
const step = 8 << 20

// allocate has the system give size bytes from start on.
func allocate(f *os.File, start, size int64, mode uint32) error {
	for done := int64(0); done < size; {
		n := min(step, size-done)
		switch err := unix.Fallocate(int(f.Fd()), mode, start+done, n); err {
		case nil:
			done += n
		case unix.EINTR:
		case unix.ENOSPC, unix.EDQUOT, unix.ENOMEM:
			return fmt.Errorf("%w: the system gave %s of %s: %w", ErrFull, bytesText(done), bytesText(size), err)
		case unix.EOPNOTSUPP, unix.ENOSYS:
			if mode&unix.FALLOC_FL_KEEP_SIZE != 0 {
				return nil // holes stay holes
			}
			return writeZeros(f, start+done, size-done)
		default:
			return os.NewSyscallError("fallocate", err)
		}
	}
	return nil
}

// reserve takes disk space for a part of a file, and makes the file as long
// if it is to grow.
func reserve(f *os.File, start, size int64, grow bool) error {
	if !grow {
		return allocate(f, start, size, unix.FALLOC_FL_KEEP_SIZE)
	}
	var l unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_FSIZE, &l); err == nil && l.Cur != math.MaxUint64 && uint64(start+size) > l.Cur {
		return fmt.Errorf("%w: files of this process may have %d bytes (RLIMIT_FSIZE, ulimit -f) and it is %d", ErrFull, l.Cur, start+size)
	}
	return allocate(f, 0, start+size, 0)
}

// reopenReadOnly returns a descriptor of the same file that can't write.
func reopenReadOnly(f *os.File) (*os.File, error) {
	r, err := os.Open("/proc/self/fd/" + strconv.Itoa(int(f.Fd())))
	if err != nil {
		return nil, fmt.Errorf("shm: a descriptor that only reads needs /proc: %w", descriptorError(err))
	}
	return r, nil
}

func frozen(f *os.File) bool {
	seals, err := unix.FcntlInt(f.Fd(), unix.F_GET_SEALS, 0)
	return err == nil && seals&(unix.F_SEAL_FUTURE_WRITE|unix.F_SEAL_WRITE) != 0
}

func freeze(f *os.File) error {
	switch _, err := unix.FcntlInt(f.Fd(), unix.F_ADD_SEALS, unix.F_SEAL_FUTURE_WRITE); err {
	case nil:
		return nil
	case unix.EINVAL, unix.EPERM:
		return fmt.Errorf("%w: it needs memory of memfd_create and Linux 5.1: %w", ErrUnsupported, err)
	default:
		return os.NewSyscallError("fcntl", err)
	}
}

// couldShrink tells whether memory was left unsealed that could be sealed.
func couldShrink(f *os.File) bool {
	seals, err := unix.FcntlInt(f.Fd(), unix.F_GET_SEALS, 0)
	return err == nil && seals&(unix.F_SEAL_SHRINK|unix.F_SEAL_SEAL) == 0
}
