package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestTwiceAndAfterAnEdit(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	name := filepath.Join(dir, "a.txt")
	for _, step := range []struct{ text, want string }{
		{"a rose is a rose", "a.txt first call no result of this function is in the cache\na.txt: 3 different words\n0 hits, 1 misses\n"},
		{"a rose is a rose", "a.txt hit \na.txt: 3 different words\n1 hits, 0 misses\n"},
		{"a rose by any name", "a.txt file the content of "},
	} {
		if err := os.WriteFile(name, []byte(step.text), 0o600); err != nil {
			t.Fatal(err)
		}
		var out bytes.Buffer
		if err := run(t.Context(), &out, filepath.Join(dir, "cache"), []string{name}); err != nil {
			t.Fatal(err)
		}
		if !strings.HasPrefix(out.String(), step.want) {
			t.Errorf("printed\n%swant\n%s", out.String(), step.want)
		}
	}
}
