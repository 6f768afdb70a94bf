package memo_test

import (
	"context"
	"fmt"
	"log"
	"os"
	"path/filepath"
	"time"

	"github.com/weft-go/weft/memo"
)

// square is a function that takes long.
func square(_ context.Context, n int) (int, error) {
	fmt.Println("computing", n)
	return n * n, nil
}

func tempCache() (*memo.Cache, func()) {
	dir, err := os.MkdirTemp("", "memo-example-")
	if err != nil {
		log.Fatal(err)
	}
	cache, err := memo.Open(filepath.Join(dir, "cache"), memo.Config{MaxBytes: 1 << 30})
	if err != nil {
		log.Fatal(err)
	}
	return cache, func() {
		if err := cache.Close(); err != nil {
			log.Fatal(err)
		}
		os.RemoveAll(dir)
	}
}

func Example() {
	cache, done := tempCache()
	defer done()
	f := memo.Wrap(cache, square)
	for range 2 {
		n, err := f(context.Background(), 7)
		fmt.Println(n, err)
	}
	// Output:
	// computing 7
	// 49 <nil>
	// 49 <nil>
}

func ExampleFunc_Why() {
	cache, done := tempCache()
	defer done()
	f := memo.Wrap(cache, square, memo.Version("1"))
	why, _ := f.Why(3)
	fmt.Println(why.Cause, why.Level)
	_, _ = f(context.Background(), 3)
	why, _ = f.Why(3)
	fmt.Println(why.Cause, why.Hit())
	why, _ = memo.Wrap(cache, square, memo.Version("2")).Why(3)
	fmt.Println(why.Cause+":", why.Detail)
	// Output:
	// first call manual
	// computing 3
	// hit true
	// code: memo.Version has another value
}

func ExampleFunc_Cached() {
	cache, done := tempCache()
	defer done()
	f := memo.Wrap(cache, square)
	_, _ = f(context.Background(), 2)
	there, _ := f.Cached(2)
	fmt.Println(there)
	_ = f.Forget(2)
	there, _ = f.Cached(2)
	fmt.Println(there)
	// Output:
	// computing 2
	// true
	// false
}

func ExampleFunc_Refresh() {
	cache, done := tempCache()
	defer done()
	f := memo.Wrap(cache, square)
	_, _ = f(context.Background(), 2)
	_, _ = f.Refresh(context.Background(), 2)
	// Output:
	// computing 2
	// computing 2
}

func ExampleFunc_Ref() {
	cache, done := tempCache()
	defer done()
	ref, err := memo.Wrap(cache, square).Ref(context.Background(), 9)
	if err != nil {
		log.Fatal(err)
	}
	n, err := ref.Load()
	fmt.Println(n, err)
	// Output:
	// computing 9
	// 81 <nil>
}

// render has several arguments, in a struct.
func render(_ context.Context, j job) (string, error) {
	fmt.Println("rendering", j.Name)
	return fmt.Sprintf("%s at %d", j.Name, j.Width), nil
}

type job struct {
	Name    string
	Width   int
	Verbose bool `memo:"-"`
}

func ExampleIgnore() {
	cache, done := tempCache()
	defer done()
	f := memo.Wrap(cache, render, memo.Ignore("Width"))
	a, _ := f(context.Background(), job{"a", 100, false})
	b, _ := f(context.Background(), job{"a", 200, true})
	fmt.Println(a == b)
	// Output:
	// rendering a
	// true
}

func ExampleValidate() {
	cache, done := tempCache()
	defer done()
	f := memo.Wrap(cache, square, memo.Validate(func(m memo.Meta) bool { return m.Took > time.Hour }))
	_, _ = f(context.Background(), 2)
	_, _ = f(context.Background(), 2)
	// Output:
	// computing 2
	// computing 2
}

func ExampleExpiresAfter() {
	cache, done := tempCache()
	defer done()
	f := memo.Wrap(cache, square, memo.ExpiresAfter(time.Hour))
	_, _ = f(context.Background(), 2)
	_, _ = f(context.Background(), 2)
	// Output:
	// computing 2
}

func ExampleKey() {
	cache, done := tempCache()
	defer done()
	f := memo.Wrap(cache, render, memo.Key(func(j job) any { return j.Name }))
	_, _ = f(context.Background(), job{"a", 100, false})
	_, _ = f(context.Background(), job{"a", 200, false})
	// Output:
	// rendering a
}

func ExampleCache_Trim() {
	cache, done := tempCache()
	defer done()
	f := memo.Wrap(cache, square)
	for n := range 3 {
		_, _ = f(context.Background(), n)
	}
	trimmed, err := cache.Trim(context.Background(), memo.Limits{MaxItems: 1})
	fmt.Println(trimmed.Items, err)
	// Output:
	// computing 0
	// computing 1
	// computing 2
	// 2 <nil>
}
