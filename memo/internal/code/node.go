package code

import (
	"fmt"
	"go/ast"
	"go/token"
	"path"
	"slices"
	"strings"

	"github.com/weft-go/weft/memo/internal/key"
)

type nodeKind int

const (
	funcNode nodeKind = iota
	methodNode
	typeNode
	varNode
	constNode
	initNode
)

// node is a package-level declaration.
type node struct {
	pack    *pack
	file    *source
	decl    ast.Node
	keyword token.Token // of a declaration that is not a function
	kind    nodeKind
	name    string
	recv    string // of a method: the type
	params  int    // of a function: how many, -1 if that varies
	iterate bool   // a function that a range loop may take
	embeds  []string
	text    bool // a variable that the linker may set
	shared  bool // a variable whose content may be changed by another name
	twin    *node
	self    [1]*node // itself, so that a list of one needs no memory
	index   int      // in Program.all

	users   []*node // those that mention it
	writers []*node // those that may change it

	hash    key.Key
	refs    []ref
	selects []selection
	dynamic []int // numbers of arguments of calls of function values
	lits    []int // numbers of parameters of literals that get away
	fields  []string
}

// ref is a mention of something of package level.
type ref struct {
	pkg   string // import path, "" for the own package
	name  string
	value bool // mentioned, not called
	write bool // perhaps changed
	share bool // perhaps, by way of another name for what it holds
	args  int  // of the call
	maybe bool // may be the name of a field as well
}

// selection is x.name.
type selection struct {
	name string
	args int // of the call
}

const (
	// anyArgs is that a number of arguments is not known, or that there is no
	// call.
	anyArgs = -1
	// iterator stands for the one argument of a range loop's function, another
	// function.
	iterator = -2
)

// label names a node for people.
func (n *node) label() string {
	pkg := n.pack.path
	name := n.name
	switch n.kind {
	case methodNode:
		name = fmt.Sprintf("(%s).%s", n.recv, strings.TrimPrefix(n.name[strings.LastIndexByte(n.name, '.'):], "."))
	case initNode:
		name = "init in " + n.file.name
	}
	if rest, ok := strings.CutPrefix(name, "_test:"); ok {
		pkg, name = pkg+"_test", rest
	}
	return pkg + "." + name
}

// kindName is the word for what n is.
func (n *node) kindName() string {
	switch n.kind {
	case typeNode:
		return "type"
	case varNode:
		return "variable"
	case constNode:
		return "constant"
	case methodNode:
		return "method"
	}
	return "function"
}

// analyze hashes a declaration and finds what it mentions.
func (a *analysis) analyze(n *node) {
	a.n, a.params, a.begin = n, nil, n.decl.Pos()
	size := int(n.decl.End() - a.begin)
	a.marks = slices.Grow(a.marks[:0], size)[:size]
	clear(a.marks)
	a.visit(n.decl)
	n.hash = a.hash()
}

// analysis walks one declaration after the other.
type analysis struct {
	p *Program
	n *node
	// params are the type parameters of a method.
	params []string
	// marks say what the names in the declaration are, by place, counted from
	// begin; nil if it is not hashed.
	marks []mark
	begin token.Pos

	// What is used again for the next declaration.
	numbers map[object]int
	out     []byte
}

// mark is what a name in a declaration is.
type mark struct {
	local object // what it stands for, if that is declared in here
	keep  bool   // the name counts all the same
}

// isLocal notes that a name is one of something declared in here.
func (a *analysis) isLocal(id *ast.Ident) {
	if a.marks != nil {
		a.marks[id.Pos()-a.begin].local = id.Obj
	}
}

// keep notes that a name counts.
func (a *analysis) keep(id *ast.Ident) {
	if a.marks != nil {
		a.marks[id.Pos()-a.begin].keep = true
	}
}

// local tells whether a name stands for something declared within a
// declaration. The parser has resolved names file by file.
func (a *analysis) local(id *ast.Ident) bool {
	return id.Obj != nil && a.n.file.ast.Scope.Lookup(id.Name) != id.Obj
}

