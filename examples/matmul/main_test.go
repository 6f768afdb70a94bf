package main

import (
	"bytes"
	"fmt"
	"math"
	"strings"
	"testing"
)

func TestRun(t *testing.T) {
	t.Parallel()
	const n = 64
	want := 0.0
	for i := range n {
		for k := range n {
			want += element(0, i, k) * element(1, k, i)
		}
	}
	for _, memory := range []int64{0, 40_000} {
		var out bytes.Buffer
		if err := run(t.Context(), &out, n, 32, memory); err != nil {
			t.Fatal(err)
		}
		got, rest, _ := strings.Cut(strings.TrimPrefix(out.String(), "trace "), ",")
		var sum float64
		if _, err := fmt.Sscan(got, &sum); err != nil || math.Abs(sum-want) > 1e-5 {
			t.Errorf("%s, want %f, %v", out.String(), want, err)
		}
		if spilled := !strings.Contains(rest, " 0 were on disk"); spilled != (memory > 0) {
			t.Errorf("%d bytes: %s", memory, out.String())
		}
	}
}
