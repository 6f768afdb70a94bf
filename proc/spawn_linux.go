package proc

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// marker is the environment variable that makes this program a worker.
const marker = "WEFT_PROC_WORKER"

// The descriptors that a worker finds.
const (
	dataFD    = 3 // frames; a stream, read and written by turns
	controlFD = 4 // control messages; its end is the parent's
	pageFD    = 5 // the page that both see
)

// page is memory that parent and worker both see: what the worker is at.
type page struct {
	at   atomic.Uint64 // batch<<32 | item+1 within the batch; 0 between batches
	peak atomic.Int64  // the most memory that the worker has held, as it last looked
}

func newPage() (*page, int, error) {
	fd, err := memory("weft-proc-page")
	if err != nil {
		return nil, -1, fmt.Errorf("a page shared with a worker: %w", err)
	}
	if err := unix.Fallocate(fd, 0, 0, int64(os.Getpagesize())); err != nil {
		_ = unix.Close(fd)
		return nil, -1, fmt.Errorf("memory for a page shared with a worker: %w", err)
	}
	p, err := mapPage(fd)
	if err != nil {
		_ = unix.Close(fd)
		return nil, -1, err
	}
	return p, fd, nil
}

func mapPage(fd int) (*page, error) {
	b, err := unix.Mmap(fd, 0, os.Getpagesize(), unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	if err != nil {
		return nil, fmt.Errorf("mmap: %w", err)
	}
	return (*page)(unsafe.Pointer(unsafe.SliceData(b))), nil
}

func (p *page) unmap() {
	_ = unix.Munmap(unsafe.Slice((*byte)(unsafe.Pointer(p)), os.Getpagesize()))
}

// socket is one end of a pair, used with plain blocking system calls: a
// goroutine that waits for a reply is woken by the kernel and not by way of the
// poller, which takes several microseconds less.
//
// Being woken takes some 8 us more where the CPU has gone to sleep. So while
// what it reads keeps coming within spinFor, a socket asks again and again for
// that long before it goes to sleep: a round trip then takes 7 us instead of 22
// (measured on a virtual machine with two CPUs). Between two questions it gives
// its CPU to whoever wants it.
type socket struct {
	fd     int
	once   sync.Once
	crowd  bool // other goroutines have something to do meanwhile
	spins  bool // what is read tends to come soon
	misses int  // questions in vain, in a row
}

const (
	spinFor    = 25 * time.Microsecond
	mostMisses = 3
)

// Read is for one goroutine at a time.
func (s *socket) Read(b []byte) (int, error) {
	if len(b) == 0 {
		return 0, nil
	}
	if s.crowd && !s.spins {
		// A goroutine that waits in the kernel keeps its place in the scheduler
		// for 20 us and more: whoever can run goes first.
		runtime.Gosched()
	}
	if s.spins {
		if n := s.spin(b); n > 0 {
			s.misses = 0
			return n, nil
		}
		if s.misses++; s.misses >= mostMisses {
			s.spins = false
		}
	}
	begun := time.Now()
	for {
		n, err := syscall.Read(s.fd, b)
		switch {
		case err == syscall.EINTR: //nolint:errorlint // system calls return it as it is
			continue
		case err != nil:
			return 0, err
		case n == 0:
			return 0, io.EOF
		}
		if !s.spins && time.Since(begun) < 2*spinFor {
			s.spins, s.misses = true, 0
		}
		return n, nil
	}
}

// spin returns 0 if nothing came.
func (s *socket) spin(b []byte) int {
	for begun := time.Now(); ; {
		n, _, e := unix.RawSyscall6(unix.SYS_RECVFROM, uintptr(s.fd), uintptr(unsafe.Pointer(unsafe.SliceData(b))), uintptr(len(b)), unix.MSG_DONTWAIT, 0, 0)
		switch {
		case e == 0:
			return int(n)
		case e != unix.EAGAIN || time.Since(begun) > spinFor:
			return 0
		}
		if s.crowd {
			// A goroutine that waits in the kernel keeps its place in the
			// scheduler for 20 us and more.
			runtime.Gosched()
		}
		_, _, _ = unix.RawSyscall(unix.SYS_SCHED_YIELD, 0, 0, 0)
	}
}

func (s *socket) Write(b []byte) (int, error) {
	done := 0
	for done < len(b) {
		n, err := unix.SendmsgN(s.fd, b[done:], nil, nil, unix.MSG_NOSIGNAL)
		if err == syscall.EINTR { //nolint:errorlint // system calls return it as it is
			continue
		}
		if err != nil {
			return done, err
		}
		done += n
	}
	return done, nil
}

// shut wakes whoever waits on the socket. The descriptor stays.
func (s *socket) shut() { _ = unix.Shutdown(s.fd, unix.SHUT_RDWR) }

func (s *socket) close() { s.once.Do(func() { _ = unix.Close(s.fd) }) }

func socketpair(typ int) (ours, theirs int, err error) {
	fds, err := unix.Socketpair(unix.AF_UNIX, typ|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return -1, -1, fmt.Errorf("socketpair: %w", err)
	}
	return fds[0], fds[1], nil
}

// spawner starts processes from one thread that lives as long as it does: the
// kernel sends a process its parent-death signal when the thread that started
// it ends, not the process (golang/go#27505).
type spawner struct {
	mu   sync.Mutex
	jobs chan func()
	done chan struct{}
}

func newSpawner() *spawner {
	s := &spawner{jobs: make(chan func()), done: make(chan struct{})}
	go func() {
		defer close(s.done)
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		for f := range s.jobs {
			f()
		}
	}()
	return s
}

func (s *spawner) do(f func()) {
	done := make(chan struct{})
	s.jobs <- func() { f(); close(done) }
	<-done
}

func (s *spawner) stop() {
	close(s.jobs)
	<-s.done
}

// birth is a process just started and this side's ends.
type birth struct {
	proc           *os.Process
	data, control  *socket
	page           *page
	stdout, stderr *os.File
	parentRSS      int64 // what this process held: the child's peak begins there
}

// start starts this program again as a worker. One at a time: it takes twice as
// many descriptors meanwhile as afterwards.
func (s *spawner) start(c *Config, name string) (_ *birth, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var theirs []*os.File
	b := &birth{data: &socket{fd: -1}, control: &socket{fd: -1}}
	defer func() {
		for _, f := range theirs {
			_ = f.Close()
		}
		if err != nil {
			b.abandon()
		}
	}()
	give := func(fd int, what string) { theirs = append(theirs, os.NewFile(uintptr(fd), what)) }
	devNull, err := os.Open(os.DevNull)
	if err != nil {
		return nil, err
	}
	theirs = append(theirs, devNull)
	var w *os.File
	if b.stdout, w, err = os.Pipe(); err != nil {
		return nil, err
	}
	theirs = append(theirs, w)
	if b.stderr, w, err = os.Pipe(); err != nil {
		return nil, err
	}
	theirs = append(theirs, w)
	var fd int
	if b.data.fd, fd, err = socketpair(unix.SOCK_STREAM); err != nil {
		return nil, err
	}
	give(fd, "data")
	if b.control.fd, fd, err = socketpair(unix.SOCK_SEQPACKET); err != nil {
		return nil, err
	}
	give(fd, "control")
	if b.page, fd, err = newPage(); err != nil {
		return nil, err
	}
	give(fd, "page")
	env := append(append(os.Environ(), c.Env...), marker+"="+strconv.Itoa(protocol))
	b.parentRSS = peakRSS("/proc/self/status")
	attr := &os.ProcAttr{
		Dir: c.Dir, Env: env, Files: theirs,
		Sys: &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL},
	}
	s.do(func() {
		// This very program, also if its file has been replaced since.
		b.proc, err = os.StartProcess("/proc/self/exe", []string{os.Args[0], name}, attr)
	})
	if err != nil {
		return nil, fmt.Errorf("starting this program again: %w", err)
	}
	return b, nil
}

