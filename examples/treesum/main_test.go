package main

import (
	"bytes"
	"strings"
	"testing"
)

func TestRun(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	if err := run(t.Context(), &out, 1000); err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(out.String(), "\n")
	_, one, _ := strings.Cut(lines[0], ": ")
	_, two, _ := strings.Cut(lines[1], ": ")
	_, eight, _ := strings.Cut(lines[2], ": ")
	if one != two || one != eight || !strings.HasPrefix(one, "0x1.") {
		t.Errorf("the sums differ:\n%s", out.String())
	}
	if !strings.HasPrefix(lines[3], "1999 tasks (of 2999 in the graph)") {
		t.Errorf("%s", out.String())
	}
}
