// Package walls holds the import rules of the house, each with its reason.
package walls

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const module = "github.com/weft-go/weft"

// rule says what the files of a package, tests aside, may import and name.
type rule struct {
	dir string // "." is the root package
	// allow lists what may be imported beside the standard library: exact
	// paths, or with /... all below. Empty is nothing.
	allow []string
	// deny lists what may not be, of the standard library too.
	deny []string
	// names lists what the source may not use, as "package.Name".
	names []string
	// still: no go statement.
	still bool
	why   string
}

var rules = []rule{
	{dir: ".", allow: []string{module + "/internal/...", "golang.org/x/sys/...", "golang.org/x/term"},
		why: "whoever imports weft gets no dependency but Go's own; DuckDB, Temporal and kong stay behind their packages"},
	{dir: "internal/plan", deny: []string{"os", "sync", "sync/atomic", "runtime", "context", "net", "math/rand", "math/rand/v2"}, names: []string{"time.Now", "time.Since", "time.Until", "time.Sleep", "time.After", "time.AfterFunc", "time.NewTimer", "time.NewTicker", "time.Tick"}, still: true,
		why: "the planner is pure, so that each decision is a table row and every run can be simulated"},
	{dir: "graph", allow: []string{module, module + "/graph/internal/...", module + "/internal/...", module + "/memo", "golang.org/x/term"},
		why: "the graph knows weft and memo, and needs no dependency of its own but one that tells terminals from files"},
	{dir: "graph/internal/layout", deny: []string{"os", "sync", "context", "time", "math/rand/v2"}, still: true, why: "placing boxes is pure: the same graph is the same picture everywhere, and drawn graphs are its tests"},
	{dir: "internal/order", deny: []string{"os", "sync", "sync/atomic", "runtime", "context", "net", "time", "math/rand", "math/rand/v2"}, still: true,
		why: "the order is a pure function, so that it is tested on drawn graphs"},
	{dir: "internal/sched", deny: []string{"os", "sync", "sync/atomic", "runtime", "context", "net", "time", "math/rand", "math/rand/v2"}, still: true,
		why: "the scheduler is pure, so that every run can be simulated, and a package that runs graphs elsewhere can use it"},
	{dir: "graph/internal/spill", allow: []string{module + "/internal/wire"}, still: true, why: "results on disk; it knows no task"},
	{dir: "shm", allow: []string{module + "/internal/memory", "golang.org/x/sys/..."}, still: true,
		why: "a leaf: memory and files, nothing of weft; internal/memory tells what a cgroup leaves before the kernel kills for it"},
	{dir: "frame", allow: []string{module + "/internal/budget", module + "/internal/cpus", module + "/internal/memory", module + "/internal/near", "github.com/duckdb/duckdb-go/v2/mapping", "github.com/duckdb/duckdb-go-bindings", "github.com/apache/arrow-go/v18/arrow", "github.com/apache/arrow-go/v18/arrow/array", "github.com/apache/arrow-go/v18/arrow/memory", "golang.org/x/term", "C"},
		why: "frames know the budgets of the process and DuckDB, not the rest of Weft; database/sql and the C interface of Arrow stay out, as they do not stream"},
	{dir: "array", allow: []string{module + "/graph", module + "/internal/memory", module + "/internal/npy", module + "/internal/vector", module + "/internal/zarr"}, still: true,
		why: "arrays are tasks of a graph: they start no goroutine of their own; gonum and DuckDB stay out"},
	{dir: "internal/near", why: "a leaf: compares names"},
	{dir: "internal/budget", why: "the account of CPU slots is shared by all packages and knows none"},
	{dir: "internal/meter", why: "child processes charge it; it must not pull in the engine"},
	{dir: "internal/tight", why: "the one loop that needs unsafe; nothing else belongs beside it"},
	{dir: "internal/funcname", still: true, why: "a leaf: a package that wraps functions and one that prints their names meet here and nowhere else"},
	{dir: "internal/dtype", still: true, why: "a leaf: names and bytes of elements, for every file format of arrays"},
	{dir: "internal/npy", allow: []string{module + "/internal/dtype", module + "/shm"}, still: true, why: "a file format; it knows no array, only elements and their order; shm maps the file"},
	{dir: "internal/vector", allow: []string{"golang.org/x/sys/cpu"}, still: true, why: "loops over slices and nothing else; x/sys/cpu tells what the CPU can do"},
	{dir: "internal/zarr", allow: []string{module + "/internal/dtype", "github.com/klauspost/compress/zstd"}, still: true, why: "a file format; it knows no array, only blocks of elements"},
	{dir: "internal/wire", why: "values to bytes, for every executor; it knows no executor, no run and no transport"},
	{dir: "internal/crossing", allow: []string{module}, still: true, why: "errors on their way, for every executor that leaves the process; it knows no transport"},
	{dir: "internal/pilot", allow: []string{"golang.org/x/sys/..."}, deny: []string{module + "/internal/plan"}, why: "it measures and decides nothing"},
	{dir: "internal/softlimit", still: true, why: "the runtime's soft limit is the process's, shared by all packages; it knows none"},
	{dir: "internal/cgroup", allow: []string{"golang.org/x/sys/..."}, why: "a leaf: reads files of the kernel"},
	{dir: "internal/cpus", allow: []string{module + "/internal/cgroup", "golang.org/x/sys/..."}, why: "a leaf: tells how many CPUs there are"},
	{dir: "memo", allow: []string{module + "/internal/funcname", module + "/memo/internal/...", "github.com/zeebo/blake3"}, why: "a leaf: it knows nothing of the rest of Weft, and anyone may use it alone; internal/funcname only keeps the names of wrapped functions"},
	{dir: "memo/internal/code", allow: []string{module + "/memo/internal/key"}, names: []string{"os.Open", "os.ReadFile", "exec.Command"}, why: "which code runs is read from what is embedded in the binary, never from a disk that may have changed since"},
	{dir: "memo/internal/key", allow: []string{module + "/memo/internal/raw", module + "/memo/internal/shape", "github.com/zeebo/blake3"}, deny: []string{"os", "hash/maphash", "math/rand/v2"}, why: "a key depends on the value alone, in every process and on every machine"},
	{dir: "memo/internal/rangelock", allow: []string{"golang.org/x/sys/..."}, why: "a leaf: locks bytes of a file"},
	{dir: "memo/internal/raw", allow: []string{"golang.org/x/sys/..."}, why: "the one package of memo with unsafe; it knows no format"},
	{dir: "memo/internal/shape", why: "a leaf: says how types are looked at"},
	{dir: "memo/internal/store", allow: []string{module + "/memo/internal/key", module + "/memo/internal/rangelock", module + "/memo/internal/raw", "github.com/klauspost/compress/zstd", "github.com/zeebo/xxh3", "golang.org/x/sys/..."}, deny: []string{"reflect"}, why: "the store knows keys and bytes, not functions and types"},
	{dir: "memo/internal/value", allow: []string{module + "/memo/internal/raw", module + "/memo/internal/shape"}, deny: []string{"os", "plugin", "encoding/gob"}, why: "reading a stored value runs no code that the bytes name"},
	{dir: "internal/breaking", why: "a bad network for tests of whatever talks TCP; it knows none of it"},
	{dir: "cluster", allow: []string{module, module + "/graph", module + "/proc", module + "/cluster/internal/...", module + "/internal/...", "go.temporal.io/api/...", "go.temporal.io/sdk/...", "google.golang.org/grpc"},
		why: "it knows the executor seam, Temporal's client, and the store by internal/objects only"},
	{dir: "cluster/internal/desk", deny: []string{"os", "sync", "sync/atomic", "runtime", "context", "net", "math/rand", "math/rand/v2"}, names: []string{"time.Now", "time.Since", "time.Until", "time.Sleep", "time.After", "time.AfterFunc", "time.NewTimer", "time.NewTicker", "time.Tick"}, still: true,
		why: "what a run hands out next is decided in a workflow and in its replay alike, so it depends on events alone"},
	{dir: "internal/clustertest", allow: []string{"github.com/johannesboyne/gofakes3/..."}, why: "it starts the other side of a cluster for tests and must not know ours"},
	{dir: "internal/objects", allow: []string{"gocloud.dev/..."}, why: "values by reference in an object store; it knows no run, no Temporal and no Weft"},
	{dir: "internal/testserver", allow: []string{"go.temporal.io/...", "google.golang.org/grpc/..."}, why: "a module of its own, so that nobody who uses Weft links a server"},
	{dir: "internal/memory", allow: []string{module + "/internal/cgroup", "golang.org/x/sys/..."}, why: "a leaf: tells how much memory there is"},
}