// abandon closes this side's ends.
func (b *birth) abandon() {
	for _, f := range []*os.File{b.stdout, b.stderr} {
		if f != nil {
			_ = f.Close()
		}
	}
	for _, s := range []*socket{b.data, b.control} {
		if s.fd >= 0 {
			s.close()
		}
	}
	if b.page != nil {
		b.page.unmap()
	}
}

// build is the fingerprint of the running executable.
var build = sync.OnceValues(func() (string, error) {
	f, err := os.Open("/proc/self/exe")
	if err != nil {
		return "", err
	}
	defer f.Close() //nolint:errcheck // it is only read
	return fingerprint(f)
})

// goNote begins the contents of the ELF note with the build ID, which depends
// on all that went into the program.
var goNote = []byte("\x04\x00\x00\x00Go\x00\x00")

// fingerprint is that of the executable's beginning, where the linker puts the
// build ID, and its size. Of a program that was linked without one
// (-ldflags=-buildid=) it is that of the whole file, which takes some
// milliseconds for each process.
func fingerprint(f *os.File) (string, error) {
	fi, err := f.Stat()
	if err != nil {
		return "", err
	}
	head := make([]byte, 64<<10)
	n, err := io.ReadFull(f, head)
	if err != nil && !errors.Is(err, io.ErrUnexpectedEOF) {
		return "", err
	}
	h := sha256.New()
	fmt.Fprintf(h, "%d %s ", fi.Size(), runtime.Version())
	h.Write(head[:n])
	if !bytes.Contains(head[:n], goNote) {
		if _, err := io.Copy(h, f); err != nil {
			return "", err
		}
	}
	return hex.EncodeToString(h.Sum(nil)[:12]), nil
}
