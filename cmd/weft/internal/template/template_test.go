package template

import (
	"errors"
	"slices"
	"strings"
	"testing"
)

func TestFill(t *testing.T) {
	t.Parallel()
	columns := []string{"name", "mail", "a.b", "x/y", "", "dup", "dup"}
	row := []string{"dir/ann.old.txt", "a@b", "dotted", "slashed", "nameless", "d1", "d2"}
	for _, c := range []struct {
		command string // words separated by |
		columns []string
		want    string
	}{
		// The forms of an item.
		{"c|{}", nil, "c|dir.d/file.tar.gz"},
		{"c|{.}|{/}|{//}|{/.}|{+.}|{#}", nil, "c|dir.d/file.tar|file.tar.gz|dir.d|file.tar|gz|7"},
		{"c|a{}b{.}c", nil, "c|adir.d/file.tar.gzbdir.d/file.tarc"},
		{"{}|x", nil, "dir.d/file.tar.gz|x"},
		// None: the item comes last.
		{"c|-x", nil, "c|-x|dir.d/file.tar.gz"},
		{"awk|{print $1}", nil, "awk|{print $1}|dir.d/file.tar.gz"},
		// Other braces are left alone.
		{"c|{name}|{1}|{a,b}|{ }|{|}|}{|{.x}|{}", nil, "c|{name}|{1}|{a,b}|{ }|{|}|}{|{.x}|dir.d/file.tar.gz"},
		{`c|{"k":"{}"}`, nil, `c|{"k":"dir.d/file.tar.gz"}`},
		{`c|{"k":{"n":{#}}}`, nil, `c|{"k":{"n":7}}`},
		{"c|{{.Name}}|{}", nil, "c|{{.Name}}|dir.d/file.tar.gz"},
		// Doubled braces.
		{"c|{{}}|{#}", nil, "c|{}|7"},
		{"c|{{{#}}}|{{{{#}}}}|{{{{{#}}}}}", nil, "c|{7}|{{#}}|{{7}}"},
		{"c|{{#}|{#}}", nil, "c|{7|7}"},
		// Columns.
		{"c|{name}|{mail}|{a.b}|{x/y}", columns, "c|dir/ann.old.txt|a@b|dotted|slashed"},
		{"c|{1}|{5}|{7}", columns, "c|dir/ann.old.txt|nameless|d2"},
		{"c|{name.}|{name/}|{name//}|{name/.}|{name+.}|{1/.}", columns, "c|dir/ann.old|ann.old.txt|dir|ann.old|txt|ann.old"},
		{"c|{}|{#}", columns, "c|dir.d/file.tar.gz|7"},
		{"c|{name}|{print $1}|{{print}}|{{name}}", columns, "c|dir/ann.old.txt|{print $1}|{print}|{name}"},
	} {
		tm, err := Parse(strings.Split(c.command, "|"), Options{Columns: c.columns})
		if err != nil {
			t.Errorf("%s: %v", c.command, err)
			continue
		}
		var fields []string
		if c.columns != nil {
			fields = row
		}
		got := tm.Fill(7, "dir.d/file.tar.gz", fields)
		if s := strings.Join(got, "|"); s != c.want {
			t.Errorf("%s\n got %s\nwant %s", c.command, s, c.want)
		}
	}
}

func TestShell(t *testing.T) {
	t.Parallel()
	for script, want := range map[string]string{
		"cat {} > {.}.x":          "cat 'it'\\''s.txt' > 'it'\\''s'.x",
		`echo "{}" '{}'`:          `echo ""'it'\''s.txt'"" 'it'\''s.txt'`,
		"cat":                     "cat 'it'\\''s.txt'",
		"echo ${x} ${#} {#}":      "echo ${x} ${#} '1'",
		"x={}; echo `cat \"$x\"`": "x='it'\\''s.txt'; echo `cat \"$x\"`",
	} {
		tm, err := Parse([]string{script}, Options{Shell: true})
		if err != nil {
			t.Errorf("%s: %v", script, err)
			continue
		}
		if got := tm.Fill(1, "it's.txt", nil); len(got) != 1 || got[0] != want {
			t.Errorf("%s\n got %s\nwant %s", script, got, want)
		}
	}
}

