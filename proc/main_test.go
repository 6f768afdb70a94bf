package proc_test

import (
	"fmt"
	"os"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/weft-go/weft/proc"
)

// role is the environment variable that makes the test binary a program of its
// own, which a test starts and kills.
const role = "PROC_TEST_ROLE"

// roles are those programs. They return what to exit with.
var roles = map[string]func() int{}

func TestMain(m *testing.M) {
	if _, worker := os.LookupEnv("WEFT_PROC_WORKER"); worker && os.Getenv(role) == "late" {
		time.Sleep(time.Hour) // never comes to Init
	}
	if os.Getenv(role) != "noinit" {
		proc.Init()
	}
	if name := os.Getenv(role); name != "" {
		f := roles[name]
		if f == nil {
			fmt.Fprintln(os.Stderr, "no such role:", name)
			os.Exit(9)
		}
		os.Exit(f())
	}
	code := m.Run()
	if code == 0 {
		if err := goleak.Find(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			code = 1
		}
	}
	os.Exit(code)
}