// visit walks e, which is no call.
func (a *analysis) visit(e ast.Node) {
	ast.Inspect(e, func(x ast.Node) bool {
		switch x := x.(type) {
		case *ast.Ident:
			a.ident(x, false)
		case *ast.SelectorExpr:
			a.selector(x, anyArgs, false)
			return false
		case *ast.CallExpr:
			a.call(x)
			return false
		case *ast.CompositeLit:
			a.composite(x)
			return false
		case *ast.AssignStmt:
			a.assign(x)
			return false
		case *ast.IncDecStmt:
			a.written(x.X)
		case *ast.UnaryExpr:
			if x.Op == token.AND {
				a.written(x.X)
			}
		case *ast.RangeStmt:
			// It may be an iterator that came from anywhere.
			a.n.dynamic = append(a.n.dynamic, iterator)
			if x.Tok == token.ASSIGN {
				a.written(x.Key)
				a.written(x.Value)
			}
		case *ast.ReturnStmt:
			for _, r := range x.Results {
				a.escapes(r)
				a.shares(r)
			}
		case *ast.SendStmt:
			a.written(x.Chan)
			a.escapes(x.Value)
			a.shares(x.Value)
		case *ast.ValueSpec:
			for _, v := range x.Values {
				if x == a.n.decl {
					a.escapes(v)
				}
				a.shares(v)
			}
			for _, name := range x.Names {
				a.declared(name)
			}
			if x.Type != nil {
				a.visit(x.Type)
			}
			for _, v := range x.Values {
				a.visit(v)
			}
			return false
		case *ast.TypeSpec:
			a.declared(x.Name)
			if x.TypeParams != nil {
				a.visit(x.TypeParams)
			}
			a.visit(x.Type)
			return false
		case *ast.FuncDecl:
			if x.Recv != nil && len(x.Recv.List) > 0 {
				a.receiver(x.Recv.List[0].Type)
				a.visit(x.Recv)
			}
			a.visit(x.Type)
			if x.Body != nil {
				a.visit(x.Body)
			}
			return false
		case *ast.StructType:
			a.structure(x)
			return false
		case *ast.InterfaceType:
			for _, m := range x.Methods.List {
				for _, name := range m.Names {
					a.keep(name)
				}
				a.visit(m.Type)
			}
			return false
		case *ast.LabeledStmt:
			a.isLocal(x.Label)
			a.visit(x.Stmt)
			return false
		case *ast.BranchStmt:
			if x.Label != nil {
				a.isLocal(x.Label)
			}
			return false
		}
		return true
	})
}

// receiver notes the names that a receiver's type has for its parameters, which
// the parser does not resolve.
func (a *analysis) receiver(t ast.Expr) {
	if p, ok := t.(*ast.StarExpr); ok {
		t = p.X
	}
	var names []ast.Expr
	switch t := unparen(t).(type) {
	case *ast.IndexExpr:
		names = []ast.Expr{t.Index}
	case *ast.IndexListExpr:
		names = t.Indices
	}
	for _, n := range names {
		if id, ok := n.(*ast.Ident); ok {
			a.params = append(a.params, id.Name)
		}
	}
}

func unparen(e ast.Expr) ast.Expr { return ast.Unparen(e) }

// declared notes a name where it is declared.
func (a *analysis) declared(id *ast.Ident) {
	if a.local(id) {
		a.isLocal(id)
		if id.Obj.Kind == ast.Typ {
			a.keep(id) // %T prints it
		}
	}
}

// ident notes a mention of a name by itself.
func (a *analysis) ident(id *ast.Ident, written bool) {
	if id.Name == "_" || slices.Contains(a.params, id.Name) {
		return
	}
	if a.local(id) {
		a.declared(id)
		return
	}
	a.n.refs = append(a.n.refs, ref{name: id.Name, value: true, write: written})
}

// importOf is the import that x stands for in x.Sel, if it is one.
func (a *analysis) importOf(x ast.Expr) (string, bool) {
	id, ok := x.(*ast.Ident)
	if !ok || a.local(id) || a.n.pack.lookup(a.n.file, id.Name) != nil {
		return "", false
	}
	for _, im := range a.n.file.imports {
		if im.name == id.Name || im.name == "" && a.p.nameOf(im.path) == id.Name {
			return im.path, true
		}
	}
	// An import whose package has another name than its path, or a name that
	// comes with a dot import.
	return unknownImport, true
}

// unknownImport stands for any import of the file whose name is not known.
const unknownImport = "?"

// nameOf is the name of a package, as far as is known.
func (p *Program) nameOf(pkg string) string {
	if k := p.packs[pkg]; k != nil && k.name != "" {
		return k.name
	}
	return guess(pkg)
}

