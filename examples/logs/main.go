//go:build cgo

// Logs finds the busiest hosts in log files of any size, which it makes up
// first. Lines that are broken are collected, not fatal.
//
//	go run ./examples/logs
package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"

	"github.com/weft-go/weft/frame"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	dir, err := os.MkdirTemp("", "weft-logs-")
	if err == nil {
		defer os.RemoveAll(dir)
		err = run(ctx, os.Stdout, dir, 100_000)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "logs:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, out io.Writer, dir string, lines int) error {
	for day := range 3 {
		if err := makeUp(filepath.Join(dir, fmt.Sprintf("access-%d.csv", day+1)), lines); err != nil {
			return err
		}
	}
	broken := 0
	logs := frame.ReadCSV(filepath.Join(dir, "*.csv"), frame.CSV{
		Types: map[string]frame.Type{"bytes": frame.Int64},
		OnBad: func(b frame.BadLine) {
			if broken++; broken == 1 {
				fmt.Fprintf(out, "%s, line %d: %s\n", filepath.Base(b.File), b.Line, b.Text)
			}
		},
	})
	top := logs.
		Filter(frame.Col("status").Eq(200)).
		GroupBy("host").Agg(
		frame.CountRows().As("requests"),
		frame.Sum("bytes").As("bytes"),
		frame.Quantile("ms", 0.99).Round(1).As("p99 ms"),
	).
		Sort(frame.Desc("bytes"), "host").Limit(5)
	if err := top.Show(ctx, out); err != nil {
		return err
	}
	fmt.Fprintf(out, "%d broken lines\n", broken)
	return nil
}

// makeUp writes a log.
func makeUp(path string, lines int) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	fmt.Fprintln(f, "host,status,bytes,ms")
	for i := range lines {
		switch {
		case i == lines/2:
			fmt.Fprintln(f, "host3,200,rotated,1")
		case i%10 == 0:
			fmt.Fprintf(f, "host%d,404,0,%d\n", i%7, i%13)
		default:
			fmt.Fprintf(f, "host%d,200,%d,%d\n", i%7, i%1000, i%101)
		}
	}
	return f.Close()
}
