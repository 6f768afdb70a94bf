package objects

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"sync"
	"syscall"
	"time"

	"gocloud.dev/gcerrors"
)

const (
	firstPause = 50 * time.Millisecond
	lastPause  = 5 * time.Second
	// contentTries: a broken transfer is right the next time; an object that
	// was changed stays so.
	contentTries = 3
)

// errSlow ends one try that takes too long.
var errSlow = errors.New("no answer")

// try does one operation that moves size bytes until it succeeds, fails for
// good, or the store's patience ends. The pauses double, each somewhere in its
// upper half, so that many workers do not knock at the same moment.
func (s *Store) try(ctx context.Context, op, path string, size int64, f func(context.Context) error) error {
	// A forged size must not make a try endless.
	limit := s.opts.Slow + time.Duration(min(size>>20, 3600))*time.Second
	end := time.Now().Add(s.opts.Patience)
	pause := firstPause
	for tries := 1; ; tries++ {
		if ctx.Err() != nil {
			return s.failed(op, path, tries-1, context.Cause(ctx))
		}
		once, cancel := context.WithTimeoutCause(ctx, limit, errSlow)
		err := f(once)
		if err != nil && errors.Is(context.Cause(once), errSlow) {
			err = fmt.Errorf("no answer in %v: %w", limit, err)
		}
		cancel()
		if err == nil {
			return nil
		}
		if ctx.Err() != nil {
			return s.failed(op, path, tries, context.Cause(ctx))
		}
		if err := lasting(err); err != nil {
			return s.failed(op, path, tries, err)
		}
		if errors.Is(err, ErrContent) && tries == contentTries {
			return s.failed(op, path, tries, err)
		}
		wait := pause/2 + rand.N(pause/2)
		if time.Now().Add(wait).After(end) {
			return s.failed(op, path, tries, err)
		}
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			return s.failed(op, path, tries, context.Cause(ctx))
		}
		s.stats.again.Add(1)
		pause = min(2*pause, lastPause)
	}
}

func (s *Store) failed(op, path string, tries int, err error) error {
	return &Error{Op: op, Path: path, Store: s.url, Tries: tries, Err: err}
}

func (s *Store) refuse(op, path string, err error) error {
	if len(path) > 2*maxPrefix {
		path = path[:2*maxPrefix] + "..."
	}
	return s.failed(op, path, 0, err)
}

// lasting returns the error, with what to do about it, if trying again is no
// use, and nil if it may be.
func lasting(err error) error {
	switch {
	case errors.Is(err, errEnough), errors.Is(err, errNoBucket):
		return err
	case errors.Is(err, syscall.ENOSPC):
		return fmt.Errorf("the disk is full: free some of it, or delete what runs left: %w", err)
	case errors.Is(err, fs.ErrPermission):
		return fmt.Errorf("not permitted: see who owns the directory: %w", err)
	}
	switch gcerrors.Code(err) {
	case gcerrors.NotFound:
		return fmt.Errorf("%w: it was deleted, as a run's objects are when it ends, or it is in another store: %w", ErrMissing, err)
	case gcerrors.PermissionDenied:
		return fmt.Errorf("not permitted: check the credentials and what they may do: %w", err)
	case gcerrors.InvalidArgument, gcerrors.Unimplemented, gcerrors.FailedPrecondition:
		return err
	}
	return nil
}

// keyed is a lock for each key.
type keyed struct {
	mu   sync.Mutex
	held map[string]chan struct{} // closed when it is free
}

func (k *keyed) lock(ctx context.Context, key string) (unlock func(), err error) {
	for {
		k.mu.Lock()
		free, ok := k.held[key]
		if !ok {
			if k.held == nil {
				k.held = map[string]chan struct{}{}
			}
			mine := make(chan struct{})
			k.held[key] = mine
			k.mu.Unlock()
			return func() {
				k.mu.Lock()
				delete(k.held, key)
				k.mu.Unlock()
				close(mine)
			}, nil
		}
		k.mu.Unlock()
		select {
		case <-free:
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
}
