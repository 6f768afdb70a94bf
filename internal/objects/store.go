package objects

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"iter"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// Options says how a store is used. The zero value is right for most.
type Options struct {
	// Key seals all objects by AES-GCM: 16, 24 or 32 bytes, the same for all
	// who use the store. Seal fewer than 2^32 objects with one key.
	// Defaults to none: objects are stored as they are.
	Key []byte
	// CacheDir is a directory of this user alone, for copies of objects that
	// were read and written. Processes may share it. Defaults to
	// weft/objects in the user's cache directory, and to no cache for stores
	// that are a directory or memory themselves.
	CacheDir string
	// CacheBytes bounds the cache; -1 is no cache. What was not used for
	// longest goes first. Defaults to 1 GiB.
	CacheBytes int64
	// Patience is how long a failing operation is tried again, with pauses
	// that grow to some seconds. Defaults to one minute.
	Patience time.Duration
	// Slow is how long one try of an operation may take, and a second more
	// for each MiB that it moves. Defaults to 20 seconds.
	Slow time.Duration
}

func (o Options) withDefaults() Options {
	o.CacheBytes = cmp.Or(o.CacheBytes, 1<<30)
	o.Patience = cmp.Or(o.Patience, time.Minute)
	o.Slow = cmp.Or(o.Slow, 20*time.Second)
	return o
}

func (o Options) validate() error {
	switch {
	case o.CacheBytes < -1:
		return fmt.Errorf("objects: CacheBytes is %d, want -1 for no cache, or a number of bytes", o.CacheBytes)
	case o.Patience < 0:
		return fmt.Errorf("objects: Patience is %v, want 0 for the default, or more", o.Patience)
	case o.Slow < 0:
		return fmt.Errorf("objects: Slow is %v, want 0 for the default, or more", o.Slow)
	}
	return nil
}

// Store is an object store below one URL. Its methods may be called
// concurrently.
type Store struct {
	url    string // without credentials, for errors
	bucket bucket
	seal   *sealer
	cache  *cache // nil: none
	opts   Options
	reads  keyed // one at a time for each object, if there is a cache

	stats struct{ puts, put, gets, got, hits, again atomic.Int64 }
}

// probeBytes is the size from which Put asks whether the object is there
// already, which costs a round trip and saves sending it.
const probeBytes = 256 << 10

// Put stores p below prefix and returns its reference. The same bytes below
// the same prefix are stored once. A prefix is parts of letters, digits, '-',
// '_' and inner '.' with slashes between. p is not changed and not kept. It
// costs one pass to hash p, and one request, two for large values.
func (s *Store) Put(ctx context.Context, prefix string, p []byte) (Ref, error) {
	if err := checkPrefix(prefix); err != nil {
		return Ref{}, s.refuse("put", prefix, err)
	}
	name := s.seal.hash(p)
	ref := Ref{Path: prefix + "/" + name, Size: int64(len(p))}
	var sealed []byte
	err := s.try(ctx, "put", ref.Path, ref.Size, func(ctx context.Context) error {
		if len(p) >= probeBytes {
			if n, err := s.bucket.size(ctx, ref.Path); err == nil && n == s.seal.size(ref.Size) {
				return nil
			}
		}
		if sealed == nil {
			sealed = s.seal.seal(name, p)
		}
		return s.bucket.write(ctx, ref.Path, sealed)
	})
	if err != nil {
		return Ref{}, err
	}
	s.stats.puts.Add(1)
	s.stats.put.Add(ref.Size)
	if s.cache != nil {
		if sealed == nil {
			sealed = s.seal.seal(name, p)
		}
		s.cache.put(name, sealed)
	}
	return ref, nil
}

// Get returns the value that ref stands for, checked against it. The caller
// owns the bytes. It costs one request, none if the value is in the cache, and
// one pass to hash it. A reference that leads elsewhere is refused with
// [ErrRef], an object that was deleted is [ErrMissing], one that was changed
// [ErrContent].
func (s *Store) Get(ctx context.Context, ref Ref) ([]byte, error) {
	name, err := ref.check()
	if err != nil {
		return nil, s.refuse("get", ref.Path, err)
	}
	if s.cache == nil {
		return s.fetch(ctx, ref, name, nil)
	}
	if p := s.cached(ref, name); p != nil {
		return p, nil
	}
	// Many items may begin with the same value: one reads it, the others
	// find it in the cache.
	unlock, err := s.reads.lock(ctx, name)
	if err != nil {
		return nil, err
	}
	defer unlock()
	if p := s.cached(ref, name); p != nil {
		return p, nil
	}
	return s.fetch(ctx, ref, name, s.cache.put)
}

// cached is the value from the cache, nil if it is not there.
func (s *Store) cached(ref Ref, name string) []byte {
	b := s.cache.get(name, s.seal.size(ref.Size))
	if b == nil {
		return nil
	}
	p, err := s.seal.open(name, b)
	if err != nil || int64(len(p)) != ref.Size {
		s.cache.drop(name) // the disk lied; the store has it
		return nil
	}
	if p == nil {
		p = []byte{}
	}
	s.stats.hits.Add(1)
	return p
}

