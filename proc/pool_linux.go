package proc

import (
	"context"
	"errors"
	"fmt"
	"os"
	"reflect"
	"sync"
	"sync/atomic"
	"time"

	"github.com/weft-go/weft"
	"github.com/weft-go/weft/internal/cpus"
	"github.com/weft-go/weft/internal/wire"
	"github.com/weft-go/weft/shm"
)

// Pool is some worker processes. It is a weft.Executor: pass it to weft.On.
// All methods are safe for concurrent use, and several runs may share a pool.
type Pool struct {
	cfg      Config
	share    int // CPUs of a worker
	spawner  *spawner
	out, err printer
	errs     map[string]error // registered ones

	nextID atomic.Uint64 // of segments and values

	mu       sync.Mutex
	closed   bool
	cause    error // why it was closed
	workers  map[*worker]bool
	starting int       // processes being started
	waiting  []*ticket // batches without a worker, the oldest first
	made     int       // workers made so far, for their names
	failures int       // starts that failed in a row
	pause    time.Time // until then none is tried, if there are other workers
	shelves  map[*weft.Lifetime]*shelf

	tasks    sync.WaitGroup // goroutines of the pool
	stop     chan struct{}  // closed by Close
	ended    chan struct{}  // closed when Close has done its work
	unlinked func() bool    // detaches from the context of Start
	deaf     func()         // detaches from package shm
}

// ticket is a batch that waits for a worker.
type ticket struct {
	ready chan *worker // gets one, or is closed when there will be none
	crowd bool         // the worker has other batches
	err   error
	depth int // how many batches may be at its worker
}

// Start starts the workers and returns when all of them are ready: some 10 ms
// each on one CPU, and what Setup takes. One that has not come to Init after 10 s
// is an error. The pool ends with Close, or when ctx does.
func Start(ctx context.Context, cfg Config) (*Pool, error) {
	if ctx == nil {
		return nil, errors.New("proc: Start: the context is nil; pass context.Background()")
	}
	if _, child := os.LookupEnv(marker); child || !inited.Load() {
		return nil, errNoInit
	}
	cfg = cfg.withDefaults()
	if err := cfg.validate(); err != nil {
		return nil, fmt.Errorf("proc: Start: %w", err)
	}
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("proc: Start: %w", context.Cause(ctx))
	}
	p := &Pool{
		cfg: cfg, share: max(1, cpus.Get().Effective/cfg.Workers),
		spawner: newSpawner(), errs: weft.RegisteredErrors(), out: printer{w: cfg.Stdout}, err: printer{w: cfg.Stderr},
		workers: map[*worker]bool{}, shelves: map[*weft.Lifetime]*shelf{},
		stop: make(chan struct{}), ended: make(chan struct{}),
	}
	p.deaf = shm.OnClose(p.segmentClosed)
	p.tasks.Go(p.watch)
	errs := make([]error, cfg.Workers)
	var wg sync.WaitGroup
	p.starting = cfg.Workers
	for i := range errs {
		wg.Add(1)
		p.tasks.Go(func() {
			defer wg.Done()
			errs[i] = p.startWorker()
		})
	}
	// Only now: close waits for what has begun.
	p.mu.Lock()
	p.unlinked = context.AfterFunc(ctx, func() { p.close(fmt.Errorf("%w: %w", ErrClosed, context.Cause(ctx))) })
	p.mu.Unlock()
	wg.Wait()
	for _, err := range errs {
		if ctx.Err() != nil {
			err = context.Cause(ctx)
		}
		if err != nil {
			_ = p.Close()
			return nil, fmt.Errorf("proc: Start: %w", err)
		}
	}
	return p, nil
}

// Close ends the workers and returns when they are gone. Batches that run are
// cut off; their runs return an error that wraps ErrClosed. It is safe to call
// twice, and from several goroutines: each call returns when all is over. The
// error is always nil.
func (p *Pool) Close() error {
	p.close(ErrClosed)
	return nil
}

func (p *Pool) close(cause error) {
	p.mu.Lock()
	if p.closed {
		p.mu.Unlock()
		<-p.ended
		return
	}
	p.closed, p.cause = true, cause
	close(p.stop)
	if p.unlinked != nil {
		p.unlinked()
	}
	for _, t := range p.waiting {
		t.err = cause
		close(t.ready)
	}
	p.waiting = nil
	ws := make([]*worker, 0, len(p.workers))
	for w := range p.workers {
		ws = append(ws, w)
	}
	p.mu.Unlock()
	for _, w := range ws {
		w.end()
	}
	p.tasks.Wait()
	p.deaf()
	p.spawner.stop()
	close(p.ended)
}

