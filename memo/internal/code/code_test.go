package code

import (
	"runtime/debug"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
)

// program makes a program of the module m from files. The text of a file that
// is not Go stands for itself.
func program(files map[string]string, deps ...*debug.Module) *Program {
	fsys := fstest.MapFS{}
	for name, text := range files {
		fsys[name] = &fstest.MapFile{Data: []byte(text)}
	}
	info := &debug.BuildInfo{
		GoVersion: "go1.26", Path: "example.com/m", Main: debug.Module{Path: "example.com/m"}, Deps: deps,
		Settings: []debug.BuildSetting{{Key: "CGO_ENABLED", Value: "1"}, {Key: "GOARCH", Value: "amd64"}, {Key: "GOAMD64", Value: "v3"}},
	}
	return New([]Module{{"example.com/m", fsys}}, info)
}

var dep = &debug.Module{Path: "example.com/dep", Version: "v1.2.3", Sum: "h1:x"}

// Each case is a program, an edit of it, and what must come of the identity of
// main.f, or of the function named: same, other or gap.
var cases = []struct {
	name     string
	files    map[string]string // main.go gets "package main" and an f, where it has none
	old, new string
	want     string
}{
	{"nothing", map[string]string{"main.go": "func f() int { return 1 }"}, "1", "1", "same"},
	{"a literal", map[string]string{"main.go": "func f() int { return 1 }"}, "1", "2", "other"},
	{"a string with spaces", map[string]string{"main.go": "func f() string { return \"a b\" }"}, "a b", "a  b", "other"},
	{"trailing comma", map[string]string{"main.go": "func f() []int { return []int{1, 2} }"}, "1, 2", "\n1,\n2,\n", "same"},
	{"a directive in a comment", map[string]string{"main.go": "func f() int { return 1 }"}, "func f", "// hello\nfunc f", "same"},
	{"swapped locals", map[string]string{"main.go": "func f(a, b int) int { return a - b }"}, "a - b", "b - a", "other"},
	{"renamed both", map[string]string{"main.go": "func f(a, b int) int { return a - b }"}, "(a, b int) int { return a - b }", "(x, y int) int { return x - y }", "same"},
	{"renamed to swap", map[string]string{"main.go": "func f(a, b int) int { return a - b }"}, "(a, b int) int { return a - b }", "(b, a int) int { return b - a }", "same"},
	{"a local that shadows a package name", map[string]string{"main.go": "var x = 1\nfunc f() int { y := 2; return x + y }"}, "y := 2; return x + y", "x := 2; return x + x", "other"},
	{"a field's name", map[string]string{"main.go": "type t struct{ A int }\nfunc f() any { return t{A: 1} }"}, "struct{ A int }\nfunc f() any { return t{A: 1}", "struct{ B int }\nfunc f() any { return t{B: 1}", "other"},
	{"a field and a local, changed together", map[string]string{"main.go": "type t struct{ a, b int }\nfunc f(a int) any { return t{a: a} }"}, "f(a int) any { return t{a: a}", "f(b int) any { return t{b: b}", "other"},
	{"a tag", map[string]string{"main.go": "type t struct{ A int `json:\"a\"` }\nfunc f() any { return t{} }"}, "json:\"a\"", "json:\"b\"", "other"},
	{"a local type's name", map[string]string{"main.go": "func f() any { type a struct{}; return a{} }"}, "type a struct{}; return a{}", "type b struct{}; return b{}", "other"},
	{"a label", map[string]string{"main.go": "func f() { one: for { break one } }"}, "one: for { break one", "two: for { break two", "same"},
	{"a label, meant otherwise", map[string]string{"main.go": "func f() { one: for { two: for { break one; break two } } }"}, "break one; break two", "break two; break two", "other"},
	{"for with init or post", map[string]string{"main.go": "func g() {}\nfunc f() { for g(); ; { } }"}, "for g(); ; {", "for ; ; g() {", "other"},
	{"slice bounds", map[string]string{"main.go": "func f(x []int) []int { return x[1:] }"}, "x[1:]", "x[:1]", "other"},

	{"a callee", map[string]string{"main.go": "func g() int { return 1 }\nfunc f() int { return g() }"}, "1", "2", "other"},
	{"a callee by value", map[string]string{"main.go": "func g() int { return 1 }\nfunc f() int { h := g; return h() }"}, "1", "2", "other"},
	{"another function", map[string]string{"main.go": "func g() int { return 1 }\nfunc f() int { return 2 }"}, "1", "3", "same"},
	{"another file", map[string]string{"main.go": "func f() int { return g() }", "b.go": "package main\nfunc g() int { return 1 }"}, "return 1", "return 2", "other"},
	{"an alias import", map[string]string{"main.go": "import l \"example.com/m/lib\"\nfunc f() int { return l.G() }", "lib/x.go": "package lib\nfunc G() int { return 1 }"}, "return 1", "return 2", "other"},
	{"a package with another name", map[string]string{"main.go": "import \"example.com/m/go-lib\"\nfunc f() int { return lib.G() }", "go-lib/x.go": "package lib\nfunc G() int { return 1 }"}, "return 1", "return 2", "other"},
	{"a dot import", map[string]string{"main.go": "import . \"example.com/m/lib\"\nfunc f() int { return G() }", "lib/x.go": "package lib\nfunc G() int { return 1 }"}, "return 1", "return 2", "other"},
	{"a package that shadows nothing", map[string]string{"main.go": "import \"example.com/m/lib\"\nfunc f(lib struct{ G func() int }) int { return lib.G() }\nvar _ = 1", "lib/x.go": "package lib\nfunc G() int { return 1 }"}, "return 1", "return 2", "same"},
	{"a blank import's init", map[string]string{"main.go": "import _ \"example.com/m/lib\"\nfunc f() int { return 1 }", "lib/x.go": "package lib\nfunc init() { println(5) }"}, "println(5)", "println(6)", "other"},

	{"a method by the type", map[string]string{"main.go": "type t int\nfunc (t) String() string { return \"a\" }\nfunc f() any { return t(1) }"}, "\"a\"", "\"b\"", "other"},
	{"a method behind an interface", map[string]string{"main.go": "type i interface{ M() int }\ntype a int\nfunc (a) M() int { return 1 }\nvar all []i\nfunc init() { all = append(all, a(1)) }\nfunc f() int { return all[0].M() }"}, "return 1", "return 2", "other"},
	{"a method of an embedded type", map[string]string{"main.go": "type a struct{}\nfunc (a) M() int { return 1 }\ntype b struct{ a }\nfunc f() int { return b{}.M() }"}, "return 1", "return 2", "other"},
	{"a method of a type that comes from a function", map[string]string{"main.go": "type a struct{}\nfunc (a) M() int { return 1 }\nfunc get() a { return a{} }\nfunc f() int { return get().M() }"}, "return 1", "return 2", "other"},
	{"a method with another name", map[string]string{"main.go": "type a struct{}\nfunc (a) M() int { return 1 }\ntype b struct{}\nfunc (b) N() int { return 5 }\nfunc f() int { return a{}.M() }"}, "return 5", "return 6", "same"},
	{"a method of as many parameters", map[string]string{"main.go": "type a struct{}\nfunc (a) M(int) int { return 1 }\ntype b struct{}\nfunc (b) M() int { return 5 }\nfunc f() int { return a{}.M(3) }"}, "return 5", "return 6", "same"},
	{"a generic method", map[string]string{"main.go": "type l[T any] struct{}\nfunc (l[T]) M() int { return 1 }\nfunc f() int { var x l[int]; return x.M() }"}, "return 1", "return 2", "other"},
	{"a type argument", map[string]string{"main.go": "func g[T any](x T) T { return x }\nfunc f() any { return g[int](1) }"}, "g[int]", "g[float64]", "other"},

	{"a constant", map[string]string{"main.go": "const c = 1\nfunc f() int { return c }"}, "c = 1", "c = 2", "other"},
	{"iota above", map[string]string{"main.go": "const (\n\ta = iota\n\tc\n)\nfunc f() int { return c }"}, "a = iota", "a = iota + 1", "other"},
	{"iota, a line more", map[string]string{"main.go": "const (\n\ta = iota\n\tc\n)\nfunc f() int { return c }"}, "\ta = iota\n", "\ta = iota\n\tb\n", "other"},
	{"which of a group", map[string]string{"main.go": "const (\n\ta = iota\n\tb\n)\nfunc f() int { return a }"}, "return a", "return b", "other"},
	{"a variable's type", map[string]string{"main.go": "var v int\nfunc f() any { return v }"}, "v int", "v int8", "other"},
	{"a variable's initialiser, two calls away", map[string]string{"main.go": "func h() int { return 1 }\nfunc g() int { return h() }\nvar v = g()\nfunc f() int { return v }"}, "return 1", "return 2", "other"},
	{"a variable that init sets", map[string]string{"main.go": "var v int\nfunc init() { v = 1 }\nfunc f() int { return v }"}, "v = 1", "v = 2", "other"},
	{"a variable that main sets", map[string]string{"main.go": "var v int\nfunc main() { v = 1 }\nfunc f() int { return v }"}, "v = 1", "v = 2", "other"},
	{"a variable that nobody reads", map[string]string{"main.go": "var v int\nfunc main() { v = 1 }\nfunc f() int { return 3 }"}, "v = 1", "v = 2", "same"},
	{"a variable that another package's init sets by a call", map[string]string{
		"main.go":    "import \"example.com/m/lib\"\nimport _ \"example.com/m/other\"\nfunc f() int { return lib.Get() }",
		"lib/x.go":   "package lib\nvar v int\nfunc Set(n int) { v = n }\nfunc Get() int { return v }",
		"other/y.go": "package other\nimport \"example.com/m/lib\"\nfunc init() { lib.Set(7) }"}, "lib.Set(7)", "lib.Set(8)", "other"},
	{"the same by the initialiser of a variable", map[string]string{
		"main.go":    "import \"example.com/m/lib\"\nimport \"example.com/m/other\"\nfunc f() int { return lib.Get() }\nfunc main() { other.X() }",
		"lib/x.go":   "package lib\nvar v int\nfunc Set(n int) bool { v = n; return true }\nfunc Get() int { return v }",
		"other/y.go": "package other\nimport \"example.com/m/lib\"\nvar set = lib.Set(7)\nfunc X() {}"}, "lib.Set(7)", "lib.Set(8)", "other"},
	{"a handler that main registers", map[string]string{"main.go": "var h = map[string]func(int) int{}\nfunc g(n int) int { return n + 1 }\nfunc main() { h[\"g\"] = g }\nfunc f() int { return h[\"g\"](1) }"}, "n + 1", "n + 2", "other"},
	{"a literal that main registers", map[string]string{"main.go": "var h []func(int) int\nfunc add(f func(int) int) { h = append(h, f) }\nfunc main() { add(func(n int) int { return n + 1 }) }\nfunc f() int { return h[0](1) }"}, "n + 1", "n + 2", "other"},
	{"a function value of another arity", map[string]string{"main.go": "var h []func(int) int\nfunc g(a, b int) int { return a + b }\nvar other = g\nfunc add(f func(int) int) { h = append(h, f) }\nfunc main() { add(nil) }\nfunc f() int { return h[0](1) }"}, "a + b", "a - b", "same"},

	{"an iterator that main registers", map[string]string{"main.go": "var all = map[string]func(func(int) bool){}\nfunc g(yield func(int) bool) { yield(1) }\nfunc main() { all[\"g\"] = g }\nfunc f() (n int) { it := all[\"g\"]; for x := range it { n += x }; return n }"}, "yield(1)", "yield(2)", "other"},
	{"a method of an alias", map[string]string{"main.go": "type a struct{}\ntype b = a\nfunc (b) String() string { return \"x\" }\nfunc f() any { return a{} }"}, "\"x\"", "\"y\"", "other"},

	{"a file of another system", map[string]string{"main.go": "func f() int { return 1 }", "x_plan9.go": "package main\nfunc init() { println(4) }"}, "println(4)", "println(5)", "same"},
	{"a file that a tag leaves out", map[string]string{"main.go": "func f() int { return 1 }", "x.go": "//go:build never\n\npackage main\nfunc init() { println(4) }"}, "println(4)", "println(5)", "same"},
	{"a test file", map[string]string{"main.go": "func f() int { return 1 }", "x_test.go": "package main\nfunc init() { println(4) }"}, "println(4)", "println(5)", "same"},
	{"an embedded file", map[string]string{"main.go": "import _ \"embed\"\n//go:embed a.txt\nvar a string\nfunc f() string { return a }", "a.txt": "hello"}, "hello", "goodbye", "other"},
	{"an embedded file that is not there", map[string]string{"main.go": "import _ \"embed\"\n//go:embed b.txt\nvar a string\nfunc f() string { return a }"}, "a", "a", "gap"},
	{"embedded files by a pattern", map[string]string{"main.go": "import \"embed\"\n//go:embed *.txt\nvar a embed.FS\nfunc f() any { return a }", "a.txt": "hello"}, "hello", "hello", "gap"},
	{"assembly", map[string]string{"main.go": "func g() int\nfunc f() int { return g() }", "x.s": "TEXT g\n"}, "TEXT g", "TEXT h", "other"},
	{"no body", map[string]string{"main.go": "func g() int\nfunc f() int { return g() }"}, "g", "g", "gap"},
	{"cgo", map[string]string{"main.go": "import \"C\"\nfunc f() int { return 1 }"}, "1", "1", "gap"},
	{"cgo elsewhere", map[string]string{"main.go": "import \"example.com/m/lib\"\nfunc f() int { return 1 }\nfunc main() { lib.X() }", "lib/x.go": "package lib\nimport \"C\"\nfunc X() {}"}, "return 1", "return 1", "same"},
	{"a package without sources", map[string]string{"main.go": "import \"example.com/m/none\"\nfunc f() { none.X() }"}, "X", "X", "gap"},
	{"a name without a declaration", map[string]string{"main.go": "func f() { generated() }"}, "generated", "generated", "gap"},
	{"a dependency in a directory", map[string]string{"main.go": "import \"example.com/local\"\nfunc f() { local.X() }"}, "X", "X", "gap"},
	{"a dependency elsewhere", map[string]string{"main.go": "import \"example.com/local\"\nfunc f() int { return 1 }\nfunc main() { local.X() }"}, "return 1", "return 1", "same"},
	{"sources given to memo", map[string]string{"main.go": "import \"embed\"\nimport \"github.com/weft-go/weft/memo\"\n//go:embed *.go\nvar s embed.FS\nfunc init() { memo.Source(s) }\nfunc g() {}\nfunc f() int { return 1 }"}, "func g() {}", "func g() { println() }", "same"},
	{"a function that is wrapped itself", map[string]string{"main.go": "import \"github.com/weft-go/weft/memo\"\nvar c *memo.Cache\nvar w = memo.Wrap(c, g)\nfunc g() int { return 5 }\nfunc f() int { return w() }"}, "return 5", "return 6", "other"},

	// What can be edited without a change of any token that a function has.
	{"another package of one name", map[string]string{"main.go": "import \"math/rand\"\nfunc f() int { return rand.Int() }"}, "math/rand", "math/rand/v2", "other"},
	{"another package by an alias", map[string]string{"main.go": "import t \"text/template\"\nfunc f() any { return t.New(\"\") }"}, "text/template", "html/template", "other"},
	{"another package by a dot", map[string]string{"main.go": "import . \"strings\"\nfunc f() any { return ToUpper(\"\") }"}, "strings", "bytes", "other"},
	{"a file's language version", map[string]string{"main.go": "func f() int { return g() }", "b.go": "// new\n\npackage main\nfunc g() int { return 1 }"}, "// new", "//go:build go1.21", "other"},
	{"the module's language version", map[string]string{"main.go": "func f() int { return 1 }", "go.mod": "module example.com/m\n\ngo 1.25\n"}, "1.25", "1.21", "other"},
	{"an embedded file, behind a blank line", map[string]string{"main.go": "import _ \"embed\"\n//go:embed a.txt\n\n// a has a comment.\n\nvar a string\nfunc f() string { return a }", "a.txt": "hello"}, "hello", "goodbye", "other"},
	{"an embedded file in a group", map[string]string{"main.go": "import _ \"embed\"\nvar (\n\tb int\n\n\t//go:embed\ta.txt\n\n\ta string\n)\nfunc f() string { return a }", "a.txt": "hello"}, "hello", "goodbye", "other"},
	{"a file for a level of the processor", map[string]string{"main.go": "func f() int { return g() }", "a.go": "//go:build amd64.v3\n\npackage main\nfunc g() int { return 1 }", "b.go": "//go:build !amd64.v3\n\npackage main\nfunc g() int { return 2 }"}, "return 1", "return 3", "other"},
	{"a file for an experiment", map[string]string{"main.go": "func f() int { return g() }", "a.go": "//go:build goexperiment.future\n\npackage main\nfunc g() int { return 1 }", "b.go": "//go:build !goexperiment.future\n\npackage main\nfunc g() int { return 2 }"}, "return 1", "return 3", "other"},

	// What the standard library, or a dependency, is told elsewhere.
	{"a decoder that a package registers", map[string]string{
		"main.go":   "import \"example.com/m/img\"\nimport _ \"example.com/m/fmts\"\nfunc f() { img.Load() }",
		"img/x.go":  "package img\nimport \"image\"\nfunc Load() { image.Decode(nil) }",
		"fmts/x.go": "package fmts\nimport \"image\"\nfunc decode() int { return 1 }\nfunc init() { image.RegisterFormat(\"x\", \"x\", decode, nil) }"}, "return 1", "return 2", "other"},
	{"a decoder that another package registers", map[string]string{
		"img/x.go":  "package img\nimport \"image\"\nfunc F() { image.Decode(nil) }",
		"main.go":   "import \"example.com/m/img\"\nimport _ \"example.com/m/fmts\"\nvar f = img.F\nfunc main() { f() }",
		"fmts/x.go": "package fmts\nimport \"image\"\nfunc decode() int { return 1 }\nfunc init() { image.RegisterFormat(\"x\", \"x\", decode, nil) }"}, "return 1", "return 2", "other in img.F"},
	{"a transport that main sets", map[string]string{
		"web/x.go": "package web\nimport \"net/http\"\nfunc F() { http.Get(\"\") }",
		"main.go":  "import \"net/http\"\nimport \"example.com/m/web\"\ntype own struct{}\nfunc (own) RoundTrip(r *http.Request) (*http.Response, error) { return nil, one }\nvar one, two error\nfunc main() { http.DefaultTransport = own{}; web.F() }"}, "nil, one", "nil, two", "other in web.F"},
	{"an unrelated init", map[string]string{
		"lib/x.go": "package lib\nimport \"strings\"\nfunc F() int { return strings.Count(\"\", \"\") }",
		"main.go":  "import \"fmt\"\nimport \"example.com/m/lib\"\nfunc init() { fmt.Println(1) }\nfunc main() { lib.F() }"}, "Println(1)", "Println(2)", "same in lib.F"},

	// Variables that the program sets, and what it sets them to.
	{"a table that main makes", map[string]string{"main.go": "var t []int\nfunc build() []int { return []int{1} }\nfunc main() { t = build(); other() }\nfunc other() {}\nfunc f() int { return t[0] }"}, "int{1}", "int{2}", "other"},
	{"a table that main makes, and what it does besides", map[string]string{"main.go": "var t []int\nfunc build() []int { return []int{1} }\nfunc main() { t = build(); other() }\nfunc other() { println(1) }\nfunc f() int { return t[0] }"}, "println(1)", "println(2)", "same"},
	{"a table that main makes in steps", map[string]string{"main.go": "var t []int\nfunc build() []int { return []int{1} }\nfunc main() { x, err := build(), 0; _ = err; y := x[:]; t = y }\nfunc f() int { return t[0] }"}, "int{1}", "int{2}", "other"},
	{"a table that is filled by a function", map[string]string{"main.go": "var t = map[int]int{}\nfunc fill(m map[int]int) { m[1] = 1 }\nfunc main() { fill(t) }\nfunc f() int { return t[0] }"}, "= 1 }", "= 2 }", "other"},
	{"a table that is filled by a method", map[string]string{"main.go": "type tab map[int]int\nfunc (t tab) fill(l ...loader) { for _, l := range l { l.load(t) } }\ntype loader interface{ load(tab) }\ntype one struct{}\nfunc (one) load(t tab) { t[1] = 1 }\nvar t = tab{}\nfunc main() { t.fill(one{}) }\nfunc f() int { return t[0] }"}, "= 1 }", "= 2 }", "other"},
	{"a map that another function hands out", map[string]string{
		"lib/x.go": "package lib\nvar m = map[string]func(int) int{}\nfunc All() map[string]func(int) int { return m }\nfunc F() int { return m[\"a\"](1) }",
		"main.go":  "import \"example.com/m/lib\"\nfunc g(n int) int { return n + 1 }\nfunc init() { lib.All()[\"a\"] = g }\nfunc main() {}"}, "n + 1", "n + 2", "other in lib.F"},
	{"a map behind a local name", map[string]string{
		"lib/x.go": "package lib\nvar M = map[string]func(int) int{}\nfunc F() int { return M[\"a\"](1) }",
		"main.go":  "import \"example.com/m/lib\"\nfunc g(n int) int { return n + 1 }\nfunc main() { m := lib.M; m[\"a\"] = g }"}, "n + 1", "n + 2", "other in lib.F"},
	{"a function through a channel", map[string]string{"main.go": "var c = make(chan func(int) int, 1)\nfunc g(n int) int { return n + 1 }\nfunc main() { c <- g }\nfunc f() int { return (<-c)(1) }"}, "n + 1", "n + 2", "other"},
	{"an error that others return", map[string]string{"main.go": "import \"errors\"\nvar ErrX = errors.New(\"x\")\nfunc g() error { println(1); return ErrX }\nfunc f() error { return ErrX }"}, "println(1)", "println(2)", "same"},

	{"a method by its interface", map[string]string{"main.go": "type i interface{ M(int) int }\ntype a struct{}\nfunc (a) M(int) int { return 1 }\nfunc f(x i) int { return i.M(x, 3) }"}, "return 1", "return 2", "other"},
	{"assembly that calls Go", map[string]string{"main.go": "func g() int\nfunc h() int { return 1 }\nfunc f() int { return g() }", "x.s": "TEXT \u00b7g(SB),$0\n\tCALL \u00b7h(SB)\n"}, "return 1", "return 2", "other"},
	{"assembly that includes a file", map[string]string{"main.go": "func g() int\nfunc f() int { return g() }", "x.s": "#include \"own.h\"\nTEXT \u00b7g(SB),$0\n"}, "TEXT", "TEXT", "gap"},
	{"assembly with the usual header", map[string]string{"main.go": "func g() int\nfunc f() int { return g() }", "x.s": "#include \"textflag.h\"\nTEXT \u00b7g(SB),$0\n"}, "$0", "$8", "other"},
	{"a body from elsewhere", map[string]string{
		"main.go":  "import \"example.com/m/lib\"\nimport _ \"example.com/m/impl\"\nfunc f() int { return lib.G() }",
		"lib/x.go": "package lib\nfunc G() int", "lib/x.s": "",
		"impl/x.go": "package impl\nimport _ \"unsafe\"\n//go:linkname g example.com/m/lib.G\nfunc g() int { return 1 }"}, "return 1", "return 2", "gap"},
}

