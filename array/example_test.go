package array_test

import (
	"context"
	"fmt"
	"log"

	"github.com/weft-go/weft/array"
)

func Example() {
	ctx := context.Background()
	x := array.Arange(0.0, 12, 1).Reshape(3, 4)
	z := x.Sub(x.Mean(array.Axis(0))).Div(x.Std(array.Axis(0)))
	data, err := z.At("0").Compute(ctx)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%.3f\n", data)

	_, err = x.Add(array.Zeros[float64](5)).Compute(ctx)
	fmt.Println(err != nil)
	// Output:
	// [-1.225 -1.225 -1.225 -1.225]
	// true
}

func ExampleWhere() {
	x := array.FromSlice([]float64{3, -1, 4, -1, 5})
	data, err := array.Where(x.LtS(0), array.Scalar(0.0), array.Sqrt(x)).Compute(context.Background())
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%.2f\n", data)
	// Output: [1.73 0.00 2.00 0.00 2.24]
}