// Traits tells that the pool isolates items and shares memory.
func (p *Pool) Traits() weft.Traits {
	name := fmt.Sprintf("%d processes", p.cfg.Workers)
	if p.cfg.Workers == 1 {
		name = "1 process"
	}
	return weft.Traits{Name: name, Workers: p.cfg.Workers, Ahead: p.cfg.Workers, AheadShort: (mostDepth - 1) * p.cfg.Workers, Isolated: true, SharedMemory: p.cfg.ShareFrom > 0}
}

// Check refuses functions whose items or results can't cross.
func (p *Pool) Check(f *weft.Func) error {
	if f.Item() == nil {
		return fmt.Errorf("%s takes no item; pass a function that does", f.Name())
	}
	if err := wire.Check(f.Item()); err != nil {
		return fmt.Errorf("the items of %s: %w", f.Name(), err)
	}
	if f.Result() != nil {
		if err := wire.Check(f.Result()); err != nil {
			return fmt.Errorf("the results of %s: %w", f.Name(), err)
		}
	}
	return nil
}

// PIDs returns the process IDs of the workers that there are now.
func (p *Pool) PIDs() []int {
	p.mu.Lock()
	defer p.mu.Unlock()
	pids := make([]int, 0, len(p.workers))
	for w := range p.workers {
		pids = append(pids, w.pid)
	}
	return pids
}

// shelfOf returns what is kept for a run, until it is over.
func (p *Pool) shelfOf(run *weft.Lifetime) *shelf {
	p.mu.Lock()
	s := p.shelves[run]
	if s != nil {
		p.mu.Unlock()
		return s
	}
	s = &shelf{pool: p, run: run, fixed: run != nil && run.Steady, byKey: map[shelfKey]*shared{}}
	if run != nil {
		p.shelves[run] = s
	}
	p.mu.Unlock()
	if run != nil {
		run.AfterRun(func() {
			p.mu.Lock()
			delete(p.shelves, run)
			p.mu.Unlock()
			s.unwatchAll()
			s.clear()
		})
	}
	return s
}

// get waits for a worker that can take a batch. crowd tells that it has others.
func (p *Pool) get(ctx context.Context, depth int) (w *worker, crowd bool, err error) {
	p.mu.Lock()
	if p.closed {
		defer p.mu.Unlock()
		return nil, false, p.cause
	}
	if len(p.waiting) == 0 {
		if w := p.freeLocked(depth); w != nil {
			w.depth = depth
			crowd = w.load > 1
			p.mu.Unlock()
			return w, crowd, nil
		}
	}
	t := &ticket{ready: make(chan *worker, 1), depth: depth}
	p.waiting = append(p.waiting, t)
	p.reviveLocked()
	p.mu.Unlock()
	select {
	case w, ok := <-t.ready:
		if !ok {
			return nil, false, t.err
		}
		return w, t.crowd, nil
	case <-ctx.Done():
	}
	p.mu.Lock()
	for i, o := range p.waiting {
		if o == t {
			p.waiting = append(p.waiting[:i], p.waiting[i+1:]...)
			p.mu.Unlock()
			return nil, false, context.Cause(ctx)
		}
	}
	p.mu.Unlock()
	// It was served meanwhile.
	if w, ok := <-t.ready; ok {
		p.put(w)
	}
	return nil, false, context.Cause(ctx)
}

// freeLocked returns the worker with the least to do, its place taken, or nil;
// of idle ones the one that was busy last, which is awake most likely.
// Short batches may queue behind one that runs: the worker then goes on to them
// without waiting for this process.
func (p *Pool) freeLocked(depth int) *worker {
	var best *worker
	for w := range p.workers {
		if w.gone || w.left == 0 && p.cfg.MaxTasks > 0 {
			continue
		}
		if w.load == 0 || w.load < min(depth, w.depth) && p.cfg.MaxTasks == 0 {
			if best == nil || w.load < best.load || w.load == best.load && w.since.After(best.since) {
				best = w
			}
		}
	}
	if best != nil {
		best.take()
	}
	return best
}

// put gives a place at a worker back.
func (p *Pool) put(w *worker) {
	p.mu.Lock()
	defer p.mu.Unlock()
	w.load--
	if w.load == 0 {
		w.rest()
		if p.cfg.MaxTasks > 0 && w.left <= 0 && !w.gone {
			w.gone = true
			delete(p.workers, w)
			p.tasks.Go(w.retire)
		}
	}
	p.serveLocked()
	p.reviveLocked()
}

