package memo

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"weak"

	"github.com/weft-go/weft/memo/internal/code"
	"github.com/weft-go/weft/memo/internal/key"
	"github.com/zeebo/blake3"
)

// Level is how the code of a function is minded.
type Level int

const (
	// Build is that the whole binary counts.
	Build Level = iota
	// Exact is that what the function reaches counts.
	Exact
	// Manual is that the user says when the code has changed.
	Manual
)

func (l Level) String() string {
	switch l {
	case Exact:
		return "exact"
	case Manual:
		return "manual"
	}
	return "build"
}

// MarshalText makes a level its name.
func (l Level) MarshalText() ([]byte, error) { return []byte(l.String()), nil }

// UnmarshalText is the inverse.
func (l *Level) UnmarshalText(b []byte) error {
	*l = levelNamed(string(b))
	return nil
}

func levelNamed(s string) Level {
	switch s {
	case "exact":
		return Exact
	case "manual":
		return Manual
	}
	return Build
}

// Source tells memo the sources of a module, so that the code of its functions
// is minded exactly. At the module's root, in any file of the package there:
//
//	//go:embed go.mod *.go */*.go */*/*.go
//	var sources embed.FS
//
//	func init() { memo.Source(sources) }
//
// The patterns must match the go.mod and all Go files that functions with
// results in a cache may reach, at each depth at which there are packages. What
// the go command embeds is what it compiles, so the sources can't be out of
// date. The main package must import the root package, if it is not there
// itself. Where something is missing, or can't be followed (cgo, go:linkname,
// a dependency in a directory), the level of the functions that reach it is
// [Build], and [Func.Why] and [Cache.Stats] say the reason.
//
// Call it from init functions only: what comes after the first call of a
// wrapped function is not seen. A second module that is replaced by a directory
// may register its own sources in the same way.
func Source(sources fs.FS) {
	registered.mu.Lock()
	defer registered.mu.Unlock()
	registered.list = append(registered.list, sources)
}

var registered struct {
	mu   sync.Mutex
	list []fs.FS
}

// loaded is the code of this process. It takes some hundred bytes for each line
// of the sources and is seldom wanted, so the garbage collector may have it.
var loaded struct {
	mu sync.Mutex
	p  weak.Pointer[code.Program]
}

// program reads the code of this process, or returns what was read.
func program() (*code.Program, error) {
	loaded.mu.Lock()
	defer loaded.mu.Unlock()
	if p := loaded.p.Value(); p != nil {
		return p, nil
	}
	registered.mu.Lock()
	list := registered.list
	registered.mu.Unlock()
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return nil, errors.New("the binary has no build info")
	}
	var modules []code.Module
	for _, f := range list {
		if f == nil || strings.HasPrefix(fmt.Sprintf("%T", f), "os.") || strings.HasPrefix(fmt.Sprintf("%T", f), "*os.") {
			return nil, errors.New("the sources were given as a directory of today, which need not be what was compiled; embed them")
		}
		b, err := fs.ReadFile(f, "go.mod")
		if err != nil {
			return nil, errors.New("the embedded sources have no go.mod at their root")
		}
		path := modulePath(string(b))
		if path == "" {
			return nil, errors.New("the embedded go.mod names no module")
		}
		modules = append(modules, code.Module{Path: path, FS: f})
	}
	p := code.New(modules, info)
	loaded.p = weak.Make(p)
	return p, nil
}

// modulePath finds the module line of a go.mod.
func modulePath(text string) string {
	for line := range strings.Lines(text) {
		f := strings.Fields(line)
		if len(f) >= 2 && f[0] == "module" {
			return strings.Trim(f[1], "\"`")
		}
	}
	return ""
}

// binary is the hash of the running program's file.
var binary = sync.OnceValues(func() (key.Key, error) {
	name := "/proc/self/exe" // also when the file has been replaced since
	if runtime.GOOS != "linux" {
		var err error
		if name, err = os.Executable(); err != nil {
			return key.Key{}, err
		}
	}
	f, err := os.Open(name)
	if err != nil {
		return key.Key{}, err
	}
	defer f.Close()
	h := blake3.New()
	if _, err := io.CopyBuffer(h, f, make([]byte, 1<<20)); err != nil {
		return key.Key{}, err
	}
	return key.Of(h.Sum(nil)), nil
})

// identity is a function's code as its level sees it.
type identity struct {
	level Level
	code  key.Key
	note  string // why not Exact
}

// binaryRecord is what a cache remembers of a function in one binary, so that
// the sources are read once a binary and not once a process.
type binaryRecord struct {
	Function string `json:"function"`
	Code     string `json:"code,omitempty"` // of Exact
	Note     string `json:"note,omitempty"` // why not Exact
}

// identify finds the code of a function and of the one that makes its keys, if
// there is one. Reading the sources takes some 0.5 ms a file, once a binary and
// cache; else it takes the hashing of the binary, 4 GB/s.
func (c *Cache) identify(function, keyFunction string, o *options) (identity, error) {
	if o.versioned {
		return identity{level: Manual, code: key.Of([]byte("manual"), []byte(o.version))}, nil
	}
	b, err := binary()
	if err != nil {
		return identity{}, fmt.Errorf("the binary can't be read to tell which code this is: %w; say memo.Version", err)
	}
	whole := identity{level: Build, code: key.Of([]byte("build"), b[:])}
	registered.mu.Lock()
	sources := len(registered.list)
	registered.mu.Unlock()
	if sources == 0 {
		whole.note = "no sources are embedded (see memo.Source)"
		return whole, nil
	}
	open := ""
	if o.open {
		open = "any type"
	}
	name := recordName("b", key.Of(b[:], []byte(function), []byte(keyFunction), []byte(open)))
	var r binaryRecord
	if c.store != nil && json.Unmarshal(c.store.ReadRecord(name), &r) == nil && r.Function == function {
		if code, err := key.Parse(r.Code); err == nil {
			return identity{level: Exact, code: code}, nil
		}
		if r.Note != "" {
			whole.note = r.Note
			return whole, nil
		}
	}
	r = binaryRecord{Function: function}
	p, err := program()
	if err != nil {
		r.Note = err.Error()
	} else if id := codeOf(p, o.open, names(function, keyFunction)); id.Gap != "" {
		r.Note = id.Gap
	} else {
		exact := identity{level: Exact, code: key.Of([]byte("exact"), id.Hash[:])}
		r.Code = exact.code.String()
		c.writeJSON(recordName("c", exact.code), id.Parts)
		c.writeJSON(name, r)
		return exact, nil
	}
	c.writeJSON(name, r)
	whole.note = r.Note
	return whole, nil
}

func codeOf(p *code.Program, open bool, functions []string) code.Identity {
	if open {
		return p.OfAny(functions...)
	}
	return p.Of(functions...)
}

// names are those of the functions that are not "".
func names(functions ...string) []string {
	return slices.DeleteFunc(functions, func(s string) bool { return s == "" })
}

// writeJSON writes a small record, which only saves time or tells more.
func (c *Cache) writeJSON(name string, v any) {
	if c.store == nil {
		return
	}
	if b, err := json.Marshal(v); err == nil {
		_ = c.store.WriteRecord(name, b)
	}
}

// parts are the declarations that a code of level Exact is made of; nil if they
// are not known any more.
func (c *Cache) parts(code key.Key) []codePart {
	var out []codePart
	if json.Unmarshal(c.store.ReadRecord(recordName("c", code)), &out) != nil {
		return nil
	}
	return out
}

type codePart = code.Part
