package memo

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// notTested says that the machine does not let a test run. go test -v shows
// that; in a soak it is a failure.
func notTested(t *testing.T, why string) {
	t.Helper()
	if os.Getenv("WEFT_SOAK") != "" {
		t.Fatalf("not tested: %s", why)
	}
	fmt.Fprintf(os.Stderr, "NOT TESTED: %s: %s\n", t.Name(), why)
	t.Skip(why)
}

func init() {
	children["nobody"] = nobody
	children["full"] = full
}

// started runs a child and fails if it found anything wrong. Its path is the
// one of this process's binary whoever may read that.
func started(t *testing.T, attr *syscall.SysProcAttr, env ...string) string {
	t.Helper()
	cmd := exec.Command("/proc/self/exe")
	cmd.Env = append(append(os.Environ(), "GORACE=atexit_sleep_ms=0"), env...)
	attr.Pdeathsig = syscall.SIGKILL
	cmd.SysProcAttr, cmd.Dir = attr, "/"
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	return strings.TrimSpace(string(out))
}

// nobodyID is the user that owns nothing.
const nobodyID = 65534

// A directory that can't be written is used as it is; results are returned.
// Root may write everywhere, so it has another user try.
func TestNoPermission(t *testing.T) {
	t.Parallel()
	base := t.TempDir()
	cache := filepath.Join(base, "cache")
	c, err := Open(cache, Config{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Wrap(c, double, Version("1"))(t.Context(), 21); err != nil {
		t.Fatal(err)
	}
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	mode := func(dirs, files fs.FileMode) {
		err := filepath.WalkDir(cache, func(name string, d fs.DirEntry, err error) error {
			if err == nil && d.IsDir() {
				return os.Chmod(name, dirs)
			}
			return errors.Join(err, os.Chmod(name, files))
		})
		if err != nil {
			t.Error(err)
		}
	}
	mode(0o555, 0o444)
	t.Cleanup(func() { mode(0o700, 0o600) })
	attr := &syscall.SysProcAttr{}
	if os.Getuid() == 0 {
		attr.Credential = &syscall.Credential{Uid: nobodyID, Gid: nobodyID}
		for _, dir := range []string{base, filepath.Dir(base)} {
			if err := os.Chmod(dir, 0o755); err != nil {
				t.Fatal(err)
			}
		}
	} else if err := os.Chmod(base, 0o555); err != nil {
		t.Fatal(err)
	} else {
		t.Cleanup(func() { _ = os.Chmod(base, 0o700) })
	}
	if out := started(t, attr, "MEMO_TEST_CHILD=nobody", "MEMO_TEST_CACHE="+cache); out != "right" {
		t.Error(out)
	}
}

// nobody uses a cache that it can only read, and tries to make one where it may
// not.
func nobody() int {
	if os.Getuid() == 0 {
		fmt.Println("still root")
		return 1
	}
	cache := os.Getenv("MEMO_TEST_CACHE")
	_, err := Open(filepath.Join(filepath.Dir(cache), "new"), Config{})
	if !errors.Is(err, fs.ErrPermission) || !strings.Contains(err.Error(), "may write to") {
		fmt.Println("a new one:", err)
		return 1
	}
	log := &bytes.Buffer{}
	c, err := Open(cache, Config{Logger: slog.New(slog.NewTextHandler(log, nil))})
	if err != nil {
		fmt.Println("one that is there:", err)
		return 1
	}
	if n := strings.Count(log.String(), "can't be written"); n != 1 {
		fmt.Printf("%d warnings: %s\n", n, log)
		return 1
	}
	var r recorder
	f := Wrap(c, double, Version("1"))
	for _, n := range []int{21, 21, 5, 5} {
		if got, err := f(r.in(context.Background()), n); got != 2*n || err != nil {
			fmt.Println(n, got, err)
			return 1
		}
	}
	if s := c.Stats(); s.Hits != 2 || r.count() != 2 || s.Failed != 0 {
		fmt.Printf("%+v, ran %d times\n", s, r.count())
		return 1
	}
	// Even where the system would refuse each file, it is refused before.
	if _, err := c.Trim(context.Background(), Limits{MaxItems: 1}); err == nil || !strings.Contains(err.Error(), "read only") {
		fmt.Println("trim:", err)
		return 1
	}
	if err := c.Close(); err != nil {
		fmt.Println(err)
		return 1
	}
	fmt.Println("right")
	return 0
}

// A file system that is really full takes no results, which are returned all
// the same, and takes them again when there is room.
func TestFullFileSystem(t *testing.T) {
	t.Parallel()
	attr := &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNS}
	if os.Getuid() != 0 {
		attr.Cloneflags |= syscall.CLONE_NEWUSER
		attr.UidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getuid(), Size: 1}}
		attr.GidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getgid(), Size: 1}}
	}
	probe := exec.Command("/bin/true")
	probe.SysProcAttr = attr
	if err := probe.Run(); err != nil {
		notTested(t, "no mount namespace: "+err.Error())
	}
	for _, size := range []string{"size=512k", "size=64m,nr_inodes=60"} {
		out := started(t, attr, "MEMO_TEST_CHILD=full", "MEMO_TEST_CACHE="+t.TempDir(), "MEMO_TEST_SIZE="+size)
		if why, ok := strings.CutPrefix(out, "not permitted: "); ok {
			notTested(t, why)
		}
		if out != "right" {
			t.Errorf("%s: %s", size, out)
		}
	}
}

