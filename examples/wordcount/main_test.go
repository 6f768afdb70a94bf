package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestRun(t *testing.T) {
	t.Parallel()
	var files []string
	for i, text := range []string{"The cat, the dog", "a cat", "", "the THE\nend"} {
		name := filepath.Join(t.TempDir(), string(rune('a'+i)))
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		files = append(files, name)
	}
	var out bytes.Buffer
	if err := run(t.Context(), &out, files); err != nil {
		t.Fatal(err)
	}
	if want := "     4 the\n     2 cat\n     1 a\n     1 dog\n     1 end\n"; out.String() != want {
		t.Errorf("%q", out.String())
	}
	if err := run(t.Context(), &out, append(files, "nowhere")); err == nil || !strings.Contains(err.Error(), `count (task`) || !strings.Contains(err.Error(), `of "nowhere"`) {
		t.Errorf("%v", err)
	}
}
