package mapping

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/weft-go/weft"
)

// coded is an error that decides the exit code.
type coded struct {
	err  error
	code int
}

var (
	errHalted      = errors.New("a job failed")
	errNotStarted  = errors.New("not started")
	errInterrupted = errors.New("interrupted")
)

// fatal notes an error that ends the run and says it at once.
func (r *run) fatal(err error, code int) {
	r.mu.Lock()
	known := slices.ContainsFunc(r.errs, func(c coded) bool { return c.err.Error() == err.Error() })
	if !known {
		r.errs = append(r.errs, coded{err, code})
	}
	r.mu.Unlock()
	r.stop(err)
	if !known && code != BrokenPipe {
		r.Say("%v", err)
	}
}

// failed returns the job that an error of the library is about.
func (r *run) failed(err error) *job {
	if ie, ok := errors.AsType[*weft.ItemError](err); ok {
		r.mu.Lock()
		defer r.mu.Unlock()
		if j := r.live[ie.Index]; j != nil && (j.failure != nil || j.attempts == 0) {
			if j.attempts == 0 {
				return nil // never started
			}
			return j
		}
	}
	if r.stopCtx.Err() == nil { // not our own stop
		r.fatal(err, BadInput)
	}
	return nil
}

// watch acts on signals until the run is over.
func (r *run) watch(over <-chan struct{}) {
	interrupts, idle := 0, 0
	var look <-chan time.Time
	for {
		var sig os.Signal
		select {
		case <-over:
			return
		case <-look:
			// All is ended. If the run is not over either, it waits for
			// somebody to read its output, and has waited long enough.
			if idle++; r.Runner.Running() > 0 {
				idle = 0
			}
			if idle > 10 {
				close(r.abandon)
				return
			}
			continue
		case sig = <-r.Signals:
		}
		if suspends(sig) {
			r.Runner.Suspend()
			suspendSelf()
			continue
		}
		if proceeds(sig) {
			r.Runner.Continue()
			continue
		}
		r.mu.Lock()
		if r.signal == nil || sig != os.Interrupt {
			r.signal = sig
		}
		r.mu.Unlock()
		interrupts++
		if sig != os.Interrupt {
			interrupts = max(interrupts, 2) // at once, without the waiting
		}
		r.stop(errInterrupted)
		running := r.Runner.Running()
		switch {
		case interrupts == 1 && running > 0:
			r.sayPromptly("stopping: waiting for %s; press Ctrl-C again to end them now", count(running, "running job"))
		case interrupts == 2:
			r.kill(errInterrupted)
			t := time.NewTicker(100 * time.Millisecond)
			defer t.Stop()
			look = t.C
			if running > 0 {
				r.sayPromptly("ending %s", count(running, "running job"))
			}
		case interrupts > 2:
			r.kill(errInterrupted)
			r.Runner.KillNow()
		}
	}
}

// sayPromptly does not wait for somebody to read what it says.
func (r *run) sayPromptly(format string, args ...any) {
	said := make(chan struct{})
	go func() {
		defer close(said)
		r.Say(format, args...)
	}()
	t := time.NewTimer(200 * time.Millisecond)
	defer t.Stop()
	select {
	case <-said:
	case <-t.C:
	}
}

// finish says how it went.
func (r *run) finish(report *weft.Report) int {
	s := &r.summary
	s.Skipped = r.skipped
	s.NotStarted = -1
	if total := r.Total(); total >= 0 {
		s.NotStarted = total - s.Skipped - s.Succeeded - s.Failed - s.Lost
	} else if r.stopCtx.Err() == nil && r.input == nil {
		s.NotStarted = 0
	}
	if r.input != nil {
		r.errs = append(r.errs, coded{r.input, BadInput})
		r.Say("%v; the items before it, %d, have been run", r.input, s.Succeeded+s.Failed+s.Skipped)
	}
	if r.Log != nil {
		if err := r.Log.Close(); err != nil {
			r.fatal(err, CannotWrite)
		}
	}
	code := r.code()
	if r.JSON {
		line := summaryLine{"summary", *s, code, time.Since(r.begin), nil}
		if r.Explain {
			line.Report = report
		}
		if b, err := marshal(line); err == nil && !r.noOut {
			if _, err := r.Out.Write(b); err != nil {
				if errors.Is(err, syscall.EPIPE) {
					r.fatal(err, BrokenPipe)
				} else {
					r.fatal(fmt.Errorf("the output can not be written: %w", err), CannotWrite)
				}
				code = r.code()
			}
		}
		return code
	}
	if code != OK && code != BrokenPipe {
		r.conclude()
	}
	if r.Explain {
		r.Note(report.String())
	}
	return code
}

// conclude sums up a run that did not go well.
func (r *run) conclude() {
	s := r.summary
	var b strings.Builder
	fmt.Fprintf(&b, "%s failed, %d succeeded", count(s.Failed, "job"), s.Succeeded)
	if s.Skipped > 0 {
		fmt.Fprintf(&b, ", %d were done before", s.Skipped)
	}
	if s.Lost > 0 {
		fmt.Fprintf(&b, ", the output of %d was lost", s.Lost)
	}
	switch {
	case s.NotStarted > 0:
		fmt.Fprintf(&b, ", %d not started", s.NotStarted)
	case s.NotStarted < 0:
		b.WriteString(", the rest not started")
	}
	switch {
	case r.halted && s.NotStarted != 0 && r.signal == nil && len(r.errs) == 0:
		b.WriteString("; --keep-going runs all in spite of failures")
	case r.Log != nil:
		b.WriteString("; --resume goes on from the joblog")
	}
	r.Say("%s", b.String())
}

func (r *run) code() int {
	if r.signal != nil {
		return signalCode(r.signal)
	}
	for _, code := range []int{BrokenPipe, CannotWrite, BadInput} {
		if slices.ContainsFunc(r.errs, func(c coded) bool { return c.code == code }) {
			return code
		}
	}
	switch {
	case len(r.errs) > 0:
		return r.errs[0].code
	case r.summary.Failed > 0:
		return JobFailed
	}
	return OK
}

// signalCode is what a shell reports of a program that the signal ended.
func signalCode(sig os.Signal) int {
	switch sig {
	case os.Interrupt:
		return Interrupted
	case syscall.SIGHUP:
		return Hangup
	}
	return Terminated
}