// serveLocked hands free places to those who wait.
func (p *Pool) serveLocked() {
	for len(p.waiting) > 0 {
		t := p.waiting[0]
		w := p.freeLocked(t.depth)
		if w == nil {
			return
		}
		p.waiting = p.waiting[1:]
		w.depth, t.crowd = t.depth, w.load > 1
		t.ready <- w
	}
}

// reviveLocked starts workers in the place of those that are gone, while
// somebody waits.
func (p *Pool) reviveLocked() {
	if p.failures >= mostFailures && len(p.workers) > 0 && time.Now().Before(p.pause) {
		return
	}
	for !p.closed && len(p.waiting) > p.starting && len(p.workers)+p.starting < p.cfg.Workers {
		p.starting++
		p.tasks.Go(func() { _ = p.startWorker() }) // it tells those who wait
	}
}

// mostFailures is how many starts in a row may fail before those who wait are
// told, or, if there are other workers, before the next one waits for
// startPause.
const (
	mostFailures = 3
	startPause   = time.Second
)

// startWorker starts one process, already counted in p.starting.
func (p *Pool) startWorker() error {
	p.mu.Lock()
	p.made++
	name := fmt.Sprintf("worker %d", p.made)
	p.mu.Unlock()
	w, err := p.newWorker(name)
	p.mu.Lock()
	defer p.mu.Unlock()
	p.starting--
	if err != nil {
		p.failures++
		p.pause = time.Now().Add(startPause)
		if p.failures >= mostFailures && len(p.workers)+p.starting == 0 {
			for _, t := range p.waiting {
				t.err = fmt.Errorf("proc: no worker can be started, %d times in a row: %w", p.failures, err)
				close(t.ready)
			}
			p.waiting, p.failures = nil, 0
		}
		p.reviveLocked()
		return err
	}
	p.failures = 0
	if p.closed {
		p.mu.Unlock()
		w.end()
		p.mu.Lock()
		return p.cause
	}
	p.workers[w] = true
	p.serveLocked()
	return nil
}

// Run runs a batch; it is called by weft.
func (p *Pool) Run(ctx context.Context, b *weft.Batch) error {
	if err := p.Check(b.Func); err != nil {
		return err
	}
	s := &shipment{pool: p, ctx: ctx, b: b, shelf: p.shelfOf(b.Run)}
	return s.run()
}

// newHello is what a worker is told about itself.
func (p *Pool) newHello(name string) ([]byte, error) {
	fingerprint, err := build()
	if err != nil {
		return nil, fmt.Errorf("reading the executable: %w", err)
	}
	e := wire.Encoder{Buf: beginFrame(nil)}
	h := hello{
		Protocol: protocol, Build: fingerprint, Name: name, CPUs: p.share,
		MemoryLimit: p.cfg.MemoryLimit, Nice: p.cfg.Nice, Setup: p.cfg.name, ShareFrom: p.cfg.ShareFrom,
	}
	if err := e.Append(reflect.ValueOf(h)); err != nil {
		return nil, err
	}
	return e.Buf, endFrame(e.Buf, kindHello)
}

// looks is how often the watcher looks while something is to be watched.
const (
	lookOften  = 10 * time.Millisecond
	lookSeldom = 100 * time.Millisecond
)

// watch looks after the workers: what they hold, how long their items run,
// whether they answer, whether they are needed.
func (p *Pool) watch() {
	t := time.NewTimer(lookSeldom)
	defer t.Stop()
	for {
		select {
		case <-p.stop:
			return
		case <-t.C:
		}
		now := time.Now()
		every := lookSeldom
		if p.cfg.MemoryLimit > 0 || p.cfg.TaskTimeout > 0 {
			every = lookOften
		}
		p.mu.Lock()
		ws := make([]*worker, 0, len(p.workers))
		for w := range p.workers {
			if w.load == 0 && p.cfg.IdleTimeout > 0 && now.Sub(w.since) > p.cfg.IdleTimeout && !w.gone {
				w.gone = true
				delete(p.workers, w)
				p.tasks.Go(w.retire)
				continue
			}
			ws = append(ws, w)
		}
		p.mu.Unlock()
		for _, w := range ws {
			if w.look(now) {
				every = lookOften
			}
		}
		t.Reset(every)
	}
}
