//go:build cgo

package frame

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"iter"
	"math"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/weft-go/weft/internal/budget"
)

type num struct {
	I int64
	F float64
	S string
}

func nums(n int) []num {
	out := make([]num, n)
	for i := range out {
		out[i] = num{int64(i), float64(i) / 2, fmt.Sprintf("row number %d", i)}
	}
	return out
}

// What goes in comes out, in order, over many vectors.
func TestSliceRoundTrip(t *testing.T) {
	t.Parallel()
	for _, n := range []int{0, 1, 2047, 2048, 2049, 50_000} {
		in := nums(n)
		if got := collect[num](t, FromSlice(in)); !slices.Equal(got, in) {
			t.Fatalf("%d rows are %d others", n, len(got))
		}
		if got := collect[num](t, FromSeq(slices.Values(in))); !slices.Equal(got, in) {
			t.Fatalf("%d rows of a sequence are %d others", n, len(got))
		}
	}
	if got := collect[int](t, FromSlice([]int{3, 1, 2})); !slices.Equal(got, []int{3, 1, 2}) {
		t.Errorf("plain values: %v", got)
	}
}

type wide struct {
	B    bool
	I8   int8
	U16  uint16
	F32  float32
	S    sql.Null[string]
	P    *time.Time
	D    time.Duration
	L    [][]string
	Deep []struct{ A *int32 }
}

func TestNullsAndNesting(t *testing.T) {
	t.Parallel()
	at := time.Date(1901, 2, 3, 4, 5, 6, 7000, time.UTC)
	in := []wide{
		{true, -128, 65535, float32(math.Inf(1)), sql.Null[string]{V: "", Valid: true}, &at, -time.Hour, [][]string{{"a"}, nil, {"b", "c"}}, []struct{ A *int32 }{{nil}, {ptr(int32(5))}}},
		{},
	}
	var rows []wide
	for i := range 5000 {
		rows = append(rows, in[i%2])
	}
	got := collect[wide](t, FromSlice(rows))
	for i, g := range got {
		if fmt.Sprintf("%+v", deref(g)) != fmt.Sprintf("%+v", deref(rows[i])) {
			t.Fatalf("row %d: %+v, want %+v", i, deref(g), deref(rows[i]))
		}
	}
	m := collect[map[string]any](t, FromSlice(in))
	if m[0]["B"] != true || m[1]["S"] != nil || m[0]["U16"] != uint16(65535) || fmt.Sprint(m[0]["L"]) != "[[a] <nil> [b c]]" {
		t.Errorf("%v", m)
	}
}

func deref(w wide) string {
	s := fmt.Sprintf("%v %v %v %v %v %v %#v", w.B, w.I8, w.U16, w.F32, w.S, w.D, w.L)
	if w.P != nil {
		s += w.P.String()
	}
	for _, d := range w.Deep {
		if d.A != nil {
			s += fmt.Sprint(*d.A)
		}
		s += ","
	}
	return s
}

func TestReadErrors(t *testing.T) {
	t.Parallel()
	f := SQL("SELECT CASE WHEN i = 3000 THEN NULL ELSE i END AS i FROM range(5000) t(i)", nil)
	_, err := Collect[int64](t.Context(), f)
	if !errors.Is(err, ErrNull) || !strings.Contains(err.Error(), `column "i" of row 3000`) {
		t.Errorf("a null: %v", err)
	}
	_, err = Collect[int8](t.Context(), SQL("SELECT i FROM range(5000) t(i)", nil))
	if !errors.Is(err, ErrRange) || !strings.Contains(err.Error(), `row 128: out of range: 128 does not fit in int8`) {
		t.Errorf("a range: %v", err)
	}
	for _, v := range []string{"2.5::DOUBLE", "-1", "18446744073709551616::HUGEINT", "'NaN'::DOUBLE"} {
		if got, err := Collect[uint64](t.Context(), SQL("SELECT "+v+" AS v", nil)); !errors.Is(err, ErrRange) {
			t.Errorf("%s as a uint64: %v, %v", v, got, err)
		}
	}
	_, err = Collect[struct{ J int }](t.Context(), f)
	if err == nil || !strings.Contains(err.Error(), `no column "J"`) {
		t.Errorf("a field: %v", err)
	}
	_, err = Collect[struct{ I string }](t.Context(), f)
	if err == nil || !strings.Contains(err.Error(), "use a int64, or Cast") {
		t.Errorf("a type: %v", err)
	}
	_, err = Collect[int](t.Context(), SQL("SELECT 1 AS a, 2 AS b", nil))
	if err == nil || !strings.Contains(err.Error(), "2 columns") {
		t.Errorf("two columns: %v", err)
	}
}

