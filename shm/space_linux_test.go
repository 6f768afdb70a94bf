package shm

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"runtime/debug"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// notTested says that the machine does not let a test run. go test shows that
// in this directory and with -v; in a soak it is a failure.
func notTested(t *testing.T, why string) {
	t.Helper()
	if os.Getenv("WEFT_SOAK") != "" {
		t.Fatalf("not tested: %s", why)
	}
	fmt.Fprintf(os.Stderr, "NOT TESTED: %s: %s\n", t.Name(), why)
	t.Skip(why)
}

// inside runs a child in a mount namespace of its own, where it may mount what
// nobody else sees.
func inside(t *testing.T, name string, args ...string) *exec.Cmd {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(exe, args...)
	cmd.Env = childEnvironment(name)
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNS, Pdeathsig: syscall.SIGKILL}
	if os.Getuid() != 0 {
		cmd.SysProcAttr.Cloneflags |= syscall.CLONE_NEWUSER
		cmd.SysProcAttr.UidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getuid(), Size: 1}}
		cmd.SysProcAttr.GidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getgid(), Size: 1}}
	}
	return cmd
}

// smallShm mounts 4 MiB on /dev/shm.
func smallShm() error {
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return fmt.Errorf("%w: make mounts private: %w", errNotPermitted, err)
	}
	if err := unix.Mount("weft", "/dev/shm", "tmpfs", 0, "size=4m"); err != nil {
		return fmt.Errorf("%w: mount a tmpfs: %w", errNotPermitted, err)
	}
	return nil
}

var errNotPermitted = errors.New("not permitted here")

func usedInShm() (int64, error) {
	var st unix.Statfs_t
	err := unix.Statfs("/dev/shm", &st)
	return int64(st.Blocks-st.Bfree) * int64(st.Bsize), err
}

func init() {
	children["full"] = func(args []string, in *bufio.Reader) error {
		if err := smallShm(); err != nil {
			return err
		}
		if err := forbidMemfd(unix.ENOSYS); err != nil {
			return err
		}
		// Without taking the memory first, a write ends in SIGBUS. This is
		// what must not happen, and shows that here it would.
		f, err := unlinked("/dev/shm")
		if err != nil {
			return err
		}
		if err := f.Truncate(8 << 20); err != nil {
			return err
		}
		b, err := mapMemory(f, 0, 8<<20, ReadWrite)
		if err != nil {
			return err
		}
		if fault := fillGuarded(b); fault == nil {
			return errors.New("8 MiB went into 4")
		}
		if err := errors.Join(unmap(b), f.Close()); err != nil {
			return err
		}

		if _, err := Make[byte](8 << 20); !errors.Is(err, ErrFull) || !strings.Contains(err.Error(), "/dev/shm") {
			return fmt.Errorf("8 MiB in 4: %v", err)
		}
		if _, err := Copy(make([]byte, 8<<20)); !errors.Is(err, ErrFull) || !strings.Contains(err.Error(), "/dev/shm") {
			return fmt.Errorf("8 MiB copied into 4: %v", err)
		}
		if used, err := usedInShm(); err != nil || used != 0 {
			return fmt.Errorf("%d bytes stay after a failure: %v", used, err)
		}
		// Up to the brim, all that Make gave can be written.
		var all []*Slice[byte]
		for {
			s, err := Make[byte](1<<20 - headerSize)
			if err != nil {
				if !errors.Is(err, ErrFull) {
					return err
				}
				break
			}
			if fault := fillGuarded(s.Slice()); fault != nil {
				return fmt.Errorf("segment %d: %v", len(all), fault)
			}
			all = append(all, s)
		}
		if len(all) < 3 {
			return fmt.Errorf("%d MiB of 4", len(all))
		}
		for _, s := range all {
			s.Close()
		}
		if used, err := usedInShm(); err != nil || used != 0 {
			return fmt.Errorf("%d bytes stay after closing: %v", used, err)
		}

		// The same for a file with holes, and for a new one.
		path := "/dev/shm/file"
		if err := errors.Join(os.WriteFile(path, nil, 0o600), os.Truncate(path, 8<<20)); err != nil {
			return err
		}
		if _, err := MapFile[byte](path, ReadWrite); !errors.Is(err, ErrFull) {
			return fmt.Errorf("a file with holes: %v", err)
		}
		if _, err := MapFile[byte](path, Create, Length(8<<20)); !errors.Is(err, ErrFull) {
			return fmt.Errorf("a new file: %v", err)
		}
		if used, err := usedInShm(); err != nil || used > 1<<20 {
			return fmt.Errorf("%d bytes stay after a failure: %v", used, err)
		}
		return nil
	}
	// squat: makes memory for ever.
	children["squat"] = func(args []string, in *bufio.Reader) error {
		if err := forbidMemfd(unix.EPERM); err != nil {
			return err
		}
		fmt.Println("ready")
		for i := 0; ; i++ {
			s, err := Make[byte](1 << 20)
			if err != nil {
				return err
			}
			s.Slice()[i%1000] = 1
			s.Close()
		}
	}
	children["killed"] = func(args []string, in *bufio.Reader) error {
		if err := smallShm(); err != nil {
			return err
		}
		exe, err := os.Executable()
		if err != nil {
			return err
		}
		n, _ := strconv.Atoi(args[0])
		random := rand.New(rand.NewPCG(3, 4))
		held := 0
		for range n {
			cmd := exec.Command(exe)
			cmd.Env = childEnvironment("squat")
			out, err := cmd.StdoutPipe()
			if err != nil {
				return err
			}
			if err := cmd.Start(); err != nil {
				return err
			}
			if _, err := bufio.NewReader(out).ReadString('\n'); err != nil {
				return err
			}
			time.Sleep(time.Duration(random.IntN(3000)) * time.Microsecond)
			if used, _ := usedInShm(); used > 0 {
				held++
			}
			cmd.Process.Kill()
			cmd.Wait()
			names, err := os.ReadDir("/dev/shm")
			if err != nil {
				return err
			}
			for begin := time.Now(); ; time.Sleep(time.Millisecond) {
				used, err := usedInShm()
				if err == nil && used == 0 && len(names) == 0 {
					break
				}
				if time.Since(begin) > time.Second {
					return fmt.Errorf("a second after the kill there are %d bytes and %v: %v", used, names, err)
				}
			}
		}
		fmt.Println(held, "of", n, "kills found memory in use")
		if held == 0 {
			return errors.New("no kill came while memory was in use")
		}
		return nil
	}
}