func TestReach(t *testing.T) {
	t.Parallel()
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			build := func(edit bool, function string) Identity {
				full := "main.f"
				if function != "" {
					full = "example.com/m/" + function
				}
				files := map[string]string{}
				found := 0
				for name, text := range c.files {
					if name == "main.go" {
						text = "package main\n\n" + text
					}
					if edit {
						found += strings.Count(text, c.old)
						text = strings.Replace(text, c.old, c.new, 1)
					}
					files[name] = text
				}
				if edit && found == 0 {
					t.Fatalf("%q is nowhere", c.old)
				}
				return program(files, dep, &debug.Module{Path: "example.com/local", Version: "v0.0.0", Replace: &debug.Module{Path: "../local"}}).Of(full)
			}
			want, function, _ := strings.Cut(c.want, " in ")
			before, after := build(false, function), build(true, function)
			got := "other"
			switch {
			case before.Gap != "" || after.Gap != "":
				got = "gap"
			case before.Hash == after.Hash:
				got = "same"
			}
			if got != want {
				t.Errorf("%s, want %s (gap %q)\n%v\n%v", got, c.want, before.Gap, before.Parts, after.Parts)
			}
		})
	}
}

// A module whose name has no dot is not the standard library.
func TestPlainName(t *testing.T) {
	t.Parallel()
	of := func(lib string) Identity {
		info := &debug.BuildInfo{GoVersion: "go1.26", Path: "prog", Main: debug.Module{Path: "prog"}}
		return New([]Module{{"prog", fstest.MapFS{
			"main.go":  &fstest.MapFile{Data: []byte("package main\n\nimport \"prog/lib\"\n\nfunc main() { lib.Add(func(n int) int { return n + 1 }) }\n\nfunc f() int { return lib.H[0](1) }\n")},
			"lib/x.go": &fstest.MapFile{Data: []byte(lib)},
		}}}, info).Of("main.f")
	}
	text := "package lib\n\nvar H []func(int) int\n\nfunc Add(f func(int) int) { H = append(H, f) }\n"
	a, b := of(text), of(strings.Replace(text, "(H, f)", "(H, f, nil)", 1))
	if a.Gap != "" || a.Hash == b.Hash {
		t.Error("the same", a.Gap)
	}
	if !slices.ContainsFunc(a.Parts, func(p Part) bool { return p.Name == "prog.main" }) {
		t.Error("main hands a literal over and does not count", a.Parts)
	}
}

