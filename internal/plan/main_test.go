package plan

import (
	"testing"

	"go.uber.org/goleak"
)

// TestMain holds what the package promises: it starts no goroutine.
func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }
