package cluster

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"

	"github.com/weft-go/weft"
	"github.com/weft-go/weft/proc"
)

// Serve makes this process a worker of the cluster at url ("" is that of
// WEFT_CLUSTER) until ctx ends, and then drains: items that run end, what has
// not begun goes to other workers. It returns nil then, and an error if it could
// not join: no server, no such namespace, a store that can't be reached.
//
// The functions that it can run are those that this program registers
// (weft.Register). Drivers with other functions have other queues, so that it
// is never given what it does not know.
//
// A worker keeps trying while the server does not answer.
func Serve(ctx context.Context, url string, cfg WorkerConfig) error {
	cfg = cfg.withDefaults()
	if err := cfg.validate(); err != nil {
		return fmt.Errorf("cluster: Serve: %w", err)
	}
	err := serve(ctx, url, cfg)
	if err != nil {
		return fmt.Errorf("cluster: Serve: %w", err)
	}
	return nil
}

// server is a worker from inside.
type server struct {
	c        *Cluster
	cfg      WorkerConfig
	name     string
	pool     *proc.Pool // nil without Isolate
	running  atomic.Int64
	draining atomic.Bool
	memory   *account
}

func serve(ctx context.Context, url string, cfg WorkerConfig) (err error) {
	c, err := dial(ctx, url, cfg.Config, "weft-worker/"+processName(), cfg.Log)
	if err != nil {
		return err
	}
	defer c.Close()
	if len(c.build.Functions) == 0 {
		return errors.New("this program registers no function, so a worker of it has nothing to do; add at package level: var _ = weft.Register(f)")
	}
	w := &server{c: c, cfg: cfg, name: processName()}
	w.memory = newAccount(cfg.Memory, w.held)
	if cfg.Isolate {
		// The pool ends after the drain, not with ctx.
		w.pool, err = proc.Start(context.WithoutCancel(ctx), proc.Config{
			Workers: cfg.Slots + sum(cfg.Resources), MemoryLimit: cfg.ItemMemory, TaskTimeout: cfg.ItemTimeout,
			Stdout: cfg.Log, Stderr: cfg.Log,
		})
		if err != nil {
			return fmt.Errorf("processes for WorkerConfig.Isolate: %w", err)
		}
		defer w.pool.Close()
	}
	queues := map[string]int{c.at.queue: cfg.Slots}
	for name, n := range cfg.Resources {
		queues[c.at.queue+"."+name] = n
	}
	var ws []worker.Worker
	defer func() {
		w.draining.Store(true)
		for _, o := range ws {
			o.Stop()
		}
	}()
	fatal := make(chan error, len(queues))
	for _, queue := range slices.Sorted(maps.Keys(queues)) {
		if err := c.persist(ctx, func(ctx context.Context) error { return announce(ctx, c.client, queue, c.build) }); err != nil {
			return c.at.explain(err)
		}
		o, err := w.newWorker(queue, queues[queue], func(err error) { fatal <- err })
		if err != nil {
			return err
		}
		if err := o.Start(); err != nil {
			return c.at.explain(err)
		}
		ws = append(ws, o)
	}
	w.log("worker %s joined %s: %d slots, %d functions, build %s", w.name, c.at, cfg.Slots, len(c.build.Functions), c.build.digest())
	again := time.NewTicker(recordLife / 2)
	defer again.Stop()
	for {
		select {
		case <-ctx.Done():
			w.log("worker %s drains", w.name)
			return nil
		case err := <-fatal:
			return c.at.explain(err)
		case <-again.C:
			for queue := range queues {
				_ = announce(ctx, c.client, queue, c.build)
			}
		}
	}
}

func sum(m map[string]int) (n int) {
	for _, v := range m {
		n += v
	}
	return n
}

func (w *server) log(format string, args ...any) {
	fmt.Fprintf(w.cfg.Log, "weft: "+format+"\n", args...)
}

// newWorker makes what polls one queue.
func (w *server) newWorker(queue string, n int, fatal func(error)) (worker.Worker, error) {
	few, err := worker.NewFixedSizeSlotSupplier(steps)
	if err != nil {
		return nil, err
	}
	locals, err := worker.NewFixedSizeSlotSupplier(1)
	if err != nil {
		return nil, err
	}
	nexus, err := worker.NewFixedSizeSlotSupplier(1)
	if err != nil {
		return nil, err
	}
	sessions, err := worker.NewFixedSizeSlotSupplier(1)
	if err != nil {
		return nil, err
	}
	tuner, err := worker.NewCompositeTuner(worker.CompositeTunerOptions{
		WorkflowSlotSupplier: few, ActivitySlotSupplier: newSlots(n, w.memory), LocalActivitySlotSupplier: locals,
		NexusSlotSupplier: nexus, SessionActivitySlotSupplier: sessions,
	})
	if err != nil {
		return nil, err
	}
	o := worker.New(w.c.client, taskQueue(queue, w.c.build.digest()), worker.Options{
		Identity: identity(w.name, n),
		Tuner:    tuner,
		// Said explicitly, so that no namespace's settings change them.
		WorkflowTaskPollerBehavior:   worker.NewPollerBehaviorSimpleMaximum(worker.PollerBehaviorSimpleMaximumOptions{MaximumNumberOfPollers: 2}),
		ActivityTaskPollerBehavior:   worker.NewPollerBehaviorSimpleMaximum(worker.PollerBehaviorSimpleMaximumOptions{MaximumNumberOfPollers: min(n, 4)}),
		TaskQueueActivitiesPerSecond: w.cfg.QueueRate,
		StickyScheduleToStartTimeout: 2 * time.Second,
		WorkerStopTimeout:            w.cfg.Drain,
		OnFatalError:                 fatal,
	})
	o.RegisterWorkflowWithOptions(runWorkflow, workflow.RegisterOptions{Name: workflowName})
	o.RegisterActivityWithOptions(w.activity, activity.RegisterOptions{Name: activityName})
	return o, nil
}

// steps is how many workflows a worker takes steps of at once; each takes a
// millisecond or so.
const steps = 8

// lookup refuses what this program does not have, or has in another form.
func lookup(name string) (*weft.Func, error) {
	f, err := weft.Lookup(name)
	if err == nil && f.Item() == nil {
		err = fmt.Errorf("%s takes no item", name)
	}
	if err != nil && !strings.Contains(err.Error(), "registered") {
		err = fmt.Errorf("the function can't be run: %w", err)
	}
	return f, err
}
