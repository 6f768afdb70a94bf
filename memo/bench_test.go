package memo

import (
	"testing"
)

func BenchmarkHit(b *testing.B) {
	c, err := Open(b.TempDir(), Config{})
	if err != nil {
		b.Fatal(err)
	}
	defer c.Close()
	f := Wrap(c, double)
	for b.Loop() {
		if _, err := f(b.Context(), 1); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkMiss(b *testing.B) {
	c, err := Open(b.TempDir(), Config{})
	if err != nil {
		b.Fatal(err)
	}
	defer c.Close()
	f := Wrap(c, double)
	i := 0
	for b.Loop() {
		i++
		if _, err := f(b.Context(), i); err != nil {
			b.Fatal(err)
		}
	}
}
