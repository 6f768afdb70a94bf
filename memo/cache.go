package memo

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/weft-go/weft/memo/internal/key"
	"github.com/weft-go/weft/memo/internal/store"
)

// Config says how a cache works. The zero value has no bounds.
type Config struct {
	// MaxBytes is how much the entries may take on disk together. What is
	// least recently used goes first; the bound may be passed for moments.
	// Defaults to 0: no bound.
	MaxBytes int64
	// MaxAge is how long an entry may stay unused. An older one is a miss, and
	// removed at some time.
	// Defaults to 0: for ever.
	MaxAge time.Duration
	// MaxItems is how many entries there may be.
	// Defaults to 0: no bound.
	MaxItems int64
	// Compress stores results of 4 KiB and more with zstd, where that saves an
	// eighth.
	// Defaults to false.
	Compress bool
	// Mmap maps results of 64 KiB and more into memory in place of reading
	// them, and slices of numbers in them point there: large ones load in
	// microseconds, and take memory only where they are looked at. Such slices
	// must not be written to (that ends the program), are shared by all hits of
	// the same entry, and their checksums are left to Verify. The mappings stay
	// until the process ends. Compressed results, and all on Windows, are read.
	// Defaults to false.
	Mmap bool
	// ReadOnly uses what is there and keeps nothing.
	// Defaults to false.
	ReadOnly bool
	// Sync has each result reach the disk before it counts as stored: it
	// survives a power cut, and a miss takes milliseconds longer. Without it, a
	// result that a power cut damaged is a miss.
	// Defaults to false.
	Sync bool
	// Logger gets warnings: damaged entries, results that could not be kept.
	// Defaults to slog.Default().
	Logger *slog.Logger

	now func() time.Time
	fs  store.FS
}

func (c Config) validate() error {
	switch {
	case c.MaxBytes < 0:
		return fmt.Errorf("memo: Config.MaxBytes is %d; it must not be negative", c.MaxBytes)
	case c.MaxItems < 0:
		return fmt.Errorf("memo: Config.MaxItems is %d; it must not be negative", c.MaxItems)
	case c.MaxAge < 0:
		return fmt.Errorf("memo: Config.MaxAge is %v; it must not be negative", c.MaxAge)
	}
	return nil
}

// Cache is a directory with results. Its methods may be called concurrently.
type Cache struct {
	dir   string
	store *store.Store // nil: a cache that does nothing
	log   *slog.Logger
	now   func() time.Time
	cfg   Config
	files files

	mu      sync.Mutex
	flights map[key.Key]*flight
	funcs   []*counted
}

// Open opens the cache in dir, and makes it if need be, for the current user
// only. An empty dir gives a cache that does nothing: wrapped functions just
// run. A directory with other files in it is refused. One that can't be written
// is used as with Config.ReadOnly, with a warning.
//
// Open takes about a millisecond, whatever the size of the cache.
func Open(dir string, cfg Config) (*Cache, error) {
	if err := cfg.validate(); err != nil {
		return nil, err
	}
	c := &Cache{dir: dir, log: cmp.Or(cfg.Logger, slog.Default()), now: cfg.now, cfg: cfg, flights: map[key.Key]*flight{}}
	if c.now == nil {
		c.now = time.Now
	}
	if dir == "" {
		return c, nil
	}
	sc := store.Config{
		FS: cfg.fs, MaxBytes: cfg.MaxBytes, MaxItems: cfg.MaxItems, MaxAge: cfg.MaxAge, Compress: cfg.Compress,
		Mmap: cfg.Mmap, ReadOnly: cfg.ReadOnly, Sync: cfg.Sync, Log: c.log, Now: c.now,
	}
	var err error
	if cfg.fs != nil {
		c.store, err = store.Open(sc)
	} else {
		c.store, err = store.OpenDir(dir, sc)
	}
	if err != nil {
		mend := ""
		switch {
		case errors.Is(err, fs.ErrPermission):
			mend = "; name a directory that this user may write to"
		case errors.Is(err, fs.ErrNotExist) && cfg.ReadOnly:
			mend = "; a cache that is read only must be there already"
		}
		return nil, fmt.Errorf("memo: open the cache in %s: %w%s", dir, err, mend)
	}
	return c, nil
}

