// Package command runs child processes so that nothing of them stays behind:
// each in a process group of its own, ended as a whole, known to a guard that
// outlives this process.
package command

import (
	"context"
	"errors"
	"io"
	"os"
	"os/exec"
	"runtime"
	"sync"
	"sync/atomic"
	"time"
)

// Guard is told of process groups.
type Guard interface {
	// Start is called before each command.
	Start() error
	// Add is called as soon as a group exists, Drop when nothing of it is left.
	Add(group int) error
	Drop(group int) error
}

// Config is what the commands of a run have in common.
type Config struct {
	// Guard defaults to none.
	Guard Guard
	// Grace is how long a group has between SIGTERM and SIGKILL. Defaults to
	// 2 seconds.
	Grace time.Duration
	// Linger is how long what a command leaves in its group, or holding its
	// output open, has to end by itself. Defaults to 1 second.
	Linger time.Duration
}

// Runner runs commands. Make one with New and Close it.
type Runner struct {
	cfg      Config
	requests chan request
	stopped  chan struct{}
	now      chan struct{}
	nowOnce  sync.Once

	running   atomic.Int64
	mu        sync.Mutex
	groups    map[int]bool
	unguarded error
}

type request struct {
	cmd  *exec.Cmd
	done chan error
}

// New returns a Runner. One thread, which lives as long as the Runner, starts
// all commands: on Linux a child is killed when the thread that started it
// ends.
func New(c Config) *Runner {
	if c.Grace == 0 {
		c.Grace = 2 * time.Second
	}
	if c.Linger == 0 {
		c.Linger = time.Second
	}
	r := &Runner{
		cfg:      c,
		requests: make(chan request),
		stopped:  make(chan struct{}),
		now:      make(chan struct{}),
		groups:   map[int]bool{},
	}
	go r.serve()
	return r
}

// Close ends the Runner, when no command runs any more.
func (r *Runner) Close() {
	close(r.requests)
	<-r.stopped
}

// KillNow takes the grace away from commands that are being ended.
func (r *Runner) KillNow() { r.nowOnce.Do(func() { close(r.now) }) }

// Unguarded says why the guard can not be told of groups any more, nil while
// it can.
func (r *Runner) Unguarded() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.unguarded
}

// GuardError is a guard that does not start.
type GuardError struct{ Err error }

func (e *GuardError) Error() string {
	return "the guard process, which ends the jobs if weft dies, can not be started: " + e.Err.Error()
}

// Unwrap returns the cause.
func (e *GuardError) Unwrap() error { return e.Err }

func (r *Runner) serve() {
	defer close(r.stopped)
	runtime.LockOSThread() // for good: the thread ends with this goroutine
	for q := range r.requests {
		q.done <- r.start(q.cmd)
	}
}

