// Memo counts the words of files, keeps the counts on disk, and says what it
// found there and why. Run it twice, then edit a file and run it again.
//
//	go run ./examples/memo *.md
package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"os"
	"path/filepath"

	"github.com/weft-go/weft"
	"github.com/weft-go/weft/memo"
)

// countWords returns how often each word is in a file. It is what is kept.
func countWords(_ context.Context, name memo.File) (map[string]int, error) {
	f, err := os.Open(string(name))
	if err != nil {
		return nil, err
	}
	defer f.Close()
	counts := map[string]int{}
	words := bufio.NewScanner(f)
	words.Split(bufio.ScanWords)
	for words.Scan() {
		counts[words.Text()]++
	}
	return counts, words.Err()
}

// run counts the words of files with a cache in dir.
func run(ctx context.Context, out io.Writer, dir string, names []string) (err error) {
	cache, err := memo.Open(dir, memo.Config{MaxBytes: 100 << 20})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, cache.Close()) }()
	// Version, because this function is short and will not change; without it,
	// each build of this program begins anew.
	count := memo.Wrap(cache, countWords, memo.Version("1"))

	var files []memo.File
	for _, name := range names {
		files = append(files, memo.File(name))
		why, err := count.Why(memo.File(name))
		if err != nil {
			return err
		}
		fmt.Fprintln(out, filepath.Base(name), why.Cause, why.Detail)
	}
	counts, err := weft.Map(ctx, files, count)
	if err != nil {
		return err
	}
	for i, c := range counts {
		fmt.Fprintf(out, "%s: %d different words\n", filepath.Base(names[i]), len(c))
	}
	s := cache.Stats()
	fmt.Fprintf(out, "%d hits, %d misses\n", s.Hits, s.Misses)
	return nil
}

func main() {
	dir, err := os.UserCacheDir()
	if err == nil {
		err = run(context.Background(), os.Stdout, filepath.Join(dir, "weft-example-memo"), os.Args[1:])
	}
	if err != nil {
		log.Fatal(err)
	}
}
