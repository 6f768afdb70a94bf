package shm

import (
	"bufio"
	"fmt"
	"os"
	"testing"
	"unsafe"
)

func init() {
	children["count"] = func(args []string, in *bufio.Reader) error {
		s, err := take[Counter](args[0], 3)
		if err != nil {
			return err
		}
		fmt.Println("ready")
		in.ReadString('\n')
		for range 100_000 {
			s.Slice()[1].Add(1)
		}
		for {
			c := &s.Slice()[2]
			if old := c.Load(); old >= 1000 || c.CompareAndSwap(old, old+1) && old == 999 {
				return s.Close()
			}
		}
	}
}

func TestCounter(t *testing.T) {
	t.Parallel()
	s := make1[Counter](t, 4)
	var cs []*child
	for range 3 {
		h, f := pass(t, s, ReadWrite)
		c := start(t, "count", []*os.File{f}, h)
		c.line()
		cs = append(cs, c)
	}
	for _, c := range cs {
		c.send("go")
	}
	for _, c := range cs {
		c.done()
	}
	if n := s.Slice()[1].Load(); n != 300_000 {
		t.Errorf("counted %d", n)
	}
	if n := s.Slice()[2].Load(); n != 1000 {
		t.Errorf("swapped up to %d", n)
	}
	s.Slice()[3].Store(-5)
	if s.Slice()[3].Load() != -5 || s.Slice()[0].Load() != 0 {
		t.Error("counters are mixed up")
	}
	if size := unsafe.Sizeof(Counter{}); size != 64 {
		t.Errorf("a Counter has %d bytes", size)
	}
}
