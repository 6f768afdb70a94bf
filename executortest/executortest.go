// Package executortest is what each weft.Executor must pass. A test of an
// executor calls [Run] with a function that makes one:
//
//	func TestMain(m *testing.M) {
//		proc.Init()
//		os.Exit(m.Run())
//	}
//
//	func TestConformance(t *testing.T) {
//		executortest.Run(t, func(t *testing.T) weft.Executor { ... })
//	}
//
// The functions that the tests run are registered by this package, so the
// program that is the worker must link it too.
package executortest

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/weft-go/weft"
)

// Run runs the suite. start makes the executor that a test uses and has it
// closed by t.Cleanup; it is called once for each test, and its Traits must say
// at least two workers.
func Run(t *testing.T, start func(t *testing.T) weft.Executor) {
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			e := start(t)
			if tr := e.Traits(); tr.Workers < 2 || tr.Name == "" {
				t.Fatalf("the suite needs an executor with a name and two workers: %+v", tr)
			}
			c.test(t, e)
		})
	}
	t.Run("Leaks", func(t *testing.T) { leaks(t, start) })
}

var cases = []struct {
	name string
	test func(t *testing.T, e weft.Executor)
}{
	{"BackOff", backOff},
	{"Batch", batch},
	{"Cancel", cancel},
	{"CancelBeforeStart", cancelBefore},
	{"Check", check},
	{"Concurrency", concurrency},
	{"Each", each},
	{"Empty", empty},
	{"Errors", failures},
	{"FailFast", failFast},
	{"Goexit", goexit},
	{"Huge", huge},
	{"Kinds", kinds},
	{"Loss", loss},
	{"LossOfMany", lossOfMany},
	{"LossRetried", lossRetried},
	{"ManyRuns", manyRuns},
	{"Nesting", nesting},
	{"Order", order},
	{"Panics", panics},
	{"PerKey", perKey},
	{"Plan", planned},
	{"Rate", rate},
	{"Reduce", reduce},
	{"Retry", retry},
	{"Stream", stream},
	{"StreamBreak", streamBreak},
	{"Timeout", timeout},
	{"Unregistered", unregistered},
	{"Wishes", wishes},
	{"Workers", workers},
}

// stay keeps the items where they are sent: nothing here is dear enough to be
// worth it.
func stay(e weft.Executor) weft.OnOption {
	if e.Traits().Isolated {
		return weft.Require(weft.Isolation)
	}
	return weft.Prefer(weft.SharedMemory)
}

func ints(n int) []int {
	s := make([]int, n)
	for i := range s {
		s[i] = i
	}
	return s
}

func wantItem(t *testing.T, err error, index int) *weft.ItemError {
	t.Helper()
	ie, ok := errors.AsType[*weft.ItemError](err)
	if !ok || ie.Index != index {
		t.Fatalf("want item %d to have failed: %v", index, err)
	}
	return ie
}

func order(t *testing.T, e weft.Executor) {
	for _, n := range []int{1, 2, 3, 1000, 20_000} {
		got, err := weft.Map(t.Context(), ints(n), double, weft.On(e), stay(e))
		if err != nil {
			t.Fatal(err)
		}
		for i, v := range got {
			if v != 2*i {
				t.Fatalf("%d items: %d in place %d", n, v, i)
			}
		}
	}
	for _, chunk := range []int{1, 7, 5000} {
		got, err := weft.Map(t.Context(), ints(3000), double, weft.On(e), stay(e), weft.Chunk(chunk))
		if err != nil || len(got) != 3000 || got[2999] != 5998 {
			t.Fatalf("Chunk(%d): %d results, %v", chunk, len(got), err)
		}
	}
}

