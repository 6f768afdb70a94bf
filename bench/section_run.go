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
	only   *rowNames
	log    io.Writer // progress
}

func (o sectionOptions) wants(name string) bool { return o.only.wants(name) }

// rowNames are the rows that the flag -only asks for, all of them if there are
// none. The flag may be given more than once; a value is the name of a row, or
// several with commas between. Names may have commas themselves, and a row can
// be called by what is before a colon in its name.
type rowNames struct {
	values []string
	known  []string // those that were asked about
}

func (r *rowNames) add(value string) error {
	r.values = append(r.values, value)
	return nil
}

// all tells whether every row is asked for.
func (r *rowNames) all() bool { return r == nil || len(r.values) == 0 }

func (r *rowNames) wants(name string) bool {
	if r.all() {
		return true
	}
	short, _, _ := strings.Cut(name, ":")
	r.known = append(r.known, name)
	return slices.ContainsFunc(r.values, func(v string) bool {
		return is(v, name, short) || slices.ContainsFunc(strings.Split(v, ","), func(v string) bool { return is(v, name, short) })
	})
}

func is(value, name, short string) bool {
	value = strings.TrimSpace(value)
	return value == name || value == short
}

// missing returns an error for a name that no row has.
func (r *rowNames) missing() error {
	if r == nil {
		return nil
	}
	isRow := func(v string) bool {
		return slices.ContainsFunc(r.known, func(name string) bool {
			short, _, _ := strings.Cut(name, ":")
			return is(v, name, short)
		})
	}
	for _, v := range r.values {
		if isRow(v) {
			continue
		}
		for _, part := range strings.Split(v, ",") {
			if !isRow(part) {
				return fmt.Errorf("-only: no row is called %q; there are %q", strings.TrimSpace(part), r.known)
			}
		}
	}
	return nil
}

// sectionBenchmark makes a benchmark whose measure returns one section of
// RESULTS.md: the machine, then what measure wrote.
func sectionBenchmark(name, doc, title string, rounds int, measure func(ctx context.Context, o sectionOptions) (string, error)) benchmark {
	return benchmark{name: name, doc: doc, run: func(ctx context.Context, out io.Writer, args []string) error {
		flags := flag.NewFlagSet(name, flag.ContinueOnError)
		o := sectionOptions{log: out, only: &rowNames{}}
		flags.BoolVar(&o.quick, "quick", false, "little work, to try the machinery; the figures mean nothing")
		flags.IntVar(&o.rounds, "rounds", rounds, "timed rounds")
		flags.Func("only", "name of a row to measure, or several with commas between; may be given more than once (default: all)", o.only.add)
		file := flags.String("out", "", "also write the section into this file, in place of the last one")
		if err := flags.Parse(args); err != nil {
			return err
		}
		if o.rounds < 1 {
			return fmt.Errorf("%s: -rounds %d: at least one round is needed", name, o.rounds)
		}
		var b strings.Builder
		fmt.Fprintf(&b, "## %s\n\n", title)
		for _, line := range machine(ctx) {
			fmt.Fprintf(&b, "- %s\n", line)
		}
		text, err := measure(ctx, o)
		if err == nil {
			err = o.only.missing()
		}
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
