package screen

import (
	"bytes"
	"os"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func none(string) string { return "" }

func TestState(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		s         state
		line, bar string
		width     int
	}{
		{state{0, 0, 0, -1, 0}, "weft: 0 jobs, 0s", "0 0s", 60},
		{state{5, 0, 0, -1, 3 * time.Second}, "weft: 5 jobs, 3s", "5 3s", 60},
		{state{5, 1, 0, 20, 10 * time.Second}, "weft: 5/20 jobs, 1 failed, 10s, ETA 30s", "5/20 [=======                      ] 1 failed, 10s, ETA 30s", 60},
		{state{5, 0, 10, 20, 10 * time.Second}, "weft: 15/20 jobs, 10 done before, 10s, ETA 10s", "15/20 10 done before, 10s, ETA 10s", 40},
		{state{0, 0, 10, 20, time.Second}, "weft: 10/20 jobs, 10 done before, 1s", "10/20 10 done before, 1s", 30},
		{state{20, 0, 0, 20, 90 * time.Second}, "weft: 20/20 jobs, 1m30s", "20/20 [=====================] 1m30s", 36},
		{state{1, 0, 0, 10000, time.Minute}, "weft: 1/10000 jobs, 1m00s, ETA 166h39m", "1/10000 1m00s, ETA 166h39m", 20},
		{state{0, 0, 0, 0, 0}, "weft: 0/0 jobs, 0s", "0/0 0s", 60},
	} {
		if got := c.s.line(); got != c.line {
			t.Errorf("line %q, want %q", got, c.line)
		}
		want := c.bar[:min(len(c.bar), c.width)]
		if got := c.s.bar(c.width); got != want || len(got) > c.width {
			t.Errorf("bar  %q, want %q", got, want)
		}
	}
}

func TestClock(t *testing.T) {
	t.Parallel()
	for d, want := range map[time.Duration]string{
		0: "0s", 1400 * time.Millisecond: "1s", 59600 * time.Millisecond: "1m00s", 185 * time.Second: "3m05s", 2*time.Hour + 7*time.Minute: "2h07m",
	} {
		if got := clock(d); got != want {
			t.Errorf("%v: %s, want %s", d, got, want)
		}
	}
}

func TestPlain(t *testing.T) {
	t.Parallel()
	var out, err bytes.Buffer
	s := New(&out, &err, none)
	stop := s.Progress(func() int { return 3 })
	s.Skipped()
	s.Ended(true)
	s.Ended(false)
	_, _ = s.Out().Write([]byte("result"))
	s.Say("job %d failed", 3)
	s.Note("two\nlines\n\n")
	stop()
	s.Ended(true) // after the end it counts for nothing
	if out.String() != "result" {
		t.Errorf("out %q", out.String())
	}
	if want := "weft: job 3 failed\ntwo\nlines\nweft: 3/3 jobs, 1 failed, 1 done before, 0s\n"; err.String() != want {
		t.Errorf("err %q, want %q", err.String(), want)
	}
}

// terminal makes a screen that takes its error output for a terminal.
func terminal(err *bytes.Buffer, out *bytes.Buffer, color bool) *Screen {
	s := New(out, err, none)
	s.err.tty, s.out.tty, s.color = true, true, color
	s.bar = &bar{begin: time.Now(), total: func() int { return 2 }}
	return s
}

// TestTerminal has output and the bar take turns.
func TestTerminal(t *testing.T) {
	t.Parallel()
	var both bytes.Buffer
	s := terminal(&both, &both, false)
	bar := "\r\x1b[K0/2 [" + strings.Repeat(" ", 50) + "] 0s"
	const clear = "\r\x1b[K"
	s.draw()
	s.draw()
	_, _ = s.Out().Write([]byte("a\n"))
	_, _ = s.Out().Write([]byte("b\n"))
	s.draw()
	_, _ = s.Err().Write([]byte("no end"))
	s.draw()
	s.Say("hello")
	want := bar + bar + clear + "a\nb\n" + bar + clear + "no end" + strings.Replace(bar, clear, clear+"\n", 1) + clear + "weft: hello\n"
	if both.String() != want {
		t.Errorf("got  %q\nwant %q", both.String(), want)
	}
}

func TestColor(t *testing.T) {
	t.Parallel()
	var out, err bytes.Buffer
	s := terminal(&err, &out, true)
	s.draw()
	s.Say("x")
	if got := err.String(); !strings.Contains(got, "\x1b[36m0/2 [") || !strings.Contains(got, "\x1b[1;31mweft:\x1b[0m x\n") {
		t.Errorf("%q", got)
	}
	// A file is no terminal, whatever the environment says.
	f, e := os.CreateTemp(t.TempDir(), "")
	if e != nil {
		t.Fatal(e)
	}
	defer f.Close()
	if s := New(f, f, none); s.color || s.ErrTerminal() {
		t.Error("a file is taken for a terminal")
	}
}
