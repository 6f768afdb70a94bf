//go:build cgo

package frame

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// writer turns a plan into SQL. It is pure but for the two functions that it
// is given.
type writer struct {
	// describe returns the columns of a query of sources, as only the engine
	// can know them.
	describe func(sql string) ([]Column, error)
	// source returns the SQL for rows from Go.
	source func(s goSource, ordered bool) (string, error)

	uses   map[*node]int
	shared map[*node]rel
	ctes   []string
}

// rel is a query in the making.
type rel struct {
	from  func(indent string) string // what follows FROM
	list  string                     // "" is *
	where []string
	tail  string // GROUP BY, ORDER BY, LIMIT, ...
	names []string
}

const nl = "\n"

func (r rel) text(indent string) string {
	list := r.list
	if list == "" {
		list = "*"
	}
	b := "SELECT " + list + nl + indent + "FROM " + r.from(indent)
	if len(r.where) > 0 {
		b += nl + indent + "WHERE " + strings.Join(r.where, " AND ")
	}
	if r.tail != "" {
		b += nl + indent + r.tail
	}
	return b
}

// open is a query that conditions may be added to, and whose list may be set.
func (r rel) open() bool { return r.list == "" && r.tail == "" }

// sub makes the query the source of another one.
func (r rel) sub(alias string) func(string) string {
	return func(indent string) string {
		if r.open() && len(r.where) == 0 && alias == "t" {
			return r.from(indent)
		}
		in := indent + "  "
		return "(" + nl + in + r.text(in) + nl + indent + ") AS " + alias
	}
}

func (r rel) wrap() rel { return rel{from: r.sub("t"), names: r.names} }

func (r rel) scope() scope { return scope{prefix: "t.", names: r.names} }

func newWriter(describe func(string) ([]Column, error), source func(goSource, bool) (string, error)) *writer {
	return &writer{describe: describe, source: source, uses: map[*node]int{}, shared: map[*node]rel{}}
}

// sql returns the query for a plan, and the names of its columns.
func (w *writer) sql(n *node) (string, []string, error) {
	w.count(n)
	r, err := w.rel(n, true)
	if err != nil {
		return "", nil, err
	}
	text := r.text("")
	if len(w.ctes) > 0 {
		text = "WITH " + strings.Join(w.ctes, ","+nl) + nl + text
	}
	return text, r.names, nil
}

func (w *writer) count(n *node) {
	if w.uses[n]++; w.uses[n] > 1 {
		return
	}
	for _, in := range n.in {
		w.count(in)
	}
}

// rel writes a node. What is used twice and has steps is computed once.
func (w *writer) rel(n *node, ordered bool) (rel, error) {
	if r, ok := w.shared[n]; ok {
		return r, nil
	}
	r, err := w.node(n, ordered)
	if err != nil {
		return rel{}, n.blame(err)
	}
	if w.uses[n] > 1 && len(n.in) > 0 {
		name := "weft_shared_" + strconv.Itoa(len(w.ctes)+1)
		w.ctes = append(w.ctes, name+" AS ("+nl+"  "+r.text("  ")+nl+")")
		r = rel{from: func(string) string { return name + " AS t" }, names: r.names}
		w.shared[n] = r
	}
	return r, nil
}

func (w *writer) node(n *node, ordered bool) (rel, error) {
	if n.err != nil {
		return rel{}, n.err
	}
	switch s := n.step.(type) {
	case readStep:
		return w.leaf(s.sql)
	case goStep:
		text, err := w.source(s.src, ordered)
		if err != nil {
			return rel{}, err
		}
		r := rel{from: func(string) string { return text + " AS t" }}
		for _, c := range s.src.columns() {
			r.names = append(r.names, c.Name)
		}
		return r, nil
	case sqlStep:
		return w.sqlStep(n, s)
	}
	in := make([]rel, len(n.in))
	for i, c := range n.in {
		var err error
		if in[i], err = w.rel(c, ordered && keepsOrder(n.step)); err != nil {
			return rel{}, err
		}
	}
	return w.step(n.step, in)
}

