package weft

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"runtime/debug"
	"sync"
	"time"
)

// Executor is a place where items can run: goroutines ([Goroutines]), child
// processes (package proc), other machines. [On] sends a run there.
//
// An executor knows nothing of plans, retries, rates or order: it gets batches
// of items of a registered function, sized by the planner, and runs each as one
// sequence. All its methods are safe for concurrent use. The package
// executortest checks that an executor keeps to this.
type Executor interface {
	// Traits says what the executor is and can do.
	Traits() Traits
	// Check tells before the first item runs why f can't run here, naming the
	// field of its item or result that can't get there. It may be called
	// again and again for the same function.
	Check(f *Func) error
	// Run runs the items of b one after the other, as [Batch] says, and
	// returns when none of them runs any more. The error is for what concerns
	// no single item: the executor is closed, ctx has ended. Items that did not
	// run because of it are those after b.Ran.
	Run(ctx context.Context, b *Batch) error
}

// Traits is what an executor is and can do.
type Traits struct {
	// Name is for plans and errors: "2 processes".
	Name string
	// Workers is how many items it can run at once.
	Workers int
	// Ahead is how many batches more than Workers it likes to have, so that
	// a worker never waits for its next one; AheadShort is the same while
	// batches take less than 100 us, as those of single small items do.
	Ahead, AheadShort int
	// Batch is how long a batch should take, where handing one over is dear.
	// Defaults to 4 ms.
	Batch time.Duration
	// Trip is what it takes to hand a batch over and get its results, beside
	// their encoding, and BytesPerSecond how fast they move. A run whose rest
	// would be done in this process before it could be done there comes back,
	// unless [Require] keeps it. Default to 0: not counted.
	Trip           time.Duration
	BytesPerSecond float64
	// Isolated is set if an item that crashes, leaks or hangs harms only
	// itself.
	Isolated bool
	// SharedMemory is set if large arrays are passed by reference rather than
	// by copying.
	SharedMemory bool
}

// Batch is some items of a registered function, one after the other in input
// order, and the place for what comes of them.
type Batch struct {
	// Func is what to call.
	Func *Func
	// First is the index of the first item in the run, for messages.
	First int
	// Items is a slice of Func.Item().
	Items reflect.Value
	// Results is a slice of Func.Result() of the same length, to be filled;
	// the zero Value if the function has no result.
	Results reflect.Value
	// Timeout bounds each item; 0 is no limit. The item's context ends with a
	// cause that says so.
	Timeout time.Duration
	// KeepGoing runs the items after one that failed as well.
	KeepGoing bool
	// Most is how long the batch may take before it ends early, after the item
	// that runs: the rest is then shared out anew. 0 is no limit.
	Most time.Duration
	// Run is the same for all batches of one run, and no other run's.
	Run *Lifetime

	// Errs has the failure of each item, nil where there is none. Same length
	// as Items.
	Errs []error
	// Ran is how many items, from the first, have run. Set by the executor,
	// which may stop early: after a failure, or because there is better use
	// for the rest.
	Ran int
	// Cost is what it took.
	Cost Cost
}

// Cost is what a batch took.
type Cost struct {
	// Wall is the time in the function, summed over the items.
	Wall time.Duration
	// CPU is the CPU time that it took meanwhile.
	CPU time.Duration
	// PeakBytes is the most memory that the worker held, 0 if not known.
	PeakBytes int64
	// Encoding is the time that it took to encode and decode items and
	// results, on both sides.
	Encoding time.Duration
	// Bytes is the size of the items and results as encoded.
	Bytes int64
}

// Lifetime is that of one run. It lets an executor keep things for a run, an
// argument that many items share say, and let go of them after it.
type Lifetime struct {
	// Steady is set if the items were all there when the run began and do not
	// change while it lasts, so that what is at an address stays the same.
	Steady bool

	mu    sync.Mutex
	ended bool
	after []func()
}

// AfterRun calls f when the run is over, before the call that made the run
// returns; at once if it is over.
func (l *Lifetime) AfterRun(f func()) {
	l.mu.Lock()
	ended := l.ended
	if !ended {
		l.after = append(l.after, f)
	}
	l.mu.Unlock()
	if ended {
		f()
	}
}

// End says that the run is over, and calls what AfterRun was given. It is for
// whoever made the run.
func (l *Lifetime) End() {
	l.mu.Lock()
	after := l.after
	l.ended, l.after = true, nil
	l.mu.Unlock()
	for _, f := range after {
		f()
	}
}

