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

const (
	// Of values up to so many bytes a batch carries them itself, where there is
	// a store for larger ones. They are in the history two or three times.
	inlineBytes = 4 << 10
	// Where there is none they travel through the server, which takes 2 MB.
	mostInline = 1 << 20
	// mostObject is how much one batch should have; it is in memory at once.
	mostObject = 64 << 20
	// usualTrip is assumed until one has been measured.
	usualTrip = 60 * time.Millisecond
)

// Traits tells how many slots the cluster's workers have. It asks the server
// when it has not done so for some seconds.
func (c *Cluster) Traits() weft.Traits {
	ws := c.present()
	n := slots(ws)
	name := fmt.Sprintf("%d cluster workers", len(ws))
	switch len(ws) {
	case 0:
		name = "cluster workers"
	case 1:
		name = "1 cluster worker"
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	trip := c.trip
	if trip == 0 {
		trip = usualTrip
	}
	n = min(max(n, 2), mostOut/2)
	return weft.Traits{
		Name: name, Workers: n, Ahead: max(2, n), AheadShort: min(mostOut, 64*n), Isolated: true,
		Batch: c.cfg.Batch, Trip: trip, BytesPerSecond: c.rate,
	}
}

// present is who is there, as of a few seconds ago at most.
func (c *Cluster) present() []Worker {
	c.mu.Lock()
	k := c.known
	closed := c.closed
	c.mu.Unlock()
	if closed || len(k.workers) > 0 && time.Since(k.at) < 5*time.Second {
		return k.workers
	}
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	ws, err := c.workersOf(ctx, c.build.digest())
	if err != nil {
		return k.workers
	}
	c.mu.Lock()
	c.known = presence{at: time.Now(), workers: ws}
	c.mu.Unlock()
	return ws
}

// Check refuses functions whose items or results can't cross.
func (c *Cluster) Check(f *weft.Func) error {
	if f.Item() == nil {
		return fmt.Errorf("%s takes no item; pass a function that does", f.Name())
	}
	if err := wire.Check(f.Item()); err != nil {
		return fmt.Errorf("the items of %s: %w", f.Name(), err)
	}
	if f.Result() != nil {
		if err := wire.Check(f.Result()); err != nil {
			return fmt.Errorf("the results of %s: %w", f.Name(), err)
		}
	}
	return nil
}

// Run runs a batch; it is called by weft.
func (c *Cluster) Run(ctx context.Context, b *weft.Batch) error {
	if err := c.Check(b.Func); err != nil {
		return err
	}
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	s, err := c.sessionOf(b.Run, b.Func)
	if err != nil {
		return err
	}
	select {
	case <-s.opened:
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	for b.Ran < b.Items.Len() {
		before := b.Ran
		stop, err := s.ship(ctx, b)
		if err != nil || stop || b.Ran > before && b.Ran < b.Items.Len() {
			return err
		}
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
	}
	return nil
}

// ship sends what is left of a batch, or as much of it as travels at once, and
// waits for it.
func (s *session) ship(ctx context.Context, b *weft.Batch) (stop bool, err error) {
	begun := time.Now()
	lo := b.Ran
	msg, bad, err := s.pack(ctx, b, lo)
	if err != nil {
		return true, err
	}
	if bad != nil { // the first item can't be encoded
		b.Errs[lo] = bad
		b.Ran = lo + 1
		return !b.KeepGoing, nil
	}
	b.Cost.Encoding += time.Since(begun)
	p := &pending{part: *msg}
	if err := s.submit(p); err != nil {
		return true, err
	}
	sent := time.Now()
	select {
	case <-p.over:
	case <-ctx.Done():
		s.drop(p)
		select {
		case <-p.over:
		case <-time.After(overtime + 2*s.c.cfg.Lost):
			return true, fmt.Errorf("%w; the cluster did not say in time that its items had ended", context.Cause(ctx))
		}
	}
	if p.err != nil {
		return true, p.err
	}
	if p.group == nil {
		return true, context.Cause(ctx)
	}
	return s.unpack(ctx, b, lo, p, time.Since(sent))
}

// overtime is how long an item may go on after its context has ended until its
// worker gives it up.
const overtime = 5 * time.Second

// pack encodes items of a batch from lo on, as many as fit.
func (s *session) pack(ctx context.Context, b *weft.Batch, lo int) (msg *part, bad, err error) {
	n := b.Items.Len() - lo
	var e wire.Encoder
	var refs []objects.Ref
	for {
		e = wire.Encoder{}
		refs = nil
		if s.c.store != nil {
			e.BulkFrom = bulkFrom
			e.Bulk = func(memory []byte) (uint64, bool, error) {
				ref, err := s.put(ctx, b.Run, memory)
				if err != nil {
					return 0, false, err
				}
				refs = append(refs, ref)
				return uint64(len(refs) - 1), true, nil
			}
		}
		err = appendAll(&e, b.Items.Slice(lo, lo+n))
		if err != nil {
			if _, ok := errors.AsType[*objects.Error](err); ok || ctx.Err() != nil {
				return nil, nil, err
			}
			if n == 1 {
				return nil, fmt.Errorf("it can't be encoded: %w", err), nil
			}
			n = firstGood(b.Items.Slice(lo, lo+n))
			continue
		}
		most := mostInline
		if s.c.store != nil {
			most = mostObject
		}
		if len(e.Buf) <= most || n == 1 {
			break
		}
		n = max(1, n/(len(e.Buf)/most+1))
	}
	if s.c.store == nil && len(e.Buf) > mostInline {
		return nil, fmt.Errorf("the item is %d bytes, and without a store at most %d travel: add &store=... to the cluster's URL, %s say", len(e.Buf), mostInline, "store=s3://bucket/prefix"), nil
	}
	msg = &part{
		Func: b.Func.Name(), First: b.First + lo, Count: n, Timeout: b.Timeout, Most: b.Most, KeepGoing: b.KeepGoing,
		Loads: []load{{Count: n, Items: e.Buf, Bulk: refs}},
	}
	if s.c.store != nil && len(e.Buf) > inlineBytes {
		s.stored.Store(true)
		l := &msg.Loads[0]
		l.Items = nil
		if l.Ref, err = s.c.store.Put(ctx, objectPrefix(s.id), e.Buf); err != nil {
			return nil, nil, err
		}
	}
	b.Cost.Bytes += int64(len(e.Buf))
	return msg, nil, nil
}

// bulkFrom is the size from which slices of numbers go by themselves, so that
// the same one goes once, however many items have it.
const bulkFrom = 128 << 10

// put stores a large value. In a run whose items do not change it is known by
// its address, and not even hashed again.
func (s *session) put(ctx context.Context, run *weft.Lifetime, memory []byte) (objects.Ref, error) {
	s.stored.Store(true)
	return s.c.store.Put(ctx, objectPrefix(s.id), memory)
}

// firstGood is how many items from the first can be encoded, at least 1.
func firstGood(items reflect.Value) int {
	for i := range items.Len() {
		var e wire.Encoder
		if appendAll(&e, items.Slice(i, i+1)) != nil {
			return max(1, i)
		}
	}
	return items.Len()
}

// appendAll is Append, with the panics of the user's MarshalBinary as errors.
func appendAll(e *wire.Encoder, v reflect.Value) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = crossing.NewPanic(p)
		}
	}()
	return e.Append(v)
}

