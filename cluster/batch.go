package cluster

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"sync/atomic"
	"time"

	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/temporal"

	"github.com/weft-go/weft"
	"github.com/weft-go/weft/cluster/internal/desk"
	"github.com/weft-go/weft/internal/budget"
	"github.com/weft-go/weft/internal/crossing"
	"github.com/weft-go/weft/internal/objects"
	"github.com/weft-go/weft/internal/pilot"
	"github.com/weft-go/weft/internal/wire"
)

// job is a span that a worker runs.
type job struct {
	w     *server
	info  activity.Info
	b     *weft.Batch
	mode  desk.Mode
	out   outcome
	at    atomic.Int64 // the item that runs
	base  int          // of b's first item, in the span
	chain *chain       // nil for items of one function
	told  time.Time    // when the server was told which
	ended context.CancelCauseFunc
}

var (
	errStopped = errors.New("the run was stopped")
	errTaken   = errors.New("another worker has the batch: this one was silent for too long")
)

// activity runs a span.
func (w *server) activity(ctx context.Context, in []byte) ([]byte, error) {
	begun := time.Now()
	info := activity.GetInfo(ctx)
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	j := &job{w: w, info: info, ended: cancel}
	j.out.Worker = w.name
	if err := j.accept(ctx, in); err != nil {
		var o *objects.Error
		j.out.Lasting = !errors.As(err, &o) || errors.Is(err, objects.ErrRef) || errors.Is(err, objects.ErrMissing) || errors.Is(err, objects.ErrContent)
		j.out.Refused = fmt.Sprintf("worker %s: %v", w.name, err)
		return encode(j.out)
	}
	j.out.Encoding = time.Since(begun)
	stop := make(chan struct{})
	beaten := make(chan struct{})
	go func() {
		defer close(beaten)
		j.beat(ctx, stop)
	}()
	busy := w.running.Add(1)
	cpu := pilot.ProcessCPU()
	alone := true
	if j.chain != nil {
		alone = j.runChain(ctx)
	} else {
		alone = j.run(ctx)
	}
	if cpu = pilot.ProcessCPU() - cpu; busy > 1 {
		cpu /= time.Duration(busy)
	}
	w.running.Add(-1)
	close(stop)
	<-beaten
	if !alone {
		return nil, temporal.NewCanceledError("an item did not end")
	}
	if cause := context.Cause(ctx); errors.Is(cause, errTaken) || errors.Is(cause, errStopped) {
		return nil, temporal.NewCanceledError(cause.Error())
	}
	begun = time.Now()
	answer := j.answer
	if j.chain != nil {
		answer = j.answerChain
	} else {
		j.out.Ran, j.out.Wall, j.out.CPU = j.b.Ran, j.b.Cost.Wall, max(cpu, j.b.Cost.CPU)
		j.out.PeakBytes = j.b.Cost.PeakBytes
		j.out.Encoding += j.b.Cost.Encoding
	}
	if err := answer(context.WithoutCancel(ctx)); err != nil {
		j.out = outcome{Worker: w.name, Refused: fmt.Sprintf("worker %s: its results can't be stored: %v", w.name, err)}
	}
	j.out.Encoding += time.Since(begun)
	return encode(j.out)
}

// accept reads what the activity is given. What can't be read never runs.
func (j *job) accept(ctx context.Context, in []byte) error {
	var t task
	var p part
	if err := decode(in, &t); err != nil {
		return err
	}
	if err := decode(t.Part, &p); err != nil {
		return err
	}
	if t.Lo < 0 || t.Hi > p.Count || t.Lo >= t.Hi {
		return fmt.Errorf("items %d to %d of %d", t.Lo, t.Hi, p.Count)
	}
	if p.Chain {
		j.mode = desk.Mode(t.Mode)
		return j.acceptChain(ctx, p, t)
	}
	f, err := lookup(p.Func)
	if err != nil {
		return err
	}
	items := reflect.Zero(reflect.SliceOf(f.Item()))
	at := 0
	for _, l := range p.Loads {
		lo, hi := max(t.Lo-at, 0), min(t.Hi-at, l.Count)
		if at += l.Count; lo >= hi {
			continue
		}
		some, err := j.load(ctx, items.Type(), l)
		if err != nil {
			return err
		}
		if items.Len() == 0 {
			items = some.Slice(lo, hi)
		} else {
			items = reflect.AppendSlice(items, some.Slice(lo, hi))
		}
	}
	n := t.Hi - t.Lo
	if items.Len() != n || at != p.Count {
		return fmt.Errorf("%d items came where there are %d", items.Len(), n)
	}
	j.mode = desk.Mode(t.Mode)
	j.b = &weft.Batch{
		Func: f, First: p.First + t.Lo, Items: items, Timeout: p.Timeout, Most: p.Most,
		KeepGoing: p.KeepGoing, Errs: make([]error, n),
	}
	if f.Result() != nil {
		j.b.Results = reflect.MakeSlice(reflect.SliceOf(f.Result()), n, n)
	}
	return nil
}

