package layout

import (
	"cmp"
	"slices"
)

// Box is the size of a node.
type Box struct{ Width, Height float64 }

// Point is a place on the page: x to the right, y down.
type Point struct{ X, Y float64 }

// Edge goes from one box to another, by their places in the list of boxes.
type Edge struct{ From, To int }

// Page is a graph that has been placed.
type Page struct {
	Width, Height float64
	// Boxes are the centres of the boxes.
	Boxes []Point
	// Ranks are the ranks of the boxes, counted from 0 at the top.
	Ranks []int
	// Edges are the ways that edges take: from the bottom of a box to the top of
	// another, with y never decreasing, where the edge points down. Edges that
	// close a cycle go up; an edge from a box to itself has no way.
	Edges [][]Point
	// Crossings is how many pairs of edges cross.
	Crossings int
}

const (
	// Space between boxes of a rank, and between long edges that pass through it.
	boxGap  = 18
	lineGap = 10
	// Space between ranks: more where edges go far to the side.
	leastRankGap = 34
	mostRankGap  = 110
	// mostBends bounds the places that long edges take in ranks; edges past it,
	// the longest, are straight lines that boxes may cover. It bounds the cost.
	mostBends = 20_000

	orderSweeps = 24
	placeSweeps = 14
)

// node is a box, or a bend: the place in a rank where a long edge passes.
type node struct {
	box    int // -1 for a bend
	rank   int
	at     int // place in its rank
	width  float64
	x      float64
	up     []link // to the rank above
	down   []link
	centre float64 // while ordering
}

type link struct {
	to     int
	weight float64
}

type layered struct {
	boxes []Box
	edges []Edge
	nodes []node
	ranks [][]int // nodes in order
	// chains are the nodes that edges pass, ends included; nil for an edge
	// from a box to itself. flipped edges point up.
	chains  [][]int
	flipped []bool
}

// Place lays a graph out. It takes some milliseconds for 500 boxes. Edges to
// boxes that there are not are left without a way.
func Place(boxes []Box, edges []Edge) Page {
	l := &layered{boxes: boxes, edges: edges, chains: make([][]int, len(edges)), flipped: make([]bool, len(edges))}
	if len(boxes) == 0 {
		return Page{Edges: make([][]Point, len(edges))}
	}
	l.breakCycles()
	l.rank()
	l.connect()
	crossings := l.order()
	l.place()
	return l.page(crossings)
}

// drawn tells whether an edge has a way.
func (l *layered) drawn(e Edge) bool {
	return e.From != e.To && e.From >= 0 && e.To >= 0 && e.From < len(l.boxes) && e.To < len(l.boxes)
}

// ends are the upper and the lower end of an edge.
func (l *layered) ends(i int) (upper, lower int) {
	e := l.edges[i]
	if l.flipped[i] {
		return e.To, e.From
	}
	return e.From, e.To
}

// breakCycles flips edges that lead back to a box on the path of a depth-first
// search.
func (l *layered) breakCycles() {
	out := make([][]int, len(l.boxes))
	for i, e := range l.edges {
		if l.drawn(e) {
			out[e.From] = append(out[e.From], i)
		}
	}
	const (
		unseen = iota
		open
		closed
	)
	state := make([]int8, len(l.boxes))
	type frame struct{ box, next int }
	for root := range l.boxes {
		if state[root] != unseen {
			continue
		}
		stack := []frame{{root, 0}}
		state[root] = open
		for len(stack) > 0 {
			f := &stack[len(stack)-1]
			if f.next == len(out[f.box]) {
				state[f.box] = closed
				stack = stack[:len(stack)-1]
				continue
			}
			i := out[f.box][f.next]
			f.next++
			switch to := l.edges[i].To; state[to] {
			case open:
				l.flipped[i] = true
			case unseen:
				state[to] = open
				stack = append(stack, frame{to, 0})
			}
		}
	}
}

// rank gives each box the length of the longest way to it, and then draws boxes
// with more edges below than above down to what uses them.
func (l *layered) rank() {
	n := len(l.boxes)
	up, down := make([][]int, n), make([][]int, n)
	for i, e := range l.edges {
		if l.drawn(e) {
			a, b := l.ends(i)
			up[b], down[a] = append(up[b], a), append(down[a], b)
		}
	}
	left := make([]int, n)
	order := make([]int, 0, n)
	for b := range l.boxes {
		left[b] = len(up[b])
		if left[b] == 0 {
			order = append(order, b)
		}
	}
	rank := make([]int, n)
	for i := 0; i < len(order); i++ {
		for _, b := range down[order[i]] {
			rank[b] = max(rank[b], rank[order[i]]+1)
			if left[b]--; left[b] == 0 {
				order = append(order, b)
			}
		}
	}
	for _, b := range slices.Backward(order) {
		if len(down[b]) > len(up[b]) {
			lowest := n
			for _, d := range down[b] {
				lowest = min(lowest, rank[d])
			}
			rank[b] = lowest - 1
		}
	}
	// Ranks that have become empty go.
	used := slices.Clone(rank)
	slices.Sort(used)
	used = slices.Compact(used)
	l.ranks = make([][]int, len(used))
	for b, box := range l.boxes {
		r, _ := slices.BinarySearch(used, rank[b])
		l.nodes = append(l.nodes, node{box: b, rank: r, width: box.Width})
	}
}

