//go:build cgo

package frame

import (
	"context"
	"fmt"
	"strings"
)

// Explain says in words what would be computed, and in SQL. It checks the plan
// as Schema does, and computes no rows.
func (f *Frame) Explain(ctx context.Context) (string, error) {
	r, err := begin(ctx, f)
	if err != nil {
		return "", err
	}
	defer r.end()
	sql, err := r.compile(f.n)
	if err != nil {
		return "", err
	}
	var b strings.Builder
	words(&b, f.n, "")
	fmt.Fprintf(&b, "gives   ")
	for i, c := range r.cols {
		if i > 0 {
			b.WriteString(", ")
		}
		fmt.Fprintf(&b, "%s %s", c.name, r.typ(i).name)
		if i == 19 && len(r.cols) > 20 {
			fmt.Fprintf(&b, " and %d more", len(r.cols)-20)
			break
		}
	}
	fmt.Fprintf(&b, "\nwith    %d MiB of memory, %s\n\n%s\n", r.eng.cfg.MemoryLimit/mib, plural(r.eng.cfg.Threads, "thread"), sql)
	return b.String(), nil
}

// words writes the steps, sources first.
func words(b *strings.Builder, n *node, indent string) {
	if len(n.in) > 0 {
		words(b, n.in[0], indent)
	}
	fmt.Fprintf(b, "%s%s\n", indent, n.step.words())
	if len(n.in) > 1 {
		for _, in := range n.in[1:] {
			words(b, in, indent+"    ")
		}
	}
}
