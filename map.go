package weft

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"

	"github.com/weft-go/weft/internal/tight"
)

// Map calls f for each item and returns the results in input order.
//
// It starts as a plain loop, measures the first items, and runs the rest the
// way that promises to be fastest: on in the loop, on several CPUs, or with
// many items waiting at once. It keeps measuring and changes its mind when
// the figures do. [Explain] tells the plan beforehand, [ReportTo] what
// happened.
//
// The first failure stops the run: the contexts of the other items end with a
// cause, no further item starts, and Map returns once all have ended. The
// error is an [*ItemError] with the lowest index that is known to have failed
// by itself. With [KeepGoing] all items run. The results that exist are
// returned in either case; the other places hold zero values. A panic in f
// becomes a [*PanicError] inside the ItemError.
//
// f is called from several goroutines at once, never from the caller's own,
// except under Workers(1). Calling Weft inside f is fine: pass on the context
// that f got, and both draw on the same CPUs.
//
// A call costs some 10 us, an item nothing measurable beside calling f.
// Memory: the results, and a few hundred bytes a worker.
func Map[T, R any](ctx context.Context, items []T, f func(context.Context, T) (R, error), opts ...MapOption) ([]R, error) {
	r := &run{call: "Map", n: len(items)}
	for _, o := range opts {
		if o != nil {
			o.applyMap(&r.cfg)
		}
	}
	out, err := mapRun(ctx, r, items, f)
	return out, err
}

func mapRun[T, R any](ctx context.Context, r *run, items []T, f func(context.Context, T) (R, error)) ([]R, error) {
	r.fn = f
	setSource(r, items)
	if err := r.start(ctx); err != nil {
		return nil, err
	}
	out := make([]R, len(items))
	from, to := reflect.ValueOf(items), reflect.ValueOf(out)
	r.body = func(ctx context.Context, w *worker) (next int) {
		if r.remote.active() {
			return r.ship(ctx, w, from.Slice(w.lo, w.hi), to.Slice(w.lo, w.hi), func(i int, err error) bool {
				return err != nil && r.failed(w, i, err)
			})
		}
		normal := false
		defer func() {
			if !normal {
				next = r.crashedAt(w, recover())
			}
		}()
		for i := w.lo; i < w.hi; {
			n, err := 1, error(nil)
			w.at = i
			if r.careful {
				err = r.attempts(ctx, w, func(ctx context.Context) error {
					v, err := f(ctx, items[i])
					if err == nil {
						out[i] = v
					}
					return err
				})
			} else {
				hi := min(i+w.grain, w.hi)
				n, err = tight.Map(ctx, &w.in, items[i:hi], out[i:hi], f)
				w.in = 0
			}
			i += n
			if err != nil && r.failed(w, i-1, err) || w.stop.Load() {
				normal = true
				return i
			}
		}
		normal = true
		return w.hi
	}
	err := r.run(ctx)
	return out, err
}

// Each calls f for each item, for what it does rather than for a result. All
// else is as in [Map].
func Each[T any](ctx context.Context, items []T, f func(context.Context, T) error, opts ...MapOption) error {
	r := &run{call: "Each", n: len(items), fn: f}
	for _, o := range opts {
		if o != nil {
			o.applyMap(&r.cfg)
		}
	}
	setSource(r, items)
	if err := r.start(ctx); err != nil {
		return err
	}
	from := reflect.ValueOf(items)
	r.body = func(ctx context.Context, w *worker) (next int) {
		if r.remote.active() {
			return r.ship(ctx, w, from.Slice(w.lo, w.hi), reflect.Value{}, func(i int, err error) bool {
				return err != nil && r.failed(w, i, err)
			})
		}
		normal := false
		defer func() {
			if !normal {
				next = r.crashedAt(w, recover())
			}
		}()
		for i := w.lo; i < w.hi; {
			n, err := 1, error(nil)
			w.at = i
			if r.careful {
				err = r.attempts(ctx, w, func(ctx context.Context) error { return f(ctx, items[i]) })
			} else {
				n, err = tight.Each(ctx, &w.in, items[i:min(i+w.grain, w.hi)], f)
				w.in = 0
			}
			i += n
			if err != nil && r.failed(w, i-1, err) || w.stop.Load() {
				normal = true
				return i
			}
		}
		normal = true
		return w.hi
	}
	return r.run(ctx)
}

// Explain runs the pilot of a [Map] and returns the plan: what was measured,
// what would be chosen and why, and how long the other choices would take.
// The pilot calls f for real, on the first items, for about 20 ms or one item,
// whichever is longer; their results are dropped.
func Explain[T, R any](ctx context.Context, items []T, f func(context.Context, T) (R, error), opts ...MapOption) (Plan, error) {
	r := &run{call: "Explain", n: len(items), explain: true}
	for _, o := range opts {
		if o != nil {
			o.applyMap(&r.cfg)
		}
	}
	var rep Report
	if r.cfg.report == nil {
		r.cfg.report = &rep
	}
	if r.cfg.workers != 0 {
		return Plan{}, fmt.Errorf("weft: Explain: Workers(%d) leaves nothing to choose; leave the option out", r.cfg.workers)
	}
	_, err := mapRun(ctx, r, items, f)
	if err != nil {
		return Plan{}, err
	}
	if r.lowest != nil && !errors.Is(r.lowest, errExplained) {
		return r.cfg.report.Plan, r.lowest
	}
	return r.cfg.report.Plan, nil
}

// errExplained ends the pilot of Explain.
var errExplained = errors.New("weft: Explain has seen enough")

// setSource makes the items claimable.
func setSource[T any](r *run, items []T) {
	s := &slice{n: len(items)}
	r.src = s
	if r.cfg.key == nil {
		return
	}
	key, ok := r.cfg.key.(func(T) string)
	if !ok {
		r.cfg.fail("PerKey: the key function takes a %v and the items are of type %v; make them the same", r.cfg.keyType, reflect.TypeFor[T]())
		return
	}
	r.src = newKeyed(r, s, func(w *worker) string { return key(items[w.lo]) })
}

// gaps returns what no worker has run, in order. Called when all have left.
func (r *run) gaps() []span {
	slices.SortFunc(r.spans, func(a, b span) int { return a.lo - b.lo })
	var gaps []span
	at := 0
	for _, s := range r.spans {
		if s.lo > at {
			gaps = append(gaps, span{at, s.lo})
		}
		at = max(at, s.hi)
	}
	if at < r.n {
		gaps = append(gaps, span{at, r.n})
	}
	return gaps
}

func sortErrors(es itemErrors) {
	slices.SortStableFunc(es, func(a, b *ItemError) int { return a.Index - b.Index })
}
