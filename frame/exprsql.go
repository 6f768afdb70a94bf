//go:build cgo

package frame

import (
	"cmp"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// scope is what an expression may name.
type scope struct {
	prefix string   // before each column, with its point; "" to name columns alone
	names  []string // the columns there are; nil to take any
	index  *nameIndex
}

// manyColumns is from how many columns on an index is faster than a look at
// each.
const manyColumns = 100

// nameIndex finds columns where there are many. It is made when first used.
type nameIndex struct{ exact, folded map[string]string }

func (x *nameIndex) find(names []string, name string, at place) (string, error) {
	if x.exact == nil {
		x.exact, x.folded = make(map[string]string, len(names)), make(map[string]string, len(names))
		for _, n := range names {
			x.exact[n] = n
			if f := strings.ToLower(n); x.folded[f] == "" {
				x.folded[f] = n
			}
		}
	}
	n := cmp.Or(x.exact[name], x.folded[strings.ToLower(name)])
	if n == "" {
		return "", &columnError{name, names, at}
	}
	return n, nil
}

// columnError is a column that is not there.
type columnError struct {
	name  string
	names []string
	at    place
}

func (e *columnError) Error() string { return noColumn(e.name, e.names) }

// find returns the column as it is written in the frame.
func (s scope) find(name string, at place) (string, error) {
	if s.names == nil {
		return name, nil
	}
	if len(s.names) > manyColumns && s.index != nil {
		return s.index.find(s.names, name, at)
	}
	folded := ""
	for _, n := range s.names {
		if n == name {
			return n, nil
		}
		if folded == "" && strings.EqualFold(n, name) {
			folded = n
		}
	}
	if folded == "" {
		return "", &columnError{name, s.names, at}
	}
	return folded, nil
}

func (s scope) column(name string, at place) (string, error) {
	name, err := s.find(name, at)
	if err != nil {
		return "", err
	}
	q, err := quoteName(name)
	return s.prefix + q, err
}

// placed is an error in an expression, with the place where that was built.
type placed struct {
	error
	at place
}

func (p *placed) Unwrap() error { return p.error }

// exprSQL writes an expression. It is pure: the same expression and scope give
// the same text.
func exprSQL(e Expr, s scope) (string, error) {
	text, err := exprText(e.n, s)
	if err != nil {
		if _, ok := errors.AsType[*placed](err); !ok {
			if _, ok := errors.AsType[*columnError](err); !ok {
				err = &placed{err, e.n.at}
			}
		}
	}
	return text, err
}

func exprText(n *expr, s scope) (string, error) {
	if n.err != nil {
		return "", n.err
	}
	args := make([]string, len(n.args))
	for i, a := range n.args {
		if n.kind != kindAlias && a.n.kind == kindAlias && !(n.kind == kindCall && n.name == "struct_pack") {
			a = a.n.args[0] // a name inside of an expression means nothing
		}
		if n.kind == kindCall && n.name == "struct_pack" {
			name, err := quoteName(a.outName())
			if err != nil {
				return "", err
			}
			if a.n.kind == kindAlias {
				a = a.n.args[0]
			}
			v, err := exprSQL(a, s)
			if err != nil {
				return "", err
			}
			args[i] = name + " := " + v
			continue
		}
		var err error
		if args[i], err = exprSQL(a, s); err != nil {
			return "", err
		}
	}
	switch n.kind {
	case kindCol:
		return s.column(n.name, n.at)
	case kindLit:
		return literal(n.value)
	case kindCall:
		name := n.name
		if !plainName(name) {
			var err error
			if name, err = quoteName(name); err != nil {
				return "", err
			}
		}
		return name + "(" + strings.Join(args, ", ") + ")", nil
	case kindGo:
		return n.value.(*goFunc).sqlName() + "(" + strings.Join(args, ", ") + ")", nil
	case kindAgg:
		return aggSQL(n, args, s)
	case kindInfix:
		return "(" + args[0] + " " + n.name + " " + args[1] + ")", nil
	case kindPrefix:
		return "(" + n.name + " " + args[0] + ")", nil
	case kindSuffix:
		return "(" + args[0] + " " + n.name + ")", nil
	case kindCast:
		t, err := checkType(Type(n.name))
		if err != nil {
			return "", err
		}
		if n.value == true {
			return "TRY_CAST(" + args[0] + " AS " + t + ")", nil
		}
		return "CAST(" + args[0] + " AS " + t + ")", nil
	case kindCase:
		var b strings.Builder
		b.WriteString("CASE")
		for i := 0; i+1 < len(args); i += 2 {
			b.WriteString(" WHEN " + args[i] + " THEN " + args[i+1])
		}
		b.WriteString(" ELSE " + args[len(args)-1] + " END")
		return b.String(), nil
	case kindAlias:
		name, err := quoteName(n.name)
		if err != nil {
			return "", err
		}
		return args[0] + " AS " + name, nil
	case kindField:
		name, err := quoteText(n.name)
		if err != nil {
			return "", err
		}
		return "struct_extract(" + args[0] + ", " + name + ")", nil
	case kindIn:
		if len(args) == 1 {
			return "FALSE", nil
		}
		return "(" + args[0] + " IN (" + strings.Join(args[1:], ", ") + "))", nil
	}
	return "", fmt.Errorf("an expression of kind %d", n.kind)
}

func plainName(s string) bool {
	for i, r := range s {
		if !('a' <= r && r <= 'z' || r == '_' || i > 0 && '0' <= r && r <= '9') {
			return false
		}
	}
	return s != "" && s != "case" && s != "cast" && s != "select"
}

func aggSQL(n *expr, args []string, s scope) (string, error) {
	var b strings.Builder
	b.WriteString(n.name + "(")
	if n.distinct {
		b.WriteString("DISTINCT ")
	}
	b.WriteString(strings.Join(args, ", "))
	if len(n.order) > 0 {
		o, err := orderSQL(n.order, s)
		if err != nil {
			return "", err
		}
		if len(args) == 0 {
			return "", fmt.Errorf("SortedBy of %s comes after Over", n.name)
		}
		b.WriteString(" ORDER BY " + o)
	}
	b.WriteString(")")
	if n.filter != nil {
		c, err := exprSQL(*n.filter, s)
		if err != nil {
			return "", err
		}
		b.WriteString(" FILTER (WHERE " + c + ")")
	}
	w := n.window
	if w == nil {
		return b.String(), nil
	}
	var parts []string
	if len(w.keys) > 0 {
		keys := make([]string, len(w.keys))
		for i, k := range w.keys {
			var err error
			if keys[i], err = exprSQL(k, s); err != nil {
				return "", err
			}
		}
		parts = append(parts, "PARTITION BY "+strings.Join(keys, ", "))
	}
	if len(w.order) > 0 {
		o, err := orderSQL(w.order, s)
		if err != nil {
			return "", err
		}
		parts = append(parts, "ORDER BY "+o)
	}
	switch {
	case w.rows != nil:
		parts = append(parts, "ROWS BETWEEN "+bound(w.rows[0], "PRECEDING")+" AND "+bound(w.rows[1], "FOLLOWING"))
	case w.span != nil:
		if len(w.order) != 1 {
			return "", fmt.Errorf("RollingTime needs one key of SortedBy, the time")
		}
		d, err := literal(w.span[0])
		if err != nil {
			return "", err
		}
		if d, ok := w.span[0].(time.Duration); ok && d < 0 {
			return "", fmt.Errorf("RollingTime of %v; it must not be negative", d)
		}
		parts = append(parts, "RANGE BETWEEN "+d+" PRECEDING AND CURRENT ROW")
	}
	return b.String() + " OVER (" + strings.Join(parts, " ") + ")", nil
}

func bound(n int64, side string) string {
	switch {
	case n < 0:
		return "UNBOUNDED " + side
	case n == 0:
		return "CURRENT ROW"
	}
	return strconv.FormatInt(n, 10) + " " + side
}

func orderSQL(keys []Order, s scope) (string, error) {
	out := make([]string, len(keys))
	for i, k := range keys {
		e := k.e.orBad()
		if e.n.kind == kindAlias {
			e = e.n.args[0]
		}
		t, err := exprSQL(e, s)
		if err != nil {
			return "", err
		}
		if e.n.kind == kindLit {
			t = "(" + t + " + 0)" // a bare number would be the place of a column
			if _, ok := e.n.value.(string); ok || e.n.value == nil {
				return "", fmt.Errorf("a key to sort by is a value; give a column")
			}
		}
		if k.desc {
			t += " DESC"
		}
		if k.nullsFirst {
			t += " NULLS FIRST"
		} else {
			t += " NULLS LAST"
		}
		out[i] = t
	}
	return strings.Join(out, ", "), nil
}
