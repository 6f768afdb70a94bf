//go:build unix

package guard

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
)

// Guard is the end of the pipe that tells.
type Guard struct {
	mark string
	mu   sync.Mutex
	w    *os.File
	cmd  *exec.Cmd // nil until it is started
}

// New returns the guard, not yet started, of the run that mark names.
func New(mark string) *Guard { return &Guard{mark: mark} }

// Start starts it, once. Both ends of the pipe are close-on-exec: no job holds
// it open.
func (g *Guard) Start() error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.cmd != nil {
		return nil
	}
	self, err := executable()
	if err != nil {
		return err
	}
	r, w, err := os.Pipe()
	if err != nil {
		return err
	}
	cmd := &exec.Cmd{
		Path:        self,
		Args:        []string{"weft", Command, g.mark},
		Env:         unmarked(os.Environ()),
		Dir:         "/",
		Stdin:       r,
		SysProcAttr: &syscall.SysProcAttr{Setsid: true},
	}
	err = cmd.Start()
	_ = r.Close()
	if err != nil {
		_ = w.Close()
		return err
	}
	g.w, g.cmd = w, cmd
	return nil
}

// unmarked drops the mark of an outer run, whose guard must not kill this one.
func unmarked(environ []string) []string {
	return slices.DeleteFunc(environ, func(v string) bool { return strings.HasPrefix(v, Variable+"=") })
}

// Add tells that a group began. An error means that the guard is gone.
func (g *Guard) Add(group int) error { return g.tell("+" + strconv.Itoa(group)) }

// Drop tells that nothing of a group is left.
func (g *Guard) Drop(group int) error { return g.tell("-" + strconv.Itoa(group)) }

func (g *Guard) tell(s string) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	_, err := io.WriteString(g.w, s+"\n")
	return err
}

// Close ends the guard, if it was started, and waits for it. With kill it
// leaves as if weft had died: whatever is left of the run is killed.
func (g *Guard) Close(kill bool) error {
	if g.cmd == nil {
		return nil
	}
	if !kill {
		_ = g.tell(farewell) // if it is gone already there is nothing to say
	}
	_ = g.w.Close()
	return g.cmd.Wait()
}

// Main is the guard itself: in is the pipe, mark names the run.
func Main(in io.Reader, mark string) int {
	signal.Ignore(syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP, syscall.SIGQUIT)
	rename()
	groups, bye := follow(in)
	if bye {
		return 0
	}
	for g := range groups {
		_ = syscall.Kill(-g, syscall.SIGKILL) // gone is fine too
	}
	if err := sweep(mark); err != nil {
		fmt.Fprintln(os.Stderr, "weft: guard:", err)
		return 1
	}
	return 0
}