// guess is the name that a package most probably has.
func guess(p string) string {
	base := path.Base(p)
	if len(base) > 1 && base[0] == 'v' && strings.Trim(base[1:], "0123456789") == "" && strings.Contains(p, "/") {
		base = path.Base(path.Dir(p))
	}
	if i := strings.Index(base, ".v"); i > 0 {
		base = base[:i]
	}
	return base
}

// selector notes x.Sel and how many arguments it is called with.
func (a *analysis) selector(x *ast.SelectorExpr, args int, called bool) {
	a.keep(x.Sel)
	if pkg, ok := a.importOf(x.X); ok {
		a.n.refs = append(a.n.refs, ref{pkg: pkg, name: x.Sel.Name, value: !called, args: args})
		return
	}
	if a.mayBeType(x.X) {
		args = anyArgs // T.M(t) has one more
	}
	a.n.selects = append(a.n.selects, selection{x.Sel.Name, args})
	if called {
		a.written(x.X) // a method may change what it is called on
	}
	a.visit(x.X)
}

// call notes a call.
func (a *analysis) call(c *ast.CallExpr) {
	fun := unparen(c.Fun)
	switch x := fun.(type) {
	case *ast.IndexExpr:
		if a.function(x.X) && !a.variable(x.X) {
			a.visit(x.Index)
			fun = unparen(x.X)
		}
	case *ast.IndexListExpr:
		for _, i := range x.Indices {
			a.visit(i)
		}
		fun = unparen(x.X)
	}
	n := len(c.Args)
	if n == 1 {
		if _, ok := unparen(c.Args[0]).(*ast.CallExpr); ok {
			n = anyArgs // f(g()) passes as many as g returns
		}
	}
	ours := true // the function may keep what it gets
	switch f := fun.(type) {
	case *ast.Ident:
		if a.local(f) {
			if !a.literal(f) {
				a.n.dynamic = append(a.n.dynamic, n)
			}
			a.declared(f)
			ours = !a.literal(f)
			break
		}
		if !slices.Contains(a.params, f.Name) {
			a.n.refs = append(a.n.refs, ref{name: f.Name, args: n})
		}
	case *ast.SelectorExpr:
		pkg, ok := a.importOf(f.X)
		if ok && pkg == memoPackage && f.Sel.Name == "Source" {
			a.keep(f.Sel)
			return // or every function would reach all sources
		}
		ours = !ok || !a.p.standard(pkg)
		a.selector(f, n, true)
	case *ast.FuncLit:
		ours = false
		a.visit(f)
	case *ast.ArrayType, *ast.MapType, *ast.ChanType, *ast.FuncType, *ast.InterfaceType, *ast.StarExpr, *ast.StructType:
		a.visit(f) // a conversion
	default:
		a.n.dynamic = append(a.n.dynamic, n)
		a.visit(f)
	}
	for _, arg := range c.Args {
		if ours {
			a.escapes(arg)
			a.writtenIfVariable(arg)
		}
		a.visit(arg)
	}
}

// function tells whether an expression before [ ] may be a generic function:
// anything but a local variable.
func (a *analysis) function(e ast.Expr) bool {
	switch x := unparen(e).(type) {
	case *ast.Ident:
		return !a.local(x)
	case *ast.SelectorExpr:
		_, ok := a.importOf(x.X)
		return ok
	}
	return false
}

// variable tells whether an expression is a variable of this package.
func (a *analysis) variable(e ast.Expr) bool {
	id, ok := unparen(e).(*ast.Ident)
	if !ok || a.local(id) {
		return false
	}
	n := a.n.pack.lookup(a.n.file, id.Name)
	return n != nil && n.kind == varNode
}

// literal tells whether a local name is bound to a function literal, so that
// what it stands for is in here.
func (a *analysis) literal(id *ast.Ident) bool {
	decl, kind := id.Obj.Decl, id.Obj.Kind
	if kind == ast.Typ {
		return true
	}
	find := func(names []ast.Expr, values []ast.Expr) bool {
		for i, n := range names {
			x, ok := n.(*ast.Ident)
			if ok && x.Obj == id.Obj && len(values) == len(names) {
				_, ok := unparen(values[i]).(*ast.FuncLit)
				return ok
			}
		}
		return false
	}
	switch d := decl.(type) {
	case *ast.AssignStmt:
		return find(d.Lhs, d.Rhs)
	case *ast.ValueSpec:
		var names []ast.Expr
		for _, n := range d.Names {
			names = append(names, n)
		}
		return find(names, d.Values)
	}
	return false
}