// unpack puts what came back into the batch, as far as it is without a gap.
func (s *session) unpack(ctx context.Context, b *weft.Batch, lo int, p *pending, took time.Duration) (stop bool, err error) {
	begun := time.Now()
	g := p.group
	var inside time.Duration
	at, end := p.at, p.at+p.Count // in the group
	for at < end && !stop {
		if text, ok := g.given[at]; ok {
			b.Errs[lo+at-p.at] = lostError(text)
			at++
			stop = !b.KeepGoing
			continue
		}
		i := slices.IndexFunc(g.got, func(x *piece) bool { return x.span.Lo <= at && at < x.span.Lo+x.outcome.Ran })
		if i < 0 {
			break
		}
		x := g.got[i]
		o := &x.outcome
		n := min(end, x.span.Lo+o.Ran) - at
		share := func(d time.Duration) time.Duration {
			return time.Duration(float64(d) * float64(n) / float64(o.Ran))
		}
		b.Cost.Wall += share(o.Wall)
		b.Cost.CPU += share(o.CPU)
		b.Cost.Encoding += share(o.Encoding)
		b.Cost.Bytes += int64(float64(o.Bytes) * float64(n) / float64(o.Ran))
		b.Cost.PeakBytes = max(b.Cost.PeakBytes, o.PeakBytes)
		inside += o.Wall + o.Encoding
		var to reflect.Value
		if b.Results.IsValid() {
			to = b.Results.Slice(lo+at-p.at, lo+at-p.at+n)
		}
		if err := s.c.results(ctx, s.id, x, at-x.span.Lo, to, b.Errs[lo+at-p.at:lo+at-p.at+n]); err != nil {
			b.Ran = lo + at - p.at
			return true, err
		}
		for _, err := range b.Errs[lo+at-p.at : lo+at-p.at+n] {
			stop = stop || err != nil && !b.KeepGoing || backsOff(err)
		}
		at += n
	}
	b.Ran = lo + at - p.at
	b.Cost.Encoding += time.Since(begun)
	if len(g.got) == 1 && len(g.given) == 0 && len(g.members) == 1 && b.Ran > lo {
		s.c.learn(took - inside)
	}
	if g.err != nil && b.Ran == lo {
		return true, g.err
	}
	if b.Ran == lo && ctx.Err() != nil {
		return true, context.Cause(ctx)
	}
	return stop, nil
}

