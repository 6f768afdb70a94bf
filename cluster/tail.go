package cluster

import (
	"context"
	"errors"
	"fmt"
	"time"

	commonpb "go.temporal.io/api/common/v1"
	enumspb "go.temporal.io/api/enums/v1"
	historypb "go.temporal.io/api/history/v1"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/api/workflowservice/v1"

	"github.com/weft-go/weft/cluster/internal/desk"
)

// tail reads the history of a run from its beginning and goes on as it grows,
// through all the histories that it was cut into. So whoever waits for a result
// sees it as soon as it is written down, and it costs the run no event.
type tail struct {
	c  *Cluster
	id string

	run     string              // the execution that is read
	spans   map[int64]desk.Span // by the event that scheduled them
	last    int64
	began   bool
	skipped int
}

// event is what a tail tells.
type event struct {
	span    desk.Span // of an activity that is over, else zero
	verdict judged
	started *historypb.WorkflowExecutionStartedEventAttributes // of the first
	at      time.Time
	worker  bool // something that only a worker does
	closed  enumspb.WorkflowExecutionStatus
	text    string // why it is closed
}

// read calls f for each event until f returns false, the run is over, or ctx
// ends. It goes on through failures of the server, for as long as Patience says.
func (t *tail) read(ctx context.Context, f func(event) bool) error {
	var token []byte
	for {
		var resp *workflowservice.GetWorkflowExecutionHistoryResponse
		err := t.c.persistRead(ctx, func(ctx context.Context) (err error) {
			resp, err = t.c.client.WorkflowService().GetWorkflowExecutionHistory(ctx, &workflowservice.GetWorkflowExecutionHistoryRequest{
				Namespace: t.c.at.namespace, WaitNewEvent: true, NextPageToken: token,
				Execution:              &commonpb.WorkflowExecution{WorkflowId: t.id, RunId: t.run},
				HistoryEventFilterType: enumspb.HISTORY_EVENT_FILTER_TYPE_ALL_EVENT,
			})
			return err
		})
		switch {
		case ctx.Err() != nil:
			return nil
		case is[*serviceerror.InvalidArgument](err) && token != nil:
			token = nil // of a server that was another one then; what is known is skipped
			if t.skipped++; t.skipped > 3 {
				return err
			}
			continue
		case is[*serviceerror.NotFound](err):
			return fmt.Errorf("%w: the server does not know %s any more", ErrEnded, t.id)
		case err != nil:
			return t.c.at.explain(err)
		}
		next := ""
		for _, e := range resp.GetHistory().GetEvents() {
			if e.GetEventId() <= t.last {
				continue
			}
			t.last = e.GetEventId()
			out, into, tell := t.take(e)
			if into != "" {
				next = into
				continue
			}
			if tell && !f(out) {
				return nil
			}
		}
		token = resp.GetNextPageToken()
		if next != "" {
			t.run, t.last, t.spans, token = next, 0, nil, nil
		} else if len(token) == 0 {
			return nil
		}
	}
}

// take reads one event. into is the execution that goes on.
func (t *tail) take(e *historypb.HistoryEvent) (out event, into string, tell bool) {
	out.at = e.GetEventTime().AsTime()
	over := func(scheduled int64) {
		out.span = t.spans[scheduled]
		delete(t.spans, scheduled)
		out.worker, tell = true, out.span.Hi > 0
	}
	switch e.GetEventType() {
	case enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_STARTED:
		a := e.GetWorkflowExecutionStartedEventAttributes()
		t.run = a.GetOriginalExecutionRunId()
		if !t.began {
			t.began = true
			out.started, tell = a, true
		}
	case enumspb.EVENT_TYPE_WORKFLOW_TASK_COMPLETED:
		out.worker, tell = true, true
	case enumspb.EVENT_TYPE_ACTIVITY_TASK_SCHEDULED:
		if s, ok := desk.Parse(e.GetActivityTaskScheduledEventAttributes().GetActivityId()); ok {
			if t.spans == nil {
				t.spans = map[int64]desk.Span{}
			}
			t.spans[e.GetEventId()] = s
		}
	case enumspb.EVENT_TYPE_ACTIVITY_TASK_COMPLETED:
		a := e.GetActivityTaskCompletedEventAttributes()
		over(a.GetScheduledEventId())
		var b []byte
		if err := t.c.converter.FromPayloads(a.GetResult(), &b); err != nil {
			out.verdict = judged{kind: refused, text: err.Error()}
		} else {
			out.verdict = judge(out.span, b)
		}
	case enumspb.EVENT_TYPE_ACTIVITY_TASK_FAILED:
		a := e.GetActivityTaskFailedEventAttributes()
		over(a.GetScheduledEventId())
		out.verdict = verdictOf(a.GetFailure(), t.c.converter)
	case enumspb.EVENT_TYPE_ACTIVITY_TASK_TIMED_OUT:
		a := e.GetActivityTaskTimedOutEventAttributes()
		over(a.GetScheduledEventId())
		out.verdict = verdictOf(a.GetFailure(), t.c.converter)
	case enumspb.EVENT_TYPE_ACTIVITY_TASK_CANCELED:
		over(e.GetActivityTaskCanceledEventAttributes().GetScheduledEventId())
		out.verdict = judged{kind: cancelled}
	case enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_CONTINUED_AS_NEW:
		return out, e.GetWorkflowExecutionContinuedAsNewEventAttributes().GetNewExecutionRunId(), false
	case enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_COMPLETED:
		out.closed, tell = enumspb.WORKFLOW_EXECUTION_STATUS_COMPLETED, true
	case enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_FAILED:
		out.closed, tell = enumspb.WORKFLOW_EXECUTION_STATUS_FAILED, true
		out.text = e.GetWorkflowExecutionFailedEventAttributes().GetFailure().GetMessage()
	case enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_TIMED_OUT:
		out.closed, tell = enumspb.WORKFLOW_EXECUTION_STATUS_TIMED_OUT, true
	case enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_CANCELED:
		out.closed, tell = enumspb.WORKFLOW_EXECUTION_STATUS_CANCELED, true
		out.text = "it was cancelled"
	case enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_TERMINATED:
		out.closed, tell = enumspb.WORKFLOW_EXECUTION_STATUS_TERMINATED, true
		out.text = e.GetWorkflowExecutionTerminatedEventAttributes().GetReason()
	}
	return out, "", tell
}

// persistRead is persist for a call that waits at the server for news, up to a
// minute or so.
func (c *Cluster) persistRead(ctx context.Context, call func(context.Context) error) error {
	pause := 20 * time.Millisecond
	begun := time.Now()
	for {
		inner, cancel := context.WithTimeout(ctx, 90*time.Second)
		err := call(inner)
		cancel()
		if err == nil || ctx.Err() != nil || !passing(err) {
			return err
		}
		if time.Since(begun) > c.cfg.Patience && !errors.Is(err, context.DeadlineExceeded) {
			return err
		}
		if !wait(ctx, pause) {
			return err
		}
		pause = min(2*pause, time.Second)
	}
}
