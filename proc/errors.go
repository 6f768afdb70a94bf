package proc

import (
	"errors"
	"fmt"
	"strings"
	"syscall"
	"time"

	"github.com/weft-go/weft"
)

// ErrClosed is wrapped by the error of a run whose pool was closed.
var ErrClosed = errors.New("proc: the pool is closed")

// DeathError is the failure of an item whose worker process ended while it ran.
// It is weft.ErrLost for errors.Is, and also weft.ErrPermanent, so that it is
// not tried again, once the item has ended two workers.
type DeathError struct {
	// Worker is the worker's name, PID its process.
	Worker string
	PID    int
	// Index is the item's place in the input.
	Index int
	// Input begins the SHA-256 of the item as it was encoded, in hex: an input
	// that ends workers again and again has the same. "" if it can't be told.
	Input string
	// Signal is what killed the process, 0 if it exited.
	Signal syscall.Signal
	// ExitCode is what it exited with, -1 if a signal killed it.
	ExitCode int
	// Killed says why the pool killed it; "" if something else did.
	Killed string
	// PeakRSS is the most memory that it held, in bytes, as far as it was seen.
	PeakRSS int64
	// Stderr is the last lines that it printed there, the latest last.
	Stderr []string
	// Ran is how long the item had been running, as far as it was seen.
	Ran time.Duration
	// Deaths is how many workers the item has ended in this attempt: 2 if it was
	// run once more by itself to make sure.
	Deaths int
}

func (e *DeathError) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "the process of %s (pid %d) ", e.Worker, e.PID)
	switch {
	case e.Killed != "":
		fmt.Fprintf(&b, "was killed: %s", e.Killed)
	case e.Signal != 0:
		fmt.Fprintf(&b, "was ended by %s", signalName(e.Signal))
		if e.Signal == syscall.SIGKILL {
			b.WriteString(" (out of memory, or somebody's kill -9)")
		}
	default:
		fmt.Fprintf(&b, "exited with code %d", e.ExitCode)
	}
	fmt.Fprintf(&b, " while it ran item %d", e.Index)
	if e.Input != "" {
		fmt.Fprintf(&b, " (input %s)", e.Input)
	}
	if e.Deaths > 1 {
		fmt.Fprintf(&b, ", the second time: the item is given up")
	}
	if e.PeakRSS > 0 {
		fmt.Fprintf(&b, "; it held up to %.1f MiB", float64(e.PeakRSS)/(1<<20))
	}
	if len(e.Stderr) > 0 {
		b.WriteString("; last lines of its stderr:")
		for _, line := range e.Stderr {
			b.WriteString("\n\t" + line)
		}
	}
	return b.String()
}

// Is makes the error a weft.ErrLost, and a weft.ErrPermanent after two deaths.
func (e *DeathError) Is(target error) bool {
	return target == weft.ErrLost || target == weft.ErrPermanent && e.Deaths > 1 //nolint:errorlint // that is what Is is for
}

func signalName(s syscall.Signal) string {
	names := map[syscall.Signal]string{
		syscall.SIGABRT: "SIGABRT", syscall.SIGFPE: "SIGFPE", syscall.SIGHUP: "SIGHUP", syscall.SIGILL: "SIGILL",
		syscall.SIGINT: "SIGINT", syscall.SIGKILL: "SIGKILL", syscall.SIGPIPE: "SIGPIPE", syscall.SIGQUIT: "SIGQUIT",
		syscall.SIGSEGV: "SIGSEGV", syscall.SIGTERM: "SIGTERM",
	}
	if n := names[s]; n != "" {
		return n
	}
	return fmt.Sprintf("signal %d (%v)", int(s), s)
}

// startError is why no worker can be had.
type startError struct {
	worker string
	err    error
	stderr []string
}

func (e *startError) Error() string {
	s := fmt.Sprintf("%s did not start: %v", e.worker, e.err)
	if len(e.stderr) > 0 {
		s += "; last lines of its stderr:\n\t" + strings.Join(e.stderr, "\n\t")
	}
	return s
}

func (e *startError) Unwrap() error { return e.err }
