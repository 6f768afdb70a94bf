package cluster

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"time"

	"go.temporal.io/api/serviceerror"

	"github.com/weft-go/weft"
	"github.com/weft-go/weft/internal/wire"
)

// SubmitConfig is how a submitted run is to be. The zero value works.
type SubmitConfig struct {
	// ID names the run: letters, digits, '-', '_' and '.'. Submitting again under
	// the same one, after a crash say, is the run that is there. Defaults to a
	// new one.
	ID string
	// Timeout bounds each item, where it runs. Defaults to no limit.
	Timeout time.Duration
}

// Submit starts a run that goes on without this process, and returns its id as
// soon as the server and the store have all that it needs: [Cluster.Attach]
// follows it from any process. Each item runs, whether others fail or not; items
// run again when their worker is lost, and not when they fail.
//
// The items are encoded here: of a kilobyte each or more they go to the store,
// so that a URL without one takes a megabyte in all. It is an error, after ten
// seconds, if there is no worker that has the function.
func Submit[T, R any](ctx context.Context, c *Cluster, items []T, f func(context.Context, T) (R, error), cfg ...SubmitConfig) (id string, err error) {
	var one SubmitConfig
	if len(cfg) > 0 {
		one = cfg[0]
	}
	fn, err := weft.Registered(f)
	if err == nil {
		id, err = c.submit(ctx, fn, reflect.ValueOf(items), one)
	}
	if err != nil {
		return "", fmt.Errorf("cluster: Submit: %w", err)
	}
	return id, nil
}

const (
	// leastPart keeps parts from being tiny, mostParts the list of them small:
	// it is in the history. A part's bytes are decoded for each span of it.
	leastPart = 256
	mostPart  = 16 << 10
	mostParts = 1000
	// mostSpec is how many bytes of items a run's first message may have.
	mostSpec = 512 << 10
)

func (c *Cluster) submit(ctx context.Context, f *weft.Func, items reflect.Value, cfg SubmitConfig) (id string, err error) {
	if err := c.Check(f); err != nil {
		return "", err
	}
	if cfg.Timeout < 0 {
		return "", fmt.Errorf("the config's Timeout is %v; give a time above 0, or 0 for no limit", cfg.Timeout)
	}
	if id = cfg.ID; id == "" {
		id = newID()
	} else if !queueName.MatchString(id) || len(id) > mostQueueBytes {
		return "", fmt.Errorf("the config's ID %.60q is none: use letters, digits, '-', '_' and '.'", id)
	}
	digest, ws, err := c.await(ctx, f)
	if err != nil {
		return "", err
	}
	s := spec{
		Protocol: protocol, Func: f.Name(), Items: items.Len(), Lost: c.cfg.Lost, Lease: lease, Aim: c.cfg.Batch,
		Slots: slots(ws), Most: min(mostOut, max(64, 4*slots(ws))), Cut: c.cfg.cut, Began: time.Now().UTC(),
	}
	if s.Parts, err = c.parts(ctx, id, f, items, cfg); err != nil {
		return "", err
	}
	o := c.startOptions(id, digest)
	o.Memo = memoOf(s)
	err = c.persist(ctx, func(ctx context.Context) error {
		_, err := c.client.ExecuteWorkflow(ctx, o, workflowName, s)
		return err
	})
	if is[*serviceerror.WorkflowExecutionAlreadyStarted](err) && cfg.ID != "" {
		return id, nil
	}
	return id, c.at.explain(err)
}

// await looks for workers that have f, for some seconds.
func (c *Cluster) await(ctx context.Context, f *weft.Func) (digest string, ws []Worker, err error) {
	for begun := time.Now(); ; {
		digest, ws, err = c.find(ctx, f)
		switch {
		case len(ws) > 0:
			return digest, ws, nil
		case ctx.Err() != nil:
			return "", nil, context.Cause(ctx)
		case time.Since(begun) > patience:
			if err == nil {
				err = c.noWorkers("")
			}
			return "", nil, c.at.explain(err)
		}
		wait(ctx, 200*time.Millisecond)
	}
}

// parts encodes items.
func (c *Cluster) parts(ctx context.Context, id string, f *weft.Func, items reflect.Value, cfg SubmitConfig) ([][]byte, error) {
	var all [][]byte
	inline := 0
	per := min(mostPart, max(leastPart, (items.Len()+mostParts-1)/mostParts))
	if items.Len() > mostPart*mostParts {
		per = (items.Len() + mostParts - 1) / mostParts
	}
	for lo := 0; lo < items.Len(); {
		n := min(per, items.Len()-lo)
		var e wire.Encoder
		for {
			e = wire.Encoder{}
			if err := appendAll(&e, items.Slice(lo, lo+n)); err != nil {
				i := lo + firstGood(items.Slice(lo, lo+n))
				return nil, fmt.Errorf("an item from %d on can't be encoded: %w", min(i, items.Len()-1), err)
			}
			if len(e.Buf) <= mostObject || n == 1 {
				break
			}
			n = max(1, n/(len(e.Buf)/mostObject+1))
		}
		l := load{Count: n, Items: e.Buf}
		if c.store != nil && (len(e.Buf) > inlineBytes || inline > mostSpec/2) {
			ref, err := c.store.Put(ctx, objectPrefix(id), e.Buf)
			if err != nil {
				return nil, err
			}
			l.Items, l.Ref = nil, ref
		}
		b, err := encode(part{
			Seq: uint64(len(all) + 1), Func: f.Name(), First: lo, Count: n, Timeout: cfg.Timeout, Most: 2 * c.cfg.Batch, KeepGoing: true,
			Loads: []load{l},
		})
		if err != nil {
			return nil, err
		}
		if inline += len(b); inline > mostSpec && c.store == nil {
			return nil, fmt.Errorf("the items are more than the %d bytes that travel without a store: add &store=... to the cluster's URL, store=s3://bucket/prefix say", mostSpec)
		}
		all = append(all, b)
		lo += n
	}
	if inline > mostSignal {
		return nil, errors.New("the items are too many, or too large, for one run: submit them as several")
	}
	return all, nil
}