// fillGuarded writes all of b and returns the fault that ends it.
func fillGuarded(b []byte) (fault any) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() { fault = recover() }()
	for i := range b {
		b[i] = 1
	}
	return nil
}

// forbidMemfd has memfd_create fail in this process from now on, as a
// container's filter does, or an old kernel.
func forbidMemfd(errno syscall.Errno) error {
	const (
		load   = unix.BPF_LD | unix.BPF_W | unix.BPF_ABS
		equal  = unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K
		answer = unix.BPF_RET | unix.BPF_K
	)
	filter := []unix.SockFilter{
		{Code: load, K: 0}, // the number of the call
		{Code: equal, K: unix.SYS_MEMFD_CREATE, Jf: 1},
		{Code: answer, K: unix.SECCOMP_RET_ERRNO | uint32(errno)},
		{Code: answer, K: unix.SECCOMP_RET_ALLOW},
	}
	prog := unix.SockFprog{Len: uint16(len(filter)), Filter: &filter[0]}
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		return fmt.Errorf("%w: no new privileges: %w", errNotPermitted, err)
	}
	// For all threads, this one included.
	if _, _, e := unix.Syscall(unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER, unix.SECCOMP_FILTER_FLAG_TSYNC, uintptr(unsafe.Pointer(&prog))); e != 0 {
		return fmt.Errorf("%w: a filter: %w", errNotPermitted, e)
	}
	if fd, err := unix.MemfdCreate("x", unix.MFD_CLOEXEC); err == nil {
		unix.Close(fd)
		return errors.New("the filter does not filter")
	}
	return nil
}

// run runs a child that may find out that it is not permitted what it needs.
func run(t *testing.T, cmd *exec.Cmd) string {
	t.Helper()
	out, err := cmd.CombinedOutput()
	if errors.Is(err, syscall.EPERM) || errors.Is(err, syscall.ENOSYS) || strings.Contains(string(out), errNotPermitted.Error()) {
		notTested(t, fmt.Sprintf("%v %s", err, out))
	}
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	return strings.TrimSpace(string(out))
}

