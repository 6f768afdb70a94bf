// Cluster parses the Go source below a directory on the workers of a cluster,
// and counts what declares most: the same Map as on one machine, with
// weft.On(c).
//
//	temporal server start-dev &
//	export WEFT_CLUSTER='temporal://localhost:7233/default?queue=weft&store=file:///tmp/weft-store'
//	go build -o /tmp/demo ./examples/cluster
//	/tmp/demo weft-worker & /tmp/demo weft-worker & /tmp/demo weft-worker &
//	/tmp/demo                  # on the cluster
//	/tmp/demo -local           # here, for comparison: the same answer
//	/tmp/demo -kill            # ends one of the workers in the middle
package main

import (
	"cmp"
	"context"
	"errors"
	"flag"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"github.com/weft-go/weft"
	"github.com/weft-go/weft/cluster"
)

var _ = weft.Register(declarations)

// Source is a file on its way to a worker, which need not have the disk that it
// is on.
type Source struct {
	Name string
	Text []byte
	Kill bool // ends the worker that has it, the first time
	Mark string
}

// Count is what one file declares.
type Count struct {
	Package string
	Funcs   int
	Types   int
}

// declarations parses one file.
func declarations(_ context.Context, s Source) (Count, error) {
	if s.Kill {
		// The first worker that gets here is lost; whoever gets the item next
		// finds the mark.
		if f, err := os.OpenFile(s.Mark, os.O_CREATE|os.O_EXCL, 0o600); err == nil {
			_ = f.Close()
			p, err := os.FindProcess(os.Getpid())
			if err == nil {
				_ = p.Kill()
			}
			select {}
		}
	}
	f, err := parser.ParseFile(token.NewFileSet(), s.Name, s.Text, parser.SkipObjectResolution)
	if f == nil {
		return Count{}, err
	}
	c := Count{Package: f.Name.Name}
	for _, d := range f.Decls {
		switch d := d.(type) {
		case *ast.FuncDecl:
			c.Funcs++
		case *ast.GenDecl:
			if d.Tok == token.TYPE {
				c.Types += len(d.Specs)
			}
		}
	}
	return c, nil
}

func main() {
	cluster.Init() // started as "demo weft-worker" this is where it stays
	dir := flag.String("dir", "", "the directory whose Go files are parsed; the source of Go if empty")
	local := flag.Bool("local", false, "run in this process")
	kill := flag.Bool("kill", false, "end one worker in the middle")
	flag.Parse()
	if err := run(context.Background(), os.Stdout, *dir, *local, *kill); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(ctx context.Context, out io.Writer, dir string, local, kill bool) error {
	if dir == "" {
		root, err := exec.CommandContext(ctx, "go", "env", "GOROOT").Output()
		if err != nil {
			return fmt.Errorf("where is the source of Go? Say it with -dir: %w", err)
		}
		dir = filepath.Join(strings.TrimSpace(string(root)), "src")
	}
	files, err := read(dir)
	if err != nil {
		return err
	}
	var rep weft.Report
	opts := []weft.MapOption{weft.ReportTo(&rep), weft.Progress(os.Stderr)}
	if !local {
		c, err := cluster.Dial(ctx, "", cluster.Config{})
		if err != nil {
			return err
		}
		defer c.Close()
		// Without Require the plan would keep this at home: on one machine the
		// way to a worker costs more than it brings.
		opts = append(opts, weft.On(c), weft.Require(weft.Isolation))
	}
	if kill && len(files) > 0 {
		mark, err := os.MkdirTemp("", "weft-demo")
		if err != nil {
			return err
		}
		defer os.RemoveAll(mark)
		k := len(files) / 2
		files[k].Kill, files[k].Mark = true, filepath.Join(mark, "killed")
	}
	counts, err := weft.Map(ctx, files, declarations, opts...)
	if err != nil {
		return err
	}
	total := map[string]Count{}
	for _, c := range counts {
		t := total[c.Package]
		total[c.Package] = Count{c.Package, t.Funcs + c.Funcs, t.Types + c.Types}
	}
	most := slices.SortedFunc(maps.Values(total), func(a, b Count) int {
		return cmp.Or(cmp.Compare(b.Funcs, a.Funcs), strings.Compare(a.Package, b.Package))
	})
	fmt.Fprintf(out, "%d files, %d packages\n", len(files), len(total))
	for _, c := range most[:min(5, len(most))] {
		fmt.Fprintf(out, "%-12s %6d functions %5d types\n", c.Package, c.Funcs, c.Types)
	}
	_, err = fmt.Fprint(os.Stderr, rep.String())
	return err
}

// read finds the Go files below dir.
func read(dir string) (files []Source, err error) {
	err = filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && d.Name() == "testdata" {
			return fs.SkipDir
		}
		if d.IsDir() || !strings.HasSuffix(path, ".go") {
			return nil
		}
		text, err := os.ReadFile(path)
		files = append(files, Source{Name: path, Text: text})
		return err
	})
	if err == nil && len(files) == 0 {
		err = errors.New("there is no Go file below " + dir)
	}
	return files, err
}
