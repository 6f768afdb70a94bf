// A program that becomes another build of itself before it is a worker, as one
// would whose file had changed under it. OTHER is that build.
package main

import (
	"context"
	"fmt"
	"os"
	"syscall"

	"github.com/weft-go/weft/proc"
)

// version is set by the linker: builds differ in nothing else.
var version string

func main() {
	if other := os.Getenv("OTHER"); other != "" && os.Getenv("WEFT_PROC_WORKER") != "" {
		os.Unsetenv("OTHER")
		fmt.Println(syscall.Exec(other, os.Args, os.Environ()))
		os.Exit(9)
	}
	proc.Init()
	p, err := proc.Start(context.Background(), proc.Config{Workers: 2})
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	_ = p.Close()
	fmt.Println("started", version)
}
