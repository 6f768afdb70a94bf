package tour

import (
	"context"
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/weft-go/weft"
	"github.com/weft-go/weft/graph"
	machine "github.com/weft-go/weft/internal/cpus"
	"github.com/weft-go/weft/internal/plan"
)

var graphStop = stop{
	name:  "graph",
	title: "a pipeline over packages of the Go tree, as a graph",
	story: "Each package is parsed once; its size and its imports are two tasks that use the result, two trees of tasks " +
		"add them up, and a last one makes the list. The functions know nothing of each other, and the compiler checks " +
		"how they are put together. The run is drawn, and a page tells where its time went.",
	code: "top, err := graph.Compute(ctx, list, graph.HTMLReport(page))",
	run:  runGraph,
}

// pkgSource is what is kept of the files of a package.
type pkgSource struct {
	Dir     string
	Lines   int
	Imports []string // of all files, as they stand there
}

// sizes of packages, and how many of them import what.
type (
	pkgLines  map[string]int
	importers map[string]int
)

// parsePackage reads the Go files of a directory, tests aside. Files that do
// not parse, as test data does on purpose, count for what can be read.
func parsePackage(ctx context.Context, files []string) (pkgSource, error) {
	if len(files) == 0 {
		return pkgSource{}, errors.New("a package without files")
	}
	out := pkgSource{Dir: filepath.Dir(files[0])}
	for _, name := range files {
		if ctx.Err() != nil {
			return out, context.Cause(ctx)
		}
		data, err := os.ReadFile(name)
		if err != nil {
			return out, err
		}
		out.Lines += strings.Count(string(data), "\n")
		file, _ := parser.ParseFile(token.NewFileSet(), name, data, parser.SkipObjectResolution)
		if file == nil {
			continue
		}
		ast.Inspect(file, func(n ast.Node) bool {
			if spec, ok := n.(*ast.ImportSpec); ok {
				if path, err := strconv.Unquote(spec.Path.Value); err == nil {
					out.Imports = append(out.Imports, path)
				}
			}
			return true
		})
	}
	return out, nil
}

func sizeOf(_ context.Context, p pkgSource) (pkgLines, error) {
	return pkgLines{p.Dir: p.Lines}, nil
}

func importsOf(_ context.Context, p pkgSource) (importers, error) {
	out := importers{}
	for _, path := range p.Imports {
		out[path] = 1 // a package counts once
	}
	return out, nil
}

func addSizes(_ context.Context, a, b pkgLines) (pkgLines, error) {
	out := maps.Clone(a)
	maps.Copy(out, b)
	return out, nil
}

func addImports(_ context.Context, a, b importers) (importers, error) {
	out := maps.Clone(a)
	for path, n := range b {
		out[path] += n
	}
	return out, nil
}

// listTop puts the largest packages and the most imported ones into words.
func listTop(_ context.Context, sizes pkgLines, imports importers) (string, error) {
	lines := 0
	for _, n := range sizes {
		lines += n
	}
	out := fmt.Sprintf("%d packages, %s lines; the largest: %s", len(sizes), count(lines), strings.Join(largest(sizes, filepath.Base), ", "))
	if len(imports) > 0 {
		out += "; imported most: " + strings.Join(largest(imports, func(s string) string { return s }), ", ")
	}
	return out, nil
}

// largest names three keys with the largest values.
func largest(m map[string]int, name func(string) string) (out []string) {
	keys := slices.Sorted(maps.Keys(m))
	slices.SortStableFunc(keys, func(a, b string) int { return m[b] - m[a] })
	for _, k := range keys[:min(3, len(keys))] {
		out = append(out, fmt.Sprintf("%s %s", name(k), count(m[k])))
	}
	return out
}

// packages are the directories below dir with the most Go files, tests and test
// data aside.
func packages(dir string, sources []string, most int) [][]string {
	byDir := map[string][]string{}
	for _, s := range sources {
		if !strings.HasSuffix(s, "_test.go") && !strings.Contains(filepath.ToSlash(strings.TrimPrefix(s, dir)), "/testdata/") {
			byDir[filepath.Dir(s)] = append(byDir[filepath.Dir(s)], s)
		}
	}
	dirs := slices.Sorted(maps.Keys(byDir))
	slices.SortStableFunc(dirs, func(a, b string) int { return len(byDir[b]) - len(byDir[a]) })
	var out [][]string
	for _, d := range dirs[:min(most, len(dirs))] {
		out = append(out, byDir[d])
	}
	return out
}

