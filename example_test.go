package weft_test

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/weft-go/weft"
)

func ExampleMap() {
	ctx := context.Background()
	length := func(_ context.Context, s string) (int, error) { return len(s), nil }
	out, err := weft.Map(ctx, []string{"warp", "weft", "selvedge"}, length)
	fmt.Println(out, err)
	// Output: [4 4 8] <nil>
}

// The first failure stops the run. The error names the item.
func ExampleMap_errors() {
	ctx := context.Background()
	parse := func(_ context.Context, s string) (int, error) { return strconv.Atoi(s) }
	_, err := weft.Map(ctx, []string{"1", "2", "three", "4"}, parse)
	fmt.Println(err)
	if item, ok := errors.AsType[*weft.ItemError](err); ok {
		fmt.Println("the item is", item.Index)
	}
	fmt.Println(errors.Is(err, strconv.ErrSyntax))
	// Output:
	// item 2: strconv.Atoi: parsing "three": invalid syntax
	// the item is 2
	// true
}

// A panic in one item neither ends the program nor gets lost.
func ExampleMap_panics() {
	ctx := context.Background()
	invert := func(_ context.Context, n int) (int, error) { return 60 / n, nil }
	_, err := weft.Map(ctx, []int{1, 2, 0}, invert)
	if p, ok := errors.AsType[*weft.PanicError](err); ok {
		fmt.Println(p.Value)
	}
	// Output: runtime error: integer divide by zero
}

func ExampleEach() {
	ctx := context.Background()
	var sum atomic.Int64
	err := weft.Each(ctx, []int64{1, 2, 3, 4}, func(_ context.Context, n int64) error {
		sum.Add(n)
		return nil
	})
	fmt.Println(sum.Load(), err)
	// Output: 10 <nil>
}

// Results come in input order as soon as they are there; the input may be
// endless.
func ExampleStream() {
	ctx := context.Background()
	numbers := func(yield func(int) bool) {
		for n := 1; yield(n); n++ {
		}
	}
	square := func(_ context.Context, n int) (int, error) { return n * n, nil }
	for sq, err := range weft.Stream(ctx, iter.Seq[int](numbers), square) {
		if err != nil {
			fmt.Println(err)
			break
		}
		fmt.Print(sq, " ")
		if sq >= 100 {
			break // stops reading and waits for what still runs
		}
	}
	// Output: 1 4 9 16 25 36 49 64 81 100
}

func ExampleUnordered() {
	ctx := context.Background()
	upper := func(_ context.Context, s string) (string, error) { return strings.ToUpper(s), nil }
	var got []string
	for s, err := range weft.Stream(ctx, slices.Values([]string{"a", "b", "c"}), upper, weft.Unordered()) {
		if err != nil {
			fmt.Println(err)
			break
		}
		got = append(got, s)
	}
	slices.Sort(got) // they came in any order
	fmt.Println(got)
	// Output: [A B C]
}

// The order in which the parts are added up depends on the number of items
// only, so that sums of floats are the same on every machine.
func ExampleReduce() {
	ctx := context.Background()
	items := make([]float64, 1000)
	for i := range items {
		items[i] = float64(i + 1)
	}
	add := func(a, b float64) float64 { return a + b }
	sum, err := weft.Reduce(ctx, items, add, add)
	fmt.Println(sum, err)
	// Output: 500500 <nil>
}

// The accumulator may be of another type than the items.
func ExampleReduce_histogram() {
	ctx := context.Background()
	words := strings.Fields("the warp stays the weft goes over the warp")
	fold := func(counts map[string]int, word string) map[string]int {
		if counts == nil { // the zero value that each part starts with
			counts = map[string]int{}
		}
		counts[word]++
		return counts
	}
	merge := func(a, b map[string]int) map[string]int {
		for word, n := range b {
			a[word] += n
		}
		return a
	}
	counts, err := weft.Reduce(ctx, words, fold, merge)
	fmt.Println(counts["the"], counts["warp"], counts["weft"], err)
	// Output: 3 2 1 <nil>
}

func ExampleFor() {
	ctx := context.Background()
	squares := make([]int, 8)
	err := weft.For(ctx, len(squares), func(lo, hi int) error {
		for i := lo; i < hi; i++ {
			squares[i] = i * i
		}
		return nil
	})
	fmt.Println(squares, err)
	// Output: [0 1 4 9 16 25 36 49] <nil>
}

// The plan tells what would be done. Print it to read it, or ask it.
func ExampleExplain() {
	ctx := context.Background()
	items := make([]int, 100)
	wait := func(ctx context.Context, _ int) (int, error) {
		time.Sleep(30 * time.Millisecond) // an answer from elsewhere
		return 0, nil
	}
	plan, err := weft.Explain(ctx, items, wait, weft.Name("ask"))
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(plan.Name, plan.Items, plan.Bound, plan.Workers > 1)
	// Output: ask 100 io true
}

// With one worker all runs in the caller's goroutine, one item after the
// other: for debugging.
func ExampleWorkers() {
	ctx := context.Background()
	show := func(_ context.Context, n int) error {
		fmt.Print(n, " ")
		return nil
	}
	err := weft.Each(ctx, []int{1, 2, 3}, show, weft.Workers(1))
	fmt.Println(err)
	// Output: 1 2 3 <nil>
}

