package store

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"time"
)

// Walk calls f for each entry, with its head and without its payload, in no
// order. Entries whose head can't be read come as errors to bad.
func (s *Store) Walk(ctx context.Context, f func(e *Entry) error, bad func(d *DamageError)) error {
	if s.off {
		return nil
	}
	return s.walk(ctx, func(w walked) error {
		e, err := s.Head(w.key)
		if d, ok := errors.AsType[*DamageError](err); ok {
			bad(d)
			return nil
		}
		if errors.Is(err, ErrMissing) {
			return nil
		}
		if err != nil {
			return err
		}
		return f(e)
	}, func(name string) { bad(&DamageError{name, "is no entry"}) })
}

// Verified is what a verification found.
type Verified struct {
	Items, Bytes int64
	Damaged      []*DamageError
	Removed      int // of the damaged ones
}

// keepRecords is how long small records beside the entries stay unused.
const keepRecords = 90 * 24 * time.Hour

// unfinished is how old an empty file may be that someone is about to write.
const unfinished = time.Minute

// Verify reads every entry whole, checks it, removes what is damaged and
// writes the journal anew. It reads the whole store.
func (s *Store) Verify(ctx context.Context) (v Verified, err error) {
	if s.off {
		return v, nil
	}
	if s.Writable() {
		unlock, err := s.lockMaintenance(ctx)
		if err != nil {
			return v, err
		}
		defer unlock()
	}
	var whole []walked
	err = s.walk(ctx, func(w walked) error {
		err := s.read(entryName(w.key), &w.key, readAll, func(*Entry) error { return nil })
		if errors.Is(err, ErrMissing) {
			if since := s.c.Now().Sub(w.used); w.size > 0 || since > -unfinished && since < unfinished {
				return nil
			}
			err = &DamageError{entryName(w.key), errShort.Error()}
		}
		if d, ok := errors.AsType[*DamageError](err); ok {
			v.Damaged = append(v.Damaged, d)
			if d.Why != errNewer.Error() && s.Writable() && s.fs.Remove(d.Name) == nil {
				v.Removed++
			}
			return nil
		}
		if err != nil {
			return err
		}
		whole = append(whole, w)
		v.Items++
		v.Bytes += w.size
		return nil
	}, func(name string) { v.Damaged = append(v.Damaged, &DamageError{name, "is no entry; it is left alone"}) })
	if err != nil || !s.Writable() {
		return v, err
	}
	s.sweepTemp()
	s.sweepRecords()
	return v, s.rebuild(whole)
}

// recordFolders hold the small records.
var recordFolders = []string{"b", "c", "f", "n"}

func (s *Store) sweepRecords() {
	for _, dir := range recordFolders {
		subs, err := s.fs.ReadDir(dir)
		if err != nil {
			continue
		}
		for _, sub := range subs {
			list, err := s.fs.ReadDir(dir + "/" + sub.Name())
			if err != nil {
				continue
			}
			for _, d := range list {
				if info, err := d.Info(); err == nil && s.c.Now().Sub(info.ModTime()) > keepRecords {
					_ = s.fs.Remove(dir + "/" + sub.Name() + "/" + d.Name())
				}
			}
		}
	}
}

// Clear removes all entries and records, and nothing else that may be in the
// directory.
func (s *Store) Clear(ctx context.Context) error {
	if s.off {
		return fmt.Errorf("the cache was written by a newer version of memo; remove the directory itself")
	}
	if !s.Writable() {
		return errors.New("the cache is read only")
	}
	unlock, err := s.lockMaintenance(ctx)
	if err != nil {
		return err
	}
	defer unlock()
	for _, dir := range append([]string{"e"}, recordFolders...) {
		if err := s.clearDir(ctx, dir); err != nil {
			return err
		}
	}
	for _, name := range []string{goneFile, goneOld} {
		if err := s.fs.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	s.sweepTemp()
	return s.rebuildAll(ctx)
}

func (s *Store) clearDir(ctx context.Context, dir string) error {
	list, err := s.fs.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	for _, d := range list {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		name := dir + "/" + d.Name()
		if d.IsDir() {
			if err := s.clearDir(ctx, name); err != nil {
				return err
			}
			continue // kept: others may be about to write into it
		}
		if err := s.fs.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}

// Records calls f for each small record below dir.
func (s *Store) Records(dir string, f func(name string, b []byte)) error {
	subs, err := s.fs.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	for _, sub := range subs {
		list, err := s.fs.ReadDir(dir + "/" + sub.Name())
		if err != nil {
			continue
		}
		for _, d := range list {
			name := dir + "/" + sub.Name() + "/" + d.Name()
			if b := s.ReadRecord(name); b != nil {
				f(name, b)
			}
		}
	}
	return nil
}