func TestShmFull(t *testing.T) {
	t.Parallel()
	run(t, inside(t, "full"))
}

// kill -9 at random moments leaves nothing. The memory is in a file system of
// its own here, which is empty again within a second.
func TestKillsLeaveNothing(t *testing.T) {
	t.Parallel()
	n := 30
	if os.Getenv("WEFT_SOAK") != "" {
		n = 2000
	}
	t.Log(run(t, inside(t, "killed", strconv.Itoa(n))))
}

func init() {
	children["no memfd"] = func(args []string, in *bufio.Reader) error {
		number, _ := strconv.Atoi(args[0])
		if err := forbidMemfd(syscall.Errno(number)); err != nil {
			return err
		}
		s, err := Make[guarded](10)
		if err != nil {
			return err
		}
		name, err := os.Readlink(fmt.Sprintf("/proc/self/fd/%d", s.seg.rw.Fd()))
		if err != nil || !strings.HasPrefix(name, args[1]) || !strings.HasSuffix(name, "(deleted)") {
			return fmt.Errorf("it is %s in place of a nameless file in %s: %v", name, args[1], err)
		}
		if info, err := s.seg.rw.Stat(); err != nil || info.Mode().Perm() != 0o600 {
			return fmt.Errorf("%v %v", info.Mode(), err)
		}
		// It works as memory of memfd_create does, except for Freeze.
		if orphaned, err := s.Slice()[9].Mu.Lock(context.Background()); err != nil || orphaned {
			return fmt.Errorf("%v %v", orphaned, err)
		}
		s.Slice()[9].Mu.Unlock()
		s.Slice()[9].A = 4
		if err := s.Freeze(); !errors.Is(err, ErrUnsupported) {
			return err
		}
		r := foreign(s, ReadOnly)
		f, err := reopenReadOnly(s.seg.rw)
		if err != nil {
			return err
		}
		if err := r.Accept(f); err != nil {
			return err
		}
		o, err := Handle[guarded]{ref: r}.Open()
		if err != nil {
			return err
		}
		if o.Slice()[9].A != 4 {
			return errors.New("other memory")
		}
		if err := o.Guard(func(g []guarded) error { g[0].A = 1; return nil }); !errors.Is(err, ErrReadOnly) {
			return fmt.Errorf("writing what is read-only: %v", err)
		}
		return errors.Join(o.Close(), Forget(r.ID()), s.Close())
	}
}

func TestWithoutMemfd(t *testing.T) {
	t.Parallel()
	for _, errno := range []syscall.Errno{unix.ENOSYS, unix.EPERM} {
		t.Run(errno.Error(), func(t *testing.T) {
			t.Parallel()
			exe, err := os.Executable()
			if err != nil {
				t.Fatal(err)
			}
			cmd := exec.Command(exe, strconv.Itoa(int(errno)), "/dev/shm/")
			cmd.Env = childEnvironment("no memfd")
			run(t, cmd)
		})
	}
}

func TestUnlinkedElsewhere(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	f, err := makeUnlinked(1<<20, nil, filepath.Join(dir, "missing"), dir)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if name, err := os.Readlink(fmt.Sprintf("/proc/self/fd/%d", f.Fd())); err != nil || !strings.HasPrefix(name, dir) {
		t.Errorf("%s %v", name, err)
	}
	if names, err := os.ReadDir(dir); err != nil || len(names) != 0 {
		t.Errorf("%v %v", names, err)
	}
	_, err = makeUnlinked(1<<20, nil, filepath.Join(dir, "missing"))
	wantError(t, err, os.ErrNotExist, "memfd_create is not permitted", "missing")
}

