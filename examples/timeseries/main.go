//go:build cgo

// Timeseries takes readings of sensors from a Go sequence, which could be
// endless or come from a network, and prints hourly means, a rolling mean of
// three hours and what has changed since the hour before.
//
//	go run ./examples/timeseries
package main

import (
	"context"
	"fmt"
	"io"
	"iter"
	"math"
	"os"
	"os/signal"
	"time"

	"github.com/weft-go/weft/frame"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, os.Stdout, 24*60); err != nil {
		fmt.Fprintln(os.Stderr, "timeseries:", err)
		os.Exit(1)
	}
}

// reading is a row.
type reading struct {
	Sensor string    `frame:"sensor"`
	At     time.Time `frame:"at"`
	Value  *float64  `frame:"value"` // nil where the sensor was silent
}

func run(ctx context.Context, out io.Writer, minutes int) error {
	hourly := frame.FromSeq(readings(minutes)).
		DropNull("value").
		Resample("at", time.Hour, "sensor").
		Agg(frame.Mean("value").As("mean"), frame.CountRows().As("readings"))
	trend := hourly.
		With(
			frame.Mean("mean").Over("sensor").SortedBy("at").Rolling(3).As("rolling"),
			frame.Col("mean").Sub(frame.Lag("mean", 1).Over("sensor").SortedBy("at")).As("change"),
		).
		With(frame.Col("mean").Round(2).As("mean"), frame.Col("rolling").Round(2).As("rolling"), frame.Col("change").Round(2).As("change")).
		Sort("sensor", "at")
	return trend.Show(ctx, out, frame.ShowOut{Rows: 8})
}

// readings are made up: two sensors, a value a minute, every seventh missing.
func readings(minutes int) iter.Seq[reading] {
	begin := time.Date(2024, 3, 1, 0, 0, 0, 0, time.UTC)
	return func(yield func(reading) bool) {
		for i := range minutes {
			for k, name := range []string{"attic", "cellar"} {
				r := reading{Sensor: name, At: begin.Add(time.Duration(i) * time.Minute)}
				if i%7 != 0 {
					v := 20 - 8*float64(k) + 5*math.Sin(float64(i)/200)
					r.Value = &v
				}
				if !yield(r) {
					return
				}
			}
		}
	}
}
