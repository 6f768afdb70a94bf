package graph

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/weft-go/weft"
)

const (
	firstDelay = 100 * time.Millisecond
	mostDelay  = 30 * time.Second
)

// timeoutError is the cause with which a task's context ends.
type timeoutError struct{ after time.Duration }

func (e timeoutError) Error() string   { return fmt.Sprintf("timed out after %v", e.after) }
func (e timeoutError) Timeout() bool   { return true }
func (e timeoutError) Is(t error) bool { return t == context.DeadlineExceeded } //nolint:errorlint // that is what Is is for

// attempts runs a task with Retry or Timeout, or with a journal.
func (r *run) attempts(w *worker, n *node, t uint32, in []uint32) error {
	if r.cut != nil && r.cut[t] {
		return r.recall(w.slot, n, t)
	}
	o := n.opts
	if o == nil {
		o = &nodeOptions{}
	}
	for k := 1; ; k++ {
		err := attempt(w.ctx, o.timeout, func(ctx context.Context) error { return n.do.run(ctx, r, t, in) })
		if err == nil || k >= o.attempts || r.ctx.Err() != nil || errors.Is(err, weft.ErrPermanent) {
			if err != nil && k > 1 {
				err = fmt.Errorf("after %d attempts: %w", k, err)
			}
			if r.log != nil {
				r.log.attempts(t, k)
			}
			if err == nil && r.journal != nil {
				err = r.keep(w.slot, n, t)
			}
			return err
		}
		if !pause(r.ctx, delay(k)) {
			return fmt.Errorf("%w; its last attempt: %w", context.Cause(r.ctx), err)
		}
	}
}

// attempt calls f with a time limit.
func attempt(ctx context.Context, limit time.Duration, f func(context.Context) error) error {
	if limit <= 0 {
		return f(ctx)
	}
	late := timeoutError{limit}
	ctx, cancel := context.WithTimeoutCause(ctx, limit, late)
	defer cancel()
	err := f(ctx)
	if err != nil && context.Cause(ctx) == error(late) { //nolint:errorlint // the very same value
		if errors.Is(err, context.DeadlineExceeded) {
			return late
		}
		return fmt.Errorf("%w: %w", late, err)
	}
	return err
}

// delay is how long to wait after attempt k: doubled each time, half of it
// random.
func delay(k int) time.Duration {
	d := mostDelay
	if k < 20 {
		d = min(d, firstDelay<<(k-1))
	}
	return d/2 + rand.N(d/2+1)
}

// pause waits, and returns false if ctx ended before.
func pause(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}
