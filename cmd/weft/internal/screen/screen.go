// Package screen is what the user sees: it keeps output, messages and the
// progress bar from running into each other.
package screen

import (
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"time"

	"golang.org/x/term"
)

// Screen writes to a terminal, or to files, or one each.
type Screen struct {
	mu       sync.Mutex
	out, err *stream
	color    bool
	bar      *bar
	shown    bool // the bar is on the terminal
}

type stream struct {
	s    *Screen
	w    io.Writer
	mu   sync.Mutex // for w where it is no terminal: it may block for long
	tty  bool
	fd   int
	open bool // a line without its end yet is on the terminal
}

// New returns a screen. NO_COLOR and TERM are looked up with getenv.
func New(out, err io.Writer, getenv func(string) string) *Screen {
	s := &Screen{}
	s.out, s.err = newStream(s, out), newStream(s, err)
	s.color = s.err.tty && getenv("NO_COLOR") == "" && getenv("TERM") != "dumb"
	if getenv("TERM") == "dumb" {
		s.err.tty = false // no bar that is drawn over itself
	}
	return s
}

func newStream(s *Screen, w io.Writer) *stream {
	f, ok := w.(*os.File)
	if !ok {
		return &stream{s: s, w: w}
	}
	fd := int(f.Fd())
	return &stream{s: s, w: w, tty: term.IsTerminal(fd), fd: fd}
}

// Out and Err are the program's outputs.
func (s *Screen) Out() io.Writer { return s.out }

// Err is the error output.
func (s *Screen) Err() io.Writer { return s.err }

// ErrTerminal reports whether the error output is a terminal.
func (s *Screen) ErrTerminal() bool { return s.err.tty }

// Write puts the bar aside for what is written.
func (t *stream) Write(p []byte) (int, error) {
	if !t.tty {
		t.mu.Lock()
		defer t.mu.Unlock()
		return t.w.Write(p)
	}
	t.s.mu.Lock()
	defer t.s.mu.Unlock()
	if len(p) > 0 {
		t.s.hide()
		t.open = p[len(p)-1] != '\n'
	}
	return t.w.Write(p)
}

// Say prints a message of weft's own.
func (s *Screen) Say(format string, args ...any) {
	name := "weft:"
	if s.color {
		name = "\x1b[1;31mweft:\x1b[0m"
	}
	fmt.Fprintf(s.err, "%s %s\n", name, fmt.Sprintf(format, args...))
}

// Note prints a text as it is, with a line end.
func (s *Screen) Note(text string) {
	fmt.Fprintln(s.err, strings.TrimRight(text, "\n"))
}

// hide takes the bar off the terminal.
func (s *Screen) hide() {
	if s.shown {
		_, _ = io.WriteString(s.err.w, "\r\x1b[K")
		s.shown = false
	}
}

// Progress shows how far a run is until the function it returns is called:
// a bar on a terminal, elsewhere a line every so often. total is asked again
// and again, -1 means not known yet.
//
// The library's own [weft.Progress] does not fit here: a stream has no total
// for it to tell the time left by, and it does not know when a job's output
// goes to the same terminal.
func (s *Screen) Progress(total func() int) (stop func()) {
	every := 10 * time.Second
	if s.err.tty {
		every = 100 * time.Millisecond
	}
	tick := time.NewTicker(every)
	b := &bar{begin: time.Now(), total: total}
	s.mu.Lock()
	s.bar = b
	s.mu.Unlock()
	done := make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			select {
			case <-tick.C:
				if s.err.tty {
					s.draw()
				} else {
					s.Note(s.line())
				}
			case <-done:
				return
			}
		}
	})
	return func() {
		tick.Stop()
		close(done)
		wg.Wait()
		last := s.line()
		s.mu.Lock()
		s.hide()
		s.bar = nil
		s.mu.Unlock()
		if !s.err.tty {
			s.Note(last)
		}
	}
}

// Ended counts a job that ended.
func (s *Screen) Ended(ok bool) {
	s.count(func(b *bar) {
		b.done++
		if !ok {
			b.failed++
		}
	})
}

// Skipped counts a job that was done before.
func (s *Screen) Skipped() { s.count(func(b *bar) { b.skipped++ }) }

func (s *Screen) count(f func(*bar)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.bar != nil {
		f(s.bar)
	}
}

func (s *Screen) line() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.bar.state().line()
}

// draw puts the bar onto the terminal.
func (s *Screen) draw() {
	s.mu.Lock()
	defer s.mu.Unlock()
	width, _, err := term.GetSize(s.err.fd)
	if err != nil || width < 20 {
		width = 80
	}
	text := s.bar.state().bar(width - 1)
	if s.color {
		text = "\x1b[36m" + text + "\x1b[0m"
	}
	if !s.shown && (s.err.open || s.out.tty && s.out.open) {
		text = "\n" + text // leave a line that was begun in peace
		s.err.open, s.out.open = false, false
	}
	_, _ = io.WriteString(s.err.w, "\r\x1b[K"+text)
	s.shown = true
}
