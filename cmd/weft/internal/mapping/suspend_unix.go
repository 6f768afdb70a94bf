//go:build unix

package mapping

import (
	"os"
	"syscall"
)

// The terminal's Ctrl-Z reaches only weft, as its jobs have groups of their
// own: it is passed on to them.

func suspends(sig os.Signal) bool { return sig == syscall.SIGTSTP }

func proceeds(sig os.Signal) bool { return sig == syscall.SIGCONT }

// suspendSelf stops this process.
func suspendSelf() { _ = syscall.Kill(os.Getpid(), syscall.SIGSTOP) }
