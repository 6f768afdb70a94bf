package array

import (
	"fmt"
	"strings"

	"github.com/weft-go/weft/graph"
	"github.com/weft-go/weft/internal/memory"
)

// Explain says what Compute would do, without computing anything: the loops,
// what is fused in each, into how many blocks they are cut, and what the result
// takes.
func (a Array[T]) Explain(opts ...graph.RunOption) (string, error) {
	n := a.node()
	if n.err != nil {
		return "", n.err
	}
	limit, why := budget(opts)
	target := targetOf(limit)
	p := newPlanner(target, n)
	tasks := p.writeTo(n, nil)
	var b strings.Builder
	fmt.Fprintf(&b, "%s%s, %s: %d tasks, of which %d write the result\n", n.kind, shapeText(n.shape), memory.Text(a.Bytes()), p.g.Len(), len(tasks))
	fmt.Fprintf(&b, "  memory     %s (%s), blocks of about %s\n", memory.Text(limit), why, memory.Text(int64(target)))
	for _, l := range p.loops {
		what := l.what
		if what != "" {
			what = ", reduced by " + what
		}
		fmt.Fprintf(&b, "  loop       %s%s\n", l.prog, what)
		fmt.Fprintf(&b, "             %s%s in %d blocks, %d elements in all; reads %s\n", l.n.kind, shapeText(l.n.shape), l.boxes, l.elems, l.prog.reads())
	}
	return b.String(), nil
}

// reads names what a program reads.
func (p *program) reads() string {
	var names []string
	for _, l := range p.leaves {
		names = append(names, l.n.op.name()+shapeText(l.n.shape))
	}
	if len(names) == 0 {
		return "nothing"
	}
	return strings.Join(names, ", ")
}
