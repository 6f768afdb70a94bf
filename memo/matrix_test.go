package memo

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
)

// The matrix: small programs are really built again after an edit, and must
// find their result or not.

// program is a module in a directory of its own. Its f uses a bit of
// everything.
var matrixProgram = map[string]string{
	"go.mod": `module example.com/prog

go 1.26

require (
	example.com/dep v1.0.0
	github.com/weft-go/weft v0.0.0
)

replace github.com/weft-go/weft => WEFT
REQUIRES`,
	"main.go": `package main

import (
	"context"
	"embed"
	"encoding/json"
	"fmt"
	"os"

	"example.com/prog/lib"
	"github.com/weft-go/weft/memo"
)

//go:embed go.mod *.go */*.go */*/*.go
var sources embed.FS

func init() { memo.Source(sources) }

type job struct {
	N    int
	File memo.File
}

// f is what is kept.
func f(ctx context.Context, j job) (string, error) {
	total := 0
	for i := range j.N {
		total += lib.Step(i)
	}
	b, err := os.ReadFile(string(j.File))
	if err != nil {
		return "", err
	}
	return fmt.Sprint(total, len(b), limit, lib.Describe(shape(total))), nil
}

const limit = 10

func shape(n int) lib.Shape {
	if n > limit {
		return square{side{n}}
	}
	return circle{n}
}

type side struct{ n int }

type square struct{ side side }

func (s square) Area() int { return s.side.n * s.side.n }

type circle struct{ r int }

func (c circle) Area() int { return 3 * c.r * c.r }

func unrelated() int { return 1 }

type stranger struct{}

func (stranger) Unheard() int { return 1 }

func main() {
	cache, err := memo.Open(os.Args[1], memo.Config{})
	if err != nil {
		panic(err)
	}
	defer cache.Close()
	g := memo.Wrap(cache, f)
	j := job{3, memo.File(os.Args[2])}
	why, err := g.Why(j)
	if err != nil {
		panic(err)
	}
	if _, err := g(context.Background(), j); err != nil {
		panic(err)
	}
	unrelated()
	json.NewEncoder(os.Stdout).Encode(why)
}
`,
	"lib/lib.go": `package lib

import (
	"example.com/dep"
	"example.com/prog/lib/deep"
)

type Shape interface{ Area() int }

func Describe(s Shape) int { return deep.Scale(s.Area()) + largest(1, 2) + handlers["double"](2) }

func Step(i int) int { return dep.Add(i, weight) }

var weight = initial()

func initial() int { return 2 }

func largest[T int | float64](a, b T) T {
	if a > b {
		return a
	}
	return b
}

var handlers = map[string]func(int) int{}

func Register(name string, f func(int) int) { handlers[name] = f }

// Unused is not reached.
func Unused() int { return 1 }
`,
	"lib/register.go": `package lib

func init() { Register("double", twice) }

func twice(n int) int { return 2 * n }
`,
	"lib/deep/deep.go": `package deep

func Scale(n int) int { return n * factor }

const factor = 5
`,
	"lib/deep/deep_windows.go": `package deep

func Windows() {}
`,
	"lib/deep/deep_test.go": `package deep

func helper() {}
`,
}

// matrixDep is a dependency in two versions, served from a directory as the
// module proxy would.
func matrixProxy(t *testing.T, dir string) {
	t.Helper()
	for _, v := range []string{"v1.0.0", "v1.1.0"} {
		base := filepath.Join(dir, "example.com", "dep", "@v")
		mod := "module example.com/dep\n\ngo 1.26\n"
		write(t, filepath.Join(base, v+".mod"), mod)
		write(t, filepath.Join(base, v+".info"), fmt.Sprintf(`{"Version":%q,"Time":"2026-01-01T00:00:00Z"}`, v))
		zipModule(t, filepath.Join(base, v+".zip"), "example.com/dep@"+v, map[string]string{
			"go.mod": mod, "dep.go": "package dep\n\nfunc Add(a, b int) int { return a + b }\n",
		})
	}
}

// edit changes a program and says what must come of it.
type edit struct {
	name string
	// file, old and new: a replacement; several with more.
	file, old, new string
	more           map[string]string // whole files
	flags          []string
	cause          Cause
	level          Level
	changed        string // the first change that Why names
	note           string
	cgo            bool
	// long: the same is tested without building in internal/code, so it is
	// built only where WEFT_SOAK is set.
	long bool
}

