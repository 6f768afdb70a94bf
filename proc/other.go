//go:build !linux

package proc

import (
	"context"
	"fmt"
	"runtime"

	"github.com/weft-go/weft"
)

var errSystem = fmt.Errorf("proc: Start: worker processes are not there yet on %s, only on Linux; leave weft.On out to run in goroutines", runtime.GOOS)

// Init makes this process a worker if a pool has started it as one. There are
// none on this system: it does nothing.
func Init() {}

// Pool is some worker processes. There are none on this system: Start returns
// an error.
type Pool struct{}

// Start returns an error: worker processes are not there yet on this system.
func Start(ctx context.Context, cfg Config) (*Pool, error) {
	cfg = cfg.withDefaults()
	if err := cfg.validate(); err != nil {
		return nil, fmt.Errorf("proc: Start: %w", err)
	}
	return nil, errSystem
}

// Close does nothing.
func (p *Pool) Close() error { return nil }

// Traits is that of a pool without workers.
func (p *Pool) Traits() weft.Traits { return weft.Traits{Name: "no processes", Isolated: true} }

// Check refuses every function.
func (p *Pool) Check(*weft.Func) error { return errSystem }

// PIDs is empty.
func (p *Pool) PIDs() []int { return nil }

// Run returns an error.
func (p *Pool) Run(context.Context, *weft.Batch) error { return errSystem }
