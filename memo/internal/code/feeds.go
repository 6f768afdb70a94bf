package code

import (
	"go/ast"
	"go/token"
)

// A function that sets a variable counts by itself, and not with all that it
// reaches: main sets many, and reaches everything. But what it sets them to
// counts: the calls and types that a value is made by, also by way of local
// variables, and the conditions that it hangs on.

// object is what the parser resolves a local name to, within its file.
//
//lint:ignore SA1019 types are not known here, and locals need none
type object = *ast.Object

// feeder finds what flows into some variables within one declaration.
type feeder struct {
	a       *analysis
	isVar   func(pkg, name string) bool // of package level, "" for the own one
	parts   map[object]bool             // locals that are, or hold, a part of it
	inputs  map[object]bool             // locals that only go into a call for it
	marked  map[ast.Node]bool
	changed bool
}

// feeds returns a node that mentions what flows into variables that n sets.
func (n *node) feeds(p *Program, isVar func(pkg, name string) bool) *node {
	sub := &node{pack: n.pack, file: n.file, decl: n.decl, keyword: n.keyword, kind: funcNode, name: n.name}
	f := &feeder{
		a:     &analysis{p: p, n: sub},
		isVar: isVar, parts: map[object]bool{}, inputs: map[object]bool{}, marked: map[ast.Node]bool{}, changed: true,
	}
	for f.changed {
		f.changed = false
		ast.Inspect(n.decl, func(x ast.Node) bool { f.look(x); return true })
	}
	ast.Inspect(n.decl, func(x ast.Node) bool {
		if !f.marked[x] {
			return true
		}
		if e, ok := x.(ast.Expr); ok {
			f.a.visit(e)
			f.a.escapes(e)
		}
		return false
	})
	return sub
}

// look marks what flows through one statement.
func (f *feeder) look(x ast.Node) {
	switch x := x.(type) {
	case *ast.AssignStmt:
		for _, l := range x.Lhs {
			if f.hit(l, true) {
				for _, r := range x.Rhs {
					f.mark(r, true)
				}
				break
			}
		}
		// A local name for the variable is the variable.
		for i, r := range x.Rhs {
			if len(x.Lhs) == len(x.Rhs) && f.hit(r, false) {
				f.part(x.Lhs[i])
			}
		}
	case *ast.ValueSpec:
		for _, name := range x.Names {
			if name.Obj != nil && (f.parts[name.Obj] || f.inputs[name.Obj]) {
				for _, v := range x.Values {
					f.mark(v, true)
				}
			}
		}
	case *ast.RangeStmt:
		if f.hit(x.Key, true) || f.hit(x.Value, true) {
			f.mark(x.X, true)
		}
	case *ast.SendStmt:
		if f.hit(x.Chan, true) {
			f.mark(x.Value, true)
		}
	case *ast.CallExpr:
		found := false
		if s, ok := unparen(x.Fun).(*ast.SelectorExpr); ok {
			found = f.hit(s.X, true)
		}
		for _, arg := range x.Args {
			u, pointer := unparen(arg).(*ast.UnaryExpr)
			pointer = pointer && u.Op == token.AND
			found = found || f.hit(arg, pointer)
		}
		if found {
			f.mark(x, false)
		}
	case *ast.IfStmt:
		f.condition(x.Cond, x.Body, x.Else)
	case *ast.ForStmt:
		f.condition(x.Cond, x.Body)
	case *ast.SwitchStmt:
		f.condition(x.Tag, x.Body)
	case *ast.CaseClause:
		for _, s := range x.Body {
			for _, e := range x.List {
				f.condition(e, s)
			}
		}
	}
}

// hit tells whether an expression leads to one of the variables, or to a local
// that counts. inputs says whether those that only go into a call do.
func (f *feeder) hit(e ast.Expr, inputs bool) bool {
	for e != nil {
		switch x := e.(type) {
		case *ast.ParenExpr:
			e = x.X
		case *ast.StarExpr:
			e = x.X
		case *ast.UnaryExpr:
			if x.Op != token.AND {
				return false
			}
			e = x.X
		case *ast.IndexExpr:
			e = x.X
		case *ast.SliceExpr:
			e = x.X
		case *ast.SelectorExpr:
			if pkg, ok := f.a.importOf(x.X); ok {
				return f.isVar(pkg, x.Sel.Name)
			}
			e = x.X
		case *ast.Ident:
			if f.a.local(x) {
				return f.parts[x.Obj] || inputs && f.inputs[x.Obj]
			}
			return f.isVar("", x.Name)
		default:
			return false
		}
	}
	return false
}

// part notes a local that is a part of the variables.
func (f *feeder) part(e ast.Expr) {
	if id, ok := e.(*ast.Ident); ok && f.a.local(id) && !f.parts[id.Obj] {
		f.parts[id.Obj], f.changed = true, true
	}
}

// mark notes that an expression flows in, and the locals in it.
func (f *feeder) mark(e ast.Expr, part bool) {
	if e == nil || f.marked[e] {
		return
	}
	f.marked[e], f.changed = true, true
	var walk func(e ast.Node, part bool)
	walk = func(e ast.Node, part bool) {
		ast.Inspect(e, func(x ast.Node) bool {
			switch x := x.(type) {
			case *ast.CallExpr:
				id, ok := unparen(x.Fun).(*ast.Ident)
				part := part && ok && id.Name == "append"
				walk(x.Fun, false)
				for _, arg := range x.Args {
					walk(arg, part)
				}
				return false
			case *ast.Ident:
				switch {
				case !f.a.local(x):
				case part:
					f.part(x)
				case !f.inputs[x.Obj]:
					f.inputs[x.Obj], f.changed = true, true
				}
			}
			return true
		})
	}
	walk(e, part)
}

// condition marks what decides whether something that was marked happens.
func (f *feeder) condition(cond ast.Expr, bodies ...ast.Stmt) {
	if cond == nil || f.marked[cond] {
		return
	}
	found := false
	for _, b := range bodies {
		if b == nil {
			continue
		}
		ast.Inspect(b, func(x ast.Node) bool {
			found = found || x != nil && f.marked[x]
			return !found
		})
	}
	if found {
		f.mark(cond, false)
	}
}
