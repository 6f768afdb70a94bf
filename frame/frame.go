//go:build cgo

package frame

import (
	"fmt"
	"slices"
	"time"
)

// Frame is a table that is still to be computed: a tree of sources and steps,
// as plain data. It is immutable, each method returns a new one, and any
// number of goroutines may use it. Building never computes, opens no file and
// never fails; mistakes are told by Schema, Explain and whatever runs it.
//
// The order of rows is that of the source, until a step that has no order:
// GroupBy, Join, Distinct, Union and their like. Sort makes one.
type Frame struct {
	n   *node
	eng *Engine // nil for the shared one
	err error   // of engines that do not fit together
}

// node is a step of the plan with the frames that it works on.
type node struct {
	step step
	in   []*node
	at   place
	err  error // of the arguments
}

// each calls f for all steps of a plan, sources first.
func (n *node) each(seen map[*node]bool, f func(*node)) {
	if seen[n] {
		return
	}
	seen[n] = true
	for _, in := range n.in {
		in.each(seen, f)
	}
	f(n)
}

// step is what a node does.
type step interface {
	verb() string  // the method or function
	words() string // the step for Explain
}

func source(s step, err error) *Frame {
	return &Frame{n: &node{step: s, at: here(), err: err}}
}

func (f *Frame) then(s step, err error, others ...*Frame) *Frame {
	g := &Frame{eng: f.eng, err: f.err}
	in := []*node{f.n}
	for _, o := range others {
		in = append(in, o.n)
		switch {
		case o.err != nil && g.err == nil:
			g.err = o.err
		case o.eng == nil:
		case g.eng == nil:
			g.eng = o.eng
		case g.eng != o.eng && g.err == nil:
			g.err = fmt.Errorf("%s of frames on two engines; put both on the same with On", s.verb())
		}
	}
	g.n = &node{step: s, in: in, at: here(), err: err}
	return g
}

// On has the frame, and what is made of it, run on an engine of its own limits, instead of the one that
// the process shares.
func (f *Frame) On(e *Engine) *Frame {
	return &Frame{n: f.n, eng: e, err: f.err}
}

// Select makes a frame of these columns: names or expressions.
func (f *Frame) Select(cols ...any) *Frame {
	return f.then(selectStep{columns(cols)}, atLeast(cols, "a column"))
}

// With adds columns, or replaces those with the same name. The expressions see
// the columns as they were before.
func (f *Frame) With(cols ...Expr) *Frame {
	exprs := make([]Expr, len(cols))
	for i, c := range cols {
		exprs[i] = c.orBad()
	}
	return f.then(withStep{exprs}, nil)
}

// Drop leaves columns out.
func (f *Frame) Drop(names ...string) *Frame {
	return f.then(dropStep{names}, nil)
}

// Rename gives a column another name.
func (f *Frame) Rename(from, to string) *Frame {
	return f.then(renameStep{from, to}, nil)
}

// Cast converts columns to a type. What can't be converted is an error when
// the frame runs; With and TryCast make it null.
func (f *Frame) Cast(t Type, names ...string) *Frame {
	return f.then(castStep{t, names}, atLeast(names, "the name of a column"))
}

// Filter keeps the rows where all conditions are true: not those where one is
// null.
func (f *Frame) Filter(conds ...Expr) *Frame {
	exprs := make([]Expr, len(conds))
	for i, c := range conds {
		exprs[i] = c.orBad()
	}
	return f.then(filterStep{exprs}, nil)
}

// Grouped is a frame whose rows are grouped, for Agg or Pivot.
type Grouped struct {
	f    *Frame
	keys []Expr
	at   place
}

// GroupBy groups the rows that have the same keys: names or expressions. Nulls
// are the same. Without keys all rows are one group.
func (f *Frame) GroupBy(keys ...any) Grouped {
	return Grouped{f, columns(keys), here()}
}

