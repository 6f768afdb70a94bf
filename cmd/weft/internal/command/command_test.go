//go:build unix

package command

import (
	"bytes"
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// groups is a Guard that remembers what it was told.
type groups struct {
	mu          sync.Mutex
	added, gone []int
	startErr    error
	addErr      error
}

func (g *groups) Start() error { return g.startErr }

func (g *groups) Add(n int) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.added = append(g.added, n)
	return g.addErr
}

// first waits for the first group and returns it.
func (g *groups) first() int {
	for {
		g.mu.Lock()
		if len(g.added) > 0 {
			defer g.mu.Unlock()
			return g.added[0]
		}
		g.mu.Unlock()
		runtime.Gosched()
	}
}

func (g *groups) Drop(n int) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.gone = append(g.gone, n)
	return nil
}

type bundle struct {
	*Runner
	t        *testing.T
	guard    *groups
	sh       string
	out, err bytes.Buffer
}

func setup(t *testing.T, c Config) *bundle {
	t.Helper()
	sh, err := exec.LookPath("sh")
	if err != nil {
		t.Fatal(err)
	}
	b := &bundle{t: t, guard: &groups{}, sh: sh}
	c.Guard = b.guard
	b.Runner = New(c)
	t.Cleanup(func() {
		b.Close()
		if !slices.Equal(b.guard.added, b.guard.gone) {
			t.Errorf("groups %v began, %v ended", b.guard.added, b.guard.gone)
		}
		for _, g := range b.guard.added {
			if groupAlive(&os.Process{Pid: g}) {
				t.Errorf("something of group %d still runs", g)
			}
		}
	})
	return b
}

func (b *bundle) run(ctx context.Context, script string, timeout time.Duration) Result {
	b.out.Reset()
	b.err.Reset()
	return b.Run(ctx, Spec{
		Path: b.sh, Args: []string{"sh", "-c", script}, Env: os.Environ(),
		Stdout: &b.out, Stderr: &b.err, Timeout: timeout,
	})
}

func TestRun(t *testing.T) {
	t.Parallel()
	b := setup(t, Config{})
	res := b.run(t.Context(), "cat; echo out; echo err >&2; exit 3", 0)
	if res.Exit != 3 || res.Signal != "" || res.OK() || b.out.String() != "out\n" || b.err.String() != "err\n" {
		t.Errorf("%+v, %q, %q", res, b.out.String(), b.err.String())
	}
	if res.Wall <= 0 || res.CPU <= 0 || res.MaxRSS < 100<<10 || res.Start.IsZero() {
		t.Errorf("cost %+v", res)
	}
	if res := b.run(t.Context(), ":", 0); !res.OK() {
		t.Errorf("%+v", res)
	}
	if res := b.run(t.Context(), "kill -SEGV $$", 0); res.Signal != "SIGSEGV" || res.Exit != -1 || res.OK() {
		t.Errorf("%+v", res)
	}
	// Its group is its own.
	if res := b.run(t.Context(), "ps -o pgid= -p $$ | tr -d ' '; echo $$", 0); !res.OK() {
		t.Errorf("%+v", res)
	} else if f := strings.Fields(b.out.String()); len(f) != 2 || f[0] != f[1] {
		t.Errorf("%q", b.out.String())
	}
}

func TestTimeout(t *testing.T) {
	t.Parallel()
	b := setup(t, Config{Grace: 100 * time.Millisecond})
	for script, want := range map[string]string{
		"sleep 1000":                            "SIGTERM",
		"sleep 1000 & sleep 1000":               "SIGTERM",
		"trap '' TERM; while :; do :; done":     "SIGKILL",
		"trap 'exit 5' TERM; sleep 1000 & wait": "",
		"kill -STOP $$":                         "SIGTERM",
	} {
		res := b.run(t.Context(), script, 100*time.Millisecond)
		if !res.TimedOut || res.Signal != want || res.OK() {
			t.Errorf("%s: %+v", script, res)
		}
		if want == "" && res.Exit != 5 {
			t.Errorf("%s: %+v", script, res)
		}
	}
	if res := b.run(t.Context(), "echo quick", time.Minute); !res.OK() || res.TimedOut {
		t.Errorf("%+v", res)
	}
}

// started writes its pid once it runs, and waits.
func started(t *testing.T) (script string, wait func()) {
	t.Helper()
	fifo := filepath.Join(t.TempDir(), "fifo")
	if err := syscall.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	return "echo here > " + fifo + "; ", func() {
		if _, err := os.ReadFile(fifo); err != nil { // opens when the job does
			t.Error(err)
		}
	}
}

