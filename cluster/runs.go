package cluster

import (
	"context"
	"fmt"
	"net"
	"slices"
	"strings"
	"time"

	commonpb "go.temporal.io/api/common/v1"
	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/workflowservice/v1"
)

// Runs is [Cluster.Runs] on the cluster of WEFT_CLUSTER.
func Runs(ctx context.Context, cfg ...Config) ([]RunInfo, error) {
	c, err := Dial(ctx, "", cfg...)
	if err != nil {
		return nil, err
	}
	defer c.Close()
	return c.Runs(ctx)
}

// Runs lists the runs of the queue that the server knows, those that have ended
// too, the youngest first. A run appears some milliseconds after it has begun;
// on a large server it may be a second.
func (c *Cluster) Runs(ctx context.Context) ([]RunInfo, error) {
	var rs []RunInfo
	var token []byte
	for {
		resp, err := c.client.ListWorkflow(ctx, &workflowservice.ListWorkflowExecutionsRequest{
			Query: fmt.Sprintf("WorkflowType = '%s'", workflowName), NextPageToken: token,
		})
		if err != nil {
			return nil, fmt.Errorf("cluster: listing runs: %w", c.at.explain(err))
		}
		for _, e := range resp.GetExecutions() {
			if !c.owns(e.GetTaskQueue()) || e.GetStatus() == enumspb.WORKFLOW_EXECUTION_STATUS_CONTINUED_AS_NEW {
				continue
			}
			r := c.infoOf(e.GetExecution().GetWorkflowId(), e.GetStatus(), e.GetMemo().GetFields()[memoKey])
			r.Began = e.GetStartTime().AsTime()
			if t := e.GetCloseTime(); t != nil {
				r.Ended = t.AsTime()
			}
			rs = append(rs, r)
		}
		if token = resp.GetNextPageToken(); len(token) == 0 {
			break
		}
	}
	slices.SortFunc(rs, func(a, b RunInfo) int {
		if d := b.Began.Compare(a.Began); d != 0 {
			return d
		}
		return strings.Compare(a.ID, b.ID)
	})
	return rs, nil
}

// owns tells whether a task queue is one of this queue's builds.
func (c *Cluster) owns(queue string) bool {
	digest, ok := strings.CutPrefix(queue, "weft."+c.at.queue+".")
	return ok && !strings.Contains(digest, ".")
}

func (c *Cluster) infoOf(id string, s enumspb.WorkflowExecutionStatus, memo *commonpb.Payload) RunInfo {
	r := RunInfo{ID: id, Status: statusText(s), Page: c.page(id)}
	var n note
	if memo != nil && c.converter.FromPayload(memo, &n) == nil {
		r.Func, r.Items, r.Driven = n.Func, n.Items, n.Driven
	}
	return r
}

func (c *Cluster) page(id string) string {
	pages := c.cfg.Pages
	if pages == "" {
		host, _, err := net.SplitHostPort(c.at.host)
		if err != nil {
			host = c.at.host
		}
		pages = "http://" + net.JoinHostPort(host, defaultPages)
	}
	return fmt.Sprintf("%s/namespaces/%s/workflows/%s", strings.TrimSuffix(pages, "/"), c.at.namespace, id)
}

// Workers lists the workers of the queue that have asked for work within the
// last minute or so, of all builds.
func (c *Cluster) Workers(ctx context.Context) ([]Worker, error) {
	bs, err := c.builds(ctx)
	if err != nil {
		return nil, fmt.Errorf("cluster: listing workers: %w", c.at.explain(err))
	}
	bs[c.build.digest()] = c.build
	var all []Worker
	for digest := range bs {
		ws, err := c.workersOf(ctx, digest)
		if err != nil {
			return nil, fmt.Errorf("cluster: listing workers: %w", c.at.explain(err))
		}
		all = append(all, ws...)
	}
	slices.SortFunc(all, func(a, b Worker) int { return strings.Compare(a.Name+a.Build, b.Name+b.Build) })
	return all, nil
}

// Collect deletes from the store what no run needs any more: of runs that the
// server does not know, of those that a process drove and that have ended, and
// of submitted ones that ended longer than keep ago. What was written within the
// last hour stays in any case, as its run may not have begun. It returns how
// many objects it has deleted, of which runs.
func (c *Cluster) Collect(ctx context.Context, keep time.Duration) (objects int, runs []string, err error) {
	if c.store == nil {
		return 0, nil, fmt.Errorf("cluster: Collect: the URL has no store, so there is nothing to collect")
	}
	ids, err := c.store.Folders(ctx, "runs")
	if err != nil {
		return 0, nil, fmt.Errorf("cluster: Collect: %w", err)
	}
	for _, id := range ids {
		needed, err := c.needed(ctx, id, keep)
		if err != nil {
			return objects, runs, fmt.Errorf("cluster: Collect: %w", c.at.explain(err))
		}
		if needed {
			continue
		}
		n, err := c.store.DeletePrefix(ctx, objectPrefix(id))
		objects += n
		if err != nil {
			return objects, runs, fmt.Errorf("cluster: Collect: %w", err)
		}
		runs = append(runs, id)
	}
	return objects, runs, nil
}

// fresh is how long an object may be older than its run.
const fresh = time.Hour

func (c *Cluster) needed(ctx context.Context, id string, keep time.Duration) (bool, error) {
	resp, err := c.client.DescribeWorkflowExecution(ctx, id, "")
	if err != nil && !isNotFound(err) {
		return true, err
	}
	if err == nil {
		e := resp.GetWorkflowExecutionInfo()
		if e.GetStatus() == enumspb.WORKFLOW_EXECUTION_STATUS_RUNNING {
			return true, nil
		}
		r := c.infoOf(id, e.GetStatus(), e.GetMemo().GetFields()[memoKey])
		if !r.Driven && time.Since(e.GetCloseTime().AsTime()) < keep {
			return true, nil
		}
		return false, nil
	}
	for o, err := range c.store.List(ctx, objectPrefix(id)) {
		if err != nil {
			return true, err
		}
		if time.Since(o.Modified) < fresh {
			return true, nil
		}
	}
	return false, nil
}