func TestDependencies(t *testing.T) {
	t.Parallel()
	files := map[string]string{"main.go": "package main\n\nimport \"example.com/dep/sub\"\n\nfunc f() { sub.X() }\n\nfunc g() int { return 1 }\n"}
	other := &debug.Module{Path: "example.com/dep", Version: "v1.2.4", Sum: "h1:y"}
	indirect := &debug.Module{Path: "example.com/indirect", Version: "v1.0.0", Sum: "h1:z"}
	a, b := program(files, dep), program(files, other)
	if a.Of("main.f").Hash == b.Of("main.f").Hash || a.Of("main.f").Gap != "" {
		t.Error("the version does not count", a.Of("main.f").Gap)
	}
	if a.Of("main.g").Hash != b.Of("main.g").Hash {
		t.Error("it counts for a function that does not reach it")
	}
	if a.Of("main.f").Hash == program(files, dep, indirect).Of("main.f").Hash {
		t.Error("what the dependency may need does not count")
	}
	vendored := &debug.Module{Path: "example.com/dep", Version: "v1.2.3"}
	if id := program(files, vendored).Of("main.f"); !strings.Contains(id.Gap, "has no version") {
		t.Error(id.Gap)
	}
	local := &debug.Module{Path: "example.com/other", Version: "(devel)"}
	if id := program(files, dep, local).Of("main.f"); !strings.Contains(id.Gap, "example.com/other") {
		t.Error(id.Gap)
	}
}

