// Bench runs Weft beside the libraries that people use today, on the same
// work in the same run, and prints Markdown for bench/RESULTS.md.
//
//	go run ./bench            lists the benchmarks
//	go run ./bench peers      runs one
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"

	"github.com/weft-go/weft/cluster"
)

// benchmark is one subcommand. Each has a file of its own, which declares it;
// this list is the only other place that knows it.
type benchmark struct {
	name   string
	doc    string // one line
	hidden bool   // a helper process, not for people
	run    func(ctx context.Context, out io.Writer, args []string) error
}

var benchmarks = []benchmark{
	neverSlower,
	speedUp,
	peersBenchmark,
	inFlight,
	decisions,
	memoBenchmark,
	memoryUse,
	processes,
	sharedArray,
	frameBenchmark,
	tpchBenchmark,
	graphBenchmark,
	kernelBenchmark,
	clusterBenchmark,
	clusterMillion,
	serveHelper,
	memoryCaseHelper,
	memoHelper,
	sharedCaseHelper,
	sharedWorkerHelper,
	graphCaseHelper,
}

func main() {
	cluster.Init() // a worker of the benchmarks "proc" and "cluster" stays here
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	err := dispatch(ctx, os.Stdout, os.Args[1:])
	stop()
	switch {
	case errors.Is(err, flag.ErrHelp):
		os.Exit(2)
	case err != nil:
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func dispatch(ctx context.Context, out io.Writer, args []string) error {
	if len(args) == 0 {
		usage(out)
		return nil
	}
	for _, b := range benchmarks {
		if b.name == args[0] {
			return b.run(ctx, out, args[1:])
		}
	}
	usage(os.Stderr)
	return fmt.Errorf("no benchmark is called %q", args[0])
}

func usage(w io.Writer) {
	fmt.Fprintln(w, "usage: go run ./bench BENCHMARK [flags]; -h after a name shows its flags")
	for _, b := range benchmarks {
		if !b.hidden {
			fmt.Fprintf(w, "  %-14s %s\n", b.name, b.doc)
		}
	}
}
