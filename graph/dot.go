package graph

import (
	"bufio"
	"fmt"
	"io"
	"strings"

	"github.com/weft-go/weft/internal/plan"
)

// Dot writes the graph of a record in the language of Graphviz, for `dot -Tsvg`
// and the like. Up to 500 tasks and 2,500 inputs it has a node a task, beyond
// that one a [Task.Group], with counts and times. It takes some 4 ms for
// 500 tasks, and some 200 ns a task for many. Errors are those of w, and of a
// record whose numbers contradict each other.
func Dot(w io.Writer, r *Record, by Color) error {
	p, err := newPicture("Dot", w, r, by, mostBoxes, mostArrows)
	if err != nil {
		return err
	}
	b := bufio.NewWriter(w)
	fmt.Fprintf(b, "digraph weft {\n\tlabel=%s; labelloc=t; fontname=\"Helvetica\";\n", inDot(p.head()+"\n"+p.legendText()))
	b.WriteString("\tnode [shape=box style=\"filled,rounded\" fontname=\"Helvetica\" fontsize=11 color=\"#555555\" margin=\"0.12,0.05\"];\n\tedge [color=\"#888888\" arrowsize=0.6];\n")
	for i, x := range p.boxes {
		label := short(x.name, 30)
		if x.detail != "" {
			label += "\n" + x.detail
		}
		fmt.Fprintf(b, "\tn%d [label=%s tooltip=%s fillcolor=\"%v\" fontcolor=\"%v\"", i, inDot(label), inDot(x.title), x.fill, x.fill.ink())
		switch {
		case x.constant:
			b.WriteString(" shape=ellipse style=\"filled,dashed\"")
		case x.state == StateFailed:
			b.WriteString(" shape=octagon style=filled")
		case x.state == StateSkipped:
			b.WriteString(" style=\"filled,rounded,dashed\"")
		}
		if x.asked {
			b.WriteString(" peripheries=2")
		}
		if x.critical {
			b.WriteString(" color=\"#000000\" penwidth=2.5")
		}
		b.WriteString("];\n")
	}
	for _, a := range p.arrows {
		fmt.Fprintf(b, "\tn%d -> n%d", a.from, a.to)
		var with []string
		if a.inputs > 1 {
			with = append(with, fmt.Sprintf("label=\"%s\" fontsize=9", number(a.inputs)))
		}
		if a.critical {
			with = append(with, "color=\"#000000\" penwidth=2")
		}
		if len(with) > 0 {
			b.WriteString(" [" + strings.Join(with, " ") + "]")
		}
		b.WriteString(";\n")
	}
	b.WriteString("}\n")
	return b.Flush()
}

// inDot quotes a text as a label: Graphviz reads escapes and XML entities in it.
func inDot(s string) string { return `"` + dotEscapes.Replace(s) + `"` }

var dotEscapes = strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`, "&", "&amp;", "<", "&lt;", ">", "&gt;")

// legendText says in words what the colours mean.
func (p *picture) legendText() string {
	var text string
	switch {
	case p.by == ByState:
		text = "coloured by state" + stateCounts(p.states)
	case p.scale.empty:
		text = "nothing was run"
	case p.by == ByTime:
		text = fmt.Sprintf("coloured by time, light %s to dark %s", plan.Nanos(p.scale.value(0)), plan.Nanos(p.scale.value(1)))
	default:
		text = fmt.Sprintf("coloured by order, light first (%.0f) to dark last (%.0f)", p.scale.value(0), p.scale.value(1))
	}
	for _, n := range p.notes {
		text += "; " + n
	}
	return text
}
