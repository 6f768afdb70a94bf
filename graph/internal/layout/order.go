package layout

import (
	"cmp"
	"slices"
)

// order puts the nodes of each rank into an order with few crossings and
// returns how many are left.
func (l *layered) order() int {
	l.firstOrder()
	best, fewest := l.snapshot(), l.crossings()
	since := 0
	for sweep := 0; sweep < orderSweeps && fewest > 0 && since < 6; sweep++ {
		down := sweep%2 == 0
		for k := range l.ranks {
			r := k
			if !down {
				r = len(l.ranks) - 1 - k
			}
			l.sortRank(r, down)
		}
		l.transpose()
		since++
		if c := l.crossings(); c < fewest {
			best, fewest, since = l.snapshot(), c, 0
		}
	}
	for r, nodes := range best {
		l.ranks[r] = nodes
		l.renumber(r)
	}
	return fewest
}

// firstOrder follows edges down from the boxes without any above, so that
// trees have no crossings to begin with.
func (l *layered) firstOrder() {
	seen := make([]bool, len(l.nodes))
	var stack []int
	visit := func(root int) {
		stack = append(stack[:0], root)
		for len(stack) > 0 {
			n := stack[len(stack)-1]
			stack = stack[:len(stack)-1]
			if seen[n] {
				continue
			}
			seen[n] = true
			r := l.nodes[n].rank
			l.ranks[r] = append(l.ranks[r], n)
			for _, d := range slices.Backward(l.nodes[n].up) {
				stack = append(stack, d.to)
			}
			for _, d := range slices.Backward(l.nodes[n].down) {
				stack = append(stack, d.to)
			}
		}
	}
	for n := range l.nodes {
		if len(l.nodes[n].up) == 0 && !seen[n] {
			visit(n)
		}
	}
	for n := range l.nodes { // none is left, or something is amiss with up
		if !seen[n] {
			visit(n)
		}
	}
	for r := range l.ranks {
		l.renumber(r)
	}
}

func (l *layered) renumber(r int) {
	for i, n := range l.ranks[r] {
		l.nodes[n].at = i
	}
}

func (l *layered) snapshot() [][]int {
	out := make([][]int, len(l.ranks))
	for r, nodes := range l.ranks {
		out[r] = slices.Clone(nodes)
	}
	return out
}

// sortRank orders a rank by where the neighbours of its nodes are in the rank
// above (down) or below. Nodes without neighbours keep their places.
func (l *layered) sortRank(r int, down bool) {
	var moving []int
	for _, i := range l.ranks[r] {
		n := &l.nodes[i]
		links := n.up
		if !down {
			links = n.down
		}
		if len(links) == 0 {
			continue
		}
		n.centre = 0
		for _, k := range links {
			n.centre += float64(l.nodes[k.to].at)
		}
		n.centre /= float64(len(links))
		moving = append(moving, i)
	}
	slices.SortStableFunc(moving, func(a, b int) int { return cmp.Compare(l.nodes[a].centre, l.nodes[b].centre) })
	next := 0
	for at, i := range l.ranks[r] {
		n := &l.nodes[i]
		if down && len(n.up) > 0 || !down && len(n.down) > 0 {
			l.ranks[r][at] = moving[next]
			next++
		}
	}
	l.renumber(r)
}

// mostTranspose is the number of links past which neighbours are not tried in
// the other order: it takes the square of the links of each.
const mostTranspose = 200

// transpose swaps neighbours where that has fewer crossings.
func (l *layered) transpose() {
	for round := 0; round < 4; round++ {
		better := false
		for _, nodes := range l.ranks {
			for i := range len(nodes) - 1 {
				a, b := &l.nodes[nodes[i]], &l.nodes[nodes[i+1]]
				if len(a.up)*len(b.up) > mostTranspose || len(a.down)*len(b.down) > mostTranspose {
					continue
				}
				if gain := l.between(a.up, b.up) + l.between(a.down, b.down); gain > 0 {
					nodes[i], nodes[i+1] = nodes[i+1], nodes[i]
					a.at, b.at = i+1, i
					better = true
				}
			}
		}
		if !better {
			return
		}
	}
}

// between is how many crossings fewer there are between the links of two
// neighbours, a left of b, when they are swapped.
func (l *layered) between(a, b []link) (gain int) {
	for _, x := range a {
		for _, y := range b {
			gain += cmp.Compare(l.nodes[x.to].at, l.nodes[y.to].at)
		}
	}
	return gain
}

// crossings counts the crossings between all neighbouring ranks.
func (l *layered) crossings() (sum int) {
	for r := range len(l.ranks) - 1 {
		sum += l.crossingsBelow(r)
	}
	return sum
}

// crossingsBelow counts the inversions of the lower ends of the edges that
// leave rank r, in the order of their upper ends, with a tree of counters.
func (l *layered) crossingsBelow(r int) (sum int) {
	var ends []int
	for _, i := range l.ranks[r] {
		first := len(ends)
		for _, d := range l.nodes[i].down {
			ends = append(ends, l.nodes[d.to].at)
		}
		slices.Sort(ends[first:])
	}
	size := 1
	for size < len(l.ranks[r+1]) {
		size *= 2
	}
	tree := make([]int, 2*size)
	for _, e := range ends {
		for i := size + e; i >= 1; i /= 2 {
			tree[i]++
			if i > 1 && i%2 == 0 {
				sum += tree[i+1]
			}
		}
	}
	return sum
}
