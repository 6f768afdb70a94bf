//go:build linux

package proc_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/weft-go/weft"
	"github.com/weft-go/weft/proc"
	"github.com/weft-go/weft/shm"
)

// The two sides of a pool are one build. Here they are not: the worker's
// program was linked with another value of one variable.
func TestAnotherBuild(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("builds four programs")
	}
	for name, flags := range map[string]string{"build IDs": "", "no build IDs": "-s -w -buildid="} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			var exes [2]string
			for i := range exes {
				exes[i] = filepath.Join(dir, fmt.Sprint("build", i))
				cmd := exec.Command("go", "build", "-o", exes[i], "-ldflags", fmt.Sprintf("%s -X main.version=v%d", flags, i), "./testdata/build")
				if out, err := cmd.CombinedOutput(); err != nil {
					t.Fatalf("%v: %s", err, out)
				}
			}
			for _, other := range []string{"", exes[0], exes[1]} {
				cmd := exec.Command(exes[0])
				cmd.Env = append(os.Environ(), "OTHER="+other)
				out, err := cmd.Output()
				switch got := string(out); {
				case other != exes[1]:
					if err != nil || got != "started v0\n" {
						t.Errorf("the same build: %v: %s", err, got)
					}
				case err == nil || !strings.Contains(got, "the executable has changed under the running program; start it again"):
					t.Errorf("another build: %v: %s", err, got)
				}
			}
		})
	}
}

var errNotPermitted = errors.New("not permitted here")

// notTested says that the machine does not let a test run. go test -v shows
// that; in a soak it is a failure.
func notTested(t *testing.T, why string) {
	t.Helper()
	if soak {
		t.Fatalf("not tested: %s", why)
	}
	fmt.Fprintf(os.Stderr, "NOT TESTED: %s: %s\n", t.Name(), why)
	t.Skip(why)
}

func init() {
	// full has no memfd_create, and a /dev/shm of 4 MiB.
	roles["full"] = func() int {
		if err := errors.Join(smallShm(), forbidMemfd()); err != nil {
			fmt.Println(err)
			return 1
		}
		ctx := context.Background()
		p, err := proc.Start(ctx, proc.Config{Workers: 2, Stderr: io.Discard})
		if err != nil {
			fmt.Println(err)
			return 1
		}
		defer p.Close() //nolint:errcheck // always nil
		return bigSlices(ctx, p)
	}
	// nothing has no memfd_create, and no /dev/shm.
	roles["nothing"] = func() int {
		if err := errors.Join(smallShm(), forbidMemfd(), unix.Mount("", "/dev/shm", "", unix.MS_REMOUNT|unix.MS_RDONLY, "")); err != nil {
			fmt.Println(err)
			return 1
		}
		_, err := proc.Start(context.Background(), proc.Config{Workers: 2, Stderr: io.Discard})
		fmt.Println(err)
		return 0
	}
	// short may not write files of more than 64 KiB.
	roles["short"] = func() int {
		if err := unix.Setrlimit(unix.RLIMIT_FSIZE, &unix.Rlimit{Cur: 64 << 10, Max: 64 << 10}); err != nil {
			fmt.Println(err)
			return 1
		}
		ctx := context.Background()
		p, err := proc.Start(ctx, proc.Config{Workers: 2, Stderr: io.Discard})
		if err != nil {
			fmt.Println(err)
			return 1
		}
		defer p.Close() //nolint:errcheck // always nil
		return bigSlices(ctx, p)
	}
}

// bigSlices sends and gets slices that there is no shared memory for.
func bigSlices(ctx context.Context, p *proc.Pool) int {
	items := make([]part, 8)
	for i := range items {
		items[i] = part{Numbers: make([]float64, 1<<20), Lo: 0, Hi: 1 << 20}
		items[i].Numbers[i] = float64(i)
	}
	sums, err := weft.Map(ctx, items, sumNumbers, weft.On(p), isolated)
	if err != nil {
		fmt.Println(err)
		return 1
	}
	for i, v := range sums {
		if v != float64(i) {
			fmt.Println("the sum of", i, "is", v)
			return 1
		}
	}
	back, err := weft.Map(ctx, []int{1 << 20, 1 << 20, 1 << 20}, upTo, weft.On(p), isolated)
	if err != nil || back[2][1<<20-1] != 1<<20-1 {
		fmt.Println("results:", err)
		return 1
	}
	if _, err := weft.Map(ctx, []int{8 << 20}, makeShared, weft.On(p), isolated); err == nil || !strings.Contains(err.Error(), shm.ErrFull.Error()) {
		fmt.Println("shm.Make in a worker:", err)
		return 1
	}
	fmt.Println("fine")
	return 0
}

var _ = weft.Register(upTo)

func upTo(_ context.Context, n int) ([]float64, error) {
	s := make([]float64, n)
	for i := range s {
		s[i] = float64(i)
	}
	return s, nil
}

// Where there is no shared memory, large slices are copied through the socket.
func TestNoSharedMemory(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]string{"full": "fine", "short": "fine", "nothing": "and a file in /dev/shm instead: read-only file system"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cmd := exec.Command(os.Args[0])
			cmd.Env = append(os.Environ(), role+"="+name)
			cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNS, Pdeathsig: syscall.SIGKILL}
			if os.Getuid() != 0 {
				cmd.SysProcAttr.Cloneflags |= syscall.CLONE_NEWUSER
				cmd.SysProcAttr.UidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getuid(), Size: 1}}
				cmd.SysProcAttr.GidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getgid(), Size: 1}}
			}
			out, err := cmd.CombinedOutput()
			if errors.Is(err, syscall.EPERM) || errors.Is(err, syscall.ENOSYS) || strings.Contains(string(out), errNotPermitted.Error()) {
				notTested(t, fmt.Sprintf("%v %s", err, out))
			}
			if !strings.Contains(string(out), want) {
				t.Errorf("%v: %s", err, out)
			}
		})
	}
}

// smallShm mounts 4 MiB on /dev/shm, in this process's own namespace.
func smallShm() error {
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return fmt.Errorf("%w: make mounts private: %w", errNotPermitted, err)
	}
	if err := unix.Mount("weft", "/dev/shm", "tmpfs", 0, "size=4m"); err != nil {
		return fmt.Errorf("%w: mount a tmpfs: %w", errNotPermitted, err)
	}
	return nil
}

// forbidMemfd has memfd_create fail in this process and those below it, as a
// container's filter does.
func forbidMemfd() error {
	filter := []unix.SockFilter{
		{Code: unix.BPF_LD | unix.BPF_W | unix.BPF_ABS}, // the number of the call
		{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, K: unix.SYS_MEMFD_CREATE, Jf: 1},
		{Code: unix.BPF_RET | unix.BPF_K, K: unix.SECCOMP_RET_ERRNO | uint32(unix.EPERM)},
		{Code: unix.BPF_RET | unix.BPF_K, K: unix.SECCOMP_RET_ALLOW},
	}
	prog := unix.SockFprog{Len: uint16(len(filter)), Filter: &filter[0]}
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		return fmt.Errorf("%w: no new privileges: %w", errNotPermitted, err)
	}
	if _, _, e := unix.Syscall(unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER, unix.SECCOMP_FILTER_FLAG_TSYNC, uintptr(unsafe.Pointer(&prog))); e != 0 {
		return fmt.Errorf("%w: a filter: %w", errNotPermitted, e)
	}
	if fd, err := unix.MemfdCreate("x", unix.MFD_CLOEXEC); err == nil {
		_ = unix.Close(fd)
		return errors.New("the filter does not filter")
	}
	return nil
}
