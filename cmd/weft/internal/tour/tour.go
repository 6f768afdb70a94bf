// Package tour shows Weft at work on input that every Go machine has. A stop
// is one kind of work: the tour does it with a plain loop and with weft.Map,
// checks that both give the same results, and prints what Weft decided, why,
// and what came of it.
package tour

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"
)

// Config is what a tour needs from outside. The zero value writes nowhere.
type Config struct {
	// Out gets what the tour prints.
	// Defaults to nothing being printed.
	Out io.Writer
	// Status gets one line about what runs at the moment, drawn over itself;
	// it should be a terminal.
	// Defaults to none.
	Status io.Writer
	// Color makes what matters stand out.
	// Defaults to false.
	Color bool
	// Width is how many columns the text may have, from 80 to 100.
	// Defaults to 80.
	Width int
	// JSON prints one object a stop in place of text.
	// Defaults to false.
	JSON bool
	// Stops are the names of the stops to visit, in the order of the tour.
	// Defaults to all.
	Stops []string
	// Tree is the directory whose files are the input.
	// Defaults to the source of Go itself, below `go env GOROOT`.
	Tree string
	// Save is the directory for what stops draw. It is made if need be, and
	// what is drawn stays.
	// Defaults to a new one in that for temporary files.
	Save string

	sizes sizes
}

// sizes is how much work the stops do that make up their input.
type sizes struct {
	tiny     int
	packages int // of the graph
	cached   int // files that are parsed from the cache
	requests int
	sample   int // requests that the plain loop makes
	latency  time.Duration
	image    int // rows and columns
}

var fullSize = sizes{tiny: 1_000_000, packages: 60, cached: 1000, requests: 2000, sample: 50, latency: 20 * time.Millisecond, image: 2048}

// stop is one kind of work. To add one, write its run function and add a line
// to stops.
type stop struct {
	name  string
	title string // what is done, in one line
	story string // what the stop shows, and what one might expect
	code  string // how a user would write it
	run   func(ctx context.Context, v *visit) (outcome, error)
}

// stops is the tour.
var stops = slices.Concat([]stop{hashStop, parseStop, cacheStop}, frameStops, []stop{graphStop, tinyStop, httpStop}, systemStops)

const (
	leastWidth   = 80
	mostWidth    = 100
	defaultWidth = 80
)

// Run takes the tour. It returns an error that says what to do about it, or
// the context's cause when that ends.
func Run(ctx context.Context, cfg Config) error {
	chosen, err := choose(cfg.Stops)
	if err != nil {
		return err
	}
	cfg.Out = cmp.Or(cfg.Out, io.Discard)
	cfg.Width = min(mostWidth, max(leastWidth, cmp.Or(cfg.Width, defaultWidth)))
	cfg.sizes = cmp.Or(cfg.sizes, fullSize)
	v := &visit{cfg: cfg, tree: &tree{dir: cfg.Tree}}
	p := &printer{width: cfg.Width, color: cfg.Color}
	if !cfg.JSON {
		if err := write(cfg.Out, p.intro(len(chosen))); err != nil {
			return err
		}
	}
	var seen []visited
	for i, s := range chosen {
		o, err := v.visit(ctx, s)
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if err != nil {
			return fmt.Errorf("stop %s: %w", s.name, err)
		}
		seen = append(seen, visited{s, o})
		text := p.stop(i+1, s, o)
		if cfg.JSON {
			line, err := json.Marshal(record(s, o))
			if err != nil {
				return err
			}
			text = string(line) + "\n"
		}
		if err := write(cfg.Out, text); err != nil {
			return err
		}
	}
	if cfg.JSON || len(seen) < 2 {
		return nil
	}
	return write(cfg.Out, p.summary(seen))
}

// List prints the names of the stops and what they do.
func List(w io.Writer) error {
	var b strings.Builder
	for _, s := range stops {
		fmt.Fprintf(&b, "%-6s %s\n", s.name, s.title)
	}
	return write(w, b.String())
}

// NoStopError is the name of a stop that the tour does not have.
type NoStopError struct{ Name string }

func (e *NoStopError) Error() string {
	return fmt.Sprintf("there is no stop %q; the stops are %s", e.Name, strings.Join(stopNames(), ", "))
}

func choose(names []string) ([]stop, error) {
	if len(names) == 0 {
		return stops, nil
	}
	for _, n := range names {
		if !slices.ContainsFunc(stops, func(s stop) bool { return s.name == n }) {
			return nil, &NoStopError{n}
		}
	}
	var out []stop
	for _, s := range stops {
		if slices.Contains(names, s.name) {
			out = append(out, s)
		}
	}
	return out, nil
}

func stopNames() []string {
	var out []string
	for _, s := range stops {
		out = append(out, s.name)
	}
	return out
}

// visited is a stop and what came of it.
type visited struct {
	stop
	outcome
}
