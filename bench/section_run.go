package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"slices"
	"strings"
)

// sectionOptions are the flags of the benchmarks that compare Weft with
// itself, or with the plain loop.
type sectionOptions struct {
	quick  bool
	rounds int
	only   []string
	log    io.Writer // progress
}

func (o sectionOptions) wants(name string) bool {
	return len(o.only) == 0 || slices.Contains(o.only, name)
}

// sectionBenchmark makes a benchmark whose measure returns one section of
// RESULTS.md: the machine, then what measure wrote.
func sectionBenchmark(name, doc, title string, rounds int, measure func(ctx context.Context, o sectionOptions) (string, error)) benchmark {
	return benchmark{name: name, doc: doc, run: func(ctx context.Context, out io.Writer, args []string) error {
		flags := flag.NewFlagSet(name, flag.ContinueOnError)
		o := sectionOptions{log: out}
		flags.BoolVar(&o.quick, "quick", false, "little work, to try the machinery; the figures mean nothing")
		flags.IntVar(&o.rounds, "rounds", rounds, "timed rounds")
		only := flags.String("only", "", "comma-separated names of the rows to measure (default: all)")
		file := flags.String("out", "", "also write the section into this file, in place of the last one")
		if err := flags.Parse(args); err != nil {
			return err
		}
		if o.rounds < 1 {
			return fmt.Errorf("%s: -rounds %d: at least one round is needed", name, o.rounds)
		}
		if *only != "" {
			o.only = strings.Split(*only, ",")
		}
		var b strings.Builder
		fmt.Fprintf(&b, "## %s\n\n", title)
		for _, line := range machine(ctx) {
			fmt.Fprintf(&b, "- %s\n", line)
		}
		text, err := measure(ctx, o)
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		b.WriteString("\n" + text)
		fmt.Fprint(out, b.String())
		if *file == "" {
			return nil
		}
		return writeSection(*file, name, b.String())
	}}
}

// medianOf returns the middle of some ratios.
func medianOf(fs []float64) float64 {
	if len(fs) == 0 {
		return 0
	}
	fs = slices.Sorted(slices.Values(fs))
	mid := len(fs) / 2
	if len(fs)%2 == 1 {
		return fs[mid]
	}
	return (fs[mid-1] + fs[mid]) / 2
}
