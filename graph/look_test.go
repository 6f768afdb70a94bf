package graph

import (
	"bytes"
	"io"
	"os"
	"path/filepath"
	"testing"
)

// TestLook writes all pictures into the directory WEFT_LOOK, to be looked at.
func TestLook(t *testing.T) {
	t.Parallel()
	dir := os.Getenv("WEFT_LOOK")
	if dir == "" {
		t.Skip("set WEFT_LOOK to a directory to have pictures written there")
	}
	write := func(name string, f func(io.Writer) error) {
		var b bytes.Buffer
		if err := f(&b); err != nil {
			t.Error(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), b.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for name, r := range fakes() {
		write(name+".html", func(w io.Writer) error { return writeHTML(w, r) })
		write(name+".json", func(w io.Writer) error { return writeTrace(w, r) })
		for by := ByOrder; by <= ByTime; by++ {
			write(name+"-"+by.String()+".svg", func(w io.Writer) error { return SVG(w, r, by) })
			write(name+"-"+by.String()+".dot", func(w io.Writer) error { return Dot(w, r, by) })
			write(name+"-"+by.String()+".mmd", func(w io.Writer) error { return Mermaid(w, r, by) })
		}
	}
}