func full() int {
	dir := os.Getenv("MEMO_TEST_CACHE")
	err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, "")
	if err == nil {
		err = unix.Mount("memo", dir, "tmpfs", 0, os.Getenv("MEMO_TEST_SIZE"))
	}
	if err != nil {
		fmt.Println("not permitted:", err)
		return 0
	}
	cache := filepath.Join(dir, "cache")
	log := &bytes.Buffer{}
	c, err := Open(cache, Config{Logger: slog.New(slog.NewTextHandler(log, nil))})
	if err != nil {
		fmt.Println(err)
		return 1
	}
	ctx := context.Background()
	f, small := Wrap(c, floats, Version("1")), Wrap(c, double, Version("1"))
	// 8 KB and a few bytes in turn, far more than there is room for.
	round := func() error {
		for i := range 100 {
			if x, err := f(ctx, 1000+i); len(x) != 1000+i || x[999+i] != float64(999+i) || err != nil {
				return fmt.Errorf("%d floats: %w", len(x), err)
			}
			if n, err := small(ctx, i); n != 2*i || err != nil {
				return fmt.Errorf("twice %d is %d: %w", i, n, err)
			}
		}
		return nil
	}
	for range 2 {
		if err := round(); err != nil {
			fmt.Println(err)
			return 1
		}
	}
	s := c.Stats()
	if s.Failed < 50 || s.Hits < 20 || s.Damaged > 0 || !strings.Contains(log.String(), "a result is not kept") || !strings.Contains(log.String(), "no space left") {
		fmt.Printf("full: %+v\n%s\n", s, log)
		return 1
	}
	left, _ := os.ReadDir(filepath.Join(cache, "tmp"))
	v, err := c.Verify(ctx)
	if len(left) > 0 || len(v.Damaged) > 0 {
		fmt.Printf("full: %d temporary files, %+v %v\n", len(left), v, err)
		return 1
	}
	// With room again, all is kept, and counted right.
	if err := unix.Mount("memo", dir, "tmpfs", unix.MS_REMOUNT, "size=64m,nr_inodes=10000"); err != nil {
		fmt.Println(err)
		return 1
	}
	before := c.Stats().Failed
	for range 2 {
		if err := round(); err != nil {
			fmt.Println(err)
			return 1
		}
	}
	if s = c.Stats(); s.Failed != before {
		fmt.Printf("with room again: %+v\n", s)
		return 1
	}
	v, err = c.Verify(ctx)
	if err != nil || v.Items != 200 || len(v.Damaged) > 0 || c.Stats().Items != 200 {
		fmt.Printf("with room again: %+v %v\n", v, err)
		return 1
	}
	if err := c.Close(); err != nil {
		fmt.Println(err)
		return 1
	}
	fmt.Println("right")
	return 0
}
