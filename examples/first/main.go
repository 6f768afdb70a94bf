// First is the five-minute path of README.md: a plan for a function of one's
// own.
package main

import (
	"context"
	"fmt"
	"log"

	"github.com/weft-go/weft"
)

// collatz counts the steps that 3n+1 takes from n to 1. Put your function
// here.
func collatz(_ context.Context, n int) (int, error) {
	steps := 0
	for n > 1 {
		if n%2 == 0 {
			n /= 2
		} else {
			n = 3*n + 1
		}
		steps++
	}
	return steps, nil
}

func main() {
	numbers := make([]int, 1_000_000)
	for i := range numbers {
		numbers[i] = i + 1
	}
	ctx := context.Background()

	plan, err := weft.Explain(ctx, numbers, collatz)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Print(plan)

	steps, err := weft.Map(ctx, numbers, collatz)
	if err != nil {
		log.Fatal(err)
	}
	most := 0
	for i, s := range steps {
		if s > steps[most] {
			most = i
		}
	}
	fmt.Printf("%d takes %d steps, the most of all\n", numbers[most], steps[most])
}
