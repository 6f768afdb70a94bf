package clustertest

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// Server is a Temporal server that runs for a test.
type Server struct {
	// URL is its address as cluster.Dial takes it, without a path:
	// temporal://127.0.0.1:PORT. The namespace "default" is there.
	URL string
	// Address is HOST:PORT.
	Address string

	binary string
	args   []string
	cmd    *exec.Cmd
	stdin  io.Closer
	stderr *bytes.Buffer
}

// Options says how a server runs. The zero value keeps state in memory.
type Options struct {
	// File keeps state in a file of the test's own directory, so that it
	// survives Kill and Restart.
	File bool
	// Args are further arguments, as "--set", "key=value".
	Args []string
}

// Start runs a server until the test ends. It returns when the server answers,
// in about a second. Where the binary cannot be had the test is skipped as NOT
// TESTED.
func Start(t testing.TB, o Options) *Server {
	t.Helper()
	binary, err := Binary()
	if err != nil {
		t.Skipf("NOT TESTED: with a Temporal server, as there is none: %v", err)
	}
	s := &Server{binary: binary, args: append([]string{"--tied"}, o.Args...)}
	if o.File {
		s.args = append(s.args, "--db", filepath.Join(t.TempDir(), "temporal.db"))
	}
	t.Cleanup(s.Kill)
	// Between finding free ports and listening on them another process may
	// take one.
	for try := range 3 {
		if err = s.start(); err == nil {
			return s
		}
		t.Logf("start %d of the server: %v", try+1, err)
	}
	t.Fatal(err)
	return nil
}

// Kill ends the server as a crash would, and returns when it is gone. It may
// be called when the server is down already.
func (s *Server) Kill() {
	if s.cmd == nil {
		return
	}
	_ = s.cmd.Process.Kill()
	_ = s.cmd.Wait()
	_ = s.stdin.Close()
	s.cmd = nil
}

// Restart starts a killed server again on the same port, with the state in its
// file if it has one.
func (s *Server) Restart(t testing.TB) {
	t.Helper()
	s.Kill()
	_, port, err := net.SplitHostPort(s.Address)
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Contains(s.args, "--port") {
		s.args = append(s.args, "--port", port)
	}
	for try := range 5 {
		if err = s.start(); err == nil {
			return
		}
		t.Logf("restart %d of the server: %v", try+1, err)
	}
	t.Fatal(err)
}

func (s *Server) start() error {
	cmd := exec.Command(s.binary, s.args...)
	s.stderr = new(bytes.Buffer)
	cmd.Stderr = s.stderr
	stdin, err := cmd.StdinPipe()
	if err != nil {
		return err
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	s.cmd, s.stdin = cmd, stdin
	late := time.AfterFunc(90*time.Second, func() { _ = cmd.Process.Kill() })
	defer late.Stop()
	line, err := bufio.NewReader(stdout).ReadString('\n')
	line = strings.TrimSpace(line)
	address, ok := strings.CutPrefix(line, "temporal://")
	if !ok {
		s.Kill()
		return fmt.Errorf("the server printed %q, not its address (%v): %s", line, err, s.stderr)
	}
	s.URL, s.Address = line, address
	return nil
}

// Binary is the path of the server. The first call of a process builds it if
// that was not done yet. WEFT_TESTSERVER names one that is there.
func Binary() (string, error) { return binary() }

var binary = sync.OnceValues(func() (string, error) {
	if path := os.Getenv("WEFT_TESTSERVER"); path != "" {
		return path, nil
	}
	_, here, _, ok := runtime.Caller(0)
	script := filepath.Join(filepath.Dir(here), "../../scripts/testserver")
	if _, err := os.Stat(script); !ok || err != nil {
		return "", fmt.Errorf("scripts/testserver is not beside this source: set WEFT_TESTSERVER to the path of a built one")
	}
	ctx, cancel := context.WithTimeout(context.Background(), 8*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, "bash", script)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("scripts/testserver: %w: %s", err, bytes.TrimSpace(stderr.Bytes()))
	}
	return strings.TrimSpace(string(out)), nil
})
