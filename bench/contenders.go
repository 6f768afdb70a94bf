package main

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync"
	"time"

	"github.com/alitto/pond/v2"
	"github.com/panjf2000/ants/v2"
	"github.com/samber/lo/parallel"
	"github.com/sourcegraph/conc/iter"
	"golang.org/x/sync/errgroup"

	"github.com/weft-go/weft"
)

// contender is one library with one setting.
type contender struct {
	peer    string
	setting string
	// reference marks a row that is no library's: what hand-written code does.
	reference bool
	// once is for what is so slow that one timed run has to do.
	once bool
	// open sets up what the library keeps between runs, its pool, and
	// returns the run.
	open func(ctx context.Context, do itemFunc) (session, error)
	// python is set for the contenders that run there; they have no open.
	python bool
}

type session struct {
	run   func(ctx context.Context, items []int) ([]uint64, error)
	close func()
}

// simple is for libraries that keep nothing between runs.
func simple(run func(ctx context.Context, items []int, do itemFunc) ([]uint64, error)) func(context.Context, itemFunc) (session, error) {
	return func(_ context.Context, do itemFunc) (session, error) {
		return session{
			run:   func(ctx context.Context, items []int) ([]uint64, error) { return run(ctx, items, do) },
			close: func() {},
		}, nil
	}
}

const (
	weftName     = "weft"
	nothingSet   = "nothing set"
	noLimit      = "no limit"
	onePerItem   = "a goroutine an item"
	rangesByHand = "equal ranges by hand"
)

// goContenders returns everything that runs w in Go, each library with the
// settings that its users would try for such work.
func goContenders(w *work) []contender {
	procs := runtime.GOMAXPROCS(0)
	limits := []int{procs, 4 * procs, 100}
	if w.waits {
		limits = []int{100, 200, 500, 1000, 2000}
	}
	cs := []contender{{peer: weftName, setting: nothingSet, open: simple(runWeft)}}
	add := func(peer, setting string, open func(context.Context, itemFunc) (session, error)) {
		cs = append(cs, contender{peer: peer, setting: setting, open: open})
	}
	add("errgroup", noLimit, simple(runErrgroup(-1)))
	for _, n := range limits {
		add("errgroup", fmt.Sprintf("SetLimit(%d)", n), simple(runErrgroup(n)))
	}
	if !w.waits { // as it is, it has GOMAXPROCS goroutines
		add("conc/iter", "MapErr as it is", simple(runConc(0)))
	}
	for _, n := range limits {
		if n != procs { // which is the default
			add("conc/iter", fmt.Sprintf("MaxGoroutines: %d", n), simple(runConc(n)))
		}
	}
	for _, n := range limits {
		add("pond", fmt.Sprintf("NewResultPool(%d), a group", n), openPondResults(n))
		add("pond", fmt.Sprintf("NewPool(%d).Go", n), openPondGo(n))
	}
	for _, n := range limits {
		add("ants", fmt.Sprintf("NewPool(%d).Submit", n), openAnts(n))
		add("ants", fmt.Sprintf("NewPoolWithFuncGeneric(%d).Invoke", n), openAntsFunc(n))
	}
	add("lo/parallel", "Map, "+onePerItem, simple(runLo))
	if w.name == "noop" || w.name == "tiny" {
		cs = append(cs,
			contender{peer: "plain loop", reference: true, open: simple(runLoop)},
			contender{peer: "errgroup", setting: rangesByHand, reference: true, open: simple(runRanges)})
	}
	return cs
}

func runWeft(ctx context.Context, items []int, do itemFunc) ([]uint64, error) {
	return weft.Map(ctx, items, do)
}

func runErrgroup(limit int) func(context.Context, []int, itemFunc) ([]uint64, error) {
	return func(ctx context.Context, items []int, do itemFunc) ([]uint64, error) {
		out := make([]uint64, len(items))
		g, ctx := errgroup.WithContext(ctx)
		g.SetLimit(limit)
		for i, x := range items {
			g.Go(func() (err error) {
				out[i], err = do(ctx, x)
				return err
			})
		}
		return out, g.Wait()
	}
}

func runConc(goroutines int) func(context.Context, []int, itemFunc) ([]uint64, error) {
	return func(ctx context.Context, items []int, do itemFunc) ([]uint64, error) {
		m := iter.Mapper[int, uint64]{MaxGoroutines: goroutines}
		return m.MapErr(items, func(x *int) (uint64, error) { return do(ctx, *x) })
	}
}

func openPondResults(size int) func(context.Context, itemFunc) (session, error) {
	return func(_ context.Context, do itemFunc) (session, error) {
		pool := pond.NewResultPool[uint64](size)
		return session{
			run: func(ctx context.Context, items []int) ([]uint64, error) {
				g := pool.NewGroupContext(ctx)
				for _, x := range items {
					g.SubmitErr(func() (uint64, error) { return do(ctx, x) })
				}
				return g.Wait()
			},
			close: pool.StopAndWait,
		}, nil
	}
}