var matrix = []edit{
	{name: "nothing", cause: Hit},
	{name: "a comment", file: "main.go", old: "// f is what is kept.", new: "// f is what is kept,\n// more or less.", cause: Hit},
	{name: "a comment inside", long: true, file: "lib/lib.go", old: "	if a > b {", new: "	// the larger one\n	if a > b { // really", cause: Hit},
	{name: "the place of the function", file: "main.go", old: "const limit = 10\n", new: "", more: map[string]string{"other.go": "package main\n\nfunc moved() {}\n\nconst limit = 10\n"}, cause: Hit},
	{name: "a local's name", long: true, file: "main.go", old: "total := 0\n	for i := range j.N {\n		total += lib.Step(i)\n	}", new: "sum := 0\n	for k := range j.N {\n		sum += lib.Step(k)\n	}\n	total := sum", cause: Code, changed: "function example.com/prog.f changed"},
	{name: "only a local's name", file: "main.go", old: "for i := range j.N {\n		total += lib.Step(i)", new: "for k := range j.N {\n		total += lib.Step(k)", cause: Hit},
	{name: "a parameter's name", long: true, file: "lib/deep/deep.go", old: "func Scale(n int) int { return n * factor }", new: "func Scale(\n	number int,\n) int {\n	return number * factor\n}", cause: Hit},
	{name: "an unrelated function", file: "main.go", old: "func unrelated() int { return 1 }", new: "func unrelated() int { return 2 }", cause: Hit},
	{name: "an unrelated function of a package that is reached", long: true, file: "lib/lib.go", old: "func Unused() int { return 1 }", new: "func Unused() int { return 7 }", cause: Hit},
	{name: "an unrelated method", file: "main.go", old: "Unheard() int { return 1 }", new: "Unheard() int { return 2 }", cause: Hit},
	{name: "another function, added", long: true, file: "main.go", old: "func unrelated()", new: "func added() {}\n\nfunc unrelated()", cause: Hit},
	{name: "a file of another system", long: true, file: "lib/deep/deep_windows.go", old: "{}", new: "{ println() }", cause: Hit},
	{name: "a test", long: true, file: "lib/deep/deep_test.go", old: "{}", new: "{ println() }", cause: Hit},
	{name: "the body", file: "main.go", old: "return fmt.Sprint(total,", new: "return fmt.Sprint(total+1,", cause: Code, changed: "function example.com/prog.f changed"},
	{name: "a direct callee", file: "main.go", old: "return square{side{n}}", new: "return square{side{n + 1}}", cause: Code, changed: "function example.com/prog.shape changed"},
	{name: "a callee two packages away", file: "lib/deep/deep.go", old: "n * factor", new: "n * factor * 1", cause: Code, changed: "function example.com/prog/lib/deep.Scale changed"},
	{name: "a constant", file: "main.go", old: "limit = 10", new: "limit = 11", cause: Code, changed: "constant example.com/prog.limit changed"},
	{name: "a constant two packages away", long: true, file: "lib/deep/deep.go", old: "factor = 5", new: "factor = 6", cause: Code, changed: "constant example.com/prog/lib/deep.factor changed"},
	{name: "a method behind an interface", file: "main.go", old: "3 * c.r * c.r", new: "4 * c.r * c.r", cause: Code, changed: "method example.com/prog.(circle).Area changed"},
	{name: "a generic function", file: "lib/lib.go", old: "	if a > b {", new: "	if a >= b {", cause: Code, changed: "function example.com/prog/lib.largest changed"},
	{name: "a generic instantiation", file: "lib/lib.go", old: "largest(1, 2)", new: "int(largest[float64](1, 2))", cause: Code, changed: "function example.com/prog/lib.Describe changed"},
	{name: "a struct field's type", file: "main.go", old: "type side struct{ n int }", new: "type side struct{ n length }\n\ntype length = int", cause: Code, changed: "type example.com/prog.side changed"},
	{name: "the initialiser of a variable", long: true, file: "lib/lib.go", old: "func initial() int { return 2 }", new: "func initial() int { return 3 }", cause: Code, changed: "function example.com/prog/lib.initial changed"},
	{name: "a function that init registers", file: "lib/register.go", old: "return 2 * n", new: "return n + n", cause: Code, changed: "function example.com/prog/lib.twice changed"},
	{name: "a function that another package registers", long: true, more: map[string]string{"plugin.go": "package main\n\nimport \"example.com/prog/lib\"\n\nfunc init() { lib.Register(\"triple\", triple) }\n\nfunc triple(n int) int { return 3 * n }\n"}, cause: Code, changed: "function example.com/prog.init in plugin.go added"},
	{name: "a dependency's version", file: "go.mod", old: "example.com/dep v1.0.0", new: "example.com/dep v1.1.0", cause: Code, changed: "dependency example.com/dep changed"},
	{name: "a build tag", long: true, flags: []string{"-tags=other"}, cause: Code, changed: "build -tags added"},
	{name: "cgo", more: map[string]string{"lib/c.go": "package lib\n\n// int one() { return 1; }\nimport \"C\"\n\nfunc init() { println(C.one()) }\n"}, cause: Code, level: Build, note: "example.com/prog/lib/c.go uses cgo", cgo: true},
	{name: "linkname", long: true, more: map[string]string{"lib/l.go": "package lib\n\nimport _ \"unsafe\"\n\n//go:linkname nanotime runtime.nanotime\nfunc nanotime() int64\n\nfunc init() { nanotime() }\n", "lib/l.s": "\n"}, cause: Code, level: Build, note: "example.com/prog/lib.nanotime has no body in Go"},
	{name: "a package too deep for the patterns", file: "lib/deep/deep.go", old: "package deep\n", new: "package deep\n\nimport _ \"example.com/prog/lib/deep/er\"\n", more: map[string]string{"lib/deep/er/er.go": "package er\n"}, cause: Code, level: Build, note: "there are no sources of example.com/prog/lib/deep/er"},
}

