//go:build unix

package mapping

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"
	"pgregory.net/rapid"

	"github.com/weft-go/weft"
	"github.com/weft-go/weft/cmd/weft/internal/command"
	"github.com/weft-go/weft/cmd/weft/internal/items"
	"github.com/weft-go/weft/cmd/weft/internal/joblog"
	"github.com/weft-go/weft/cmd/weft/internal/spool"
	"github.com/weft-go/weft/cmd/weft/internal/template"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// bundle is a run whose surroundings are in memory.
type bundle struct {
	Config
	out, err bytes.Buffer
	mu       sync.Mutex
	said     []string
	log      memory
}

// memory is a joblog's file.
type memory struct {
	bytes.Buffer
	room int // 0: no limit
}

func (m *memory) Write(p []byte) (int, error) {
	if m.room > 0 && m.Len()+len(p) > m.room {
		return 0, syscall.ENOSPC
	}
	return m.Buffer.Write(p)
}

func (m *memory) Close() error { return nil }

func (m *memory) entries(t fatal) (es []joblog.Entry) {
	for line := range strings.Lines(m.String()) {
		var e joblog.Entry
		if err := json.Unmarshal([]byte(line), &e); err != nil {
			t.Fatalf("%q: %v", line, err)
		}
		es = append(es, e)
	}
	return es
}

type fatal interface{ Fatalf(string, ...any) }

func setup(t fatal, script string, args ...string) *bundle {
	sh, err := exec.LookPath("sh")
	if err != nil {
		t.Fatalf("%v", err)
	}
	tm, err := template.Parse([]string{"sh", "-c", script, "sh", "{}"}, template.Options{})
	if err != nil {
		t.Fatalf("%v", err)
	}
	b := &bundle{}
	b.Config = Config{
		Template: tm, Program: sh,
		Items:    func(context.Context) items.Seq { return items.Args(args) },
		Total:    func() int { return len(args) },
		Attempts: 1, Halt: Soon,
		Runner: command.New(command.Config{}),
		Spool:  spool.New(spool.Config{Each: 64}),
		Env:    os.Environ(),
		Out:    &b.out, Err: &b.err,
		Log: joblog.New("log", &b.log),
		Say: func(format string, args ...any) {
			b.mu.Lock()
			defer b.mu.Unlock()
			b.said = append(b.said, fmt.Sprintf(format, args...))
		},
		Note:    func(s string) { b.said = append(b.said, s) },
		Ended:   func(bool) {},
		Skipped: func() {},
	}
	return b
}

func (b *bundle) run() int {
	defer b.Runner.Close()
	code, _ := Run(b.Config)
	return code
}