func empty(t *testing.T, e weft.Executor) {
	got, err := weft.Map(t.Context(), []int{}, double, weft.On(e))
	if err != nil || len(got) != 0 {
		t.Errorf("no items: %v, %v", got, err)
	}
	texts, err := weft.Map(t.Context(), []string{"", "", "x"}, echoText, weft.On(e))
	if err != nil || !slices.Equal(texts, []string{"", "", "x"}) {
		t.Errorf("empty strings: %q, %v", texts, err)
	}
	records := []Record{{}, {Bytes: []byte{}, Numbers: []float64{}, Tags: map[string]int{}, Next: &Record{}}}
	got2, err := weft.Map(t.Context(), records, echoRecord, weft.On(e))
	if err != nil || !reflect.DeepEqual(got2, records) {
		t.Errorf("empty records: %+v, %v", got2, err)
	}
}

func huge(t *testing.T, e weft.Executor) {
	large := make([]float64, 3<<20/8)
	for i := range large {
		large[i] = float64(i)
	}
	text := strings.Repeat("0123456789abcdef", 2<<20/16)
	records := []Record{
		{Name: "small"}, {Numbers: large}, {Name: text}, {Bytes: []byte(text)}, {Next: &Record{Numbers: large}}, {Name: "small too"},
	}
	got, err := weft.Map(t.Context(), records, echoRecord, weft.On(e))
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(got, records) {
		t.Error("large values changed on the way")
	}
	sizes, err := weft.Map(t.Context(), []int{0, 1, 5 << 20, 1 << 20}, makeNumbers, weft.On(e))
	if err != nil {
		t.Fatal(err)
	}
	for i, n := range []int{0, 1, 5 << 20, 1 << 20} {
		if len(sizes[i]) != n || n > 0 && sizes[i][n-1] != int32(n-1) {
			t.Errorf("a result of %d numbers came as %d", n, len(sizes[i]))
		}
	}
}

func kinds(t *testing.T, e weft.Executor) {
	now := time.Now().Round(0)
	records := []Record{{
		Name: "a\x00\xff", Bytes: []byte{1, 2}, Numbers: []float64{1.5, -2}, Small: [3]int16{-1, 0, 1}, On: true,
		Tags: map[string]int{"x": 1, "": -7}, When: now, Took: time.Minute, Next: &Record{Name: "n", Next: &Record{}},
		Ints: []int{-1, 1 << 62}, Z: complex(1, -1), U: 1<<64 - 1, F: 0.1, Deep: [][]string{{"a"}, nil, {}},
	}}
	got, err := weft.Map(t.Context(), records, echoRecord, weft.On(e))
	if err != nil {
		t.Fatal(err)
	}
	if !got[0].When.Equal(now) {
		t.Errorf("a time came as %v", got[0].When)
	}
	got[0].When = records[0].When
	if !reflect.DeepEqual(got, records) {
		t.Errorf("came as\n%+v and was\n%+v", got[0], records[0])
	}
}

func check(t *testing.T, e weft.Executor) {
	if !e.Traits().Isolated {
		t.Skip("what stays in the process need not cross")
	}
	_, err := weft.Map(t.Context(), []Hidden{{}}, echoHidden, weft.On(e))
	if err == nil || !strings.Contains(err.Error(), "Hidden.Inner.secret") {
		t.Errorf("an unexported field is named with its path: %v", err)
	}
	_, err = weft.Map(t.Context(), []Callback{{}}, echoCallback, weft.On(e))
	if err == nil || !strings.Contains(err.Error(), "Callback.Do") {
		t.Errorf("a function is named with its path: %v", err)
	}
	items := []Picky{{N: 1}, {N: -1}, {N: 2}}
	got, err := weft.Map(t.Context(), items, echoPicky, weft.On(e), weft.KeepGoing())
	wantItem(t, err, 1)
	if !strings.Contains(err.Error(), "does not like -1") || got[2].N != 2 {
		t.Errorf("an item that can't be encoded fails alone: %v, %v", got, err)
	}
}

