//go:build cgo

package frame

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// record is a row of the random frames. Small values make rows equal often.
type record struct {
	K string
	A *int64
	B int64
	F float64
}

func records() *rapid.Generator[[]record] {
	return rapid.SliceOfN(rapid.Custom(func(t *rapid.T) record {
		r := record{
			K: rapid.SampledFrom([]string{"", "x", "y", "ü'", "a longer text than twelve"}).Draw(t, "k"),
			B: rapid.Int64Range(-4, 4).Draw(t, "b"),
			F: rapid.SampledFrom([]float64{0, -1.5, 2.25, math.Inf(1), math.Inf(-1), math.NaN()}).Draw(t, "f"),
		}
		if rapid.IntRange(0, 3).Draw(t, "null") > 0 {
			r.A = ptr(rapid.Int64Range(-5, 5).Draw(t, "a"))
		}
		return r
	}), 0, 40)
}

// sum is an expression twice: for the engine, and as Go.
type num2 struct {
	e    Expr
	eval func(record) *int64
}

type cond2 struct {
	e    Expr
	eval func(record) *bool
}

// lift makes a function of numbers one of numbers that may be null.
func lift[R any](a, b num2, f func(x, y int64) *R) func(record) *R {
	return func(r record) *R {
		x, y := a.eval(r), b.eval(r)
		if x == nil || y == nil {
			return nil
		}
		return f(*x, *y)
	}
}

func number2(t *rapid.T, depth int) num2 {
	kinds := []string{"a", "b", "lit"}
	if depth > 0 {
		kinds = append(kinds, "+", "-", "*", "//", "%", "neg", "fill", "case", "least", "nullif")
	}
	sub := func() num2 { return number2(t, depth-1) }
	switch k := rapid.SampledFrom(kinds).Draw(t, "number"); k {
	case "a":
		return num2{Col("a"), func(r record) *int64 { return r.A }}
	case "b":
		return num2{Col("B"), func(r record) *int64 { return &r.B }}
	case "lit":
		v := rapid.Int64Range(-3, 3).Draw(t, "value")
		return num2{Lit(v).Cast(Int64), func(record) *int64 { return &v }}
	case "+":
		a, b := sub(), sub()
		return num2{a.e.Add(b.e), lift(a, b, func(x, y int64) *int64 { return ptr(x + y) })}
	case "-":
		a, b := sub(), sub()
		return num2{a.e.Sub(b.e), lift(a, b, func(x, y int64) *int64 { return ptr(x - y) })}
	case "*":
		a, b := sub(), sub()
		return num2{a.e.Mul(b.e), lift(a, b, func(x, y int64) *int64 { return ptr(x * y) })}
	case "//", "%":
		a, b := sub(), sub()
		op, f := a.e.IntDiv, func(x, y int64) int64 { return x / y }
		if k == "%" {
			op, f = a.e.Mod, func(x, y int64) int64 { return x % y }
		}
		return num2{op(b.e), lift(a, b, func(x, y int64) *int64 {
			if y == 0 {
				return nil
			}
			return ptr(f(x, y))
		})}
	case "neg":
		a := sub()
		return num2{a.e.Neg(), lift(a, a, func(x, _ int64) *int64 { return ptr(-x) })}
	case "fill":
		a, b := sub(), sub()
		return num2{a.e.FillNull(b.e), func(r record) *int64 { return cmp.Or(a.eval(r), b.eval(r)) }}
	case "case":
		c, a, b := condition2(t, depth-1), sub(), sub()
		return num2{When(c.e, a.e).Else(b.e), func(r record) *int64 {
			if v := c.eval(r); v != nil && *v {
				return a.eval(r)
			}
			return b.eval(r)
		}}
	case "least":
		a, b := sub(), sub()
		return num2{Least(a.e, b.e), func(r record) *int64 {
			x, y := a.eval(r), b.eval(r)
			if x == nil || y != nil && *y < *x {
				return y
			}
			return x
		}}
	default:
		a, b := sub(), sub()
		return num2{a.e.NullIf(b.e), func(r record) *int64 {
			x, y := a.eval(r), b.eval(r)
			if x != nil && y != nil && *x == *y {
				return nil
			}
			return x
		}}
	}
}

