package items

import (
	"bytes"
	"context"
	"errors"
	"io"
	"io/fs"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"testing/iotest"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// texts reads a source to its end.
func texts(seq Seq) (out []string, err error) {
	for it, e := range seq {
		if e != nil {
			return out, e
		}
		if it.Index != len(out) {
			return out, errors.New("the index is wrong")
		}
		out = append(out, it.Text)
	}
	return out, nil
}

func TestLines(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("x", Longest)
	for name, c := range map[string]struct {
		in   string
		want []string
		err  string
	}{
		"nothing":      {"", nil, ""},
		"one":          {"a\n", []string{"a"}, ""},
		"no end":       {"a\nb", []string{"a", "b"}, ""},
		"empty lines":  {"\n\na\n\r\n\nb\n\n", []string{"a", "b"}, ""},
		"CRLF":         {"a\r\nb\r\n", []string{"a", "b"}, ""},
		"BOM":          {"\uFEFFa\nb\n", []string{"a", "b"}, ""},
		"as they are":  {" a b \t\n'\"$(x)\n-rf\n\xff\n", []string{" a b \t", `'"$(x)`, "-rf", "\xff"}, ""},
		"longest":      {long + "\nb\n", []string{long, "b"}, ""},
		"too long":     {"a\n" + long + "x\nb\n", []string{"a"}, "stdin, line 2 is longer than 1048576 bytes"},
		"NUL":          {"a\nb\x00c\n", []string{"a"}, "stdin, line 2 has a NUL byte in it, which no argument can hold; if the items are separated by NUL, add -0"},
		"UTF-16":       {"\xff\xfea\x00\n\x00", nil, "iconv"},
		"UTF-16 other": {"\xfe\xff\x00a\x00\n", nil, "iconv"},
	} {
		for _, r := range []io.Reader{strings.NewReader(c.in), iotest.HalfReader(strings.NewReader(c.in))} {
			got, err := texts(Lines(r, "stdin"))
			check(t, name, got, err, c.want, c.err)
		}
	}
}

func check(t *testing.T, name string, got []string, err error, want []string, wantErr string) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("%s: %.100q, want %.100q", name, got, want)
	}
	if wantErr == "" && err != nil {
		t.Errorf("%s: %v", name, err)
	}
	if _, ok := errors.AsType[*Error](err); wantErr != "" && (!ok || !strings.Contains(err.Error(), wantErr)) {
		t.Errorf("%s: %v, want %q", name, err, wantErr)
	}
}

func TestRecords(t *testing.T) {
	t.Parallel()
	got, err := texts(Records(strings.NewReader("a\nb\x00\x00 c\r\x00d"), "stdin"))
	check(t, "records", got, err, []string{"a\nb", "", " c\r", "d"}, "")
	got, err = texts(Records(io.MultiReader(strings.NewReader("a\x00b"), iotest.ErrReader(errors.New("gone"))), "stdin"))
	check(t, "broken", got, err, []string{"a"}, "stdin can not be read on after 1 items: gone")
}

func TestStopsEarly(t *testing.T) {
	t.Parallel()
	for name, seq := range map[string]Seq{
		"args":  Args([]string{"a", "b"}),
		"lines": Lines(strings.NewReader("a\nb\n"), "stdin"),
	} {
		n := 0
		for range seq {
			n++
			break
		}
		if n != 1 {
			t.Errorf("%s: %d", name, n)
		}
	}
}

