package code

import (
	"cmp"
	"fmt"
	"go/ast"
	"go/types"
	"io/fs"
	"path"
	"runtime"
	"slices"
	"strings"
	"sync"

	"github.com/weft-go/weft/memo/internal/key"
)

// lookup finds a name as it is seen in a file.
func (k *pack) lookup(f *source, name string) *node {
	if f.external {
		return k.nodes["_test:"+name]
	}
	return k.nodes[name]
}

// alias tells whether a method's receiver is named by an alias.
func (k *pack) alias(m *node) bool {
	t := k.lookup(m.file, m.recv)
	if t == nil {
		return false
	}
	spec, ok := t.decl.(*ast.TypeSpec)
	return ok && spec.Assign.IsValid()
}

// standardPath tells whether an import path is of the standard library.
func standardPath(p string) bool {
	first, _, _ := strings.Cut(p, "/")
	return !strings.Contains(first, ".") && p != "C" && p != unknownImport
}

// link analyzes all declarations and joins them.
func (p *Program) link() {
	var wg sync.WaitGroup
	slots := make(chan struct{}, runtime.GOMAXPROCS(0))
	for _, k := range p.packs {
		wg.Go(func() {
			slots <- struct{}{}
			a := &analysis{p: p, numbers: map[object]int{}}
			for _, n := range k.all {
				a.analyze(n)
			}
			<-slots
		})
	}
	wg.Wait()
	for _, path := range slices.Sorted(maps(p.packs)) {
		k := p.packs[path]
		for _, n := range k.all {
			n.index, n.self[0] = len(p.all), n
			p.all = append(p.all, n)
			switch n.kind {
			case methodNode:
				k.methods = append(k.methods, n)
				name := n.name[strings.LastIndexByte(n.name, '.')+1:]
				p.methods[name] = append(p.methods[name], n)
			case typeNode:
				for _, f := range n.fields {
					p.fields[f] = true
				}
			}
		}
	}
	for _, n := range p.all {
		tells := false
		for _, r := range n.refs {
			tells = tells || p.foreign(r) && !r.share && (r.write || !r.value && n.kind == initNode)
			for _, to := range p.targets(n, r) {
				to.users = append(to.users, n)
				if r.write && to.kind == varNode && to != n && (!r.share || to.shared) && !slices.Contains(to.writers, n) {
					to.writers = append(to.writers, n)
				}
			}
		}
		if tells {
			p.tellers = append(p.tellers, n)
		}
	}
}

func maps[V any](m map[string]V) func(yield func(string) bool) {
	return func(yield func(string) bool) {
		for k := range m {
			if !yield(k) {
				return
			}
		}
	}
}

// each calls yield for each declaration of a package.
func (k *pack) each(yield func(*node) bool) {
	for _, name := range slices.Sorted(maps(k.nodes)) {
		for n, first := k.nodes[name], k.nodes[name]; n != nil; {
			if !yield(n) {
				return
			}
			if n = n.twin; n == first {
				break
			}
		}
	}
	for _, n := range k.inits {
		if !yield(n) {
			return
		}
	}
}

// targets are the declarations that a mention may mean.
func (p *Program) targets(n *node, r ref) []*node {
	var first *node
	switch r.pkg {
	case "":
		first = n.pack.lookup(n.file, r.name)
		if first == nil {
			return p.dotted(n, r.name)
		}
	case unknownImport:
		return nil
	default:
		k := p.packs[r.pkg]
		if k == nil {
			return nil
		}
		first = k.nodes[r.name]
	}
	if first == nil {
		return nil
	}
	if first.twin == nil {
		return first.self[:]
	}
	var out []*node
	for n := first; n != nil; {
		out = append(out, n)
		if n = n.twin; n == first {
			break
		}
	}
	return out
}

// dotted finds a name in the packages that a file imports with a dot.
func (p *Program) dotted(n *node, name string) []*node {
	var out []*node
	for _, im := range n.file.imports {
		if k := p.packs[im.path]; im.name == "." && k != nil && k.nodes[name] != nil {
			out = append(out, k.nodes[name])
		}
	}
	return out
}

// Identity is the code that a function can reach.
type Identity struct {
	Hash key.Key
	// Parts are what went into it, sorted by name.
	Parts []Part
	// Gap says what could not be followed, for people; empty if all could. Then
	// the hash is not enough.
	Gap string
}

// Part is a declaration, a dependency or a setting.
type Part struct {
	// Kind is function, method, type, constant, variable, file, dependency or
	// build.
	Kind string `json:"kind"`
	Name string `json:"name"`
	Hash string `json:"hash"`
}

