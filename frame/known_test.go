//go:build cgo

package frame

import (
	"os"
	"path/filepath"
	"testing"
	"time"
)

// The columns of files are kept in mind, and asked for anew when a file
// changes, is new or is gone.
func TestKnownNames(t *testing.T) {
	t.Parallel()
	e := open(t, Config{})
	dir := t.TempDir()
	put := func(name, content string, age time.Duration) {
		t.Helper()
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chtimes(path, time.Time{}, time.Now().Add(-age)); err != nil {
			t.Fatal(err)
		}
	}
	f := ReadCSV(filepath.Join(dir, "*.csv"), CSV{UnionByName: true}).On(e)
	is := func(what, want string, known int) {
		t.Helper()
		if got := cells(t, f); got != want {
			t.Errorf("%s: got\n%s\nwant\n%s", what, got, want)
		}
		if len(e.sources) != known {
			t.Errorf("%s: %d sources are known, want %d", what, len(e.sources), known)
		}
	}
	put("a.csv", "x,y\n1,2\n", 0)
	is("written just now", "x|y\n1|2", 0)
	put("a.csv", "x,y\n1,2\n", time.Hour)
	is("for the first time", "x|y\n1|2", 1)
	for k, s := range e.sources { // a mark, to see that it is used
		e.sources[k] = knownSource{s.files, []string{"x", "mark"}}
	}
	if _, err := f.Select("mark").Schema(t.Context()); err == nil {
		t.Error("the engine took a column that is not there")
	} else if _, err := f.Select("y").Schema(t.Context()); err == nil {
		t.Error("what is known is not used")
	}
	put("a.csv", "x,z\n1,2\n", 2*time.Hour)
	is("of another time", "x|z\n1|2", 1)
	put("b.csv", "w\n3\n", time.Hour)
	is("one more", "x|z|w\n1|2|∅\n∅|∅|3", 1)
	if err := os.Remove(filepath.Join(dir, "a.csv")); err != nil {
		t.Fatal(err)
	}
	is("one less", "w\n3", 1)
}