// keepsOrder tells whether the order of a step's rows comes from that of its
// input's.
func keepsOrder(s step) bool {
	aggs := func(es []Expr) (yes bool) {
		for _, e := range es {
			e.walk(func(n *expr) {
				if n.kind == kindAgg && len(n.order) == 0 && (n.name == "first" || n.name == "last" || n.name == "list") {
					yes = true
				}
			})
		}
		return yes
	}
	switch s := s.(type) {
	case sortStep, describeStep, distinctStep, sampleStep:
		return false
	case groupStep:
		return aggs(s.aggs)
	case pivotStep:
		return aggs(s.aggs)
	case setStep:
		return s.call == "Union"
	case joinStep:
		return s.how == Cross
	}
	return true
}

func (w *writer) leaf(sql func() (string, error)) (rel, error) {
	text, err := sql()
	if err != nil {
		return rel{}, err
	}
	r := rel{from: func(string) string { return text + " AS t" }}
	cols, err := w.describe("SELECT * FROM " + text + " AS t")
	for _, c := range cols {
		r.names = append(r.names, c.Name)
	}
	return r, err
}

func (s readStep) sql() (string, error) {
	files := make([]string, len(s.files))
	for i, f := range s.files {
		var err error
		if files[i], err = quoteText(f); err != nil {
			return "", err
		}
	}
	arg := files[0]
	if len(files) > 1 {
		arg = "[" + strings.Join(files, ", ") + "]"
	}
	return s.reader + "(" + strings.Join(append([]string{arg}, s.args...), ", ") + ")", nil
}

func (w *writer) sqlStep(n *node, s sqlStep) (rel, error) {
	var with []string
	for i, name := range s.names {
		q, err := quoteName(name)
		if err != nil {
			return rel{}, err
		}
		in, err := w.rel(n.in[i], true)
		if err != nil {
			return rel{}, err
		}
		with = append(with, q+" AS ("+nl+"  "+in.text("  ")+nl+")")
	}
	text := "(" + nl
	if len(with) > 0 {
		text += "WITH " + strings.Join(with, ","+nl) + nl + "SELECT * FROM (" + nl + s.text + nl + ")" + nl
	} else {
		text += s.text + nl
	}
	text += ")"
	cols, err := w.describe(w.withCTEs("SELECT * FROM " + text + " AS t"))
	if err != nil {
		return rel{}, err
	}
	r := rel{from: func(string) string { return text + " AS t" }}
	for _, c := range cols {
		r.names = append(r.names, c.Name)
	}
	return r, nil
}

func (w *writer) withCTEs(sql string) string {
	if len(w.ctes) == 0 {
		return sql
	}
	return "WITH " + strings.Join(w.ctes, ","+nl) + nl + sql
}

// blame says at which node an error is, if nothing nearer does.
func (n *node) blame(err error) error {
	if _, ok := errors.AsType[*Error](err); ok {
		return err
	}
	e := &Error{Call: n.step.verb(), At: n.at.String(), Err: err}
	if c, ok := errors.AsType[*columnError](err); ok {
		e.Column = c.name
		if at := c.at.String(); at != "" {
			e.At = at
		}
	}
	if p, ok := errors.AsType[*placed](err); ok {
		e.Err = p.error
		if at := p.at.String(); at != "" {
			e.At = at
		}
	}
	return e
}

