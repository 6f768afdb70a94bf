//go:build cgo

package frame

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/duckdb/duckdb-go/v2/mapping"
)

// Persist runs the frame once and keeps the result as a Parquet file in dir;
// the frame that it returns reads that. It is found again by the plan and by
// the path, size and time of each file that the plan reads: the same frame
// over the same files is read at once, also by another process, and one over
// changed files is computed anew. Old results are left for you to delete.
//
// A frame with rows or functions from Go, or with SQL, can't be known again
// and is an error: write it with WriteParquet.
func (f *Frame) Persist(ctx context.Context, dir string) (*Frame, error) {
	r, err := begin(ctx, f)
	if err != nil {
		return nil, err
	}
	defer r.end()
	sql, err := r.compile(f.n)
	if err != nil {
		return nil, err
	}
	var wide []string
	for i, c := range r.cols {
		if id := r.typ(i).id; id == mapping.TypeHugeInt || id == mapping.TypeUHugeInt {
			wide = append(wide, c.name)
		}
	}
	sum := sha256.New()
	fmt.Fprintf(sum, "weft frame 1, DuckDB %s\n%s\n", libraryVersion(), sql)
	if err := r.fingerprint(sum, f.n, map[*node]bool{}); err != nil {
		return nil, err
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, fmt.Errorf("frame: Persist: %w", err)
	}
	path := filepath.Join(dir, hex.EncodeToString(sum.Sum(nil)[:16])+".parquet")
	if _, err := os.Stat(path); err != nil {
		if err := f.WriteParquet(ctx, path); err != nil {
			return nil, err
		}
	}
	no := false
	g := ReadParquet(path, Parquet{Hive: &no})
	if f.eng != nil {
		g = g.On(f.eng)
	}
	if len(wide) > 0 {
		g = g.Cast(HugeInt, wide...)
	}
	return g, nil
}

// fingerprint writes what the sources of a plan are.
func (r *run) fingerprint(w io.Writer, n *node, seen map[*node]bool) error {
	if seen[n] {
		return nil
	}
	seen[n] = true
	refuse := func(what string) error {
		return n.blame(fmt.Errorf("Persist can't tell when %s change; write the frame with WriteParquet and read that", what))
	}
	for _, e := range exprsOf(n.step) {
		var err error
		e.walk(func(x *expr) {
			if x.kind == kindGo {
				err = refuse("functions of Go")
			}
		})
		if err != nil {
			return err
		}
	}
	switch s := n.step.(type) {
	case goStep:
		return refuse("rows from Go")
	case sqlStep:
		return refuse("what SQL reads")
	case sampleStep:
		fmt.Fprintln(w, "threads", r.eng.cfg.Threads)
	case readStep:
		for _, glob := range s.files {
			files, err := r.glob(glob)
			if err != nil {
				return n.blame(err)
			}
			for _, name := range files {
				info, err := os.Stat(name)
				if err != nil {
					return n.blame(err)
				}
				fmt.Fprintf(w, "%q %d %d\n", name, info.Size(), info.ModTime().UnixNano())
			}
		}
	}
	for _, in := range n.in {
		if err := r.fingerprint(w, in, seen); err != nil {
			return err
		}
	}
	return nil
}

// glob lists the files that a pattern of the engine means.
func (r *run) glob(pattern string) ([]string, error) {
	q, err := quoteText(pattern)
	if err != nil {
		return nil, err
	}
	if err := r.prepare("SELECT file FROM glob(" + q + ") ORDER BY 1"); err != nil {
		return nil, r.explain(err)
	}
	if err := r.query(); err != nil {
		return nil, err
	}
	var out []string
	for {
		rows, err := r.textRows()
		if err != nil {
			return nil, err
		}
		if rows == nil {
			return out, nil
		}
		for _, row := range rows {
			out = append(out, *row[0])
		}
	}
}