// fences say who alone may import something heavy.
var fences = []struct {
	path string // import path prefix
	only []string
	why  string
}{
	{"github.com/alecthomas/kong", []string{"cmd"}, "only the command parses a command line"},
	{"github.com/duckdb/", []string{"frame"}, "DuckDB needs cgo; only frame links it"},
	{"github.com/marcboeker/go-duckdb", []string{"frame"}, "DuckDB needs cgo; only frame links it"},
	{"github.com/apache/arrow-go/", []string{"frame"}, "Arrow is for tables; only frame takes and gives it"},
	{"go.temporal.io/", []string{"cluster"}, "Temporal is large; only cluster links it"},
	{"gocloud.dev/", []string{"cluster", "internal/objects"}, "object stores are large; only cluster links them"},
	{"github.com/sourcegraph/conc", []string{"bench"}, "peers are compared with, not used"},
	{"github.com/alitto/pond", []string{"bench"}, "peers are compared with, not used"},
	{"github.com/panjf2000/ants", []string{"bench"}, "peers are compared with, not used"},
	{"github.com/samber/lo", []string{"bench"}, "peers are compared with, not used"},
	{"unsafe", []string{"internal", "memo/internal/raw", "shm", "array", "proc", "frame"}, "what the user meets first is safe Go"},
	{"github.com/zeebo/", []string{"memo"}, "hashes of keys and files; only memo needs them"},
	{"github.com/klauspost/compress", []string{"memo", "internal/zarr"}, "only stored results and chunks of arrays are compressed"},
	{"C", []string{"frame"}, "everything else builds without a C compiler"},
}

