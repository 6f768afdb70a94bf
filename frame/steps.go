//go:build cgo

package frame

import (
	"fmt"
	"strings"
)

// The steps of a plan: plain data, and how they read in Explain. What they
// are in SQL is in sql.go.

type readStep struct {
	call   string // ReadCSV, ...
	files  []string
	reader string   // the engine's function
	args   []string // SQL of its further arguments
	note   string
	csv    *CSV
}

type goStep struct {
	call string
	src  goSource
}

type sqlStep struct {
	text  string
	names []string // of the frames in node.in
}

type selectStep struct{ exprs []Expr }
type withStep struct{ exprs []Expr }
type dropStep struct{ names []string }
type renameStep struct{ from, to string }
type castStep struct {
	to    Type
	names []string
}
type filterStep struct{ conds []Expr }
type groupStep struct{ keys, aggs []Expr }
type pivotStep struct {
	groupStep
	on string
}
type joinStep struct {
	how   How
	pairs []Pair
}
type sortStep struct{ keys []Order }
type limitStep struct{ offset, n int64 }
type distinctStep struct{ names []string }
type setStep struct{ op, call string }
type unpivotStep struct {
	name, value string
	names       []string
}
type explodeStep struct{ name string }
type sampleStep struct {
	share float64
	seed  int
}
type fillStep struct {
	with  Expr
	value any
	names []string
}
type dropNullStep struct{ names []string }
type describeStep struct{}

func (s readStep) verb() string   { return s.call }
func (s goStep) verb() string     { return s.call }
func (sqlStep) verb() string      { return "SQL" }
func (selectStep) verb() string   { return "Select" }
func (withStep) verb() string     { return "With" }
func (dropStep) verb() string     { return "Drop" }
func (renameStep) verb() string   { return "Rename" }
func (castStep) verb() string     { return "Cast" }
func (filterStep) verb() string   { return "Filter" }
func (groupStep) verb() string    { return "Agg" }
func (pivotStep) verb() string    { return "Pivot" }
func (joinStep) verb() string     { return "Join" }
func (sortStep) verb() string     { return "Sort" }
func (s limitStep) verb() string  { return "Limit" }
func (distinctStep) verb() string { return "Distinct" }
func (s setStep) verb() string    { return s.call }
func (unpivotStep) verb() string  { return "Unpivot" }
func (explodeStep) verb() string  { return "Explode" }
func (sampleStep) verb() string   { return "Sample" }
func (fillStep) verb() string     { return "FillNull" }
func (dropNullStep) verb() string { return "DropNull" }
func (describeStep) verb() string { return "Describe" }

func (s readStep) words() string {
	return strings.TrimSpace("read " + strings.Join(s.files, ", ") + s.note)
}
func (s goStep) words() string {
	return s.src.words()
}
func (s sqlStep) words() string    { return "SQL: " + strings.Join(strings.Fields(s.text), " ") }
func (s selectStep) words() string { return "select " + exprWords(s.exprs) }
func (s withStep) words() string   { return "with " + exprWords(s.exprs) }
func (s dropStep) words() string   { return "drop " + strings.Join(s.names, ", ") }
func (s renameStep) words() string { return "rename " + s.from + " to " + s.to }
func (s castStep) words() string {
	return "cast " + strings.Join(s.names, ", ") + " to " + string(s.to)
}
func (s filterStep) words() string { return "keep rows where " + exprWords(s.conds) }
func (s groupStep) words() string {
	switch {
	case len(s.keys) == 0:
		return "aggregate all rows: " + exprWords(s.aggs)
	case len(s.aggs) == 0:
		return "group by " + exprWords(s.keys)
	}
	return "group by " + exprWords(s.keys) + ": " + exprWords(s.aggs)
}
func (s pivotStep) words() string { return "pivot on " + s.on + ", " + s.groupStep.words() }
func (s joinStep) words() string {
	var on []string
	for _, p := range s.pairs {
		if p.Left == p.Right {
			on = append(on, p.Left)
		} else {
			on = append(on, p.Left+" = "+p.Right)
		}
	}
	if len(on) == 0 {
		return s.how.String() + " join of"
	}
	return s.how.String() + " join on " + strings.Join(on, ", ") + " of"
}
func (s sortStep) words() string {
	var keys []string
	for _, k := range s.keys {
		w := k.e.String()
		if k.desc {
			w += " descending"
		}
		if k.nullsFirst {
			w += " nulls first"
		}
		keys = append(keys, w)
	}
	return "sort by " + strings.Join(keys, ", ")
}
func (s limitStep) words() string {
	if s.offset > 0 {
		return fmt.Sprintf("keep %d rows from row %d on", s.n, s.offset)
	}
	return fmt.Sprintf("keep the first %d rows", s.n)
}
func (s distinctStep) words() string {
	if len(s.names) == 0 {
		return "distinct rows"
	}
	return "distinct by " + strings.Join(s.names, ", ")
}
func (s setStep) words() string { return strings.ToLower(s.call) + " of" }
func (s unpivotStep) words() string {
	return "unpivot " + strings.Join(s.names, ", ") + " to " + s.name + " and " + s.value
}
func (s explodeStep) words() string { return "a row for each element of " + s.name }
func (s sampleStep) words() string  { return fmt.Sprintf("sample %g %% of the rows", s.share*100) }
func (s fillStep) words() string {
	return "fill nulls with " + s.with.String() + in(s.names)
}
func (s dropNullStep) words() string { return "drop rows with nulls" + in(s.names) }
func (describeStep) words() string   { return "describe the columns" }

func in(names []string) string {
	if len(names) == 0 {
		return ""
	}
	return " in " + strings.Join(names, ", ")
}

func exprWords(es []Expr) string {
	out := make([]string, len(es))
	for i, e := range es {
		out[i] = e.String()
	}
	return strings.Join(out, ", ")
}

// String writes the expression as SQL, for people to read: what is wrong with
// it is written as it is.
func (e Expr) String() string {
	if e.n == nil {
		return "(empty)"
	}
	s, err := exprSQL(e, scope{prefix: ""})
	if err != nil {
		return "(" + err.Error() + ")"
	}
	return s
}
