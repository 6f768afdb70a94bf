package memo

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"time"

	"github.com/weft-go/weft/memo/internal/key"
	"github.com/weft-go/weft/memo/internal/store"
	"github.com/weft-go/weft/memo/internal/value"
)

// flight is a call that others of this process may wait for.
type flight struct {
	done chan struct{}
	err  error // for those that waited; nil: look again
}

// call is the wrapped function.
func (w *wrapped[T, R]) call(ctx context.Context, arg T) (R, error) {
	q, _ := ctx.Value(requestKey{}).(*request[R])
	if q != nil && !q.seen {
		q.seen = true
		return w.answer(q, arg)
	}
	if w.c.store == nil {
		return w.f(ctx, arg)
	}
	r, _, err := w.get(ctx, arg, false, nil)
	return r, err
}

// answer does what a method of Func asks for.
func (w *wrapped[T, R]) answer(q *request[R], arg T) (r R, err error) {
	if w.c.store == nil {
		switch q.kind {
		case askRefresh, askRef:
			r, err = w.f(q.ctx, arg)
			q.ref = Ref[R]{value: &r}
		case askWhy:
			q.reason = Reason{Function: w.counted.name, Cause: Off, Detail: "the cache was opened without a directory"}
		}
		return r, err
	}
	if w.err != nil {
		return r, w.err
	}
	if q.kind == askRefresh {
		r, _, err = w.get(q.ctx, arg, true, nil)
		return r, err
	}
	id, err := w.counted.identity()
	if err != nil {
		return r, &WrapError{w.counted.name, err.Error()}
	}
	switch q.kind {
	case askRef:
		kept := false
		var k key.Key
		r, k, err = w.get(q.ctx, arg, false, &kept)
		q.ref = Ref[R]{key: k, cache: w.c}
		if !kept {
			q.ref = Ref[R]{value: &r}
		}
		return r, err
	case askWhy:
		q.reason, err = w.why(arg, id)
		return r, err
	}
	k, _, err := w.key(arg, id)
	if err != nil {
		return r, err
	}
	if q.kind == askForget {
		err := w.c.store.Delete(k)
		if errors.Is(err, store.ErrMissing) {
			err = nil
		}
		return r, err
	}
	cause, _, err := w.look(k, nil)
	q.cached = cause == Hit
	return r, err
}

// look reads the entry for k. use decodes it, or is nil where it is only
// checked. What is damaged is removed.
func (w *wrapped[T, R]) look(k key.Key, use func(e *store.Entry) error) (Cause, Meta, error) {
	cause := Hit
	var meta Meta
	err := w.c.store.Get(k, func(e *store.Entry) error {
		if w.opts.validate != nil {
			meta = metaOf(e)
		}
		switch now := w.c.now(); {
		case w.opts.expires > 0 && (now.Sub(e.Created) > w.opts.expires || e.Created.Sub(now) > clockSlack):
			cause = Expired
		case w.c.cfg.MaxAge > 0 && now.Sub(e.Used) > w.c.cfg.MaxAge:
			cause = Expired
		case w.opts.validate != nil && !w.opts.validate(meta):
			cause = Invalid
		}
		if cause != Hit {
			meta = metaOf(e)
			return nil
		}
		if use == nil {
			return nil
		}
		if err := use(e); err != nil {
			return err
		}
		w.counted.saved.Add(int64(e.Took))
		w.c.store.Touch(e)
		return nil
	})
	if err == nil {
		return cause, meta, nil
	}
	if errors.Is(err, store.ErrMissing) {
		return Argument, meta, nil
	}
	d, ok := errors.AsType[*store.DamageError](err)
	if !ok {
		d = &store.DamageError{Name: k.String(), Why: err.Error()}
	}
	if use != nil {
		w.c.store.Damage(k, d)
	}
	return Damaged, Meta{Key: d.Name, Args: d.Why}, nil
}

// clockSlack is how far in the future an entry may be made, by another host.
const clockSlack = time.Minute

// runningKey carries the calls above in a context.
type runningKey struct{}

type running struct {
	key key.Key
	up  *running
}

