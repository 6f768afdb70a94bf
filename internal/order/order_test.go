package order

import (
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

// graph reads a drawing: one task a line or after a comma, "c: a b" needs a and
// b; what nobody needs is asked for, and so is "c!:". "c^:" has priority 1.
func drawing(t *testing.T, text string) (g Graph, names []string) {
	t.Helper()
	at := map[string]uint32{}
	g.InOff = []uint32{0}
	var asked []bool
	for line := range strings.FieldsFuncSeq(text, func(r rune) bool { return r == '\n' || r == ',' }) {
		name, ins, ok := strings.Cut(strings.TrimSpace(line), ":")
		if !ok {
			continue
		}
		n := uint32(len(names))
		prio := int32(0)
		ask := strings.HasSuffix(name, "!")
		name = strings.TrimSuffix(name, "!")
		if s, ok := strings.CutSuffix(name, "^"); ok {
			name, prio = s, 1
		}
		g.Priority = append(g.Priority, prio)
		at[name] = n
		names = append(names, name)
		asked = append(asked, ask)
		for in := range strings.FieldsSeq(ins) {
			if in == "const" {
				g.In = append(g.In, Const|3)
				continue
			}
			d, ok := at[in]
			if !ok {
				t.Fatalf("%s needs %s, which is not there", name, in)
			}
			g.In = append(g.In, d)
		}
		g.InOff = append(g.InOff, uint32(len(g.In)))
	}
	if !slices.Contains(g.Priority, 1) {
		g.Priority = nil
	}
	turn(&g)
	for i := range names {
		if asked[i] || g.UseOff[i] == g.UseOff[i+1] {
			g.Asked = append(g.Asked, uint32(i))
		}
	}
	return g, names
}

func turn(g *Graph) {
	n := len(g.InOff) - 1
	users := make([][]uint32, n)
	for t := range n {
		for _, d := range g.In[g.InOff[t]:g.InOff[t+1]] {
			if d&Const == 0 {
				users[d] = append(users[d], uint32(t))
			}
		}
	}
	g.UseOff, g.Use = []uint32{0}, nil
	for _, us := range users {
		g.Use = append(g.Use, us...)
		g.UseOff = append(g.UseOff, uint32(len(g.Use)))
	}
}

func TestDrawn(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct {
		graph, want string
		most        uint32 // results held at once
	}{
		"chain":        {"a: const, b: a, c: b", "a b c", 2},
		"two chains":   {"a1:, b1:, a2: a1, b2: b1, a3: a2, b3: b2, c: a3 b3", "a1 a2 a3 b1 b2 b3 c", 3},
		"diamond":      {"a:, b: a, c: a, d: b c", "a b c d", 3},
		"tree":         {"a:, b:, c:, d:, ab: a b, cd: c d, r: ab cd", "a b ab c d cd r", 4},
		"a fold":       {"a:, b:, c:, d:, ab: a b, abc: ab c, abcd: abc d", "a b ab c abc d abcd", 3},
		"needy first":  {"x:, a:, b:, c:, d:, ab: a b, cd: c d, t: ab cd, r: x t", "a b ab c d cd t x r", 4},
		"priority":     {"a:, x: a, b^:, y: b", "b y a x", 1},
		"frees first":  {"a:, b: a, c: b, d: a, e: c d", "a b c d e", 3},
		"not all":      {"a:, b!: a, c: b", "a b c", 1},
		"twice":        {"a:, b: a a", "a b", 1},
		"wide":         {"a: const, b: const, c: const", "a b c", 0},
		"fan-out":      {"a:, b: a, c: a, d: a, e: b c d", "a b c d e", 4},
		"two asked":    {"a:, b:, x: a, y: b, z: a b", "a x b z y", 2},
		"shared input": {"s:, a:, b:, sa: s a, sb: s b, r: sa sb", "s a sa b sb r", 4},
	} {
		g, names := drawing(t, row.graph)
		perm := Order(g)
		var got []string
		for _, p := range perm {
			got = append(got, names[p])
		}
		if s := strings.Join(got, " "); s != row.want {
			t.Errorf("%s: %s, want %s", name, s, row.want)
		}
		held, _ := Residents(g, perm)
		if m := slices.Max(held); m != row.most {
			t.Errorf("%s: %d results held at once, want %d", name, m, row.most)
		}
	}
}

// Every task that is needed is in the order once, after what it needs; and the
// order holds no more than one that is made at random, nearly always.
func TestRandom(t *testing.T) {
	t.Parallel()
	worse := 0
	for seed := range uint64(300) {
		rng := rand.New(rand.NewPCG(seed, 0))
		n := 1 + rng.IntN(200)
		g := Graph{InOff: []uint32{0}}
		far := 1 + rng.IntN(n)
		for k := range n {
			for range rng.IntN(3) {
				if k > 0 {
					g.In = append(g.In, uint32(max(0, k-1-rng.IntN(far))))
				}
			}
			g.InOff = append(g.InOff, uint32(len(g.In)))
		}
		turn(&g)
		for k := range n {
			if g.UseOff[k] == g.UseOff[k+1] {
				g.Asked = append(g.Asked, uint32(k))
			}
		}
		perm := Order(g)
		at := make([]int, n)
		for i := range at {
			at[i] = -1
		}
		for i, p := range perm {
			if at[p] >= 0 {
				t.Fatalf("seed %d: task %d is there twice", seed, p)
			}
			at[p] = i
		}
		plain := make([]uint32, n)
		for k := range n {
			plain[k] = uint32(k)
			if at[k] < 0 {
				t.Fatalf("seed %d: task %d is not there", seed, k)
			}
			for _, d := range g.In[g.InOff[k]:g.InOff[k+1]] {
				if at[d] > at[k] {
					t.Fatalf("seed %d: task %d comes before its input %d", seed, k, d)
				}
			}
		}
		ours, _ := Residents(g, perm)
		theirs, _ := Residents(g, plain)
		if slices.Max(ours) > slices.Max(theirs) {
			worse++
		}
	}
	if worse > 30 {
		t.Errorf("in %d of 300 graphs the order of building holds less", worse)
	}
}
