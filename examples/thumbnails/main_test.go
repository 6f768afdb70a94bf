package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestThumbnails(t *testing.T) {
	t.Parallel()
	in, out := t.TempDir(), t.TempDir()
	if err := draw(t.Context(), in, 3, 90, 60); err != nil {
		t.Fatal(err)
	}
	bad := filepath.Join(in, "bad.png")
	if err := os.WriteFile(bad, []byte("no picture"), 0o600); err != nil {
		t.Fatal(err)
	}
	var w bytes.Buffer
	err := run(t.Context(), &w, in, out, 30)
	if err == nil || !strings.Contains(err.Error(), "bad.png") {
		t.Errorf("the broken picture is not named: %v", err)
	}
	for _, name := range []string{"00.jpg", "01.jpg", "02.jpg"} {
		img, err := read(filepath.Join(out, name))
		if err != nil {
			t.Error(err)
			continue
		}
		if got := img.Bounds().Size(); got.X != 30 || got.Y != 20 {
			t.Errorf("%s is %v", name, got)
		}
	}
	if !strings.Contains(w.String(), "3 done, 1 failed") {
		t.Error(w.String())
	}
}
