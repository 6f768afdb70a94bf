//go:build cgo && linux

package frame

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// again runs the test that calls it in a process of its own, which attr is
// for. In that process child is true. What the system does not permit is told.
func again(t *testing.T, attr *syscall.SysProcAttr) (child bool) {
	t.Helper()
	const name = "WEFT_FRAME_CHILD"
	if os.Getenv(name) == t.Name() {
		return true
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), self, "-test.run=^"+t.Name()+"$", "-test.v")
	cmd.Env = append(os.Environ(), name+"="+t.Name())
	cmd.SysProcAttr = attr
	out, err := cmd.CombinedOutput()
	switch {
	case errors.Is(err, syscall.EPERM) || strings.Contains(string(out), notPermitted):
		fmt.Fprintf(os.Stderr, "NOT TESTED: %s: the system does not permit it\n", t.Name())
	case err != nil:
		t.Errorf("%v\n%s", err, out)
	case !strings.Contains(string(out), "--- PASS: "+t.Name()):
		t.Errorf("it did not run:\n%s", out)
	}
	return false
}

const notPermitted = "weft test: not permitted"

// A disk that is full ends the query with ErrSpill, and the engine goes on.
func TestSpillDiskFull(t *testing.T) {
	t.Parallel()
	attr := &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNS} // its mounts end with it
	if uid := os.Geteuid(); uid != 0 {
		attr.Cloneflags |= syscall.CLONE_NEWUSER
		attr.UidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: uid, Size: 1}}
		attr.GidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getegid(), Size: 1}}
	}
	if !again(t, attr) {
		return
	}
	disk := t.TempDir()
	if err := errors.Join(syscall.Mount("none", "/", "", syscall.MS_REC|syscall.MS_PRIVATE, ""), syscall.Mount("weft", disk, "tmpfs", 0, "size=24m")); err != nil {
		fmt.Println(notPermitted, err)
		return
	}
	defer func() { _ = syscall.Unmount(disk, syscall.MNT_DETACH) }()
	e := open(t, Config{MemoryLimit: 64 * mib, Threads: 2, SpillDir: filepath.Join(disk, "spill"), MaxSpill: -1})
	n := 0
	var err error
	for _, e := range Rows[struct{ I, H uint64 }](t.Context(), series("8000000").On(e).Sort("h")) {
		if err = e; err != nil {
			break
		}
		n++
	}
	if !errors.Is(err, ErrSpill) || !strings.Contains(err.Error(), "Config.SpillDir") {
		t.Errorf("after %d rows: %v", n, err)
	}
	var s syscall.Statfs_t
	if err := syscall.Statfs(disk, &s); err != nil || s.Bfree*10 < s.Blocks*9 {
		t.Errorf("%d of %d blocks are free after it, %v", s.Bfree, s.Blocks, err)
	}
	if _, err := items().On(e).Count(t.Context()); err != nil {
		t.Errorf("after it: %v", err)
	}
	// A result that does not fit is an error as well, and leaves nothing.
	err = series("8000000").On(e).WriteParquet(t.Context(), filepath.Join(disk, "x.parquet"))
	if !errors.Is(err, ErrSpill) && (err == nil || !strings.Contains(err.Error(), "No space left")) {
		t.Errorf("a result: %v", err)
	}
	if err := e.Close(); err != nil || len(files(t, disk)) != 0 {
		t.Errorf("%v, left %v", err, files(t, disk))
	}
}

// Who may not read or write is told which file it is.
func TestNoPermission(t *testing.T) {
	t.Parallel()
	if !again(t, nil) {
		return
	}
	if os.Geteuid() == 0 { // root may do all
		const nobody = 65534
		if err := errors.Join(syscall.Setgroups(nil), syscall.Setgid(nobody), syscall.Setuid(nobody)); err != nil {
			fmt.Println(notPermitted, err)
			return
		}
	}
	dir, err := os.MkdirTemp("", "weft-test-")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = os.RemoveAll(dir) }()
	ok, locked, shut := filepath.Join(dir, "ok.csv"), filepath.Join(dir, "locked.csv"), filepath.Join(dir, "shut")
	if err := errors.Join(os.WriteFile(ok, []byte("a\n1\n"), 0o600), os.WriteFile(locked, []byte("a\n2\n"), 0), os.Mkdir(shut, 0o500)); err != nil {
		t.Fatal(err)
	}
	if got := cells(t, ReadCSV(ok)); got != "a\n1" {
		t.Error(got)
	}
	for name, f := range map[string]*Frame{"one": ReadCSV(locked), "all": ReadCSV(filepath.Join(dir, "*.csv")), "parquet": ReadParquet(locked), "json": ReadJSON(locked)} {
		if n, err := f.Count(t.Context()); err == nil || !strings.Contains(err.Error(), "locked.csv") || !strings.Contains(strings.ToLower(err.Error()), "permission denied") {
			t.Errorf("%s: %d, %v", name, n, err)
		}
	}
	if err := ReadCSV(ok).WriteCSV(t.Context(), filepath.Join(shut, "x.csv")); !errors.Is(err, os.ErrPermission) || len(files(t, shut)) != 0 {
		t.Errorf("writing: %v", err)
	}
	if e, err := Open(Config{SpillDir: filepath.Join(shut, "spill")}); !errors.Is(err, os.ErrPermission) || !strings.Contains(err.Error(), "Config.SpillDir") {
		t.Errorf("spilling: %v, %v", e, err)
	}
}
