package breaking

import (
	"errors"
	"io"
	"net"
	"os"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// echo sends back what it gets.
func echo(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	t.Cleanup(func() { _ = l.Close(); <-done })
	go func() {
		defer close(done)
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			_, _ = io.Copy(c, c)
			_ = c.Close()
		}
	}()
	return l.Addr().String()
}

func proxy(t *testing.T, target string) *Proxy {
	t.Helper()
	p, err := Listen(target)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		for range 2 {
			if err := p.Close(); err != nil {
				t.Error(err)
			}
		}
	})
	return p
}

func dial(t *testing.T, p *Proxy) net.Conn {
	t.Helper()
	c, err := net.Dial("tcp", p.Address())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c
}

// ask sends a word and reads it back, within d.
func ask(t *testing.T, c net.Conn, word string, d time.Duration) error {
	t.Helper()
	if err := c.SetDeadline(time.Now().Add(d)); err != nil {
		return err
	}
	if _, err := io.WriteString(c, word); err != nil {
		return err
	}
	b := make([]byte, len(word))
	if _, err := io.ReadFull(c, b); err != nil {
		return err
	}
	if string(b) != word {
		t.Errorf("got %q for %q", b, word)
	}
	return nil
}

func TestForwardsAndEnds(t *testing.T) {
	t.Parallel()
	c := dial(t, proxy(t, echo(t)))
	if err := ask(t, c, "hello", time.Minute); err != nil {
		t.Fatal(err)
	}
	if err := c.(*net.TCPConn).CloseWrite(); err != nil {
		t.Fatal(err)
	}
	if n, err := c.Read(make([]byte, 1)); n != 0 || !errors.Is(err, io.EOF) {
		t.Errorf("after the end: %d, %v", n, err)
	}
}

func TestCutAndResume(t *testing.T) {
	t.Parallel()
	p := proxy(t, echo(t))
	c := dial(t, p)
	if err := ask(t, c, "one", time.Minute); err != nil {
		t.Fatal(err)
	}
	p.Cut()
	if err := ask(t, c, "two", time.Minute); err == nil || errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("an old connection after Cut: %v", err)
	}
	if err := ask(t, dial(t, p), "three", time.Minute); err == nil || errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("a new connection after Cut: %v", err)
	}
	p.Resume()
	if err := ask(t, dial(t, p), "four", time.Minute); err != nil {
		t.Error(err)
	}
}

func TestSilence(t *testing.T) {
	t.Parallel()
	p := proxy(t, echo(t))
	c := dial(t, p)
	if err := ask(t, c, "one", time.Minute); err != nil {
		t.Fatal(err)
	}
	p.Silence()
	if err := ask(t, c, "two", 100*time.Millisecond); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("while silent: %v, want no answer", err)
	}
	p.Resume()
	if err := c.SetDeadline(time.Now().Add(time.Minute)); err != nil {
		t.Fatal(err)
	}
	b := make([]byte, 3)
	if _, err := io.ReadFull(c, b); err != nil || string(b) != "two" {
		t.Errorf("after Resume: %q, %v, want what was held back", b, err)
	}
}

func TestSlow(t *testing.T) {
	t.Parallel()
	p := proxy(t, echo(t))
	c := dial(t, p)
	p.Slow(20 * time.Millisecond)
	begin := time.Now()
	if err := ask(t, c, "one", time.Minute); err != nil {
		t.Fatal(err)
	}
	if d := time.Since(begin); d < 40*time.Millisecond {
		t.Errorf("there and back in %v, with 20 ms each way", d)
	}
}

func TestNoServer(t *testing.T) {
	t.Parallel()
	if err := ask(t, dial(t, proxy(t, "127.0.0.1:1")), "one", time.Minute); err == nil {
		t.Error("an answer from nobody")
	}
	if _, err := Listen("nowhere"); err == nil {
		t.Error("a target without a port was taken")
	}
}
