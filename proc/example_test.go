//go:build linux

package proc_test

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/weft-go/weft"
	"github.com/weft-go/weft/proc"
)

// square is registered at package level: var _ = weft.Register(square). The
// program's main begins with proc.Init().
func ExampleStart() {
	ctx := context.Background()
	pool, err := proc.Start(ctx, proc.Config{Workers: 2})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer pool.Close()
	squares, err := weft.Map(ctx, []int{1, 2, 3}, square, weft.On(pool))
	fmt.Println(squares, err)
	// Output: [1 4 9] <nil>
}

// An item that ends its process is named; the others have their results.
func ExampleDeathError() {
	ctx := context.Background()
	pool, err := proc.Start(ctx, proc.Config{Workers: 2, Stderr: io.Discard})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer pool.Close()
	items := []do{{N: 10}, {What: "exit", N: 3}, {N: 30}}
	got, err := weft.Map(ctx, items, act, weft.On(pool), weft.KeepGoing())
	if death, ok := errors.AsType[*proc.DeathError](err); ok {
		fmt.Println(got, "item", death.Index, "exited with", death.ExitCode)
	}
	// Output: [10 0 30] item 1 exited with 3
}