// Of returns the identity of functions together, by the names that the runtime
// gives them, as in "example.com/mod/pkg.Parse" or "main.parse". A function
// literal counts as the declaration that it is in.
func (p *Program) Of(functions ...string) Identity { return p.of(false, functions) }

// OfAny is Of for functions that take interfaces: what comes behind one may be
// of any type of the program, and fmt or sort call methods that the functions
// don't name.
func (p *Program) OfAny(functions ...string) Identity { return p.of(true, functions) }

func (p *Program) of(anyType bool, functions []string) Identity {
	w := &walk{p: p, deep: set{in: make([]bool, len(p.all))}, shallow: map[*node]bool{}, packs: map[*pack]bool{}, args: map[int]bool{}, foreign: map[string]bool{}, fed: map[*node]int{}, files: map[string]key.Key{}}
	for _, f := range functions {
		start, why := p.find(f)
		if start == nil {
			return Identity{Gap: why}
		}
		w.add(start)
	}
	if anyType {
		for _, m := range p.all {
			if m.kind == methodNode {
				w.add(m)
			}
		}
		for _, d := range p.info.Deps {
			if d.Path != weftModule && p.owner(d.Path) == nil {
				w.mention(d.Path)
			}
		}
	}
	w.run()
	return w.identity()
}

// find finds the declaration that a function is, or is in, or says why not.
func (p *Program) find(function string) (*node, string) {
	pkg, name := SplitName(function)
	if pkg == "main" {
		pkg = p.mainPath
	}
	name = declaration(name)
	var n *node
	if k := p.packs[pkg]; k != nil {
		n = k.nodes[name]
	} else if k := p.packs[strings.TrimSuffix(pkg, "_test")]; k != nil && p.tested {
		n = k.nodes["_test:"+name]
	}
	switch {
	case n != nil:
		return n, ""
	case len(p.packs) > 0 && p.owner(pkg) == nil:
		return nil, "no sources of the module of " + pkg + " are embedded"
	}
	return nil, "the embedded sources don't have " + pkg + "." + name
}

// declaration is the declaration that a function's name, as the runtime has
// it, is in: of f.func1.2, g[...].func1 and (*T).M.func1 it is f, g and T.M.
func declaration(name string) string {
	if rest, ok := strings.CutPrefix(name, "("); ok {
		typ, rest, _ := strings.Cut(strings.TrimPrefix(rest, "*"), ").")
		typ, _, _ = strings.Cut(typ, "[")
		method, _, _ := strings.Cut(rest, ".")
		return typ + "." + method
	}
	name, _, _ = strings.Cut(name, ".")
	name, _, _ = strings.Cut(name, "[")
	return name
}

// SplitName splits the runtime's name of a top-level function.
func SplitName(function string) (pkg, name string) {
	slash := strings.LastIndexByte(function, '/') + 1
	dot := strings.IndexByte(function[slash:], '.')
	if dot < 0 {
		return function, ""
	}
	return strings.ReplaceAll(function[:slash+dot], "%2e", "."), function[slash+dot+1:]
}

// set is a set of declarations.
type set struct {
	in   []bool // by index
	list []*node
}

func (s *set) has(n *node) bool { return s.in[n.index] }

// add tells whether n is new.
func (s *set) add(n *node) bool {
	if s.in[n.index] {
		return false
	}
	s.in[n.index] = true
	s.list = append(s.list, n)
	return true
}

// walk finds what can be reached.
type walk struct {
	p       *Program
	queue   []*node
	deep    set
	shallow map[*node]bool // counts by itself, not with what it reaches
	packs   map[*pack]bool
	args    map[int]bool    // numbers of arguments of calls of function values
	deps    bool            // another module is reached
	foreign map[string]bool // packages that are not at hand and are mentioned
	asks    bool            // one of them may go by what it was told before
	fed     map[*node]int   // how many nodes were reached when feeds was called
	files   map[string]key.Key
	gaps    []string
}

func (w *walk) gap(format string, args ...any) {
	if s := fmt.Sprintf(format, args...); !slices.Contains(w.gaps, s) {
		w.gaps = append(w.gaps, s)
	}
}

func (w *walk) add(n *node) {
	if w.deep.add(n) {
		w.queue = append(w.queue, n)
	}
}