// connect links boxes of neighbouring ranks, and boxes further apart by bends.
func (l *layered) connect() {
	var byLength []int
	for i, e := range l.edges {
		if l.drawn(e) {
			byLength = append(byLength, i)
		}
	}
	length := func(i int) int {
		a, b := l.ends(i)
		return l.nodes[b].rank - l.nodes[a].rank
	}
	slices.SortStableFunc(byLength, func(a, b int) int { return cmp.Compare(length(a), length(b)) })
	bends := 0
	for _, i := range byLength {
		a, b := l.ends(i)
		chain := []int{a}
		if bends += length(i) - 1; bends > mostBends {
			l.chains[i] = append(chain, b)
			continue
		}
		for r := l.nodes[a].rank + 1; r < l.nodes[b].rank; r++ {
			chain = append(chain, len(l.nodes))
			l.nodes = append(l.nodes, node{box: -1, rank: r, width: 1})
		}
		chain = append(chain, b)
		for j := range len(chain) - 1 {
			l.link(chain[j], chain[j+1])
		}
		l.chains[i] = chain
	}
}

// link joins two nodes of neighbouring ranks. Bends pull harder, so that long
// edges are straight.
func (l *layered) link(a, b int) {
	weight := 1.0
	switch {
	case l.nodes[a].box < 0 && l.nodes[b].box < 0:
		weight = 8
	case l.nodes[a].box < 0 || l.nodes[b].box < 0:
		weight = 2
	}
	l.nodes[a].down = append(l.nodes[a].down, link{b, weight})
	l.nodes[b].up = append(l.nodes[b].up, link{a, weight})
}

// page turns ranks and places into points.
func (l *layered) page(crossings int) Page {
	p := Page{Boxes: make([]Point, len(l.boxes)), Ranks: make([]int, len(l.boxes)), Edges: make([][]Point, len(l.edges)), Crossings: crossings}
	left, right := l.nodes[0].x, l.nodes[0].x
	for _, n := range l.nodes {
		left, right = min(left, n.x-n.width/2), max(right, n.x+n.width/2)
	}
	p.Width = right - left
	top, bottom := make([]float64, len(l.ranks)), make([]float64, len(l.ranks))
	y := 0.0
	for r, nodes := range l.ranks {
		height, far := 0.0, 0.0
		for _, i := range nodes {
			n := &l.nodes[i]
			n.x -= left
			if n.box >= 0 {
				height = max(height, l.boxes[n.box].Height)
			}
			for _, u := range n.up {
				far = max(far, max(n.x-l.nodes[u.to].x, l.nodes[u.to].x-n.x))
			}
		}
		if r > 0 {
			y += min(mostRankGap, leastRankGap+far/12)
		}
		top[r], bottom[r] = y, y+height
		y += height
		for _, i := range nodes {
			if b := l.nodes[i].box; b >= 0 {
				p.Boxes[b], p.Ranks[b] = Point{l.nodes[i].x, (top[r] + bottom[r]) / 2}, r
			}
		}
	}
	p.Height = y
	leave, arrive := l.ports()
	for i, chain := range l.chains {
		if chain == nil {
			continue
		}
		a, b := chain[0], chain[len(chain)-1]
		add := func(x, y float64) {
			if w := p.Edges[i]; len(w) == 0 || w[len(w)-1] != (Point{x, y}) {
				p.Edges[i] = append(w, Point{x, y})
			}
		}
		add(leave[i], p.Boxes[a].Y+l.boxes[a].Height/2)
		add(leave[i], bottom[l.nodes[a].rank])
		for _, n := range chain[1 : len(chain)-1] {
			add(l.nodes[n].x, top[l.nodes[n].rank])
			add(l.nodes[n].x, bottom[l.nodes[n].rank])
		}
		add(arrive[i], top[l.nodes[b].rank])
		add(arrive[i], p.Boxes[b].Y-l.boxes[b].Height/2)
		if l.flipped[i] {
			slices.Reverse(p.Edges[i])
		}
	}
	return p
}

// ports spreads the ends of edges over the sides of their boxes, in the order
// of where they come from.
func (l *layered) ports() (leave, arrive []float64) {
	leave, arrive = make([]float64, len(l.edges)), make([]float64, len(l.edges))
	below, above := make([][]int, len(l.boxes)), make([][]int, len(l.boxes))
	for i, chain := range l.chains {
		if chain != nil {
			a, b := chain[0], chain[len(chain)-1]
			below[a], above[b] = append(below[a], i), append(above[b], i)
		}
	}
	spread := func(b int, edges []int, next func(chain []int) int, to []float64) {
		slices.SortStableFunc(edges, func(i, j int) int {
			return cmp.Compare(l.nodes[next(l.chains[i])].x, l.nodes[next(l.chains[j])].x)
		})
		step := min(14, 0.8*l.boxes[b].Width/float64(len(edges)))
		for k, i := range edges {
			to[i] = l.nodes[b].x + step*(float64(k)-float64(len(edges)-1)/2)
		}
	}
	for b := range l.boxes {
		spread(b, below[b], func(c []int) int { return c[1] }, leave)
		spread(b, above[b], func(c []int) int { return c[len(c)-2] }, arrive)
	}
	return leave, arrive
}
