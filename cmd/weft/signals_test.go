//go:build unix

package main

import (
	"bytes"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// patience is how long a test waits for what must come.
const patience = 30 * time.Second

// proc is a weft that runs, in a process group of its own.
type proc struct {
	t   *testing.T
	cmd *exec.Cmd
	dir string
	out bytes.Buffer
	err watched
	// alive is the end of a pipe that weft and everything that comes from it
	// hold open: it ends when nothing of that is left.
	alive *os.File
}

// watched is an output that can be waited for.
type watched struct {
	mu    sync.Mutex
	text  strings.Builder
	wrote *sync.Cond
}

func (w *watched) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.text.Write(p)
	w.wrote.Broadcast()
	return len(p), nil
}

func (w *watched) String() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.text.String()
}

// wait returns when text has been written.
func (w *watched) wait(text string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for !strings.Contains(w.text.String(), text) {
		w.wrote.Wait()
	}
}

// start starts weft map with flags, over the script job and the items.
func start(t *testing.T, flags []string, job string, items ...string) *proc {
	t.Helper()
	p := &proc{t: t, dir: t.TempDir()}
	p.err.wrote = sync.NewCond(&p.err.mu)
	for _, fifo := range []string{"begun", "go1", "go2"} {
		if err := syscall.Mkfifo(filepath.Join(p.dir, fifo), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(p.dir, "job"), []byte(job), 0o600); err != nil {
		t.Fatal(err)
	}
	args := append([]string{"map"}, flags...)
	args = append(append(args, "--", "sh", "job", "{}", ":::"), items...)
	p.cmd = exec.Command("weft", args...)
	p.cmd.Dir = p.dir
	p.cmd.Stdout, p.cmd.Stderr = &p.out, &p.err
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	p.cmd.WaitDelay = patience
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	p.alive = r
	p.cmd.ExtraFiles = []*os.File{w}
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	_ = w.Close()
	t.Cleanup(func() {
		_ = syscall.Kill(-p.cmd.Process.Pid, syscall.SIGKILL)
		_ = r.Close()
	})
	return p
}

// begun waits until n jobs have written to the FIFO begun.
func (p *proc) begun(n int) {
	p.t.Helper()
	f, err := os.OpenFile(filepath.Join(p.dir, "begun"), os.O_RDWR, 0) // with a writer it never ends
	if err != nil {
		p.t.Fatal(err)
	}
	defer f.Close()
	_ = f.SetReadDeadline(time.Now().Add(patience))
	for got := 0; got < n; {
		b := make([]byte, 100)
		k, err := f.Read(b)
		if err != nil {
			p.t.Fatalf("%d of %d jobs began: %v\n%s", got, n, err, p.err.String())
		}
		got += bytes.Count(b[:k], []byte("\n"))
	}
}

// release lets a job go on that reads from a FIFO.
func (p *proc) release(fifo string) {
	p.t.Helper()
	f, err := os.OpenFile(filepath.Join(p.dir, fifo), os.O_WRONLY, 0) // waits for the job
	if err != nil {
		p.t.Fatal(err)
	}
	_ = f.Close()
}

func (p *proc) signal(s syscall.Signal) {
	p.t.Helper()
	if err := p.cmd.Process.Signal(s); err != nil {
		p.t.Fatal(err)
	}
}

// code waits for weft and returns its exit code.
func (p *proc) code() int {
	p.t.Helper()
	err := p.cmd.Wait()
	if _, ok := errors.AsType[*exec.ExitError](err); err != nil && !ok {
		p.t.Fatal(err)
	}
	return p.cmd.ProcessState.ExitCode()
}

// gone fails the test unless everything that came from weft ends.
func (p *proc) gone() {
	p.t.Helper()
	_ = p.alive.SetReadDeadline(time.Now().Add(patience))
	if _, err := io.ReadAll(p.alive); err != nil {
		out, _ := exec.Command("ps", "-eo", "pid,ppid,pgid,sid,args").Output()
		p.t.Fatalf("something is left: %v\n%s", err, out)
	}
}

const family = `
sleep 1000 &
(sleep 1001 & sleep 1002) &
(trap '' TERM HUP INT; sleep 1003) > /dev/null 2>&1 < /dev/null &
echo $1 > begun
sleep 1004
`

// TestKilled kills weft with SIGKILL while jobs with children and their
// children run.
func TestKilled(t *testing.T) {
	t.Parallel()
	for name, flags := range map[string][]string{"one": {"-j", "1"}, "some": {"-j", "4"}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := start(t, flags, family, "1", "2", "3", "4")
			n := 1
			if name == "some" {
				n = 4
			}
			p.begun(n)
			p.signal(syscall.SIGKILL)
			if code := p.code(); code != -1 {
				t.Errorf("code %d", code)
			}
			p.gone()
		})
	}
}