// ErrLost is wrapped by the failure of an item whose worker was lost while it
// ran: its process died, its machine went away. [Retry] tries such an item
// again, but one that lost two workers is given up.
var ErrLost = errors.New("the worker that ran it was lost")

// Here runs the batch in the calling goroutine: what an executor does in the
// end, wherever it is. before is called before each item with its place in the
// batch, and may end the batch there by returning false; it may be nil. A panic
// becomes the item's *PanicError. Errs and Results are filled, Ran is set, and
// Cost.Wall grows. An item that calls runtime.Goexit fails and takes the
// goroutine with it; Ran counts it, and Here may be called again for the rest.
//
// The batch ends early when ctx ends, after a failure unless b.KeepGoing, after
// a [BackOff] in any case, and when it has taken longer than b.Most.
func (b *Batch) Here(ctx context.Context, before func(i int) bool) {
	begun := time.Now()
	defer func() { b.Cost.Wall += time.Since(begun) }()
	// As an interface: else each call would look up how ctx implements it.
	in := []reflect.Value{reflect.ValueOf(&ctx).Elem(), {}}
	first, look := b.Ran, b.Ran+1
	goOn := func(i int) bool {
		if b.Most > 0 && i >= look {
			since := time.Since(begun)
			if since > b.Most {
				return false
			}
			look = i + 1
			if since < time.Duration(i-first)*time.Microsecond {
				look = i + 16 // reading the clock would take a tenth of the time
			}
		}
		return ctx.Err() == nil && (before == nil || before(i))
	}
	done := ctx.Done()
	if b.Func.direct != nil && b.Timeout <= 0 {
		quick := func(i int) bool {
			if b.Most > 0 && i >= look {
				return goOn(i)
			}
			select {
			case <-done:
				return false
			default:
			}
			return before == nil || before(i)
		}
		for b.Ran < b.Items.Len() && b.direct(ctx, quick) {
		}
		return
	}
	for b.Ran < b.Items.Len() {
		i := b.Ran
		if !goOn(i) {
			return
		}
		if err := b.one(ctx, in, i); err != nil && (!b.KeepGoing || backsOff(err)) {
			return
		}
	}
}

// direct runs items without reflection until one fails, or the batch ends. It
// tells whether to go on.
func (b *Batch) direct(ctx context.Context, before func(i int) bool) (goOn bool) {
	at := -1 // the item that runs
	stopped := false
	normal := false
	defer func() {
		if normal {
			return
		}
		b.Errs[at] = &PanicError{Value: recover(), Stack: debug.Stack()}
		b.Ran = at + 1
		goOn = b.KeepGoing
	}()
	err := b.Func.direct(ctx, b, func(i int) bool {
		at = i
		if !before(i) {
			stopped = true
		}
		return !stopped
	})
	normal = true
	if err != nil {
		b.Errs[b.Ran] = err
		b.Ran++
		return b.KeepGoing && !backsOff(err)
	}
	return !stopped && b.Ran < b.Items.Len()
}

// backsOff looks into the user's error, which may panic.
func backsOff(err error) (yes bool) {
	defer func() { _ = recover() }()
	_, yes = errors.AsType[BackOff](err)
	return yes
}

func (b *Batch) one(ctx context.Context, in []reflect.Value, i int) (err error) {
	normal := false
	defer func() {
		if !normal {
			err = &PanicError{Value: recover(), Stack: debug.Stack()}
		}
		b.Errs[i] = err
		b.Ran = i + 1
	}()
	var result reflect.Value
	if b.Results.IsValid() {
		result = b.Results.Index(i)
	}
	if b.Timeout <= 0 {
		err = b.Func.call(in, b.Items.Index(i), result)
	} else {
		inner, cancel, late := timed(ctx, b.Timeout)
		defer cancel()
		err = late.explain(inner, b.Func.call([]reflect.Value{reflect.ValueOf(&inner).Elem(), {}}, b.Items.Index(i), result))
	}
	normal = true
	return err
}

// explain makes the failure of an item whose time was up say so.
func (late timeoutError) explain(ctx context.Context, err error) error {
	if err != nil && context.Cause(ctx) == error(late) { //nolint:errorlint // the very same value
		if errors.Is(err, context.DeadlineExceeded) {
			return late
		}
		return fmt.Errorf("%w: %w", late, err)
	}
	return err
}