func write(t *testing.T, name, text string) {
	t.Helper()
	if err := errors.Join(os.MkdirAll(filepath.Dir(name), 0o755), os.WriteFile(name, []byte(text), 0o644)); err != nil {
		t.Fatal(err)
	}
}

// builder builds programs in one directory, so that the go command's own cache
// serves all of them.
type builder struct {
	dir string
	env []string
}

func newBuilder(t *testing.T) *builder {
	t.Helper()
	if _, err := exec.LookPath("go"); err != nil {
		t.Skip("there is no go command")
	}
	root, err := filepath.Abs("..")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	proxy := filepath.Join(dir, "proxy")
	matrixProxy(t, proxy)
	real, err := exec.Command("go", "env", "GOMODCACHE").Output()
	if err != nil {
		t.Fatal(err)
	}
	b := &builder{dir: filepath.Join(dir, "prog"), env: append(os.Environ(),
		// The modules of weft itself come from the cache of the user.
		"GOPROXY=file://"+filepath.ToSlash(proxy)+",file://"+filepath.ToSlash(strings.TrimSpace(string(real)))+"/cache/download",
		"GONOSUMDB=*", "GONOSUMCHECK=1", "GOFLAGS=-mod=mod -modcacherw", "GOWORK=off", "GOMODCACHE="+filepath.Join(dir, "mod"), "GOTOOLCHAIN=local")}
	b.write(t, root, matrixProgram)
	return b
}

// write lays the program out anew.
func (b *builder) write(t *testing.T, root string, files map[string]string) {
	t.Helper()
	mod, err := os.ReadFile(filepath.Join(root, "go.mod"))
	if err != nil {
		t.Fatal(err)
	}
	// What weft requires, as tidying would write it.
	var requires strings.Builder
	for line := range strings.Lines(string(mod)) {
		f := strings.Fields(line)
		if len(f) >= 2 && strings.HasPrefix(f[1], "v") && strings.Contains(f[0], ".") {
			requires.WriteString("\nrequire " + f[0] + " " + f[1] + " // indirect\n")
		}
	}
	for name, text := range files {
		text = strings.ReplaceAll(text, "WEFT", root)
		text = strings.ReplaceAll(text, "REQUIRES", requires.String())
		write(t, filepath.Join(b.dir, filepath.FromSlash(name)), text)
	}
	sum, err := os.ReadFile(filepath.Join(root, "go.sum"))
	if err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(b.dir, "go.sum"), string(sum))
}

// build builds an edited program and puts all back.
func (b *builder) build(t *testing.T, e edit, out string) {
	t.Helper()
	undo := map[string][]byte{}
	keep := func(name string) {
		old, err := os.ReadFile(name)
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			t.Fatal(err)
		}
		undo[name] = old
	}
	for _, name := range []string{"go.mod", "go.sum"} {
		keep(filepath.Join(b.dir, name)) // the go command tidies them
	}
	if e.file != "" {
		name := filepath.Join(b.dir, filepath.FromSlash(e.file))
		if _, ok := undo[name]; !ok {
			keep(name)
		}
		text := string(undo[name])
		if strings.Count(text, e.old) != 1 {
			t.Fatalf("%q stands %d times in %s", e.old, strings.Count(text, e.old), e.file)
		}
		write(t, name, strings.Replace(text, e.old, e.new, 1))
	}
	for _, f := range slices.Sorted(maps.Keys(e.more)) {
		name := filepath.Join(b.dir, filepath.FromSlash(f))
		keep(name)
		write(t, name, e.more[f])
	}
	// Without symbols: linking is most of the time.
	args := append([]string{"build", "-ldflags=-s -w", "-o", out}, e.flags...)
	cmd := exec.Command("go", append(args, ".")...)
	cmd.Dir, cmd.Env = b.dir, b.env
	cgo := "CGO_ENABLED=0"
	if e.cgo {
		cgo = "CGO_ENABLED=1"
	}
	cmd.Env = append(slices.Clone(cmd.Env), cgo)
	text, err := cmd.CombinedOutput()
	for name, old := range undo {
		if old == nil {
			_ = os.Remove(name)
			continue
		}
		write(t, name, string(old))
	}
	if err != nil {
		t.Fatalf("go build: %v\n%s", err, text)
	}
}

