package main

import (
	"os"

	"github.com/weft-go/weft/cmd/weft/internal/cli"
	workers "github.com/weft-go/weft/proc"
)

func main() { os.Exit(run()) }

// run gives the program what it has from the system.
func run() int {
	workers.Init() // a worker of the tour stays here
	return cli.Main(cli.Env{
		In:      os.Stdin,
		Out:     os.Stdout,
		Err:     os.Stderr,
		Args:    os.Args[1:],
		Environ: os.Environ(),
		Signals: signals(),
	})
}
