package graph_test

import (
	"fmt"
	"os"
	"testing"

	"github.com/weft-go/weft/internal/budget"
	"github.com/weft-go/weft/proc"
	"go.uber.org/goleak"
)

// TestMain holds that when the tests have ended no goroutine is left and every
// CPU slot is back.
func TestMain(m *testing.M) {
	proc.Init()
	if dir := os.Getenv("WEFT_JOURNAL_CHILD"); dir != "" {
		if err := journalChild(dir, os.Getenv("WEFT_JOURNAL_KILL") != ""); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	goleak.VerifyTestMain(m, goleak.Cleanup(func(code int) {
		if used := budget.Shared.Used(); used != 0 {
			fmt.Fprintf(os.Stderr, "%d CPU slots are still taken when all tests have ended\n", used)
			code = max(code, 1)
		}
		os.Exit(code)
	}))
}