// get returns the result for arg. kept, if not nil, is set to whether it is in
// the store; then a hit is not decoded.
func (w *wrapped[T, R]) get(ctx context.Context, arg T, refresh bool, kept *bool) (r R, k key.Key, err error) {
	if w.err != nil {
		return r, k, w.err
	}
	id, err := w.counted.identity()
	if err != nil {
		return r, k, &WrapError{w.counted.name, err.Error()}
	}
	k, a, err := w.key(arg, id)
	if err != nil {
		return r, k, err
	}
	decode := func(e *store.Entry) error {
		if kept != nil {
			*kept = true
			return nil
		}
		return value.Read(e.Payload, reflect.ValueOf(&r).Elem(), e.Mapped)
	}
	fresh := false // there is no entry
	hit := func() bool {
		cause, _, _ := w.look(k, decode)
		fresh = cause == Argument
		if cause != Hit {
			// What was decoded of a damaged one must not be seen.
			r = *new(R)
			return false
		}
		w.counted.hits.Add(1)
		return true
	}
	if !refresh && hit() {
		return r, k, nil
	}
	up, _ := ctx.Value(runningKey{}).(*running)
	for u := up; u != nil; u = u.up {
		if u.key == k {
			return r, k, fmt.Errorf("memo: %s: %w", w.counted.name, ErrRecursion)
		}
	}
	c := w.c
	for {
		c.mu.Lock()
		other := c.flights[k]
		if other == nil {
			break
		}
		c.mu.Unlock()
		w.counted.waits.Add(1)
		select {
		case <-ctx.Done():
			return r, k, context.Cause(ctx)
		case <-other.done:
		}
		if other.err != nil {
			return r, k, other.err
		}
		if hit() {
			return r, k, nil
		}
	}
	own := &flight{done: make(chan struct{})}
	c.flights[k] = own
	c.mu.Unlock()
	defer func() {
		c.mu.Lock()
		delete(c.flights, k)
		c.mu.Unlock()
		close(own.done)
	}()

	unlock := func() {}
	for {
		u, waited, err := c.store.Lock(ctx, k)
		if ctx.Err() != nil && u == nil {
			return r, k, context.Cause(ctx)
		}
		if err != nil {
			c.log.Warn("memo: a lock can't be taken; another process may compute the same", "function", w.counted.name, "err", err)
			break
		}
		if waited {
			w.counted.waits.Add(1)
		}
		// Another process may have stored it since we looked.
		if (!refresh || waited) && hit() {
			if u != nil {
				u()
			}
			return r, k, nil
		}
		if u != nil {
			unlock = u
			break
		}
	}
	defer unlock()

	w.counted.misses.Add(1)
	begin := c.now()
	r, err = w.f(context.WithValue(ctx, runningKey{}, &running{k, up}), arg)
	took := max(0, c.now().Sub(begin))
	switch {
	case err != nil:
		w.counted.errors.Add(1)
		if ctx.Err() == nil {
			own.err = err // a cancelled call is no answer for the others
		}
		return r, k, err
	case ctx.Err() != nil || !c.store.Writable():
		return r, k, nil
	case a.changed():
		c.log.Warn("memo: a file changed while the function ran; its result is not kept", "function", w.counted.name)
		return r, k, nil
	}
	stored, err := w.keep(k, a, id, r, took, fresh)
	if kept != nil {
		*kept = stored
	}
	if err != nil {
		own.err = err
	}
	return r, k, err
}

// keep stores a result. The error is one of encoding; what the disk does is a
// warning.
func (w *wrapped[T, R]) keep(k key.Key, a *argument, id identity, r R, took time.Duration, fresh bool) (bool, error) {
	payload, err := value.Append(nil, reflect.ValueOf(&r).Elem())
	if err != nil {
		return false, &ResultError{w.counted.name, err}
	}
	c := w.c
	w.known.Do(func() { c.note(w.counted.name, id) })
	err = c.store.Put(store.Head{
		Key: k, Code: id.code, Function: w.counted.name, Args: describe(a.value), Level: id.level.String(), Took: took,
	}, payload, fresh)
	if err != nil {
		c.log.Warn("memo: a result is not kept", "function", w.counted.name, "dir", c.dir, "err", err)
		return false, nil
	}
	return true, nil
}

// functionRecord is what a cache knows of a function besides its results.
type functionRecord struct {
	Function string       `json:"function"`
	Codes    []codeRecord `json:"codes"` // newest first
}

type codeRecord struct {
	Code  string    `json:"code"`
	Level Level     `json:"level"`
	Since time.Time `json:"since"`
}

// mostCodes is how many versions of a function's code are remembered.
const mostCodes = 16

func functionRecordName(name string) string { return recordName("n", key.Of([]byte(name))) }

func (c *Cache) functionRecord(name string) (r functionRecord) {
	if json.Unmarshal(c.store.ReadRecord(functionRecordName(name)), &r) != nil || r.Function != name {
		return functionRecord{Function: name}
	}
	return r
}

// note remembers the code of a function, so that Why can tell later what has
// changed.
func (c *Cache) note(name string, id identity) {
	r := c.functionRecord(name)
	code := id.code.String()
	i := slices.IndexFunc(r.Codes, func(k codeRecord) bool { return k.Code == code })
	if i == 0 {
		return
	}
	if i > 0 {
		r.Codes = slices.Delete(r.Codes, i, i+1)
	}
	r.Codes = slices.Insert(r.Codes, 0, codeRecord{code, id.level, c.now()})
	r.Codes = r.Codes[:min(len(r.Codes), mostCodes)]
	c.writeJSON(functionRecordName(name), r)
}
