package main

import (
	"testing"

	"github.com/weft-go/weft"
)

func TestCollatz(t *testing.T) {
	t.Parallel()
	steps, err := weft.Map(t.Context(), []int{1, 2, 27}, collatz)
	if err != nil || steps[0] != 0 || steps[1] != 1 || steps[2] != 111 {
		t.Error(steps, err)
	}
}
