//go:build cgo

package frame

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// cols are the columns of these names, which are known to be there.
func cols(names []string) []Expr {
	out := make([]Expr, len(names))
	for i, n := range names {
		out[i] = Expr{&expr{kind: kindCol, name: n}}
	}
	return out
}

func nameList(s scope, names []string) ([]string, error) {
	out := make([]string, len(names))
	for i, n := range names {
		var err error
		if out[i], err = s.column(n, 0); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// listSQL writes expressions with their names.
func listSQL(s scope, exprs []Expr) (list, names []string, err error) {
	seen := map[string]bool{}
	for _, e := range exprs {
		name := e.outName()
		if e.n.kind == kindCol {
			if name, err = s.find(name, e.n.at); err != nil {
				return nil, nil, err
			}
		}
		if seen[strings.ToLower(name)] {
			return nil, nil, &placed{fmt.Errorf("two columns %q; give one another name with As", name), e.n.at}
		}
		seen[strings.ToLower(name)] = true
		inner := e
		if e.n.kind == kindAlias {
			inner = e.n.args[0]
		}
		text, err := exprSQL(inner, s)
		if err != nil {
			return nil, nil, err
		}
		q, err := quoteName(name)
		if err != nil {
			return nil, nil, &placed{err, e.n.at}
		}
		if inner.n.kind != kindCol || text != s.prefix+q {
			text += " AS " + q
		}
		list, names = append(list, text), append(names, name)
	}
	return list, names, nil
}

func project(r rel, exprs []Expr) (rel, error) {
	if !r.open() {
		r = r.wrap()
	}
	for _, e := range exprs {
		e.walk(func(n *expr) {
			if n.window != nil && len(r.where) > 0 {
				r = r.wrap() // for people: a window is over what is left
			}
		})
	}
	list, names, err := listSQL(r.scope(), exprs)
	r.list, r.names = strings.Join(list, ", "), names
	return r, err
}

func with(r rel, exprs []Expr) (rel, error) {
	if !r.open() {
		r = r.wrap()
	}
	list, names, err := listSQL(r.scope(), exprs)
	if err != nil {
		return rel{}, err
	}
	var replaced, added []string
	out := slices.Clone(r.names)
	for i, name := range names {
		q, _ := quoteName(name)
		text := list[i]
		if !strings.HasSuffix(text, " AS "+q) {
			text += " AS " + q
		}
		at := slices.IndexFunc(r.names, func(n string) bool { return strings.EqualFold(n, name) })
		if at < 0 {
			added, out = append(added, text), append(out, name)
			continue
		}
		old, _ := quoteName(r.names[at])
		replaced = append(replaced, strings.TrimSuffix(text, " AS "+q)+" AS "+old)
	}
	r.list = "*"
	if len(replaced) > 0 {
		r.list += " REPLACE (" + strings.Join(replaced, ", ") + ")"
	}
	r.list = strings.Join(append([]string{r.list}, added...), ", ")
	r.names = out
	return r, nil
}

func replace(r rel, name, text string) (rel, error) {
	if !r.open() {
		r = r.wrap()
	}
	q, err := quoteName(name)
	r.list = "* REPLACE (" + text + " AS " + q + ")"
	return r, err
}

func filter(r rel, conds []Expr) (rel, error) {
	if !r.open() {
		r = r.wrap()
	}
	r.where = slices.Clone(r.where)
	for _, c := range conds {
		if c.n.kind == kindAlias {
			c = c.n.args[0]
		}
		text, err := exprSQL(c, r.scope())
		if err != nil {
			return rel{}, err
		}
		r.where = append(r.where, text)
	}
	return r, nil
}

func group(r rel, s groupStep) (rel, error) {
	if !r.open() {
		r = r.wrap()
	}
	list, names, err := listSQL(r.scope(), slices.Concat(s.keys, s.aggs))
	if err != nil {
		return rel{}, err
	}
	r.list, r.names = strings.Join(list, ", "), names
	if len(s.keys) > 0 {
		places := make([]string, len(s.keys))
		for i := range places {
			places[i] = strconv.Itoa(i + 1)
		}
		r.tail = "GROUP BY " + strings.Join(places, ", ")
	}
	for i, a := range s.aggs {
		isAgg := false
		a.walk(func(n *expr) { isAgg = isAgg || n.kind == kindAgg })
		if !isAgg {
			return rel{}, &placed{fmt.Errorf("%s is no aggregate; wrap it in frame.Sum, frame.First or the like, or make it a key", names[len(s.keys)+i]), a.n.at}
		}
	}
	return r, nil
}

func join(l, r rel, s joinStep) (rel, error) {
	ls, rs := scope{"l.", l.names, &nameIndex{}}, scope{"r.", r.names, &nameIndex{}}
	var on []string
	keys := map[string]string{} // of the left frame, by that of the right one
	for i, p := range s.pairs {
		left, err := ls.find(p.Left, 0)
		if err != nil {
			return rel{}, fmt.Errorf("in the left frame: %w", err)
		}
		right, err := rs.find(p.Right, 0)
		if err != nil {
			return rel{}, fmt.Errorf("in the right frame: %w", err)
		}
		lq, _ := ls.column(left, 0)
		rq, _ := rs.column(right, 0)
		op := " = "
		if s.how == AsOf && i == len(s.pairs)-1 {
			op = " >= "
		} else if strings.EqualFold(left, right) {
			keys[right] = left
		}
		on = append(on, lq+op+rq)
	}
	var list, names []string
	used := map[string]bool{}
	for _, n := range l.names {
		lq, err := ls.column(n, 0)
		if err != nil {
			return rel{}, err
		}
		for right, left := range keys {
			rq, _ := rs.column(right, 0)
			q, _ := quoteName(n)
			switch {
			case left != n:
			case s.how == Right:
				lq = rq + " AS " + q
			case s.how == Full:
				lq = "coalesce(" + lq + ", " + rq + ") AS " + q
			}
		}
		list, names = append(list, lq), append(names, n)
		used[strings.ToLower(n)] = true
	}
	if s.how != Semi && s.how != Anti {
		for _, n := range r.names {
			if _, key := keys[n]; key {
				continue
			}
			text, err := rs.column(n, 0)
			if err != nil {
				return rel{}, err
			}
			name := n
			for used[strings.ToLower(name)] {
				name += "_right"
			}
			used[strings.ToLower(name)] = true
			if name != n {
				q, _ := quoteName(name)
				text += " AS " + q
			}
			list, names = append(list, text), append(names, name)
		}
	}
	words := []string{"JOIN", "LEFT JOIN", "RIGHT JOIN", "FULL JOIN", "SEMI JOIN", "ANTI JOIN", "CROSS JOIN", "ASOF LEFT JOIN"}[s.how]
	cond := ""
	if len(on) > 0 {
		cond = " ON " + strings.Join(on, " AND ")
	}
	lf, rf := l.sub("l"), r.sub("r")
	return rel{
		from: func(indent string) string {
			return lf(indent) + nl + indent + words + " " + rf(indent) + cond
		},
		list:  strings.Join(list, ", "),
		names: names,
	}, nil
}

func set(in []rel, s setStep) (rel, error) {
	names := slices.Clone(in[0].names)
	texts := make([]func(string) string, len(in))
	for i, r := range in {
		texts[i] = r.text
		if s.call == "Union" {
			for _, n := range r.names {
				if !slices.ContainsFunc(names, func(m string) bool { return strings.EqualFold(n, m) }) {
					names = append(names, n)
				}
			}
			continue
		}
		if len(r.names) != len(names) {
			return rel{}, fmt.Errorf("the frames have other columns: %s, and %s", strings.Join(names, ", "), strings.Join(r.names, ", "))
		}
		p, err := project(r.wrap(), cols(names))
		if err != nil {
			return rel{}, fmt.Errorf("in the other frame: %w", err)
		}
		texts[i] = p.text
	}
	return rel{
		from: func(indent string) string {
			inner := indent + "  "
			b := "("
			for i, t := range texts {
				if i > 0 {
					b += nl + inner + s.op
				}
				b += nl + inner + "(" + t(inner+" ") + ")"
			}
			return b + nl + indent + ") AS t"
		},
		names: names,
	}, nil
}

func unpivot(r rel, s unpivotStep) (rel, error) {
	names := make([]string, 0, len(r.names))
	list, err := nameList(scope{"", r.names, &nameIndex{}}, s.names)
	if err != nil {
		return rel{}, err
	}
	for _, n := range r.names {
		if !slices.ContainsFunc(s.names, func(m string) bool { return strings.EqualFold(n, m) }) {
			names = append(names, n)
		}
	}
	name, err := quoteName(s.name)
	if err != nil {
		return rel{}, err
	}
	val, err := quoteName(s.value)
	if err != nil {
		return rel{}, err
	}
	from := r.sub("u")
	return rel{
		from: func(indent string) string {
			in := indent + "  "
			return "(" + nl + in + "SELECT * FROM " + from(in) + nl + in + "UNPIVOT INCLUDE NULLS (" + val + " FOR " + name + " IN (" + strings.Join(list, ", ") + "))" + nl + indent + ") AS t"
		},
		names: append(names, s.name, s.value),
	}, nil
}

// fits tells whether a value can stand for a null of a type.
func fits(t Type, v any) bool {
	text := t == String
	number := slices.Contains([]Type{Int8, Int16, Int32, Int64, Uint8, Uint16, Uint32, Uint64, HugeInt, "UHUGEINT", Float32, Float64}, t) || strings.HasPrefix(string(t), "DECIMAL")
	switch kindOf(v) {
	case "text":
		return text
	case "number":
		return number
	case "bool":
		return t == Bool
	case "time":
		return t == Date || t == DateTime || t == Instant || strings.HasPrefix(string(t), "TIMESTAMP")
	}
	return false
}
