// Package mapping is the run of weft map: one command for each item, on
// [weft.Stream].
//
// The library decides how many jobs run at once, spaces them out, tries again
// and keeps the order. This package starts the commands, keeps their output,
// writes what they did, and knows the two ways to stop: starting no more, and
// ending what runs. The library has only one, cancelling, which here is the
// first: a command does not end with the context of its item.
package mapping

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
	"unicode"

	"github.com/weft-go/weft"
	"github.com/weft-go/weft/cmd/weft/internal/command"
	"github.com/weft-go/weft/cmd/weft/internal/items"
	"github.com/weft-go/weft/cmd/weft/internal/joblog"
	"github.com/weft-go/weft/cmd/weft/internal/shell"
	"github.com/weft-go/weft/cmd/weft/internal/spool"
	"github.com/weft-go/weft/cmd/weft/internal/template"
	"github.com/weft-go/weft/internal/meter"
)

// Halt says what the first failure does to the rest.
type Halt string

const (
	// Soon starts no more and waits for what runs.
	Soon Halt = "soon"
	// Now ends what runs, too.
	Now Halt = "now"
	// Never runs everything.
	Never Halt = "never"
)

// The exit codes of a run.
const (
	OK          = 0
	JobFailed   = 1
	BadInput    = 2
	CannotWrite = 3
	Hangup      = 129
	Interrupted = 130
	BrokenPipe  = 141
	Terminated  = 143
)

// Config is a run.
type Config struct {
	// Template is the command. Program is what its first word was looked up
	// to be, "" if that differs by item.
	Template *template.Template
	Program  string
	// Script makes the template a script for Program, a shell.
	Script bool

	// Items yields the items until its context ends. Total is how many they
	// are, -1 while unknown.
	Items func(context.Context) items.Seq
	Total func() int

	// Options go to the library.
	Options []weft.StreamOption
	// Attempts, Timeout, Halt and Unordered are the run's rules. Timeout is
	// watched here because it holds after a stop, too.
	Attempts  int
	Timeout   time.Duration
	Halt      Halt
	Unordered bool

	// JSON and Explain choose what is written.
	JSON, Explain bool
	// Log and Done are the joblog, if there is one.
	Log  *joblog.Log
	Done joblog.Done

	Runner *command.Runner
	// Mem is the memory for the run in bytes, for what is said about it;
	// Options hold it. Defaults to 0: no limit.
	Mem int64
	// AtOnce bounds the jobs that run at once, whatever Options say. Defaults
	// to 0: no bound.
	AtOnce int
	Spool  *spool.Spool
	Env    []string

	// Out takes the output of the jobs, Err theirs.
	Out, Err io.Writer
	// Say writes a message for the user.
	Say func(format string, args ...any)
	// Note prints a text as it is.
	Note func(text string)
	// Ended is told of each job that ended, Skipped of each done before.
	Ended   func(ok bool)
	Skipped func()
	// Signals brings the signals that stop a run.
	Signals <-chan os.Signal
}

// Summary counts the jobs of a run.
type Summary struct {
	Succeeded int `json:"succeeded"`
	Failed    int `json:"failed"`
	// Skipped are those that a joblog says are done.
	Skipped int `json:"skipped"`
	// NotStarted is -1 when unknown, because not all items were read.
	NotStarted int `json:"not_started"`
	// Lost are those that ran and whose output could not be written.
	Lost int `json:"-"`
}

// job is one item on its way.
type job struct {
	place    int // in the stream
	item     items.Item
	args     []string
	attempts int
	res      command.Result
	failure  error // of the last attempt
	out, err *spool.Buffer
	recorded bool
	ready    bool
}

type run struct {
	Config
	begin time.Time

	stopCtx context.Context // starts no more
	stop    context.CancelCauseFunc
	killCtx context.Context // ends what runs
	kill    context.CancelCauseFunc

	mu      sync.Mutex
	live    map[int]*job // handed to the library and not yet written
	next    int          // the place to be written next
	handed  int
	skipped int
	halted  bool
	signal  os.Signal
	errs    []coded // what went wrong besides the jobs
	input   error

	places  chan struct{} // holds a value for each job that runs, under AtOnce
	full    sync.Once
	warn    sync.Once
	large   sync.Once
	abandon chan struct{} // closed when waiting any longer is no use

	logMu   sync.Mutex
	summary Summary
	noOut   bool // Out or Err can not be written any more
	quiet   bool // because nobody reads Out
}

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

// Run runs everything and returns the exit code. It is not whole if somebody
// who asked weft to end, and had all jobs ended, would have to wait on for an
// output that nobody reads: then goroutines are left that use the Config.
func Run(c Config) (code int, whole bool) {
	r := &run{Config: c, begin: time.Now(), live: map[int]*job{}, abandon: make(chan struct{})}
	r.stopCtx, r.stop = context.WithCancelCause(context.Background())
	r.killCtx, r.kill = context.WithCancelCause(context.Background())
	if r.AtOnce > 0 {
		r.places = make(chan struct{}, r.AtOnce)
	}
	defer r.stop(nil)
	defer r.kill(nil)

	over := make(chan struct{})
	var watcher sync.WaitGroup
	watcher.Go(func() { r.watch(over) })
	reports := make(chan *weft.Report, 1)
	go func() { reports <- r.stream() }()
	select {
	case report := <-reports:
		close(over)
		watcher.Wait()
		return r.finish(report), true
	case <-r.abandon:
		r.mu.Lock()
		defer r.mu.Unlock()
		return signalCode(r.signal), false
	}
}

// stream runs the items and writes what they did.
func (r *run) stream() *weft.Report {
	report := &weft.Report{}
	opts := append(slices.Clip(r.Options), weft.ReportTo(report))
	if r.Unordered {
		opts = append(opts, weft.Unordered())
	}
	if r.Halt == Never {
		opts = append(opts, weft.KeepGoing())
	}
	if r.Attempts > 1 {
		opts = append(opts, weft.Retry(r.Attempts))
	}
	ctx := meter.With(r.stopCtx, new(meter.Meter))
	for j, err := range weft.Stream(ctx, r.jobs, r.do, opts...) {
		if err != nil {
			j = r.failed(err)
		}
		if j != nil {
			r.arrived(j)
		}
	}
	// What the library did not hand over after a stop has run all the same.
	for _, place := range slices.Sorted(maps.Keys(r.live)) {
		if j := r.live[place]; j.attempts > 0 {
			r.write(j)
		}
	}
	return report
}

// jobs yields the items that are not done yet.
func (r *run) jobs(yield func(*job) bool) {
	for it, err := range r.Items(r.stopCtx) {
		if r.stopCtx.Err() != nil {
			return
		}
		if err != nil {
			r.mu.Lock()
			r.input = err
			r.mu.Unlock()
			return
		}
		if r.Done.Has(it.Index, it.Text) {
			r.mu.Lock()
			r.skipped++
			r.mu.Unlock()
			r.Skipped()
			continue
		}
		r.mu.Lock()
		j := &job{place: r.handed, item: it}
		r.live[j.place] = j
		r.handed++
		r.mu.Unlock()
		if !yield(j) {
			return
		}
	}
	r.mu.Lock()
	other := r.Done.Len() - r.skipped
	r.mu.Unlock()
	if other > 0 {
		r.Say("%d of the %d items that are done in the joblog are not among those given, at the same places; if these are meant to be other items, give --joblog another file",
			other, r.Done.Len())
	}
}

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

func count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
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
