// Lines reads a log with a JSON object a line and prints the slow requests, in
// the order of the input. The log may be larger than the memory, or never end:
// what is read ahead is bounded.
//
//	go run ./examples/lines -demo 200000
//	tail -f access.log | go run ./examples/lines
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"iter"
	"os"
	"os/signal"
	"slices"

	"github.com/weft-go/weft"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	demo := flag.Int("demo", 0, "make up so many lines in place of reading stdin")
	slow := flag.Float64("slow", 990, "milliseconds from which a request is slow")
	flag.Parse()
	in := linesOf(os.Stdin)
	if *demo > 0 {
		in = madeUp(*demo)
	}
	if err := run(ctx, os.Stdout, os.Stderr, in, *slow); err != nil {
		fmt.Fprintln(os.Stderr, "lines:", err)
		os.Exit(1)
	}
}

// request is what a line says.
type request struct {
	Path   string  `json:"path"`
	Status int     `json:"status"`
	Millis float64 `json:"ms"`
}

func run(ctx context.Context, out, messages io.Writer, lines iter.Seq[line], slow float64) error {
	w := bufio.NewWriter(out)
	var report weft.Report
	total, broken := 0, 0
	// A line is small work: 256 at a time are worth handing over.
	batches := batch(lines, 256)
	for found, err := range weft.Stream(ctx, batches, func(_ context.Context, lines []line) (result, error) {
		return parse(lines, slow)
	}, weft.Name("lines"), weft.ReportTo(&report)) {
		if err != nil {
			return errors.Join(err, w.Flush())
		}
		total += found.lines
		broken += found.broken
		for _, r := range found.slow {
			fmt.Fprintf(w, "%6.0f ms  %d  %s\n", r.Millis, r.Status, r.Path)
		}
	}
	fmt.Fprintf(messages, "%v%d lines, %d of them no JSON\n", report, total, broken)
	return w.Flush()
}

// line is a line of the input, or the error that ended it.
type line struct {
	text []byte
	err  error
}

// linesOf reads line by line.
func linesOf(r io.Reader) iter.Seq[line] {
	return func(yield func(line) bool) {
		s := bufio.NewScanner(r)
		s.Buffer(nil, 1<<20)
		for s.Scan() {
			if !yield(line{text: slices.Clone(s.Bytes())}) { // s reuses its bytes
				return
			}
		}
		if err := s.Err(); err != nil {
			yield(line{err: err})
		}
	}
}

// batch puts lines together, n at a time.
func batch(lines iter.Seq[line], n int) iter.Seq[[]line] {
	return func(yield func([]line) bool) {
		var some []line
		for l := range lines {
			if some = append(some, l); len(some) == n {
				if !yield(some) {
					return
				}
				some = nil
			}
		}
		if len(some) > 0 {
			yield(some)
		}
	}
}

type result struct {
	lines, broken int
	slow          []request
}

func parse(lines []line, slow float64) (result, error) {
	var res result
	for _, l := range lines {
		if l.err != nil {
			return res, fmt.Errorf("reading the input: %w", l.err)
		}
		res.lines++
		var r request
		if err := json.Unmarshal(l.text, &r); err != nil {
			res.broken++
			continue
		}
		if r.Millis >= slow {
			res.slow = append(res.slow, r)
		}
	}
	return res, nil
}

// madeUp is a log for trying out.
func madeUp(n int) iter.Seq[line] {
	return func(yield func(line) bool) {
		for i := range n {
			text := fmt.Appendf(nil, `{"path": "/item/%d", "status": 200, "ms": %d}`, i, i*7919%1000)
			if i%1000 == 999 {
				text = []byte("... rotated ...")
			}
			if !yield(line{text: text}) {
				return
			}
		}
	}
}
