package code

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"go/ast"
	"go/build"
	"go/build/constraint"
	"go/parser"
	"go/token"
	"go/types"
	"go/version"
	"io"
	"io/fs"
	"path"
	"runtime"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"sync"
	"unicode"

	"github.com/weft-go/weft/memo/internal/key"
)

// Module is a module whose sources are known.
type Module struct {
	Path string
	FS   fs.FS
}

// pack is a package of a module whose sources are known.
type pack struct {
	path    string
	name    string // as in its package clauses
	dir     string
	mod     *Module
	files   []*source
	nodes   map[string]*node // package-level names, and "T.m" for methods
	inits   []*node
	all     []*node // all declarations, by name
	methods []*node
	asm     key.Key  // of its assembly files; zero without
	calls   []string // what assembly mentions of the package
	gap     string   // why the assembly can't be followed
	err     error
}

// source is a file.
type source struct {
	name     string
	text     []byte
	ast      *ast.File
	set      *token.FileSet
	imports  []imported
	version  string // of the language
	cgo      bool
	linkname bool
	test     bool
	external bool // of the package p_test
}

// imported is one import of a file.
type imported struct {
	path string
	name string // "" if none is given
}

// Program is the code that a binary was built from, as far as it is known.
type Program struct {
	modules  []Module
	info     *debug.BuildInfo
	settings map[string]string
	context  build.Context
	packs    map[string]*pack // those that the program links
	methods  map[string][]*node
	fields   map[string]bool // names of struct fields that hold functions
	all      []*node
	tellers  []*node // that may tell packages that are not at hand something
	linkname bool    // some file has one
	mainPath string  // import path of the main package, or of the tested one
	tested   bool
}

// New reads the sources of a program. Its build info says which files were
// compiled.
func New(modules []Module, info *debug.BuildInfo) *Program {
	p := &Program{
		modules: modules, info: info, settings: map[string]string{},
		packs: map[string]*pack{}, methods: map[string][]*node{}, fields: map[string]bool{},
	}
	for _, s := range info.Settings {
		p.settings[s.Key] = s.Value
	}
	p.mainPath, p.tested = strings.CutSuffix(info.Path, ".test")
	p.context = build.Context{
		GOOS: runtime.GOOS, GOARCH: runtime.GOARCH, Compiler: runtime.Compiler,
		CgoEnabled:  p.settings["CGO_ENABLED"] == "1",
		ReleaseTags: build.Default.ReleaseTags,
	}
	if tags := p.settings["-tags"]; tags != "" {
		p.context.BuildTags = strings.Split(tags, ",")
	}
	for _, s := range []string{"-race", "-msan", "-asan"} {
		if p.settings[s] == "true" {
			p.context.BuildTags = append(p.context.BuildTags, s[1:])
		}
	}
	p.load()
	p.link()
	return p
}

// load parses the packages that the program links: the main one, and what it
// imports of the modules at hand. Where the main package is not among them, all
// packages are.
func (p *Program) load() {
	var want []string
	if p.owner(p.mainPath) != nil && p.mainPath != "" {
		want = []string{p.mainPath}
	}
	if len(want) == 0 || !p.there(want[0]) {
		want = p.everything()
	}
	for len(want) > 0 {
		var wg sync.WaitGroup
		got := make([]*pack, len(want))
		slots := make(chan struct{}, runtime.GOMAXPROCS(0))
		for i, path := range want {
			wg.Go(func() {
				slots <- struct{}{}
				got[i] = p.parse(path)
				<-slots
			})
		}
		wg.Wait()
		want = nil
		for _, k := range got {
			p.packs[k.path] = k
			for _, f := range k.files {
				p.linkname = p.linkname || f.linkname
			}
		}
		for _, k := range got {
			for _, f := range k.files {
				for _, im := range f.imports {
					if p.packs[im.path] == nil && p.owner(im.path) != nil && !slices.Contains(want, im.path) {
						want = append(want, im.path)
					}
				}
			}
		}
	}
}

// owner is the module at hand that a package belongs to.
func (p *Program) owner(pkg string) *Module {
	var best *Module
	for i := range p.modules {
		m := &p.modules[i]
		if (pkg == m.Path || strings.HasPrefix(pkg, m.Path+"/")) && (best == nil || len(m.Path) > len(best.Path)) {
			best = m
		}
	}
	if best == nil {
		return nil
	}
	// A longer path may be a module of its own that is not at hand.
	for _, d := range p.info.Deps {
		if len(d.Path) > len(best.Path) && (pkg == d.Path || strings.HasPrefix(pkg, d.Path+"/")) {
			return nil
		}
	}
	return best
}