// TestAny runs random jobs under random options and checks what holds for all
// of them.
func TestAny(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		type spec struct{ exit, size, ms int }
		specs := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) spec {
			return spec{
				exit: rapid.SampledFrom([]int{0, 0, 0, 0, 0, 3}).Draw(t, "exit"),
				size: rapid.SampledFrom([]int{0, 0, 1, 70}).Draw(t, "size"),
				ms:   rapid.IntRange(0, 5).Draw(t, "ms"),
			}
		}), 0, 10).Draw(t, "jobs")
		var args []string
		for i, s := range specs {
			args = append(args, fmt.Sprintf("%d %d %d.%03d %d", i, s.size, 0, s.ms, s.exit))
		}
		b := setup(t, `set -- $1; sleep $3; [ $2 = 0 ] || printf "%d:%0$2d\n" $1 0; exit $4`, args...)
		b.Halt = rapid.SampledFrom([]Halt{Soon, Now, Never}).Draw(t, "halt")
		b.Unordered = rapid.Bool().Draw(t, "unordered")
		b.JSON = rapid.Bool().Draw(t, "json")
		b.Options = []weft.StreamOption{weft.Workers(rapid.SampledFrom([]int{0, 1, 2, 5}).Draw(t, "jobs at once"))}
		code := b.run()

		want, failing := "", 0
		for i, s := range specs {
			if s.size > 0 {
				want += fmt.Sprintf("%d:%0*d\n", i, s.size, 0)
			}
			if s.exit != 0 {
				failing++
			}
		}
		if (code != OK) != (failing > 0) || code != OK && code != JobFailed {
			t.Fatalf("code %d with %d that fail", code, failing)
		}
		got := b.out.String()
		if b.JSON {
			got = ""
			for line := range strings.Lines(b.out.String()) {
				var o struct {
					Type, Stdout string
					Summary
				}
				if err := json.Unmarshal([]byte(line), &o); err != nil {
					t.Fatalf("%q: %v", line, err)
				}
				got += o.Stdout
				if o.Type == "summary" && o.Succeeded+o.Failed+o.NotStarted != len(specs) {
					t.Fatalf("of %d: %+v", len(specs), o.Summary)
				}
			}
		}
		started := map[int]bool{}
		for _, e := range b.log.entries(t) {
			if started[e.Index] || e.Item != args[e.Index] {
				t.Fatalf("%+v is in the joblog twice, or with another item", e)
			}
			started[e.Index] = true
		}
		if b.Halt == Never && len(started) != len(specs) {
			t.Fatalf("%d of %d in the joblog", len(started), len(specs))
		}
		gotLines, wantLines := strings.Split(got, "\n"), strings.Split(want, "\n")
		if b.Unordered {
			slices.Sort(gotLines)
			slices.Sort(wantLines)
		}
		if b.Halt == Never && !slices.Equal(gotLines, wantLines) {
			t.Fatalf("got\n%s\nwant\n%s", got, want)
		}
		for _, line := range gotLines { // in order, and whole
			for len(wantLines) > 0 && wantLines[0] != line {
				wantLines = wantLines[1:]
			}
			if len(wantLines) == 0 {
				t.Fatalf("out of order, or torn: %q in\n%s", line, got)
			}
			wantLines = wantLines[1:]
		}
	})
}

// TestResumed breaks runs off at a random failure and goes on until all is
// done: each job succeeds once, no output is missing.
func TestResumed(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path := filepath.Join(dir, "log")
	var args []string
	for i := range 12 {
		args = append(args, fmt.Sprintf("%s/%d", dir, i))
	}
	header := joblog.NewHeader([]string{"x"}, false, time.Now())
	all := ""
	for round := 0; ; round++ {
		// Every fourth job fails the first time.
		b := setup(t, `case $1 in */3|*/7|*/11) [ -e $1 ] || { : > $1; exit 1; };; esac; echo $1`, args...)
		log, done, err := joblog.Resume(path, header)
		if err != nil {
			t.Fatal(err)
		}
		b.Config.Log, b.Done = log, done
		b.Options = []weft.StreamOption{weft.Workers(2)}
		code := b.run()
		all += b.out.String()
		if code == OK {
			break
		}
		if round > 12 {
			t.Fatal("no end")
		}
	}
	lines := strings.Fields(all)
	slices.Sort(lines)
	slices.Sort(args)
	if !slices.Equal(lines, args) {
		t.Errorf("got %q", lines)
	}
}

// TestResumedWithOtherItems says so: the joblog's own items are none of them.
func TestResumedWithOtherItems(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "log")
	header := joblog.NewHeader([]string{"x"}, false, time.Now())
	for _, c := range []struct {
		args []string
		out  string
		says string
	}{
		{[]string{"a", "b", "c"}, "a\nb\nc\n", ""},
		{[]string{"a", "b", "c"}, "", ""},
		{[]string{"a", "x"}, "x\n", "2 of the 3 items that are done in the joblog are not among those given"},
	} {
		b := setup(t, `echo $1`, c.args...)
		log, done, err := joblog.Resume(path, header)
		if err != nil {
			t.Fatal(err)
		}
		b.Config.Log, b.Done = log, done
		if code := b.run(); code != OK || b.out.String() != c.out {
			t.Errorf("%q: code %d, wrote %q", c.args, code, b.out.String())
		}
		if said := strings.Join(b.said, "\n"); !strings.HasPrefix(said, c.says) || c.says == "" && said != "" {
			t.Errorf("%q: said %q", c.args, said)
		}
	}
}

