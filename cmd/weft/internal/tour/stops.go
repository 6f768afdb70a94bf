package tour

import (
	"context"
	"crypto/sha256"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"strings"
)

var hashStop = stop{
	name:  "hash",
	title: "the SHA-256 of every file in the Go tree",
	story: "Reading files sounds like waiting for a disk. Here every file has been read once before, so the " +
		"operating system has it in memory, for the loop and for Weft alike. Do such reads still wait? " +
		"Weft does not guess, it measures the first files.",
	code: "sums, err := weft.Map(ctx, files, hashFile)",
	run: func(ctx context.Context, v *visit) (outcome, error) {
		v.status("reading every file once, so that both sides find it in memory")
		if err := v.tree.load(ctx); err != nil {
			return outcome{}, err
		}
		return race(ctx, v, leg[string, [sha256.Size]byte]{
			name: "hash", items: v.tree.files, f: hashFile,
			result: func(sums [][sha256.Size]byte) string {
				h := sha256.New()
				for _, s := range sums {
					h.Write(s[:])
				}
				return fmt.Sprintf("%s files, %d MB; the hash of all hashes begins with %.4x", count(len(sums)), v.tree.bytes/1e6, h.Sum(nil))
			},
		})
	},
}

func hashFile(_ context.Context, path string) ([sha256.Size]byte, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return [sha256.Size]byte{}, err
	}
	return sha256.Sum256(data), nil
}

var parseStop = stop{
	name:  "parse",
	title: "parse every .go file, count packages, functions and lines",
	story: "Work for the CPU, in items that differ a lot: most files are short, some have thousands of lines. " +
		"Every CPU should be busy to the end, and no file should cost more for being handed to a worker.",
	code: "files, err := weft.Map(ctx, paths, parseFile)",
	run: func(ctx context.Context, v *visit) (outcome, error) {
		v.status("reading every file once, so that both sides find it in memory")
		if err := v.tree.load(ctx); err != nil {
			return outcome{}, err
		}
		paths, err := v.tree.sources()
		if err != nil {
			return outcome{}, err
		}
		return race(ctx, v, leg[string, parsed]{name: "parse", items: paths, f: parseFile, result: countAll})
	},
}

// parsed is what a file of Go code holds.
type parsed struct {
	pkg    string // directory and name
	funcs  int
	lines  int
	broken bool // as some test data is on purpose
}

func parseFile(_ context.Context, path string) (parsed, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return parsed{}, err
	}
	fset := token.NewFileSet()
	file, err := parser.ParseFile(fset, path, data, parser.SkipObjectResolution)
	p := parsed{lines: strings.Count(string(data), "\n"), broken: err != nil}
	if file == nil || file.Name == nil {
		return p, nil
	}
	p.pkg = filepath.Dir(path) + " " + file.Name.Name
	for _, d := range file.Decls {
		if _, ok := d.(*ast.FuncDecl); ok {
			p.funcs++
		}
	}
	return p, nil
}

func countAll(files []parsed) string {
	pkgs := map[string]bool{}
	var sum parsed
	broken := 0
	for _, f := range files {
		if f.broken {
			broken++
			continue
		}
		pkgs[f.pkg] = true
		sum.funcs += f.funcs
		sum.lines += f.lines
	}
	s := fmt.Sprintf("%s files: %s packages, %s functions, %s lines", count(len(files)), count(len(pkgs)), count(sum.funcs), count(sum.lines))
	if broken > 0 {
		s += fmt.Sprintf("; of the files %d do not parse (test data)", broken)
	}
	return s
}

var tinyStop = stop{
	name:  "tiny",
	title: "a million items of a few nanoseconds each",
	story: "The trap of parallel code: handing such an item to a goroutine costs more than the item. " +
		"The best that a library can do is to find that out and to keep out of the way.",
	code: "mixed, err := weft.Map(ctx, numbers, mix)",
	run: func(ctx context.Context, v *visit) (outcome, error) {
		numbers := make([]uint64, v.cfg.sizes.tiny)
		for i := range numbers {
			numbers[i] = uint64(i)
		}
		return race(ctx, v, leg[uint64, uint64]{
			name: "tiny", items: numbers, f: mix,
			result: func(all []uint64) string {
				var x uint64
				for _, a := range all {
					x ^= a
				}
				return fmt.Sprintf("%s numbers, their exclusive or is %x", count(len(all)), x)
			},
		})
	},
}

// mix scatters the bits of a number: the finalizer of splitmix64 (Guy Steele
// and others, Fast Splittable Pseudorandom Number Generators, 2014).
func mix(_ context.Context, x uint64) (uint64, error) {
	x += 0x9e3779b97f4a7c15
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31, nil
}