func (s *Store) fetch(ctx context.Context, ref Ref, name string, keep func(name string, b []byte)) (p []byte, err error) {
	err = s.try(ctx, "get", ref.Path, ref.Size, func(ctx context.Context) error {
		want := s.seal.size(ref.Size)
		b, err := s.bucket.read(ctx, ref.Path, want)
		if err != nil {
			return err
		}
		// Before it is opened: that uses b.
		sealed := b
		if s.seal.gcm != nil && keep != nil {
			sealed = append([]byte(nil), b...)
		}
		if p, err = s.seal.open(name, b); err != nil {
			return err
		}
		if keep != nil {
			keep(name, sealed)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	s.stats.gets.Add(1)
	s.stats.got.Add(ref.Size)
	return p, nil
}

// Object is an entry of a listing.
type Object struct {
	Path     string // below the store's URL
	Size     int64  // as stored
	Modified time.Time
}

// List yields the objects below prefix, in the order of their paths. It costs
// a request for each thousand. The last element may be an error.
func (s *Store) List(ctx context.Context, prefix string) iter.Seq2[Object, error] {
	return func(yield func(Object, error) bool) {
		if err := checkPrefix(prefix); err != nil {
			yield(Object{}, s.refuse("list", prefix, err))
			return
		}
		err := s.list(ctx, prefix+"/", false, func(o Object) error {
			if !yield(o, nil) {
				return errEnough
			}
			return nil
		})
		if err != nil && !errors.Is(err, errEnough) {
			yield(Object{}, err)
		}
	}
}

// errEnough ends a listing early.
var errEnough = errors.New("enough")

// Folders lists the names directly below prefix that have objects below them;
// "" is the store's URL itself.
func (s *Store) Folders(ctx context.Context, prefix string) (names []string, err error) {
	if prefix != "" {
		if err := checkPrefix(prefix); err != nil {
			return nil, s.refuse("list", prefix, err)
		}
		prefix += "/"
	}
	err = s.list(ctx, prefix, true, func(o Object) error {
		if name, ok := strings.CutSuffix(strings.TrimPrefix(o.Path, prefix), "/"); ok {
			names = append(names, name)
		}
		return nil
	})
	return names, err
}

// list tries again only as long as nothing was reported: the caller has seen
// the rest.
func (s *Store) list(ctx context.Context, prefix string, folders bool, f func(Object) error) error {
	var seen error
	reported := false
	err := s.try(ctx, "list", strings.TrimSuffix(prefix, "/"), 0, func(ctx context.Context) error {
		err := s.bucket.list(ctx, prefix, folders, func(o Object) error {
			reported = true
			return f(o)
		})
		if err != nil && reported {
			seen = err
			return nil
		}
		return err
	})
	return cmp.Or(err, seen)
}

// DeletePrefix deletes all objects below prefix, a few at a time, and returns
// how many. One that vanishes meanwhile is no error. After an error some may
// be left; call it again.
func (s *Store) DeletePrefix(ctx context.Context, prefix string) (int, error) {
	if err := checkPrefix(prefix); err != nil {
		return 0, s.refuse("delete", prefix, err)
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var (
		deleted atomic.Int64
		wg      sync.WaitGroup
		paths   = make(chan string)
	)
	for range 16 {
		wg.Go(func() {
			for path := range paths {
				err := s.try(ctx, "delete", path, 0, func(ctx context.Context) error { return s.bucket.remove(ctx, path) })
				if err != nil && !errors.Is(err, ErrMissing) {
					cancel(err)
					continue
				}
				deleted.Add(1)
			}
		})
	}
	var listed error
	for o, err := range s.List(ctx, prefix) {
		if listed = err; err != nil {
			break
		}
		select {
		case paths <- o.Path:
		case <-ctx.Done():
			listed = context.Cause(ctx)
		}
		if listed != nil {
			break
		}
	}
	close(paths)
	wg.Wait()
	if cause := context.Cause(ctx); cause != nil {
		listed = cause
	}
	return int(deleted.Load()), listed
}

// Stats counts what a store did since it was opened.
type Stats struct {
	Puts, PutBytes int64 // values stored, or found to be there
	Gets, GetBytes int64 // values read from the store
	Hits           int64 // values read from the cache
	Again          int64 // tries after a first that failed
}

// Stats may be called at any time.
func (s *Store) Stats() Stats {
	c := &s.stats
	return Stats{c.puts.Load(), c.put.Load(), c.gets.Load(), c.got.Load(), c.hits.Load(), c.again.Load()}
}

// URL is the store's, without credentials.
func (s *Store) URL() string { return s.url }

// Close frees connections. Operations must have ended.
func (s *Store) Close() error {
	if s.cache != nil {
		s.cache.close()
	}
	return s.bucket.close()
}
