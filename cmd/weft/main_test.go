package main

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"strconv"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/weft-go/weft/memo"
)

func TestMain(m *testing.M) {
	if os.Getenv("GORACE") == "" {
		// Else each weft under the race detector waits a second at its end.
		_ = os.Setenv("GORACE", "atexit_sleep_ms=0")
	}
	testscript.Main(m, map[string]func(){
		"weft":  func() { os.Exit(run()) },
		"cache": func() { os.Exit(fillCache(os.Args[1:])) },
	})
}

// twice is what "cache DIR VERSION N..." keeps results of.
func twice(_ context.Context, n int) (int, error) { return 2 * n, nil }

// fillCache makes a cache with the results of some calls.
func fillCache(args []string) int {
	c, err := memo.Open(args[0], memo.Config{})
	if err != nil {
		panic(err)
	}
	f := memo.Wrap(c, twice, memo.Version(args[1]))
	for _, a := range args[2:] {
		n, err := strconv.Atoi(a)
		if err == nil {
			_, err = f(context.Background(), n)
		}
		if err != nil {
			panic(err)
		}
	}
	if err := c.Close(); err != nil {
		panic(err)
	}
	return 0
}

// TestMap runs the scripts in testdata/map: for each flag what it does and how
// it fails. In them "code N weft ..." is exec with the exit code that must
// come.
func TestMap(t *testing.T) {
	t.Parallel()
	scripts(t, "testdata/map")
}

// TestCache runs the scripts in testdata/cache in the same way; in them
// "cache DIR VERSION N..." makes a cache.
func TestCache(t *testing.T) {
	t.Parallel()
	scripts(t, "testdata/cache")
}

// TestQuery runs the scripts in testdata/query in the same way. Without cgo
// there are no queries.
func TestQuery(t *testing.T) {
	t.Parallel()
	scripts(t, "testdata/query")
}

func scripts(t *testing.T, dir string) {
	testscript.Run(t, testscript.Params{
		Dir:                 dir,
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		Setup: func(env *testscript.Env) error {
			env.Setenv("GORACE", os.Getenv("GORACE"))
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){"code": code},
	})
}

func code(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: code N command...")
	}
	err := ts.Exec(args[1], args[2:]...)
	got := 0
	if ee, ok := errors.AsType[*exec.ExitError](err); ok {
		got = ee.ExitCode()
	} else {
		ts.Check(err)
	}
	if strconv.Itoa(got) != args[0] {
		ts.Fatalf("exit code %d, want %s", got, args[0])
	}
}
