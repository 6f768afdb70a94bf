package cluster

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"reflect"
	"time"

	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/sdk/converter"

	"github.com/weft-go/weft"
	"github.com/weft-go/weft/cluster/internal/desk"
)

// Run is a run on the cluster, as seen from any process.
type Run struct {
	c     *Cluster
	owned bool // c was dialled for it
	info  RunInfo
	first string // its first execution
}

// RunInfo is what the server's list has of a run.
type RunInfo struct {
	// ID names it.
	ID string
	// Func is the function, Items how many there are, 0 where the run's driver
	// sends them as it goes.
	Func  string
	Items int
	// Driven is set if a process waits for it: it ends with that.
	Driven bool
	// Status is running, completed, failed, cancelled, terminated or timed out.
	Status string
	// Began and Ended are times of the server; Ended is zero while it runs.
	Began, Ended time.Time
	// Page is its page among the server's own.
	Page string
}

const memoKey = "weft"

// note is what the server's list shows of a run.
type note struct {
	Func   string
	Items  int
	Driven bool
}

func memoOf(s spec) map[string]any {
	return map[string]any{memoKey: note{Func: s.Func, Items: s.Items, Driven: s.Driven}}
}

func statusText(s enumspb.WorkflowExecutionStatus) string {
	switch s {
	case enumspb.WORKFLOW_EXECUTION_STATUS_RUNNING, enumspb.WORKFLOW_EXECUTION_STATUS_CONTINUED_AS_NEW:
		return "running"
	case enumspb.WORKFLOW_EXECUTION_STATUS_COMPLETED:
		return "completed"
	case enumspb.WORKFLOW_EXECUTION_STATUS_FAILED:
		return "failed"
	case enumspb.WORKFLOW_EXECUTION_STATUS_CANCELED:
		return "cancelled"
	case enumspb.WORKFLOW_EXECUTION_STATUS_TERMINATED:
		return "terminated"
	case enumspb.WORKFLOW_EXECUTION_STATUS_TIMED_OUT:
		return "timed out"
	}
	return "unknown"
}

// Attach is [Cluster.Attach] on the cluster of WEFT_CLUSTER. The run's Close
// ends the connection.
func Attach(ctx context.Context, id string, cfg ...Config) (*Run, error) {
	c, err := Dial(ctx, "", cfg...)
	if err != nil {
		return nil, err
	}
	r, err := c.Attach(ctx, id)
	if err != nil {
		_ = c.Close()
		return nil, err
	}
	r.owned = true
	return r, nil
}

// Attach finds a run by its id, whether it still runs or has ended. It costs a
// round trip. The server forgets runs some time after they have ended, as its
// namespace's retention says.
func (c *Cluster) Attach(ctx context.Context, id string) (*Run, error) {
	resp, err := c.client.DescribeWorkflowExecution(ctx, id, "")
	if isNotFound(err) {
		return nil, fmt.Errorf("cluster: Attach: the server at %s has no run %q in the namespace %q (any more): see weft cluster runs", c.at.host, id, c.at.namespace)
	}
	if err != nil {
		return nil, fmt.Errorf("cluster: Attach: %w", c.at.explain(err))
	}
	e := resp.GetWorkflowExecutionInfo()
	if e.GetType().GetName() != workflowName {
		return nil, fmt.Errorf("cluster: Attach: %q is a workflow of type %s, not a run", id, e.GetType().GetName())
	}
	r := &Run{c: c, first: e.GetFirstRunId(), info: c.infoOf(id, e.GetStatus(), e.GetMemo().GetFields()[memoKey])}
	r.info.Began = e.GetStartTime().AsTime()
	if t := e.GetCloseTime(); t != nil {
		r.info.Ended = t.AsTime()
	}
	if r.first == "" {
		r.first = e.GetExecution().GetRunId()
	}
	return r, nil
}

// ID is the run's.
func (r *Run) ID() string { return r.info.ID }

// Info is what was known of the run when it was found.
func (r *Run) Info() RunInfo { return r.info }

// Close ends the connection that Attach made. The run goes on.
func (r *Run) Close() error {
	if r.owned {
		return r.c.Close()
	}
	return nil
}

// Cancel asks the run to end. Items that run end within about a second if they
// watch their context. It returns at once.
func (r *Run) Cancel(ctx context.Context) error {
	if err := r.c.client.CancelWorkflow(ctx, r.info.ID, ""); err != nil && !isNotFound(err) {
		return fmt.Errorf("cluster: cancelling %s: %w", r.info.ID, r.c.at.explain(err))
	}
	return nil
}

// Discard deletes what the run has in the store; its results can't be read any
// more. Call it when they have been, or leave it to weft cluster gc.
func (r *Run) Discard(ctx context.Context) error {
	if r.c.store == nil {
		return nil
	}
	_, err := r.c.store.DeletePrefix(ctx, objectPrefix(r.info.ID))
	return err
}

// Progress asks how far the run is, and what each worker has done of it. A
// worker answers, so that without any there is an error after some seconds.
func (r *Run) Progress(ctx context.Context) (p Progress, err error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	v, err := r.c.client.QueryWorkflow(ctx, r.info.ID, "", queryName)
	if err == nil {
		err = v.Get(&p)
	}
	if err != nil {
		return p, fmt.Errorf("cluster: asking %s how far it is: %w", r.info.ID, r.c.at.explain(err))
	}
	return p, nil
}