// leaves know nothing of weft. They may be there or not yet.
var leaves = []string{"shm", "memo"}

type file struct {
	name string
	ast  *ast.File
}

func root(t *testing.T) string {
	t.Helper()
	dir, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(filepath.Join(dir, "go.mod"))
	if err != nil || !strings.HasPrefix(string(b), "module "+module+"\n") {
		t.Fatalf("%s is not the root of %s: %v", dir, module, err)
	}
	return dir
}

// files parses the Go files of one directory, those for other systems
// included, tests not.
func files(t *testing.T, dir string) (fs []file) {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(dir, "*.go"))
	if err != nil {
		t.Fatal(err)
	}
	set := token.NewFileSet()
	for _, name := range names {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		f, err := parser.ParseFile(set, name, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		fs = append(fs, file{filepath.Base(name), f})
	}
	return fs
}

func imports(f file) (ps []string) {
	for _, i := range f.ast.Imports {
		p, _ := strconv.Unquote(i.Path.Value)
		ps = append(ps, p)
	}
	return ps
}

// standard tells whether a path is of the standard library: no dot in its
// first element.
func standard(p string) bool {
	first, _, _ := strings.Cut(p, "/")
	return !strings.Contains(first, ".") && p != "C"
}

func match(pattern, p string) bool {
	if prefix, ok := strings.CutSuffix(pattern, "/..."); ok {
		return p == prefix || strings.HasPrefix(p, prefix+"/")
	}
	return p == pattern
}

func breaks(r rule, p string) bool {
	has := func(list []string) bool {
		return slices.ContainsFunc(list, func(s string) bool { return match(s, p) })
	}
	return has(r.deny) || !standard(p) && !has(r.allow)
}

