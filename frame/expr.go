//go:build cgo

package frame

import (
	"fmt"
	"runtime"
	"slices"
	"strings"
)

// Expr is an expression over the columns of a frame, as plain data. Building
// one computes nothing and never fails: what is wrong with it is said by
// Schema, Explain or whatever runs it, with the file and line of the call.
// Expressions are immutable and may be used any number of times, from any
// number of goroutines.
//
// Where a method takes an any it wants a value: an Expr, or a Go value that
// stands for itself, strings included. Where a function of this package, or a
// method of Frame, takes an any it wants a column: a name, or an Expr.
//
// A null in an operand makes the result null, as in SQL: also of a comparison,
// and Filter keeps what is true only.
type Expr struct{ n *expr }

type exprKind int

const (
	kindBad    exprKind = iota
	kindCol             // name
	kindLit             // value
	kindCall            // name(args...)
	kindAgg             // the same, an aggregate; with filter and order
	kindInfix           // args joined by name
	kindPrefix          // name arg
	kindSuffix          // arg name
	kindCast            // name is the type; value is true for one that gives null
	kindCase            // args: when, then, when, then, ..., else
	kindAlias           // args[0] named name
	kindGo              // value is a *goFunc
	kindField           // args[0].name
	kindIn              // args[0] IN (args[1:])
)

type expr struct {
	kind     exprKind
	name     string
	args     []Expr
	value    any
	distinct bool
	filter   *Expr
	order    []Order
	window   *window
	at       place
	err      error
}

// window is what an expression is computed over.
type window struct {
	keys  []Expr
	order []Order
	rows  *[2]int64 // rows before and after; -1 is all
	span  *[2]any   // the same by the value of the order: durations or numbers
}

// place is where a user's call stands. Zero is unknown.
type place uintptr

// here returns the place of the first caller outside of this package.
func here() place {
	var pcs [8]uintptr
	n := runtime.Callers(3, pcs[:])
	for _, pc := range pcs[:n] {
		f := runtime.FuncForPC(pc - 1)
		if f == nil {
			continue
		}
		if file, _ := f.FileLine(pc - 1); !strings.HasPrefix(f.Name(), packagePath+".") || strings.HasSuffix(file, "_test.go") {
			return place(pc)
		}
	}
	return 0
}

const packagePath = "github.com/weft-go/weft/frame"

func (p place) String() string {
	if p == 0 {
		return ""
	}
	f, _ := runtime.CallersFrames([]uintptr{uintptr(p)}).Next()
	if f.File == "" {
		return ""
	}
	return fmt.Sprintf("%s:%d", f.File, f.Line)
}

// Col is a column by its name. Names are the same whatever the case of their
// letters.
func Col(name string) Expr {
	return Expr{&expr{kind: kindCol, name: name, at: here()}}
}

// Lit is a value: a number, string, bool, time.Time, time.Duration, []byte,
// Decimal, nil for null, or a slice of such.
func Lit(v any) Expr { return value(v) }

// value makes an expression of what stands for a value.
func value(v any) Expr {
	switch v := v.(type) {
	case Expr:
		return v.orBad()
	case Order:
		return bad(fmt.Errorf("Asc and Desc say how to sort and are no values"))
	}
	if _, err := literal(v); err != nil {
		return bad(err)
	}
	return Expr{&expr{kind: kindLit, value: v}}
}

// column makes an expression of what stands for a column.
func column(v any) Expr {
	switch v := v.(type) {
	case string:
		return Expr{&expr{kind: kindCol, name: v, at: here()}}
	case Expr:
		return v.orBad()
	case Order:
		return bad(fmt.Errorf("Asc and Desc say how to sort, and this does not sort"))
	}
	return bad(fmt.Errorf("a %T is no column; give its name or an expression, or wrap a value in frame.Lit", v))
}

func columns(vs []any) []Expr {
	out := make([]Expr, len(vs))
	for i, v := range vs {
		out[i] = column(v)
	}
	return out
}

func bad(err error) Expr { return Expr{&expr{kind: kindBad, err: err, at: here()}} }

// orBad is the expression, or for the zero value one that says so.
func (e Expr) orBad() Expr {
	if e.n == nil {
		return bad(fmt.Errorf("an empty frame.Expr; start with frame.Col or frame.Lit"))
	}
	return e
}

func (e Expr) infix(op string, v any) Expr {
	return Expr{&expr{kind: kindInfix, name: op, args: []Expr{e.orBad(), value(v)}, at: here()}}
}

