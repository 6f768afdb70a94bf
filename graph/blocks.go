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
	// mostBranches is how many boxes a tree of a grid has at most: what has more
	// is for several grids.
	mostBranches = 6
	// chainRows is how many boxes of a chain stand below each other before the
	// next column begins.
	chainRows = 20
)

// block is what is drawn as one thing: a box, or boxes in a grid. In a grid,
// each column of cells is a chain of boxes, each of which feeds the one below
// and nothing else, or a small tree, whose boxes have no input but their parent;
// all columns have the same inputs and are used by the same boxes. So an arrow
// to a grid is one to the top of each column. An arrow from it is one from the
// bottom of each; of trees, from the same box of each. (Boxes with the same
// neighbours drawn as one are a power graph without nesting: L. Royer et al.,
// "Unraveling Protein Networks with Power Graph Analysis", PLoS Computational
// Biology 4(7), 2008.)
type block struct {
	chains [][]int // of places in picture.boxes; of a tree, parents first
	parent []int   // of each box of a chain: place in it; -1 of the first
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
	// A tree is a box and all that needs nothing else, unless that is many.
	children := make([][]int, n)
	for b := range n {
		if len(up[b]) == 1 && head[b] == b && folds[b] == nil && folds[up[b][0]] == nil {
			children[up[b][0]] = append(children[up[b][0]], b)
		}
	}
	type tree struct{ boxes, parent []int }
	var trees []tree
	whole := make([]bool, n) // the box belongs to the tree of its parent
	for b := n - 1; b >= 0; b-- {
		if c := children[b]; len(c) == 1 && len(down[b]) == 1 || len(c) > 1 && len(c) == len(down[b]) && n > fewBoxes && p.branches(b, children) <= mostBranches {
			for _, k := range c {
				whole[k] = true
			}
		}
	}
	of = make([]int, n)
	for b := range n {
		if head[b] != b || whole[b] {
			continue // within a fold, or a tree
		}
		t := tree{[]int{b}, []int{-1}}
		for i := 0; i < len(t.boxes); i++ {
			for _, c := range children[t.boxes[i]] {
				if whole[c] {
					t.boxes, t.parent = append(t.boxes, c), append(t.parent, i)
				}
			}
		}
		trees = append(trees, t)
	}
	// Twins have the same key.
	twins := map[string][]int{}
	keys := make([]string, len(trees))
	for i, t := range trees {
		var key strings.Builder
		fmt.Fprint(&key, up[t.boxes[0]])
		if folds[t.boxes[0]] != nil {
			fmt.Fprintf(&key, "|fold %d", t.boxes[0])
		}
		for k, b := range t.boxes {
			fmt.Fprintf(&key, "|%d %q", t.parent[k], p.kindOfBox(b))
			for _, d := range down[b] {
				if !whole[d] {
					fmt.Fprintf(&key, " %d", d)
				}
			}
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
	for i, t := range trees {
		same := twins[keys[i]]
		switch {
		case folds[t.boxes[0]] != nil:
			steps := folds[t.boxes[0]]
			add(block{chains: [][]int{steps}, fold: true, label: fmt.Sprintf("%s × %d, in turn", short(p.boxes[steps[0]].name, 24), len(steps))})
		case len(same) >= least:
			if same[0] == i {
				b := block{parent: t.parent, label: fmt.Sprintf("%s × %d", p.treeLabel(t.boxes, t.parent), len(same))}
				for _, k := range same {
					b.chains = append(b.chains, trees[k].boxes)
				}
				add(b)
			}
		default:
			first := 1 // boxes before the first branch
			for first < len(t.boxes) && t.parent[first] == first-1 && !slices.Contains(t.parent[first+1:], first-1) {
				first++
			}
			rest := t.boxes
			if first >= long {
				add(block{chains: [][]int{rest[:first]}, parent: t.parent[:first], label: fmt.Sprintf("a chain of %d", first)})
				rest = rest[first:]
			}
			for _, b := range rest {
				add(block{chains: [][]int{{b}}})
			}
		}
	}
	return all, of
}

// branches is how many boxes the tree below a box has, counted no further than
// matters.
func (p *picture) branches(b int, children [][]int) int {
	n := 1
	for _, c := range children[b] {
		if n > mostBranches {
			break
		}
		n += p.branches(c, children)
	}
	return n
}

// straight tells whether a tree is a chain.
func straight(parent []int) bool {
	for i, k := range parent {
		if k != i-1 {
			return false
		}
	}
	return true
}

// treeLabel names the boxes of a tree, level by level.
func (p *picture) treeLabel(boxes, parent []int) string {
	depth := make([]int, len(boxes))
	var levels [][]string
	for i, b := range boxes {
		if parent[i] >= 0 {
			depth[i] = depth[parent[i]] + 1
		}
		if depth[i] == len(levels) {
			levels = append(levels, nil)
		}
		levels[depth[i]] = append(levels[depth[i]], short(p.kindOfBox(b), 24))
	}
	var names []string
	for _, l := range levels {
		names = append(names, strings.Join(slices.Compact(l), ", "))
	}
	if len(names) > 3 {
		names = []string{names[0], "…", names[len(names)-1]}
	}
	return cut(strings.Join(names, " → "), 60)
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
