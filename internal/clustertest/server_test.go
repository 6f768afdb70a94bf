package clustertest

import (
	"net"
	"strings"
	"testing"
	"time"
)

func answers(address string) error {
	c, err := net.DialTimeout("tcp", address, 5*time.Second)
	if err == nil {
		err = c.Close()
	}
	return err
}

func TestServer(t *testing.T) {
	t.Parallel()
	s := Start(t, Options{})
	if !strings.HasPrefix(s.URL, "temporal://127.0.0.1:") {
		t.Errorf("URL is %q", s.URL)
	}
	if err := answers(s.Address); err != nil {
		t.Error(err)
	}
	s.Kill()
	if answers(s.Address) == nil {
		t.Error("the server answers after Kill")
	}
	s.Kill() // twice is no harm
}

func TestServerRestarts(t *testing.T) {
	t.Parallel()
	s := Start(t, Options{File: true})
	first := s.Address
	for range 2 {
		s.Kill()
		s.Restart(t)
		if s.Address != first {
			t.Fatalf("came back on %s, was on %s", s.Address, first)
		}
		if err := answers(s.Address); err != nil {
			t.Error(err)
		}
	}
}
