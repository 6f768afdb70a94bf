package array_test

import (
	"fmt"
	"os"
	"testing"

	"github.com/weft-go/weft/internal/budget"
	"go.uber.org/goleak"
)

// TestMain holds that when the tests have ended no goroutine is left and every
// CPU slot is back.
func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m, goleak.Cleanup(func(code int) {
		if used := budget.Shared.Used(); used != 0 {
			fmt.Fprintf(os.Stderr, "%d CPU slots are still taken when all tests have ended\n", used)
			code = max(code, 1)
		}
		os.Exit(code)
	}))
}