// load decodes items.
func (j *job) load(ctx context.Context, t reflect.Type, l load) (reflect.Value, error) {
	items := reflect.New(t).Elem()
	buf, bulk, err := j.w.c.load(ctx, j.info.WorkflowExecution.ID, l.Items, l.Ref, l.Bulk)
	if err != nil {
		return items, err
	}
	j.out.Bytes += int64(len(buf))
	d := wire.Decoder{Buf: buf, Bulk: bulk}
	if err := valueOf(&d, items); err != nil {
		return items, err
	}
	if items.Len() != l.Count {
		return items, fmt.Errorf("%d items came where there are %d", items.Len(), l.Count)
	}
	return items, nil
}

// run runs the items. It returns false if one of them did not end though its
// context had.
func (j *job) run(ctx context.Context) bool {
	if j.w.pool != nil {
		j.isolated(ctx)
		return true
	}
	budget.Shared.Force()
	defer budget.Shared.Release(1)
	slot := budget.NewSlot(ctx, true, 0)
	for {
		over := make(chan bool, 1)
		go func() { // an item may end it with runtime.Goexit
			normal := false
			defer func() { over <- normal }()
			j.b.Here(slot, func(i int) bool { return j.before(ctx, i) })
			normal = true
		}()
		normal := false
		select {
		case normal = <-over:
		case <-ctx.Done():
			late := time.NewTimer(overtime)
			select {
			case normal = <-over:
				late.Stop()
			case <-late.C:
				j.w.log("worker %s: item %d of run %s did not end within %v of being stopped; it still runs here (Isolate can end it)", j.w.name, j.b.First+int(j.at.Load()), j.info.WorkflowExecution.ID, overtime)
				return false
			}
		}
		if normal || !j.b.KeepGoing || j.b.Ran >= j.b.Items.Len() {
			return true
		}
	}
}

// isolated runs the items in a child process. Its pool finds out by itself which
// item has ended one.
func (j *job) isolated(ctx context.Context) {
	life := &weft.Lifetime{Steady: true}
	defer life.End()
	j.b.Run = life
	for j.b.Ran < j.b.Items.Len() {
		from := j.b.Ran
		one := *j.b
		one.Items, one.Errs, one.Ran = j.b.Items.Slice(from, j.b.Items.Len()), j.b.Errs[from:], 0
		if one.Results.IsValid() {
			one.Results = j.b.Results.Slice(from, j.b.Items.Len())
		}
		if j.w.draining.Load() && from > 0 {
			return
		}
		err := j.w.pool.Run(ctx, &one)
		j.b.Ran, j.b.Cost = from+one.Ran, one.Cost
		j.at.Store(int64(j.b.Ran))
		if err != nil || one.Ran == 0 {
			return
		}
		if last := j.b.Errs[j.b.Ran-1]; last != nil && !j.b.KeepGoing || one.Most > 0 {
			return
		}
	}
}

// before is called before each item. A worker that drains runs no further one.
func (j *job) before(ctx context.Context, i int) bool {
	if i += j.base; i > 0 && j.w.draining.Load() {
		return false
	}
	j.at.Store(int64(max(0, i)))
	if j.mode == desk.Strict {
		return j.tell(ctx)
	}
	if j.info.Attempt > 1 && (i == 0 || time.Since(j.told) > 20*time.Millisecond) {
		return j.tell(ctx)
	}
	return true
}

// tell tells the server which item runs, and returns false if that was for
// nothing.
func (j *job) tell(ctx context.Context) bool {
	j.told = time.Now()
	inner, cancel := context.WithTimeout(ctx, j.info.HeartbeatTimeout)
	defer cancel()
	err := j.w.c.client.RecordActivityHeartbeat(inner, j.info.TaskToken, int(j.at.Load()))
	switch {
	case err == nil:
	case temporal.IsCanceledError(err):
		j.ended(errStopped)
		return false
	case isNotFound(err):
		j.ended(errTaken)
		return false
	}
	return ctx.Err() == nil
}

