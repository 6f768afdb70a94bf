//go:build cgo

package frame

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// writer turns a plan into SQL. It is pure but for the functions that it is
// given.
type writer struct {
	// read returns the names of the columns of a source, names and describe those
	// of a query, as only the engine can know them.
	read     func(s readStep, sql string) ([]string, error)
	names    func(sql string) ([]string, error)
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

func (r rel) scope() scope { return scope{"t.", r.names, &nameIndex{}} }

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
		return w.leaf(s)
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

func (w *writer) leaf(s readStep) (rel, error) {
	text, err := s.sql()
	if err != nil {
		return rel{}, err
	}
	r := rel{from: func(string) string { return text + " AS t" }}
	r.names, err = w.read(s, r.text(""))
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
	r := rel{from: func(string) string { return text + " AS t" }}
	var err error
	r.names, err = w.names(w.withCTEs(r.text("")))
	return r, err
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
