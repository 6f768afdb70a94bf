package store

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/weft-go/weft/memo/internal/key"
	"github.com/weft-go/weft/memo/internal/rangelock"
)

// maintenance is the byte that is locked by whoever trims or rebuilds.
const maintenance = rangelock.Most

// lockMaintenance takes the maintenance lock when it is free.
func (s *Store) lockMaintenance(ctx context.Context) (unlock func(), err error) {
	unlock, err = s.tryMaintenance()
	if unlock != nil || err != nil {
		return unlock, err
	}
	return s.wait(ctx, maintenance, nil)
}

// tryMaintenance takes it if it is free now, and else returns nil.
func (s *Store) tryMaintenance() (unlock func(), err error) {
	ok, unlock, err := s.tryLock(maintenance)
	if !ok {
		return nil, err
	}
	return unlock, err
}

// tryLock locks one byte, also where there are no locks.
func (s *Store) tryLock(off int64) (bool, func(), error) {
	l := s.locks.Load()
	if l == nil {
		return true, func() {}, nil
	}
	ok, err := l.Try(off)
	if errors.Is(err, rangelock.ErrUnsupported) {
		s.warn("locks", "the file system has no locks; two processes may compute the same result")
		return true, func() {}, nil
	}
	if err != nil {
		return false, nil, fmt.Errorf("lock the cache: %w", err)
	}
	return ok, func() { l.Unlock(off) }, nil
}

// Waiting for a lock: the first looks are close together, as most functions
// that a process waits for have nearly ended or take long.
const (
	firstLook = 200 * time.Microsecond
	lastLook  = 25 * time.Millisecond
)

// wait locks a byte when it is free. stop is looked at between tries; when it
// returns true, wait returns nil and nil.
func (s *Store) wait(ctx context.Context, off int64, stop func() bool) (func(), error) {
	pause := firstLook
	timer := time.NewTimer(pause)
	defer timer.Stop()
	for {
		ok, unlock, err := s.tryLock(off)
		if ok || err != nil {
			return unlock, err
		}
		if stop != nil && stop() {
			return nil, nil
		}
		select {
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		case <-timer.C:
		}
		pause = min(lastLook, pause*3/2)
		timer.Reset(pause)
	}
}

// Lock locks a key, so that no other process computes it; the lock ends with
// the process. It returns nil and nil when the entry appears while waiting.
func (s *Store) Lock(ctx context.Context, k key.Key) (unlock func(), waited bool, err error) {
	if !s.Writable() {
		return func() {}, false, nil
	}
	off := int64(leUint64(k[:])&rangelock.Most) % maintenance
	ok, unlock, err := s.tryLock(off)
	if ok || err != nil {
		return unlock, false, err
	}
	unlock, err = s.wait(ctx, off, func() bool {
		info, err := s.fs.Stat(entryName(k))
		return err == nil && info.Size() > 0
	})
	return unlock, true, err
}