func TestErrors(t *testing.T) {
	t.Parallel()
	columns := []string{"name", "mail", "dup", "dup", ""}
	for _, c := range []struct {
		command []string
		o       Options
		want    string // in the message
	}{
		{nil, Options{}, "put it after --"},
		{[]string{""}, Options{}, "put it after --"},
		{[]string{"a", "b c"}, Options{Shell: true}, "quote the whole: weft map --shell -- 'a b c'"},
		{[]string{"echo `{}`"}, Options{Shell: true}, `{} stands after a backquote, where no quoting is safe; give it to a variable first and use that: x={}; ... "$x"`},
		{[]string{"c", "{nmae}"}, Options{Columns: columns}, "no column for {nmae}; did you mean {name}? the columns are name, mail, dup, dup, 5 (to pass"},
		{[]string{"c", "{zzz}"}, Options{Columns: columns}, "no column for {zzz}; the columns"},
		{[]string{"c", "{6}"}, Options{Columns: columns}, "no column {6}; columns are counted from 1 and there are 5"},
		{[]string{"c", "{0}"}, Options{Columns: columns}, "no column {0}"},
		{[]string{"c", "{dup}"}, Options{Columns: columns}, "use its number, as {3}"},
		{[]string{"c", "x"}, Options{Columns: columns}, "name those it needs in braces, as {name}"},
		{[]string{"c", "x"}, Options{Columns: []string{""}}, "as {1} (the columns are 1)"},
	} {
		_, err := Parse(c.command, c.o)
		if _, ok := errors.AsType[*Error](err); !ok || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%q: %v, want %q", c.command, err, c.want)
		}
	}
}

func TestPaths(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ in, stem, base, dir, baseStem, ext string }{
		{"", "", "", ".", "", ""},
		{"a", "a", "a", ".", "a", ""},
		{"a.txt", "a", "a.txt", ".", "a", "txt"},
		{"x/a.tar.gz", "x/a.tar", "a.tar.gz", "x", "a.tar", "gz"},
		{"x.d/a", "x.d/a", "a", "x.d", "a", ""},
		{".bashrc", ".bashrc", ".bashrc", ".", ".bashrc", ""},
		{"x/.bashrc", "x/.bashrc", ".bashrc", "x", ".bashrc", ""},
		{".a.b", ".a", ".a.b", ".", ".a", "b"},
		{"a.", "a", "a.", ".", "a", ""},
		{".", ".", ".", ".", ".", ""},
		{"..", "..", "..", ".", "..", ""},
		{"x/..", "x/..", "..", "x", "..", ""},
		{"/", "/", "/", "/", "/", ""},
		{"//", "//", "/", "/", "/", ""},
		{"/a", "/a", "a", "/", "a", ""},
		{"a.b/", "a.b/", "a.b", ".", "a", "b"},
		{"/x//a.b//", "/x//a.b//", "a.b", "/x", "a", "b"},
		{"https://h/a.gz", "https://h/a", "a.gz", "https://h", "a", "gz"},
		{"-x y.z", "-x y", "-x y.z", ".", "-x y", "z"},
		{"\xff.\xfe", "\xff", "\xff.\xfe", ".", "\xff", "\xfe"},
	} {
		tm, err := Parse([]string{"c", "{.}", "{/}", "{//}", "{/.}", "{+.}"}, Options{})
		if err != nil {
			t.Fatal(err)
		}
		got, want := tm.Fill(1, c.in, nil)[1:], []string{c.stem, c.base, c.dir, c.baseStem, c.ext}
		if !slices.Equal(got, want) {
			t.Errorf("%q: %q, want %q", c.in, got, want)
		}
	}
}

func TestFixed(t *testing.T) {
	t.Parallel()
	for command, want := range map[string]string{"gzip": "gzip", "./{}": "", "{{}}": "{}"} {
		tm, err := Parse([]string{command}, Options{})
		if err != nil {
			t.Fatal(err)
		}
		if got, ok := tm.Fixed(); got != want || ok != (want != "") {
			t.Errorf("%s: %q, %v", command, got, ok)
		}
	}
}

// FuzzParse checks that no command crashes, that text without braces stays as
// it is, and that the parts make up the whole.
func FuzzParse(f *testing.F) {
	for _, s := range []string{"", "{}", "a{.}b", "{{}}", "{{{#}}}", "}{", "{name}", "{2/.}", "{3}", "${}", "'{}'", `"{}"`, "{\n}", "{{{{}", "\xff{}\xfe"} {
		f.Add(s, "x/y.z", "it's")
	}
	f.Fuzz(func(t *testing.T, arg, item, col string) {
		for _, o := range []Options{{}, {Columns: []string{"name", col}}, {Shell: true}} {
			command := []string{"c", arg}
			if o.Shell {
				command = []string{arg}
			}
			tm, err := Parse(command, o)
			if err != nil {
				if _, ok := errors.AsType[*Error](err); !ok {
					t.Fatalf("%q: %T", command, err)
				}
				continue
			}
			got := tm.Fill(1, item, []string{item, col})
			if !strings.Contains(arg, "{") && !o.Shell {
				if !slices.Equal(got, []string{"c", arg, item}) {
					t.Fatalf("%q became %q", arg, got)
				}
			}
			if o.Columns == nil && !strings.ContainsAny(arg, "./#+\x00") {
				// Only {} itself can be in it: what the item is changes
				// nothing else, and is not read again.
				mark := tm.Fill(1, "\x00", nil)
				put := item
				if o.Shell {
					put = strings.ReplaceAll(item, "'", `'\''`)
				}
				for k := range mark {
					if want := strings.ReplaceAll(mark[k], "\x00", put); got[k] != want {
						t.Fatalf("%q with %q became %q, want %q", arg, item, got[k], want)
					}
				}
			}
		}
	})
}
