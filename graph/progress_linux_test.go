package graph_test

import (
	"context"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/weft-go/weft/graph"
	"golang.org/x/sys/unix"
)

// terminal opens a pair of a terminal and the other side of it.
func terminal(t *testing.T, columns, rows uint16) (master, slave *os.File) {
	t.Helper()
	master, err := os.OpenFile("/dev/ptmx", os.O_RDWR, 0)
	if err != nil {
		t.Skipf("no terminal to be had: %v", err)
	}
	fd := int(master.Fd())
	n, err := unix.IoctlGetInt(fd, unix.TIOCGPTN)
	if err == nil {
		err = unix.IoctlSetPointerInt(fd, unix.TIOCSPTLCK, 0)
	}
	if err == nil {
		slave, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR|unix.O_NOCTTY, 0)
	}
	if err == nil {
		err = unix.IoctlSetWinsize(fd, unix.TIOCSWINSZ, &unix.Winsize{Col: columns, Row: rows})
	}
	if err != nil {
		t.Fatal(err)
	}
	return master, slave
}

// On a terminal the bar and the names are drawn in place, and the bar is what
// stays.
func TestProgressOnATerminal(t *testing.T) {
	t.Parallel()
	master, slave := terminal(t, 60, 10)
	screen, shown := make(chan string, 1), make(chan struct{})
	go func() {
		var b strings.Builder
		seen := false
		for buf := make([]byte, 4096); ; {
			n, err := master.Read(buf)
			b.Write(buf[:n])
			if !seen && strings.Contains(b.String(), " running") {
				seen = true
				close(shown)
			}
			if err != nil { // EIO when the other side is closed
				_ = master.Close()
				screen <- b.String()
				return
			}
		}
	}()
	g := graph.New()
	parts := graph.Map(g, func(ctx context.Context, i int) (int, error) {
		if i == 3 { // until the names have been seen
			select {
			case <-shown:
			case <-ctx.Done():
			}
		}
		return i, nil
	}, graph.Consts(g, []int{1, 2, 3, 4}), graph.Name("read"))
	_, err := graph.Compute(t.Context(), graph.Reduce(g, add, parts, 2, graph.Name("sum")), graph.Progress(slave))
	if err != nil {
		t.Fatal(err)
	}
	_ = slave.Close()
	out := <-screen
	if !strings.Contains(out, "\r") || !strings.Contains(out, "read") || !strings.Contains(out, " running") || !strings.Contains(out, "\x1b[1A") && !strings.Contains(out, "\x1b[2A") {
		t.Errorf("%q", out)
	}
	last := out[strings.LastIndex(strings.TrimSuffix(out, "\r\n"), "\r")+1:]
	if !strings.Contains(last, "100 %  7 of 7") || strings.Contains(last, "read") {
		t.Errorf("what stays is %q", last)
	}
	for _, line := range strings.FieldsFunc(out, func(c rune) bool { return c == '\r' || c == '\n' }) {
		n, esc := 0, false
		for _, c := range line {
			switch {
			case c == '\x1b':
				esc = true
			case esc:
				esc = c != 'm' && c != 'K' && c != 'J' && c != 'A'
			default:
				n++
			}
		}
		if n > 60 {
			t.Errorf("a line of %d columns on a terminal of 60: %q", n, line)
		}
	}
}
