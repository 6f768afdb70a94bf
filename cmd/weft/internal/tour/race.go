package tour

import (
	"context"
	"fmt"
	"io"
	"runtime"
	"time"

	"github.com/weft-go/weft"
)

// visit is a tour under way: what the stops have in common.
type visit struct {
	cfg  Config
	tree *tree
}

func (v *visit) visit(ctx context.Context, s stop) (outcome, error) {
	defer v.status("")
	return s.run(ctx, v)
}

// status says what runs at the moment.
func (v *visit) status(format string, args ...any) {
	if v.cfg.Status == nil {
		return
	}
	text := fmt.Sprintf(format, args...)
	if text != "" {
		text = "   " + text + " ..."
	}
	_, _ = io.WriteString(v.cfg.Status, "\r\x1b[K"+text)
}

// leg is the work of a stop.
type leg[T any, R comparable] struct {
	name  string
	items []T
	f     func(context.Context, T) (R, error)
	// result puts the results into words.
	result func([]R) string
	// sample is how many items the plain loop does where all would take too
	// long; 0 for all.
	sample int
	// before is called before each run, outside the time.
	before func()
	// opts are what a user would set for such work: mostly nothing.
	opts []weft.MapOption
}

// outcome is what came of a stop.
type outcome struct {
	items int
	// plain is the time of the plain loop over all items, weft that of
	// weft.Map; the best of the rounds each.
	plain, weft time.Duration
	// sampled is how many items the plain loop really did.
	sampled int
	rounds  int
	result  string
	report  weft.Report
}

func (o outcome) extrapolated() bool { return o.sampled < o.items }

func (o outcome) speedup() float64 { return float64(o.plain) / float64(o.weft) }

const (
	// mostRounds is how often each side runs at most; the best counts, as
	// what disturbs a run only makes it longer.
	mostRounds = 3
	// A stop that takes next to no time has more rounds, until warmTime is
	// over: the first ones mostly load the program's code.
	warmRounds = 50
	warmTime   = 200 * time.Millisecond
	// roundsTime is how long the rounds of a stop may take, so that the tour
	// stays below a minute.
	roundsTime = 6 * time.Second
)

// race does the work with the plain loop and with weft.Map, in turns, and
// compares the results item by item.
func race[T any, R comparable](ctx context.Context, v *visit, l leg[T, R]) (outcome, error) {
	n := len(l.items)
	o := outcome{items: n, sampled: n}
	if l.sample > 0 {
		o.sampled = min(n, l.sample)
	}
	var want, got []R
	err := v.turns(&o, turn{
		name: l.name, call: "weft.Map", before: l.before,
		plain: func() (err error) {
			want, err = plainLoop(ctx, l.items[:o.sampled], l.f)
			return err
		},
		weft: func(rep *weft.Report) (err error) {
			opts := append([]weft.MapOption{weft.Name(l.name), weft.ReportTo(rep)}, l.opts...)
			got, err = weft.Map(ctx, l.items, l.f, opts...)
			return err
		},
		result: func() (string, error) {
			for i := range want {
				if want[i] != got[i] {
					return "", fmt.Errorf("item %d: the plain loop gives %v and weft.Map gives %v; this is a bug in Weft, please report it", i, want[i], got[i])
				}
			}
			return l.result(got), nil
		},
	})
	return o, err
}

// turn is the two sides of a stop.
type turn struct {
	name, call string
	before     func() // outside the time, if set
	plain      func() error
	weft       func(*weft.Report) error
	result     func() (string, error) // compares the two and puts them into words
}

// turns runs both sides in turns and keeps the best times in o.
func (v *visit) turns(o *outcome, t turn) error {
	timed := func(side string, f func() error) (time.Duration, error) {
		v.status("%s: %s", t.name, side)
		if t.before != nil {
			t.before()
		}
		runtime.GC() // neither side pays for the other's garbage
		begin := time.Now()
		err := f()
		return time.Since(begin), err
	}
	begin := time.Now()
	for {
		round := time.Now()
		plain, err := timed("plain loop", t.plain)
		if err != nil {
			return err
		}
		var rep weft.Report
		fast, err := timed(t.call, func() error { return t.weft(&rep) })
		if err != nil {
			return err
		}
		if o.result, err = t.result(); err != nil {
			return err
		}
		plain = time.Duration(float64(plain) / float64(max(1, o.sampled)) * float64(o.items))
		if o.rounds == 0 || plain < o.plain {
			o.plain = plain
		}
		if o.rounds == 0 || fast < o.weft {
			o.weft, o.report = fast, rep
		}
		o.rounds++
		spent := time.Since(begin)
		if o.rounds >= warmRounds || o.rounds >= mostRounds && spent > warmTime || spent+time.Since(round) > roundsTime {
			return nil
		}
	}
}

// lookEvery is how many items the plain loop does before it looks whether it
// should stop; it is rare enough to cost tiny items nothing.
const lookEvery = 256

// plainLoop is what one writes without Weft.
//
//go:noinline
func plainLoop[T, R any](ctx context.Context, items []T, f func(context.Context, T) (R, error)) ([]R, error) {
	out := make([]R, len(items))
	for i, item := range items {
		if i%lookEvery == 0 && ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		r, err := f(ctx, item)
		if err != nil {
			return nil, err
		}
		out[i] = r
	}
	return out, nil
}