// Close waits for what runs in the background and closes the directory. Calls
// of wrapped functions must have ended. Slices from Config.Mmap stay valid.
func (c *Cache) Close() error {
	if c.store == nil {
		return nil
	}
	if err := c.store.Close(); err != nil {
		return fmt.Errorf("memo: close the cache in %s: %w", c.dir, err)
	}
	return nil
}

// Dir is the cache's directory; "" for one that does nothing.
func (c *Cache) Dir() string { return c.dir }

// Limits are bounds for one [Cache.Trim]; 0 is none.
type Limits struct {
	MaxBytes int64
	MaxItems int64
	MaxAge   time.Duration // since the last use
}

// Trimmed is what a trimming has removed.
type Trimmed struct {
	Items int64 `json:"items"`
	Bytes int64 `json:"bytes"`
}

// Trim removes the least recently used entries until the limits hold. It takes
// what the file system takes to remove them, 0.02 to 0.3 ms each, however many
// others there are. It waits for a
// trimming that another process does.
func (c *Cache) Trim(ctx context.Context, l Limits) (Trimmed, error) {
	if l.MaxBytes < 0 || l.MaxItems < 0 || l.MaxAge < 0 {
		return Trimmed{}, errors.New("memo: trim: a limit must not be negative")
	}
	if c.store == nil {
		return Trimmed{}, nil
	}
	t, err := c.store.Trim(ctx, store.Limits(l))
	if err != nil {
		err = fmt.Errorf("memo: trim the cache in %s: %w", c.dir, err)
	}
	return Trimmed(t), err
}

// Damage is an entry that could not be used, or a file that is none.
type Damage struct {
	// File is its name below the directory.
	File string `json:"file"`
	Why  string `json:"why"`
}

// Verified is what [Cache.Verify] found.
type Verified struct {
	Items   int64    `json:"items"` // whole ones
	Bytes   int64    `json:"bytes"`
	Damaged []Damage `json:"damaged"`
	// Removed is how many of the damaged ones were removed.
	Removed int `json:"removed"`
}

// Verify reads every entry, checks it, removes what is damaged, and counts
// anew what the bounds go by. It reads the whole cache.
func (c *Cache) Verify(ctx context.Context) (Verified, error) {
	if c.store == nil {
		return Verified{}, nil
	}
	v, err := c.store.Verify(ctx)
	out := Verified{Items: v.Items, Bytes: v.Bytes, Removed: v.Removed}
	for _, d := range v.Damaged {
		out.Damaged = append(out.Damaged, Damage{d.Name, d.Why})
	}
	if err != nil {
		err = fmt.Errorf("memo: verify the cache in %s: %w", c.dir, err)
	}
	return out, err
}

// Clear removes all entries, and no other file.
func (c *Cache) Clear(ctx context.Context) error {
	if c.store == nil {
		return nil
	}
	c.files.forget()
	if err := c.store.Clear(ctx); err != nil {
		return fmt.Errorf("memo: clear the cache in %s: %w", c.dir, err)
	}
	return nil
}

// Meta describes an entry.
type Meta struct {
	Key      string        `json:"key"`
	Function string        `json:"function"`
	Args     string        `json:"args"` // the beginning of the argument
	Level    Level         `json:"level"`
	Created  time.Time     `json:"created"`
	Used     time.Time     `json:"used"`    // to ten minutes
	Took     time.Duration `json:"took_ns"` // of the function
	Size     int64         `json:"size"`    // of the result, in bytes
	Stored   int64         `json:"stored"`  // of the file
}

func metaOf(e *store.Entry) Meta {
	return Meta{
		Key: e.Key.String(), Function: e.Function, Args: e.Args, Level: levelNamed(e.Level),
		Created: e.Created, Used: e.Used, Took: e.Took, Size: e.Size, Stored: e.FileSize(),
	}
}

