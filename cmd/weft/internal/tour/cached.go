package tour

import (
	"context"
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"github.com/weft-go/weft"
	"github.com/weft-go/weft/internal/plan"
	"github.com/weft-go/weft/memo"
)

var cacheStop = stop{
	name:  "cache",
	title: "parse files a second time, from the cache on disk",
	story: "memo.Wrap keeps results on disk, under a key made of the file's content and the code that runs. The plain " +
		"loop parses every time; weft.Map finds what an earlier run has left. Then one file is edited, and the " +
		"wrapped function is asked why it would have to run.",
	code: "files, err := weft.Map(ctx, paths, memo.Wrap(cache, parseFile))",
	run:  runCached,
}

// outline is what is kept of a file. It depends on the content alone.
type outline struct {
	Pkg    string
	Funcs  int
	Lines  int
	Broken bool
}

func outlineOf(_ context.Context, path memo.File) (outline, error) {
	data, err := os.ReadFile(string(path))
	if err != nil {
		return outline{}, err
	}
	file, err := parser.ParseFile(token.NewFileSet(), "", data, parser.SkipObjectResolution)
	out := outline{Lines: strings.Count(string(data), "\n"), Broken: err != nil}
	if file == nil || file.Name == nil {
		return out, nil
	}
	out.Pkg = file.Name.Name
	for _, d := range file.Decls {
		if _, ok := d.(*ast.FuncDecl); ok {
			out.Funcs++
		}
	}
	return out, nil
}

func runCached(ctx context.Context, v *visit) (o outcome, err error) {
	v.status("reading every file once, so that both sides find it in memory")
	if err := v.tree.load(ctx); err != nil {
		return o, err
	}
	sources, err := v.tree.sources()
	if err != nil {
		return o, err
	}
	dir, err := os.MkdirTemp("", "weft-tour-")
	if err != nil {
		return o, fmt.Errorf("no room for a cache: %w; set TMPDIR to a directory that can be written", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	// The file to be edited is a copy.
	edited := filepath.Join(dir, "edited.go")
	if err := copyFile(edited, sources[0]); err != nil {
		return o, err
	}
	paths := []memo.File{memo.File(edited)}
	for _, s := range sources[:min(len(sources), v.cfg.sizes.cached-1)] {
		paths = append(paths, memo.File(s))
	}

	cache, err := memo.Open(filepath.Join(dir, "cache"), memo.Config{Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		return o, err
	}
	defer func() { err = errors.Join(err, cache.Close()) }()
	parse := memo.Wrap(cache, outlineOf)

	o = outcome{items: len(paths), sampled: len(paths), rounds: 1}
	timed := func(side string, f func() ([]outline, error)) ([]outline, time.Duration, error) {
		v.status("cache: %s", side)
		runtime.GC()
		begin := time.Now()
		out, err := f()
		return out, time.Since(begin), err
	}
	mapped := func() ([]outline, error) {
		return weft.Map(ctx, paths, parse, weft.Name("cache"), weft.ReportTo(&o.report))
	}
	want, plain, err := timed("plain loop", func() ([]outline, error) { return plainLoop(ctx, paths, outlineOf) })
	if err != nil {
		return o, err
	}
	_, first, err := timed("weft.Map, filling the cache", mapped)
	if err != nil {
		return o, err
	}
	before := cache.Stats().Hits
	got, second, err := timed("weft.Map, from the cache", mapped)
	if err != nil {
		return o, err
	}
	for i := range want {
		if want[i] != got[i] {
			return o, fmt.Errorf("item %d: the plain loop gives %v and the cache gives %v; this is a bug in Weft, please report it", i, want[i], got[i])
		}
	}
	o.plain, o.weft = plain, second
	hits := cache.Stats().Hits - before

	if err := appendTo(edited, "\n// One more line.\n"); err != nil {
		return o, err
	}
	why, err := parse.Why(memo.File(edited))
	if err != nil {
		return o, err
	}
	if why.Cause != memo.FileChanged {
		return o, fmt.Errorf("after an edit the cache says %v; this is a bug in Weft, please report it", why)
	}
	funcs := 0
	for _, f := range got {
		funcs += f.Funcs
	}
	o.result = fmt.Sprintf("%s files, %s functions; %s from the cache, which took %s to fill; after an edit of one file, Why says %s: %s",
		count(len(got)), count(funcs), count(int(hits)), plan.Short(first), why.Cause, strings.ReplaceAll(why.Detail, dir+string(filepath.Separator), ""))
	return o, nil
}

func copyFile(to, from string) error {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.OpenFile(to, os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, in)
	return errors.Join(err, out.Close())
}

func appendTo(name, text string) error {
	f, err := os.OpenFile(name, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	_, err = f.WriteString(text)
	return errors.Join(err, f.Close())
}