// Resample groups the rows by spans of time of the given length, and by the
// keys. The first column is the begin of the span and has the name of the time's column.
// Spans without rows are not there.
func (f *Frame) Resample(timeCol string, every time.Duration, keys ...any) Grouped {
	span := bad(fmt.Errorf("the span %v is not more than 0", every))
	if every > 0 {
		span = call("time_bucket", value(every), column(timeCol)).As(timeCol)
	}
	return Grouped{f, append([]Expr{span}, columns(keys)...), here()}
}

// Agg makes a frame with a row for each group: the keys, then the aggregates.
func (g Grouped) Agg(aggs ...Expr) *Frame {
	exprs := make([]Expr, len(aggs))
	for i, a := range aggs {
		exprs[i] = a.orBad()
	}
	var err error
	if len(aggs)+len(g.keys) == 0 {
		err = fmt.Errorf("neither keys nor aggregates")
	}
	return g.f.then(groupStep{g.keys, exprs}, err)
}

// Pivot makes a frame with a row for each group and, for each of the values of
// the column on, a column of that name with the aggregate over the rows that
// have it. The values are given, as a frame's columns must be known before it
// runs; they are numbers, texts or bools.
func (g Grouped) Pivot(on string, agg Expr, values ...any) *Frame {
	var aggs []Expr
	for _, v := range values {
		aggs = append(aggs, agg.orBad().Where(Col(on).Eq(v)).As(fmt.Sprint(v)))
	}
	return g.f.then(pivotStep{groupStep{g.keys, aggs}, on}, atLeast(values, `a value; frame.Collect[string](ctx, f.Select("`+on+`").Distinct()) finds them`))
}

// How is which rows a join has.
type How int

const (
	Inner How = iota // the pairs of rows whose keys are equal
	Left             // and the rows of the left frame without a partner
	Right            // and the rows of the right frame without a partner
	Full             // and both
	Semi             // the rows of the left frame that have a partner, once, with their columns only
	Anti             // the rows of the left frame without a partner
	Cross            // all pairs; no keys
	// AsOf pairs each row of the left frame with the last one of the right
	// frame whose last key is not greater, and whose other keys are equal.
	AsOf
)

var howNames = []string{"inner", "left", "right", "full", "semi", "anti", "cross", "as-of"}

// String is the name in small letters.
func (h How) String() string {
	if h < 0 || int(h) >= len(howNames) {
		return fmt.Sprintf("How(%d)", int(h))
	}
	return howNames[h]
}

// Pair is a key of a join whose column has two names.
type Pair struct{ Left, Right string }

// Join joins two frames by keys: names that both have, or Pairs. Null keys
// have no partner.
//
// The result has the columns of the left frame, then those of the right one
// but for keys of the same name; where a name is there already it gets _right
// behind it.
func (f *Frame) Join(right *Frame, how How, keys ...any) *Frame {
	var pairs []Pair
	var err error
	for _, k := range keys {
		switch k := k.(type) {
		case string:
			pairs = append(pairs, Pair{k, k})
		case Pair:
			pairs = append(pairs, k)
		default:
			err = fmt.Errorf("a %T is no key; give a name or a frame.Pair", k)
		}
	}
	switch {
	case how < Inner || how > AsOf:
		err = fmt.Errorf("%v is no kind of join", how)
	case how == Cross && len(keys) > 0:
		err = fmt.Errorf("a cross join has no keys")
	case how != Cross && len(keys) == 0:
		err = fmt.Errorf("a %v join needs a key; all pairs of rows are a cross join", how)
	}
	return f.then(joinStep{how, pairs}, err, right)
}

// Sort sorts by columns, Asc or Desc. Rows that are equal come in any order.
func (f *Frame) Sort(keys ...any) *Frame {
	return f.then(sortStep{orders(keys)}, atLeast(keys, "a column"))
}

