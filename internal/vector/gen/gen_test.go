package main

import (
	"os"
	"testing"
)

// What is checked in is what the generator writes.
func TestUpToDate(t *testing.T) {
	t.Parallel()
	asm, decl := generate()
	for name, want := range map[string]string{"../kernels_amd64.s": asm, "../kernels_amd64.go": decl} {
		if got, err := os.ReadFile(name); err != nil || string(got) != want {
			t.Errorf("%s is not what the generator writes (%v): go generate ./internal/vector", name, err)
		}
	}
}
