package main

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"
)

func TestLines(t *testing.T) {
	t.Parallel()
	var in strings.Builder
	for l := range madeUp(2000) {
		in.Write(l.text)
		in.WriteByte('\n')
	}
	var out, messages bytes.Buffer
	if err := run(t.Context(), &out, &messages, linesOf(strings.NewReader(in.String())), 999); err != nil {
		t.Fatal(err)
	}
	// i*7919 mod 1000 is 999 for i = 321 and every thousand after.
	if want := "   999 ms  200  /item/321\n   999 ms  200  /item/1321\n"; out.String() != want {
		t.Errorf("printed\n%swant\n%s", out.String(), want)
	}
	if !strings.Contains(messages.String(), "2000 lines, 2 of them no JSON") {
		t.Error(messages.String())
	}
}

func TestReadError(t *testing.T) {
	t.Parallel()
	broken := errors.New("disk on fire")
	in := io.MultiReader(strings.NewReader("{}\n"), iotest.ErrReader(broken))
	if err := run(t.Context(), io.Discard, io.Discard, linesOf(in), 1); !errors.Is(err, broken) {
		t.Errorf("%v", err)
	}
}
