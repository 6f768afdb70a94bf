package main

import (
	"cmp"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"
)

var peersBenchmark = benchmark{
	name: "peers",
	doc:  "Weft with nothing set beside the libraries of Go and Python, on the same work",
	run:  runPeers,
}

type peersOptions struct {
	sizes    sizes
	rounds   int // 0: each work's own number
	only     []string
	dir      string // bench/peers
	noPython bool
	log      io.Writer // what goes on meanwhile
}

func runPeers(ctx context.Context, out io.Writer, args []string) error {
	flags := flag.NewFlagSet("peers", flag.ContinueOnError)
	quick := flags.Bool("quick", false, "little work and one round, to try the machinery; the figures mean nothing")
	rounds := flags.Int("rounds", 0, "timed rounds in Go; Python has up to as many (default: each work's own number, 5 or more)")
	only := flags.String("only", "", "comma-separated names of the works: noop, tiny, tail, http (default: all)")
	noPython := flags.Bool("no-python", false, "leave the Python peers out")
	dir := flags.String("peers", peersDir(), "directory of peers.py and its venv")
	file := flags.String("out", "", "also write the section into this file, in place of the last one")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if flags.NArg() > 0 {
		return fmt.Errorf("peers takes flags only, not %q", flags.Arg(0))
	}
	o := peersOptions{sizes: fullSizes, rounds: *rounds, dir: *dir, noPython: *noPython, log: os.Stderr}
	if *quick {
		o.sizes, o.rounds = quickSizes, cmp.Or(*rounds, 1)
	}
	if *only != "" {
		o.only = strings.Split(*only, ",")
	}
	text, err := comparePeers(ctx, o)
	io.WriteString(out, text)
	if err == nil && *file != "" {
		err = writeSection(*file, "peers", text)
	}
	return err
}

// peersDir is where peers.py is, seen from the root of the repository or from
// bench.
func peersDir() string {
	for _, dir := range []string{filepath.Join("bench", "peers"), "peers"} {
		if _, err := os.Stat(filepath.Join(dir, "peers.py")); err == nil {
			return dir
		}
	}
	return filepath.Join("bench", "peers")
}

// comparePeers times everything and returns the section for RESULTS.md.
func comparePeers(ctx context.Context, o peersOptions) (string, error) {
	begin := time.Now()
	var head strings.Builder
	head.WriteString("## Peers on the same work\n\n")
	for _, line := range machine(ctx, "golang.org/x/sync", "github.com/sourcegraph/conc",
		"github.com/alitto/pond/v2", "github.com/panjf2000/ants/v2", "github.com/samber/lo") {
		head.WriteString("- " + line + "\n")
	}

	var py *python
	if !o.noPython {
		var err error
		switch py, err = findPython(o.dir); {
		case errors.Is(err, errNoPeers):
			fmt.Fprintf(o.log, "\nTHE PYTHON PEERS ARE MISSING.\n%v\n\n", err)
		case err != nil:
			return "", err
		default:
			defer py.close()
		}
	}

	procs := runtime.GOMAXPROCS(0)
	goSpeed := calibrate(procs)
	var pySpeed calibration
	if py == nil {
		head.WriteString("- **The Python peers did not run**: `make peers` sets them up.\n")
	} else {
		var err error
		if pySpeed, err = py.calibrate(ctx); err != nil {
			return "", err
		}
		py.rate = pySpeed.Rate
		interpreter, libraries := py.versions(ctx)
		fmt.Fprintf(&head, "- Python: %s\n- Python libraries: %s\n", interpreter, libraries)
	}

	url, stopServer, err := startServer(getDelay)
	if err != nil {
		return "", err
	}
	defer stopServer()

	works := []*work{
		noopWork(o.sizes.noops),
		tinyWork(o.sizes.tiny, goSpeed.Rate),
		tailWork(o.sizes.tail, goSpeed.Rate),
		getWork(o.sizes.gets, url),
	}
	if works, err = pick(works, o.only); err != nil {
		return "", err
	}
	var body strings.Builder
	var failures []error
	for _, w := range works {
		if o.rounds > 0 {
			w.rounds, w.pythonRounds = o.rounds, min(o.rounds, w.pythonRounds)
		}
		rows, err := measure(ctx, w, py, o.log)
		if err != nil {
			return "", err
		}
		for _, r := range rows {
			failures = append(failures, r.err)
		}
		body.WriteString(table(w, rows))
	}

	// A machine that changed its speed meanwhile makes the CPU work of the two
	// languages unequal, which a reader has to know.
	fmt.Fprintf(&head, "- CPU loop in Go: %.0f iterations/µs (%+.1f %% at the end); %.2f times as long with %d at once\n",
		goSpeed.Rate, drift(goSpeed.Rate, calibrate(procs).Rate), goSpeed.Crowded, procs)
	if py != nil {
		after, err := py.calibrate(ctx)
		if err != nil {
			return "", err
		}
		fmt.Fprintf(&head, "- CPU loop in Python: %.1f iterations/µs (%+.1f %% at the end); %.2f times as long with %d at once\n",
			pySpeed.Rate, drift(pySpeed.Rate, after.Rate), pySpeed.Crowded, procs)
	}
	fmt.Fprintf(&head, "- Took %v\n\n", time.Since(begin).Round(time.Second))
	return head.String() + body.String(), errors.Join(failures...)
}