func dirOf(m *Module, pkg string) string {
	return path.Clean(strings.TrimPrefix(strings.TrimPrefix(pkg, m.Path), "/"))
}

// there tells whether a package has any files.
func (p *Program) there(pkg string) bool {
	m := p.owner(pkg)
	if m == nil {
		return false
	}
	list, err := fs.ReadDir(m.FS, dirOf(m, pkg))
	return err == nil && slices.ContainsFunc(list, func(d fs.DirEntry) bool { return strings.HasSuffix(d.Name(), ".go") })
}

func (p *Program) everything() []string {
	var out []string
	for _, m := range p.modules {
		_ = fs.WalkDir(m.FS, ".", func(name string, d fs.DirEntry, err error) error {
			if err == nil && strings.HasSuffix(name, ".go") {
				pkg := path.Join(m.Path, path.Dir(name))
				if !slices.Contains(out, pkg) {
					out = append(out, pkg)
				}
			}
			return nil
		})
	}
	return out
}

// parse reads the files of a package that were compiled.
func (p *Program) parse(pkg string) *pack {
	m := p.owner(pkg)
	k := &pack{path: pkg, dir: dirOf(m, pkg), mod: m, nodes: map[string]*node{}}
	list, err := fs.ReadDir(m.FS, k.dir)
	if err != nil {
		k.err = fmt.Errorf("there are no sources of %s", pkg)
		return k
	}
	ctx := p.context
	ctx.JoinPath = path.Join
	var text []byte
	ctx.OpenFile = func(string) (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(text)), nil }
	language := p.language(m)
	var asm [][]byte
	for _, d := range list {
		name := d.Name()
		test := strings.HasSuffix(name, "_test.go")
		isGo, isAsm := strings.HasSuffix(name, ".go"), strings.HasSuffix(name, ".s")
		if !isGo && !isAsm || test && !(p.tested && pkg == p.mainPath) {
			continue
		}
		if text, err = fs.ReadFile(m.FS, path.Join(k.dir, name)); err != nil {
			k.err = errors.Join(k.err, err)
			continue
		}
		if !p.compiled(ctx, k.dir, name, text) {
			continue
		}
		if isAsm {
			asm = append(asm, []byte(name), text)
			k.assembly(name, string(text))
			continue
		}
		f, err := parseFile(name, text)
		if err != nil {
			k.err = errors.Join(k.err, err)
			continue
		}
		f.test = test
		f.version = cmp.Or(version.Lang(f.ast.GoVersion), language)
		f.external = test && strings.HasSuffix(f.ast.Name.Name, "_test")
		k.files = append(k.files, f)
		if !f.external {
			k.name = f.ast.Name.Name
		}
	}
	if asm != nil {
		k.asm = key.Of(asm...)
	}
	if len(k.files) == 0 && k.err == nil {
		k.err = fmt.Errorf("there are no sources of %s", pkg)
	}
	k.collect()
	k.all = slices.Collect(k.each)
	return k
}

// compiled tells whether a file may have been compiled. Tags that the build
// info does not tell for sure (experiments, levels of the processor, cgo where
// it is not said) are tried both ways.
func (p *Program) compiled(ctx build.Context, dir, name string, text []byte) bool {
	match := func() bool {
		ok, err := ctx.MatchFile(dir, name)
		return err == nil && ok
	}
	if match() {
		return true
	}
	again := false
	if _, known := p.settings["CGO_ENABLED"]; !known && strings.HasSuffix(name, ".go") {
		ctx.CgoEnabled, again = true, true
	}
	for line := range strings.Lines(string(text)) {
		if strings.HasPrefix(line, "package ") {
			break
		}
		expr, err := constraint.Parse(strings.TrimSpace(line))
		if err != nil {
			continue
		}
		var doubtful []string
		expr.Eval(func(tag string) bool {
			if strings.HasPrefix(tag, "goexperiment.") || strings.HasPrefix(tag, ctx.GOARCH+".") {
				doubtful = append(doubtful, tag)
			}
			return true
		})
		if len(doubtful) > 0 {
			ctx.ToolTags, again = append(slices.Clone(ctx.ToolTags), doubtful...), true
		}
	}
	return again && match()
}

