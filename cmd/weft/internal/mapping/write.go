package mapping

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"syscall"
	"unicode"

	"github.com/weft-go/weft/cmd/weft/internal/joblog"
	"github.com/weft-go/weft/cmd/weft/internal/shell"
)

// arrived writes a job that is over, in input order unless that is waived.
func (r *run) arrived(j *job) {
	r.mu.Lock()
	j.ready = true
	r.mu.Unlock()
	if r.Unordered {
		r.write(j)
		return
	}
	for {
		r.mu.Lock()
		n := r.live[r.next]
		if n == nil || !n.ready {
			r.mu.Unlock()
			return
		}
		r.next++
		r.mu.Unlock()
		r.write(n)
	}
}

// write hands out what a job wrote and did. It is called by one goroutine.
func (r *run) write(j *job) {
	r.mu.Lock()
	delete(r.live, j.place)
	r.mu.Unlock()
	silent := !r.JSON && j.out.Len() == 0 && j.err.Len() == 0
	if !r.noOut && !silent {
		if err := r.output(j); err != nil {
			r.noOut = true
			if errors.Is(err, syscall.EPIPE) {
				r.quiet = true
				r.fatal(err, BrokenPipe)
				r.kill(err)
			} else {
				r.fatal(fmt.Errorf("the output can not be written: %w; the jobs whose output was lost are not in the joblog and will run again with --resume", err), CannotWrite)
			}
		}
	}
	j.out.Close()
	j.err.Close()
	if silent || !r.noOut {
		r.record(j)
	}
	switch {
	case r.noOut && !silent:
		r.summary.Lost++
	case j.failure == nil:
		r.summary.Succeeded++
	default:
		r.summary.Failed++
		if !r.JSON && !r.quiet {
			r.Say("job %d failed%s: %v: %s", j.item.Index+1, attempts(j.attempts), j.failure, short(r.show(j.args)))
		}
	}
	r.Ended(j.failure == nil)
}

func attempts(n int) string {
	if n < 2 {
		return ""
	}
	return fmt.Sprintf(" %d times", n)
}

// show returns a command as it would be typed.
func (r *run) show(args []string) string {
	if r.Script {
		return args[len(args)-1]
	}
	return shell.Join(args)
}

// short makes a command fit a line or two of a terminal.
func short(s string) string {
	s = strings.ReplaceAll(strings.ToValidUTF8(s, "?"), "\n", `\n`)
	s = strings.Map(func(c rune) rune {
		if unicode.IsControl(c) {
			return '?'
		}
		return c
	}, s)
	if runes := []rune(s); len(runes) > 160 {
		return string(runes[:160]) + "..."
	}
	return s
}

func (r *run) output(j *job) error {
	if r.JSON {
		return writeJob(r.Out, j, jobLine{"job", r.entry(j), j.args})
	}
	if _, err := io.Copy(r.Out, j.out.Reader()); err != nil {
		return err
	}
	_, err := io.Copy(r.Err, j.err.Reader())
	return err
}

func (r *run) entry(j *job) joblog.Entry {
	e := joblog.Entry{
		Index:    j.item.Index,
		Item:     j.item.Text,
		Digest:   joblog.Digest(j.item.Text),
		Exit:     j.res.Exit,
		Signal:   j.res.Signal,
		Start:    j.res.Start,
		Wall:     j.res.Wall,
		CPU:      j.res.CPU,
		MaxRSS:   j.res.MaxRSS,
		Attempts: j.attempts,
	}
	if j.failure != nil && (j.res.TimedOut || j.res.Stopped || j.res.OutputErr != nil || j.res.Exit == -1 && j.res.Signal == "") {
		e.Error = j.failure.Error()
	}
	return e
}

// record puts a job into the joblog, once.
func (r *run) record(j *job) {
	if r.Log == nil {
		return
	}
	r.logMu.Lock()
	defer r.logMu.Unlock()
	if j.recorded {
		return
	}
	j.recorded = true
	if err := r.Log.Add(r.entry(j)); err != nil {
		r.fatal(fmt.Errorf("%w; make room there and run again with --resume: jobs that are not in it yet will run again", err), CannotWrite)
	}
}

func count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}
