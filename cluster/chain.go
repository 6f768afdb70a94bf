package cluster

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"time"

	"github.com/weft-go/weft"
	"github.com/weft-go/weft/internal/crossing"
	"github.com/weft-go/weft/internal/objects"
	"github.com/weft-go/weft/internal/wire"
)

// RunChain runs tasks of a graph that need each other, on one worker; it is
// called by package graph. Only what is needed elsewhere comes back.
func (c *Cluster) RunChain(ctx context.Context, ch *weft.Chain) error {
	if len(ch.Steps) == 0 {
		return nil
	}
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	s, err := c.sessionOf(ch.Run, ch.Steps[0].Func)
	if err != nil {
		return err
	}
	select {
	case <-s.opened:
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	begun := time.Now()
	p, err := s.packChain(ctx, ch)
	if err != nil {
		return err
	}
	ch.Cost.Encoding += time.Since(begun)
	if err := s.submit(p); err != nil {
		return err
	}
	select {
	case <-p.over:
	case <-ctx.Done():
		s.drop(p)
		select {
		case <-p.over:
		case <-time.After(overtime + 2*s.c.cfg.Lost):
		}
		return context.Cause(ctx)
	}
	if p.err != nil {
		return p.err
	}
	return s.unpackChain(ctx, ch, p.group)
}

// bulkTo puts large slices into the store, and notes their references.
func (c *Cluster) bulkTo(ctx context.Context, id string, refs *[]objects.Ref, stored func()) func([]byte) (uint64, bool, error) {
	if c.store == nil {
		return nil
	}
	return func(memory []byte) (uint64, bool, error) {
		stored()
		ref, err := c.store.Put(ctx, objectPrefix(id), memory)
		if err != nil {
			return 0, false, err
		}
		*refs = append(*refs, ref)
		return uint64(len(*refs) - 1), true, nil
	}
}

func (s *session) packChain(ctx context.Context, ch *weft.Chain) (*pending, error) {
	var refs []objects.Ref
	stored := func() { s.stored.Store(true) }
	steps := make([]step, len(ch.Steps))
	for i, st := range ch.Steps {
		e := wire.Encoder{BulkFrom: bulkFrom, Bulk: s.c.bulkTo(ctx, s.id, &refs, stored)}
		if err := appendAll(&e, st.Item); err != nil {
			return nil, fmt.Errorf("what %s takes can't be encoded: %w", st.Func.Name(), err)
		}
		steps[i] = step{Func: st.Func.Name(), Item: e.Buf, Keep: st.Keep, Timeout: st.Timeout}
		for _, l := range st.Links {
			steps[i].Links = append(steps[i].Links, link{l.At, l.Step})
		}
	}
	b, err := encode(steps)
	if err != nil {
		return nil, err
	}
	ch.Cost.Bytes += int64(len(b))
	l := load{Count: len(steps), Items: b, Bulk: refs}
	switch {
	case s.c.store != nil && len(b) > inlineBytes:
		stored()
		l.Items = nil
		if l.Ref, err = s.c.store.Put(ctx, objectPrefix(s.id), b); err != nil {
			return nil, err
		}
	case len(b) > mostInline:
		return nil, fmt.Errorf("what %d tasks take is %d bytes, and without a store at most %d travel: add &store=... to the cluster's URL", len(steps), len(b), mostInline)
	}
	return &pending{part: part{Func: ch.Steps[0].Func.Name(), Count: len(steps), Loads: []load{l}, Chain: true}}, nil
}

// unpackChain puts results where they belong, as far as steps have run without a
// gap.
func (s *session) unpackChain(ctx context.Context, ch *weft.Chain, g *group) error {
	for ch.Ran < len(ch.Steps) && ch.Err == nil {
		if text, ok := g.given[ch.Ran]; ok {
			ch.Err = lostError(text)
			ch.Ran++
			return nil
		}
		i := slices.IndexFunc(g.got, func(x *piece) bool { return x.span.Lo == ch.Ran && x.outcome.Ran > 0 })
		if i < 0 {
			break
		}
		o := &g.got[i].outcome
		begun := time.Now()
		buf, bulk, err := s.c.load(ctx, s.id, o.Results, o.Ref, o.Bulk)
		if err != nil {
			return fmt.Errorf("results can't be read: %w", err)
		}
		var got []kept
		if len(buf) > 0 {
			if err := decode(buf, &got); err != nil {
				return fmt.Errorf("results can't be decoded: %w", err)
			}
		}
		for _, k := range got {
			if k.At < 0 || k.At >= o.Ran {
				return errors.New("a worker tells of the result of a task that it was not given")
			}
			d := wire.Decoder{Buf: k.Value, Bulk: bulk}
			if err := valueOf(&d, ch.Steps[ch.Ran+k.At].Result); err != nil {
				return fmt.Errorf("results can't be decoded: %w", err)
			}
		}
		ch.Cost.Wall += o.Wall
		ch.Cost.CPU += o.CPU
		ch.Cost.Encoding += o.Encoding + time.Since(begun)
		ch.Cost.Bytes += o.Bytes
		ch.Ran += o.Ran
		for _, f := range o.Failures {
			if f.At == o.Ran-1 {
				ch.Err = f.F.Unpack(s.c.errs)
			}
		}
		if o.Ran < g.got[i].span.Hi-g.got[i].span.Lo {
			break
		}
	}
	if ch.Ran == 0 && g.err != nil {
		return g.err
	}
	return nil
}

// chain is a span of steps that a worker runs. Those before the span are run
// too: it begins late only where a worker was lost, and their results with it.
type chain struct {
	steps  []step
	funcs  []*weft.Func
	items  []reflect.Value
	values []reflect.Value // results
	lo, hi int
	done   int // steps that have run well
	failed error
}

func (j *job) acceptChain(ctx context.Context, p part, t task) error {
	if len(p.Loads) != 1 {
		return errors.New("a chain is in one piece")
	}
	buf, bulk, err := j.w.c.load(ctx, j.info.WorkflowExecution.ID, p.Loads[0].Items, p.Loads[0].Ref, p.Loads[0].Bulk)
	if err != nil {
		return err
	}
	j.out.Bytes = int64(len(buf))
	ch := &chain{lo: t.Lo, hi: t.Hi}
	if err := decode(buf, &ch.steps); err != nil {
		return err
	}
	if len(ch.steps) != p.Count {
		return fmt.Errorf("%d steps came where there are %d", len(ch.steps), p.Count)
	}
	n := len(ch.steps)
	ch.funcs, ch.items, ch.values = make([]*weft.Func, n), make([]reflect.Value, n), make([]reflect.Value, n)
	for i, s := range ch.steps {
		if ch.funcs[i], err = lookup(s.Func); err != nil {
			return err
		}
		if ch.funcs[i].Result() == nil {
			return fmt.Errorf("%s returns nothing", s.Func)
		}
		ch.items[i] = reflect.New(ch.funcs[i].Item()).Elem()
		ch.values[i] = reflect.New(ch.funcs[i].Result()).Elem()
		d := wire.Decoder{Buf: s.Item, Bulk: bulk}
		if err := valueOf(&d, ch.items[i]); err != nil {
			return err
		}
		for _, l := range s.Links {
			to, err := ch.argument(i, l)
			if err != nil {
				return err
			}
			if l.Step < 0 || l.Step >= i || ch.values[l.Step].Type() != to.Type() {
				return fmt.Errorf("step %d takes what step %d does not return", i, l.Step)
			}
		}
	}
	j.chain = ch
	return nil
}

// argument is the place of an argument.
func (ch *chain) argument(i int, l link) (reflect.Value, error) {
	v := ch.items[i]
	switch {
	case l.At == -1:
		return v, nil
	case l.At >= 0 && v.Kind() == reflect.Slice && l.At < v.Len():
		return v.Index(l.At), nil
	case l.At >= 0 && v.Kind() == reflect.Struct && l.At < v.NumField():
		return v.Field(l.At), nil
	}
	return v, fmt.Errorf("step %d has no argument %d", i, l.At)
}

// runChain runs the steps until one fails. It returns false if one did not end
// though its context had.
func (j *job) runChain(ctx context.Context) bool {
	ch := j.chain
	for i := range ch.hi {
		if ctx.Err() != nil || i > ch.lo && j.w.draining.Load() {
			return true
		}
		for _, l := range ch.steps[i].Links {
			to, err := ch.argument(i, l)
			if err != nil {
				ch.failed = err
				return true
			}
			to.Set(ch.values[l.Step])
		}
		one := reflect.MakeSlice(reflect.SliceOf(ch.funcs[i].Item()), 1, 1)
		one.Index(0).Set(ch.items[i])
		out := reflect.MakeSlice(reflect.SliceOf(ch.funcs[i].Result()), 1, 1)
		j.base = i - ch.lo
		j.b = &weft.Batch{Func: ch.funcs[i], First: i, Items: one, Results: out, Timeout: ch.steps[i].Timeout, Errs: make([]error, 1)}
		ended := j.run(ctx)
		j.out.Wall += j.b.Cost.Wall
		j.out.CPU += j.b.Cost.CPU
		j.out.PeakBytes = max(j.out.PeakBytes, j.b.Cost.PeakBytes)
		if !ended || j.b.Ran == 0 {
			return ended
		}
		if ch.failed = j.b.Errs[0]; ch.failed != nil {
			return true
		}
		ch.values[i].Set(out.Index(0))
		ch.done = i + 1
	}
	return true
}

// answerChain encodes the results that are needed elsewhere: those that are
// kept, and those that steps need that have not run.
func (j *job) answerChain(ctx context.Context) error {
	ch, o := j.chain, &j.out
	o.Ran = max(0, ch.done-ch.lo)
	if ch.failed != nil && ch.done >= ch.lo {
		o.Failures = append(o.Failures, failed{o.Ran, *crossing.Pack(ch.failed, j.w.c.errs)})
		o.Ran++
	} else if ch.failed != nil {
		return fmt.Errorf("step %d, whose result was lost, has failed when it ran again: %w", ch.done, ch.failed)
	}
	need := make([]bool, len(ch.steps))
	for i, s := range ch.steps {
		need[i] = need[i] || s.Keep
		if i >= ch.done {
			for _, l := range s.Links {
				need[l.Step] = true
			}
		}
	}
	var refs []objects.Ref
	var out []kept
	for i := ch.lo; i < ch.done; i++ {
		if !need[i] {
			continue
		}
		e := wire.Encoder{BulkFrom: bulkFrom, Bulk: j.w.c.bulkTo(ctx, j.info.WorkflowExecution.ID, &refs, func() {})}
		if err := appendAll(&e, ch.values[i]); err != nil {
			if _, ok := errors.AsType[*objects.Error](err); ok {
				return err
			}
			// The step fails, and those after it have not run.
			o.Ran = i - ch.lo + 1
			o.Failures = []failed{{i - ch.lo, crossing.Failure{Text: "its result can't be sent: " + err.Error()}}}
			break
		}
		out = append(out, kept{i - ch.lo, e.Buf})
	}
	b, err := encode(out)
	if err != nil {
		return err
	}
	o.Bytes += int64(len(b))
	o.Bulk = refs
	switch {
	case j.w.c.store != nil && len(b) > inlineBytes:
		o.Ref, err = j.w.c.store.Put(ctx, objectPrefix(j.info.WorkflowExecution.ID), b)
		return err
	case len(b) > mostInline:
		return fmt.Errorf("%d bytes, and without a store at most %d travel: add &store=... to the cluster's URL", len(b), mostInline)
	}
	o.Results = b
	return nil
}