func failures(t *testing.T, e weft.Executor) {
	got, err := weft.Map(t.Context(), ints(100), failOdd, weft.On(e), weft.KeepGoing(), stay(e))
	all, ok := err.(interface{ Unwrap() []error })
	if !ok || len(all.Unwrap()) != 50 {
		t.Fatalf("want 50 failures: %v", err)
	}
	for k, one := range all.Unwrap() {
		wantItem(t, one, 2*k+1)
	}
	if !errors.Is(err, errOdd) {
		t.Errorf("a registered error keeps its identity: %v", err)
	}
	for i, v := range got {
		if i%2 == 0 && v != i {
			t.Errorf("item %d: %d", i, v)
		}
	}
	_, err = weft.Map(t.Context(), []int{0}, failStandard, weft.On(e))
	if !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "with this text") {
		t.Errorf("a standard error keeps its identity and text: %v", err)
	}
	_, err = weft.Map(t.Context(), []int{0}, failRude, weft.On(e))
	wantItem(t, err, 0)
}

func failFast(t *testing.T, e weft.Executor) {
	_, err := weft.Map(t.Context(), ints(10_000), failOdd, weft.On(e), stay(e))
	ie, ok := errors.AsType[*weft.ItemError](err)
	if !ok || !errors.Is(err, errOdd) || ie.Index%2 == 0 {
		t.Errorf("%v", err)
	}
}

func panics(t *testing.T, e weft.Executor) {
	got, err := weft.Map(t.Context(), ints(10), panicAt3, weft.On(e), weft.KeepGoing())
	wantItem(t, err, 3)
	p, ok := errors.AsType[*weft.PanicError](err)
	if !ok || fmt.Sprint(p.Value) != "no threes" || !strings.Contains(string(p.Stack), "panicAt3") {
		t.Errorf("the panic with its value and stack: %v", err)
	}
	if got[9] != 9 || got[3] != 0 {
		t.Errorf("the others go on: %v", got)
	}
	_, err = weft.Map(t.Context(), []int{0}, panicError, weft.On(e))
	if !errors.Is(err, errOdd) {
		t.Errorf("a panic with a registered error is one: %v", err)
	}
}

func goexit(t *testing.T, e weft.Executor) {
	got, err := weft.Map(t.Context(), ints(10), goexitAt3, weft.On(e), weft.KeepGoing())
	wantItem(t, err, 3)
	if p, ok := errors.AsType[*weft.PanicError](err); !ok || p.Value != nil {
		t.Errorf("%v", err)
	}
	if got[9] != 9 {
		t.Errorf("the others go on: %v", got)
	}
}

func cancel(t *testing.T, e weft.Executor) {
	// The run ends because its first item fails while the other waits.
	begun := time.Now()
	items := ints(2)
	_, err := weft.Map(t.Context(), items, waitOrFail, weft.On(e), weft.Chunk(1), stay(e))
	wantItem(t, err, 0)
	if took := time.Since(begun); took > 20*time.Second {
		t.Errorf("it took %v to stop items that watch their context", took)
	}
	ctx, stop := context.WithTimeoutCause(t.Context(), 50*time.Millisecond, errors.New("enough"))
	defer stop()
	_, err = weft.Map(ctx, ints(8), waitForEnd, weft.On(e), weft.Chunk(1), stay(e))
	if !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "enough") {
		t.Errorf("the cause of the end is told: %v", err)
	}
	got, err := weft.Map(t.Context(), ints(10), double, weft.On(e), stay(e))
	if err != nil || got[9] != 18 {
		t.Errorf("afterwards the executor works: %v, %v", got, err)
	}
}

func cancelBefore(t *testing.T, e weft.Executor) {
	ctx, stop := context.WithCancel(t.Context())
	stop()
	if _, err := weft.Map(ctx, ints(3), double, weft.On(e)); !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
}

