//go:build cgo

package frame

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/duckdb/duckdb-go/v2/mapping"

	"github.com/weft-go/weft/internal/budget"
	"github.com/weft-go/weft/internal/cpus"
)

// Engine computes frames within the limits of its Config. All its queries
// share them. All methods are safe for concurrent use.
type Engine struct {
	cfg   Config
	spill *spillDir

	mu      sync.Mutex
	db      mapping.Database
	closed  bool
	running int // queries
	threads int // as the engine has it set
	slots   int // taken for threads beside the callers' own
	idle    *sync.Cond
	known   map[uint64]bool // Go functions that are registered
	sources knownNames
}

// Open starts an engine. It takes some milliseconds and little memory. Close
// it when it is no longer used.
func Open(cfg Config) (*Engine, error) {
	cfg, err := cfg.withDefaults()
	if err != nil {
		return nil, err
	}
	dir, most, err := cfg.spill()
	if err != nil {
		return nil, err
	}
	e := &Engine{cfg: cfg, spill: dir, threads: cfg.Threads, known: map[uint64]bool{}, sources: knownNames{}}
	e.idle = sync.NewCond(&e.mu)
	if err := e.open(dir.path, most); err != nil {
		dir.remove()
		return nil, err
	}
	return e, nil
}

func (e *Engine) open(dir string, most int64) error {
	var config mapping.Config
	if mapping.CreateConfig(&config) == mapping.StateError {
		return errors.New("frame: the engine can't be configured")
	}
	defer mapping.DestroyConfig(&config)
	set := func(name, value string) error {
		if mapping.SetConfig(config, name, value) == mapping.StateError {
			return fmt.Errorf("frame: the engine does not take %s = %q", name, value)
		}
		return nil
	}
	if err := errors.Join(
		set("memory_limit", fmt.Sprintf("%dB", e.cfg.MemoryLimit/5*4)),
		set("threads", fmt.Sprint(e.cfg.Threads)),
		set("temp_directory", dir),
		set("autoinstall_known_extensions", "false"),
		set("autoload_known_extensions", "false"),
		set("allow_community_extensions", "false"),
	); err != nil {
		return err
	}
	for name, value := range e.cfg.Options {
		if err := set(name, value); err != nil {
			return fmt.Errorf("%w; see Config.Options", err)
		}
	}
	var msg string
	if mapping.OpenExt("", &e.db, config, &msg) == mapping.StateError {
		return fmt.Errorf("frame: the engine does not start: %s; see Config.Options", msg)
	}
	var conn mapping.Connection
	if mapping.Connect(e.db, &conn) == mapping.StateError {
		mapping.Close(&e.db)
		return errors.New("frame: the engine takes no connection")
	}
	defer mapping.Disconnect(&conn)
	// This one counts only if it is set after opening.
	err := execute(conn, fmt.Sprintf("SET GLOBAL max_temp_directory_size = '%dB'; SET GLOBAL TimeZone = 'UTC'", most))
	if err == nil {
		err = registerSource(conn)
	}
	if err != nil {
		mapping.Close(&e.db)
		return fmt.Errorf("frame: the engine does not start: %w", err)
	}
	return nil
}

// execute runs statements whose results do not matter.
func execute(conn mapping.Connection, sql string) error {
	var res mapping.Result
	defer mapping.DestroyResult(&res)
	if mapping.Query(conn, sql, &res) == mapping.StateError {
		return &engineError{mapping.ResultErrorType(&res), mapping.ResultError(&res)}
	}
	return nil
}

// Close waits for the queries that run, and ends the engine. Frames on it
// fail with ErrClosed from then on.
func (e *Engine) Close() error {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.closed {
		return nil
	}
	e.closed = true
	for e.running > 0 {
		e.idle.Wait()
	}
	mapping.Close(&e.db)
	e.spill.remove()
	return nil
}

// MemoryLimit and Threads are what the engine may use.
func (e *Engine) MemoryLimit() int64 { return e.cfg.MemoryLimit }

// Threads is how many CPUs a query uses at most.
func (e *Engine) Threads() int { return e.cfg.Threads }

// shared is the engine of all frames that have none of their own. It lives as
// long as the process.
var shared = sync.OnceValues(func() (*Engine, error) { return Open(Config{}) })

func (f *Frame) engine() (*Engine, error) {
	if f.err != nil {
		return nil, fmt.Errorf("frame: %w", f.err)
	}
	if f.eng != nil {
		return f.eng, nil
	}
	return shared()
}

// enter lets a query in. The calling thread works on it as well, and has the
// slot of a worker that it is nested in or one of its own; the engine's other
// threads have what is free when the first query comes.
func (e *Engine) enter(ctx context.Context) (leave func(), err error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.closed {
		return nil, fmt.Errorf("frame: %w", ErrClosed)
	}
	if e.running == 0 {
		if err := e.spill.take(); err != nil {
			return nil, noSpillDir(err)
		}
	}
	lent := budget.Borrow(ctx)
	if lent == nil {
		budget.Shared.Force()
	}
	if e.running == 0 {
		size := max(e.cfg.Threads, cpus.Workers(0, cpus.Get()))
		for e.slots < e.cfg.Threads-1 && budget.Shared.TryAcquire(size) {
			e.slots++
		}
		if want := e.slots + 1; want != e.threads {
			var conn mapping.Connection
			if mapping.Connect(e.db, &conn) == mapping.StateSuccess {
				if execute(conn, fmt.Sprintf("SET GLOBAL threads = %d", want)) == nil {
					e.threads = want
				}
				mapping.Disconnect(&conn)
			}
		}
	}
	e.running++
	return func() {
		if lent != nil {
			lent.Return(0)
		} else {
			budget.Shared.Release(1)
		}
		e.mu.Lock()
		defer e.mu.Unlock()
		if e.running--; e.running == 0 {
			if e.slots > 0 {
				budget.Shared.Release(e.slots)
				e.slots = 0
			}
			e.spill.give()
			e.idle.Broadcast()
		}
	}, nil
}
