//go:build unix

package command

import (
	"errors"
	"os"
	"os/exec"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// openFiles is how many files this process may have open, 0 if that is not
// known or without end.
func openFiles() int {
	var l syscall.Rlimit
	if syscall.Getrlimit(syscall.RLIMIT_NOFILE, &l) != nil || l.Cur > 1<<30 {
		return 0
	}
	return int(l.Cur)
}

func isolate(cmd *exec.Cmd) {
	cmd.SysProcAttr = attributes()
	cmd.SysProcAttr.Setpgid = true
}

// terminate asks a group to end; a stopped one is woken to hear it.
func terminate(p *os.Process) {
	_ = syscall.Kill(-p.Pid, syscall.SIGTERM)
	_ = syscall.Kill(-p.Pid, syscall.SIGCONT)
}

func kill(p *os.Process) { _ = syscall.Kill(-p.Pid, syscall.SIGKILL) }

func suspend(group int) { _ = syscall.Kill(-group, syscall.SIGSTOP) }

func proceed(group int) { _ = syscall.Kill(-group, syscall.SIGCONT) }

// groupAlive reports whether anything runs in the group of a command that has
// been waited for. What has ended but was not waited for by its new parent
// does not run: some containers have nobody who would.
func groupAlive(p *os.Process) bool {
	return !errors.Is(syscall.Kill(-p.Pid, 0), syscall.ESRCH) && groupRuns(p.Pid)
}

func status(s *os.ProcessState) (exit int, signal string) {
	if w, ok := s.Sys().(syscall.WaitStatus); ok && w.Signaled() {
		return -1, unix.SignalName(w.Signal())
	}
	return s.ExitCode(), ""
}

func usage(s *os.ProcessState) (cpu time.Duration, rss int64) {
	cpu = s.UserTime() + s.SystemTime()
	if u, ok := s.SysUsage().(*syscall.Rusage); ok {
		rss = int64(u.Maxrss) * rssUnit
	}
	return cpu, rss
}