// Wait waits for the end of the run. It returns nil if all of it has been done,
// whether items failed or not.
func (r *Run) Wait(ctx context.Context) error {
	t := tail{c: r.c, id: r.info.ID, run: r.first}
	var end error = errNoEnd
	err := t.read(ctx, func(e event) bool {
		if e.closed == enumspb.WORKFLOW_EXECUTION_STATUS_UNSPECIFIED {
			return true
		}
		end = r.ended(e)
		return false
	})
	switch {
	case err != nil:
		return fmt.Errorf("cluster: %s: %w", r.info.ID, err)
	case end == errNoEnd && ctx.Err() != nil: //nolint:errorlint // the very same value
		return context.Cause(ctx)
	}
	return end
}

var errNoEnd = errors.New("cluster: the history of the run has no end")

func (r *Run) ended(e event) error {
	if e.closed == enumspb.WORKFLOW_EXECUTION_STATUS_COMPLETED {
		return nil
	}
	return fmt.Errorf("cluster: %s: %w: %s %s", r.info.ID, ErrEnded, statusText(e.closed), e.text)
}

// Results yields the results of a run in the order of its items, as they come:
// of a run that has ended, all at once. R is what its function returns. An item
// that failed yields a *weft.ItemError, and the others go on. The last pair has
// an error that is none if the run was ended before all was done, or ctx has
// ended.
//
// Results that are not their turn's yet are kept as references, or as bytes if
// they are small. It can be ranged over again, and by several processes at once,
// until [Run.Discard].
func Results[R any](ctx context.Context, r *Run) iter.Seq2[R, error] {
	return func(yield func(R, error) bool) {
		var zero R
		if r.info.Driven {
			yield(zero, fmt.Errorf("cluster: %s is driven by a process that takes its results; only runs of Submit keep them", r.info.ID))
			return
		}
		f := &reader{run: r, parts: map[uint64]partInfo{}, got: map[int]*held{}}
		t := tail{c: r.c, id: r.info.ID, run: r.first}
		over := false
		var end error
		err := t.read(ctx, func(e event) bool {
			switch {
			case e.started != nil:
				if end = f.begin(r.c.converter, e); end != nil {
					return false
				}
			case e.closed != enumspb.WORKFLOW_EXECUTION_STATUS_UNSPECIFIED:
				over, end = true, r.ended(e)
				return false
			case e.span.Hi > 0:
				f.take(e.span, e.verdict)
			default:
				return true
			}
			for f.next < f.items {
				h := f.got[f.next]
				if h == nil {
					return true
				}
				delete(f.got, f.next)
				out, errs := make([]R, h.n), make([]error, h.n)
				if h.gone != "" {
					errs[0] = lostError(h.gone)
				} else if err := r.c.results(ctx, r.info.ID, &h.piece, 0, reflect.ValueOf(out), errs); err != nil {
					end = fmt.Errorf("cluster: %s: items from %d on: %w", r.info.ID, f.next, err)
					return false
				}
				for i, v := range out {
					var err error
					if errs[i] != nil {
						v, err = zero, &weft.ItemError{Index: f.next, Err: errs[i]}
					}
					f.next++
					if !yield(v, err) {
						over, end, f.next = true, nil, f.items
						return false
					}
				}
			}
			return f.next < f.items
		})
		switch {
		case err != nil:
			end = fmt.Errorf("cluster: %s: %w", r.info.ID, err)
		case end != nil, f.next >= f.items && f.begun:
		case ctx.Err() != nil:
			end = fmt.Errorf("cluster: %s: %w", r.info.ID, context.Cause(ctx))
		case over:
			end = fmt.Errorf("cluster: %s has ended, and the result of item %d is not in its history", r.info.ID, f.next)
		default:
			end = errNoEnd
		}
		if end != nil {
			yield(zero, end)
		}
	}
}

// reader puts the results of a run in order.
type reader struct {
	run   *Run
	begun bool
	items int
	next  int
	parts map[uint64]partInfo
	got   map[int]*held // by the index of the first item
}

type partInfo struct{ first, count int }

// held is what is known of some items whose turn has not come.
type held struct {
	piece
	n    int
	gone string // a single item that was given up, and why
}

func (f *reader) begin(dc converter.DataConverter, e event) error {
	var s spec
	if err := dc.FromPayloads(e.started.GetInput(), &s); err != nil {
		return fmt.Errorf("cluster: the run can't be read: %w", err)
	}
	f.begun, f.items = true, s.Items
	for _, b := range s.Parts {
		var p part
		if err := decode(b, &p); err != nil {
			return fmt.Errorf("cluster: the run can't be read: %w", err)
		}
		f.parts[p.Seq] = partInfo{p.First, p.Count}
	}
	return nil
}

// take notes what became of a span; what is run again is told of later.
func (f *reader) take(s desk.Span, v judged) {
	p, ok := f.parts[s.Seq]
	if !ok || s.Hi > p.count {
		return
	}
	switch v.kind {
	case ran:
		if v.outcome.Ran > 0 {
			f.got[p.first+s.Lo] = &held{piece: piece{span: s, outcome: v.outcome}, n: v.outcome.Ran}
		}
	case lost:
		_, blamed, ok := desk.Lost(s, v.begun, v.at)
		switch {
		case !ok:
			f.giveUp(p.first+s.Lo, p.first+s.Hi, "no worker began it")
		case blamed >= 0:
			f.giveUp(p.first+blamed, p.first+blamed+1, v.text)
		}
	case refused:
		if _, ok := desk.Refused(s); !ok || v.outcome.Lasting {
			f.giveUp(p.first+s.Lo, p.first+s.Hi, v.text)
		}
	}
}

func (f *reader) giveUp(lo, hi int, why string) {
	for i := lo; i < hi; i++ {
		f.got[i] = &held{n: 1, gone: why}
	}
}
