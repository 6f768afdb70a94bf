package layout

// place gives the nodes their x, in the order of their ranks: near what they
// are linked with, and never over each other.
func (l *layered) place() {
	for _, nodes := range l.ranks {
		x := 0.0
		for i, n := range nodes {
			if i > 0 {
				x += l.apart(nodes[i-1], n)
			}
			l.nodes[n].x = x
		}
		for _, n := range nodes { // ranks begin in the middle
			l.nodes[n].x -= x / 2
		}
	}
	for sweep := range placeSweeps {
		both := sweep >= placeSweeps-4
		for k := range l.ranks {
			r := k
			if sweep%2 == 1 {
				r = len(l.ranks) - 1 - k
			}
			l.placeRank(r, both || sweep%2 == 0, both || sweep%2 == 1)
		}
	}
}

// apart is how far the centres of neighbours are apart at least.
func (l *layered) apart(a, b int) float64 {
	gap := float64(boxGap)
	if l.nodes[a].box < 0 || l.nodes[b].box < 0 {
		gap = lineGap
	}
	return (l.nodes[a].width+l.nodes[b].width)/2 + gap
}

// placeRank moves the nodes of a rank as near to the mean of their neighbours
// above and below as the distances between them allow: the least sum of the
// weighted squares. With x less the distances so far as the unknown, what is
// asked for is a sequence that never decreases: where it would, neighbours are
// pooled.
func (l *layered) placeRank(r int, above, below bool) {
	type pool struct{ sum, weight, n float64 }
	var pools []pool
	offset := make([]float64, len(l.ranks[r]))
	for i, id := range l.ranks[r] {
		n := &l.nodes[id]
		if i > 0 {
			offset[i] = offset[i-1] + l.apart(l.ranks[r][i-1], id)
		}
		want, weight := 0.0, 0.0
		add := func(links []link) {
			for _, k := range links {
				want += k.weight * l.nodes[k.to].x
				weight += k.weight
			}
		}
		if above {
			add(n.up)
		}
		if below {
			add(n.down)
		}
		if weight == 0 { // it stays where it is, and gives way easily
			want, weight = 0.01*n.x, 0.01
		}
		p := pool{want - weight*offset[i], weight, 1}
		for len(pools) > 0 {
			last := pools[len(pools)-1]
			if last.sum*p.weight < p.sum*last.weight {
				break
			}
			p = pool{p.sum + last.sum, p.weight + last.weight, p.n + last.n}
			pools = pools[:len(pools)-1]
		}
		pools = append(pools, p)
	}
	i := 0
	for _, p := range pools {
		for range int(p.n) {
			l.nodes[l.ranks[r][i]].x = p.sum/p.weight + offset[i]
			i++
		}
	}
}
