//go:build cgo

package frame

import (
	"context"
	"errors"
	"math"
	"strings"
	"testing"
	"unicode/utf8"

	bindings "github.com/duckdb/duckdb-go-bindings"
	"github.com/duckdb/duckdb-go/v2/mapping"
)

// statements is how many statements the engine sees in a text, -1 if it can't
// be parsed.
func statements(t *testing.T, conn mapping.Connection, sql string) int {
	t.Helper()
	var all mapping.ExtractedStatements
	defer bindings.DestroyExtracted(&all)
	n := int(bindings.ExtractStatements(conn, sql, &all))
	if n == 0 {
		return -1
	}
	return n
}

func connection(t testing.TB) mapping.Connection {
	t.Helper()
	e, err := shared()
	if err != nil {
		t.Fatal(err)
	}
	var conn mapping.Connection
	if mapping.Connect(e.db, &conn) == mapping.StateError {
		t.Fatal("no connection")
	}
	t.Cleanup(func() { mapping.Disconnect(&conn) })
	return conn
}

// Whatever the text, as a literal it is one value, and comes back as it is.
func FuzzLiteral(f *testing.F) {
	for _, s := range []string{"", "'", "''); DROP TABLE x; --", "a\x00b", "\xff", "$$", `\'`, "ü\n/*", "E'\\''"} {
		f.Add(s, []byte(s), int64(-1), math.NaN())
	}
	f.Fuzz(func(t *testing.T, s string, b []byte, i int64, x float64) {
		type row struct {
			S string
			B []byte
			I int64
			X float64
		}
		fr := FromSlice([]int{1}).Select(Lit(s).As("s"), Lit(append([]byte{}, b...)).As("b"), Lit(i).As("i"), Lit(x).As("x"))
		got, err := Collect[row](context.Background(), fr)
		if !utf8.ValidString(s) {
			if err == nil {
				t.Fatalf("%q is taken", s)
			}
			return
		}
		if err != nil {
			t.Fatal(err)
		}
		g := got[0]
		if g.S != s || string(g.B) != string(b) || g.I != i || !(g.X == x || math.IsNaN(g.X) && math.IsNaN(x)) {
			t.Fatalf("%q %q %d %v came back as %q %q %d %v", s, b, i, x, g.S, g.B, g.I, g.X)
		}
	})
}

// Whatever the names, they stay names: one statement that the engine can
// parse, or an error of ours.
func FuzzNames(f *testing.F) {
	for _, s := range []string{"a", `"`, `a"b`, `x"; DROP TABLE y; --`, "", "a.b", "*", "\x00", "SELECT", "t"} {
		f.Add(s, s, s)
	}
	f.Fuzz(func(t *testing.T, name, alias, typ string) {
		conn := connection(t)
		one := func(sql string) {
			t.Helper()
			if n := statements(t, conn, "SELECT "+sql+" FROM x"); n != 1 {
				t.Fatalf("%d statements in %s", n, sql)
			}
		}
		s := scope{prefix: "t."}
		for _, e := range []Expr{Col(name), Col(name).As(alias), Sum(name).Over(alias).SortedBy(name).As(alias), Col(name).Field(alias), StructOf(Col(name).As(alias)), When(Col(name).IsNull(), alias).End(), Col(name).In(alias, 1), Call(name, alias)} {
			if sql, err := exprSQL(e, s); err == nil {
				one(sql)
			}
		}
		// A type may be one that there is not, but nothing else.
		if sql, err := checkType(Type(typ)); err == nil && strings.ContainsAny(sql, `'";-/*$`) {
			t.Fatalf("the type %q", sql)
		}
		if sql, err := exprSQL(Col("a").Cast(Type(typ)), s); err == nil && statements(t, conn, "SELECT "+sql) > 1 {
			t.Fatalf("the type %q makes more than one statement", typ)
		}
		// A frame that has such a column takes every step.
		if utf8.ValidString(name) && name != "" && !strings.ContainsRune(name, 0) {
			f := FromSlice([]int64{1, 2}).Select(Col("value").As(name)).
				Filter(Col(name).Gt(1)).With(Col(name).Add(1).As(name)).
				GroupBy(name).Agg(Max(name).As("m")).Sort(name).Rename(name, "n").Select("n", "m")
			if strings.EqualFold(name, "m") || strings.EqualFold(name, "n") {
				return
			}
			got, err := Collect[struct{ N, M int64 }](context.Background(), f)
			if err != nil || len(got) != 1 || got[0].N != 3 {
				t.Fatalf("a column %q: %v, %v", name, got, err)
			}
		}
	})
}

// Whatever is said of a CSV, it is one call of the reader, or an error of ours.
func FuzzCSV(f *testing.F) {
	f.Add("x.csv", ",", `"`, "#", "NA", "%Y", "col", "BIGINT", 1)
	f.Add("'); DROP TABLE x; --", "'", "''", "\\", "\x00", "%", `"`, "INT)", -1)
	f.Fuzz(func(t *testing.T, path, delim, quote, comment, null, date, name, typ string, n int) {
		conn := connection(t)
		fr := ReadCSV(path, CSV{
			Delimiter: delim, Quote: quote, Escape: quote, Comment: comment, Nulls: []string{null, date}, DateFormat: date, TimestampFormat: date,
			Columns: []Column{{name, Type(typ)}}, Types: map[string]Type{name: Type(typ)}, Skip: n, Sample: n, MaxLine: n,
			Decimal: delim, Encoding: name, Compression: typ, PathColumn: name, Bad: BadLines(n),
		})
		if fr.n.err != nil {
			return
		}
		sql, err := fr.n.step.(readStep).sql()
		if err != nil {
			return
		}
		if got := statements(t, conn, "SELECT * FROM "+sql+" AS t"); got != 1 {
			t.Fatalf("%d statements in %s", got, sql)
		}
	})
}

func TestNames(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]string{"a": `"a"`, `a"b`: `"a""b"`, "": "", "a\x00": "", "\xff": ""} {
		if got, err := quoteName(name); got != want && err == nil || (err != nil) != (want == "") {
			t.Errorf("%q is %s, %v", name, got, err)
		}
	}
	if _, err := FromSlice([]int{1}).Select(Col("value").Eq(Lit(make(chan int)))).Schema(t.Context()); err == nil {
		t.Error("a channel is a value")
	}
	_, err := FromSlice([]int{1}).Filter(Col("value").Gt(Col("vlaue"))).Schema(t.Context())
	if e, ok := errors.AsType[*Error](err); !ok || e.Column != "vlaue" {
		t.Error(err)
	}
}
