//go:build cgo

package frame

import (
	"fmt"

	"github.com/duckdb/duckdb-go/v2/mapping"
)

// goFunc is a function of Go that the engine calls.
type goFunc struct {
	id     uint64
	name   string
	args   []goType
	result goType
	call   func(in mapping.DataChunk, out mapping.Vector, n int) error
}

func (f *goFunc) sqlName() string { return fmt.Sprintf("weft_func_%d", f.id) }

// functions makes the Go functions of a plan known to the engine.
func (r *run) functions(root *node) error {
	var found []*goFunc
	root.each(map[*node]bool{}, func(n *node) {
		for _, e := range exprsOf(n.step) {
			e.walk(func(x *expr) {
				if f, ok := x.value.(*goFunc); ok && x.kind == kindGo {
					found = append(found, f)
				}
			})
		}
	})
	r.eng.mu.Lock()
	defer r.eng.mu.Unlock()
	for _, f := range found {
		if r.eng.known[f.id] {
			continue
		}
		if err := registerFunc(r.conn, f); err != nil {
			return err
		}
		r.eng.known[f.id] = true
	}
	return nil
}

// exprsOf are the expressions of a step.
func exprsOf(s step) []Expr {
	switch s := s.(type) {
	case selectStep:
		return s.exprs
	case withStep:
		return s.exprs
	case filterStep:
		return s.conds
	case groupStep:
		return append(append([]Expr{}, s.keys...), s.aggs...)
	case pivotStep:
		return exprsOf(s.groupStep)
	case sortStep:
		var out []Expr
		for _, k := range s.keys {
			out = append(out, k.e.orBad())
		}
		return out
	case fillStep:
		return []Expr{s.with}
	}
	return nil
}
