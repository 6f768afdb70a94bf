package main

import (
	"fmt"
	"os"
	"runtime"
	"strings"
	"testing"
)

// The processes are this binary run again, which in a test is the test's.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == "-worker" {
		main()
		return
	}
	os.Exit(m.Run())
}

func TestShared(t *testing.T) {
	t.Parallel()
	if runtime.GOOS != "linux" {
		t.Skip("the mutex is on Linux only")
	}
	var out strings.Builder
	if err := run(&out, 3); err != nil {
		t.Fatal(err)
	}
	want := 0.0
	for i := range rows * columns {
		want += float64(i % 1000)
	}
	for _, s := range []string{"process 0: signal: killed\n", "1 rows done again\n", fmt.Sprintf("sum %.0f\n", want)} {
		if !strings.Contains(out.String(), s) {
			t.Errorf("no %q in\n%s", s, out.String())
		}
	}
}