func TestCSV(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		o       CSV
		in      string
		columns []string
		want    []string
		err     string
	}{
		"plain":       {CSV{}, "a,b\n1,2\n3,4\n", []string{"a", "b"}, []string{"1,2", "3,4"}, ""},
		"BOM, CRLF":   {CSV{}, "\uFEFFa,b\r\n1,2\r\n", []string{"a", "b"}, []string{"1,2"}, ""},
		"header only": {CSV{}, "a,b", []string{"a", "b"}, nil, ""},
		"spaces":      {CSV{}, " a , b\n 1 ,2\n", []string{"a", "b"}, []string{`" 1 ",2`}, ""},
		"quotes":      {CSV{}, "a,b\n\"x,\"\"y\"\"\",\"l1\nl2\"\n", []string{"a", "b"}, []string{"\"x,\"\"y\"\"\",\"l1\nl2\""}, ""},
		"no header":   {CSV{NoHeader: true}, "1,2\n3,4\n", []string{"", ""}, []string{"1,2", "3,4"}, ""},
		"nothing":     {CSV{NoHeader: true}, "", nil, nil, ""},
		"semicolon":   {CSV{Comma: ';'}, "a;b\n1;\"2;3\"\n", []string{"a", "b"}, []string{`1;"2;3"`}, ""},
		"empty":       {CSV{}, "", nil, nil, "t.csv is empty: there is no row with the names of the columns"},
		"ragged":      {CSV{}, "a,b\n1,2\n3\n5,6\n", []string{"a", "b"}, []string{"1,2"}, "t.csv, line 3 has 1 fields where the first row has 2; mend that line"},
		"too many":    {CSV{}, "a,b\n\"1\n\",2\n3,4,5\n", []string{"a", "b"}, []string{"\"1\n\",2"}, "t.csv, line 4 has 3 fields"},
		"bare quote":  {CSV{}, "a,b\n1,x\"y\n", []string{"a", "b"}, nil, "t.csv, line 2, column 4: a quote in the wrong place"},
		"open quote":  {CSV{}, "a,b\n1,\"x\n", []string{"a", "b"}, nil, "a quote in the wrong place"},
		"NUL":         {CSV{}, "a,b\n1,x\x00\n", []string{"a", "b"}, nil, "line 2 has a NUL byte"},
		"UTF-16":      {CSV{}, "\xff\xfea\x00,\x00", nil, nil, "iconv"},
		"same number": {CSV{}, "a,a\n1,2\n", []string{"a", "a"}, []string{"1,2"}, ""},
	} {
		c.o.Name = "t.csv"
		tab, err := c.o.Open(strings.NewReader(c.in))
		var got []string
		if err == nil {
			if !slices.Equal(tab.Columns, c.columns) {
				t.Errorf("%s: columns %q", name, tab.Columns)
			}
			got, err = texts(tab.Rows())
		}
		check(t, name, got, err, c.want, c.err)
	}
	_, err := CSV{Name: "t.csv"}.Open(iotest.ErrReader(errors.New("is a directory")))
	check(t, "unreadable", nil, err, nil, "t.csv can not be read: is a directory")
}

func TestCount(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]int{"a\n": 0, "a\n1\n2\n3\n": 3} {
		tab, err := CSV{}.Open(strings.NewReader(in))
		if err != nil {
			t.Fatal(err)
		}
		if n, err := tab.Count(); n != want || err != nil {
			t.Errorf("%q: %d, %v", in, n, err)
		}
	}
}

func TestGlob(t *testing.T) {
	t.Parallel()
	files := fstest.MapFS{}
	for _, name := range []string{
		"a.go", "b.go", ".hidden.go", "sub/c.go", "sub/deep/d.go", "sub/deep/e.txt", ".git/x.go", "sub/.dot/y.go",
		"sp ace/f [1].go", "home/u/g.go",
	} {
		files[name] = &fstest.MapFile{}
	}
	open := func(dir string) fs.FS {
		dir = strings.Trim(dir, "/")
		for strings.HasPrefix(dir, "./") {
			dir = dir[2:]
		}
		if dir == "" || dir == "." {
			return files
		}
		sub, err := fs.Sub(files, dir)
		if err != nil {
			t.Error(err)
		}
		return sub
	}
	for _, c := range []struct {
		pattern string
		want    []string
		err     string
	}{
		{"*.go", []string{"a.go", "b.go"}, ""},
		{".*.go", []string{".hidden.go"}, ""},
		{"?.go", []string{"a.go", "b.go"}, ""},
		{"[b-z].go", []string{"b.go"}, ""},
		{"*/*.go", []string{"sp ace/f [1].go", "sub/c.go"}, ""},
		{"**/*.go", []string{"a.go", "b.go", "home/u/g.go", "sp ace/f [1].go", "sub/c.go", "sub/deep/d.go"}, ""},
		{"sub/**", []string{"sub/c.go", "sub/deep", "sub/deep/d.go", "sub/deep/e.txt"}, ""},
		{"sub/**/**/*.txt", []string{"sub/deep/e.txt"}, ""},
		{"sub/.dot/*", []string{"sub/.dot/y.go"}, ""},
		{"*/.dot/*", []string{"sub/.dot/y.go"}, ""},
		{"./*.go", []string{"a.go", "b.go"}, ""},
		{"/home/*/g.go", []string{"/home/u/g.go"}, ""},
		{"a.go", []string{"a.go"}, ""},
		{"sub", []string{"sub"}, ""},
		{`sp\ ace/*`, []string{"sp ace/f [1].go"}, ""},
		{"*.md", nil, `no file matches --glob "*.md"; check it with: ls -d *.md`},
		{"nosuch/*", nil, `--glob "nosuch/*": `},
		{"[a", nil, "is no pattern"},
		{"", nil, "names no files"},
		{"/", nil, "names no files"},
	} {
		got, err := Glob(c.pattern, open)
		check(t, c.pattern, got, err, c.want, c.err)
	}
}

