//go:build linux

package proc_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/weft-go/weft"
	"github.com/weft-go/weft/memo"
	"github.com/weft-go/weft/proc"
)

var (
	_ = weft.Register(openCache)
	_ = weft.Register(cachedSquare)
)

// cacheDir is the variable in the environment of the workers that names the
// directory of their cache.
const cacheDir = "WEFT_TEST_CACHE"

// stored is markedSquare with its results in the cache; set up in each worker.
var stored memo.Func[int, int]

func openCache(context.Context) error {
	cache, err := memo.Open(filepath.Join(os.Getenv(cacheDir), "cache"), memo.Config{})
	if err != nil {
		return err
	}
	stored = memo.Wrap(cache, markedSquare, memo.Version("1"))
	return nil
}

// markedSquare leaves a file each time it runs.
func markedSquare(_ context.Context, n int) (int, error) {
	f, err := os.CreateTemp(os.Getenv(cacheDir), "ran-"+strconv.Itoa(n)+"-")
	if err != nil {
		return 0, err
	}
	return n * n, f.Close()
}

func cachedSquare(ctx context.Context, n int) (int, error) {
	if stored == nil {
		return 0, errors.New("the setup has not run")
	}
	return stored(ctx, n)
}

// Functions that memo wraps run in processes and share the store: each result
// is computed once, by whichever worker comes first.
func TestMemoInProcesses(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	items := make([]int, 120)
	for i := range items {
		items[i] = i % 40
	}
	for round := range 2 {
		p := start(t, proc.Config{Workers: 3, Setup: openCache, Env: []string{cacheDir + "=" + dir}})
		got, err := weft.Map(t.Context(), items, cachedSquare, weft.On(p), weft.Require(weft.Isolation))
		if err != nil {
			t.Fatal(err)
		}
		for i, v := range got {
			if v != items[i]*items[i] {
				t.Fatalf("item %d: %d", items[i], v)
			}
		}
		ran, err := filepath.Glob(filepath.Join(dir, "ran-*"))
		if err != nil || len(ran) != 40 {
			t.Errorf("after round %d: %d computations of 40 results, %v", round, len(ran), err)
		}
	}
}
