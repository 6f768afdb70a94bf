package items

import (
	"io/fs"
	"path"
	"path/filepath"
	"slices"
	"strings"
)

// Glob yields the names in fsys (of which root is the place, as written before
// each name) that match pattern, sorted. It knows * ? [...] as the shell does,
// hidden files included only where the pattern starts with a dot, and ** for
// any number of directories. Links to directories are not followed by **.
func Glob(pattern string, open func(dir string) fs.FS) ([]string, error) {
	slashed := filepath.ToSlash(pattern)
	root, rest := ".", slashed
	if strings.HasPrefix(slashed, "/") {
		root, rest = "/", strings.TrimLeft(slashed, "/")
	} else if v := filepath.VolumeName(pattern); v != "" {
		root, rest = v+"/", strings.TrimLeft(slashed[len(v):], "/")
	}
	for rest != "" {
		// A start without wildcards, .. among it, is taken as it is.
		first, after, more := strings.Cut(rest, "/")
		if !more || strings.ContainsAny(first, `*?[\`) {
			break
		}
		root, rest = join(root, first), strings.TrimLeft(after, "/")
	}
	var segments []string
	for s := range strings.SplitSeq(rest, "/") {
		if s == "" {
			continue
		}
		if s != "**" {
			if _, err := path.Match(s, ""); err != nil {
				return nil, fail("--glob %q is no pattern: %q has a bracket or backslash without its end; write [[] for a literal [", pattern, s)
			}
		}
		segments = append(segments, s)
	}
	if len(segments) == 0 {
		return nil, fail("--glob %q names no files; give a pattern, as '*.png' or 'logs/**/*.gz'", pattern)
	}
	g := globber{fsys: open(filepath.FromSlash(root))}
	if err := g.walk(".", segments); err != nil {
		return nil, fail("--glob %q: %v", pattern, err)
	}
	slices.Sort(g.found)
	out := slices.Compact(g.found)
	for i, name := range out {
		out[i] = filepath.FromSlash(join(root, name))
	}
	if len(out) == 0 {
		return nil, fail("no file matches --glob %q; check it with: ls -d %s", pattern, pattern)
	}
	return out, nil
}

func join(root, name string) string {
	switch {
	case root == ".":
		return name
	case strings.HasSuffix(root, "/"):
		return root + name
	default:
		return root + "/" + name
	}
}

type globber struct {
	fsys  fs.FS
	found []string
}

func (g *globber) walk(dir string, segments []string) error {
	entries, err := fs.ReadDir(g.fsys, dir)
	if err != nil {
		if dir == "." {
			return err
		}
		return nil // a directory inside that may not be read holds nothing for us
	}
	segment, rest := segments[0], segments[1:]
	if segment == "**" {
		if len(rest) == 0 {
			rest = []string{"*"}
		}
		if err := g.walk(dir, rest); err != nil {
			return err
		}
		for _, e := range entries {
			if e.IsDir() && !strings.HasPrefix(e.Name(), ".") {
				if err := g.walk(path.Join(dir, e.Name()), segments); err != nil {
					return err
				}
			}
		}
		return nil
	}
	for _, e := range entries {
		name := e.Name()
		if strings.HasPrefix(name, ".") && !strings.HasPrefix(segment, ".") {
			continue
		}
		if ok, _ := path.Match(segment, name); !ok {
			continue
		}
		full := path.Join(dir, name)
		if len(rest) == 0 {
			g.found = append(g.found, full)
			continue
		}
		if e.IsDir() || e.Type()&fs.ModeSymlink != 0 {
			if info, err := fs.Stat(g.fsys, full); err == nil && info.IsDir() {
				if err := g.walk(full, rest); err != nil {
					return err
				}
			}
		}
	}
	return nil
}
