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
	"io"
	"maps"
	"os"
	"slices"
	"sync"
	"time"

	"github.com/weft-go/weft"
	"github.com/weft-go/weft/cmd/weft/internal/command"
	"github.com/weft-go/weft/cmd/weft/internal/items"
	"github.com/weft-go/weft/cmd/weft/internal/joblog"
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