func TestSettings(t *testing.T) {
	t.Parallel()
	m := Module{"example.com/m", fstest.MapFS{"main.go": &fstest.MapFile{Data: []byte("package main\n\nfunc All() {}\n")}}}
	info := &debug.BuildInfo{GoVersion: "go1.26", Path: "example.com/m", Main: debug.Module{Path: "example.com/m"}}
	base := New([]Module{m}, info).Of("main.All").Hash
	for _, s := range []debug.BuildSetting{{Key: "GOAMD64", Value: "v3"}, {Key: "-ldflags", Value: "-X x=y"}, {Key: "-gcflags", Value: "-N"}} {
		other := *info
		other.Settings = append(slices.Clone(info.Settings), s)
		if New([]Module{m}, &other).Of("main.All").Hash == base {
			t.Errorf("%v does not count", s)
		}
	}
	other := *info
	other.Settings = append(slices.Clone(info.Settings), debug.BuildSetting{Key: "vcs.time", Value: "now"})
	if New([]Module{m}, &other).Of("main.All").Hash != base {
		t.Error("the time of the commit counts")
	}
	other = *info
	other.GoVersion = "go1.27"
	if New([]Module{m}, &other).Of("main.All").Hash == base {
		t.Error("Go's version does not count")
	}
}

func TestUnknownFunction(t *testing.T) {
	t.Parallel()
	p := program(map[string]string{"main.go": "package main\n"})
	if id := p.Of("main.f"); !strings.Contains(id.Gap, "don't have example.com/m.f") {
		t.Error(id.Gap)
	}
	if id := p.Of("example.com/else.f"); !strings.Contains(id.Gap, "no sources of the module") {
		t.Error(id.Gap)
	}
}