// TestKilledGroup kills all of weft's own process group, as a shell may.
func TestKilledGroup(t *testing.T) {
	t.Parallel()
	p := start(t, []string{"-j", "2"}, family, "1", "2")
	p.begun(2)
	if err := syscall.Kill(-p.cmd.Process.Pid, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	_ = p.code()
	p.gone()
}

// TestKilledAnyTime kills weft at whatever moment it is at: while it starts
// the guard, the first job, others.
func TestKilledAnyTime(t *testing.T) {
	t.Parallel()
	for range 30 {
		p := start(t, []string{"-j", "3"}, "sleep 1000 & sleep 1000", "1", "2", "3")
		_ = p.cmd.Process.Kill()
		_ = p.code()
		p.gone()
	}
	for range 10 {
		p := start(t, []string{"-j", "2"}, "(echo > begun) & sleep 1000", "1", "2", "3")
		p.begun(1)
		_ = p.cmd.Process.Kill()
		_ = p.code()
		p.gone()
	}
}

// TestInterrupt presses Ctrl-C once: what runs may end, its output is there.
func TestInterrupt(t *testing.T) {
	t.Parallel()
	p := start(t, []string{"-j", "2", "--joblog", "log"}, "echo $1 > begun; cat go$1; echo done $1", "1", "2", "3", "4")
	p.begun(2)
	p.signal(syscall.SIGINT)
	p.err.wait("weft: stopping: waiting for 2 running jobs; press Ctrl-C again to end them now\n")
	p.release("go2")
	p.release("go1")
	if code := p.code(); code != 130 {
		t.Errorf("code %d", code)
	}
	p.gone()
	if p.out.String() != "done 1\ndone 2\n" {
		t.Errorf("out %q", p.out.String())
	}
	if !strings.HasSuffix(p.err.String(), "weft: 0 jobs failed, 2 succeeded, 2 not started; --resume goes on from the joblog\n") {
		t.Errorf("err %q", p.err.String())
	}
	log, err := os.ReadFile(filepath.Join(p.dir, "log"))
	if err != nil || bytes.Count(log, []byte("\n")) != 3 {
		t.Errorf("%v, joblog:\n%s", err, log)
	}
}

// TestInterruptTwice presses it twice, and a third time.
func TestInterruptTwice(t *testing.T) {
	t.Parallel()
	p := start(t, []string{"-j", "2"}, family, "1", "2", "3")
	p.begun(2)
	p.signal(syscall.SIGINT)
	p.err.wait("press Ctrl-C again")
	p.signal(syscall.SIGINT)
	p.err.wait("weft: ending 2 running jobs\n")
	p.signal(syscall.SIGINT)
	if code := p.code(); code != 130 {
		t.Errorf("code %d", code)
	}
	p.gone()
	if !strings.Contains(p.err.String(), "weft: 2 jobs failed, 0 succeeded, 1 not started\n") {
		t.Errorf("err %q", p.err.String())
	}
}

func TestTerminate(t *testing.T) {
	t.Parallel()
	for sig, want := range map[syscall.Signal]int{syscall.SIGTERM: 143, syscall.SIGHUP: 129} {
		p := start(t, []string{"-j", "2"}, "trap 'echo asked; exit 9' TERM; echo $1 > begun; sleep 1000 & wait", "1", "2", "3")
		p.begun(2)
		p.signal(sig)
		if code := p.code(); code != want {
			t.Errorf("%v: code %d", sig, code)
		}
		p.gone()
		if p.out.String() != "asked\nasked\n" {
			t.Errorf("%v: out %q", sig, p.out.String())
		}
	}
}

// TestEscaped has a job put a process into a session of its own. On Linux a
// run that is broken off finds it all the same.
func TestEscaped(t *testing.T) {
	t.Parallel()
	if _, err := os.Stat("/proc/self/environ"); err != nil {
		return // only Linux can
	}
	for _, sig := range []syscall.Signal{syscall.SIGKILL, syscall.SIGTERM} {
		p := start(t, nil, "setsid sh -c 'trap \"\" TERM HUP; echo > begun; sleep 1000' & sleep 1000", "1")
		p.begun(1)
		p.signal(sig)
		_ = p.code()
		p.gone()
	}
}

// TestWaitingInput stops a weft that waits for items.
func TestWaitingInput(t *testing.T) {
	t.Parallel()
	cmd := exec.Command("weft", "map", "--", "echo")
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(in, "first\n"); err != nil {
		t.Fatal(err)
	}
	b := make([]byte, 6)
	if _, err := io.ReadFull(out, b); err != nil || string(b) != "first\n" {
		t.Fatalf("%q, %v", b, err)
	}
	if err := cmd.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait()
	if code := cmd.ProcessState.ExitCode(); code != 130 {
		t.Errorf("code %d", code)
	}
	_ = in.Close()
}

// TestNobodyReads ends a weft that waits for somebody to read its output.
func TestNobodyReads(t *testing.T) {
	t.Parallel()
	cmd := exec.Command("weft", "map", "--", "head", "-c", "{}", "/dev/zero", ":::", "1000000", "1000000")
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadFull(out, make([]byte, 10)); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	state, err := cmd.Process.Wait() // not Wait of cmd, which closes the pipe
	if err != nil || state.ExitCode() != 143 {
		t.Errorf("%v, %v", state, err)
	}
	_ = out.Close()
}

// TestSuspended stops weft as Ctrl-Z does, with its job, and lets both go on.
func TestSuspended(t *testing.T) {
	t.Parallel()
	p := start(t, nil, "echo > begun; cat go1; echo done", "1")
	p.begun(1)
	p.signal(syscall.SIGTSTP)
	var status syscall.WaitStatus
	if _, err := syscall.Wait4(p.cmd.Process.Pid, &status, syscall.WUNTRACED, nil); err != nil || !status.Stopped() {
		t.Fatalf("%v, %v", status, err)
	}
	p.signal(syscall.SIGCONT)
	p.release("go1")
	if code := p.code(); code != 0 || p.out.String() != "done\n" {
		t.Errorf("code %d, out %q", code, p.out.String())
	}
	p.gone()
}