func TestRules(t *testing.T) {
	t.Parallel()
	top := root(t)
	for _, r := range rules {
		t.Run(r.dir, func(t *testing.T) {
			t.Parallel()
			fs := files(t, filepath.Join(top, r.dir))
			if len(fs) == 0 {
				t.Fatalf("the package has vanished; take it off the rules, or see where it went (%s)", r.why)
			}
			for _, f := range fs {
				for _, p := range imports(f) {
					if breaks(r, p) {
						t.Errorf("%s imports %s: %s", f.name, p, r.why)
					}
				}
				ast.Inspect(f.ast, func(n ast.Node) bool {
					switch n := n.(type) {
					case *ast.GoStmt:
						if r.still {
							t.Errorf("%s starts a goroutine: %s", f.name, r.why)
						}
					case *ast.SelectorExpr:
						if x, ok := n.X.(*ast.Ident); ok && slices.Contains(r.names, x.Name+"."+n.Sel.Name) {
							t.Errorf("%s uses %s.%s: %s", f.name, x.Name, n.Sel.Name, r.why)
						}
					}
					return true
				})
			}
		})
	}
}

// Every internal package of the root's own tree has a rule or is a part of
// another package.
func TestEveryInternalPackageHasARule(t *testing.T) {
	t.Parallel()
	dirs, err := os.ReadDir(filepath.Join(root(t), "internal"))
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range dirs {
		dir := "internal/" + d.Name()
		known := slices.ContainsFunc(rules, func(r rule) bool { return r.dir == dir })
		if d.IsDir() && !known && len(files(t, filepath.Join(root(t), dir))) > 0 {
			t.Errorf("%s has no rule; add one with its reason", dir)
		}
	}
}

func TestFences(t *testing.T) {
	t.Parallel()
	top := root(t)
	err := filepath.WalkDir(top, func(name string, d fs.DirEntry, err error) error {
		if err != nil || !d.IsDir() {
			return err
		}
		if base := d.Name(); name != top && (strings.HasPrefix(base, ".") || strings.HasPrefix(base, "_") || base == "testdata" || base == "venv") {
			return filepath.SkipDir
		}
		if _, err := os.Stat(filepath.Join(name, "go.mod")); err == nil && name != top {
			return filepath.SkipDir // a module of its own
		}
		rel, err := filepath.Rel(top, name)
		if err != nil {
			return err
		}
		rel = filepath.ToSlash(rel)
		house, _, _ := strings.Cut(rel, "/")
		for _, f := range files(t, name) {
			for _, p := range imports(f) {
				for _, fence := range fences {
					if (p == fence.path || strings.HasPrefix(p, strings.TrimSuffix(fence.path, "/")+"/")) && !slices.ContainsFunc(fence.only, func(d string) bool { return house == d || rel == d }) {
						t.Errorf("%s imports %s: %s", path.Join(rel, f.name), p, fence.why)
					}
				}
				if slices.Contains(leaves, house) && p == module {
					t.Errorf("%s imports weft: %s is a leaf and knows nothing of it", path.Join(rel, f.name), house)
				}
				if strings.HasPrefix(p, module+"/cmd/") && house != "cmd" {
					t.Errorf("%s imports %s: arrows point down only", path.Join(rel, f.name), p)
				}
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// The rules catch what they are for.
func TestRulesCatch(t *testing.T) {
	t.Parallel()
	r := rule{allow: []string{module + "/internal/...", "golang.org/x/term"}, deny: []string{"os"}}
	for p, want := range map[string]bool{
		"fmt": false, "os": true, "os/exec": false, "golang.org/x/term": false, "golang.org/x/terminal": true,
		module + "/internal/plan": false, module + "/memo": true, "github.com/alecthomas/kong": true, "C": true,
	} {
		if got := breaks(r, p); got != want {
			t.Errorf("importing %s breaks the rule: %v, want %v", p, got, want)
		}
	}
}
