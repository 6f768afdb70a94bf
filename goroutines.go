package weft

import (
	"context"
	"fmt"
	"runtime"
	"sync"

	"github.com/weft-go/weft/internal/budget"
	"github.com/weft-go/weft/internal/cpus"
	"github.com/weft-go/weft/internal/pilot"
)

// Goroutines returns the executor that runs items in goroutines of this
// process, workers of them at once; 0 is one for each CPU slot. A call without
// [On] does that better, as it needs no registration and chooses the number
// itself. It is for programs that choose between executors at run time, and for
// tests of functions that will run elsewhere.
func Goroutines(workers int) Executor {
	if workers <= 0 {
		workers = cpus.Workers(workers, cpus.Get())
	}
	return &goroutines{workers: workers, places: make(chan struct{}, workers)}
}

type goroutines struct {
	workers int
	places  chan struct{}
}

func (g *goroutines) Traits() Traits {
	return Traits{Name: "goroutines", Workers: g.workers, SharedMemory: true}
}

func (g *goroutines) Check(f *Func) error {
	if f.shape == setupShape {
		return fmt.Errorf("%s takes no item; pass a function that does", f.name)
	}
	return nil
}

func (g *goroutines) Run(ctx context.Context, b *Batch) error {
	select {
	case g.places <- struct{}{}:
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	budget.Shared.Force()
	defer func() {
		budget.Shared.Release(1)
		<-g.places
	}()
	first := b.Ran
	// In a goroutine of its own, which an item may end by runtime.Goexit. The
	// rest then goes on in another.
	for b.Ran == first {
		var wg sync.WaitGroup
		wg.Go(func() {
			// To tell how much of its time it computes.
			runtime.LockOSThread()
			defer runtime.UnlockOSThread()
			cpu := pilot.ThreadCPU()
			defer func() { b.Cost.CPU += pilot.ThreadCPU() - cpu }()
			b.Here(budget.NewSlot(ctx, true, budget.Depth(ctx)), nil)
		})
		wg.Wait()
		if ctx.Err() != nil || b.Ran == b.Items.Len() {
			break
		}
	}
	if b.Ran == first {
		return context.Cause(ctx)
	}
	return nil
}