func runProgram(t *testing.T, bin string, args ...string) Reason {
	t.Helper()
	var out, complaint bytes.Buffer
	cmd := exec.Command(bin, args...)
	cmd.Stdout, cmd.Stderr = &out, &complaint
	if err := cmd.Run(); err != nil {
		t.Fatalf("%v\n%s", err, complaint.String())
	}
	var r Reason
	if err := json.Unmarshal(out.Bytes(), &r); err != nil {
		t.Fatalf("%v: %s", err, out.String())
	}
	return r
}

func exe(name string) string {
	if runtime.GOOS == "windows" {
		return name + ".exe"
	}
	return name
}

func TestRebuildMatrix(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("builds programs")
	}
	// Two directories, as building uses one CPU at most times.
	builders := make(chan *builder, 2)
	builders <- newBuilder(t)
	b := newBuilder(t)
	bins := t.TempDir()
	first := filepath.Join(bins, exe("first"))
	b.build(t, edit{}, first)
	builders <- b
	input := filepath.Join(bins, "input")
	write(t, input, "abc")
	// A cache with the result of the first program, for each edit anew.
	fresh := func(t *testing.T) string {
		dir := filepath.Join(t.TempDir(), "cache")
		if r := runProgram(t, first, dir, input); r.Cause != FirstCall || r.Level != Exact {
			t.Fatal(r)
		}
		return dir
	}
	for i, e := range matrix {
		if e.long && os.Getenv("WEFT_SOAK") == "" {
			continue
		}
		t.Run(e.name, func(t *testing.T) {
			t.Parallel()
			if e.cgo {
				if out, err := exec.Command("go", "env", "CC").Output(); err != nil || exec.Command(strings.TrimSpace(string(out)), "--version").Run() != nil {
					t.Skip("there is no C compiler")
				}
			}
			bin := filepath.Join(bins, exe(fmt.Sprint(i)))
			b := <-builders
			defer func() { builders <- b }()
			b.build(t, e, bin)
			defer os.Remove(bin)
			dir := fresh(t)
			r := runProgram(t, bin, dir, input)
			level := e.level
			if e.note == "" {
				level = Exact
			}
			if r.Cause != e.cause || r.Level != level || !strings.HasPrefix(r.Note, e.note) || e.note == "" && r.Note != "" {
				t.Fatalf("%v", r)
			}
			if e.changed != "" && (len(r.Changed) == 0 || !slices.ContainsFunc(r.Changed, func(c Change) bool { return c.String() == e.changed })) {
				t.Errorf("%v does not name %q", r.Changed, e.changed)
			}
			if r := runProgram(t, bin, dir, input); r.Cause != Hit {
				t.Errorf("a second time: %v", r)
			}
			// The first program's result is still there.
			if r := runProgram(t, first, dir, input); r.Cause != Hit {
				t.Errorf("the first program again: %v", r)
			}
		})
	}
	t.Run("the content of a file", func(t *testing.T) {
		input := filepath.Join(t.TempDir(), "input")
		write(t, input, "abc")
		dir := filepath.Join(t.TempDir(), "cache")
		runProgram(t, first, dir, input)
		write(t, input, "abcd")
		r := runProgram(t, first, dir, input)
		if r.Cause != FileChanged || len(r.Changed) != 1 || r.Changed[0].Name != input || !strings.Contains(r.Detail, "3 bytes") {
			t.Error(r)
		}
		if r := runProgram(t, first, dir, input); r.Cause != Hit {
			t.Error(r)
		}
	})
	t.Run("a file touched only", func(t *testing.T) {
		dir := fresh(t)
		info, err := os.Stat(input)
		if err != nil {
			t.Fatal(err)
		}
		later := info.ModTime().Add(1e9)
		if err := os.Chtimes(input, later, later); err != nil {
			t.Fatal(err)
		}
		if r := runProgram(t, first, dir, input); r.Cause != Hit {
			t.Error(r)
		}
	})
}