func retry(t *testing.T, e weft.Executor) {
	dir := t.TempDir()
	items := make([]Attempt, 20)
	for i := range items {
		items[i] = Attempt{Dir: dir, Item: i, Fail: i % 3}
	}
	var rep weft.Report
	got, err := weft.Map(t.Context(), items, attempt, weft.On(e), weft.Retry(3), weft.ReportTo(&rep), stay(e))
	if err != nil {
		t.Fatal(err)
	}
	retried := 0
	for i, n := range got {
		if n != i%3+1 {
			t.Errorf("item %d took %d attempts", i, n)
		}
		retried += n - 1
	}
	if rep.Retried != retried {
		t.Errorf("%d retries in the report, %d made", rep.Retried, retried)
	}
	_, err = weft.Map(t.Context(), []Attempt{{Dir: dir, Item: 99, Fail: 9, Permanent: true}}, attempt, weft.On(e), weft.Retry(3))
	if !errors.Is(err, weft.ErrPermanent) || readAttempts(dir, 99) != 1 {
		t.Errorf("a permanent failure is not tried again: %v after %d", err, readAttempts(dir, 99))
	}
}

func timeout(t *testing.T, e weft.Executor) {
	got, err := weft.Map(t.Context(), ints(4), waitForEndAt1, weft.On(e), weft.Timeout(100*time.Millisecond), weft.KeepGoing(), stay(e))
	wantItem(t, err, 1)
	if !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "timed out after 100ms") {
		t.Errorf("%v", err)
	}
	if got[0] != 0 || got[3] != 3 {
		t.Errorf("%v", got)
	}
	dir := t.TempDir()
	_, err = weft.Map(t.Context(), []Attempt{{Dir: dir, Wait: true}}, attempt, weft.On(e), weft.Timeout(20*time.Millisecond), weft.Retry(2), stay(e))
	if !errors.Is(err, context.DeadlineExceeded) || readAttempts(dir, 0) != 2 {
		t.Errorf("%d attempts, then %v", readAttempts(dir, 0), err)
	}
}

func backOff(t *testing.T, e weft.Executor) {
	dir := t.TempDir()
	begun := time.Now()
	got, err := weft.Map(t.Context(), []Attempt{{Dir: dir, Fail: 1, BackOff: 300 * time.Millisecond}}, attempt, weft.On(e), weft.Retry(2), stay(e))
	if err != nil || got[0] != 2 {
		t.Fatalf("%v, %v", got, err)
	}
	if took := time.Since(begun); took < 300*time.Millisecond {
		t.Errorf("the second attempt came after %v already", took)
	}
}

func rate(t *testing.T, e weft.Executor) {
	begun := time.Now()
	if _, err := weft.Map(t.Context(), ints(11), double, weft.On(e), weft.Rate(100), stay(e)); err != nil {
		t.Fatal(err)
	}
	if took := time.Since(begun); took < 90*time.Millisecond {
		t.Errorf("11 items at 100 a second took %v only", took)
	}
}

func perKey(t *testing.T, e weft.Executor) {
	dir := t.TempDir()
	items := make([]Attempt, 20)
	for i := range items {
		items[i] = Attempt{Dir: dir, Item: i % 2}
	}
	key := func(a Attempt) string { return fmt.Sprint(a.Item) }
	if _, err := weft.Map(t.Context(), items, alone, weft.On(e), weft.PerKey(key, 1), stay(e)); err != nil {
		t.Errorf("two of one key at once: %v", err)
	}
}

func each(t *testing.T, e weft.Executor) {
	dir := t.TempDir()
	items := make([]Attempt, 30)
	for i := range items {
		items[i] = Attempt{Dir: dir, Item: i}
	}
	if err := weft.Each(t.Context(), items, touch, weft.On(e), stay(e)); err != nil {
		t.Fatal(err)
	}
	for i := range items {
		if readAttempts(dir, i) != 1 {
			t.Errorf("item %d ran %d times", i, readAttempts(dir, i))
		}
	}
}

