// Processes runs a function that sometimes crashes in child processes: the
// items that end their worker are named, all others have their results.
//
//	go run ./examples/processes
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/weft-go/weft"
	"github.com/weft-go/weft/proc"
)

// Registered functions can be called in another process.
var _ = weft.Register(decode)

// decode stands for a decoder in C that some files crash.
func decode(_ context.Context, file string) (int, error) {
	switch file {
	case "broken.jpg":
		fmt.Fprintln(os.Stderr, "corrupt Huffman table")
		os.Exit(139) // as a shell reports a segmentation fault
	case "endless.jpg":
		select {} // never returns, whatever its context says
	}
	return len(file), nil
}

func main() {
	proc.Init() // a worker process stays here
	if err := run(context.Background(), os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(ctx context.Context, out io.Writer) error {
	pool, err := proc.Start(ctx, proc.Config{
		Workers:     2,
		MemoryLimit: 512 << 20,
		TaskTimeout: 500 * time.Millisecond,
	})
	if err != nil {
		return err
	}
	defer pool.Close() //nolint:errcheck // always nil

	files := []string{"a.jpg", "bb.jpg", "broken.jpg", "ccc.jpg", "endless.jpg", "dddd.jpg"}
	sizes, err := weft.Map(ctx, files, decode, weft.On(pool), weft.KeepGoing(), weft.Require(weft.Isolation))
	for i, n := range sizes {
		if n > 0 {
			fmt.Fprintf(out, "%s: %d\n", files[i], n)
		}
	}
	all, ok := err.(interface{ Unwrap() []error })
	if !ok {
		return err
	}
	for _, one := range all.Unwrap() {
		item, _ := errors.AsType[*weft.ItemError](one)
		death, ok := errors.AsType[*proc.DeathError](one)
		if !ok {
			return err
		}
		switch {
		case death.Killed != "":
			fmt.Fprintf(out, "%s: killed\n", files[item.Index])
		default:
			fmt.Fprintf(out, "%s: exit code %d, said %q\n", files[item.Index], death.ExitCode, death.Stderr)
		}
	}
	return nil
}
