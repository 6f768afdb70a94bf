package shm

import (
	"bufio"
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"
)

// A child is this test binary run again; it does what WEFT_SHM_CHILD names.
const childVariable = "WEFT_SHM_CHILD"

// children are what other processes do in the tests. in is what the test
// sends, a line at a time.
var children = map[string]func(args []string, in *bufio.Reader) error{}

func TestMain(m *testing.M) {
	if name := os.Getenv(childVariable); name != "" {
		f := children[name]
		if f == nil {
			fmt.Fprintf(os.Stderr, "no child does %q\n", name)
			os.Exit(3)
		}
		if err := f(os.Args[1:], bufio.NewReader(os.Stdin)); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	goleak.VerifyTestMain(m, goleak.Cleanup(func(code int) {
		table.Lock()
		for _, s := range table.segments {
			fmt.Fprintf(os.Stderr, "%v is still open when all tests have ended\n", s.ref)
			code = max(code, 1)
		}
		if list := spans.Load(); list != nil && len(*list) > 0 {
			fmt.Fprintf(os.Stderr, "%d mappings are left when all tests have ended\n", len(*list))
			code = max(code, 1)
		}
		table.Unlock()
		os.Exit(code)
	}))
}

// childEnvironment names what a child does. Under the race detector a process
// would take a second to end.
func childEnvironment(name string) []string {
	return append(os.Environ(), childVariable+"="+name, "GORACE=atexit_sleep_ms=0")
}

// child is another process, with pipes to talk to it.
type child struct {
	t      testing.TB
	cmd    *exec.Cmd
	in     io.WriteCloser
	out    *bufio.Reader
	stderr bytes.Buffer
	ended  bool
}

// start runs a child. The files are its descriptors 3, 4 and so on, and are
// closed here.
func start(t testing.TB, name string, files []*os.File, args ...string) *child {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	c := &child{t: t, cmd: exec.Command(exe, args...)}
	c.cmd.Env = childEnvironment(name)
	c.cmd.ExtraFiles = files
	c.cmd.Stderr = &c.stderr
	if c.in, err = c.cmd.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	out, err := c.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	c.out = bufio.NewReader(out)
	if err := c.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		f.Close()
	}
	t.Cleanup(func() {
		if !c.ended {
			c.cmd.Process.Kill()
			c.wait()
		}
	})
	return c
}

// line is the next that the child prints.
func (c *child) line() string {
	c.t.Helper()
	s, err := c.out.ReadString('\n')
	if err != nil {
		c.wait()
		c.t.Fatalf("the child ended: %v %s", err, c.stderr.String())
	}
	return strings.TrimSpace(s)
}

func (c *child) send(line string) {
	c.t.Helper()
	if _, err := io.WriteString(c.in, line+"\n"); err != nil {
		c.t.Fatal(err)
	}
}

func (c *child) kill() {
	c.t.Helper()
	if err := c.cmd.Process.Signal(syscall.SIGKILL); err != nil {
		c.t.Fatal(err)
	}
}

// wait waits for the end and returns the exit error.
func (c *child) wait() error {
	c.in.Close()
	c.ended = true
	io.Copy(io.Discard, c.out)
	return c.cmd.Wait()
}

// done has the child end, well.
func (c *child) done() {
	c.t.Helper()
	if err := c.wait(); err != nil {
		c.t.Fatalf("the child failed: %v: %s", err, c.stderr.String())
	}
}

// within waits for something that a kernel or another process does.
func within(t testing.TB, d time.Duration, what string, ok func() bool) {
	t.Helper()
	for begin := time.Now(); !ok(); time.Sleep(time.Millisecond) {
		if time.Since(begin) > d {
			t.Fatalf("after %v still not: %s", d, what)
		}
	}
}

func encode[T any](t testing.TB, h Handle[T]) string {
	t.Helper()
	b, err := h.MarshalBinary()
	if err != nil {
		t.Fatal(err)
	}
	return hex.EncodeToString(b)
}

func decode[T any](text string) (h Handle[T], err error) {
	b, err := hex.DecodeString(text)
	if err != nil {
		return h, err
	}
	return h, h.UnmarshalBinary(b)
}

// pass returns a handle and its descriptor for a child.
func pass[T any](t testing.TB, s *Slice[T], mode Mode) (handle string, f *os.File) {
	t.Helper()
	h := s.Handle(mode)
	f, err := h.Ref().File()
	if err != nil {
		t.Fatal(err)
	}
	return encode(t, h), f
}

// take is the other side of pass: the memory behind descriptor fd.
func take[T any](handle string, fd uintptr) (*Slice[T], error) {
	h, err := decode[T](handle)
	if err != nil {
		return nil, err
	}
	if err := h.Ref().Accept(os.NewFile(fd, "passed")); err != nil {
		return nil, err
	}
	return h.Open()
}

func open[T any](t testing.TB, s *Slice[T], err error) *Slice[T] {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func wantError(t testing.TB, err, is error, words ...string) {
	t.Helper()
	if err == nil {
		t.Errorf("no error; want %v", is)
		return
	}
	if is != nil && !errors.Is(err, is) {
		t.Errorf("error %q is not %q", err, is)
	}
	for _, w := range words {
		if !strings.Contains(err.Error(), w) {
			t.Errorf("no %q in %q", w, err)
		}
	}
}