func stream(t *testing.T, e weft.Executor) {
	i := 0
	for v, err := range weft.Stream(t.Context(), slices.Values(ints(5000)), double, weft.On(e), stay(e)) {
		if err != nil || v != 2*i {
			t.Fatalf("place %d: %d, %v", i, v, err)
		}
		i++
	}
	if i != 5000 {
		t.Errorf("%d results of 5000", i)
	}
	sum, failed := 0, 0
	for v, err := range weft.Stream(t.Context(), slices.Values(ints(1000)), failOdd, weft.On(e), weft.Unordered(), weft.KeepGoing(), stay(e)) {
		if err != nil {
			failed++
		}
		sum += v
	}
	if failed != 500 || sum != 500*499 {
		t.Errorf("%d failed, sum %d", failed, sum)
	}
}

func streamBreak(t *testing.T, e weft.Executor) {
	endless := func(yield func(int) bool) {
		for i := 0; yield(i); i++ {
		}
	}
	n := 0
	for _, err := range weft.Stream(t.Context(), endless, double, weft.On(e), stay(e)) {
		if err != nil {
			t.Fatal(err)
		}
		if n++; n == 100 {
			break
		}
	}
	got, err := weft.Map(t.Context(), ints(3), double, weft.On(e))
	if err != nil || got[2] != 4 {
		t.Errorf("afterwards: %v, %v", got, err)
	}
}

func reduce(t *testing.T, e weft.Executor) {
	items := make([]float64, 5000)
	for i := range items {
		items[i] = 1 / float64(i+1)
	}
	want, err := weft.Reduce(t.Context(), items, addFloat, addFloat)
	if err != nil {
		t.Fatal(err)
	}
	got, err := weft.Reduce(t.Context(), items, addFloat, addFloat, weft.On(e), stay(e))
	if err != nil || got != want {
		t.Errorf("the same bits everywhere: %v and %v, %v", got, want, err)
	}
	_, err = weft.Reduce(t.Context(), ints(1000), panicFold, panicFold, weft.On(e), stay(e))
	if _, ok := errors.AsType[*weft.PanicError](err); !ok {
		t.Errorf("%v", err)
	}
}

func nesting(t *testing.T, e weft.Executor) {
	got, err := weft.Map(t.Context(), ints(20), nested, weft.On(e), stay(e))
	if err != nil {
		t.Fatal(err)
	}
	for i, v := range got {
		if v != 100*i {
			t.Errorf("item %d: %d", i, v)
		}
	}
	// Runs inside a run's items that use the executor as well.
	outer, err := weft.Map(t.Context(), ints(6), func(ctx context.Context, n int) (int, error) {
		in, err := weft.Map(ctx, ints(50), double, weft.On(e), stay(e))
		return len(in) * n, err
	}, weft.Workers(3))
	if err != nil || outer[5] != 250 {
		t.Errorf("%v, %v", outer, err)
	}
}

func manyRuns(t *testing.T, e weft.Executor) {
	_, err := weft.Map(t.Context(), ints(8), func(ctx context.Context, n int) (int, error) {
		got, err := weft.Map(ctx, ints(500), double, weft.On(e), stay(e))
		if err == nil && got[499] != 998 {
			err = fmt.Errorf("mixed up: %d", got[499])
		}
		return 0, err
	}, weft.Workers(8))
	if err != nil {
		t.Error(err)
	}
}

func workers(t *testing.T, e weft.Executor) {
	dir := t.TempDir()
	items := make([]Attempt, 10)
	for i := range items {
		items[i] = Attempt{Dir: dir}
	}
	if _, err := weft.Map(t.Context(), items, alone, weft.On(e), weft.Workers(1), stay(e)); err != nil {
		t.Errorf("Workers(1) runs one at a time: %v", err)
	}
}