func TestCancel(t *testing.T) {
	t.Parallel()
	b := setup(t, Config{})
	script, wait := started(t)
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		wait()
		if n := b.Running(); n != 1 {
			t.Errorf("%d running", n)
		}
		cancel()
	}()
	res := b.run(ctx, script+"sleep 1000", 0)
	if !res.Stopped || res.Signal != "SIGTERM" || res.OK() || b.Running() != 0 {
		t.Errorf("%+v", res)
	}
	if res := b.run(ctx, "echo never", 0); !res.Stopped || b.out.Len() > 0 {
		t.Errorf("%+v", res)
	}
}

func TestKillNow(t *testing.T) {
	t.Parallel()
	b := setup(t, Config{Grace: time.Hour})
	script, wait := started(t)
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		wait()
		cancel()
		b.KillNow()
		b.KillNow()
	}()
	if res := b.run(ctx, "trap '' TERM; "+script+"while :; do :; done", 0); !res.Stopped || res.Signal != "SIGKILL" {
		t.Errorf("%+v", res)
	}
}

// TestLeftovers has commands leave something behind that holds their output
// open, or ignores SIGTERM, or both.
func TestLeftovers(t *testing.T) {
	t.Parallel()
	b := setup(t, Config{Linger: 50 * time.Millisecond, Grace: 100 * time.Millisecond})
	for _, script := range []string{
		"sleep 1000 & echo done",
		"sleep 1000 >/dev/null 2>&1 & echo done",
		"(trap '' TERM; while :; do sleep 1000; done) & echo done",
		"(sleep 1000 & sleep 1000) & sleep 1000 & echo done",
	} {
		if res := b.run(t.Context(), script, 0); !res.OK() || b.out.String() != "done\n" {
			t.Errorf("%s: %+v, %q", script, res, b.out.String())
		}
	}
}

// TestLastStage lets what is left finish its work if it is quick.
func TestLastStage(t *testing.T) {
	t.Parallel()
	b := setup(t, Config{Linger: time.Minute})
	fifo := filepath.Join(t.TempDir(), "fifo")
	if err := syscall.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	if res := b.run(t.Context(), "cat "+fifo+" & echo first; echo second > "+fifo, 0); !res.OK() || b.out.String() != "first\nsecond\n" {
		t.Errorf("%+v, %q", res, b.out.String())
	}
}

// failing is a writer that takes so many bytes.
type failing struct{ room int }

var errFull = errors.New("full")

func (f *failing) Write(p []byte) (int, error) {
	if f.room -= len(p); f.room < 0 {
		return 0, errFull
	}
	return len(p), nil
}

func TestOutputFails(t *testing.T) {
	t.Parallel()
	b := setup(t, Config{})
	res := b.Run(t.Context(), Spec{
		Path: b.sh, Args: []string{"sh", "-c", "trap '' PIPE; while :; do echo line; done"},
		Stdout: &failing{1000}, Stderr: &b.err,
	})
	if !errors.Is(res.OutputErr, errFull) || res.OK() || res.Signal != "SIGTERM" {
		t.Errorf("%+v", res)
	}
}

func TestMuchOutput(t *testing.T) {
	t.Parallel()
	b := setup(t, Config{})
	if res := b.run(t.Context(), "head -c 3000000 /dev/zero; head -c 2000000 /dev/zero >&2", 0); !res.OK() || b.out.Len() != 3000000 || b.err.Len() != 2000000 {
		t.Errorf("%+v, %d, %d", res, b.out.Len(), b.err.Len())
	}
}

func TestStartErrors(t *testing.T) {
	t.Parallel()
	b := setup(t, Config{})
	dir := t.TempDir()
	file := func(name, content string, mode os.FileMode) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(content), mode); err != nil {
			t.Fatal(err)
		}
		return path
	}
	for name, c := range map[string]struct {
		path string
		args []string
		code int
		want string
	}{
		"not there":      {filepath.Join(dir, "none"), nil, NotFound, "interpreter"},
		"no interpreter": {file("lost", "#!/no/such/interpreter\n", 0o700), nil, NotFound, "not the interpreter that its first line names; mend that line"},
		"no format":      {file("text", "echo hi\n", 0o700), nil, NotExecutable, "a script needs #!/bin/sh as its first line"},
		"not executable": {file("plain", "x", 0o600), nil, NotExecutable, "chmod +x"},
		"too long":       {b.sh, []string{"sh", "-c", ":", strings.Repeat("x", 4<<20)}, 0, "the item is longer than the system takes as an argument"},
	} {
		res := b.Run(t.Context(), Spec{Path: c.path, Args: append([]string{"x"}, c.args...), Stdout: &b.out, Stderr: &b.err})
		if res.StartErr == nil || res.OK() {
			t.Errorf("%s: started", name)
			continue
		}
		err, busy := Explain(c.path, res.StartErr)
		code := 0
		if nc, ok := errors.AsType[*NoCommandError](err); ok {
			code = nc.Code
		}
		if code != c.code || busy || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %d, %v", name, code, err)
		}
	}
	for _, errno := range []syscall.Errno{syscall.EAGAIN, syscall.EMFILE} {
		if err, busy := Explain("x", errno); !busy || !strings.Contains(err.Error(), "-j") {
			t.Errorf("%v", err)
		}
	}
}