func call(name string, args ...Expr) Expr {
	return Expr{&expr{kind: kindCall, name: name, args: args, at: here()}}
}

func (e Expr) call(name string, args ...any) Expr {
	all := []Expr{e.orBad()}
	for _, a := range args {
		all = append(all, value(a))
	}
	return call(name, all...)
}

// As names the expression. Without a name it has that of its first column,
// and an aggregate has its own before that: sum_bytes.
func (e Expr) As(name string) Expr {
	return Expr{&expr{kind: kindAlias, name: name, args: []Expr{e.orBad()}, at: here()}}
}

// Arithmetic. Div is exact: of two integers it is a float. IntDiv rounds
// towards zero. Dividing by zero gives null for integers, and an infinity or NaN for
// floats. Integers that overflow are an error when the frame runs.

// Add is e + v; for dates and times v is a time.Duration, for texts use Concat.
func (e Expr) Add(v any) Expr { return e.infix("+", v) }

// Sub is e - v. The difference of two times is an interval.
func (e Expr) Sub(v any) Expr { return e.infix("-", v) }

// Mul is e * v.
func (e Expr) Mul(v any) Expr { return e.infix("*", v) }

// Div is e / v, as a float or decimal.
func (e Expr) Div(v any) Expr { return e.infix("/", v) }

// IntDiv is e divided by v, rounded towards zero.
func (e Expr) IntDiv(v any) Expr { return e.infix("//", v) }

// Mod is the remainder of e divided by v; it has the sign of e.
func (e Expr) Mod(v any) Expr { return e.infix("%", v) }

// Pow is e to the power of v, a float.
func (e Expr) Pow(v any) Expr { return e.call("pow", v) }

// Neg is -e.
func (e Expr) Neg() Expr {
	return Expr{&expr{kind: kindPrefix, name: "-", args: []Expr{e.orBad()}, at: here()}}
}

// Comparison. NaN is equal to itself and greater than all other numbers, so
// that it has a place in a sort.

// Eq is e = v. Of a null it is null; see EqNull and IsNull.
func (e Expr) Eq(v any) Expr { return e.infix("=", v) }

// Ne is e <> v.
func (e Expr) Ne(v any) Expr { return e.infix("<>", v) }

// Lt is e < v.
func (e Expr) Lt(v any) Expr { return e.infix("<", v) }

// Le is e <= v.
func (e Expr) Le(v any) Expr { return e.infix("<=", v) }

// Gt is e > v.
func (e Expr) Gt(v any) Expr { return e.infix(">", v) }

// Ge is e >= v.
func (e Expr) Ge(v any) Expr { return e.infix(">=", v) }

// EqNull is e = v where two nulls are equal; it is never null.
func (e Expr) EqNull(v any) Expr { return e.infix("IS NOT DISTINCT FROM", v) }

// And is true if both are; null and false are false.
func (e Expr) And(v any) Expr { return e.infix("AND", v) }

// Or is true if one is; null or true is true.
func (e Expr) Or(v any) Expr { return e.infix("OR", v) }

// Not is true for false, and null for null.
func (e Expr) Not() Expr {
	return Expr{&expr{kind: kindPrefix, name: "NOT", args: []Expr{e.orBad()}, at: here()}}
}

// IsNull tells whether e is null.
func (e Expr) IsNull() Expr {
	return Expr{&expr{kind: kindSuffix, name: "IS NULL", args: []Expr{e.orBad()}, at: here()}}
}

// IsNotNull tells whether e is not null.
func (e Expr) IsNotNull() Expr {
	return Expr{&expr{kind: kindSuffix, name: "IS NOT NULL", args: []Expr{e.orBad()}, at: here()}}
}

// IsNaN tells whether a float is not a number.
func (e Expr) IsNaN() Expr { return e.call("isnan") }

// IsInf tells whether a float is an infinity.
func (e Expr) IsInf() Expr { return e.call("isinf") }

// In is true if e is one of the values, which may be expressions as well. No
// value at all is false.
func (e Expr) In(values ...any) Expr {
	args := []Expr{e.orBad()}
	for _, v := range values {
		args = append(args, value(v))
	}
	return Expr{&expr{kind: kindIn, args: args, at: here()}}
}

// Between is lo <= e and e <= hi.
func (e Expr) Between(lo, hi any) Expr { return e.Ge(lo).And(e.Le(hi)) }