func (r *Runner) start(cmd *exec.Cmd) error {
	g := r.cfg.Guard
	if g != nil {
		if err := g.Start(); err != nil {
			return &GuardError{err}
		}
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	var err error
	if g != nil {
		err = g.Add(cmd.Process.Pid)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.groups[cmd.Process.Pid] = true
	if r.unguarded == nil {
		r.unguarded = err
	}
	return nil
}

func (r *Runner) drop(group int) {
	r.mu.Lock()
	delete(r.groups, group)
	r.mu.Unlock()
	if r.cfg.Guard != nil {
		_ = r.cfg.Guard.Drop(group) // a guard that is gone was noticed by start
	}
}

// Spec is one command to run.
type Spec struct {
	// Path is the program, Args its arguments with its name first.
	Path string
	Args []string
	// Env is the environment.
	Env []string
	// Stdout and Stderr take the output. A write that fails ends the command.
	Stdout, Stderr io.Writer
	// Timeout ends the command after that time. Defaults to 0: never.
	Timeout time.Duration
}

// Result is how a command ended.
type Result struct {
	// Exit is the exit code, -1 if there is none.
	Exit int
	// Signal is the signal that ended the command, as "SIGKILL".
	Signal string
	// Start, Wall, CPU and MaxRSS are its cost, of processes of its own that
	// it waited for too.
	Start     time.Time
	Wall, CPU time.Duration
	MaxRSS    int64
	// TimedOut and Stopped say that it was ended, by its timeout or from
	// outside; Started is false if that came before its start.
	TimedOut, Stopped, Started bool
	// StartErr is why it did not start, OutputErr why its output is not whole.
	StartErr, OutputErr error
}

// OK reports whether all went well.
func (r *Result) OK() bool {
	return r.Exit == 0 && r.Signal == "" && !r.TimedOut && !r.Stopped && r.StartErr == nil && r.OutputErr == nil
}

// Run runs a command to its end and returns when nothing of it is left. When
// ctx ends the command is ended too.
func (r *Runner) Run(ctx context.Context, s Spec) Result {
	r.running.Add(1)
	defer r.running.Add(-1)
	res := Result{Exit: -1, Start: time.Now()}
	if ctx.Err() != nil {
		res.Stopped = true
		return res
	}
	out, err := newOutput(s.Stdout)
	if err != nil {
		res.StartErr = err
		return res
	}
	errs, err := newOutput(s.Stderr)
	if err != nil {
		out.abandon()
		res.StartErr = err
		return res
	}
	cmd := &exec.Cmd{Path: s.Path, Args: s.Args, Env: s.Env, Stdout: out.w, Stderr: errs.w}
	isolate(cmd)
	q := request{cmd, make(chan error, 1)}
	r.requests <- q
	if err := <-q.done; err != nil {
		out.abandon()
		errs.abandon()
		res.StartErr = err
		return res
	}
	res.Started = true
	out.follow()
	errs.follow()
	group := cmd.Process.Pid
	exited := make(chan struct{})
	go func() {
		defer close(exited)
		_ = cmd.Wait() // what it says is in ProcessState
		res.Wall = time.Since(res.Start)
	}()

	var timeout <-chan time.Time
	if s.Timeout > 0 {
		t := time.NewTimer(s.Timeout)
		defer t.Stop()
		timeout = t.C
	}
	ended := false
	select {
	case <-exited:
	case <-timeout:
		res.TimedOut, ended = true, true
	case <-ctx.Done():
		res.Stopped, ended = true, true
	case <-out.broken:
		ended = true
	case <-errs.broken:
		ended = true
	}
	if ended {
		r.end(cmd, exited)
	}
	r.lingering(ctx, cmd.Process, ended)
	out.finish(r.cfg.Linger)
	errs.finish(r.cfg.Linger)
	r.drop(group)

	res.Exit, res.Signal = status(cmd.ProcessState)
	res.CPU, res.MaxRSS = usage(cmd.ProcessState)
	res.OutputErr = errors.Join(out.err, errs.err)
	if out.err != nil {
		res.OutputErr = out.err
	}
	return res
}

// end ends a group whose command runs, and waits for the command.
func (r *Runner) end(cmd *exec.Cmd, exited <-chan struct{}) {
	terminate(cmd.Process)
	t := time.NewTimer(r.cfg.Grace)
	defer t.Stop()
	select {
	case <-exited:
		return
	case <-t.C:
	case <-r.now:
	}
	kill(cmd.Process)
	<-exited
}

// lingering sees to what a command that has exited left in its group: what ends
// by itself soon may, the last stage of a pipeline say, the rest is ended.
func (r *Runner) lingering(ctx context.Context, p *os.Process, ended bool) {
	alive := func() bool { return groupAlive(p) }
	if !alive() {
		return
	}
	if !ended {
		if r.wait(alive, r.cfg.Linger, ctx.Done()) {
			return
		}
		terminate(p)
	}
	if !r.wait(alive, r.cfg.Grace, r.now) {
		kill(p)
		r.wait(alive, 2*time.Second, nil) // what even that does not end at once is the system's
	}
}

// wait looks again and again whether alive has become false, until the time is
// over or cut is closed.
func (r *Runner) wait(alive func() bool, most time.Duration, cut <-chan struct{}) bool {
	over := time.NewTimer(most)
	defer over.Stop()
	for pause := time.Millisecond; ; pause = min(2*pause, 50*time.Millisecond) {
		again := time.NewTimer(pause)
		select {
		case <-over.C:
			again.Stop()
			return !alive()
		case <-cut:
			again.Stop()
			return !alive()
		case <-again.C:
			if !alive() {
				return true
			}
		}
	}
}

// MostAtOnce is how many commands the limit on open files has room for, at
// least 1; 0 is no limit. A command that waits for its start holds four ends
// of pipes; one that runs two, the system's handle, and perhaps two files of
// output.
func MostAtOnce() int {
	files := openFiles()
	if files == 0 {
		return 0
	}
	return max(1, (files-filesOfOurs)/filesEach)
}

const (
	filesOfOurs = 24 // stdin to stderr, the joblog, the guard's, the poller's, a start's
	filesEach   = 6
)

// Suspend stops all groups, Continue lets them go on: as the terminal would
// if they were in the foreground.
func (r *Runner) Suspend() { r.each(suspend) }

// Continue undoes Suspend.
func (r *Runner) Continue() { r.each(proceed) }

func (r *Runner) each(f func(group int)) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for g := range r.groups {
		f(g)
	}
}

// Running is the number of commands that run, or are about to.
func (r *Runner) Running() int { return int(r.running.Load()) }

// output carries what a command writes from a pipe to a writer.
type output struct {
	r, w   *os.File
	to     io.Writer
	broken chan struct{} // closed when to fails
	done   chan struct{}
	err    error // of to, after done
}

func newOutput(to io.Writer) (*output, error) {
	r, w, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	return &output{r: r, w: w, to: to, broken: make(chan struct{}), done: make(chan struct{})}, nil
}

func (o *output) abandon() {
	_ = o.r.Close()
	_ = o.w.Close()
}

var buffers = sync.Pool{New: func() any { return new([32 << 10]byte) }}

// follow copies in a goroutine, after the command has the other end.
func (o *output) follow() {
	_ = o.w.Close()
	go func() {
		defer close(o.done)
		buf := buffers.Get().(*[32 << 10]byte)
		defer buffers.Put(buf)
		last := false
		for {
			n, err := o.r.Read(buf[:])
			if n > 0 && o.err == nil {
				if _, o.err = o.to.Write(buf[:n]); o.err != nil {
					close(o.broken)
				}
			}
			switch {
			case errors.Is(err, os.ErrDeadlineExceeded) && !last:
				// Somebody outside the group holds the pipe open. What is in it
				// by now is still the command's.
				last = true
				_ = o.r.SetReadDeadline(time.Now().Add(20 * time.Millisecond))
			case err != nil:
				return
			}
		}
	}()
}

// finish waits for the rest of the output. What is outside the group can hold
// the pipe open for ever; it is not waited for.
func (o *output) finish(most time.Duration) {
	t := time.NewTimer(most)
	defer t.Stop()
	select {
	case <-o.done:
	case <-t.C:
		_ = o.r.SetReadDeadline(time.Now())
		<-o.done
	}
	_ = o.r.Close()
}
