package weft

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"
)

const (
	firstDelay = 100 * time.Millisecond
	mostDelay  = 30 * time.Second
)

// retryDelay is how long to wait before attempt n+1: doubled each time, half
// of it random.
func retryDelay(n int) time.Duration {
	d := mostDelay
	if n < 20 {
		d = min(d, firstDelay<<(n-1))
	}
	return d/2 + rand.N(d/2+1)
}

// timeoutError is the cause with which an item's context ends.
type timeoutError struct{ after time.Duration }

func (e timeoutError) Error() string   { return fmt.Sprintf("timed out after %v", e.after) }
func (e timeoutError) Timeout() bool   { return true }
func (e timeoutError) Is(t error) bool { return t == context.DeadlineExceeded } //nolint:errorlint // that is what Is is for

// attempts calls one item, with its time limit, at the rate, and again after
// a failure if the options say so.
func (r *run) attempts(ctx context.Context, w *worker, call func(context.Context) error) error {
	return r.attemptsFrom(ctx, w, 0, nil, call)
}

// attemptsFrom is attempts for an item that has failed n times already, last
// with err.
func (r *run) attemptsFrom(ctx context.Context, w *worker, n int, err error, call func(context.Context) error) error {
	lost := 0
	for {
		if n == 0 || err == nil {
			if !r.mayStart(ctx) {
				return context.Cause(ctx)
			}
			w.epoch = r.io.epoch.Load()
			err = r.attempt(ctx, w, call)
			n++
		}
		if err == nil || n >= max(1, r.cfg.attempts) || ctx.Err() != nil || errors.Is(err, ErrPermanent) {
			return err
		}
		if errors.Is(err, ErrLost) {
			if lost++; lost >= mostLost {
				return fmt.Errorf("given up: it lost %d workers: %w", lost, err)
			}
		}
		delay := retryDelay(n)
		if b, ok, _ := r.inspect(err); ok {
			r.backOff(w, b)
			delay = max(delay, b.After)
		}
		r.retry.Add(1)
		if !pause(ctx, delay) {
			// It has attempts left, so this is not why the run ended.
			return fmt.Errorf("%w; its last attempt: %w", context.Cause(ctx), err)
		}
		err = nil
	}
}

// mostLost is how many workers an item may lose.
const mostLost = 2

// mayStart waits for the end of a pause and for the rate limit. It returns
// false when ctx ended before.
func (r *run) mayStart(ctx context.Context) bool {
	for {
		if r.gate.shut() && !r.gate.wait(ctx) {
			return false
		}
		if r.rate == nil {
			return true
		}
		waited, ok := r.rate.wait(ctx)
		if waited {
			r.io.paced.Add(1)
		}
		if !ok || !r.gate.shut() {
			return ok
		}
	}
}

func (r *run) attempt(ctx context.Context, w *worker, call func(context.Context) error) error {
	begin := time.Now()
	defer func() { w.busy += time.Since(begin) }()
	if r.cfg.timeout <= 0 || r.remote.far() {
		return call(ctx)
	}
	ctx, cancel, late := timed(ctx, r.cfg.timeout)
	defer cancel()
	return late.explain(ctx, call(ctx))
}

// pacer spreads starts evenly: the generic cell rate algorithm (ITU-T I.371)
// with a tolerance that makes up for the coarseness of timers.
type pacer struct {
	mu       sync.Mutex
	interval time.Duration
	next     time.Time
}

// paceSlack is how far starts may catch up after a late timer.
const paceSlack = 5 * time.Millisecond

// longestInterval keeps the slowest rates within what a Duration can hold.
const longestInterval = 100 * 365 * 24 * time.Hour

func newPacer(perSecond float64) *pacer {
	ns := min(float64(time.Second)/perSecond, float64(longestInterval))
	return &pacer{interval: max(1, time.Duration(ns))}
}

// wait returns when the next start is due; ok is false when ctx ended before.
func (p *pacer) wait(ctx context.Context) (waited, ok bool) {
	p.mu.Lock()
	now := time.Now()
	if earliest := now.Add(-paceSlack); p.next.Before(earliest) {
		p.next = now
	}
	due := p.next
	p.next = due.Add(p.interval)
	p.mu.Unlock()
	d := due.Sub(now)
	if d <= 0 {
		return false, ctx.Err() == nil
	}
	return true, pause(ctx, d)
}