func TestGuardFails(t *testing.T) {
	t.Parallel()
	b := setup(t, Config{})
	b.guard.startErr = errors.New("no more processes")
	res := b.run(t.Context(), "echo never", 0)
	if _, ok := errors.AsType[*GuardError](res.StartErr); !ok || b.out.Len() > 0 {
		t.Errorf("%+v", res)
	}
}

// stopped reports whether the system says that all of a process is stopped.
func stopped(pid int) bool {
	out, err := exec.Command("ps", "-o", "stat=", "-p", strconv.Itoa(pid)).Output()
	return err == nil && strings.HasPrefix(strings.TrimSpace(string(out)), "T")
}

// TestUnguarded goes on without a guard that has died, and says so.
func TestUnguarded(t *testing.T) {
	t.Parallel()
	b := setup(t, Config{})
	b.guard.addErr = syscall.EPIPE
	if res := b.run(t.Context(), "echo out", 0); !res.OK() || !errors.Is(b.Unguarded(), syscall.EPIPE) {
		t.Errorf("%+v, %v", res, b.Unguarded())
	}
}

func TestSuspend(t *testing.T) {
	t.Parallel()
	b := setup(t, Config{})
	script, wait := started(t)
	done := make(chan Result, 1)
	go func() { done <- b.run(t.Context(), script+"while :; do :; done", 0) }()
	wait()
	group := b.guard.first() // the script may be quicker than the guard is told
	b.Suspend()
	for !stopped(group) {
		runtime.Gosched()
	}
	b.Continue()
	for stopped(group) {
		runtime.Gosched()
	}
	_ = syscall.Kill(-group, syscall.SIGTERM)
	if res := <-done; res.Signal != "SIGTERM" {
		t.Errorf("%+v", res)
	}
}

func TestMany(t *testing.T) {
	t.Parallel()
	b := setup(t, Config{})
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 5 {
				var out bytes.Buffer
				res := b.Run(t.Context(), Spec{Path: b.sh, Args: []string{"sh", "-c", "echo $$"}, Stdout: &out, Stderr: &out})
				if !res.OK() || out.Len() == 0 {
					t.Errorf("%+v", res)
				}
			}
		})
	}
	wg.Wait()
	slices.Sort(b.guard.added)
	slices.Sort(b.guard.gone)
}

func TestLookup(t *testing.T) {
	dir := t.TempDir()
	t.Chdir(dir)
	t.Setenv("PATH", filepath.Join(dir, "bin")+string(filepath.ListSeparator)+os.Getenv("PATH"))
	for name, mode := range map[string]os.FileMode{"here": 0o700, "plain.txt": 0o600, "bin/frobnicate": 0o700, "bin/noexec": 0o600} {
		if err := os.MkdirAll(filepath.Dir(name), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte("#!/bin/sh\n"), mode); err != nil {
			t.Fatal(err)
		}
	}
	for name, c := range map[string]struct {
		code int
		want string
	}{
		"frobnicate":   {0, ""},
		"./here":       {0, ""},
		"frobnciate":   {NotFound, "no such command in PATH; did you mean frobnicate?"},
		"qqqqqqqqqqqq": {NotFound, "no such command in PATH; install it"},
		"here":         {NotFound, "to run it write ./here"},
		"./none":       {NotFound, "./none: there is no such file"},
		"./plain.txt":  {NotExecutable, "chmod +x ./plain.txt, or run it by its interpreter, as sh ./plain.txt"},
		"./bin":        {NotExecutable, "./bin is a directory"},
		"gzip -9":      {NotFound, `"gzip -9": there is no such command; write its words apart, as weft map -- gzip -9`},
		"source":       {NotFound, "weft map --shell -- 'source {}'"},
	} {
		path, err := Lookup(name)
		if c.code == 0 {
			if err != nil || path == "" {
				t.Errorf("%s: %v", name, err)
			}
			continue
		}
		nc, ok := errors.AsType[*NoCommandError](err)
		if !ok || nc.Code != c.code || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %d %q", name, err, c.code, c.want)
		}
	}
}
