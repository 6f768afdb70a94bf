//go:build linux

package main

import (
	"bytes"
	"os"
	"testing"

	"github.com/weft-go/weft/proc"
)

func TestMain(m *testing.M) {
	proc.Init()
	os.Exit(m.Run())
}

func TestRun(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	if err := run(t.Context(), &out); err != nil {
		t.Fatal(err)
	}
	want := "a.jpg: 5\nbb.jpg: 6\nccc.jpg: 7\ndddd.jpg: 8\nbroken.jpg: exit code 139, said [\"corrupt Huffman table\"]\nendless.jpg: killed\n"
	if out.String() != want {
		t.Errorf("%s", out.String())
	}
}