// beat tells the server that the worker lives, once a second, and hears from it
// that the run was stopped.
func (j *job) beat(ctx context.Context, stop chan struct{}) {
	t := time.NewTicker(min(beatEvery, j.info.HeartbeatTimeout/4))
	defer t.Stop()
	for {
		select {
		case <-stop:
			return
		case <-ctx.Done():
			// Told on, so that the run does not take the item for lost while it
			// comes to its end.
			select {
			case <-stop:
				return
			case <-t.C:
			}
		case <-t.C:
		}
		inner, cancel := context.WithTimeout(context.WithoutCancel(ctx), j.info.HeartbeatTimeout)
		err := j.w.c.client.RecordActivityHeartbeat(inner, j.info.TaskToken, int(j.at.Load()))
		cancel()
		switch {
		case err == nil:
		case temporal.IsCanceledError(err):
			j.ended(errStopped)
		case isNotFound(err):
			j.ended(errTaken)
		}
	}
}

const beatEvery = 700 * time.Millisecond

// answer encodes what came of the items. One whose result can't be encoded, or
// is too large to travel, fails.
func (j *job) answer(ctx context.Context) error {
	b, o := j.b, &j.out
	for i := range b.Ran {
		if err := b.Errs[i]; err != nil {
			o.Failures = append(o.Failures, failed{i, *crossing.Pack(err, j.w.c.errs)})
		}
	}
	if !b.Results.IsValid() || b.Ran == 0 {
		return nil
	}
	for {
		e, bulk, err := j.encode(ctx, good(b.Results.Slice(0, o.Ran), o.Failures))
		if err == nil && j.w.c.store == nil && len(e.Buf) > mostInline {
			if o.Ran > 1 { // the rest is run again, by itself
				o.Ran = max(1, o.Ran/(len(e.Buf)/mostInline+1))
				for len(o.Failures) > 0 && o.Failures[len(o.Failures)-1].At >= o.Ran {
					o.Failures = o.Failures[:len(o.Failures)-1]
				}
				continue
			}
			err = fmt.Errorf("it is %d bytes, and without a store at most %d travel: add &store=... to the cluster's URL, store=s3://bucket/prefix say", len(e.Buf), mostInline)
		}
		if _, ok := errors.AsType[*objects.Error](err); ok {
			return err
		}
		if err != nil {
			j.findBad(ctx, err)
			continue
		}
		o.Bytes += int64(len(e.Buf))
		o.Bulk = bulk
		if j.w.c.store != nil && len(e.Buf) > inlineBytes {
			o.Ref, err = j.w.c.store.Put(ctx, objectPrefix(j.info.WorkflowExecution.ID), e.Buf)
			return err
		}
		o.Results = e.Buf
		return nil
	}
}

func (j *job) encode(ctx context.Context, v reflect.Value) (e wire.Encoder, refs []objects.Ref, err error) {
	if st := j.w.c.store; st != nil {
		e.BulkFrom = bulkFrom
		e.Bulk = func(memory []byte) (uint64, bool, error) {
			ref, err := st.Put(ctx, objectPrefix(j.info.WorkflowExecution.ID), memory)
			if err != nil {
				return 0, false, err
			}
			refs = append(refs, ref)
			return uint64(len(refs) - 1), true, nil
		}
	}
	err = appendAll(&e, v)
	return e, refs, err
}

// findBad makes the first result that can't be sent the failure of its item.
func (j *job) findBad(ctx context.Context, all error) {
	o := &j.out
	have := map[int]bool{}
	for _, f := range o.Failures {
		have[f.At] = true
	}
	add := func(i int, err error) {
		o.Failures = append(o.Failures, failed{i, crossing.Failure{Text: "its result can't be sent: " + err.Error()}})
	}
	found := false
	for i := range o.Ran {
		if have[i] {
			continue
		}
		if o.Ran == 1 {
			add(i, all)
			return
		}
		if _, _, err := j.encode(ctx, j.b.Results.Slice(i, i+1)); err != nil {
			add(i, err)
			found = true
		}
	}
	if !found { // together only: they go one by one
		o.Ran = 1
	}
}

// good is the results of the items that have not failed: what a failed item
// leaves may not be fit to be sent.
func good(results reflect.Value, failures []failed) reflect.Value {
	if len(failures) == 0 {
		return results
	}
	bad := make(map[int]bool, len(failures))
	for _, f := range failures {
		bad[f.At] = true
	}
	out := reflect.MakeSlice(results.Type(), 0, results.Len())
	for i := range results.Len() {
		if !bad[i] {
			out = reflect.Append(out, results.Index(i))
		}
	}
	return out
}