// Chunk is part of the result of a Reduce: it is where the sum is cut.
func ExampleChunk() {
	ctx := context.Background()
	items := []string{"a", "b", "c", "d", "e"}
	fold := func(a, s string) string { return a + s }
	merge := func(a, b string) string { return "(" + a + " " + b + ")" }
	s, err := weft.Reduce(ctx, items, fold, merge, weft.Chunk(2))
	fmt.Println(s, err)
	// Output: ((ab cd) e) <nil>
}

// Every item runs, every result and every error is kept.
func ExampleKeepGoing() {
	ctx := context.Background()
	parse := func(_ context.Context, s string) (int, error) { return strconv.Atoi(s) }
	out, err := weft.Map(ctx, []string{"1", "x", "3", "y"}, parse, weft.KeepGoing())
	fmt.Println(out)
	fmt.Println(err)
	// Output:
	// [1 0 3 0]
	// 2 items failed
	// item 1: strconv.Atoi: parsing "x": invalid syntax
	// item 3: strconv.Atoi: parsing "y": invalid syntax
}

func ExampleTimeout() {
	ctx := context.Background()
	hang := func(ctx context.Context, _ string) (string, error) {
		<-ctx.Done()
		return "", ctx.Err()
	}
	_, err := weft.Map(ctx, []string{"slow.example"}, hang, weft.Timeout(10*time.Millisecond))
	fmt.Println(err)
	fmt.Println(errors.Is(err, context.DeadlineExceeded))
	// Output:
	// item 0: timed out after 10ms
	// true
}

func ExampleRetry() {
	ctx := context.Background()
	var attempts atomic.Int32
	flaky := func(_ context.Context, _ string) (string, error) {
		if attempts.Add(1) == 1 {
			return "", errors.New("connection reset")
		}
		return "page", nil
	}
	pages, err := weft.Map(ctx, []string{"a.example"}, flaky, weft.Retry(3))
	fmt.Println(pages, attempts.Load(), err)
	// Output: [page] 2 <nil>
}

// BackOff tells Weft that the other side asks for less.
func ExampleBackOff() {
	ctx := context.Background()
	var attempts atomic.Int32
	ask := func(_ context.Context, _ string) (string, error) {
		if attempts.Add(1) == 1 { // HTTP 429, Retry-After
			return "", fmt.Errorf("too many requests: %w", weft.BackOff{After: 10 * time.Millisecond})
		}
		return "answer", nil
	}
	out, err := weft.Map(ctx, []string{"api.example"}, ask, weft.Retry(5))
	fmt.Println(out, err)
	// Output: [answer] <nil>
}

func ExampleRate() {
	ctx := context.Background()
	begin := time.Now()
	err := weft.Each(ctx, make([]int, 20), func(context.Context, int) error { return nil }, weft.Rate(200))
	fmt.Println(err, time.Since(begin) > 80*time.Millisecond)
	// Output: <nil> true
}

// At most one item of each host at once, as many hosts as pay.
func ExamplePerKey() {
	ctx := context.Background()
	urls := []string{"a.example/1", "a.example/2", "b.example/1", "b.example/2"}
	host := func(url string) string { h, _, _ := strings.Cut(url, "/"); return h }
	var a, most atomic.Int32
	fetch := func(_ context.Context, url string) (int, error) {
		if host(url) == "a.example" {
			most.Store(max(most.Load(), a.Add(1)))
			defer a.Add(-1)
		}
		return len(url), nil
	}
	out, err := weft.Map(ctx, urls, fetch, weft.PerKey(host, 1))
	fmt.Println(out, err, most.Load())
	// Output: [11 11 11 11] <nil> 1
}

func ExampleReportTo() {
	ctx := context.Background()
	var report weft.Report
	half := func(_ context.Context, n int) (int, error) {
		if n%2 == 1 {
			return 0, fmt.Errorf("%d is odd", n)
		}
		return n / 2, nil
	}
	_, _ = weft.Map(ctx, []int{2, 3, 4}, half, weft.KeepGoing(), weft.ReportTo(&report))
	fmt.Println(report.Done, "done,", report.Failed, "failed")
	// Output: 2 done, 1 failed
}

// On a terminal there is a bar with the time left.
func ExampleProgress() {
	ctx := context.Background()
	err := weft.Each(ctx, make([]int, 100), func(context.Context, int) error { return nil },
		weft.Progress(os.Stderr), weft.Name("import"))
	fmt.Println(err)
	// Output: <nil>
}

// Fewer items run at once if that is what the memory allows.
func ExampleMemoryLimit() {
	ctx := context.Background()
	var running, most atomic.Int32
	load := func(_ context.Context, _ int) error {
		most.Store(max(most.Load(), running.Add(1)))
		defer running.Add(-1)
		time.Sleep(5 * time.Millisecond)
		return nil
	}
	err := weft.Each(ctx, make([]int, 20), load, weft.MemoryLimit(64<<20), weft.MemoryPerItem(32<<20))
	fmt.Println(err, most.Load() <= 2)
	// Output: <nil> true
}
