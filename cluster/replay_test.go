package cluster

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"testing"

	enumspb "go.temporal.io/api/enums/v1"
	historypb "go.temporal.io/api/history/v1"
	"go.temporal.io/api/temporalproto"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"
)

var rewrite = flag.Bool("rewrite", false, "write the histories in testdata anew, from runs on a real server")

// Rewrite tells whether histories are to be recorded.
func Rewrite() bool { return *rewrite }

// Cut has the histories of runs cut after n events.
func Cut(cfg Config, n int) Config {
	cfg.cut = n
	return cfg
}

// Histories returns the histories that a run was cut into.
func Histories(ctx context.Context, c *Cluster, id string) (all [][]byte, err error) {
	r, err := c.Attach(ctx, id)
	if err != nil {
		return nil, err
	}
	for run := r.first; run != ""; {
		h := &historypb.History{}
		next := ""
		it := c.client.GetWorkflowHistory(ctx, id, run, false, enumspb.HISTORY_EVENT_FILTER_TYPE_ALL_EVENT)
		for it.HasNext() {
			e, err := it.Next()
			if err != nil {
				return nil, err
			}
			h.Events = append(h.Events, e)
			if a := e.GetWorkflowExecutionContinuedAsNewEventAttributes(); a != nil {
				next = a.GetNewExecutionRunId()
			}
		}
		b, err := temporalproto.CustomJSONMarshalOptions{Indent: " "}.Marshal(h)
		if err != nil {
			return nil, err
		}
		all = append(all, b)
		run = next
	}
	return all, nil
}

// Replay runs the workflow's code of today on a history of another day.
func Replay(name string, history []byte) error {
	r, err := worker.NewWorkflowReplayerWithOptions(worker.WorkflowReplayerOptions{})
	if err != nil {
		return err
	}
	r.RegisterWorkflowWithOptions(runWorkflow, workflow.RegisterOptions{Name: workflowName})
	h := &historypb.History{}
	if err := (temporalproto.CustomJSONUnmarshalOptions{DiscardUnknown: true}).Unmarshal(history, h); err != nil {
		return err
	}
	if len(h.Events) < 5 {
		return errors.New("the history is too short to tell anything")
	}
	return r.ReplayWorkflowHistory(quiet{}, h)
}

// Histories of each release stay in testdata, and today's code must come to the
// same decisions on them: a run goes on when its workers are replaced.
func TestReplay(t *testing.T) {
	t.Parallel()
	names, err := filepath.Glob("testdata/histories/*.json")
	if err != nil || len(names) < 4 {
		t.Fatalf("%d histories, %v", len(names), err)
	}
	for _, name := range names {
		t.Run(filepath.Base(name), func(t *testing.T) {
			t.Parallel()
			b, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			if err := Replay(name, b); err != nil {
				t.Errorf("the workflow's code does not fit this history any more; runs under way would stop: %v", err)
			}
			// It can fail: an activity by another name is another decision.
			if changed := bytes.Replace(b, []byte(`"activityId": "1.`), []byte(`"activityId": "9.`), 1); !bytes.Equal(changed, b) && Replay(name, changed) == nil {
				t.Error("a history with another decision fits as well")
			}
		})
	}
}
