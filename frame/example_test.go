//go:build cgo

package frame_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/weft-go/weft/frame"
)

type sale struct {
	City   string
	Amount float64
}

var sales = frame.FromSlice([]sale{{"Bonn", 10}, {"Kiel", 30}, {"Bonn", 5}, {"Ulm", 2}})

func show(f *frame.Frame) {
	if err := f.Show(context.Background(), os.Stdout); err != nil {
		fmt.Println(err)
	}
}

func Example() {
	show(sales.
		Filter(frame.Col("amount").Gt(2)).
		GroupBy("city").Agg(frame.Sum("amount").As("total"), frame.CountRows()).
		Sort(frame.Desc("total")))
	// Output:
	// City      total   count
	// VARCHAR  DOUBLE  BIGINT
	// -----------------------
	// Kiel       30.0       1
	// Bonn       15.0       2
	// 3 columns, 2 rows
}

func ExampleRows() {
	for s, err := range frame.Rows[sale](context.Background(), sales.Sort("city", "amount")) {
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Println(s.City, s.Amount)
	}
	// Output:
	// Bonn 5
	// Bonn 10
	// Kiel 30
	// Ulm 2
}

func ExampleReadCSV() {
	dir, err := os.MkdirTemp("", "weft-example-")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)
	if err := os.WriteFile(filepath.Join(dir, "a.csv"), []byte("host;ms\na;1,5\nb;n/a\n"), 0o600); err != nil {
		fmt.Println(err)
		return
	}
	show(frame.ReadCSV(filepath.Join(dir, "*.csv"), frame.CSV{Delimiter: ";", Decimal: ",", Nulls: []string{"n/a"}}))
	// Output:
	// host         ms
	// VARCHAR  DOUBLE
	// ---------------
	// a           1.5
	// b             -
	// 2 columns, 2 rows
}

func ExampleFunc1() {
	shout := frame.Func1("shout", func(s string) string { return strings.ToUpper(s) + "!" })
	show(sales.Select(shout(frame.Col("city")).As("city")).Limit(1))
	// Output:
	// city
	// VARCHAR
	// -------
	// BONN!
	// 1 column, 1 row
}

func ExampleMapBatches() {
	type length struct {
		City   string
		Length int
	}
	lengths := frame.MapBatches(sales, func(_ context.Context, batch []sale) ([]length, error) {
		var out []length
		for _, s := range batch {
			out = append(out, length{s.City, len(s.City)})
		}
		return out, nil
	})
	n, err := frame.Collect[int](context.Background(), lengths.GroupBy().Agg(frame.Sum("length")))
	fmt.Println(n, err)
	// Output: [15] <nil>
}

func ExampleSQL() {
	show(frame.SQL("SELECT city, count(*) AS n FROM sales GROUP BY city HAVING n > 1", map[string]*frame.Frame{"sales": sales}))
	// Output:
	// City          n
	// VARCHAR  BIGINT
	// ---------------
	// Bonn          2
	// 2 columns, 1 row
}

func ExampleFrame_Join() {
	states := frame.FromSlice([]struct{ City, State string }{{"Bonn", "NW"}, {"Kiel", "SH"}})
	show(sales.Join(states, frame.Anti, "city"))
	// Output:
	// City     Amount
	// VARCHAR  DOUBLE
	// ---------------
	// Ulm         2.0
	// 2 columns, 1 row
}

func ExampleExpr_Over() {
	show(sales.Select("city", "amount",
		frame.Col("amount").Div(frame.Sum("amount").Over("city")).Round(2).As("share")).Sort("city", "amount"))
	// Output:
	// City     Amount   share
	// VARCHAR  DOUBLE  DOUBLE
	// -----------------------
	// Bonn        5.0    0.33
	// Bonn       10.0    0.67
	// Kiel       30.0     1.0
	// Ulm         2.0     1.0
	// 3 columns, 4 rows
}

func ExampleFrame_Resample() {
	day := time.Date(2024, 5, 1, 0, 0, 0, 0, time.UTC)
	type tick struct {
		At time.Time
		V  int
	}
	ticks := frame.FromSlice([]tick{{day, 1}, {day.Add(20 * time.Minute), 3}, {day.Add(90 * time.Minute), 5}})
	show(ticks.Resample("at", time.Hour).Agg(frame.Mean("v")).Sort("at"))
	// Output:
	// at                   mean_v
	// TIMESTAMP            DOUBLE
	// ---------------------------
	// 2024-05-01 00:00:00     2.0
	// 2024-05-01 01:00:00     5.0
	// 2 columns, 2 rows
}

func ExampleFrame_Schema() {
	_, err := sales.Filter(frame.Col("amuont").Gt(1)).Schema(context.Background())
	_, what, _ := strings.Cut(err.Error(), ": no ")
	fmt.Println("no", what)
	// Output: no column "amuont"; did you mean "Amount"? There are "City", "Amount"
}