// FillNull is v where e is null.
func (e Expr) FillNull(v any) Expr { return e.call("coalesce", v) }

// NullIf is null where e equals v.
func (e Expr) NullIf(v any) Expr { return e.call("nullif", v) }

// Cast converts to a type. What can't be converted is an error when the frame
// runs; see TryCast.
func (e Expr) Cast(t Type) Expr {
	return Expr{&expr{kind: kindCast, name: string(t), value: false, args: []Expr{e.orBad()}, at: here()}}
}

// TryCast converts to a type; what can't be converted is null.
func (e Expr) TryCast(t Type) Expr {
	return Expr{&expr{kind: kindCast, name: string(t), value: true, args: []Expr{e.orBad()}, at: here()}}
}

// Coalesce is the first of the columns that is not null.
func Coalesce(cols ...any) Expr { return call("coalesce", columns(cols)...) }

// Greatest is the greatest of the columns; nulls do not count.
func Greatest(cols ...any) Expr { return call("greatest", columns(cols)...) }

// Least is the least of the columns; nulls do not count.
func Least(cols ...any) Expr { return call("least", columns(cols)...) }

// Call calls a function of the engine by its name, for what this package has
// no method for: frame.Call("levenshtein", frame.Col("a"), "weft"). Arguments
// are values.
func Call(name string, args ...any) Expr {
	all := make([]Expr, len(args))
	for i, a := range args {
		all[i] = value(a)
	}
	return call(name, all...)
}

// Case is a choice: Case(When(cond, v), When(cond, v)).Else(v).
type Case struct {
	args []Expr
	at   place
}

// When begins a choice: v where cond is true.
func When(cond Expr, v any) Case { return Case{at: here()}.When(cond, v) }

// When adds a branch, which counts where no earlier one does.
func (c Case) When(cond Expr, v any) Case {
	c.args = append(slices.Clip(c.args), cond.orBad(), value(v))
	return c
}

// Else ends the choice with what is left.
func (c Case) Else(v any) Expr {
	return Expr{&expr{kind: kindCase, args: append(slices.Clip(c.args), value(v)), at: c.at}}
}

// End ends the choice with null for what is left.
func (c Case) End() Expr { return c.Else(nil) }

// Order is a key to sort by.
type Order struct {
	e          Expr
	desc       bool
	nullsFirst bool
}

// Asc sorts from the least to the greatest, nulls last.
func Asc(col any) Order { return Order{e: column(col)} }

// Desc sorts from the greatest to the least, nulls last.
func Desc(col any) Order { return Order{e: column(col), desc: true} }

// NullsFirst puts nulls before everything else.
func (o Order) NullsFirst() Order {
	o.nullsFirst = true
	return o
}

func orders(keys []any) []Order {
	out := make([]Order, len(keys))
	for i, k := range keys {
		if o, ok := k.(Order); ok {
			out[i] = o
			continue
		}
		out[i] = Order{e: column(k)}
	}
	return out
}

// outName is the name of an expression's column.
func (e Expr) outName() string {
	switch e.n.kind {
	case kindAlias, kindCol, kindField:
		return e.n.name
	case kindAgg:
		own := e.n.name
		if s, ok := e.n.value.(string); ok {
			own = s
		}
		if len(e.n.args) > 0 {
			if name := e.n.args[0].firstCol(); name != "" {
				return own + "_" + name
			}
		}
		return own
	case kindCall, kindGo:
		if len(e.n.args) == 0 {
			return e.n.name
		}
	}
	if name := e.firstCol(); name != "" {
		return name
	}
	return "literal"
}

func (e Expr) firstCol() string {
	if e.n.kind == kindCol {
		return e.n.name
	}
	for _, a := range e.n.args {
		if a.n.kind == kindAgg {
			return a.outName()
		}
		if name := a.firstCol(); name != "" {
			return name
		}
	}
	return ""
}

// walk calls f for e and all that is in it.
func (e Expr) walk(f func(*expr)) {
	f(e.n)
	for _, a := range e.n.args {
		a.walk(f)
	}
	if e.n.filter != nil {
		e.n.filter.walk(f)
	}
	for _, o := range e.n.order {
		o.e.walk(f)
	}
	if w := e.n.window; w != nil {
		for _, k := range w.keys {
			k.walk(f)
		}
		for _, o := range w.order {
			o.e.walk(f)
		}
	}
}