func condition2(t *rapid.T, depth int) cond2 {
	kinds := []string{"<", "=", "k", "null"}
	if depth > 0 {
		kinds = append(kinds, "and", "or", "not", "in", "between", "same")
	}
	sub := func() cond2 { return condition2(t, depth-1) }
	num := func() num2 { return number2(t, max(depth-1, 0)) }
	switch rapid.SampledFrom(kinds).Draw(t, "condition") {
	case "<":
		a, b := num(), num()
		return cond2{a.e.Lt(b.e), lift(a, b, func(x, y int64) *bool { return ptr(x < y) })}
	case "=":
		a, b := num(), num()
		return cond2{a.e.Eq(b.e), lift(a, b, func(x, y int64) *bool { return ptr(x == y) })}
	case "k":
		v := rapid.SampledFrom([]string{"", "x", "ü'", "nope"}).Draw(t, "text")
		return cond2{Col("k").Eq(v), func(r record) *bool { return ptr(r.K == v) }}
	case "null":
		a := num()
		return cond2{a.e.IsNull(), func(r record) *bool { return ptr(a.eval(r) == nil) }}
	case "and", "or":
		a, b := sub(), sub()
		decides := rapid.Bool().Draw(t, "or") // true decides an or, false an and
		op := a.e.And
		if decides {
			op = a.e.Or
		}
		return cond2{op(b.e), func(r record) *bool {
			x, y := a.eval(r), b.eval(r)
			switch {
			case x != nil && *x == decides || y != nil && *y == decides:
				return ptr(decides)
			case x == nil || y == nil:
				return nil
			}
			return ptr(!decides)
		}}
	case "not":
		a := sub()
		return cond2{a.e.Not(), func(r record) *bool {
			if v := a.eval(r); v != nil {
				return ptr(!*v)
			}
			return nil
		}}
	case "in":
		a := num()
		vs := rapid.SliceOfN(rapid.Int64Range(-3, 3), 0, 3).Draw(t, "values")
		args := make([]any, len(vs))
		for i, v := range vs {
			args[i] = v
		}
		return cond2{a.e.In(args...), func(r record) *bool {
			x := a.eval(r)
			if x == nil && len(vs) > 0 {
				return nil
			}
			return ptr(x != nil && slices.Contains(vs, *x))
		}}
	case "between":
		a := num()
		return cond2{a.e.Between(-1, 2), lift(a, a, func(x, _ int64) *bool { return ptr(-1 <= x && x <= 2) })}
	default:
		a, b := num(), num()
		return cond2{a.e.EqNull(b.e), func(r record) *bool {
			x, y := a.eval(r), b.eval(r)
			return ptr(x == nil && y == nil || x != nil && y != nil && *x == *y)
		}}
	}
}

// model is a random frame, and its rows as Go has them.
type model struct {
	f    *Frame
	rows []record
}

func (m model) step(t *rapid.T) model {
	switch rapid.SampledFrom([]string{"filter", "with", "limit", "sort", "union", "semi", "distinct", "drop null", "fill"}).Draw(t, "step") {
	case "filter":
		c := condition2(t, 2)
		m.f = m.f.Filter(c.e)
		m.rows = slices.DeleteFunc(slices.Clone(m.rows), func(r record) bool { v := c.eval(r); return v == nil || !*v })
	case "with":
		n := number2(t, 3)
		m.f = m.f.With(n.e.Mod(7).As("a"))
		m.rows = slices.Clone(m.rows)
		for i, r := range m.rows {
			m.rows[i].A = n.eval(r)
			if v := m.rows[i].A; v != nil {
				m.rows[i].A = ptr(*v % 7)
			}
		}
	case "limit":
		// Only a full sort says which rows are first.
		n := rapid.IntRange(0, 30).Draw(t, "n")
		m.f = m.f.Sort("k", "a", "B", Desc("f")).Limit(n)
		m.rows = sortedRecords(m.rows)
		m.rows = m.rows[:min(n, len(m.rows))]
	case "sort":
		m.f = m.f.Sort(Desc("f"))
	case "union":
		m.f = m.f.Union(m.f.Filter(Col("b").Gt(0)))
		for _, r := range slices.Clone(m.rows) {
			if r.B > 0 {
				m.rows = append(m.rows[:len(m.rows):len(m.rows)], r)
			}
		}
	case "semi":
		how := rapid.SampledFrom([]How{Semi, Anti}).Draw(t, "how")
		m.f = m.f.Join(m.f.Filter(Col("b").Lt(0)), how, "a")
		has := map[int64]bool{}
		for _, r := range m.rows {
			if r.B < 0 && r.A != nil {
				has[*r.A] = true
			}
		}
		m.rows = slices.DeleteFunc(slices.Clone(m.rows), func(r record) bool { return (r.A != nil && has[*r.A]) != (how == Semi) })
	case "distinct":
		m.f = m.f.Distinct()
		m.rows = slices.CompactFunc(sortedRecords(m.rows), func(a, b record) bool { return compareRecords(a, b) == 0 })
	case "drop null":
		m.f = m.f.DropNull("a")
		m.rows = slices.DeleteFunc(slices.Clone(m.rows), func(r record) bool { return r.A == nil })
	case "fill":
		m.f = m.f.FillNull(9, "a")
		m.rows = slices.Clone(m.rows)
		for i := range m.rows {
			m.rows[i].A = cmp.Or(m.rows[i].A, ptr(int64(9)))
		}
	}
	return m
}