// run goes on until nothing is added any more.
func (w *walk) run() {
	for {
		for len(w.queue) > 0 {
			n := w.queue[len(w.queue)-1]
			w.queue = w.queue[:len(w.queue)-1]
			w.visit(n)
		}
		w.state()
		w.tell()
		if len(w.queue) == 0 {
			return
		}
	}
}

func (w *walk) enter(k *pack) {
	if w.packs[k] {
		return
	}
	w.packs[k] = true
	if k.err != nil {
		w.gap("%v", k.err)
	}
	for _, n := range k.inits {
		w.add(n)
	}
	for _, f := range k.files {
		for _, im := range f.imports {
			if im.name == "_" {
				w.mention(im.path)
			}
		}
	}
}

// mention notes a package by its path.
func (w *walk) mention(pkg string) {
	if w.p.foreign(ref{pkg: pkg}) {
		w.foreign[pkg] = true
		w.asks = w.asks || !inert[pkg] || !w.p.standard(pkg)
	}
	switch {
	case pkg == memoPackage:
	case w.p.packs[pkg] != nil:
		w.enter(w.p.packs[pkg])
	case pkg == "C" || pkg == "" || standardPath(pkg) && w.p.dep(pkg) == nil:
		if pkg != "C" && w.p.mainModule(pkg) {
			w.gap("no sources of %s are embedded", pkg)
		}
	default:
		w.dependency(pkg)
	}
}

func (w *walk) visit(n *node) {
	w.enter(n.pack)
	if n.file.cgo {
		w.gap("%s uses cgo", path.Join(n.pack.path, n.file.name))
	}
	if n.file.linkname {
		w.gap("%s uses go:linkname", path.Join(n.pack.path, n.file.name))
	}
	if d, ok := n.decl.(*ast.FuncDecl); ok && d.Body == nil {
		switch {
		case n.pack.asm == (key.Key{}), w.p.linkname:
			w.gap("%s has no body in Go", n.label())
		case n.pack.gap != "":
			w.gap("%s is assembly: %s", n.label(), n.pack.gap)
		default:
			w.files[n.pack.path+"/*.s"] = n.pack.asm
			for _, name := range n.pack.calls {
				if to := n.pack.nodes[name]; to != nil {
					w.add(to)
				}
			}
		}
	}
	for _, pattern := range n.embeds {
		w.embedded(n, pattern)
	}
	if n.text && n.kind == varNode && w.p.settings["-trimpath"] == "true" {
		w.gap("%s may have been set by -ldflags -X, which a build with -trimpath does not tell", n.label())
	}
	w.lead(n)
	if n.kind == typeNode {
		prefix := n.name + "."
		for _, m := range n.pack.methods {
			// A receiver that is an alias may mean any type of the package.
			if strings.HasPrefix(m.name, prefix) || n.pack.alias(m) {
				w.add(m)
			}
		}
	}
}

// lead goes where what a node mentions leads.
func (w *walk) lead(n *node) {
	for _, r := range n.refs {
		w.follow(n, r)
	}
	for _, s := range n.selects {
		if w.p.fields[s.name] {
			w.args[s.args] = true
		}
		for _, m := range w.p.methods[s.name] {
			if s.args < 0 || m.params < 0 || m.params == s.args {
				w.add(m)
			}
		}
	}
	for _, args := range n.dynamic {
		w.args[args] = true
	}
}

// setter adds a function that sets a variable: by itself, with what flows into
// the variables that are reached.
func (w *walk) setter(n *node) {
	if w.deep.has(n) {
		return
	}
	w.shallow[n] = true
	if w.fed[n] == len(w.deep.list)+1 {
		return // nothing is reached that was not then
	}
	w.fed[n] = len(w.deep.list) + 1
	w.lead(n.feeds(w.p, func(pkg, name string) bool {
		r := ref{pkg: pkg, name: name}
		if w.p.foreign(r) {
			return w.told(pkg, true)
		}
		return slices.ContainsFunc(w.p.targets(n, r), func(t *node) bool { return t.kind == varNode && w.deep.has(t) })
	}))
}