func concurrency(t *testing.T, e weft.Executor) {
	dir := t.TempDir()
	// Each waits for the other: one at a time would wait in vain.
	items := []Attempt{{Dir: dir, Item: 0}, {Dir: dir, Item: 1}}
	if _, err := weft.Map(t.Context(), items, meet, weft.On(e), weft.Chunk(1), stay(e)); err != nil {
		t.Error(err)
	}
}

func unregistered(t *testing.T, e weft.Executor) {
	_, err := weft.Map(t.Context(), ints(3), notRegistered, weft.On(e))
	if err == nil || !strings.Contains(err.Error(), "var _ = weft.Register(notRegistered)") {
		t.Errorf("the mend is told: %v", err)
	}
	n := 0
	_, err = weft.Map(t.Context(), ints(3), func(context.Context, int) (int, error) { n++; return 0, nil }, weft.On(e))
	if err == nil || !strings.Contains(err.Error(), "closure") || n > 0 {
		t.Errorf("%v, run %d times", err, n)
	}
	for _, err := range weft.Stream(t.Context(), slices.Values(ints(3)), notRegistered, weft.On(e)) {
		if err == nil {
			t.Error("a stream refuses it as well")
		}
	}
}

func wishes(t *testing.T, e weft.Executor) {
	tr := e.Traits()
	_, err := weft.Map(t.Context(), ints(3), double, weft.On(e), weft.Require(weft.Isolation))
	if (err == nil) != tr.Isolated {
		t.Errorf("Require(Isolation) with %+v: %v", tr, err)
	}
	_, err = weft.Map(t.Context(), ints(3), double, weft.On(e), weft.Require(weft.SharedMemory))
	if (err == nil) != tr.SharedMemory {
		t.Errorf("Require(SharedMemory) with %+v: %v", tr, err)
	}
	if _, err := weft.Map(t.Context(), ints(3), double, weft.On(e), weft.Prefer(weft.Isolation|weft.SharedMemory)); err != nil {
		t.Errorf("a preference is no condition: %v", err)
	}
}

func planned(t *testing.T, e weft.Executor) {
	var rep weft.Report
	if _, err := weft.Map(t.Context(), ints(2000), double, weft.On(e), stay(e), weft.ReportTo(&rep)); err != nil {
		t.Fatal(err)
	}
	if rep.Plan.Mode != e.Traits().Name || rep.Done != 2000 || rep.Plan.Measured.Sampled != 2000 || rep.Plan.Workers != e.Traits().Workers {
		t.Errorf("%+v", rep)
	}
	if s := rep.String(); !strings.Contains(s, e.Traits().Name) {
		t.Errorf("the executor is in the report:\n%s", s)
	}
}

// batch calls the executor as weft does, to see what weft would hide.
func batch(t *testing.T, e weft.Executor) {
	f, err := weft.Registered(failOdd)
	if err != nil {
		t.Fatal(err)
	}
	if err := e.Check(f); err != nil {
		t.Fatal(err)
	}
	items := []int{0, 2, 3, 4, 5}
	for _, keep := range []bool{false, true} {
		b := &weft.Batch{
			Func: f, First: 10, Items: reflect.ValueOf(items), Results: reflect.ValueOf(make([]int, 5)),
			KeepGoing: keep, Run: &weft.Lifetime{Steady: true}, Errs: make([]error, 5),
		}
		if err := e.Run(t.Context(), b); err != nil {
			t.Fatal(err)
		}
		want := 3
		if keep {
			want = 5
		}
		if b.Ran != want || b.Errs[0] != nil || !errors.Is(b.Errs[2], errOdd) || keep != (b.Errs[4] != nil) {
			t.Errorf("KeepGoing %v: %d ran, %v", keep, b.Ran, b.Errs)
		}
		if b.Cost.Wall <= 0 {
			t.Errorf("it cost nothing: %+v", b.Cost)
		}
	}
	ctx, stop := context.WithCancelCause(t.Context())
	stop(errors.New("over"))
	b := &weft.Batch{
		Func: f, Items: reflect.ValueOf(items), Results: reflect.ValueOf(make([]int, 5)),
		Run: &weft.Lifetime{}, Errs: make([]error, 5),
	}
	if err := e.Run(ctx, b); err == nil || b.Ran != 0 {
		t.Errorf("a batch of a run that is over: %v, %d ran", err, b.Ran)
	}
}

