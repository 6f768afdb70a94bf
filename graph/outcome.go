package graph

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/weft-go/weft/internal/sched"
)

func (r *run) taskError(t uint32, err error) *TaskError {
	return &TaskError{Task: r.nameOf(t), ID: int(r.task[t]), Inputs: r.inputNames(t), Path: r.path(t), Err: err}
}

// outcome joins what happened into the error of the call.
func (r *run) outcome(ctx context.Context, call string) error {
	slices.SortStableFunc(r.failures, func(a, b failure) int { return int(a.task) - int(b.task) })
	var all taskErrors
	for _, f := range r.failures {
		if !f.echo {
			all.errs = append(all.errs, r.taskError(f.task, f.err))
			if !r.cfg.keepGoing {
				break
			}
		}
	}
	if r.cfg.keepGoing && len(all.errs) > 0 {
		for t := range uint32(r.m.Len()) {
			if r.m.State(t) == sched.Skipped {
				all.skipped++
			}
		}
	}
	errs := []error{r.err}
	if ctx.Err() != nil && r.m.Done() < r.m.Len() {
		errs = append(errs, fmt.Errorf("graph: %s: stopped after %d of %d tasks: %w", call, r.m.Done(), r.m.Len(), stopReason(ctx)))
	}
	switch {
	case len(all.errs) == 0:
	case r.cfg.keepGoing:
		errs = append(errs, &all)
	default:
		errs = append(errs, all.errs[0])
	}
	errs = slices.DeleteFunc(errs, func(err error) bool { return err == nil })
	switch {
	case len(errs) == 1:
		return errs[0]
	case len(errs) == 0 && r.m.Done() < r.m.Len():
		return fmt.Errorf("graph: %s: stopped after %d of %d tasks", call, r.m.Done(), r.m.Len())
	}
	return errors.Join(errs...)
}

func stopReason(ctx context.Context) error {
	err := ctx.Err()
	if cause := context.Cause(ctx); cause != err { //nolint:errorlint // the very same value
		return fmt.Errorf("%w: %w", err, cause)
	}
	return err
}

// stalled is the error of a run in which nothing runs and nothing can start:
// it says what waits for what.
func (r *run) stalled() error {
	ws, more := r.m.Stalled(20)
	var b strings.Builder
	fmt.Fprintf(&b, "graph: nothing runs and nothing can start, with %d of %d tasks ended; what waits for what:", r.m.Ended(), r.m.Len())
	for _, w := range ws {
		fmt.Fprintf(&b, "\n  %s (task %d), %s", r.nameOf(w.Task), r.task[w.Task], w.State)
		if len(w.For) > 0 {
			b.WriteString(", for ")
			var names []string
			for _, d := range w.For {
				names = append(names, fmt.Sprintf("%s (task %d)", r.nameOf(d), r.task[d]))
			}
			list(&b, names, ", ")
		}
		if w.Why != "" {
			b.WriteString(": " + w.Why)
		}
	}
	if more > 0 {
		fmt.Fprintf(&b, "\n  ... and %d more", more)
	}
	return errors.New(b.String())
}
