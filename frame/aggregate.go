//go:build cgo

package frame

import (
	"fmt"
	"slices"
	"time"
)

// Aggregates are for Agg, and with Over for windows. Nulls do not count, and
// over no rows at all an aggregate is null; a count is 0.

func agg(name string, cols ...Expr) Expr {
	return Expr{&expr{kind: kindAgg, name: name, args: cols, at: here()}}
}

// Sum is the sum. Of integers it can't overflow.
func Sum(col any) Expr { return agg("sum", column(col)) }

// Mean is the mean, a float.
func Mean(col any) Expr { return agg("avg", column(col)).rename("mean") }

// Min is the least value.
func Min(col any) Expr { return agg("min", column(col)) }

// Max is the greatest value.
func Max(col any) Expr { return agg("max", column(col)) }

// Count is how many values are not null.
func Count(col any) Expr { return agg("count", column(col)) }

// CountRows is how many rows there are.
func CountRows() Expr { return agg("count") }

// CountDistinct is how many different values there are. It remembers all of
// them; ApproxDistinct does not.
func CountDistinct(col any) Expr {
	e := agg("count", column(col))
	e.n.distinct = true
	return e.rename("distinct")
}

// ApproxDistinct is about how many different values there are, within some
// percent, in little memory.
func ApproxDistinct(col any) Expr {
	return agg("approx_count_distinct", column(col)).rename("distinct")
}

// Median is the value in the middle, or the mean of the two there.
func Median(col any) Expr { return agg("median", column(col)) }

// Quantile is the value below which the share q of the values lies, between
// its neighbours in proportion.
func Quantile(col any, q float64) Expr {
	if !(q >= 0 && q <= 1) {
		return bad(fmt.Errorf("the quantile %v is not between 0 and 1", q))
	}
	return agg("quantile_cont", column(col), value(q)).rename("quantile")
}

// Std is the standard deviation of a sample.
func Std(col any) Expr { return agg("stddev_samp", column(col)).rename("std") }

// Var is the variance of a sample.
func Var(col any) Expr { return agg("var_samp", column(col)).rename("var") }

// First is the first value, null or not: by SortedBy, else as the rows come.
func First(col any) Expr { return agg("first", column(col)) }

// Last is the last value, null or not: by SortedBy, else as the rows come.
func Last(col any) Expr { return agg("last", column(col)) }

// List is all values, nulls too: by SortedBy, else as the rows come. It holds
// them in memory and can't spill.
func List(col any) Expr { return agg("list", column(col)) }

// Mode is the most frequent value.
func Mode(col any) Expr { return agg("mode", column(col)) }

// Corr is the correlation of two columns, between -1 and 1.
func Corr(a, b any) Expr { return agg("corr", column(a), column(b)) }

// All is true if no value is false.
func All(col any) Expr { return agg("bool_and", column(col)).rename("all") }

// Any is true if a value is true.
func Any(col any) Expr { return agg("bool_or", column(col)).rename("any") }

// rename gives an aggregate the name that its column has if nobody says
// another.
func (e Expr) rename(name string) Expr {
	c := *e.n
	c.value = name
	return Expr{&c}
}

// Where has an aggregate count only the rows where cond is true.
func (e Expr) Where(cond Expr) Expr {
	return e.onAgg("Where", func(n *expr) {
		c := cond.orBad()
		if n.filter != nil {
			c = n.filter.And(c)
		}
		n.filter = &c
	})
}

// SortedBy says in which order an aggregate or a window takes its rows. Keys
// are columns, Asc or Desc.
func (e Expr) SortedBy(keys ...any) Expr {
	return e.onAgg("SortedBy", func(n *expr) {
		if n.window != nil {
			w := *n.window
			w.order = orders(keys)
			n.window = &w
			return
		}
		n.order = orders(keys)
	})
}

// Over computes an aggregate, or a function such as RowNumber, for each row
// over the rows with the same keys; without keys over all. With SortedBy after
// it, an aggregate is over the rows up to this one and those equal to it: a
// running sum.
func (e Expr) Over(keys ...any) Expr {
	return e.onAgg("Over", func(n *expr) {
		w := window{keys: columns(keys), order: n.order}
		n.order = nil
		n.window = &w
	})
}

// Rolling narrows a window to this row and the n-1 before it. Call it after
// Over and SortedBy.
func (e Expr) Rolling(n int) Expr {
	if n < 1 {
		return bad(fmt.Errorf("Rolling(%d): a window has at least 1 row", n))
	}
	return e.RowsBetween(n-1, 0)
}

// RowsBetween narrows a window to so many rows before this one, and after it;
// -1 is all of them. Call it after Over.
func (e Expr) RowsBetween(before, after int) Expr {
	return e.onWindow("RowsBetween", func(w *window) { w.rows = &[2]int64{int64(before), int64(after)} })
}

// RollingTime narrows a window to the rows whose key of SortedBy, a time, is
// less than or equal to d before this row's. Call it after Over and SortedBy.
func (e Expr) RollingTime(d time.Duration) Expr {
	return e.onWindow("RollingTime", func(w *window) { w.span = &[2]any{d, time.Duration(0)} })
}

func (e Expr) onAgg(method string, f func(*expr)) Expr {
	e = e.orBad()
	if e.n.kind == kindAlias {
		return e.n.args[0].onAgg(method, f).As(e.n.name)
	}
	if e.n.kind != kindAgg {
		if e.n.kind == kindBad {
			return e
		}
		return bad(fmt.Errorf("%s is for an aggregate such as Sum, or a function such as RowNumber; put it right behind that", method))
	}
	n := *e.n
	n.args = slices.Clip(n.args)
	f(&n)
	return Expr{&n}
}

func (e Expr) onWindow(method string, f func(*window)) Expr {
	return e.onAgg(method, func(n *expr) {
		if n.window == nil {
			n.kind, n.err = kindBad, fmt.Errorf("%s comes after Over, which says of which rows a window is", method)
			return
		}
		w := *n.window
		f(&w)
		n.window = &w
	})
}

// Functions for windows: they need Over, and most of them SortedBy.

// RowNumber counts the rows of a window from 1.
func RowNumber() Expr { return agg("row_number") }

// Rank is RowNumber with equal rows at the same, and a gap behind them.
func Rank() Expr { return agg("rank") }

// DenseRank is Rank without gaps.
func DenseRank() Expr { return agg("dense_rank") }

// Lag is the value n rows before this one, null if there is none.
func Lag(col any, n int) Expr { return agg("lag", column(col), value(n)) }

// Lead is the value n rows behind this one, null if there is none.
func Lead(col any, n int) Expr { return agg("lead", column(col), value(n)) }