func init() {
	// limits: what happens when the process may have little.
	children["files of 1 MiB"] = func(args []string, in *bufio.Reader) error {
		if err := unix.Setrlimit(unix.RLIMIT_FSIZE, &unix.Rlimit{Cur: 1 << 20, Max: 1 << 20}); err != nil {
			return err
		}
		if _, err := Make[byte](2 << 20); !errors.Is(err, ErrFull) || !strings.Contains(err.Error(), "ulimit -f") {
			return fmt.Errorf("memory: %v", err)
		}
		if _, err := MapFile[byte](args[0], Create, Length(2<<20)); !errors.Is(err, ErrFull) || !strings.Contains(err.Error(), "ulimit -f") {
			return fmt.Errorf("file: %v", err)
		}
		s, err := Make[byte](1 << 19)
		if err != nil {
			return err
		}
		return s.Close()
	}
	children["64 descriptors"] = func(args []string, in *bufio.Reader) error {
		if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &unix.Rlimit{Cur: 64, Max: 64}); err != nil {
			return err
		}
		var all []*Slice[byte]
		for {
			s, err := Make[byte](1)
			if err == nil {
				if all = append(all, s); len(all) > 64 {
					return errors.New("no limit")
				}
				continue
			}
			if !errors.Is(err, unix.EMFILE) || !strings.Contains(err.Error(), "ulimit -n") {
				return err
			}
			break
		}
		if _, err := all[0].Handle(ReadOnly).Ref().File(); !errors.Is(err, unix.EMFILE) || !strings.Contains(err.Error(), "ulimit -n") {
			return fmt.Errorf("File: %v", err)
		}
		for _, s := range all {
			if err := s.Close(); err != nil {
				return err
			}
		}
		s, err := Make[byte](1)
		if err != nil {
			return fmt.Errorf("after closing: %w", err)
		}
		return s.Close()
	}
}

func TestLimits(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"files of 1 MiB", "64 descriptors"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			exe, err := os.Executable()
			if err != nil {
				t.Fatal(err)
			}
			cmd := exec.Command(exe, filepath.Join(t.TempDir(), "file"))
			cmd.Env = childEnvironment(name)
			run(t, cmd)
		})
	}
}

func init() {
	children["in a cgroup"] = func(args []string, in *bufio.Reader) error {
		in.ReadString('\n') // when it is in the cgroup
		if _, err := Make[byte](256 << 20); !errors.Is(err, ErrFull) || !strings.Contains(err.Error(), "cgroup") {
			return fmt.Errorf("256 MiB in a cgroup of 128: %v", err)
		}
		s, err := Make[byte](48 << 20)
		if err != nil {
			return err
		}
		if fault := fillGuarded(s.Slice()); fault != nil {
			return fmt.Errorf("%v", fault)
		}
		fmt.Println("fine")
		return s.Close()
	}
}

// More than the machine has is refused before anything is taken. It is not
// tried with Make: if it went wrong, the machine would be full.
func TestMoreThanThereIs(t *testing.T) {
	t.Parallel()
	wantError(t, roomFor(1<<50), ErrFull, "GiB")
	wantError(t, fitsMachine(1<<50), ErrFull, "the machine has")
	if err := errors.Join(roomFor(1<<20), fitsMachine(1<<20)); err != nil {
		t.Error(err)
	}
}

// In a memory cgroup the kernel kills whoever asks for too much; Make must ask
// before.
func TestMemoryCgroup(t *testing.T) {
	t.Parallel()
	dir, limit := "", ""
	for _, c := range []struct{ parent, limit string }{
		{"/sys/fs/cgroup/memory", "memory.limit_in_bytes"},
		{"/sys/fs/cgroup", "memory.max"},
	} {
		d := filepath.Join(c.parent, fmt.Sprintf("weft-test-%d", os.Getpid()))
		if err := os.Mkdir(d, 0o755); err != nil {
			continue
		}
		if err := os.WriteFile(filepath.Join(d, c.limit), []byte(strconv.Itoa(128<<20)), 0o644); err != nil {
			os.Remove(d)
			continue
		}
		dir, limit = d, c.limit
		break
	}
	if dir == "" {
		notTested(t, "no memory cgroup can be made")
	}
	t.Log(dir, limit)
	c := start(t, "in a cgroup", nil)
	t.Cleanup(func() {
		within(t, 5*time.Second, "the cgroup is removed", func() bool { return os.Remove(dir) == nil })
	})
	if err := os.WriteFile(filepath.Join(dir, "cgroup.procs"), []byte(strconv.Itoa(c.cmd.Process.Pid)), 0o644); err != nil {
		c.kill()
		c.wait()
		notTested(t, err.Error())
	}
	c.send("go")
	if got := c.line(); got != "fine" {
		t.Error(got)
	}
	c.done()
}