// TestAhead reads with little room, in step and not.
func TestAhead(t *testing.T) {
	t.Parallel()
	want := strings.Fields(strings.Repeat("a bb ccc ", 100))
	for _, limit := range []int{1, 100, 1 << 20} {
		q := Ahead(t.Context(), Args(want), limit)
		got, err := texts(q.Items(t.Context()))
		check(t, "ahead", got, err, want, "")
		if q.Total() != len(want) {
			t.Errorf("limit %d: total %d", limit, q.Total())
		}
	}
	q := Ahead(t.Context(), Lines(strings.NewReader("a\nb\x00\n"), "stdin"), 100)
	got, err := texts(q.Items(t.Context()))
	check(t, "bad", got, err, []string{"a"}, "NUL")
}

// TestAheadStops ends a run while a read waits.
func TestAheadStops(t *testing.T) {
	t.Parallel()
	r, w := io.Pipe()
	defer w.Close()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	q := Ahead(ctx, Lines(r, "stdin"), 1<<20)
	go func() { _, _ = w.Write([]byte("a\n")) }()
	n := 0
	for range q.Items(ctx) {
		n++
		if q.Total() != -1 {
			t.Error("the total is known too early")
		}
		cancel() // the reader waits for a second line that does not come
	}
	if n != 1 {
		t.Errorf("%d items", n)
	}
	// With no room, too.
	full, stop := context.WithCancel(t.Context())
	defer stop()
	q = Ahead(full, Args([]string{"a", "b", "c"}), 1)
	for range q.Items(full) {
		stop()
	}
}

// FuzzLines compares with the plain way to split lines.
func FuzzLines(f *testing.F) {
	for _, s := range []string{"", "a\nb", "\uFEFFa\r\n\r\n", "\xff\xfe", "a\x00b", "\r\r\n"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		got, err := texts(Lines(iotest.OneByteReader(bytes.NewReader(in)), "stdin"))
		if utf16(in) || bytes.IndexByte(in, 0) >= 0 {
			if err == nil {
				t.Fatalf("%q: no error", in)
			}
			return
		}
		var want []string
		for line := range strings.SplitSeq(strings.TrimPrefix(string(in), "\uFEFF"), "\n") {
			if line = strings.TrimSuffix(line, "\r"); line != "" {
				want = append(want, line)
			}
		}
		if err != nil || !slices.Equal(got, want) {
			t.Fatalf("%q: %q, %v, want %q", in, got, err, want)
		}
		var nul []byte
		for _, s := range got {
			nul = append(append(nul, s...), 0)
		}
		if again, err := texts(Records(bytes.NewReader(nul), "stdin")); err != nil || !slices.Equal(again, got) {
			t.Fatalf("%q: %q, %v", nul, again, err)
		}
	})
}

// FuzzCSV reads each row's text back: {} of a row is that row.
func FuzzCSV(f *testing.F) {
	for _, s := range []string{"a,b\n1,2\n", "\uFEFFa\n\"x\ny\"\n", "a;b", "\"", "a,b\n1\n", " a, b\n\" \",\n"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, in string) {
		tab, err := CSV{Name: "x"}.Open(strings.NewReader(in))
		if err != nil {
			return
		}
		for it, err := range tab.Rows() {
			if err != nil {
				if _, ok := errors.AsType[*Error](err); !ok {
					t.Fatal(err)
				}
				return
			}
			if len(it.Fields) != len(tab.Columns) {
				t.Fatalf("%d fields", len(it.Fields))
			}
			if utf16([]byte(it.Text)) || strings.HasPrefix(it.Text, "\uFEFF") {
				continue // means something else at the start of a text
			}
			back, err := CSV{NoHeader: true}.Open(strings.NewReader(it.Text))
			if err != nil {
				t.Fatalf("%q: %v", it.Text, err)
			}
			if len(it.Fields) == 1 && it.Fields[0] == "" {
				continue // an empty line, which is no row
			}
			for again := range back.Rows() {
				for i, s := range again.Fields {
					// A reader turns \r\n inside quotes into \n.
					if s != strings.ReplaceAll(it.Fields[i], "\r\n", "\n") {
						t.Fatalf("%q came back as %q", it.Fields, again.Fields)
					}
				}
			}
		}
	})
}
