//go:build cgo

package frame

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"
)

// cells is a frame as text: names, then rows, with | between and ∅ for null.
func cells(t *testing.T, f *Frame) string {
	t.Helper()
	tab, err := f.table(t.Context(), 1000)
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	for i, c := range tab.cols {
		if i > 0 {
			b.WriteString("|")
		}
		b.WriteString(c.Name)
	}
	for _, r := range tab.rows {
		b.WriteString("\n")
		for i, v := range r {
			if i > 0 {
				b.WriteString("|")
			}
			if v == nil {
				b.WriteString("∅")
			} else {
				b.WriteString(*v)
			}
		}
	}
	return b.String()
}

type item struct {
	K string
	N *int64
	X float64
	T time.Time
	L []string
}

func ptr[T any](v T) *T { return &v }

var day = time.Date(2024, 2, 28, 0, 0, 0, 0, time.UTC)

func items() *Frame {
	return FromSlice([]item{
		{"a", ptr(int64(1)), 1.5, day, []string{"x", "y"}},
		{"b", nil, 2.5, day.Add(30 * time.Minute), nil},
		{"a", ptr(int64(3)), 3.5, day.Add(time.Hour), []string{}},
		{"c", ptr(int64(4)), 4.5, day.Add(25 * time.Hour), []string{"z"}},
	})
}

