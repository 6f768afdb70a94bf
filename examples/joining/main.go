//go:build cgo

// Joining puts two sources together: orders in a CSV file and customers in Go
// values, with a Go function for what SQL can't, and writes the result as
// Parquet, a directory for each country.
//
//	go run ./examples/joining
package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"

	"github.com/weft-go/weft/frame"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	dir, err := os.MkdirTemp("", "weft-joining-")
	if err == nil {
		defer os.RemoveAll(dir)
		err = run(ctx, os.Stdout, dir)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "joining:", err)
		os.Exit(1)
	}
}

// customer is a row of the second source.
type customer struct {
	ID      int    `frame:"id"`
	Name    string `frame:"name"`
	Country string `frame:"country"`
}

const orders = `order,customer,net
1,10,99.90
2,11,5.00
3,10,20.10
4,12,7.00
5,99,1.00
`

// withTax is a function of ours that expressions can call.
var withTax = frame.Func2("withTax", func(country string, net float64) float64 {
	if country == "DE" {
		return net * 1.19
	}
	return net
})

func run(ctx context.Context, out io.Writer, dir string) error {
	csv := filepath.Join(dir, "orders.csv")
	if err := os.WriteFile(csv, []byte(orders), 0o600); err != nil {
		return err
	}
	customers := frame.FromSlice([]customer{{10, "Ada", "DE"}, {11, "Bo", "SE"}, {12, "Cy", "DE"}})
	sold := frame.ReadCSV(csv).
		Join(customers, frame.Inner, frame.Pair{Left: "customer", Right: "id"}).
		With(withTax(frame.Col("country"), frame.Col("net")).Round(2).As("gross"))

	path := filepath.Join(dir, "sold")
	if err := sold.WriteParquet(ctx, path, frame.ParquetOut{PartitionBy: []string{"country"}}); err != nil {
		return err
	}
	// What is read again: only the directory country=DE.
	german := frame.ReadParquet(path + "/*/*.parquet").Filter(frame.Col("country").Eq("DE"))
	return german.GroupBy("name").Agg(frame.Sum("gross").As("gross")).Sort("name").Show(ctx, out)
}
