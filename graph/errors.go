package graph

import (
	"fmt"
	"strings"
)

// TaskError is the failure of one task.
type TaskError struct {
	// Task is its name, ID its number in the graph.
	Task string
	ID   int
	// Inputs are the names of what it was called with.
	Inputs []string
	// Path are the names of the tasks that led to what was asked for, from
	// the one that uses the failed one; empty if it was asked for itself.
	Path []string
	// Err is what the function returned, or a *weft.PanicError, or why it did
	// not run.
	Err error
}

// shownNames bounds the names in an error.
const shownNames = 6

func (e *TaskError) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "graph: %s (task %d", e.Task, e.ID)
	if len(e.Inputs) > 0 {
		b.WriteString(" of ")
		list(&b, e.Inputs, ", ")
	}
	if len(e.Path) > 0 {
		b.WriteString(", needed by ")
		list(&b, e.Path, " < ")
	}
	fmt.Fprintf(&b, "): %v", e.Err)
	return b.String()
}

func list(b *strings.Builder, names []string, sep string) {
	for i, n := range names {
		if i > 0 {
			b.WriteString(sep)
		}
		if i == shownNames-1 && len(names) > shownNames {
			fmt.Fprintf(b, "... (%d more)", len(names)-i)
			return
		}
		b.WriteString(n)
	}
}

// Unwrap returns the cause, so errors.Is and errors.AsType see through.
func (e *TaskError) Unwrap() error { return e.Err }

// taskErrors is every failure of a KeepGoing run, in the order of the graph.
type taskErrors struct {
	errs    []*TaskError
	skipped int
}

const shownErrors = 10

func (es *taskErrors) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "graph: %d tasks failed", len(es.errs))
	if len(es.errs) == 1 {
		b.Reset()
		b.WriteString("graph: 1 task failed")
	}
	if es.skipped > 0 {
		fmt.Fprintf(&b, ", and %d that need them did not run", es.skipped)
	}
	for i, e := range es.errs {
		if i == shownErrors {
			fmt.Fprintf(&b, "\n... and %d more", len(es.errs)-i)
			break
		}
		b.WriteString("\n")
		b.WriteString(e.Error())
	}
	return b.String()
}

// Unwrap returns the failures, so errors.Is and errors.AsType look at each.
func (es *taskErrors) Unwrap() []error {
	out := make([]error, len(es.errs))
	for i, e := range es.errs {
		out[i] = e
	}
	return out
}

// stopCause is the cause with which the other tasks of a failed run are
// cancelled.
type stopCause struct{ err error }

func (s stopCause) Error() string { return "graph: stopped because " + s.err.Error() }
func (s stopCause) Unwrap() error { return s.err }
