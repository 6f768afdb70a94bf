package layout

import (
	"fmt"
	"math/rand/v2"
	"testing"
)

// drawn is a graph and how many crossings its picture may have.
type drawn struct {
	name      string
	n         int
	edges     []Edge
	crossings int
}

// tree joins n leaves by fours: 0 to n-1 are the leaves.
func tree(n, fan int) (int, []Edge) {
	var edges []Edge
	level := make([]int, n)
	for i := range level {
		level[i] = i
	}
	next := n
	for len(level) > 1 {
		var up []int
		for i := 0; i < len(level); i += fan {
			for _, c := range level[i:min(len(level), i+fan)] {
				edges = append(edges, Edge{c, next})
			}
			up = append(up, next)
			next++
		}
		level = up
	}
	return next, edges
}

func layeredRandom(seed uint64, ranks, wide, fan int) (int, []Edge) {
	r := rand.New(rand.NewPCG(seed, 1))
	var edges []Edge
	for i := wide; i < ranks*wide; i++ {
		for range 1 + r.IntN(fan) {
			edges = append(edges, Edge{(i/wide-1)*wide + r.IntN(wide), i})
		}
	}
	return ranks * wide, edges
}

func drawnGraphs() []drawn {
	chain := []Edge{}
	for i := range 99 {
		chain = append(chain, Edge{i, i + 1})
	}
	var fan, both, ladder, stencil, long []Edge
	for i := 1; i < 41; i++ {
		fan = append(fan, Edge{0, i}, Edge{i, 41})
	}
	for i := range 9 {
		both = append(both, Edge{i / 3, 3 + i%3})
	}
	for i := range 10 {
		if i < 9 {
			ladder = append(ladder, Edge{2 * i, 2*i + 2}, Edge{2*i + 1, 2*i + 3})
		}
		ladder = append(ladder, Edge{2 * i, 2*i + 1})
	}
	for r := 1; r < 6; r++ {
		for c := range 8 {
			for d := max(0, c-1); d <= min(7, c+1); d++ {
				stencil = append(stencil, Edge{8*(r-1) + d, 8*r + c})
			}
		}
	}
	for i := range 20 { // a chain whose first box feeds all others
		long = append(long, Edge{i, i + 1})
		if i > 0 {
			long = append(long, Edge{0, i + 1})
		}
	}
	nTree, eTree := tree(64, 4)
	nDeep, eDeep := tree(64, 2)
	nRandom, eRandom := layeredRandom(1, 10, 10, 2)
	nLarge, eLarge := layeredRandom(2, 25, 20, 2)
	return []drawn{
		{"nothing", 0, nil, 0},
		{"one", 1, nil, 0},
		{"loose", 5, nil, 0},
		{"chain", 100, chain, 0},
		{"diamond", 4, []Edge{{0, 1}, {0, 2}, {1, 3}, {2, 3}}, 0},
		{"uncross", 4, []Edge{{0, 3}, {1, 2}}, 0},
		{"fan", 42, fan, 0},
		{"all to all", 6, both, 9}, // no picture in two ranks has fewer
		{"ladder", 20, ladder, 0},
		{"stencil", 48, stencil, 35}, // 7 in each of 5 gaps, one for each pair of neighbours
		{"long", 21, long, 0},
		{"tree", nTree, eTree, 0},
		{"binary tree", nDeep, eDeep, 0},
		{"two", 6, []Edge{{0, 2}, {1, 2}, {3, 4}, {3, 5}}, 0},
		{"random 100", nRandom, eRandom, 80},
		{"random 500", nLarge, eLarge, 1100},
		{"cycle", 3, []Edge{{0, 1}, {1, 2}, {2, 0}, {1, 1}}, 0},
		{"astray", 2, []Edge{{0, 1}, {0, 7}, {-1, 1}}, 0},
	}
}

func boxesFor(n int, r *rand.Rand) []Box {
	out := make([]Box, n)
	for i := range out {
		out[i] = Box{60 + 90*r.Float64(), 20 + 20*r.Float64()}
	}
	return out
}

func TestDrawnGraphs(t *testing.T) {
	t.Parallel()
	for _, d := range drawnGraphs() {
		t.Run(d.name, func(t *testing.T) {
			t.Parallel()
			boxes := boxesFor(d.n, rand.New(rand.NewPCG(3, 4)))
			p := Place(boxes, d.edges)
			check(t, boxes, d.edges, p)
			t.Logf("%.0f x %.0f, %d crossings", p.Width, p.Height, p.Crossings)
			if p.Crossings > d.crossings {
				t.Errorf("%d crossings, want %d at most", p.Crossings, d.crossings)
			}
			if again := Place(boxes, d.edges); fmt.Sprint(again) != fmt.Sprint(p) {
				t.Error("a second picture of the same graph differs")
			}
		})
	}
}

