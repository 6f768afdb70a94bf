package cluster_test

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/weft-go/weft/cluster"
	"github.com/weft-go/weft/internal/clustertest"
)

// roles are programs that this test binary can be, beside a worker.
var roles = map[string]func() int{}

const tiedVariable = "CLUSTER_TEST_TIED"

const roleVariable = "CLUSTER_TEST_ROLE"

func TestMain(m *testing.M) {
	if os.Getenv(tiedVariable) != "" {
		_ = os.Unsetenv(tiedVariable) // what it starts is tied to it otherwise
		// Ends with the test, however that ends.
		go func() {
			_, _ = io.Copy(io.Discard, os.Stdin)
			os.Exit(7)
		}()
	}
	cluster.Init()
	if name := os.Getenv(roleVariable); name != "" {
		f := roles[name]
		if f == nil {
			fmt.Fprintln(os.Stderr, "no such role:", name)
			os.Exit(9)
		}
		os.Exit(f())
	}
	code := m.Run()
	common.end()
	if code == 0 {
		if err := goleak.Find(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			code = 1
		}
	}
	os.Exit(code)
}

// common is the server that most tests share.
var common shared

type shared struct {
	testing.TB // of the test that was first
	once       sync.Once
	server     *clustertest.Server
	skipped    string
	cleanups   []func()
	dir        string
}

func (s *shared) Helper()                  {}
func (s *shared) Logf(f string, a ...any)  { fmt.Fprintf(os.Stderr, f+"\n", a...) }
func (s *shared) Cleanup(f func())         { s.cleanups = append(s.cleanups, f) }
func (s *shared) Fatal(a ...any)           { panic(fmt.Sprint(a...)) }
func (s *shared) Skipf(f string, a ...any) { s.skipped = fmt.Sprintf(f, a...) }

func (s *shared) end() {
	for _, f := range s.cleanups {
		f()
	}
	if s.dir != "" {
		_ = os.RemoveAll(s.dir)
	}
}

// theServer returns the shared server, started at the first call.
func theServer(t *testing.T) *clustertest.Server {
	t.Helper()
	common.once.Do(func() {
		if _, err := clustertest.Binary(); err != nil {
			common.skipped = fmt.Sprintf("NOT TESTED: with a Temporal server, as there is none: %v", err)
			return
		}
		common.server = clustertest.Start(&common, clustertest.Options{})
	})
	if common.skipped != "" {
		t.Skip(common.skipped)
	}
	return common.server
}

// bundle is a queue with workers, and a way to it.
type bundle struct {
	t       *testing.T
	server  *clustertest.Server
	url     string
	workers []*process
	mu      sync.Mutex
}

var queues struct {
	sync.Mutex
	n int
}

// newBundle makes a queue of its own with a store in a directory.
func newBundle(t *testing.T, s *clustertest.Server) *bundle {
	t.Helper()
	queues.Lock()
	queues.n++
	n := queues.n
	queues.Unlock()
	dir := t.TempDir()
	return &bundle{t: t, server: s, url: fmt.Sprintf("%s/default?queue=q%d&store=file://%s", s.URL, n, filepath.ToSlash(dir))}
}

// process is a worker process.
type process struct {
	cmd  *exec.Cmd
	out  *lines
	dead chan struct{}
}

// lines is what a process has printed.
type lines struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lines) Write(p []byte) (int, error) {
	if os.Getenv("CLUSTER_TEST_ECHO") != "" {
		_, _ = os.Stderr.Write(p)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// start starts a worker process and returns when it has joined.
func (b *bundle) start(args ...string) *process {
	b.t.Helper()
	p := b.launch(args...)
	b.await(p)
	return p
}

func (b *bundle) launch(args ...string) *process {
	b.t.Helper()
	p, err := begin(append(append([]string{"weft-worker"}, args...), b.url), nil)
	if err != nil {
		b.t.Fatal(err)
	}
	b.watch(p)
	b.mu.Lock()
	b.workers = append(b.workers, p)
	b.mu.Unlock()
	return p
}

// watch ends the process with the test, and shows what it printed if that failed.
func (b *bundle) watch(p *process) {
	b.t.Cleanup(func() {
		p.kill()
		if b.t.Failed() {
			b.t.Logf("a process printed:\n%s", p.out)
		}
		if strings.Contains(p.out.String(), "DATA RACE") {
			b.t.Errorf("a process has a data race:\n%s", p.out)
		}
	})
}

// begin starts this test binary as another program, tied to this process.
func begin(args, env []string) (*process, error) {
	p := &process{out: &lines{}, dead: make(chan struct{})}
	p.cmd = exec.Command(os.Args[0], args...)
	p.cmd.Stdout, p.cmd.Stderr = p.out, p.out
	p.cmd.Env = append(append(os.Environ(), tiedVariable+"=1"), env...)
	in, err := p.cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	if err := p.cmd.Start(); err != nil {
		return nil, err
	}
	go func() {
		_ = p.cmd.Wait()
		_ = in.Close()
		close(p.dead)
	}()
	return p, nil
}

func (b *bundle) await(p *process) {
	b.t.Helper()
	until(b.t, "the worker has joined", func() bool {
		select {
		case <-p.dead:
			b.t.Fatalf("the worker ended:\n%s", p.out)
		default:
		}
		return strings.Contains(p.out.String(), " joined ")
	})
}

// keep starts a worker again whenever it has ended, as a supervisor would.
func (b *bundle) keep(n int, args ...string) {
	b.t.Helper()
	var ps []*process
	for range n {
		ps = append(ps, b.start(args...))
	}
	stop := make(chan struct{})
	var wg sync.WaitGroup
	b.t.Cleanup(func() { close(stop); wg.Wait() })
	for _, p := range ps {
		wg.Go(func() {
			for {
				select {
				case <-stop:
					p.kill()
					return
				case <-p.dead:
				}
				select {
				case <-stop:
					return
				default:
				}
				var err error
				if p, err = begin(append(append([]string{"weft-worker"}, args...), b.url), nil); err != nil {
					b.t.Error(err)
					return
				}
			}
		})
	}
}

func (p *process) kill() {
	_ = p.cmd.Process.Kill()
	<-p.dead
}

// dial connects to the bundle's queue.
func (b *bundle) dial(cfg ...cluster.Config) *cluster.Cluster {
	b.t.Helper()
	var one cluster.Config
	if len(cfg) > 0 {
		one = cfg[0]
	}
	if one.Warnings == nil {
		one.Warnings = io.Discard
	}
	c, err := cluster.Dial(b.t.Context(), b.url, one)
	if err != nil {
		b.t.Fatal(err)
	}
	b.t.Cleanup(func() { _ = c.Close() })
	return c
}

// until polls, as other processes can't be waited for.
func until(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(60 * time.Second); !ok(); {
		if time.Now().After(deadline) {
			t.Fatalf("after a minute it is not so that %s", what)
		}
		time.Sleep(5 * time.Millisecond)
	}
}

func ints(n int) []int {
	s := make([]int, n)
	for i := range s {
		s[i] = i
	}
	return s
}
