//go:build cgo

package tour

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"github.com/weft-go/weft"
	"github.com/weft-go/weft/frame"
)

// frameStops are stops that need DuckDB.
var frameStops = []stop{frameStop}

var frameStop = stop{
	name:  "frame",
	title: "count functions by package, as a frame, and write it as Parquet",
	story: "The parse results become the rows of a frame: a plan, that runs on DuckDB within one memory limit, and spills " +
		"to disk past it. The plain loop parses and counts in a map; Weft parses with weft.Map, groups as a frame, writes a " +
		"Parquet file and reads the largest packages from it.",
	code: "frame.FromSlice(files).GroupBy(\"package\").Agg(frame.Sum(\"funcs\"))",
	run:  runFrame,
}

// fileRow is a row of the frame.
type fileRow struct {
	Package string
	Funcs   int64
	Lines   int64
}

// packageRow is a row of the result.
type packageRow struct {
	Package             string
	Files, Funcs, Lines int64
}

func runFrame(ctx context.Context, v *visit) (o outcome, err error) {
	v.status("reading every file once, so that both sides find it in memory")
	if err := v.tree.load(ctx); err != nil {
		return o, err
	}
	paths, err := v.tree.sources()
	if err != nil {
		return o, err
	}
	dir, err := os.MkdirTemp("", "weft-tour-")
	if err != nil {
		return o, fmt.Errorf("no room for a file: %w; set TMPDIR to a directory that can be written", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	o = outcome{items: len(paths), sampled: len(paths), rounds: 1}

	v.status("frame: plain loop")
	runtime.GC()
	begin := time.Now()
	files, err := plainLoop(ctx, paths, parseFile)
	if err != nil {
		return o, err
	}
	want := map[string]packageRow{}
	for _, f := range files {
		if f.broken {
			continue
		}
		p := want[f.pkg]
		want[f.pkg] = packageRow{f.pkg, p.Files + 1, p.Funcs + int64(f.funcs), p.Lines + int64(f.lines)}
	}
	o.plain = time.Since(begin)

	v.status("frame: weft.Map and the frame")
	runtime.GC()
	begin = time.Now()
	path := filepath.Join(dir, "packages.parquet")
	if files, err = weft.Map(ctx, paths, parseFile, weft.Name("frame"), weft.ReportTo(&o.report)); err != nil {
		return o, err
	}
	var rows []fileRow
	for _, f := range files {
		if !f.broken {
			rows = append(rows, fileRow{f.pkg, int64(f.funcs), int64(f.lines)})
		}
	}
	plan := frame.FromSlice(rows).
		GroupBy("package").
		Agg(frame.CountRows().As("files"), frame.Sum("funcs").As("funcs"), frame.Sum("lines").As("lines")).
		Sort(frame.Desc("funcs"), "package")
	if err := plan.WriteParquet(ctx, path); err != nil {
		return o, err
	}
	got, err := frame.Collect[packageRow](ctx, frame.ReadParquet(path))
	if err != nil {
		return o, err
	}
	o.weft = time.Since(begin)

	if len(got) != len(want) {
		return o, fmt.Errorf("the plain loop has %d packages and the frame %d; this is a bug in Weft, please report it", len(want), len(got))
	}
	for _, p := range got {
		if want[p.Package] != p {
			return o, fmt.Errorf("the plain loop has %v and the frame %v; this is a bug in Weft, please report it", want[p.Package], p)
		}
	}
	info, err := os.Stat(path)
	if err != nil {
		return o, err
	}
	var most []string
	for _, p := range got[:min(3, len(got))] {
		at, name, _ := strings.Cut(p.Package, " ")
		if rel, err := filepath.Rel(v.tree.dir, at); err == nil && rel != "." {
			name = filepath.ToSlash(rel)
		}
		most = append(most, fmt.Sprintf("%s with %s functions", name, count(int(p.Funcs))))
	}
	o.result = fmt.Sprintf("%s packages in a file of %s bytes; the largest are %s", count(len(got)), count(int(info.Size())), strings.Join(most, ", "))
	return o, nil
}
