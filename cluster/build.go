package cluster

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"time"

	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/serviceerror"
	taskqueuepb "go.temporal.io/api/taskqueue/v1"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"

	"github.com/weft-go/weft"
)

// build is what programs that work together have in common: the protocol and
// the functions, each with what it takes and returns. Programs that differ in
// it have different queues, so that no worker is given what it does not know.
type build struct {
	Protocol  int
	Functions []string // "name takes -> returns", sorted
}

// digest names the build in queues.
func (b build) digest() string {
	h := sha256.New()
	fmt.Fprintln(h, b.Protocol)
	for _, f := range b.Functions {
		fmt.Fprintln(h, f)
	}
	return hex.EncodeToString(h.Sum(nil)[:6])
}

// signature says how a function is called, down to the fields of what it takes
// and returns, as values travel without names.
func signature(f *weft.Func) string {
	return f.Name() + " " + layout(f.Item()) + " -> " + layout(f.Result())
}

func layout(t reflect.Type) string {
	var b strings.Builder
	write(&b, t, map[reflect.Type]bool{})
	s := b.String()
	if len(s) > 200 {
		h := sha256.Sum256([]byte(s))
		return fmt.Sprintf("%v#%x", t, h[:6])
	}
	return s
}

func write(b *strings.Builder, t reflect.Type, seen map[reflect.Type]bool) {
	if t == nil {
		b.WriteString("nothing")
		return
	}
	if t.Name() != "" {
		b.WriteString(t.String())
		if t.PkgPath() == "" || seen[t] {
			return
		}
		seen[t] = true
		b.WriteByte('=')
	}
	switch t.Kind() {
	case reflect.Pointer:
		b.WriteByte('*')
		write(b, t.Elem(), seen)
	case reflect.Slice:
		b.WriteString("[]")
		write(b, t.Elem(), seen)
	case reflect.Array:
		fmt.Fprintf(b, "[%d]", t.Len())
		write(b, t.Elem(), seen)
	case reflect.Map:
		b.WriteString("map[")
		write(b, t.Key(), seen)
		b.WriteByte(']')
		write(b, t.Elem(), seen)
	case reflect.Struct:
		b.WriteByte('{')
		for i := range t.NumField() {
			if i > 0 {
				b.WriteByte(' ')
			}
			write(b, t.Field(i).Type, seen)
		}
		b.WriteByte('}')
	default:
		b.WriteString(t.Kind().String())
	}
}

func thisBuild() build {
	b := build{Protocol: protocol}
	for _, f := range weft.RegisteredFuncs() {
		if f.Item() != nil {
			b.Functions = append(b.Functions, signature(f))
		}
	}
	slices.Sort(b.Functions)
	return b
}

// taskQueue is the queue of a build.
func taskQueue(queue, digest string) string { return "weft." + queue + "." + digest }

func recordPrefix(queue string) string { return "weft.build." + queue + "." }

// announce writes down that there are workers of this build: a workflow that
// nobody runs, whose input has the functions, and that the server forgets after
// a while.
func announce(ctx context.Context, c client.Client, queue string, b build) error {
	id := recordPrefix(queue) + b.digest()
	_, err := c.ExecuteWorkflow(ctx, client.StartWorkflowOptions{
		ID: id, TaskQueue: "weft.records", WorkflowExecutionTimeout: recordLife,
		WorkflowIDReusePolicy:    enumspb.WORKFLOW_ID_REUSE_POLICY_ALLOW_DUPLICATE,
		WorkflowIDConflictPolicy: enumspb.WORKFLOW_ID_CONFLICT_POLICY_USE_EXISTING,
	}, recordName, b)
	return err
}

// recordLife is how long a record stays; workers write it again in half of it.
const recordLife = 7 * 24 * time.Hour

// Worker is a worker as the server knows it.
type Worker struct {
	// Name is host/pid, Slots how many items it runs at once.
	Name  string
	Slots int
	// Seen is when it last asked for work, at most a minute or so ago if it
	// lives.
	Seen time.Time
	// Build tells workers with other functions apart.
	Build string
}

// alive is how long ago a worker that lives has asked for work at most: a poll
// takes a minute, and then comes the next.
const alive = 75 * time.Second

// identity is the name under which a worker polls.
func identity(name string, slots int) string { return fmt.Sprintf("weft-worker/%s/%d", name, slots) }

func parseIdentity(s string) (w Worker, ok bool) {
	s, ok = strings.CutPrefix(s, "weft-worker/")
	if !ok {
		return w, false
	}
	i := strings.LastIndexByte(s, '/')
	if i < 0 {
		return w, false
	}
	if _, err := fmt.Sscanf(s[i+1:], "%d", &w.Slots); err != nil || w.Slots < 1 {
		return w, false
	}
	w.Name = s[:i]
	return w, true
}

