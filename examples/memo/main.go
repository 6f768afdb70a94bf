// Memo counts the words of files, keeps the counts on disk, and says what it
// found there and why. Run it twice, then edit a file and run it again.
//
//	go run ./examples/memo *.md
package main

import (
	"bufio"
	"context"
	"fmt"
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

func main() {
	dir, err := os.UserCacheDir()
	if err != nil {
		log.Fatal(err)
	}
	cache, err := memo.Open(filepath.Join(dir, "weft-example-memo"), memo.Config{MaxBytes: 100 << 20})
	if err != nil {
		log.Fatal(err)
	}
	// Version, because this function is short and will not change; without it,
	// each build of this program begins anew.
	count := memo.Wrap(cache, countWords, memo.Version("1"))

	var files []memo.File
	for _, name := range os.Args[1:] {
		files = append(files, memo.File(name))
		why, err := count.Why(memo.File(name))
		if err != nil {
			log.Fatal(err)
		}
		fmt.Printf("%s: %s %s\n", name, why.Cause, why.Detail)
	}
	counts, err := weft.Map(context.Background(), files, count)
	if err != nil {
		log.Fatal(err)
	}
	for i, c := range counts {
		fmt.Printf("%s: %d different words\n", files[i], len(c))
	}
	s := cache.Stats()
	fmt.Printf("%d hits, %d misses; the cache in %s has %d entries\n", s.Hits, s.Misses, cache.Dir(), s.Items)
	if err := cache.Close(); err != nil {
		log.Fatal(err)
	}
}
