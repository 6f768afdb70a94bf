// Wordcount counts the words of many files: a task a file, and a tree that joins
// the counts. Only a few files are held in memory at a time.
//
//	go run ./examples/wordcount            counts the words of this directory's Go files
//	go run ./examples/wordcount *.md
package main

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"fmt"
	"io"
	"maps"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"unicode"

	"github.com/weft-go/weft/graph"
)

type counts map[string]int

func count(_ context.Context, name string) (counts, error) {
	b, err := os.ReadFile(name)
	if err != nil {
		return nil, err
	}
	c := counts{}
	lines := bufio.NewScanner(bytes.NewReader(b))
	lines.Buffer(nil, len(b)+1)
	for lines.Scan() {
		for word := range strings.FieldsFuncSeq(lines.Text(), func(r rune) bool { return !unicode.IsLetter(r) }) {
			c[strings.ToLower(word)]++
		}
	}
	return c, lines.Err()
}

// join makes a new map: other tasks may use a and b too.
func join(_ context.Context, a, b counts) (counts, error) {
	c := maps.Clone(a)
	for word, n := range b {
		c[word] += n
	}
	return c, nil
}

func run(ctx context.Context, w io.Writer, files []string) error {
	g := graph.New()
	all := graph.Reduce(g, join, graph.Map(g, count, graph.Consts(g, files)), 8)
	words, err := graph.Compute(ctx, all)
	if err != nil {
		return err
	}
	top := slices.SortedFunc(maps.Keys(words), func(a, b string) int {
		return cmp.Or(words[b]-words[a], strings.Compare(a, b))
	})
	for _, word := range top[:min(10, len(top))] {
		fmt.Fprintf(w, "%6d %s\n", words[word], word)
	}
	return nil
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	files := os.Args[1:]
	if len(files) == 0 {
		files, _ = filepath.Glob("*.go")
	}
	if err := run(ctx, os.Stdout, files); err != nil {
		fmt.Fprintln(os.Stderr, "wordcount:", err)
		os.Exit(1)
	}
}
