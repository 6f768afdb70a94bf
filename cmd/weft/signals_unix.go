//go:build unix

package main

import (
	"os"
	"os/signal"
	"syscall"
)

// signals catches what would end or stop the program.
func signals() <-chan os.Signal {
	c := make(chan os.Signal, 16)
	signal.Notify(c, os.Interrupt, syscall.SIGTERM)
	for _, s := range []os.Signal{syscall.SIGHUP, syscall.SIGTSTP} {
		if !signal.Ignored(s) { // by nohup, or a shell without job control
			signal.Notify(c, s)
		}
	}
	signal.Notify(c, syscall.SIGCONT)
	// These come with an error of the write that caused them, which is enough.
	// They are caught and not ignored because jobs would inherit that.
	signal.Notify(make(chan os.Signal, 1), syscall.SIGPIPE, syscall.SIGXFSZ)
	return c
}