func TestOddTypes(t *testing.T) {
	t.Parallel()
	f := SQL(`SELECT 12345678901234567890.12::DECIMAL(38,2) AS dec, -1.5::DECIMAL(4,1) AS small, DATE '2024-02-29' AS d, TIME '01:02:03' AS t,
		INTERVAL '1 month 2 days' AS iv, uuid '00112233-4455-6677-8899-aabbccddeeff' AS u, 'b'::ENUM('a', 'b') AS e, MAP {'k': 1} AS m,
		[1, 2]::INTEGER[2] AS arr, '1010'::BIT AS bits, TIMESTAMPTZ '2024-01-01 00:00:00+02' AS tz, 170141183460469231731687303715884105727 AS h, [{'a': 1}] AS ls`, nil)
	type row struct {
		Dec   Decimal
		Small float64
		D     time.Time
		T     time.Duration
		Iv    Interval
		U     [16]byte
		E     string
		M     map[string]int
		Arr   []int32
		Bits  string
		Tz    time.Time
		H     float64
		Ls    []struct{ A int }
	}
	got := collect[row](t, f)[0]
	if s := fmt.Sprintf("%v %v %v %v %v %x %v %v %v %v %v %v %v", got.Dec, got.Small, got.D.Format(time.DateOnly), got.T, got.Iv, got.U, got.E, got.M, got.Arr, got.Bits, got.Tz, got.H, got.Ls); s !=
		"12345678901234567890.12 -1.5 2024-02-29 1h2m3s {1 2 0} 00112233445566778899aabbccddeeff b map[k:1] [1 2] 1010 2023-12-31 22:00:00 +0000 UTC 1.7014118346046923e+38 [{1}]" {
		t.Error(s)
	}
	var b strings.Builder
	if err := f.Show(t.Context(), &b); err != nil {
		t.Error(err)
	}
}

func TestSeqErrorsAndPanics(t *testing.T) {
	t.Parallel()
	boom := errors.New("boom")
	bad := func(yield func(num, error) bool) {
		for i := range 5000 {
			if !yield(num{I: int64(i)}, nil) {
				return
			}
		}
		yield(num{}, boom)
	}
	if _, err := FromSeq2(bad).Count(t.Context()); !errors.Is(err, boom) {
		t.Errorf("an error: %v", err)
	}
	panics := func(yield func(num) bool) { panic(boom) }
	_, err := FromSeq(panics).Count(t.Context())
	if p, ok := errors.AsType[*PanicError](err); !ok || !errors.Is(err, boom) || !strings.Contains(string(p.Stack), "go_test.go") {
		t.Errorf("a panic: %v", err)
	}
	// Leaving the loop ends an endless sequence.
	ended := make(chan bool, 1)
	var endless iter.Seq[int] = func(yield func(int) bool) {
		for i := 0; yield(i); i++ {
		}
		ended <- true
	}
	n := 0
	for v, err := range Rows[int](t.Context(), FromSeq(endless)) {
		if err != nil || v != n {
			t.Fatal(v, err)
		}
		if n++; n == 10_000 {
			break
		}
	}
	if !<-ended {
		t.Error("it goes on")
	}
}