func TestVerbs(t *testing.T) {
	t.Parallel()
	kn := items().Select("k", "n")
	other := FromSlice([]struct {
		K string
		V int32
	}{{"a", 10}, {"c", 30}, {"d", 40}})
	ticks := FromSlice([]struct {
		At time.Time `frame:"t"`
		P  int
	}{{day.Add(-time.Hour), 1}, {day.Add(45 * time.Minute), 2}})
	for _, c := range []struct {
		name string
		f    *Frame
		want string
	}{
		{"select", items().Select(Col("N").Add(1).As("m"), "k").Limit(2), "m|K\n2|a\n∅|b"},
		{"select names", items().Select(Col("x").Mul(2), Lit(1)).Limit(1), "x|literal\n3.0|1"},
		{"with", kn.With(Col("n").Add(1).As("N"), Col("n").As("old")).Limit(1), "K|N|old\n2|2|1"[:8] + "a|2|1"},
		{"drop", items().Drop("x", "t", "L"), "K|N\na|1\nb|∅\na|3\nc|4"},
		{"rename", kn.Rename("n", "m").Limit(1), "K|m\na|1"},
		{"cast", kn.Cast(String, "n").Limit(1), "K|N\na|1"},
		{"filter", kn.Filter(Col("n").Gt(1), Col("k").Ne("c")), "K|N\na|3"},
		{"filter null", kn.Filter(Col("n").Ne(1)), "K|N\na|3\nc|4"},
		{"group", items().GroupBy("k").Agg(Sum("n"), Mean("x").As("m"), CountRows(), CountDistinct("n")).Sort("k"), "K|sum_n|m|count|distinct_n\na|4|2.5|2|2\nb|∅|2.5|1|0\nc|4|4.5|1|1"},
		{"group by expression", items().GroupBy(Col("n").IsNull().As("gone")).Agg(Max("x")).Sort("gone"), "gone|max_x\nfalse|4.5\ntrue|2.5"},
		{"all", items().GroupBy().Agg(Sum("n").Where(Col("n").Lt(4)), Median("x"), Quantile("x", 0.25), Std("x").Round(3).As("s"), First("k").SortedBy(Desc("x")), List("k").SortedBy("x"), Corr("x", "n").Round(9)), "sum_n|median_x|quantile_x|s|first_k|list_k|corr_x\n4|3.0|2.25|1.291|c|[a, b, a, c]|1.0"},
		{"inner", kn.Join(other, Inner, "k").Sort("n"), "K|N|V\na|1|10\na|3|10\nc|4|30"},
		{"left", kn.Join(other, Left, "k").Sort("k", "n"), "K|N|V\na|1|10\na|3|10\nb|∅|∅\nc|4|30"},
		{"right", kn.Join(other, Right, "k").Sort("k", "n"), "K|N|V\na|1|10\na|3|10\nc|4|30\nd|∅|40"},
		{"full", kn.Join(other, Full, "k").Sort("k", "n"), "K|N|V\na|1|10\na|3|10\nb|∅|∅\nc|4|30\nd|∅|40"},
		{"semi", kn.Join(other, Semi, "k").Sort("n"), "K|N\na|1\na|3\nc|4"},
		{"anti", kn.Join(other, Anti, "k"), "K|N\nb|∅"},
		{"cross", kn.Limit(1).Join(other, Cross), "K|N|K_right|V\na|1|a|10\na|1|c|30\na|1|d|40"},
		{"pair", kn.Limit(1).Join(other.Rename("k", "key"), Left, Pair{"k", "key"}), "K|N|key|V\na|1|a|10"},
		{"self join", kn.Join(kn, Inner, "k").Sort("k", "n", "n_right").Limit(2), "K|N|N_right\na|1|1\na|1|3"},
		{"as-of", items().Select("k", "t").Join(ticks, AsOf, "t").Sort("t").Select("k", "p"), "K|P\na|1\nb|1\na|2\nc|2"},
		{"sort", kn.Sort(Desc("n").NullsFirst(), "k"), "K|N\nb|∅\nc|4\na|3\na|1"},
		{"sort by expression", kn.Sort(Col("n").Neg()).Limit(1), "K|N\nc|4"},
		{"slice", kn.Slice(1, 2), "K|N\nb|∅\na|3"},
		{"limit of limit", kn.Limit(3).Limit(5), "K|N\na|1\nb|∅\na|3"},
		{"filter after limit", kn.Limit(2).Filter(Col("k").Eq("a")), "K|N\na|1"},
		{"distinct", items().Select("k").Distinct().Sort("k"), "K\na\nb\nc"},
		{"distinct by", kn.Distinct("k").GroupBy().Agg(CountRows()), "count\n3"},
		{"union", kn.Limit(1).Union(other.Limit(1)), "K|N|V\na|1|∅\na|∅|10"},
		{"intersect", kn.Select("k").Intersect(other.Select("k")).Sort("k"), "K\na\nc"},
		{"except", kn.Select("k").Except(other.Select("k")), "K\nb"},
		{"over", items().Select("k", Sum("n").Over("k").As("s"), RowNumber().Over("k").SortedBy(Desc("x")).As("r")).Sort("k", "r"), "K|s|r\na|4|1\na|4|2\nb|∅|1\nc|4|1"},
		{"running", items().Select(Sum("x").Over().SortedBy("t").As("s"), Mean("x").Over().SortedBy("t").Rolling(2).As("m"), Lag("k", 1).Over().SortedBy("t").As("was")).Sort("s"), "s|m|was\n1.5|1.5|∅\n4.0|2.0|a\n7.5|3.0|b\n12.0|4.0|a"},
		{"rolling time", items().Select(CountRows().Over().SortedBy("t").RollingTime(time.Hour).As("n")), "n\n1\n2\n3\n1"},
		{"pivot", items().GroupBy(Col("t").Truncate("day").Cast(Date).As("d")).Pivot("k", Sum("n"), "a", "b", "c").Sort("d"), "d|a|b|c\n2024-02-28|4|∅|∅\n2024-02-29|∅|∅|4"},
		{"unpivot", kn.With(Col("n").Mul(2).As("m")).Unpivot("what", "value", "n", "m").Filter(Col("k").Eq("c")), "K|what|value\nc|N|4\nc|m|8"},
		{"explode", items().Select("k", "l").Explode("l"), "K|L\na|x\na|y\nb|∅\na|∅\nc|z"},
		{"fill", kn.FillNull(0, "n"), "K|N\na|1\nb|0\na|3\nc|4"},
		{"fill all", kn.FillNull(7), "K|N\na|1\nb|7\na|3\nc|4"},
		{"drop null", kn.DropNull(), "K|N\na|1\na|3\nc|4"},
		{"counts", kn.ValueCounts("k"), "K|count\na|2\nb|1\nc|1"},
		{"describe", kn.Describe().Select("column_name", "min", "max", "count"), "column_name|min|max|count\nK|a|c|4\nN|1|4|4"},
		{"quantile", items().Quantile(0.5, "x", "n"), "x|n\n3.0|3.0"},
		{"resample", items().Resample("t", time.Hour).Agg(Sum("x")).Sort("t"), "T|sum_x\n2024-02-28 00:00:00|4.0\n2024-02-28 01:00:00|3.5\n2024-02-29 01:00:00|4.5"},
		{"sample all", kn.Sample(1, 1).GroupBy().Agg(CountRows()), "count\n4"},
		{"sample none", kn.Sample(0, 1).GroupBy().Agg(CountRows()), "count\n0"},
		{"sql", SQL("SELECT k, v FROM x JOIN y USING (k) ORDER BY v DESC -- a comment", map[string]*Frame{"x": kn.Distinct("k"), "y": other}), "K|V\nc|30\na|10"},
		{"sql alone", SQL("SELECT 1 AS a", nil).With(Col("a").Add(1).As("b")), "a|b\n1|2"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			if got := cells(t, c.f); !strings.EqualFold(got, c.want) {
				t.Errorf("got\n%s\nwant\n%s", got, c.want)
			}
			if _, err := c.f.Explain(t.Context()); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestExpressions(t *testing.T) {
	t.Parallel()
	row := FromSlice([]struct {
		A, B int64
		Z    *int64
		F    float64
		S    string
		T    time.Time
		L    []int64
		In   struct{ X string }
	}{{7, 2, nil, -2.5, "Hello, Wörld", time.Date(2024, 2, 29, 13, 14, 15, 16000, time.UTC), []int64{3, 1, 3}, struct{ X string }{"in"}}})
	a, b, z, f, s, tm, l := Col("a"), Col("b"), Col("z"), Col("f"), Col("s"), Col("t"), Col("l")
	for _, c := range []struct {
		e    Expr
		want string
	}{
		{a.Add(b), "9"}, {a.Sub(10), "-3"}, {a.Mul(1.5), "10.5"}, {a.Div(b), "3.5"}, {a.IntDiv(b), "3"}, {a.Mod(b), "1"}, {a.Pow(2), "49.0"}, {a.Neg(), "-7"}, {a.IntDiv(0), "∅"},
		{a.Eq(7), "true"}, {a.Ne(7), "false"}, {a.Lt(b), "false"}, {a.Ge(b), "true"}, {a.Le(7).And(b.Gt(1)), "true"}, {z.Eq(1), "∅"}, {z.EqNull(nil), "true"}, {z.IsNull(), "true"}, {z.IsNotNull(), "false"},
		{z.Eq(1).Or(true), "true"}, {z.Eq(1).And(false), "false"}, {z.Eq(1).Not(), "∅"},
		{a.In(1, 7), "true"}, {a.In(), "false"}, {a.In(1, 2), "false"}, {a.Between(7, 9), "true"}, {z.FillNull(5), "5"}, {a.NullIf(7), "∅"},
		{a.Cast(String), "7"}, {s.TryCast(Int64), "∅"}, {a.Cast("DECIMAL(5, 2)"), "7.00"},
		{When(a.Gt(5), "big").When(a.Gt(1), "small").Else("tiny"), "big"}, {When(a.Lt(0), 1).End(), "∅"},
		{Coalesce("z", "a"), "7"}, {Greatest("a", "b"), "7"}, {Least("a", "b"), "2"}, {Call("levenshtein", s, "Hello"), "8"},
		{f.Abs(), "2.5"}, {f.Round(0), "-3.0"}, {f.Floor(), "-3.0"}, {f.Ceil(), "-2.0"}, {Lit(4).Sqrt(), "2.0"}, {f.Sign(), "-1"}, {Lit(100).Log10(), "2.0"}, {Lit(0.0).Exp(), "1.0"}, {Lit(1).Ln(), "0.0"},
		{f.Div(0.0).IsInf(), "true"}, {f.IsNaN(), "false"},
		{s.Lower(), "hello, wörld"}, {s.Upper(), "HELLO, WÖRLD"}, {s.Len(), "12"}, {s.Substr(8, 2), "Wö"}, {s.Concat("!", 1), "Hello, Wörld!1"}, {Lit(" x ").Trim(), "x"}, {s.Replace("l", "L"), "HeLLo, WörLd"},
		{s.Split(", "), "[Hello, Wörld]"}, {s.Contains("lo"), "true"}, {s.StartsWith("He"), "true"}, {s.EndsWith("x"), "false"}, {s.Like("H%d"), "true"},
		{s.Match("[ö]"), "true"}, {s.Extract(`(\w+), (.)`, 2), "W"}, {s.ExtractAll("l+"), "[ll, l]"}, {s.ReplaceMatch("(l+)", `<\1>`), "He<ll>o, Wör<l>d"},
		{tm.Year(), "2024"}, {tm.Month(), "2"}, {tm.Day(), "29"}, {tm.Hour(), "13"}, {tm.Minute(), "14"}, {tm.Second(), "15"}, {tm.Weekday(), "4"}, {tm.YearDay(), "60"},
		{tm.Truncate("month").Cast(Date), "2024-02-01"}, {tm.Add(24 * time.Hour).Day(), "1"}, {tm.FormatTime("%d/%m/%y"), "29/02/24"}, {Lit("05.03.2024").ParseTime("%d.%m.%Y").Month(), "3"},
		{tm.Ge(time.Date(2024, 2, 29, 0, 0, 0, 0, time.UTC)), "true"}, {tm.Sub(day), "1 day 13:14:15.000016"},
		{Col("in").Field("X"), "in"}, {l.Index(0), "3"}, {l.Index(-2), "1"}, {l.Index(9), "∅"}, {l.ListSum(), "7"}, {l.ListMean(), "2.3333333333333335"}, {l.ListMin(), "1"}, {l.ListMax(), "3"}, {l.ListSort(), "[1, 3, 3]"}, {l.ListUnique().Len(), "2"}, {l.Contains(1), "true"}, {l.Join("-"), "3-1-3"},
		{ListOf("a", "b"), "[7, 2]"}, {StructOf("a", b.Add(1).As("c")), "{'A': 7, 'c': 3}"},
		{Lit([]byte{0, 255}), `\x00\xFF`}, {Lit("it's\x00\"q\"").Len(), "8"}, {Lit([]string{"a", "b"}), "[a, b]"}, {Lit(Decimal{nil, 2}), "∅"},
	} {
		t.Run(c.e.String(), func(t *testing.T) {
			t.Parallel()
			got := cells(t, row.Select(c.e.As("v")))
			if got, ok := strings.CutPrefix(got, "v\n"); !ok || !strings.EqualFold(got, c.want) {
				t.Errorf("%s is %s, want %s", c.e, got, c.want)
			}
		})
	}
}

// Each mistake is told by Schema, at its call, with what to do.
func TestMistakes(t *testing.T) {
	t.Parallel()
	f := items()
	for _, c := range []struct {
		f    *Frame
		call string
		want string
	}{
		{f.Select("kk"), "Select", `no column "kk"`},
		{f.Select(), "Select", "it needs a column"},
		{f.Select("k", "k"), "Select", "give one another name with As"},
		{f.Select(Expr{}), "Select", "start with frame.Col"},
		{f.Select(3), "Select", "frame.Lit"},
		{f.Select(Desc("k")), "Select", "does not sort"},
		{f.Select(Col("k").As("")), "Select", "must not be empty"},
		{f.Filter(Col("k").Eq(struct{}{})), "Filter", "struct {} can't be a value"},
		{f.Filter(Col("k").Eq("\xff")), "Filter", "not valid UTF-8"},
		{f.Filter(Col("x").Lower().Eq("a")), "Filter", "lower"},
		{f.Drop("nope"), "Drop", `no column "nope"`},
		{f.Select("k").Drop("k"), "Drop", "no column is left"},
		{f.Rename("a", "b"), "Rename", `no column "a"`},
		{f.Cast("INT; DROP", "k"), "Cast", "is no type"},
		{f.Cast("NOPE", "k"), "Cast", "NOPE"},
		{f.GroupBy("k").Agg(Col("x")), "Agg", "is no aggregate"},
		{f.GroupBy("k").Agg(Quantile("x", 2)), "Agg", "not between 0 and 1"},
		{f.GroupBy("k").Pivot("x", Sum("n")), "Pivot", "it needs a value"},
		{f.GroupBy("k").Agg(Col("x").Where(Col("n").Gt(1))), "Agg", "Where is for an aggregate"},
		{f.Select(Sum("x").Rolling(2)), "Select", "comes after Over"},
		{f.Join(f, Inner), "Join", "needs a key"},
		{f.Join(f, Cross, "k"), "Join", "has no keys"},
		{f.Join(f.Select("x"), Inner, "k"), "Join", "in the right frame: no column"},
		{f.Join(f, Inner, 3), "Join", "is no key"},
		{f.Sort(), "Sort", "it needs a column"},
		{f.Sort(Lit("a")), "Sort", "give a column"},
		{f.Limit(-1), "Limit", "must not be negative"},
		{f.Except(f.Select("k")), "Except", "other columns"},
		{f.FillNull(Col("x")), "FillNull", "it needs the names"},
		{f.Sample(2, 1), "Sample", "not between 0 and 1"},
		{f.Resample("t", 0).Agg(Sum("x")), "Agg", "not more than 0"},
		{f.Explode("x"), "Explode", ""},
		{ReadCSV("/nope/*.csv"), "ReadCSV", "/nope/*.csv"},
		{ReadCSV("x", CSV{}, CSV{}), "ReadCSV", "it takes one"},
		{ReadCSV("x", CSV{Skip: -1}), "ReadCSV", "must not be negative"},
		{ReadJSON("x", JSON{Format: "xml"}), "ReadJSON", "lines"},
		{FromSlice([]chan int{}), "FromSlice", "can't be a column"},
		{SQL("SELECT nope FROM x", map[string]*Frame{"x": f}), "SQL", "nope"},
		{SQL("SELECT 1); DROP TABLE x; SELECT (1", nil), "SQL", ""},
	} {
		_, err := c.f.Schema(t.Context())
		e, ok := errors.AsType[*Error](err)
		if !ok || e.Call != c.call || !strings.Contains(e.At, "verbs_test.go:") || !strings.Contains(e.Error(), c.want) {
			t.Errorf("%s, %s: %v (%#v)", c.call, c.want, err, e)
			continue
		}
		if testing.Verbose() {
			fmt.Println(err)
		}
	}
}
