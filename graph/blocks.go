package graph

import (
	"fmt"
	"slices"
	"strings"
)

const (
	// Up to fewBoxes boxes, only rows of manyTwins and more become a block;
	// past it, as few as fewTwins do, and chains of longChain.
	fewBoxes  = 60
	manyTwins = 12
	fewTwins  = 4
	longChain = 8
	// chainRows is how many boxes of a chain stand below each other before the
	// next column begins.
	chainRows = 20
)

// block is what is drawn as one thing: a box, or boxes in a grid. In a grid,
// each column of cells is a chain of boxes, each of which feeds the one below
// and nothing else; all chains have the same inputs and are used by the same
// boxes. So an arrow to a grid is one to the top of each chain, an arrow from it
// one from each bottom: nothing of the graph is lost. (Boxes with the same
// neighbours drawn as one are a power graph without nesting: L. Royer et al.,
// "Unraveling Protein Networks with Power Graph Analysis", PLoS Computational
// Biology 4(7), 2008.)
type block struct {
	chains [][]int // of places in picture.boxes
	label  string  // of a grid
}

func (b *block) grid() bool { return len(b.chains) > 1 || len(b.chains[0]) > 1 }

// blocks finds the grids of a picture. block[i] is the block of box i.
func (p *picture) blocks() (all []block, of []int) {
	n := len(p.boxes)
	up, down := make([][]int, n), make([][]int, n)
	for _, a := range p.arrows {
		up[a.to], down[a.from] = append(up[a.to], a.from), append(down[a.from], a.to)
	}
	least, long := fewTwins, longChain
	if n <= fewBoxes {
		least, long = manyTwins, n+1
	}
	if p.grouped { // each box has its own name and figures
		least, long = n+1, n+1
	}
	next := func(b int) int {
		if len(down[b]) == 1 && len(up[down[b][0]]) == 1 {
			return down[b][0]
		}
		return -1
	}
	of = make([]int, n)
	var chains [][]int
	for b := range n {
		if len(up[b]) == 1 && next(up[b][0]) == b {
			continue // not the first of its chain
		}
		chain := []int{b}
		for c := next(b); c >= 0; c = next(c) {
			chain = append(chain, c)
		}
		chains = append(chains, chain)
	}
	// Twins have the same key.
	twins := map[string][]int{}
	keys := make([]string, len(chains))
	for i, c := range chains {
		slices.Sort(up[c[0]])
		slices.Sort(down[c[len(c)-1]])
		var key strings.Builder
		fmt.Fprint(&key, up[c[0]], down[c[len(c)-1]])
		for _, b := range c {
			fmt.Fprintf(&key, "|%q", p.kindOfBox(b))
		}
		keys[i] = key.String()
		twins[keys[i]] = append(twins[keys[i]], i)
	}
	add := func(b block) {
		for _, c := range b.chains {
			for _, i := range c {
				of[i] = len(all)
			}
		}
		all = append(all, b)
	}
	for i, c := range chains {
		same := twins[keys[i]]
		switch {
		case len(same) >= least:
			if same[0] == i {
				b := block{}
				for _, k := range same {
					b.chains = append(b.chains, chains[k])
				}
				var names []string
				for _, box := range c {
					names = append(names, short(p.kindOfBox(box), 24))
				}
				if len(names) > 3 {
					names = append(names[:1:1], "…", names[len(names)-1])
				}
				b.label = fmt.Sprintf("%s × %d", strings.Join(names, " → "), len(same))
				add(b)
			}
		case len(c) >= long:
			add(block{chains: [][]int{c}, label: fmt.Sprintf("a chain of %d", len(c))})
		default:
			for _, b := range c {
				add(block{chains: [][]int{{b}}})
			}
		}
	}
	return all, of
}

// kindOfBox is what boxes of one grid have in common: the name, of constants
// that they are.
func (p *picture) kindOfBox(b int) string {
	if p.boxes[b].constant {
		return "constant"
	}
	return p.boxes[b].name
}
