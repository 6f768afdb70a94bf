package graph

import (
	"bufio"
	"fmt"
	"io"
	"strings"
	"unicode"
)

const (
	// Mermaid draws no more than 500 edges and 50,000 characters unless the
	// page around it says so.
	mermaidBoxes  = 250
	mermaidArrows = 500
)

// Mermaid writes the graph of a record as a Mermaid flowchart, which GitHub and
// GitLab draw in Markdown. Up to 250 tasks and 500 inputs it has a node a task,
// beyond that, as Mermaid draws no more, one a [Task.Group]. Cost and errors are
// those of [Dot].
func Mermaid(w io.Writer, r *Record, by Color) error {
	p, err := newPicture("Mermaid", w, r, by, mermaidBoxes, mermaidArrows)
	if err != nil {
		return err
	}
	b := bufio.NewWriter(w)
	fmt.Fprintf(b, "flowchart TD\n%%%% %s\n%%%% %s\n", inComment(p.head()), inComment(p.legendText()))
	// One class a colour is shorter than a style a node.
	classes := map[rgb]int{}
	for i, x := range p.boxes {
		c, ok := classes[x.fill]
		if !ok {
			c = len(classes)
			classes[x.fill] = c
			fmt.Fprintf(b, "classDef c%d fill:%v,color:%v,stroke:#555555\n", c, x.fill, x.fill.ink())
		}
		open, shut := "[", "]"
		switch {
		case x.constant:
			open, shut = "([", "])"
		case x.asked:
			open, shut = "[[", "]]"
		}
		label := inMermaid(short(x.name, 24))
		if x.detail != "" {
			label += "<br/>" + inMermaid(x.detail)
		}
		fmt.Fprintf(b, "n%d%s\"%s\"%s:::c%d\n", i, open, label, shut, c)
	}
	var critical []string
	for i, a := range p.arrows {
		label := ""
		if a.inputs > 1 {
			label = "|" + number(a.inputs) + "|"
		}
		if a.critical {
			critical = append(critical, fmt.Sprint(i))
		}
		fmt.Fprintf(b, "n%d -->%s n%d\n", a.from, label, a.to)
	}
	if len(critical) > 0 {
		fmt.Fprintf(b, "linkStyle %s stroke:#000000,stroke-width:3px\n", strings.Join(critical, ","))
	}
	return b.Flush()
}

// inMermaid writes all but letters, digits and a few signs as numbers: Mermaid
// reads Markdown, HTML, entities and its own directives in labels.
func inMermaid(s string) string {
	var b strings.Builder
	for i, r := range s {
		switch {
		case unicode.IsLetter(r), unicode.IsDigit(r), r == ' ', r == ',', i > 0 && (r == '-' || r == '…'), r == '.' && i > 0 && i+1 < len(s) && s[i+1] != ' ':
			b.WriteRune(r)
		default:
			fmt.Fprintf(&b, "#%d;", r)
		}
	}
	return b.String()
}

// inComment keeps a comment from being read as a directive.
func inComment(s string) string { return strings.NewReplacer("{", "(", "}", ")", "%%", "%").Replace(s) }