// pipeline builds the graph. Nothing runs.
func pipeline(pkgs [][]string) graph.Value[string] {
	g := graph.New()
	parsed := graph.Map(g, parsePackage, graph.Consts(g, pkgs), graph.Name("parse"))
	sizes := graph.Reduce(g, addSizes, graph.Map(g, sizeOf, parsed, graph.Name("size")), 8, graph.Name("add sizes"))
	imports := graph.Reduce(g, addImports, graph.Map(g, importsOf, parsed, graph.Name("imports")), 8, graph.Name("add imports"))
	return graph.Call2(g, listTop, sizes, imports, graph.Name("top list"))
}

// plainPipeline is the same without a graph.
func plainPipeline(ctx context.Context, pkgs [][]string) (string, error) {
	sizes, imports := pkgLines{}, importers{}
	for _, files := range pkgs {
		p, err := parsePackage(ctx, files)
		if err != nil {
			return "", err
		}
		sizes[p.Dir] = p.Lines
		of, err := importsOf(ctx, p)
		if err != nil {
			return "", err
		}
		for path := range of {
			imports[path]++
		}
	}
	return listTop(ctx, sizes, imports)
}

func runGraph(ctx context.Context, v *visit) (o outcome, err error) {
	v.status("reading every file once, so that both sides find it in memory")
	if err := v.tree.load(ctx); err != nil {
		return o, err
	}
	sources, err := v.tree.sources()
	if err != nil {
		return o, err
	}
	pkgs := packages(v.tree.dir, sources, v.cfg.sizes.packages)
	if len(pkgs) == 0 {
		return o, fmt.Errorf("there are only tests below %s; name a directory that has other Go files with --tree DIR", v.tree.dir)
	}
	list := pipeline(pkgs)
	rec, err := list.Graph().Record(list)
	if err != nil {
		return o, err
	}
	o.items = countTasks(rec)
	o.sampled = o.items
	var want, got string
	err = v.turns(&o, turn{
		name: "graph", call: "graph.Compute",
		plain: func() (err error) { want, err = plainPipeline(ctx, pkgs); return err },
		weft: func(rep *weft.Report) (err error) {
			begin := time.Now()
			got, err = graph.Compute(ctx, list)
			rep.Done, rep.Wall = o.items, time.Since(begin)
			return err
		},
		result: func() (string, error) {
			if want != got {
				return "", fmt.Errorf("the plain loop gives %q and graph.Compute gives %q; this is a bug in Weft, please report it", want, got)
			}
			return got, nil
		},
	})
	if err != nil {
		return o, err
	}
	v.status("graph: drawing")
	kept, err := v.drawn(ctx, list, rec)
	if err != nil {
		return o, err
	}
	o.result += "; drawn in " + strings.Join(kept, " and ")
	o.report.Plan = planOf(rec)
	return o, nil
}

// drawn runs the graph once more, so that its time is not that of drawing, and
// returns the names of what it has written.
func (v *visit) drawn(ctx context.Context, list graph.Value[string], rec *graph.Record) (names []string, err error) {
	dir := v.cfg.Save
	if dir == "" {
		if dir, err = os.MkdirTemp("", "weft-tour-"); err != nil {
			return nil, fmt.Errorf("no room for pictures: %w; name a directory that can be written with --save DIR", err)
		}
	} else if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, fmt.Errorf("no room for pictures: %w; name another directory with --save DIR", err)
	}
	write := func(name string, f func(io.Writer) error) error {
		path := filepath.Join(dir, name)
		file, err := os.Create(path)
		if err != nil {
			return fmt.Errorf("no room for pictures: %w; name a directory that can be written with --save DIR", err)
		}
		names = append(names, path)
		return errors.Join(f(file), file.Close())
	}
	err = write("graph.html", func(w io.Writer) error {
		_, err := graph.Compute(ctx, list, graph.RecordTo(rec), graph.HTMLReport(w))
		return err
	})
	if err != nil {
		return names, err
	}
	err = write("graph.svg", func(w io.Writer) error { return graph.SVG(w, rec, graph.ByTime) })
	return names, err
}

func countTasks(rec *graph.Record) (n int) {
	for _, t := range rec.Tasks {
		if t.Kind != graph.KindConst {
			n++
		}
	}
	return n
}

// planOf says what a run of a graph was like.
func planOf(rec *graph.Record) weft.Plan {
	var serial, critical time.Duration
	for _, t := range rec.Tasks {
		serial += t.End - t.Start
	}
	for _, c := range rec.Critical {
		critical += rec.Tasks[c].End - rec.Tasks[c].Start
	}
	found := machine.Get()
	return weft.Plan{
		Name: "graph", Items: countTasks(rec), Mode: "goroutines", Workers: rec.Workers, Schedule: "dynamic", Chunk: 1,
		Reason: fmt.Sprintf("the tasks take %s in all, and %s on the longest way through the graph (%d tasks): that is the least, on however many CPUs",
			plan.Short(serial), plan.Short(critical), len(rec.Critical)),
		CPUs: found.Effective, CPUSource: found.Source,
	}
}
