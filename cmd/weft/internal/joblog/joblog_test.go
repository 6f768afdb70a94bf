package joblog

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

var (
	began  = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	header = NewHeader([]string{"gzip", "{}"}, false, began)
)

func entry(index int, item string, exit int) Entry {
	return Entry{
		Index: index, Item: item, Digest: Digest(item), Exit: exit, Start: began,
		Wall: 2 * time.Second, CPU: time.Second, MaxRSS: 1 << 20, Attempts: 1,
	}
}

// write makes a joblog with the entries and returns its path.
func write(t *testing.T, entries ...Entry) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "job.log")
	l, err := Create(path, header)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if err := l.Add(e); err != nil {
			t.Fatal(err)
		}
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	return path
}

func content(t *testing.T, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// TestFormat pins the format down: files of older versions must be readable.
func TestFormat(t *testing.T) {
	t.Parallel()
	failed := entry(1, "b <&> é", -1)
	failed.Signal, failed.Error, failed.Attempts = "SIGKILL", "timed out after 1s", 3
	path := write(t, entry(0, "a", 0), failed)
	want, err := os.ReadFile(filepath.Join("testdata", "v1.log"))
	if err != nil {
		t.Fatal(err)
	}
	if got := content(t, path); got != string(want) {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func TestResume(t *testing.T) {
	t.Parallel()
	path := write(t, entry(0, "a", 0), entry(1, "b", 1), entry(2, "c", 0), entry(1, "b", 0), entry(3, "d", 0), entry(3, "d", 1))
	before := content(t, path)
	l, done, err := Resume(path, header)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		index int
		item  string
		want  bool
	}{{0, "a", true}, {1, "b", true}, {2, "c", true}, {2, "other", false}, {0, "b", false}, {3, "d", true}, {4, "e", false}} {
		if got := done.Has(c.index, c.item); got != c.want {
			t.Errorf("Has(%d, %s) = %v", c.index, c.item, got)
		}
	}
	if err := l.Add(entry(4, "e", 0)); err != nil {
		t.Fatal(err)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	after := content(t, path)
	if !strings.HasPrefix(after, before) || strings.Count(after, "\n") != strings.Count(before, "\n")+1 {
		t.Errorf("not added to:\n%s", after)
	}
	if done, err := Read(path, header); err != nil || !done.Has(4, "e") || done.Len() != 5 {
		t.Errorf("Read: %v, %v", done, err)
	}
}

// TestTorn cuts a joblog at every place, as kill -9 in a write might.
func TestTorn(t *testing.T) {
	t.Parallel()
	whole := content(t, write(t, entry(0, "a", 0), entry(1, "b", 0)))
	lines := strings.SplitAfter(whole, "\n")
	path := filepath.Join(t.TempDir(), "torn.log")
	for cut := range len(whole) + 1 {
		if err := os.WriteFile(path, []byte(whole[:cut]), 0o600); err != nil {
			t.Fatal(err)
		}
		l, done, err := Resume(path, header)
		switch {
		case cut == 0:
			if err != nil || done.Len() != 0 {
				t.Fatalf("cut at %d: %v", cut, err)
			}
		case cut < len(lines[0]):
			if err == nil || !strings.Contains(err.Error(), "is not a joblog") {
				t.Fatalf("cut at %d: %v", cut, err)
			}
			continue
		default:
			want := strings.Count(whole[:cut], "\n") - 1
			if err != nil || done.Len() != want {
				t.Fatalf("cut at %d: %d done, %v", cut, done.Len(), err)
			}
		}
		// What is added next is on a line of its own.
		if err := l.Add(entry(2, "c", 0)); err != nil {
			t.Fatal(err)
		}
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
		if again, err := Read(path, header); err != nil || again.Len() != done.Len()+1 || !again.Has(2, "c") {
			t.Fatalf("cut at %d: then %d done, %v", cut, again.Len(), err)
		}
	}
}

func TestErrors(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	file := func(name, content string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	log := content(t, write(t, entry(0, "a", 0)))
	for name, c := range map[string]struct {
		path  string
		fresh bool // Create, not Resume
		want  string
	}{
		"exists":    {file("exists", log), true, "exists; add --resume to go on with its run, or remove it to start over"},
		"no joblog": {file("csv", "name,mail\nx,y\n"), false, `is not a joblog: it begins with "name,mail"; give --joblog another file`},
		"other JSON": {
			file("json", `{"a":1,"padding":"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"}`+"\n"), false,
			`begins with "{\"a\":1,\"padding\":\"xxxxxxxxxxxxxxxxxxxxxx..."`,
		},
		"version":     {file("v9", `{"weft_joblog":9,"command":["x"]}`+"\n"), false, "has format 9 and this weft knows 1"},
		"damaged":     {file("damaged", log+"garbage\n"+log), false, `line 3 is damaged ("garbage"); remove that line`},
		"no digest":   {file("nodigest", log+"{\"index\":1}\n"), false, "line 3 is damaged"},
		"directory":   {dir, false, "can not be opened: is a directory; give --joblog a file"},
		"no such dir": {filepath.Join(dir, "no", "such"), true, "can not be opened: no such file or directory; give --joblog a file in a directory that exists"},
	} {
		var err error
		if c.fresh {
			_, err = Create(c.path, header)
		} else {
			_, _, err = Resume(c.path, header)
		}
		if _, ok := errors.AsType[*Error](err); !ok || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v\nwant %q", name, err, c.want)
		}
	}
}

func TestOtherCommand(t *testing.T) {
	t.Parallel()
	path := write(t, entry(0, "a", 0))
	before := content(t, path)
	for _, h := range []Header{
		NewHeader([]string{"gzip", "-9", "{}"}, false, began),
		NewHeader([]string{"gzip {}"}, true, began),
		NewHeader([]string{"gzip", "{}"}, true, began),
	} {
		_, _, err := Resume(path, h)
		if err == nil || !strings.Contains(err.Error(), "is of another command:\n  there: gzip '{}'\n  here:  ") {
			t.Errorf("%v: %v", h.Command, err)
		}
		if _, err := Read(path, h); err == nil {
			t.Errorf("%v: read", h.Command)
		}
	}
	if content(t, path) != before {
		t.Error("the joblog was touched")
	}
}

func TestInUse(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "job.log")
	l, err := Create(path, header)
	if err != nil {
		t.Fatal(err)
	}
	_, _, err = Resume(path, header)
	if err == nil || !strings.Contains(err.Error(), "is in use by another weft") {
		t.Errorf("%v", err)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	l, _, err = Resume(path, header)
	if err != nil {
		t.Fatal(err)
	}
	_ = l.Close()
}

func TestReadNone(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "none")
	if done, err := Read(path, header); err != nil || done.Len() != 0 || done.Has(0, "a") {
		t.Errorf("%v, %v", done, err)
	}
	if _, err := os.Stat(path); err == nil {
		t.Error("it was made")
	}
}

// full is a file on a disk that becomes full after some writes.
type full struct {
	bytes.Buffer
	writes int
}

func (f *full) Write(p []byte) (int, error) {
	if f.writes--; f.writes < 0 {
		return 0, syscall.ENOSPC
	}
	return f.Buffer.Write(p)
}

func (f *full) Close() error { return nil }

func TestFullDisk(t *testing.T) {
	t.Parallel()
	f := &full{writes: 2}
	l := New("job.log", f)
	var errs []string
	for i := range 4 {
		if err := l.Add(entry(i, "x", 0)); err != nil {
			if _, ok := errors.AsType[*WriteError](err); !ok || !errors.Is(err, syscall.ENOSPC) {
				t.Fatalf("%T", err)
			}
			errs = append(errs, err.Error())
			f.writes = 10 // there is room again, but a line is missing
		}
	}
	want := "the joblog job.log can not be written: no space left on device"
	if !slices.Equal(errs, []string{want, want}) {
		t.Errorf("%q", errs)
	}
	if strings.Count(f.String(), "\n") != 2 {
		t.Errorf("written on after the error:\n%s", f.String())
	}
}

// FuzzRead reads anything: it never crashes, and what it takes for whole lines
// ends with a line end.
func FuzzRead(f *testing.F) {
	v1, err := os.ReadFile(filepath.Join("testdata", "v1.log"))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(v1)
	f.Add(v1[:len(v1)-1])
	f.Add(v1[:10])
	f.Add([]byte("\n\n"))
	f.Add(append(slices.Clone(v1), "{}\n"...))
	f.Fuzz(func(t *testing.T, in []byte) {
		_, whole, err := read("x", bytes.NewReader(in), header)
		if err != nil {
			if _, ok := errors.AsType[*Error](err); !ok {
				t.Fatalf("%T", err)
			}
			return
		}
		if whole < 1 || whole > int64(len(in)) || in[whole-1] != '\n' || bytes.IndexByte(in[whole:], '\n') >= 0 {
			t.Fatalf("%d of %q", whole, in)
		}
	})
}