// language is the version of the language that the go.mod of a module says.
func (p *Program) language(m *Module) string {
	b, err := fs.ReadFile(m.FS, "go.mod")
	if err != nil {
		return ""
	}
	for line := range strings.Lines(string(b)) {
		if f := strings.Fields(line); len(f) >= 2 && f[0] == "go" {
			return version.Lang("go" + f[1])
		}
	}
	return ""
}

// assembly notes what a file of assembly mentions of its package.
func (k *pack) assembly(name, text string) {
	for line := range strings.Lines(text) {
		rest, ok := strings.CutPrefix(strings.TrimSpace(line), "#include")
		if ok && !slices.Contains([]string{`"textflag.h"`, `"funcdata.h"`}, strings.TrimSpace(rest)) {
			k.gap = name + " includes" + rest
		}
		if strings.ContainsRune(line, '\u2215') {
			k.gap = name + " mentions other packages"
		}
		for _, after := range strings.Split(line, "\u00b7")[1:] {
			end := strings.IndexFunc(after, func(r rune) bool { return r != '_' && !unicode.IsLetter(r) && !unicode.IsDigit(r) })
			if end < 0 {
				end = len(after)
			}
			k.calls = append(k.calls, after[:end])
		}
	}
}

func parseFile(name string, text []byte) (*source, error) {
	f := &source{name: name, text: text, set: token.NewFileSet()}
	var err error
	// Objects are resolved within the file: that is how locals are told.
	if f.ast, err = parser.ParseFile(f.set, name, text, 0); err != nil {
		return nil, err
	}
	for _, im := range f.ast.Imports {
		s := imported{}
		s.path, _ = strconv.Unquote(im.Path.Value)
		if im.Name != nil {
			s.name = im.Name.Name
		}
		f.cgo = f.cgo || s.path == "C"
		f.imports = append(f.imports, s)
	}
	f.linkname = strings.Contains(string(text), "\n//go:linkname ")
	return f, nil
}

// collect makes a node of each declaration.
func (k *pack) collect() {
	for _, f := range k.files {
		for _, d := range f.ast.Decls {
			switch d := d.(type) {
			case *ast.FuncDecl:
				k.function(f, d)
			case *ast.GenDecl:
				k.general(f, d)
			}
		}
	}
}

func (k *pack) add(n *node) {
	n.pack = k
	if n.file.external {
		n.name = "_test:" + n.name // the package p_test has names of its own
	}
	if old := k.nodes[n.name]; old != nil {
		// Twice the same name: files for different systems, or a package of
		// tests. Both count.
		n.twin, old.twin = old.twin, n
		return
	}
	k.nodes[n.name] = n
}

func (k *pack) function(f *source, d *ast.FuncDecl) {
	n := &node{file: f, decl: d, kind: funcNode, name: d.Name.Name, params: arity(d.Type), iterate: iterates(d.Type)}
	if d.Recv != nil && len(d.Recv.List) > 0 {
		n.kind, n.recv = methodNode, baseName(d.Recv.List[0].Type)
		n.name = n.recv + "." + d.Name.Name
	} else if d.Name.Name == "init" || d.Name.Name == "_" {
		n.pack = k
		n.name = fmt.Sprintf("init:%s:%d", f.name, len(k.inits))
		n.kind = initNode
		k.inits = append(k.inits, n)
		return
	}
	k.add(n)
}

func (k *pack) general(f *source, d *ast.GenDecl) {
	iota := d.Tok == token.CONST && usesIota(d)
	for _, spec := range d.Specs {
		switch s := spec.(type) {
		case *ast.TypeSpec:
			k.add(&node{file: f, decl: s, keyword: d.Tok, kind: typeNode, name: s.Name.Name})
		case *ast.ValueSpec:
			kind := varNode
			if d.Tok == token.CONST {
				kind = constNode
			}
			var decl ast.Node = s
			if iota {
				decl = d // what stands before it counts as well
			}
			for _, name := range s.Names {
				n := &node{file: f, decl: decl, keyword: d.Tok, kind: kind, name: name.Name}
				if kind == varNode {
					n.embeds = embedPatterns(f, d, s)
					n.text = isString(s)
					n.shared = isShared(s)
				}
				if name.Name == "_" && kind == varNode {
					n.pack = k
					n.name = fmt.Sprintf("init:%s:%d", f.name, len(k.inits))
					n.kind = initNode
					k.inits = append(k.inits, n)
					continue
				}
				k.add(n)
			}
		}
	}
}