// check holds that all is on the page, that boxes do not overlap, and that
// edges begin and end at their boxes, point down, and pass through no other.
func check(t *testing.T, boxes []Box, edges []Edge, p Page) {
	t.Helper()
	const eps = 1e-6
	if len(p.Boxes) != len(boxes) && len(boxes) > 0 || len(p.Edges) != len(edges) {
		t.Fatalf("%d boxes and %d edges became %d and %d", len(boxes), len(edges), len(p.Boxes), len(p.Edges))
	}
	for i, b := range boxes {
		c := p.Boxes[i]
		if c.X-b.Width/2 < -eps || c.Y-b.Height/2 < -eps || c.X+b.Width/2 > p.Width+eps || c.Y+b.Height/2 > p.Height+eps {
			t.Errorf("box %d at %v is not on the page of %.0f x %.0f", i, c, p.Width, p.Height)
		}
		for j := range i {
			if apart := max(abs(c.X-p.Boxes[j].X)-(b.Width+boxes[j].Width)/2, abs(c.Y-p.Boxes[j].Y)-(b.Height+boxes[j].Height)/2); apart < boxGap-eps {
				t.Errorf("boxes %d and %d are %.2f apart", i, j, apart)
			}
		}
	}
	for i, e := range edges {
		way := p.Edges[i]
		if e.From == e.To || e.From < 0 || e.To >= len(boxes) {
			if way != nil {
				t.Errorf("edge %v has a way: %v", e, way)
			}
			continue
		}
		up := p.Ranks[e.From] > p.Ranks[e.To]
		if up && t.Name() != "TestDrawnGraphs/cycle" {
			t.Errorf("edge %v goes up", e)
		}
		first, last := way[0], way[len(way)-1]
		side := 1.0
		if up {
			side = -1
		}
		if abs(first.Y-p.Boxes[e.From].Y-side*boxes[e.From].Height/2) > eps || abs(last.Y-p.Boxes[e.To].Y+side*boxes[e.To].Height/2) > eps {
			t.Errorf("edge %v from %v to %v does not begin and end at its boxes", e, first, last)
		}
		if abs(first.X-p.Boxes[e.From].X) > boxes[e.From].Width/2 || abs(last.X-p.Boxes[e.To].X) > boxes[e.To].Width/2 {
			t.Errorf("edge %v is beside its boxes", e)
		}
		for k := range len(way) - 1 {
			a, b := way[k], way[k+1]
			if side*(b.Y-a.Y) < -eps {
				t.Errorf("edge %v turns round: %v", e, way)
			}
			for j, box := range boxes {
				c := p.Boxes[j]
				if j == e.From || j == e.To || max(a.X, b.X) < c.X-box.Width/2 || min(a.X, b.X) > c.X+box.Width/2 {
					continue
				}
				if lo, hi := min(a.Y, b.Y), max(a.Y, b.Y); hi > c.Y-box.Height/2+eps && lo < c.Y+box.Height/2-eps {
					t.Errorf("edge %v passes through box %d", e, j)
				}
			}
		}
	}
}

func abs(x float64) float64 { return max(x, -x) }

// TestCrossingsAreCounted compares the count with that of all pairs.
func TestCrossingsAreCounted(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(5, 6))
	for range 200 {
		n, edges := layeredRandom(r.Uint64(), 2+r.IntN(4), 1+r.IntN(9), 1+r.IntN(4))
		l := &layered{boxes: boxesFor(n, r), edges: edges, chains: make([][]int, len(edges)), flipped: make([]bool, len(edges))}
		l.breakCycles()
		l.rank()
		l.connect()
		got := l.order()
		want := 0
		for _, nodes := range l.ranks {
			for i, a := range nodes {
				for _, b := range nodes[i+1:] {
					for _, x := range l.nodes[a].down {
						for _, y := range l.nodes[b].down {
							if l.nodes[x.to].at > l.nodes[y.to].at {
								want++
							}
						}
					}
				}
			}
		}
		if got != want {
			t.Fatalf("%d crossings, pairs say %d: %v", got, want, edges)
		}
	}
}

// TestRandomGraphs draws graphs of all shapes, cycles and long edges among
// them.
func TestRandomGraphs(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(7, 8))
	for range 150 {
		n := 1 + r.IntN(40)
		var edges []Edge
		for range r.IntN(80) {
			a, b := r.IntN(n), r.IntN(n)
			edges = append(edges, Edge{min(a, b), max(a, b)})
		}
		boxes := boxesFor(n, r)
		check(t, boxes, edges, Place(boxes, edges))
		if t.Failed() {
			t.Fatal(n, edges)
		}
	}
}

// TestManyLongEdges holds that a dense graph is drawn in bounded space.
func TestManyLongEdges(t *testing.T) {
	t.Parallel()
	const n = 150
	var edges []Edge
	for i := range n {
		for j := range i {
			edges = append(edges, Edge{j, i})
		}
	}
	p := Place(boxesFor(n, rand.New(rand.NewPCG(1, 1))), edges)
	points, straight := 0, 0
	for i, way := range p.Edges {
		points += len(way)
		if len(way) == 2 && p.Ranks[edges[i].To]-p.Ranks[edges[i].From] > 1 {
			straight++
		}
	}
	if points > 2*mostBends+4*len(edges) || straight == 0 {
		t.Errorf("%d points, %d straight edges", points, straight)
	}
}

func BenchmarkPlace(b *testing.B) {
	for _, d := range drawnGraphs() {
		if d.n < 100 {
			continue
		}
		b.Run(d.name, func(b *testing.B) {
			boxes := boxesFor(d.n, rand.New(rand.NewPCG(3, 4)))
			for b.Loop() {
				Place(boxes, d.edges)
			}
		})
	}
}
