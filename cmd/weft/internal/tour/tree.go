package tour

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/weft-go/weft"
)

// tree is the directory whose files are the input.
type tree struct {
	dir   string
	files []string
	bytes int64
}

// load lists the files and reads each once, so that the page cache has them
// for whoever is timed first. Files that can't be read are left out.
func (t *tree) load(ctx context.Context) error {
	if t.files != nil {
		return nil
	}
	dir, err := t.find(ctx)
	if err != nil {
		return err
	}
	// Some distributions have the source elsewhere, behind a link.
	if dir, err = filepath.EvalSymlinks(dir); err != nil {
		return fmt.Errorf("the tour's input is missing: %w; %s", err, t.mend())
	}
	var all []string
	err = filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if err == nil && d.Type().IsRegular() {
			all = append(all, path)
		}
		if path == dir {
			return err
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("the tour's input can't be read: %w; %s", err, t.mend())
	}
	sizes, err := weft.Map(ctx, all, readOnce)
	if err != nil {
		return err
	}
	for i, n := range sizes {
		if n < 0 {
			continue
		}
		t.files = append(t.files, all[i])
		t.bytes += n
	}
	if len(t.files) == 0 {
		return fmt.Errorf("there are no readable files below %s; %s", dir, t.mend())
	}
	t.dir = dir
	return nil
}

// mend is what to do without input.
func (t *tree) mend() string {
	if t.dir != "" {
		return "name another directory with --tree DIR, or leave it out for the source of Go"
	}
	return "install Go with its source (https://go.dev/dl), name another directory with --tree DIR, or visit the stops that need none: --stop tiny,http"
}

// find is the source of Go itself, unless the user named a directory.
func (t *tree) find(ctx context.Context) (string, error) {
	if t.dir != "" {
		return t.dir, nil
	}
	out, err := exec.CommandContext(ctx, "go", "env", "GOROOT").Output()
	if err != nil {
		if e, ok := errors.AsType[*exec.ExitError](err); ok && len(e.Stderr) > 0 {
			err = fmt.Errorf("%w: %s", err, strings.TrimSpace(string(e.Stderr)))
		}
		return "", fmt.Errorf("`go env GOROOT` does not say where the source of Go is: %w; %s", err, t.mend())
	}
	return filepath.Join(strings.TrimSpace(string(out)), "src"), nil
}

// readOnce reads a file and returns its size, -1 if it can't be read.
func readOnce(_ context.Context, path string) (int64, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return -1, nil //nolint:nilerr // the size says so
	}
	return int64(len(b)), nil
}

// sources are the files with Go code.
func (t *tree) sources() ([]string, error) {
	var out []string
	for _, f := range t.files {
		if strings.HasSuffix(f, ".go") {
			out = append(out, f)
		}
	}
	if len(out) == 0 {
		return nil, fmt.Errorf("there are no .go files below %s; name a directory that has some with --tree DIR", t.dir)
	}
	return out, nil
}