func (w *writer) step(s step, in []rel) (rel, error) {
	r := in[0]
	switch s := s.(type) {
	case selectStep:
		return project(r, s.exprs)
	case withStep:
		return with(r, s.exprs)
	case dropStep:
		keep := slices.Clone(r.names)
		for _, name := range s.names {
			found, err := r.scope().find(name, 0)
			if err != nil {
				return rel{}, err
			}
			keep = slices.DeleteFunc(keep, func(n string) bool { return n == found })
		}
		if len(keep) == 0 {
			return rel{}, fmt.Errorf("no column is left")
		}
		return project(r, cols(keep))
	case renameStep:
		found, err := r.scope().find(s.from, 0)
		if err != nil {
			return rel{}, err
		}
		exprs := cols(r.names)
		for i, n := range r.names {
			if n == found {
				exprs[i] = exprs[i].As(s.to)
			}
		}
		return project(r, exprs)
	case castStep:
		var exprs []Expr
		for _, name := range s.names {
			exprs = append(exprs, Col(name).Cast(s.to).As(name))
		}
		return with(r, exprs)
	case filterStep:
		return filter(r, s.conds)
	case groupStep:
		return group(r, s)
	case pivotStep:
		return group(r, s.groupStep)
	case joinStep:
		return join(r, in[1], s)
	case sortStep:
		r = r.wrap()
		o, err := orderSQL(s.keys, r.scope())
		r.tail = "ORDER BY " + o
		return r, err
	case limitStep:
		if strings.Contains(r.tail, "LIMIT") || strings.Contains(r.tail, "SAMPLE") {
			r = r.wrap()
		}
		limit := "LIMIT " + strconv.FormatInt(s.n, 10)
		if s.offset > 0 {
			limit += " OFFSET " + strconv.FormatInt(s.offset, 10)
		}
		r.tail = strings.TrimSpace(r.tail + " " + limit)
		return r, nil
	case distinctStep:
		r = r.wrap()
		list, err := nameList(r.scope(), s.names)
		if err != nil {
			return rel{}, err
		}
		r.list = "DISTINCT *"
		if len(list) > 0 {
			r.list = "DISTINCT ON (" + strings.Join(list, ", ") + ") *"
		}
		return r, nil
	case setStep:
		return set(in, s)
	case unpivotStep:
		return unpivot(r, s)
	case explodeStep:
		found, err := r.scope().column(s.name, 0)
		if err != nil {
			return rel{}, err
		}
		name, _ := r.scope().find(s.name, 0)
		return replace(r, name, "unnest(CASE WHEN len("+found+") > 0 THEN "+found+" ELSE [NULL] END)")
	case sampleStep:
		r = r.wrap()
		r.tail = fmt.Sprintf("USING SAMPLE %s PERCENT (bernoulli, %d)", strconv.FormatFloat(s.share*100, 'f', -1, 64), s.seed)
		return r, nil
	case fillStep:
		names := s.names
		if len(names) == 0 && kindOf(s.value) == "" {
			return rel{}, fmt.Errorf("it needs the names of columns, as %s is of no kind that columns could be chosen by", s.with)
		}
		if len(names) == 0 {
			all, err := w.describe(w.withCTEs(r.text("")))
			if err != nil {
				return rel{}, err
			}
			for _, c := range all {
				if fits(c.Type, s.value) {
					names = append(names, c.Name)
				}
			}
		}
		var exprs []Expr
		for _, name := range names {
			exprs = append(exprs, Col(name).FillNull(s.with).As(name))
		}
		return with(r, exprs)
	case dropNullStep:
		names := s.names
		if len(names) == 0 {
			names = r.names
		}
		var conds []Expr
		for _, n := range names {
			conds = append(conds, Col(n).IsNotNull())
		}
		return filter(r, conds)
	case describeStep:
		text := "(SUMMARIZE" + nl + r.text("") + nl + ")"
		return rel{from: func(string) string { return text + " AS t" }, names: []string{"column_name", "column_type", "min", "max", "approx_unique", "avg", "std", "q25", "q50", "q75", "count", "null_percentage"}}, nil
	}
	return rel{}, fmt.Errorf("no SQL for %T", s)
}

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
	ls, rs := scope{"l.", l.names}, scope{"r.", r.names}
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
	list, err := nameList(scope{"", r.names}, s.names)
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