func loss(t *testing.T, e weft.Executor) {
	if !e.Traits().Isolated {
		t.Skip("an item that ends its process ends this one")
	}
	items := ints(60)
	items[17] = -1
	got, err := weft.Map(t.Context(), items, exitIfNegative, weft.On(e), weft.KeepGoing())
	wantItem(t, err, 17)
	if !errors.Is(err, weft.ErrLost) {
		t.Errorf("%v", err)
	}
	for i, v := range got {
		if i != 17 && v != i {
			t.Errorf("item %d: %d", i, v)
		}
	}
	// Without KeepGoing the run stops, and the executor goes on.
	_, err = weft.Map(t.Context(), items, exitIfNegative, weft.On(e), stay(e))
	wantItem(t, err, 17)
	if again, err := weft.Map(t.Context(), ints(100), double, weft.On(e)); err != nil || again[99] != 198 {
		t.Errorf("afterwards: %v", err)
	}
}

func lossOfMany(t *testing.T, e weft.Executor) {
	if !e.Traits().Isolated {
		t.Skip("an item that ends its process ends this one")
	}
	items := ints(40)
	for i := 0; i < len(items); i += 10 {
		items[i] = -1
	}
	got, err := weft.Map(t.Context(), items, exitIfNegative, weft.On(e), weft.KeepGoing(), weft.Chunk(20))
	all, ok := err.(interface{ Unwrap() []error })
	if !ok || len(all.Unwrap()) != 4 {
		t.Fatalf("want 4 failures: %v", err)
	}
	for k, one := range all.Unwrap() {
		wantItem(t, one, 10*k)
	}
	for i, v := range got {
		if i%10 != 0 && v != i {
			t.Errorf("item %d: %d", i, v)
		}
	}
}

func lossRetried(t *testing.T, e weft.Executor) {
	if !e.Traits().Isolated {
		t.Skip("an item that ends its process ends this one")
	}
	dir := t.TempDir()
	got, err := weft.Map(t.Context(), []Attempt{{Dir: dir, Item: 0, Fail: 1, Exit: true}, {Dir: dir, Item: 1}}, attempt, weft.On(e), weft.Retry(5), weft.Chunk(1), stay(e))
	if err != nil || got[0] != 2 {
		t.Errorf("the second attempt counts: %v, %v", got, err)
	}
	_, err = weft.Map(t.Context(), []Attempt{{Dir: dir, Item: 2, Fail: 99, Exit: true}}, attempt, weft.On(e), weft.Retry(5), weft.Chunk(1), stay(e))
	wantItem(t, err, 0)
	if n := readAttempts(dir, 2); n != 2 || !errors.Is(err, weft.ErrLost) {
		t.Errorf("an item that ends two workers is given up: after %d, %v", n, err)
	}
}

// leaks runs and closes executors and sees that no goroutine stays.
func leaks(t *testing.T, start func(t *testing.T) weft.Executor) {
	before := runtime.NumGoroutine()
	for range 3 {
		t.Run("one", func(t *testing.T) {
			e := start(t)
			if _, err := weft.Map(t.Context(), ints(100), double, weft.On(e), stay(e)); err != nil {
				t.Fatal(err)
			}
		})
	}
	deadline := time.Now().Add(10 * time.Second)
	for runtime.NumGoroutine() > before && time.Now().Before(deadline) {
		runtime.Gosched()
	}
	if n := runtime.NumGoroutine(); n > before {
		buf := make([]byte, 1<<16)
		t.Errorf("%d goroutines more than before:\n%s", n-before, buf[:runtime.Stack(buf, true)])
	}
}