func openPondGo(size int) func(context.Context, itemFunc) (session, error) {
	return func(_ context.Context, do itemFunc) (session, error) {
		pool := pond.NewPool(size)
		return session{
			run: func(ctx context.Context, items []int) ([]uint64, error) {
				out := make([]uint64, len(items))
				var first firstError
				var wg sync.WaitGroup
				wg.Add(len(items))
				for i, x := range items {
					err := pool.Go(func() {
						defer wg.Done()
						var err error
						out[i], err = do(ctx, x)
						first.set(err)
					})
					if err != nil {
						return nil, err
					}
				}
				wg.Wait()
				return out, first.err
			},
			close: pool.StopAndWait,
		}, nil
	}
}

func openAnts(size int) func(context.Context, itemFunc) (session, error) {
	return func(_ context.Context, do itemFunc) (session, error) {
		pool, err := ants.NewPool(size)
		if err != nil {
			return session{}, err
		}
		return session{
			run: func(ctx context.Context, items []int) ([]uint64, error) {
				out := make([]uint64, len(items))
				var first firstError
				var wg sync.WaitGroup
				wg.Add(len(items))
				for i, x := range items {
					err := pool.Submit(func() {
						defer wg.Done()
						var err error
						out[i], err = do(ctx, x)
						first.set(err)
					})
					if err != nil {
						return nil, err
					}
				}
				wg.Wait()
				return out, first.err
			},
			close: pool.Release,
		}, nil
	}
}

func openAntsFunc(size int) func(context.Context, itemFunc) (session, error) {
	return func(ctx context.Context, do itemFunc) (session, error) {
		// The pool's function is fixed when it is made, so what differs
		// between runs stands beside it.
		var (
			items []int
			out   []uint64
			first firstError
			wg    sync.WaitGroup
		)
		pool, err := ants.NewPoolWithFuncGeneric(size, func(i int) {
			defer wg.Done()
			var err error
			out[i], err = do(ctx, items[i])
			first.set(err)
		})
		if err != nil {
			return session{}, err
		}
		return session{
			run: func(_ context.Context, xs []int) ([]uint64, error) {
				items, out = xs, make([]uint64, len(xs))
				wg.Add(len(xs))
				for i := range xs {
					if err := pool.Invoke(i); err != nil {
						return nil, err
					}
				}
				wg.Wait()
				return out, first.err
			},
			close: pool.Release,
		}, nil
	}
}

func runLo(ctx context.Context, items []int, do itemFunc) ([]uint64, error) {
	var first firstError
	out := parallel.Map(items, func(x, _ int) uint64 {
		r, err := do(ctx, x)
		first.set(err)
		return r
	})
	return out, first.err
}

func runLoop(ctx context.Context, items []int, do itemFunc) ([]uint64, error) {
	out := make([]uint64, len(items))
	for i, x := range items {
		var err error
		if out[i], err = do(ctx, x); err != nil {
			return nil, err
		}
	}
	return out, nil
}

func runRanges(ctx context.Context, items []int, do itemFunc) ([]uint64, error) {
	out := make([]uint64, len(items))
	g, ctx := errgroup.WithContext(ctx)
	n := runtime.GOMAXPROCS(0)
	for w := range n {
		g.Go(func() error {
			for i := w * len(items) / n; i < (w+1)*len(items)/n; i++ {
				var err error
				if out[i], err = do(ctx, items[i]); err != nil {
					return err
				}
			}
			return nil
		})
	}
	return out, g.Wait()
}

// firstError keeps the first error that it is given, for libraries whose
// functions return none.
type firstError struct {
	once sync.Once
	err  error
}

func (f *firstError) set(err error) {
	if err != nil {
		f.once.Do(func() { f.err = err })
	}
}

// sample is one timed run.
type sample struct {
	start   time.Duration // until the pool was up
	elapsed time.Duration // the work itself
}

// time runs the first n items of w and checks every result.
func (c contender) time(ctx context.Context, w *work, n int) (sample, error) {
	do, stop := w.start()
	defer stop()
	runtime.GC() // what the last contender left is not this one's to sweep

	begin := time.Now()
	s, err := c.open(ctx, do)
	if err != nil {
		return sample{}, fmt.Errorf("%s, %s on %s: %w", c.peer, c.setting, w.name, err)
	}
	opened := time.Now()
	out, err := s.run(ctx, w.items[:n])
	done := time.Now()
	s.close()

	if err == nil {
		err = check(out, w.want[:n])
	}
	if err != nil {
		return sample{}, fmt.Errorf("%s, %s on %s: %w", c.peer, c.setting, w.name, err)
	}
	return sample{opened.Sub(begin), done.Sub(opened)}, nil
}

var errWrongResult = errors.New("wrong result")

// check finds a contender that skipped work or mixed up the order.
func check(got, want []uint64) error {
	if len(got) != len(want) {
		return fmt.Errorf("%w: %d results for %d items", errWrongResult, len(got), len(want))
	}
	for i := range got {
		if got[i] != want[i] {
			return fmt.Errorf("%w: item %d gave %d, not %d", errWrongResult, i, got[i], want[i])
		}
	}
	return nil
}
