package memo

import (
	"archive/zip"
	"errors"
	"os"
	"testing"
)

// zipModule writes a module's zip, as the module proxy serves it.
func zipModule(t *testing.T, name, prefix string, files map[string]string) {
	t.Helper()
	f, err := os.Create(name)
	if err != nil {
		t.Fatal(err)
	}
	z := zip.NewWriter(f)
	for path, text := range files {
		w, err := z.Create(prefix + "/" + path)
		if err == nil {
			_, err = w.Write([]byte(text))
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(z.Close(), f.Close()); err != nil {
		t.Fatal(err)
	}
}