// isString tells whether -ldflags -X could set a variable.
func isString(s *ast.ValueSpec) bool {
	if t, ok := s.Type.(*ast.Ident); ok {
		return t.Name == "string"
	}
	for _, v := range s.Values {
		if b, ok := v.(*ast.BasicLit); ok && b.Kind == token.STRING {
			return true
		}
	}
	return false
}

// isShared tells whether what a variable holds may be changed by way of another
// name for it: it is, or may be, a map, a slice, a pointer or a channel.
func isShared(s *ast.ValueSpec) bool {
	switch t := s.Type.(type) {
	case nil:
	case *ast.Ident:
		return t.Name == "any" || types.Universe.Lookup(t.Name) == nil
	case *ast.ArrayType:
		return t.Len == nil
	case *ast.FuncType:
		return false
	default:
		return true
	}
	for _, v := range s.Values {
		switch v := ast.Unparen(v).(type) {
		case *ast.BasicLit, *ast.BinaryExpr, *ast.FuncLit:
		case *ast.CallExpr:
			// What these make is not changed any more.
			if f, ok := v.Fun.(*ast.SelectorExpr); ok {
				if x, ok := f.X.(*ast.Ident); ok && slices.Contains([]string{"errors.New", "fmt.Errorf", "regexp.MustCompile"}, x.Name+"."+f.Sel.Name) {
					continue
				}
			}
			return true
		default:
			return true
		}
	}
	return false
}

// usesIota tells whether the constants of a group depend on their places.
func usesIota(d *ast.GenDecl) bool {
	for _, spec := range d.Specs {
		s := spec.(*ast.ValueSpec)
		if len(s.Values) == 0 {
			return true
		}
		found := false
		for _, v := range s.Values {
			ast.Inspect(v, func(n ast.Node) bool {
				if id, ok := n.(*ast.Ident); ok && id.Name == "iota" {
					found = true
				}
				return !found
			})
		}
		if found {
			return true
		}
	}
	return false
}

// embedPatterns are the patterns of a go:embed comment above a variable.
func embedPatterns(f *source, d *ast.GenDecl, s *ast.ValueSpec) []string {
	if !slices.ContainsFunc(f.imports, func(i imported) bool { return i.path == "embed" }) {
		return nil
	}
	at := f.set.Position(s.Pos()).Offset
	if !d.Lparen.IsValid() {
		at = f.set.Position(d.Pos()).Offset
	}
	var out []string
	lines := strings.Split(string(f.text[:at]), "\n")
	for _, l := range slices.Backward(lines[:len(lines)-1]) {
		l = strings.TrimSpace(l)
		if l != "" && !strings.HasPrefix(l, "//") {
			break
		}
		if rest, ok := strings.CutPrefix(l, "//go:embed"); ok && strings.TrimLeft(rest, " \t") != rest {
			out = append(out, strings.Fields(rest)...)
		}
	}
	return out
}

// arity is the number of parameters, -1 if it varies.
func arity(t *ast.FuncType) int {
	n := 0
	for _, f := range t.Params.List {
		if _, ok := f.Type.(*ast.Ellipsis); ok {
			return -1
		}
		n += max(1, len(f.Names))
	}
	return n
}

// iterates tells whether a range loop may take a function: its one parameter is
// a function, or of a type with a name.
func iterates(t *ast.FuncType) bool {
	if arity(t) != 1 || t.Results != nil {
		return false
	}
	_, ok := t.Params.List[0].Type.(*ast.FuncType)
	return ok || baseName(t.Params.List[0].Type) != ""
}

// baseName is the name of a receiver's type.
func baseName(e ast.Expr) string {
	for {
		switch t := e.(type) {
		case *ast.StarExpr:
			e = t.X
		case *ast.ParenExpr:
			e = t.X
		case *ast.IndexExpr:
			e = t.X
		case *ast.IndexListExpr:
			e = t.X
		case *ast.Ident:
			return t.Name
		default:
			return ""
		}
	}
}