// workersOf asks who polls the queue of a build.
func (c *Cluster) workersOf(ctx context.Context, digest string) ([]Worker, error) {
	resp, err := c.client.WorkflowService().DescribeTaskQueue(ctx, &workflowservice.DescribeTaskQueueRequest{
		Namespace: c.at.namespace, TaskQueueType: enumspb.TASK_QUEUE_TYPE_WORKFLOW,
		TaskQueue: &taskqueuepb.TaskQueue{Name: taskQueue(c.at.queue, digest)},
	})
	if err != nil {
		return nil, err
	}
	now := time.Now().Add(time.Duration(c.skew.Load()))
	var ws []Worker
	for _, p := range resp.GetPollers() {
		w, ok := parseIdentity(p.GetIdentity())
		if !ok {
			continue
		}
		w.Seen, w.Build = p.GetLastAccessTime().AsTime(), digest
		if now.Sub(w.Seen) < alive && !slices.ContainsFunc(ws, func(o Worker) bool { return o.Name == w.Name }) {
			ws = append(ws, w)
		}
	}
	slices.SortFunc(ws, func(a, b Worker) int { return strings.Compare(a.Name, b.Name) })
	return ws, nil
}

// builds returns the builds that workers of the queue have announced.
func (c *Cluster) builds(ctx context.Context) (map[string]build, error) {
	bs := map[string]build{}
	var token []byte
	for {
		resp, err := c.client.ListWorkflow(ctx, &workflowservice.ListWorkflowExecutionsRequest{
			Query: fmt.Sprintf("WorkflowType = '%s' AND ExecutionStatus = 'Running'", recordName), NextPageToken: token,
		})
		if err != nil {
			return nil, err
		}
		for _, e := range resp.GetExecutions() {
			digest, ok := strings.CutPrefix(e.GetExecution().GetWorkflowId(), recordPrefix(c.at.queue))
			if !ok || strings.Contains(digest, ".") {
				continue
			}
			var b build
			h, err := c.client.WorkflowService().GetWorkflowExecutionHistory(ctx, &workflowservice.GetWorkflowExecutionHistoryRequest{
				Namespace: c.at.namespace, Execution: e.GetExecution(), MaximumPageSize: 1,
			})
			if err != nil || len(h.GetHistory().GetEvents()) == 0 {
				continue // it has ended meanwhile
			}
			in := h.GetHistory().GetEvents()[0].GetWorkflowExecutionStartedEventAttributes().GetInput()
			if c.converter.FromPayloads(in, &b) == nil && b.digest() == digest {
				bs[digest] = b
			}
		}
		if token = resp.GetNextPageToken(); len(token) == 0 {
			return bs, nil
		}
	}
}

// find looks for workers that know f: those of this very build, or else of the
// one with the most workers that has the function as this program has it.
func (c *Cluster) find(ctx context.Context, f *weft.Func) (digest string, ws []Worker, err error) {
	own := c.build.digest()
	ws, err = c.workersOf(ctx, own)
	if err != nil || len(ws) > 0 {
		return own, ws, err
	}
	bs, err := c.builds(ctx)
	if err != nil {
		return own, nil, err
	}
	var others []string
	for d, b := range bs {
		if d == own {
			continue
		}
		theirs, err := c.workersOf(ctx, d)
		if err != nil {
			return own, nil, err
		}
		if len(theirs) == 0 {
			continue
		}
		switch {
		case b.Protocol != protocol:
			others = append(others, fmt.Sprintf("%s (protocol %d, this program has %d)", theirs[0].Name, b.Protocol, protocol))
		case !slices.Contains(b.Functions, signature(f)):
			what := "without it"
			if slices.ContainsFunc(b.Functions, func(s string) bool { return strings.HasPrefix(s, f.Name()+" ") }) {
				what = "with another form of it"
			}
			others = append(others, fmt.Sprintf("%s (%s)", theirs[0].Name, what))
		case len(theirs) > len(ws):
			digest, ws = d, theirs
		}
	}
	if len(ws) > 0 {
		return digest, ws, nil
	}
	if len(others) > 0 {
		slices.Sort(others)
		return own, nil, &functionError{f.Name(), c.at.queue, others}
	}
	return own, nil, nil
}

// functionError is that there are workers, none of which has the function.
type functionError struct {
	name, queue string
	others      []string
}

func (e *functionError) Error() string {
	return fmt.Sprintf("no worker of the queue %q has the function %s as this program has it: there are %s; start workers of this program: %s",
		e.queue, e.name, strings.Join(e.others, ", "), startWorker)
}

const startWorker = "PROGRAM weft-worker, where PROGRAM calls cluster.Init() first in main (or set WEFT_WORKER=1), with WEFT_CLUSTER as the URL"

func isNotFound(err error) bool {
	_, ok := errors.AsType[*serviceerror.NotFound](err)
	return ok
}