// escapes notes a function literal that others may get hold of.
func (a *analysis) escapes(e ast.Expr) {
	if f, ok := unparen(e).(*ast.FuncLit); ok {
		a.n.lits = append(a.n.lits, arity(f.Type))
		if iterates(f.Type) {
			a.n.lits = append(a.n.lits, iterator)
		}
	}
}

// written notes that the variable below an expression may be changed.
func (a *analysis) written(e ast.Expr) {
	for e != nil {
		switch x := e.(type) {
		case *ast.ParenExpr:
			e = x.X
		case *ast.StarExpr:
			e = x.X
		case *ast.IndexExpr:
			e = x.X
		case *ast.SliceExpr:
			e = x.X
		case *ast.SelectorExpr:
			if pkg, ok := a.importOf(x.X); ok {
				a.n.refs = append(a.n.refs, ref{pkg: pkg, name: x.Sel.Name, value: true, write: true})
				return
			}
			e = x.X
		case *ast.Ident:
			if !a.local(x) {
				a.ident(x, true)
			}
			return
		default:
			return
		}
	}
}

// writtenIfVariable does so for an argument that is a variable by itself: the
// function called may change what it leads to.
func (a *analysis) writtenIfVariable(e ast.Expr) {
	switch x := unparen(e).(type) {
	case *ast.Ident:
		a.written(x)
	case *ast.SelectorExpr:
		if _, ok := a.importOf(x.X); ok {
			a.written(x)
		}
	}
}

// shares notes that what a variable holds gets another name.
func (a *analysis) shares(e ast.Expr) {
	switch x := unparen(e).(type) {
	case *ast.SliceExpr:
		a.shares(x.X)
	case *ast.Ident:
		if x.Name != "_" && !a.local(x) && !slices.Contains(a.params, x.Name) {
			a.n.refs = append(a.n.refs, ref{name: x.Name, value: true, write: true, share: true})
		}
	case *ast.SelectorExpr:
		if pkg, ok := a.importOf(x.X); ok {
			a.n.refs = append(a.n.refs, ref{pkg: pkg, name: x.Sel.Name, value: true, write: true, share: true})
		}
	}
}

// mayBeType tells whether an expression before a dot may be a type.
func (a *analysis) mayBeType(e ast.Expr) bool {
	switch x := unparen(e).(type) {
	case *ast.Ident:
		if a.local(x) {
			return x.Obj.Kind == ast.Typ
		}
		n := a.n.pack.lookup(a.n.file, x.Name)
		return n == nil || n.kind == typeNode
	case *ast.SelectorExpr:
		_, ok := a.importOf(x.X)
		return ok
	case *ast.StarExpr, *ast.IndexListExpr, *ast.InterfaceType, *ast.StructType:
		return true
	case *ast.IndexExpr:
		return a.mayBeType(x.X)
	}
	return false
}

func (a *analysis) assign(s *ast.AssignStmt) {
	for i, l := range s.Lhs {
		id, isName := l.(*ast.Ident)
		local := isName && a.local(id)
		if !local {
			a.written(l)
			if i < len(s.Rhs) {
				a.escapes(s.Rhs[i])
			}
		}
		a.visit(l)
	}
	for _, r := range s.Rhs {
		a.shares(r)
		a.visit(r)
	}
}

func (a *analysis) composite(c *ast.CompositeLit) {
	if c.Type != nil {
		a.visit(c.Type)
	}
	for _, e := range c.Elts {
		if kv, ok := e.(*ast.KeyValueExpr); ok {
			if id, ok := kv.Key.(*ast.Ident); ok {
				// A field's name, or the key of a map: syntax can't tell. So
				// its name counts, and what it may stand for.
				a.keep(id)
				a.n.refs = append(a.n.refs, ref{name: id.Name, value: true, maybe: true})
				if a.local(id) {
					a.isLocal(id)
				}
			} else {
				a.visit(kv.Key)
			}
			a.escapes(kv.Value)
			a.shares(kv.Value)
			a.visit(kv.Value)
			continue
		}
		a.escapes(e)
		a.shares(e)
		a.visit(e)
	}
}

func (a *analysis) structure(s *ast.StructType) {
	for _, f := range s.Fields.List {
		for _, name := range f.Names {
			a.keep(name)
			switch f.Type.(type) {
			case *ast.FuncType, *ast.Ident, *ast.SelectorExpr:
				a.n.fields = append(a.n.fields, name.Name)
			}
		}
		a.visit(f.Type)
	}
}
