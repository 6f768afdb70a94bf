package tour

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"math/bits"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"

	"github.com/weft-go/weft"
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
	title: "the bits that are set in a million bytes",
	story: "The trap of parallel code: a million items look like a lot, but these take less time in all than it " +
		"takes to wake the other CPUs. The best that a library can do is to find that out and to keep out of the way.",
	code: "err := weft.For(ctx, len(data), func(lo, hi int) error { ... })",
	run: func(ctx context.Context, v *visit) (outcome, error) {
		data := make([]byte, v.cfg.sizes.tiny)
		rand.NewChaCha8([32]byte{1}).Read(data)
		o := outcome{items: len(data), sampled: len(data)}
		var want int
		var got atomic.Int64
		err := v.turns(&o, turn{
			name: "tiny", call: "weft.For",
			plain: func() error { want = countBits(data); return nil },
			weft: func(rep *weft.Report) error {
				got.Store(0)
				return weft.For(ctx, len(data), func(lo, hi int) error {
					got.Add(int64(countBits(data[lo:hi])))
					return nil
				}, weft.Name("tiny"), weft.ReportTo(rep))
			},
			result: func() (string, error) {
				if int(got.Load()) != want {
					return "", fmt.Errorf("the plain loop counts %d bits and weft.For %d; this is a bug in Weft, please report it", want, got.Load())
				}
				return fmt.Sprintf("%s of %s bits are set", count(want), count(8*len(data))), nil
			},
		})
		return o, err
	},
}

// countBits counts the bits that are set, eight bytes at a time.
func countBits(data []byte) (n int) {
	for ; len(data) >= 8; data = data[8:] {
		n += bits.OnesCount64(binary.LittleEndian.Uint64(data))
	}
	for _, b := range data {
		n += bits.OnesCount8(b)
	}
	return n
}