// follow goes where a mention leads.
func (w *walk) follow(n *node, r ref) {
	to := w.p.targets(n, r)
	for _, t := range to {
		w.add(t)
		if !r.value && t.kind == varNode {
			w.args[r.args] = true // a function in a variable is called
		}
	}
	switch {
	case r.pkg == unknownImport:
		// Whatever this file imports under a name that its path does not tell.
		for _, im := range n.file.imports {
			if im.name == "" || im.name == "." {
				if k := w.p.packs[im.path]; k == nil || k.name == "" {
					w.mention(im.path)
				}
			}
		}
	case r.pkg != "":
		w.mention(r.pkg)
		if k := w.p.packs[r.pkg]; k != nil && len(to) == 0 {
			w.gap("the embedded sources of %s don't have %s", r.pkg, r.name)
		}
	case len(to) == 0 && !r.maybe && types.Universe.Lookup(r.name) == nil:
		dot := false
		for _, im := range n.file.imports {
			if im.name == "." {
				dot = true
				w.mention(im.path)
			}
		}
		if !dot {
			w.gap("the embedded sources of %s don't have %s", n.pack.path, r.name)
		}
	}
}

// state adds what may have changed the variables that are reached.
func (w *walk) state() {
	writers := map[*node]bool{}
	changed := false // some variable is
	for _, t := range w.deep.list {
		for _, n := range t.writers {
			changed = true
			writers[n] = true
		}
	}
	// Init functions that lead to a writer count with all they reach.
	var queue []*node
	seen := map[*node]bool{}
	for n := range writers {
		w.setter(n)
		seen[n] = true
		queue = append(queue, n)
	}
	for len(queue) > 0 {
		n := queue[len(queue)-1]
		queue = queue[:len(queue)-1]
		if n.kind == initNode || n.kind == varNode {
			w.add(n)
		}
		for _, u := range n.users {
			if !seen[u] && (n.kind == funcNode || n.kind == methodNode || n.kind == varNode && u.kind == initNode) {
				seen[u] = true
				queue = append(queue, u)
			}
		}
	}
	if !changed || len(w.args) == 0 {
		return
	}
	// Function values may have come through one of those variables.
	fits := func(params int) bool { return params == anyArgs || w.args[params] || w.args[anyArgs] }
	for _, n := range w.p.all {
		if w.deep.has(n) {
			continue
		}
		for _, r := range n.refs {
			if !r.value {
				continue
			}
			for _, t := range w.p.targets(n, r) {
				if t.kind == funcNode && (fits(t.params) || t.iterate && w.args[iterator]) {
					w.add(t)
				}
			}
		}
		if slices.ContainsFunc(n.lits, fits) {
			w.add(n)
		}
	}
}

// embedded hashes a file that is embedded by go:embed.
func (w *walk) embedded(n *node, pattern string) {
	name := path.Join(n.pack.dir, strings.Trim(pattern, "`\""))
	info, err := fs.Stat(n.pack.mod.FS, name)
	if err != nil || !info.Mode().IsRegular() || strings.ContainsAny(pattern, "*?[:") {
		w.gap("%s embeds %s, which is not among the embedded sources as one file", n.label(), pattern)
		return
	}
	b, err := fs.ReadFile(n.pack.mod.FS, name)
	if err != nil {
		w.gap("%s: %v", name, err)
		return
	}
	w.files[path.Join(n.pack.path, pattern)] = key.Of(b)
}

// identity puts together what was found.
func (w *walk) identity() Identity {
	var id Identity
	for n := range w.shallow {
		if !w.deep.has(n) {
			id.Parts = append(id.Parts, Part{n.kindName(), n.label(), n.hash.String()})
		}
	}
	for _, n := range w.deep.list {
		id.Parts = append(id.Parts, Part{n.kindName(), n.label(), n.hash.String()})
	}
	for name, hash := range w.files {
		id.Parts = append(id.Parts, Part{"file", name, hash.String()})
	}
	if w.asks {
		id.Parts = append(id.Parts, w.p.effects())
	}
	id.Parts = append(id.Parts, w.p.buildParts(w.deps)...)
	slices.SortFunc(id.Parts, func(a, b Part) int {
		return cmp.Or(strings.Compare(a.Name, b.Name), strings.Compare(a.Kind, b.Kind), strings.Compare(a.Hash, b.Hash))
	})
	var all [][]byte
	for _, part := range id.Parts {
		if strings.Contains(part.Name, ".init in ") {
			// By the file's name for people only: moving it is no change.
			all = append(all, []byte(part.Kind), []byte(part.Hash))
			continue
		}
		all = append(all, []byte(part.Kind), []byte(part.Name), []byte(part.Hash))
	}
	id.Hash = key.Of(all...)
	slices.Sort(w.gaps)
	if len(w.gaps) > 0 {
		id.Gap = w.gaps[0]
		if n := len(w.gaps) - 1; n > 0 {
			id.Gap += fmt.Sprintf(" (and %d more)", n)
		}
	}
	return id
}
