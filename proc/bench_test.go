//go:build linux

package proc_test

import (
	"fmt"
	"testing"

	"github.com/weft-go/weft"
	"github.com/weft-go/weft/proc"
)

func BenchmarkStart(b *testing.B) {
	for b.Loop() {
		p, err := proc.Start(b.Context(), proc.Config{Workers: 2})
		if err != nil {
			b.Fatal(err)
		}
		b.StopTimer()
		_ = p.Close()
		b.StartTimer()
	}
}

// BenchmarkRoundTrip has one item under way at a time. With two workers, one of
// them is idle.
func BenchmarkRoundTrip(b *testing.B) {
	for _, workers := range []int{1, 2} {
		b.Run(fmt.Sprintf("workers=%d", workers), func(b *testing.B) {
			p, err := proc.Start(b.Context(), proc.Config{Workers: workers})
			if err != nil {
				b.Fatal(err)
			}
			defer p.Close() //nolint:errcheck // always nil
			items := make([]int, 20_000)
			for b.Loop() {
				if _, err := weft.Map(b.Context(), items, square, weft.On(p), weft.Chunk(1), weft.Workers(1), weft.Require(weft.Isolation)); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(len(items)), "ns/item")
		})
	}
}

func BenchmarkTiny(b *testing.B) {
	p, err := proc.Start(b.Context(), proc.Config{Workers: 2})
	if err != nil {
		b.Fatal(err)
	}
	defer p.Close() //nolint:errcheck // always nil
	items := make([]int, 1_000_000)
	for b.Loop() {
		if _, err := weft.Map(b.Context(), items, square, weft.On(p), weft.Require(weft.Isolation)); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(len(items)), "ns/item")
}

func BenchmarkUnbatched(b *testing.B) {
	p, err := proc.Start(b.Context(), proc.Config{Workers: 2})
	if err != nil {
		b.Fatal(err)
	}
	defer p.Close() //nolint:errcheck // always nil
	items := make([]int, 20_000)
	for b.Loop() {
		if _, err := weft.Map(b.Context(), items, square, weft.On(p), weft.Chunk(1), weft.Require(weft.Isolation)); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(len(items)), "ns/item")
}