// TestOneJobPastTheMemory ends well, and not without a word.
func TestOneJobPastTheMemory(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		mem  int64
		says string
	}{{64 << 10, "job 1 alone held "}, {1 << 50, ""}, {0, ""}} {
		b := setup(t, `echo $1`, "one", "two")
		b.Mem = c.mem
		b.Options = []weft.StreamOption{weft.Workers(1)}
		if code := b.run(); code != OK || b.out.String() != "one\ntwo\n" {
			t.Errorf("code %d, wrote %q", code, b.out.String())
		}
		switch said := strings.Join(b.said, "\n"); {
		case c.says == "" && said != "":
			t.Errorf("--mem %d: said %q", c.mem, said)
		case c.says != "" && (len(b.said) != 1 || !strings.HasPrefix(said, c.says) || !strings.Contains(said, "--mem is 64.0K; raise --mem") || !strings.HasSuffix(said, ": one")):
			t.Errorf("--mem %d: said %q", c.mem, said)
		}
	}
}

// TestFullJoblog has the joblog's disk become full while jobs run.
func TestFullJoblog(t *testing.T) {
	t.Parallel()
	b := setup(t, "echo $1", "1", "2", "3", "4", "5", "6")
	b.log.room = 700
	b.Options = []weft.StreamOption{weft.Workers(1)}
	if code := b.run(); code != CannotWrite {
		t.Errorf("code %d", code)
	}
	recorded := len(b.log.entries(t))
	if n := strings.Count(b.out.String(), "\n"); n != recorded+1 || recorded == 0 {
		t.Errorf("%d recorded, %d written", recorded, n)
	}
	n := 0
	for _, s := range b.said {
		if strings.Contains(s, "no space left on device") {
			n++
		}
	}
	if n != 1 {
		t.Errorf("said %q", b.said)
	}
}

// broken is an output that fails with err.
type broken struct{ err error }

func (b broken) Write([]byte) (int, error) { return 0, b.err }

func TestBrokenOutput(t *testing.T) {
	t.Parallel()
	for _, asJSON := range []bool{false, true} {
		for err, want := range map[error]int{
			&os.PathError{Op: "write", Path: "x", Err: syscall.EPIPE}:  BrokenPipe,
			&os.PathError{Op: "write", Path: "x", Err: syscall.ENOSPC}: CannotWrite,
		} {
			script := "echo $1"
			if want == BrokenPipe { // the others are not waited for
				script = "echo $1; [ $1 = 1 ] || sleep 1000"
			}
			b := setup(t, script, "1", "2", "3")
			b.Out, b.JSON = broken{err}, asJSON
			if code := b.run(); code != want {
				t.Errorf("%v: code %d", err, code)
			}
			for _, e := range b.log.entries(t) {
				if e.OK() {
					t.Errorf("%v: in the joblog without its output: %+v", err, e)
				}
			}
			if said := strings.Join(b.said, "\n"); (said == "") != (want == BrokenPipe) {
				t.Errorf("%v: said %q", err, said)
			}
		}
	}
}

func TestFullSpool(t *testing.T) {
	t.Parallel()
	b := setup(t, "head -c 1000 /dev/zero", "1", "2", "3")
	b.Spool = spool.New(spool.Config{Each: 10, Dir: "/spool", Create: func() (spool.File, error) { return nil, syscall.ENOSPC }})
	b.Options = []weft.StreamOption{weft.Workers(1)}
	if code := b.run(); code != CannotWrite {
		t.Errorf("code %d", code)
	}
	for _, e := range b.log.entries(t) {
		if e.OK() {
			t.Errorf("a job without its output succeeded: %+v", e)
		}
	}
	if want := "output of jobs can not be kept in /spool: no space left on device; make room there, or set TMPDIR to a directory with more"; len(b.said) == 0 || b.said[0] != want {
		t.Errorf("said %q", b.said)
	}
}