// backsOff looks into the user's error, which may panic.
func backsOff(err error) (yes bool) {
	if err == nil {
		return false
	}
	defer func() { _ = recover() }()
	return is[weft.BackOff](err)
}

// learn notes what a trip takes.
func (c *Cluster) learn(trip time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if trip > 0 && (c.trip == 0 || trip < c.trip) {
		c.trip = trip
	}
}

// lostError is the failure of an item that is given up.
type lostError string

func (e lostError) Error() string {
	return fmt.Sprintf("its workers were lost while it ran, more than once (%s): it may end its process, or need more memory than there is; WorkerConfig.Isolate tells how an item ends, and Retry does not help", string(e))
}

func (lostError) Is(target error) bool { return target == weft.ErrLost || target == weft.ErrPermanent }

// results puts results of a span into to, and failures into errs, from the item
// at place from on.
func (c *Cluster) results(ctx context.Context, id string, x *piece, from int, to reflect.Value, errs []error) error {
	o := &x.outcome
	n := len(errs)
	bad := make(map[int]bool, len(o.Failures))
	for _, f := range o.Failures {
		if f.At < 0 || f.At >= o.Ran {
			return errors.New("a worker tells of the failure of an item that it was not given")
		}
		bad[f.At] = true
		if f.At >= from && f.At < from+n {
			errs[f.At-from] = f.F.Unpack(c.errs)
		}
	}
	if !to.IsValid() || len(bad) == o.Ran {
		return nil
	}
	x.once.Do(func() { x.good, x.err = c.decodeResults(ctx, id, o, to.Type(), o.Ran-len(bad)) })
	if x.err != nil {
		return x.err
	}
	if len(bad) == 0 {
		reflect.Copy(to, x.good.Slice(from, from+n))
		return nil
	}
	k := 0
	for i := range from + n {
		if bad[i] {
			continue
		}
		if i >= from {
			to.Index(i - from).Set(x.good.Index(k))
		}
		k++
	}
	return nil
}

// decodeResults reads n results.
func (c *Cluster) decodeResults(ctx context.Context, id string, o *outcome, t reflect.Type, n int) (reflect.Value, error) {
	v := reflect.New(t).Elem()
	buf, bulk, err := c.load(ctx, id, o.Results, o.Ref, o.Bulk)
	if err != nil {
		return v, fmt.Errorf("results can't be read: %w", err)
	}
	d := wire.Decoder{Buf: buf, Bulk: bulk}
	if err := valueOf(&d, v); err != nil {
		return v, fmt.Errorf("results can't be decoded: %w", err)
	}
	if v.Len() != n {
		return v, fmt.Errorf("%d results came for %d items", v.Len(), n)
	}
	return v, nil
}

// valueOf is Value, with the panics of the user's UnmarshalBinary as errors.
func valueOf(d *wire.Decoder, v reflect.Value) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = crossing.NewPanic(p)
		}
	}()
	if err := d.Value(v); err != nil {
		return err
	}
	if len(d.Buf) > 0 {
		return fmt.Errorf("%w: %d bytes after the values", wire.ErrCorrupt, len(d.Buf))
	}
	return nil
}

// load gets what was encoded, and a way to get the large values in it. Only
// objects of the run are read, whatever a reference says.
func (c *Cluster) load(ctx context.Context, id string, inline []byte, ref objects.Ref, bulk []objects.Ref) ([]byte, func(uint64) ([]byte, error), error) {
	get := func(r objects.Ref) ([]byte, error) {
		if c.store == nil {
			return nil, errors.New("they are in a store, and this program's URL has none: give all programs of a cluster the same URL")
		}
		if !within(r, id) {
			return nil, fmt.Errorf("%w: %s is not of the run %s", objects.ErrRef, r.Path, id)
		}
		return c.store.Get(ctx, r)
	}
	buf := inline
	if !ref.IsZero() {
		var err error
		if buf, err = get(ref); err != nil {
			return nil, nil, err
		}
	}
	return buf, func(i uint64) ([]byte, error) {
		if i >= uint64(len(bulk)) {
			return nil, fmt.Errorf("%w: a large value that was not sent along", wire.ErrCorrupt)
		}
		return get(bulk[i])
	}, nil
}

// within tells whether a reference is to an object of the run.
func within(r objects.Ref, id string) bool {
	p := objectPrefix(id) + "/"
	return len(r.Path) > len(p) && r.Path[:len(p)] == p
}