// Limit keeps the first n rows.
func (f *Frame) Limit(n int) *Frame {
	return f.then(limitStep{0, int64(n)}, notNegative(n))
}

// Slice keeps n rows from row offset on, which is counted from 0.
func (f *Frame) Slice(offset, n int) *Frame {
	return f.then(limitStep{int64(offset), int64(n)}, notNegative(offset, n))
}

// Distinct keeps one of the rows that are the same in all columns, or in the
// given ones.
func (f *Frame) Distinct(names ...string) *Frame {
	return f.then(distinctStep{names}, nil)
}

// Union has the rows of all the frames, repetitions too. Columns are matched
// by name; one that a frame lacks is null there.
func (f *Frame) Union(others ...*Frame) *Frame {
	return f.then(setStep{"UNION ALL BY NAME", "Union"}, nil, others...)
}

// Intersect has the rows that are in both frames, once. Columns are matched by
// name.
func (f *Frame) Intersect(other *Frame) *Frame {
	return f.then(setStep{"INTERSECT", "Intersect"}, nil, other)
}

// Except has the rows that are not in the other frame, once. Columns are
// matched by name.
func (f *Frame) Except(other *Frame) *Frame {
	return f.then(setStep{"EXCEPT", "Except"}, nil, other)
}

// Unpivot makes rows of columns: for each of them one with its name, its value
// and all other columns. The columns have one type, or one that all fit in.
func (f *Frame) Unpivot(nameCol, valueCol string, names ...string) *Frame {
	return f.then(unpivotStep{nameCol, valueCol, names}, atLeast(names, "the name of a column"))
}

// Explode makes a row for each element of a list. An empty list and null give
// one row with null.
func (f *Frame) Explode(name string) *Frame {
	return f.then(explodeStep{name}, nil)
}

// Sample keeps each row with probability share. The same seed takes the same
// rows of the same source on one thread.
func (f *Frame) Sample(share float64, seed int) *Frame {
	var err error
	switch {
	case !(share >= 0 && share <= 1):
		err = fmt.Errorf("the share %v is not between 0 and 1", share)
	case seed < 0:
		err = fmt.Errorf("the seed %d is negative", seed)
	}
	return f.then(sampleStep{share, seed}, err)
}

// FillNull puts a value where the columns are null; without names in all
// columns that are of the value's kind: texts, numbers, bools, dates and times.
func (f *Frame) FillNull(v any, names ...string) *Frame {
	return f.then(fillStep{value(v), v, names}, nil)
}

// DropNull drops the rows where one of the columns is null; without names, one
// of all.
func (f *Frame) DropNull(names ...string) *Frame {
	return f.then(dropNullStep{names}, nil)
}

// ValueCounts counts how often each value of a column is there, the most
// frequent first. The columns are the one given, and count.
func (f *Frame) ValueCounts(name string) *Frame {
	return f.GroupBy(name).Agg(CountRows().As("count")).Sort(Desc("count"), name)
}

// Describe has a row for each column: column_name, column_type, min, max,
// approx_unique, avg, std, q25, q50, q75 as texts, count and null_percentage.
func (f *Frame) Describe() *Frame { return f.then(describeStep{}, nil) }

// Quantile has one row with the quantile q of each of the columns.
func (f *Frame) Quantile(q float64, names ...string) *Frame {
	var aggs []Expr
	for _, n := range names {
		aggs = append(aggs, Quantile(n, q).As(n))
	}
	return f.then(groupStep{nil, aggs}, atLeast(names, "the name of a column"))
}

func atLeast[T any](list []T, what string) error {
	if len(list) == 0 {
		return fmt.Errorf("it needs %s", what)
	}
	return nil
}

func notNegative(ns ...int) error {
	if i := slices.IndexFunc(ns, func(n int) bool { return n < 0 }); i >= 0 {
		return fmt.Errorf("%d rows; it must not be negative", ns[i])
	}
	return nil
}