func drift(before, after float64) float64 { return 100 * (after/before - 1) }

func pick(works []*work, names []string) ([]*work, error) {
	if len(names) == 0 {
		return works, nil
	}
	var picked []*work
	for _, name := range names {
		i := slices.IndexFunc(works, func(w *work) bool { return w.name == name })
		if i < 0 {
			return nil, fmt.Errorf("no work is called %q; there are noop, tiny, tail and http", name)
		}
		picked = append(picked, works[i])
	}
	return picked, nil
}

// row is what the table says about one peer.
type row struct {
	contender
	samples []sample
	tried   []trial // every setting, in the choosing round
	err     error   // why the peer has no figure
}

type trial struct {
	setting string
	elapsed time.Duration
}

func (r *row) elapsed() (ds []time.Duration) {
	for _, s := range r.samples {
		ds = append(ds, s.elapsed)
	}
	return ds
}

func (r *row) starts() (ds []time.Duration) {
	for _, s := range r.samples {
		ds = append(ds, s.start)
	}
	return ds
}

// measure times every peer on w. In a first round each setting of a peer runs,
// and the fastest is kept; then the peers take turns, round after round, each
// round beginning with another. A peer of Python that fails has a row which
// says so; one of Go is a mistake here and ends the benchmark.
func measure(ctx context.Context, w *work, py *python, log io.Writer) ([]*row, error) {
	settings := goContenders(w)
	if py != nil {
		cs, err := py.contenders(ctx, w)
		if err != nil {
			return nil, err
		}
		settings = append(settings, cs...)
	}

	fmt.Fprintf(log, "peers: %s: choosing settings\n", w.title)
	rows, err := choose(ctx, w, settings, py)
	if err != nil {
		return nil, err
	}
	for round := range w.rounds {
		fmt.Fprintf(log, "peers: %s: round %d of %d\n", w.title, round+1, w.rounds)
		// The rounds of Python are spread over those of Go.
		withPython := (round+1)*w.pythonRounds/w.rounds > round*w.pythonRounds/w.rounds
		for i := range rows {
			r := rows[(i+round)%len(rows)]
			if r.err != nil || r.python && !withPython || r.once && len(r.samples) > 0 {
				continue
			}
			if err := ctx.Err(); err != nil {
				return nil, context.Cause(ctx)
			}
			var s sample
			if r.python {
				s, err = py.time(ctx, r.contender, w)
			} else if s, err = r.time(ctx, w, len(w.items)); err != nil {
				return nil, err
			}
			if err != nil {
				r.err = err
				continue
			}
			r.samples = append(r.samples, s)
		}
	}
	return rows, nil
}

// A setting runs up to choosingTries times to be chosen, but not again once
// choosingTime has passed; the fastest counts. peers.py does the same.
const (
	choosingTries = 3
	choosingTime  = 500 * time.Millisecond
)

// choose runs every setting and returns a row with the fastest for each peer.
func choose(ctx context.Context, w *work, settings []contender, py *python) ([]*row, error) {
	var rows []*row
	for _, c := range settings {
		samePeer := func(r *row) bool { return r.peer == c.peer && r.reference == c.reference }
		i := slices.IndexFunc(rows, samePeer)
		if i < 0 {
			i = len(rows)
			rows = append(rows, &row{contender: c})
			if c.python {
				if err := rows[i].tryPython(ctx, w, settings, py); err != nil {
					return nil, err
				}
			}
		}
		if c.python {
			continue
		}
		best := time.Duration(math.MaxInt64)
		begin := time.Now()
		for range choosingTries {
			s, err := c.time(ctx, w, w.probing)
			if err != nil {
				return nil, err
			}
			best = min(best, s.elapsed)
			if time.Since(begin) > choosingTime {
				break
			}
		}
		rows[i].try(c, best)
	}
	return rows, nil
}

