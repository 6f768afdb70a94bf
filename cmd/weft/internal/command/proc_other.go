//go:build !unix

package command

import (
	"os"
	"os/exec"
	"time"
)

func openFiles() int { return 0 }

func isolate(*exec.Cmd) {}

func terminate(p *os.Process) { _ = p.Kill() }

func kill(p *os.Process) { _ = p.Kill() }

func suspend(int) {}

func proceed(int) {}

func groupAlive(*os.Process) bool { return false }

func status(s *os.ProcessState) (exit int, signal string) { return s.ExitCode(), "" }

func usage(s *os.ProcessState) (cpu time.Duration, rss int64) {
	return s.UserTime() + s.SystemTime(), 0
}
