package weft_test

import (
	"testing"

	"github.com/weft-go/weft"
	"github.com/weft-go/weft/executortest"
)

func TestGoroutinesConform(t *testing.T) {
	executortest.Run(t, func(*testing.T) weft.Executor { return weft.Goroutines(2) })
}
