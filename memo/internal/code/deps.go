package code

import (
	"runtime/debug"
	"slices"
	"strings"
)

// weftModule is this module. A program under development often has it in a
// directory of its own; no other dependency can lead back to it.
const weftModule = "github.com/weft-go/weft"

// memoPackage changes no result, whatever its version.
const memoPackage = weftModule + "/memo"

// dep is the module that a package of another module belongs to.
func (p *Program) dep(pkg string) *debug.Module {
	var best *debug.Module
	for _, d := range p.info.Deps {
		if (pkg == d.Path || strings.HasPrefix(pkg, d.Path+"/")) && (best == nil || len(d.Path) > len(best.Path)) {
			best = d
		}
	}
	return best
}

// mainModule tells whether a package is of the program's own module.
func (p *Program) mainModule(pkg string) bool {
	m := p.info.Main.Path
	return m != "" && (pkg == m || strings.HasPrefix(pkg, m+"/"))
}

// dependency notes that a package of another module is reached. What that one
// needs is not known, so all versioned modules of the program count.
func (w *walk) dependency(pkg string) {
	d := w.p.dep(pkg)
	switch {
	case d == nil && w.p.mainModule(pkg):
		w.gap("no sources of %s are embedded", pkg)
	case d == nil:
		w.gap("%s is of no module that the build info names", pkg)
	case !versioned(d):
		w.gap("%s, a dependency, is a directory and has no version", d.Path)
	default:
		w.deps = true
		for _, other := range w.p.info.Deps {
			if !versioned(other) && other.Path != weftModule {
				w.gap("%s, a dependency, is a directory and has no version", other.Path)
			}
		}
	}
}

// versioned tells whether a module's version stands for its content.
func versioned(d *debug.Module) bool {
	if d.Replace != nil {
		d = d.Replace
	}
	// Without a sum it comes from a vendor directory or a workspace, where it
	// may have been edited.
	return d.Version != "" && d.Version != "(devel)" && d.Sum != ""
}

// codeSettings are the build settings that change what code does. GOOS and the
// like come with any name that begins with GO.
var codeSettings = []string{"-asmflags", "-compiler", "-gcflags", "-ldflags", "-tags", "CGO_ENABLED", "DefaultGODEBUG"}

// buildParts are Go's version, the settings and, if asked for, all modules.
func (p *Program) buildParts(deps bool) []Part {
	parts := []Part{{"build", "Go", p.info.GoVersion}}
	for _, s := range p.info.Settings {
		if strings.HasPrefix(s.Key, "GO") || slices.Contains(codeSettings, s.Key) {
			parts = append(parts, Part{"build", s.Key, s.Value})
		}
	}
	if !deps {
		return parts
	}
	for _, d := range p.info.Deps {
		if d.Path == weftModule && !versioned(d) {
			continue
		}
		name := d.Path
		if d.Replace != nil {
			d = d.Replace
		}
		parts = append(parts, Part{"dependency", name, strings.TrimSpace(d.Path + "@" + d.Version + " " + d.Sum)})
	}
	return parts
}
