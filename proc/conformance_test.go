//go:build linux

package proc_test

import (
	"io"
	"testing"

	"github.com/weft-go/weft"
	"github.com/weft-go/weft/executortest"
	"github.com/weft-go/weft/proc"
)

func TestConformance(t *testing.T) {
	t.Parallel()
	executortest.Run(t, func(t *testing.T) weft.Executor {
		return start(t, proc.Config{Workers: 2, Stderr: io.Discard})
	})
}