// A function that makes keys counts, also as a literal.
func TestTwoFunctions(t *testing.T) {
	t.Parallel()
	text := "package main\n\nfunc f() {}\n\nfunc g() func() int { return func() int { return 1 } }\n\ntype t struct{}\n\nfunc (*t) m() {}\n"
	a, b := program(map[string]string{"main.go": text}), program(map[string]string{"main.go": strings.Replace(text, "return 1", "return 2", 1)})
	if a.Of("main.f").Hash != b.Of("main.f").Hash {
		t.Error("f is not the same")
	}
	if x, y := a.Of("main.f", "main.g.func1"), b.Of("main.f", "main.g.func1"); x.Hash == y.Hash || x.Gap+y.Gap != "" {
		t.Error("g is the same", x.Gap, y.Gap)
	}
	if id := a.Of("main.(*t).m.func1"); id.Gap != "" {
		t.Error(id.Gap)
	}
	if id := a.Of("main.f", "main.init.func1"); id.Gap == "" {
		t.Error("there is no init")
	}
}

// What comes behind an interface may have any type.
func TestAnyType(t *testing.T) {
	t.Parallel()
	of := func(text string) *Program {
		return program(map[string]string{
			"main.go":    "package main\n\nimport \"example.com/m/money\"\n\nfunc main() { f(money.New()) }\n\nfunc f(x any) string { return fmt.Sprint(x) }\n",
			"money/x.go": "package money\n\ntype M int\n\nfunc New() M { return 1 }\n\nfunc (M) String() string { return " + text + " }\n",
		})
	}
	a, b := of("\"1\""), of("\"2\"")
	if a.OfAny("main.f").Hash == b.OfAny("main.f").Hash {
		t.Error("the same with any type")
	}
	if a.Of("main.f").Hash != b.Of("main.f").Hash {
		t.Error("not the same without")
	}
}

func TestSplitName(t *testing.T) {
	t.Parallel()
	for in, want := range map[string][2]string{
		"main.f":                       {"main", "f"},
		"example.com/m/pkg.F":          {"example.com/m/pkg", "F"},
		"gopkg.in/yaml%2ev3.F":         {"gopkg.in/yaml.v3", "F"},
		"example.com/m.(*T).Method-fm": {"example.com/m", "(*T).Method-fm"},
		"example.com/m.f.func1":        {"example.com/m", "f.func1"},
		"example.com/m.g[...]":         {"example.com/m", "g[...]"},
	} {
		if pkg, name := SplitName(in); pkg != want[0] || name != want[1] {
			t.Errorf("%s: %s, %s", in, pkg, name)
		}
	}
}