// Entries goes through all entries, in no order. An entry that can't be read
// comes as an error, and the walk goes on. It takes about 20 us an entry.
func (c *Cache) Entries(ctx context.Context) iter.Seq2[Meta, error] {
	return func(yield func(Meta, error) bool) {
		if c.store == nil {
			return
		}
		stopped := errors.New("stopped")
		over := false
		err := c.store.Walk(ctx, func(e *store.Entry) error {
			if over || !yield(metaOf(e), nil) {
				over = true
				return stopped
			}
			return nil
		}, func(d *store.DamageError) {
			if !over && !yield(Meta{}, d) {
				over = true
			}
		})
		if err != nil && !over {
			yield(Meta{}, fmt.Errorf("memo: read the cache in %s: %w", c.dir, err))
		}
	}
}

// Entry finds an entry by its key, as [Meta] has it, and checks it. The error
// says whether it was evicted, is damaged, or was never there.
func (c *Cache) Entry(k string) (Meta, error) {
	parsed, err := key.Parse(k)
	if err != nil {
		return Meta{}, fmt.Errorf("memo: %w", err)
	}
	if c.store == nil {
		return Meta{}, fmt.Errorf("memo: %s: the cache does nothing", k)
	}
	var m Meta
	err = c.store.Get(parsed, func(e *store.Entry) error { m = metaOf(e); return nil })
	switch {
	case errors.Is(err, store.ErrMissing) && c.store.Evicted(parsed):
		return m, fmt.Errorf("memo: %s was evicted: the cache was over its bounds", k)
	case errors.Is(err, store.ErrMissing):
		return m, fmt.Errorf("memo: %s is not in the cache, and was not evicted lately", k)
	case err != nil:
		return m, fmt.Errorf("memo: %s can't be used: %w", k, err)
	}
	return m, nil
}

// Stats is what a cache holds, and what this process has done with it.
type Stats struct {
	Items int64 `json:"items"`
	Bytes int64 `json:"bytes"`

	Hits    int64 `json:"hits"`
	Misses  int64 `json:"misses"`
	Waits   int64 `json:"waits"`   // calls that waited for another to compute
	Errors  int64 `json:"errors"`  // the functions returned
	Evicted int64 `json:"evicted"` // entries removed for the bounds
	Damaged int64 `json:"damaged"` // entries that could not be used
	Failed  int64 `json:"failed"`  // results that could not be kept
	// Saved is the time that the hits would have taken, as far as is known.
	Saved time.Duration `json:"saved_ns"`

	// Functions are those that this process has wrapped, by name.
	Functions []FunctionStats `json:"functions"`
}

// FunctionStats is about one wrapped function in this process.
type FunctionStats struct {
	Function string `json:"function"`
	// Level is how its code is minded, and Note why not better.
	Level  Level         `json:"level"`
	Note   string        `json:"note,omitempty"`
	Hits   int64         `json:"hits"`
	Misses int64         `json:"misses"`
	Waits  int64         `json:"waits"`
	Errors int64         `json:"errors"`
	Saved  time.Duration `json:"saved_ns"`
}

// Stats returns what is known now. It reads no entry and takes some
// microseconds, but for the first time that it needs the code of functions
// that have not been called.
func (c *Cache) Stats() Stats {
	var s Stats
	if c.store != nil {
		s.Items, s.Bytes = c.store.Totals()
		n := c.store.Counts()
		s.Evicted, s.Damaged, s.Failed = n.Evicted, n.Damaged, n.Failed
	}
	c.mu.Lock()
	funcs := slices.Clone(c.funcs)
	c.mu.Unlock()
	for _, f := range funcs {
		fs := f.stats()
		s.Hits += fs.Hits
		s.Misses += fs.Misses
		s.Waits += fs.Waits
		s.Errors += fs.Errors
		s.Saved += fs.Saved
		s.Functions = append(s.Functions, fs)
	}
	slices.SortFunc(s.Functions, func(a, b FunctionStats) int { return cmp.Compare(a.Function, b.Function) })
	return s
}
