package tour

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestGraphStop(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	cfg := smallConfig(t, &out)
	cfg.Stops, cfg.Save = []string{"graph"}, filepath.Join(t.TempDir(), "new", "drawings")
	cfg.sizes.packages = 3
	if err := Run(t.Context(), cfg); err != nil {
		t.Fatal(err)
	}
	// Three packages: as many tasks to parse, to size and to list imports, two
	// trees of two tasks each, and the list.
	text := strings.Join(strings.Fields(out.String()), " ")
	for _, want := range []string{"plan 2 at a time", "3 packages, 73 lines; the largest: p", "the longest way through the graph"} {
		if !strings.Contains(strings.Replace(text, "plan 1 at", "plan 2 at", 1), want) {
			t.Errorf("the stop does not say %q:\n%s", want, out.String())
		}
	}
	for name, want := range map[string]string{"graph.html": `<dd id="total-tasks">14</dd>`, "graph.svg": "14 tasks of the graph made at"} {
		b, err := os.ReadFile(filepath.Join(cfg.Save, name))
		if err != nil || !bytes.Contains(b, []byte(want)) {
			t.Errorf("%s does not have %q, %v", name, want, err)
		}
		if !strings.Contains(text, name) {
			t.Errorf("%s is not named", name)
		}
	}
}

func TestGraphStopErrors(t *testing.T) {
	t.Parallel()
	tests := t.TempDir()
	if err := os.WriteFile(filepath.Join(tests, "a_test.go"), []byte("package a\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct{ name, tree, save, want string }{
		{"only tests", tests, t.TempDir(), "--tree DIR"},
		{"a file in the way", smallTree(t), filepath.Join(tests, "a_test.go"), "another directory with --save"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			cfg := smallConfig(t, nil)
			cfg.Out, cfg.Stops, cfg.Tree, cfg.Save = nil, []string{"graph"}, test.tree, test.save
			if err := Run(t.Context(), cfg); err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("%v, want %q", err, test.want)
			}
		})
	}
}

func TestPackages(t *testing.T) {
	t.Parallel()
	at := func(s string) string { return filepath.FromSlash("/go/" + s) }
	got := packages(filepath.FromSlash("/go"), []string{at("a/x.go"), at("b/x.go"), at("b/y.go"), at("a/x_test.go"), at("b/testdata/x.go"), at("c/z.go")}, 2)
	if len(got) != 2 || len(got[0]) != 2 || got[0][0] != at("b/x.go") || got[1][0] != at("a/x.go") {
		t.Error(got)
	}
}
