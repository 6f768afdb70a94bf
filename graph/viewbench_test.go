package graph

import (
	"io"
	"testing"
)

// BenchmarkView writes pictures, pages and traces of made-up runs.
func BenchmarkView(b *testing.B) {
	many := fakePipeline(34_000)
	for _, bench := range []struct {
		name string
		r    *Record
		f    func(*Record) error
	}{
		{"svg/random500", fakeRandom(25, 20), func(r *Record) error { return SVG(io.Discard, r, ByTime) }},
		{"svg/pipeline500", fakePipeline(160), func(r *Record) error { return SVG(io.Discard, r, ByTime) }},
		{"svg/102000", many, func(r *Record) error { return SVG(io.Discard, r, ByTime) }},
		{"dot/random500", fakeRandom(25, 20), func(r *Record) error { return Dot(io.Discard, r, ByTime) }},
		{"dot/102000", many, func(r *Record) error { return Dot(io.Discard, r, ByTime) }},
		{"html/random500", fakeRandom(25, 20), func(r *Record) error { return writeHTML(io.Discard, r) }},
		{"html/102000", many, func(r *Record) error { return writeHTML(io.Discard, r) }},
		{"trace/102000", many, func(r *Record) error { return writeTrace(io.Discard, r) }},
	} {
		b.Run(bench.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if err := bench.f(bench.r); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
