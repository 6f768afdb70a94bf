package mapping

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/weft-go/weft"
	"github.com/weft-go/weft/cmd/weft/internal/command"
	"github.com/weft-go/weft/internal/meter"
)

// place waits until one job more may run. It returns false if the run stops
// before.
func (r *run) place(ctx context.Context) bool {
	if r.places == nil {
		return true
	}
	select {
	case r.places <- struct{}{}:
		return true
	default:
	}
	r.full.Do(func() {
		r.Say("the limit on open files (ulimit -n) has room for %d jobs at once; raise it to run more", r.AtOnce)
	})
	select {
	case r.places <- struct{}{}:
		return true
	case <-r.stopCtx.Done():
	case <-ctx.Done():
	}
	return false
}

// weigh warns, once, of a job that alone takes more memory than the run should
// have: no smaller number of jobs at once mends that.
func (r *run) weigh(j *job) {
	if r.Mem <= 0 || j.res.MaxRSS <= r.Mem {
		return
	}
	r.large.Do(func() {
		r.Say("job %d alone held %s of memory and --mem is %s; raise --mem, or make its item smaller: %s",
			j.item.Index+1, size(j.res.MaxRSS), size(r.Mem), short(j.item.Text))
	})
}

// size prints bytes as --mem takes them.
func size(n int64) string {
	for i, unit := range []string{"G", "M", "K"} {
		if one := int64(1) << (30 - 10*i); n >= one {
			return strconv.FormatFloat(float64(n)/float64(one), 'f', 1, 64) + unit
		}
	}
	return strconv.FormatInt(n, 10)
}

func (r *run) leavePlace() {
	if r.places != nil {
		<-r.places
	}
}

// do is one attempt at one job.
func (r *run) do(ctx context.Context, j *job) (*job, error) {
	if !r.place(ctx) {
		return nil, errNotStarted
	}
	defer r.leavePlace()
	if ctx.Err() != nil || r.stopCtx.Err() != nil {
		return nil, errNotStarted
	}
	if j.attempts > 0 {
		j.out.Close()
		j.err.Close()
	}
	j.attempts++
	j.out, j.err = r.Spool.Buffer(), r.Spool.Buffer()
	path, err := r.prepare(j)
	if err == nil {
		if err := r.Runner.Unguarded(); err != nil {
			r.warn.Do(func() {
				r.Say("the guard process is gone (%v): if weft is killed by kill -9 now, its jobs may go on", err)
			})
		}
		j.res = r.Runner.Run(r.killCtx, command.Spec{
			Path:    path,
			Args:    j.args,
			Env:     append(slices.Clip(r.Env), "WEFT_JOB="+strconv.Itoa(j.item.Index+1)),
			Stdout:  j.out,
			Stderr:  j.err,
			Timeout: r.Timeout,
		})
		if j.res.Stopped && !j.res.Started {
			j.attempts--
			return nil, errNotStarted
		}
		meter.From(ctx).Charge(j.res.Wall, j.res.CPU, j.res.MaxRSS)
		r.weigh(j)
		err = r.judge(path, j)
	} else {
		j.res = command.Result{Exit: -1, Start: time.Now()}
	}
	j.failure = err
	if err != nil && j.attempts < r.Attempts && r.stopCtx.Err() == nil {
		return nil, err
	}
	// A job without output has nothing that can be lost on the way: it is done.
	if !r.JSON && j.out.Len() == 0 && j.err.Len() == 0 {
		r.record(j)
	}
	if err != nil && r.Halt != Never {
		r.mu.Lock()
		r.halted = true
		r.mu.Unlock()
		r.stop(errHalted)
		if r.Halt == Now {
			r.kill(errHalted)
		}
	}
	if err != nil {
		return nil, err
	}
	return j, nil
}

// prepare fills the item in and finds the program.
func (r *run) prepare(j *job) (path string, err error) {
	j.args = r.Template.Fill(j.item.Index+1, j.item.Text, j.item.Fields)
	if r.Script {
		j.args = []string{"sh", "-c", j.args[0]}
	}
	if r.Program != "" {
		return r.Program, nil
	}
	return command.Lookup(j.args[0])
}

// judge says what failed, nil if nothing did.
func (r *run) judge(path string, j *job) error {
	res := &j.res
	if res.OK() {
		return nil
	}
	if err := res.StartErr; err != nil {
		if _, ok := errors.AsType[*command.GuardError](err); ok {
			r.fatal(err, CannotWrite)
			return err
		}
		explained, busy := command.Explain(path, err)
		if nc, ok := errors.AsType[*command.NoCommandError](explained); ok && r.Program != "" {
			r.fatal(nc, nc.Code) // no other item would do better
		}
		if busy {
			return busyError{explained}
		}
		return explained
	}
	switch {
	case res.OutputErr != nil:
		r.fatal(res.OutputErr, CannotWrite)
		return errors.New("stopped, its output could not be kept")
	case res.TimedOut:
		return fmt.Errorf("timed out after %v", r.Timeout)
	case res.Stopped:
		return errors.New("stopped")
	case res.Signal == "SIGKILL":
		return errors.New("killed by SIGKILL; if that was the system for want of memory, run fewer at once with -j or --mem")
	case res.Signal != "":
		return errors.New("killed by " + res.Signal)
	default:
		return fmt.Errorf("exit code %d", res.Exit)
	}
}

// busyError is a start for which the system had no room. It asks the library
// to run fewer at once.
type busyError struct{ error }

func (e busyError) Unwrap() []error { return []error{e.error, weft.BackOff{After: time.Second}} }