func TestFuncs(t *testing.T) {
	t.Parallel()
	double := Func1("double", func(x float64) float64 { return 2 * x })
	join := Func2("join", func(a string, b int64) string { return fmt.Sprint(a, "/", b) })
	add3 := Func3("add3", func(a, b, c int64) int64 { return a + b + c })
	orZero := Func1("orzero", func(p *int64) int64 {
		if p == nil {
			return 0
		}
		return *p
	})
	gone := Func1("gone", func(x float64) *bool {
		if x > 2 {
			return nil
		}
		return ptr(true)
	})
	year := Func1("year", func(at time.Time) int { return at.Year() })
	f := items().Select(double(Col("x")).As("d"), join(Col("k"), Col("n")).As("j"), add3(Col("n"), 1, Col("n")).As("a"), orZero(Col("n")).As("z"), gone(Col("x")).As("g"), year(Col("t")).As("y"))
	want := "d|j|a|z|g|y\n3.0|a/1|3|1|true|2024\n5.0|∅|∅|0|∅|2024\n7.0|a/3|7|3|∅|2024\n9.0|c/4|9|4|∅|2024"
	if got := cells(t, f); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	many := SQL("SELECT CASE WHEN i % 3 <> 0 THEN i END AS i FROM range(100000) t(i)", nil)
	type sums struct{ A, B int64 }
	got := collect[sums](t, many.GroupBy().Agg(Sum(add3(Col("i"), Col("i"), 1)).As("a"), Sum(Col("i").Mul(2).Add(1)).As("b")))
	if got[0].A != got[0].B || got[0].A == 0 {
		t.Errorf("%v", got)
	}
	fails := Func1("fails", func(x int64) int64 {
		if x == 70_000 {
			panic("at 70000")
		}
		return x
	})
	_, err := Collect[int64](t.Context(), many.FillNull(0).Select(fails(Col("i")).As("i")))
	if p, ok := errors.AsType[*PanicError](err); !ok || p.Value != "at 70000" {
		t.Errorf("a panic: %v", err)
	}
	wrong := Func1("wrong", func(c chan int) int { return 0 })
	if _, err := many.Select(wrong(Col("i"))).Schema(t.Context()); err == nil || !strings.Contains(err.Error(), "the function wrong") {
		t.Errorf("a type: %v", err)
	}
}

func TestMapBatches(t *testing.T) {
	t.Parallel()
	in := FromSlice(nums(20_000)).Select("i", "s")
	type small struct {
		I int64
		S string
	}
	var calls atomic.Int64
	f := MapBatches(in, func(_ context.Context, batch []small) ([]num, error) {
		calls.Add(1)
		var out []num
		for _, b := range batch {
			if b.I%2 == 0 {
				out = append(out, num{I: b.I, F: float64(len(b.S))})
			}
		}
		return out, nil
	})
	got := collect[num](t, f)
	if len(got) != 10_000 || calls.Load() < 5 {
		t.Fatalf("%d rows in %d calls", len(got), calls.Load())
	}
	for i, g := range got {
		if g.I != int64(2*i) {
			t.Fatalf("row %d is %v", i, g)
		}
	}
	if got := collect[int64](t, f.Filter(Col("i").Lt(100)).GroupBy().Agg(Sum("i").As("n"))); got[0] != 2450 {
		t.Errorf("%v", got)
	}
	boom := errors.New("boom")
	_, err := MapBatches(in, func(context.Context, []small) ([]num, error) { return nil, boom }).Count(t.Context())
	if !errors.Is(err, boom) {
		t.Errorf("an error: %v", err)
	}
	_, err = MapBatches(in, func(context.Context, []small) ([]num, error) { panic(boom) }).Count(t.Context())
	if _, ok := errors.AsType[*PanicError](err); !ok || !errors.Is(err, boom) {
		t.Errorf("a panic: %v", err)
	}
	// What does not fit is found before it runs.
	_, err = MapBatches(in.Drop("s"), func(context.Context, []small) ([]num, error) { return nil, nil }).Schema(t.Context())
	if err == nil || !strings.Contains(err.Error(), `no column "S"`) {
		t.Errorf("a field: %v", err)
	}
}

// A query in a worker of Weft uses the slot that the worker lends.
func TestBudget(t *testing.T) {
	e, err := Open(Config{Threads: 2})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	before := budget.Shared.Used()
	slot := budget.NewSlot(t.Context(), true, 0)
	leave, err := e.enter(slot)
	if err != nil {
		t.Fatal(err)
	}
	if got := budget.Shared.Used() - before; got > 1 {
		t.Errorf("%d slots beside the one that is lent", got)
	}
	if budget.Borrow(slot) != nil {
		t.Error("the slot is lent twice")
	}
	leave()
	if budget.Borrow(slot) == nil || budget.Shared.Used() != before {
		t.Error("the slot did not come back")
	}
}