// compareRecords has the engine's order: nulls last, NaN above all.
func compareRecords(a, b record) int {
	null := func(p *int64) int {
		if p == nil {
			return 1
		}
		return 0
	}
	val := func(p *int64) int64 {
		if p == nil {
			return 0
		}
		return *p
	}
	return cmp.Or(cmp.Compare(a.K, b.K), cmp.Compare(null(a.A), null(b.A)), cmp.Compare(val(a.A), val(b.A)), cmp.Compare(a.B, b.B), compareFloats(b.F, a.F))
}

func compareFloats(a, b float64) int {
	switch {
	case math.IsNaN(a) && math.IsNaN(b):
		return 0
	case math.IsNaN(a):
		return 1
	case math.IsNaN(b):
		return -1
	}
	return cmp.Compare(a, b)
}

func sortedRecords(rows []record) []record {
	rows = slices.Clone(rows)
	slices.SortStableFunc(rows, compareRecords)
	return rows
}

func show(rows []record) string {
	s := ""
	for _, r := range rows {
		a := "∅"
		if r.A != nil {
			a = fmt.Sprint(*r.A)
		}
		s += fmt.Sprintf("%q %s %d %v\n", r.K, a, r.B, r.F)
	}
	return s
}

// Random frames over random rows give what a few lines of Go give, and the
// same through plain SQL.
func TestRandomFrames(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		rows := records().Draw(rt, "rows")
		m := model{FromSlice(rows), rows}
		for range rapid.IntRange(0, 4).Draw(rt, "steps") {
			m = m.step(rt)
		}
		text, err := m.f.Explain(t.Context())
		if err != nil {
			rt.Fatal(err)
		}
		got, err := Collect[record](t.Context(), m.f)
		if err != nil {
			rt.Fatalf("%v\n%s", err, text)
		}
		want := show(sortedRecords(m.rows))
		if got := show(sortedRecords(got)); got != want {
			rt.Fatalf("got\n%swant\n%s%s", got, want, text)
		}
		type sums struct {
			K    string
			N    int64
			A    *int64
			Lo   *int64
			Dist int64
		}
		byGo := map[string]sums{}
		seen := map[string]map[int64]bool{}
		for _, r := range m.rows {
			s := byGo[r.K]
			s.K = r.K
			s.N++
			if r.A != nil {
				s.A = ptr(*cmp.Or(s.A, ptr(int64(0))) + *r.A)
				if s.Lo == nil || *r.A < *s.Lo {
					s.Lo = r.A
				}
				if seen[r.K] == nil {
					seen[r.K] = map[int64]bool{}
				}
				seen[r.K][*r.A] = true
				s.Dist = int64(len(seen[r.K]))
			}
			byGo[r.K] = s
		}
		grouped := m.f.GroupBy("k").Agg(CountRows().As("n"), Sum("a").As("a"), Min("a").As("lo"), CountDistinct("a").As("dist"))
		bySQL := SQL("SELECT k AS K, count(*) AS n, sum(a) AS a, min(a) AS lo, count(DISTINCT a) AS dist FROM f GROUP BY k", map[string]*Frame{"f": m.f})
		for name, f := range map[string]*Frame{"the frame": grouped, "SQL": bySQL} {
			groups, err := Collect[sums](t.Context(), f)
			if err != nil {
				rt.Fatal(err)
			}
			if len(groups) != len(byGo) {
				rt.Fatalf("%s has %d groups, want %d", name, len(groups), len(byGo))
			}
			text := func(s sums) string {
				return fmt.Sprintf("%q %d %d %d %d", s.K, s.N, *cmp.Or(s.A, ptr(int64(-999))), *cmp.Or(s.Lo, ptr(int64(-999))), s.Dist)
			}
			for _, g := range groups {
				if text(g) != text(byGo[g.K]) {
					rt.Fatalf("%s has %s, want %s", name, text(g), text(byGo[g.K]))
				}
			}
		}
	})
}