// try notes what a setting took and keeps it if none was faster.
func (r *row) try(c contender, elapsed time.Duration) {
	if !slices.ContainsFunc(r.tried, func(t trial) bool { return t.elapsed <= elapsed }) {
		r.contender = c
	}
	r.tried = append(r.tried, trial{c.setting, elapsed})
}

// tryPython runs all settings of the peer in one interpreter.
func (r *row) tryPython(ctx context.Context, w *work, settings []contender, py *python) error {
	elapsed, err := py.try(ctx, r.peer, w, w.probing)
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	for _, c := range settings {
		if d, ok := elapsed[c.setting]; ok && c.python && c.peer == r.peer {
			r.try(c, d)
		}
	}
	r.err = err
	return nil
}

// table prints the rows of one work, the fastest first.
func table(w *work, rows []*row) string {
	var b strings.Builder
	fmt.Fprintf(&b, "### %s\n\n%s\n\n", w.title, w.about)
	b.WriteString("| peer | setting | median s | min–max s | ÷ Weft | start s | cold s | runs |\n")
	b.WriteString("|---|---|--:|--:|--:|--:|--:|--:|\n")

	var ours, fastest time.Duration
	for _, r := range rows {
		if r.peer == weftName {
			ours, fastest = median(r.elapsed()), slices.Min(r.elapsed())
		}
	}
	rows = slices.Clone(rows)
	slices.SortStableFunc(rows, func(a, b *row) int {
		return cmp.Or(
			compareBool(a.err != nil, b.err != nil),
			cmp.Compare(median(a.elapsed()), median(b.elapsed())))
	})
	var ahead []string
	for _, r := range rows {
		name := r.peer
		if r.reference {
			name += " (reference)"
		}
		if r.err != nil {
			fmt.Fprintf(&b, "| %s | %s | failed | %s | | | | %d |\n", name, r.setting,
				strings.ReplaceAll(r.err.Error(), "|", "/"), len(r.samples))
			continue
		}
		elapsed := r.elapsed()
		start := median(r.starts())
		mid := median(elapsed)
		ratio := fmt.Sprintf("%.2f", float64(mid)/float64(ours))
		if r.peer == weftName {
			name = "**" + name + "**"
		} else if mid < ours && !r.reference {
			ratio = "**" + ratio + "**"
			who := r.peer
			if slices.Max(elapsed) >= fastest {
				who += " (by less than the spread)"
			}
			ahead = append(ahead, who)
		}
		fmt.Fprintf(&b, "| %s | %s | %s | %s–%s | %s | %s | %s | %d |\n", name, r.setting, seconds(mid),
			seconds(slices.Min(elapsed)), seconds(slices.Max(elapsed)), ratio, seconds(start), seconds(start+mid), len(elapsed))
	}
	if len(ahead) == 0 {
		b.WriteString("\nNo peer is ahead of Weft here.\n")
	} else {
		fmt.Fprintf(&b, "\nAhead of Weft here: %s.\n", strings.Join(ahead, ", "))
	}
	b.WriteString(settingsTried(w, rows))
	return b.String()
}

func compareBool(a, b bool) int {
	switch {
	case a == b:
		return 0
	case b:
		return -1
	}
	return 1
}

// settingsTried says what each peer's setting was chosen from.
func settingsTried(w *work, rows []*row) string {
	var b strings.Builder
	for _, r := range rows {
		if len(r.tried) < 2 {
			continue
		}
		var tried []string
		for _, t := range r.tried {
			tried = append(tried, t.setting+" "+seconds(t.elapsed))
		}
		fmt.Fprintf(&b, "- %s: %s\n", r.peer, strings.Join(tried, "; "))
	}
	if b.Len() == 0 {
		return "\n"
	}
	return fmt.Sprintf("\n<details><summary>Settings tried, seconds for %d items</summary>\n\n%s\n</details>\n\n", w.probing, b.String())
}
