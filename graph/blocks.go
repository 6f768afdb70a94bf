package graph

import (
	"fmt"
	"slices"
	"strings"
)

const (
	// Up to fewBoxes boxes, only rows of manyTwins and more become a block;
	// past it, as few as fewTwins do, and chains of longChain.
	fewBoxes  = 40
	manyTwins = 12
	fewTwins  = 4
	longChain = 8
	// From someBoxes on, the steps of a Reduce, leastFold or more, are a block.
	someBoxes = 24
	leastFold = 3
	// foldRow is how many of them stand beside each other.
	foldRow = 8
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
	// fold: the boxes of the one chain are the steps of a Reduce. Each takes the
	// one before it and an input of its own, which the picture does not tell
	// from those of the others.
	fold bool
}

func (b *block) grid() bool { return len(b.chains) > 1 || len(b.chains[0]) > 1 }

// blocks finds the grids of a picture. block[i] is the block of box i.
func (p *picture) blocks() (all []block, of []int) {
	n := len(p.boxes)
	folds, head := p.folds()
	// up and down are the neighbours; those in a fold go by its first box.
	up, down := make([][]int, n), make([][]int, n)
	for _, a := range p.arrows {
		if from, to := head[a.from], head[a.to]; from != to {
			up[to], down[from] = append(up[to], from), append(down[from], to)
		}
	}
	for b := range n {
		slices.Sort(up[b])
		slices.Sort(down[b])
		up[b], down[b] = slices.Compact(up[b]), slices.Compact(down[b])
	}
	least, long := fewTwins, longChain
	if n <= fewBoxes {
		least, long = manyTwins, n+1
	}
	if p.grouped { // each box has its own name and figures
		least, long = n+1, n+1
	}
	next := func(b int) int {
		if len(down[b]) != 1 || len(up[down[b][0]]) != 1 || folds[b] != nil || folds[down[b][0]] != nil {
			return -1
		}
		return down[b][0]
	}
	of = make([]int, n)
	var chains [][]int
	for b := range n {
		if head[b] != b {
			continue // within a fold
		}
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
		var key strings.Builder
		fmt.Fprint(&key, up[c[0]], down[c[len(c)-1]])
		if folds[c[0]] != nil {
			fmt.Fprintf(&key, "|fold %d", c[0])
		}
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
		case folds[c[0]] != nil:
			steps := folds[c[0]]
			add(block{chains: [][]int{steps}, fold: true, label: fmt.Sprintf("%s × %d, in turn", short(p.boxes[c[0]].name, 24), len(steps))})
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

// folds finds the steps of Reduces: each is used by the next alone. folds[i]
// are the steps that begin with box i, head[i] is the first box of i's fold, or
// i.
func (p *picture) folds() (folds map[int][]int, head []int) {
	head = make([]int, len(p.boxes))
	for i := range head {
		head[i] = i
	}
	folds = map[int][]int{}
	if p.grouped || len(p.boxes) < someBoxes {
		return folds, head
	}
	uses := make([]int, len(p.boxes))
	for _, a := range p.arrows {
		uses[a.from]++
	}
	step := func(b int) bool { return p.record.Tasks[p.boxes[b].tasks[0]].Kind == KindReduce }
	before := make([]int, len(p.boxes)) // the step before, plus one
	for _, a := range p.arrows {
		if !step(a.from) || !step(a.to) || uses[a.from] > 1 || p.boxes[a.from].asked || p.boxes[a.from].name != p.boxes[a.to].name {
			continue
		}
		// The first input is what was joined so far; the steps of one level of
		// the tree have numbers in a row.
		from, to := p.boxes[a.from].tasks[0], p.boxes[a.to].tasks[0]
		if t := &p.record.Tasks[to]; t.Inputs[0] == from && t.ID == p.record.Tasks[from].ID+1 {
			before[a.to] = a.from + 1
		}
	}
	chains := map[int][]int{}
	for b := range p.boxes { // inputs come first
		if before[b] > 0 {
			head[b] = head[before[b]-1]
		}
		chains[head[b]] = append(chains[head[b]], b)
	}
	for h, c := range chains {
		if len(c) >= leastFold {
			folds[h] = c
			continue
		}
		for _, b := range c {
			head[b] = b
		}
	}
	return folds, head
}
