package weft_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"

	"github.com/weft-go/weft"
)

func add(a, b float64) float64 { return a + b }

// serialTree is the definition of Reduce: leaves of equal size, folded from
// zero, merged pairwise, left with right.
func serialTree[T, A any](items []T, size int, fold func(A, T) A, merge func(A, A) A) (a A) {
	var level []A
	for len(items) > 0 {
		k := min(size, len(items))
		var leaf A
		for _, x := range items[:k] {
			leaf = fold(leaf, x)
		}
		level, items = append(level, leaf), items[k:]
	}
	for len(level) > 1 {
		var next []A
		for i := 0; i < len(level); i += 2 {
			if i+1 < len(level) {
				next = append(next, merge(level[i], level[i+1]))
			} else {
				next = append(next, level[i])
			}
		}
		level = next
	}
	if len(level) == 1 {
		a = level[0]
	}
	return a
}

func leafSize(n int) int { return max(1, (n+255)/256) }

// Contract 9: the bits of a float sum do not depend on the workers.
func TestReduceSumsHaveTheSameBits(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(1, 2))
	for _, n := range []int{1, 2, 3, 255, 256, 257, 1000, 65_537} {
		xs := make([]float64, n)
		for i := range xs {
			xs[i] = (rng.Float64() - 0.5) * math.Pow(10, float64(rng.IntN(30)-15))
		}
		want := serialTree(xs, leafSize(n), add, add)
		for _, w := range ways() {
			if strings.Contains(w.name, "Chunk") {
				continue // Chunk is part of the result
			}
			t.Run(fmt.Sprintf("%d/%s", n, w.name), func(t *testing.T) {
				t.Parallel()
				for range 5 {
					got, err := weft.Reduce(t.Context(), xs, add, add, w.reduced()...)
					if err != nil {
						t.Fatal(err)
					}
					if math.Float64bits(got) != math.Float64bits(want) {
						t.Fatalf("the sum is %x, that of the serial tree %x", got, want)
					}
				}
			})
		}
	}
}

func TestReduceChunkIsTheLeaf(t *testing.T) {
	t.Parallel()
	xs := make([]float64, 1000)
	for i := range xs {
		xs[i] = 1 / float64(i+1)
	}
	for _, chunk := range []int{1, 7, 999, 1000, 5000} {
		want := serialTree(xs, chunk, add, add)
		for _, workers := range []int{0, 1, 2, 7} {
			got, err := weft.Reduce(t.Context(), xs, add, add, weft.Chunk(chunk), weft.Workers(workers))
			if err != nil {
				t.Fatal(err)
			}
			if math.Float64bits(got) != math.Float64bits(want) {
				t.Errorf("Chunk(%d), Workers(%d): %x, want %x", chunk, workers, got, want)
			}
		}
	}
}

// A merge that does not commute gets its arguments left and right.
func TestReduceMergesInOrder(t *testing.T) {
	t.Parallel()
	for _, n := range []int{1, 2, 5, 256, 257, 300, 511, 1000} {
		var want strings.Builder
		for i := range n {
			want.WriteString(strconv.Itoa(i) + ",")
		}
		for _, w := range ways() {
			t.Run(fmt.Sprintf("%d/%s", n, w.name), func(t *testing.T) {
				t.Parallel()
				got, err := weft.Reduce(t.Context(), ints(n),
					func(a string, i int) string {
						if i%11 == 0 {
							compute(2000)
						}
						return a + strconv.Itoa(i) + ","
					},
					func(a, b string) string { return a + b }, w.reduced()...)
				if err != nil {
					t.Fatal(err)
				}
				if got != want.String() {
					t.Errorf("got %.60s..., want %.60s...", got, want.String())
				}
			})
		}
	}
}

// Accumulators may be changed in place: no two calls share one.
func TestReduceIntoMaps(t *testing.T) {
	t.Parallel()
	words := strings.Fields(strings.Repeat("a b a c b a ", 500))
	for _, w := range ways() {
		got, err := weft.Reduce(t.Context(), words,
			func(m map[string]int, s string) map[string]int {
				if m == nil {
					m = map[string]int{}
				}
				m[s]++
				return m
			},
			func(a, b map[string]int) map[string]int {
				for k, v := range b {
					a[k] += v
				}
				return a
			}, w.reduced()...)
		if err != nil {
			t.Fatal(err)
		}
		if got["a"] != 1500 || got["b"] != 1000 || got["c"] != 500 {
			t.Errorf("%s: %v", w.name, got)
		}
	}
}
