package cluster

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"

	"github.com/weft-go/weft/proc"
)

const (
	workerWord        = "weft-worker"
	workerEnvironment = "WEFT_WORKER"
)

// Init makes this process a worker if it was started as one, as
//
//	prog weft-worker [-slots N] [-isolate] [URL]
//
// or with WEFT_WORKER=1, and then never returns: it serves until SIGTERM or
// SIGINT, drains, and exits with 0. The URL defaults to WEFT_CLUSTER. In every
// other process it returns at once. Call it as the first line of main. It calls
// proc.Init.
func Init() {
	proc.Init()
	args, is := asWorker(os.Args[1:], os.Getenv(workerEnvironment))
	if !is {
		return
	}
	// What this process starts is no worker by itself.
	_ = os.Unsetenv(workerEnvironment)
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := work(ctx, args, os.Stderr)
	stop()
	switch {
	case err == nil, errors.Is(err, flag.ErrHelp):
		os.Exit(0)
	default:
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// asWorker tells whether a program was started as a worker, and with which
// arguments.
func asWorker(args []string, env string) ([]string, bool) {
	if len(args) > 0 && args[0] == workerWord {
		return args[1:], true
	}
	return nil, env != "" && env != "0"
}

func work(ctx context.Context, args []string, out io.Writer) error {
	var cfg WorkerConfig
	fs := flag.NewFlagSet(filepath.Base(os.Args[0])+" "+workerWord, flag.ContinueOnError)
	fs.SetOutput(out)
	fs.IntVar(&cfg.Slots, "slots", 0, "how many items run at once; 0 is one for each CPU slot, -1 one for each CPU")
	fs.Int64Var(&cfg.Memory, "memory", 0, "how many bytes this worker may hold; 0 is three quarters of what there is")
	fs.BoolVar(&cfg.Isolate, "isolate", false, "run items in child processes")
	fs.Int64Var(&cfg.ItemMemory, "item-memory", 0, "with -isolate: the most bytes that an item's process may hold")
	fs.DurationVar(&cfg.ItemTimeout, "item-timeout", 0, "with -isolate: the longest that an item may run")
	fs.DurationVar(&cfg.Drain, "drain", 0, "how long ending may take; 0 is 30s")
	if err := fs.Parse(args); err != nil {
		return err
	}
	if fs.NArg() > 1 {
		return fmt.Errorf("cluster: one URL is enough: %q", fs.Args())
	}
	return Serve(ctx, fs.Arg(0), cfg)
}