func TestGuardFails(t *testing.T) {
	t.Parallel()
	b := setup(t, "echo never", "1", "2")
	b.Runner.Close()
	b.Runner = command.New(command.Config{Guard: noGuard{}})
	if code := b.run(); code != CannotWrite || b.out.Len() > 0 {
		t.Errorf("code %d, %q", code, b.out.String())
	}
}

type noGuard struct{}

func (noGuard) Start() error   { return errors.New("no more processes") }
func (noGuard) Add(int) error  { return nil }
func (noGuard) Drop(int) error { return nil }

// FuzzJSON writes any output as JSON and reads it back.
func FuzzJSON(f *testing.F) {
	for _, s := range []string{"", "a\n", "\"\\\x00\x1f\x7f", "é\u2028😀", "\xff", "\xe2\x82", strings.Repeat("é", 40<<10), strings.Repeat("x", 64<<10-1) + "😀"} {
		f.Add([]byte(s))
	}
	sp := spool.New(spool.Config{})
	f.Fuzz(func(t *testing.T, out []byte) {
		j := &job{out: sp.Buffer(), err: sp.Buffer()}
		defer j.out.Close()
		if _, err := j.out.Write(out); err != nil {
			t.Fatal(err)
		}
		var b bytes.Buffer
		if err := writeJob(&b, j, jobLine{Type: "job"}); err != nil {
			t.Fatal(err)
		}
		var o struct {
			Stdout string
			Base64 []byte `json:"stdout_base64"`
			Stderr *string
		}
		if err := json.Unmarshal(b.Bytes(), &o); err != nil {
			t.Fatalf("%q: %v", b.Bytes(), err)
		}
		if got := o.Stdout + string(o.Base64); got != string(out) || o.Stderr == nil {
			t.Fatalf("%q came back as %q", out, got)
		}
		if bytes.Count(b.Bytes(), []byte("\n")) != 1 {
			t.Fatalf("more than a line: %q", b.Bytes())
		}
	})
}

// TestValidAtEdges has a rune on every place of the edge between two reads.
func TestValidAtEdges(t *testing.T) {
	t.Parallel()
	for _, c := range []string{"é", "€", "😀"} {
		for back := range 5 {
			s := strings.Repeat("x", 64<<10-back) + c + "end"
			if ok, err := valid(io.MultiReader(strings.NewReader(s))); !ok || err != nil {
				t.Errorf("%q, %d before the edge: %v, %v", c, back, ok, err)
			}
			if ok, _ := valid(strings.NewReader(strings.Repeat("x", 64<<10-back) + c[:len(c)-1])); ok {
				t.Errorf("%q cut off, %d before the edge, is valid", c, back)
			}
		}
	}
}

// No more than AtOnce run at once, and those that wait for a place do not
// start after a stop.
func TestAtOnce(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	b := setup(t, "mkdir "+dir+"/here || exit 9; sleep 0.01; rmdir "+dir+"/here; echo ran",
		"1", "2", "3", "4", "5", "6", "7", "8")
	b.AtOnce = 1
	b.Options = []weft.StreamOption{weft.Workers(8)}
	if code := b.run(); code != OK || strings.Count(b.out.String(), "ran") != 8 {
		t.Errorf("code %d, output %q, said %q", code, b.out.String(), b.said)
	}

	b = setup(t, "exit 3", "1", "2", "3", "4", "5", "6", "7", "8")
	b.AtOnce = 1
	b.Options = []weft.StreamOption{weft.Workers(8)}
	if code := b.run(); code != JobFailed {
		t.Errorf("code %d after a failure", code)
	}
	if n := len(b.log.entries(t)); n != 1 {
		t.Errorf("%d jobs ran after the first had failed", n)
	}
}
