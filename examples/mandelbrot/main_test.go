package main

import (
	"bytes"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/weft-go/weft"
)

func TestMandelbrot(t *testing.T) {
	t.Parallel()
	var w bytes.Buffer
	if err := run(t.Context(), &w, filepath.Join(t.TempDir(), "m.png"), 90); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(w.String(), "% of the pixels are in the set") {
		t.Error(w.String())
	}
}

func TestSameForAnyWorkers(t *testing.T) {
	t.Parallel()
	var first []float64
	var sum sums
	for _, n := range []int{1, 2, 7} {
		steps, err := escape(t.Context(), 90, 60, weft.Workers(n))
		if err != nil {
			t.Fatal(err)
		}
		s, err := weft.Reduce(t.Context(), steps, add, merge, weft.Workers(n))
		if err != nil {
			t.Fatal(err)
		}
		if first == nil {
			first, sum = steps, s
		}
		if !slices.Equal(steps, first) || s != sum {
			t.Errorf("%d workers: another result, %v and not %v", n, s, sum)
		}
	}
}
