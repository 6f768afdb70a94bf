//go:build linux

package proc_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"reflect"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/weft-go/weft"
	"github.com/weft-go/weft/internal/budget"
	"github.com/weft-go/weft/proc"
	"github.com/weft-go/weft/shm"
)

func start(t testing.TB, cfg proc.Config) *proc.Pool {
	t.Helper()
	if cfg.Stderr == nil {
		cfg.Stderr = io.Discard
	}
	p, err := proc.Start(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = p.Close() })
	return p
}

func numbers(n int) []int {
	s := make([]int, n)
	for i := range s {
		s[i] = i
	}
	return s
}

// isolated keeps tiny items where they are sent.
var isolated = weft.Require(weft.Isolation)

// eventually polls: what it waits for happens in the kernel or in another
// process.
func eventually(t *testing.T, within time.Duration, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(within); !ok(); {
		if time.Now().After(deadline) {
			t.Fatalf("not within %v: %s", within, what)
		}
		time.Sleep(2 * time.Millisecond)
	}
}

func alive(pid int) bool {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return false
	}
	_, rest, _ := bytes.Cut(b, []byte(") "))
	return len(rest) > 0 && rest[0] != 'Z' && rest[0] != 'X'
}

// output collects what workers print.
type output struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (o *output) Write(b []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.buf.Write(b)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.buf.String()
}

func TestRunsInItsProcesses(t *testing.T) {
	t.Parallel()
	p := start(t, proc.Config{Workers: 2})
	got, err := weft.Map(t.Context(), numbers(10_000), square, weft.On(p), isolated)
	if err != nil || got[9999] != 9999*9999 {
		t.Fatal(got[9999], err)
	}
	pids, err := weft.Map(t.Context(), numbers(100), pid, weft.On(p))
	if err != nil {
		t.Fatal(err)
	}
	if slices.Contains(pids, os.Getpid()) || !slices.Contains(p.PIDs(), pids[0]) {
		t.Errorf("%v: not run in the pool's processes %v", pids, p.PIDs())
	}
}

func TestConfigIsChecked(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		cfg  proc.Config
		want string
	}{
		{proc.Config{Workers: 5000}, "Workers is 5000"},
		{proc.Config{MaxTasks: -1}, "MaxTasks is -1"},
		{proc.Config{MemoryLimit: -1}, "MemoryLimit is -1"},
		{proc.Config{MemoryLimit: 1000}, "give at least"},
		{proc.Config{TaskTimeout: -1}, "TaskTimeout is -1ns"},
		{proc.Config{IdleTimeout: -1}, "IdleTimeout is -1ns"},
		{proc.Config{Nice: 20}, "Nice is 20"},
		{proc.Config{ShareFrom: -2}, "ShareFrom is -2"},
		{proc.Config{Env: []string{"novalue"}}, "entries are KEY=value"},
		{proc.Config{Dir: "/does/not/exist"}, "no such file"},
		{proc.Config{Dir: "/proc/self/status"}, "is no directory"},
		{proc.Config{Setup: func(context.Context) error { return nil }}, "closure"},
		{proc.Config{Setup: notRegistered}, "var _ = weft.Register(notRegistered)"},
	} {
		p, err := proc.Start(t.Context(), c.cfg)
		if err == nil {
			_ = p.Close()
		}
		if err == nil || !strings.Contains(err.Error(), c.want) || !strings.HasPrefix(err.Error(), "proc: Start: ") {
			t.Errorf("%+v: %v", c.cfg, err)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := proc.Start(ctx, proc.Config{}); !errors.Is(err, context.Canceled) {
		t.Errorf("a context that is over: %v", err)
	}
}

func notRegistered(context.Context) error { return nil }

func TestSetup(t *testing.T) {
	t.Parallel()
	p := start(t, proc.Config{Workers: 1, Setup: setup, Env: []string{"PROC_TEST_X=7"}, Dir: "/usr", Nice: 5})
	got, err := weft.Map(t.Context(), []string{"setup", "PROC_TEST_X", "cwd", "nice", "WEFT_PROC_WORKER"}, environment, weft.On(p))
	mine, _ := environment(t.Context(), "nice")
	n, _ := strconv.Atoi(mine)
	if want := []string{"true", "7", "/usr", strconv.Itoa(min(19, n+5)), ""}; err != nil || !slices.Equal(got, want) {
		t.Errorf("%q, %v", got, err)
	}
	for f, want := range map[*func(context.Context) error]string{
		ptr(badSetup): "no licence server", ptr(panickySetup): "no setup today",
	} {
		p, err := proc.Start(t.Context(), proc.Config{Workers: 2, Setup: *f, Stderr: io.Discard})
		if err == nil {
			_ = p.Close()
		}
		if err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "the setup ") {
			t.Errorf("%v", err)
		}
	}
}

func ptr(f func(context.Context) error) *func(context.Context) error { return &f }

func TestMaxTasks(t *testing.T) {
	t.Parallel()
	p := start(t, proc.Config{Workers: 2, MaxTasks: 7})
	pids, err := weft.Map(t.Context(), numbers(200), pid, weft.On(p), isolated)
	if err != nil {
		t.Fatal(err)
	}
	count := map[int]int{}
	for _, pid := range pids {
		count[pid]++
	}
	for pid, n := range count {
		if n > 7 {
			t.Errorf("process %d ran %d items", pid, n)
		}
	}
}

func TestIdleWorkersEnd(t *testing.T) {
	t.Parallel()
	p := start(t, proc.Config{Workers: 2, IdleTimeout: 20 * time.Millisecond})
	pids := p.PIDs()
	eventually(t, 10*time.Second, "idle workers end", func() bool {
		return len(p.PIDs()) == 0 && !slices.ContainsFunc(pids, alive)
	})
	if got, err := weft.Map(t.Context(), numbers(10), square, weft.On(p)); err != nil || got[9] != 81 {
		t.Errorf("and come back: %v, %v", got, err)
	}
}

func TestClose(t *testing.T) {
	t.Parallel()
	p := start(t, proc.Config{Workers: 2})
	pids := p.PIDs()
	errs := make(chan error, 1)
	out := t.TempDir()
	go func() {
		_, err := weft.Map(t.Context(), []do{{What: "mark", Dir: out}, {What: "hang"}}, act, weft.On(p), weft.Chunk(1))
		errs <- err
	}()
	eventually(t, 10*time.Second, "the first item runs", func() bool {
		m, _ := os.ReadDir(out)
		return len(m) > 0
	})
	var wg sync.WaitGroup
	for range 3 {
		wg.Go(func() { _ = p.Close() })
	}
	wg.Wait()
	if slices.ContainsFunc(pids, alive) || len(p.PIDs()) > 0 {
		t.Error("a process is left after Close")
	}
	if err := <-errs; !errors.Is(err, proc.ErrClosed) {
		t.Errorf("the run that was cut off: %v", err)
	}
	if _, err := weft.Map(t.Context(), numbers(3), square, weft.On(p)); !errors.Is(err, proc.ErrClosed) {
		t.Errorf("a run on a closed pool: %v", err)
	}
	if err := p.Close(); err != nil {
		t.Error(err)
	}
}

func TestPoolEndsWithItsContext(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancelCause(t.Context())
	p, err := proc.Start(ctx, proc.Config{Workers: 1, Stderr: io.Discard})
	if err != nil {
		t.Fatal(err)
	}
	pids := p.PIDs()
	cancel(errors.New("the server stops"))
	eventually(t, 10*time.Second, "the workers end", func() bool { return !slices.ContainsFunc(pids, alive) })
	if _, err := weft.Map(t.Context(), numbers(3), square, weft.On(p)); !errors.Is(err, proc.ErrClosed) || !strings.Contains(err.Error(), "the server stops") {
		t.Errorf("%v", err)
	}
	_ = p.Close()
}

// An item that does not watch its context is ended with its process.
func TestCancelEndsWhatDoesNotListen(t *testing.T) {
	t.Parallel()
	p := start(t, proc.Config{Workers: 1})
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := weft.Map(ctx, []do{{What: "hang"}}, act, weft.On(p)); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("%v", err)
	}
	if _, err := weft.Map(t.Context(), []do{{What: "hang"}, {N: 3}}, act, weft.On(p), weft.Timeout(50*time.Millisecond), weft.KeepGoing()); err == nil || !strings.Contains(err.Error(), "timed out after 50ms and did not end") {
		t.Errorf("%v", err)
	}
}

func TestOutput(t *testing.T) {
	t.Parallel()
	var out, errOut output
	p := start(t, proc.Config{Workers: 1, Stdout: &out, Stderr: &errOut})
	if _, err := weft.Map(t.Context(), []do{{What: "say"}, {What: "say"}}, act, weft.On(p)); err != nil {
		t.Fatal(err)
	}
	_ = p.Close()
	if got, want := out.String(), "worker 1: to stdout\nworker 1: to stdout\n"; got != want {
		t.Errorf("stdout: %q", got)
	}
	if got, want := errOut.String(), "worker 1: to stderr\nworker 1: no end of lineto stderr\nworker 1: no end of line\n"; got != want {
		t.Errorf("stderr: %q", got)
	}
}

// A GiB that a worker prints ends up as little more than the MiB it may.
func TestOutputIsBounded(t *testing.T) {
	t.Parallel()
	var out output
	p := start(t, proc.Config{Workers: 1, Stdout: &out})
	if got, err := weft.Map(t.Context(), []do{{What: "print", N: 1 << 20}}, act, weft.On(p)); err != nil || got[0] != 1<<20 {
		t.Fatal(got, err)
	}
	_ = p.Close()
	if n := len(out.String()); n > 4<<20 || n < 1<<20 {
		t.Errorf("%d bytes arrived", n)
	}
	if !strings.Contains(out.String(), "bytes left out") {
		t.Error("nothing says that something is missing")
	}
}

// The same large argument travels once to each worker.
func TestSharedArgumentTravelsOnce(t *testing.T) {
	t.Parallel()
	p := start(t, proc.Config{Workers: 2})
	tab := &table{Rows: make([][]int, 200)}
	for i := range tab.Rows {
		tab.Rows[i] = slices.Repeat([]int{i}, 2000)
	}
	items := make([]row, len(tab.Rows))
	for i := range items {
		items[i] = row{tab, i}
	}
	var rep weft.Report
	got, err := weft.Map(t.Context(), items, rowSum, weft.On(p), weft.Chunk(1), isolated, weft.ReportTo(&rep))
	if err != nil {
		t.Fatal(err)
	}
	for i, v := range got {
		if v != i*2000 {
			t.Fatalf("row %d: %d", i, v)
		}
	}
	if b := rep.Plan.Measured.EncodedBytes; b > 1000 {
		t.Errorf("%d bytes an item: the table of 3.2 MB travels more than once", b)
	}
}

func TestLargeSlicesAreShared(t *testing.T) {
	t.Parallel()
	numbers := make([]float64, 1<<20)
	want := 0.0
	for i := range numbers {
		numbers[i] = float64(i)
		want += float64(i)
	}
	items := make([]part, 16)
	for i := range items {
		items[i] = part{numbers, i << 16, (i + 1) << 16}
	}
	for _, from := range []int{0, -1} {
		p := start(t, proc.Config{Workers: 2, ShareFrom: from})
		var rep weft.Report
		got, err := weft.Map(t.Context(), items, sumNumbers, weft.On(p), weft.Chunk(1), isolated, weft.ReportTo(&rep))
		if err != nil {
			t.Fatal(err)
		}
		sum := 0.0
		for _, v := range got {
			sum += v
		}
		if sum != want || numbers[0] != 0 {
			t.Errorf("ShareFrom %d: sum %v, want %v; first %v", from, sum, want, numbers[0])
		}
		if small := rep.Plan.Measured.EncodedBytes < 1000; small != (from == 0) {
			t.Errorf("ShareFrom %d: %d bytes an item", from, rep.Plan.Measured.EncodedBytes)
		}
		_ = p.Close()
	}
}

func TestHandlesCross(t *testing.T) {
	t.Parallel()
	p := start(t, proc.Config{Workers: 2})
	data, err := shm.Make[float64](1000)
	if err != nil {
		t.Fatal(err)
	}
	defer data.Close() //nolint:errcheck // closed below as well
	for i := range data.Slice() {
		data.Slice()[i] = float64(i)
	}
	items := make([]sharedPart, 10)
	for i := range items {
		items[i] = sharedPart{data.Handle(shm.ReadOnly), i * 100, (i + 1) * 100}
	}
	got, err := weft.Map(t.Context(), items, sharedSum, weft.On(p), weft.Chunk(1))
	if err != nil || got[9] != 94950 {
		t.Fatal(got, err)
	}
	if err := data.Close(); err != nil {
		t.Fatal(err)
	}
	_, err = weft.Map(t.Context(), items[:1], sharedSum, weft.On(p))
	if err == nil || !strings.Contains(err.Error(), "item 0") {
		t.Errorf("a handle of what was closed: %v", err)
	}
	made, err := weft.Map(t.Context(), []int{5000}, makeShared, weft.On(p))
	if err != nil {
		t.Fatal(err)
	}
	back, err := made[0].Open()
	if err != nil {
		t.Fatal(err)
	}
	if back.Slice()[4999] != 4999 {
		t.Error(back.Slice()[4999])
	}
	if err := back.Close(); err != nil {
		t.Error(err)
	}
	_ = shm.Forget(made[0].Ref().ID())
}

// Where handing an item over costs more than it does, the rest stays here,
// unless that is forbidden.
func TestDearEncodingStaysHere(t *testing.T) {
	t.Parallel()
	p := start(t, proc.Config{Workers: 2})
	items := make([]fat, 200_000)
	for i := range items {
		items[i] = fat{A: map[string]int{"a": i, "b": 1}, B: []string{"x", "y", "z"}}
	}
	var rep weft.Report
	got, err := weft.Map(t.Context(), items, thin, weft.On(p), weft.ReportTo(&rep))
	if err != nil || got[199_999] != 199_999 {
		t.Fatal(err)
	}
	if !strings.Contains(rep.String(), "the rest stays in goroutines") || rep.Plan.Measured.EncodeNanos <= 0 || rep.Plan.Mode == "2 processes" {
		t.Errorf("%s", rep)
	}
	items = items[:100_000]
	if _, err := weft.Map(t.Context(), items, thin, weft.On(p), weft.ReportTo(&rep), isolated); err != nil {
		t.Fatal(err)
	}
	if rep.Plan.Mode != "2 processes" {
		t.Errorf("%s", rep)
	}
}

type fat struct {
	A map[string]int
	B []string
}

var _ = weft.Register(thin)

func thin(_ context.Context, f fat) (int, error) { return f.A["a"], nil }

// Pools in workers, to any depth, share the CPUs, and nothing is left.
func TestNestedPools(t *testing.T) {
	t.Parallel()
	p := start(t, proc.Config{Workers: 2})
	got, err := weft.Map(t.Context(), []int{3, 3}, nestedPool, weft.On(p), weft.Chunk(1))
	if err != nil {
		t.Fatal(err)
	}
	cpus := runtime.GOMAXPROCS(0)
	for _, pids := range got {
		// A worker's share is a part of the CPUs, that of its workers no more.
		if most := 3 * max(1, cpus/2); len(pids) > most {
			t.Errorf("3 levels of pools have %d processes on %d CPUs", len(pids), cpus)
		}
		if slices.ContainsFunc(pids, alive) {
			t.Error("a process of a nested pool is left")
		}
	}
}

// A busy worker holds one of this process's CPU slots, an idle one none.
func TestBudget(t *testing.T) {
	before := budget.Shared.Used()
	p := start(t, proc.Config{Workers: 2})
	dir := t.TempDir()
	done := make(chan error, 1)
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		_, err := weft.Map(ctx, []do{{What: "once", Dir: dir, N: 1}, {What: "wait"}, {What: "wait"}}, act, weft.On(p), weft.Retry(2), weft.Chunk(1))
		done <- err
	}()
	eventually(t, 10*time.Second, "two slots in use", func() bool { return budget.Shared.Used() == before+2 })
	cancel()
	<-done
	eventually(t, 10*time.Second, "no slot in use", func() bool { return budget.Shared.Used() == before })
}

func TestExecutorOfAnotherShape(t *testing.T) {
	t.Parallel()
	p := start(t, proc.Config{Workers: 1})
	f, err := weft.Registered(setup)
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Run(t.Context(), &weft.Batch{Func: f, Items: reflect.ValueOf([]int{1})}); err == nil {
		t.Error("a setup is no function for items")
	}
}

func TestDeathErrorText(t *testing.T) {
	t.Parallel()
	e := &proc.DeathError{Worker: "worker 3", PID: 77, Index: 5, Input: "0a0b", Signal: syscall.SIGKILL, ExitCode: -1, PeakRSS: 5 << 20, Stderr: []string{"a", "b"}, Deaths: 2}
	want := "the process of worker 3 (pid 77) was ended by SIGKILL (out of memory, or somebody's kill -9) while it ran item 5 (input 0a0b), the second time: the item is given up; it held up to 5.0 MiB; last lines of its stderr:\n\ta\n\tb"
	if e.Error() != want {
		t.Errorf("%s", e)
	}
	e = &proc.DeathError{Worker: "w", PID: 1, ExitCode: 3}
	if e.Error() != "the process of w (pid 1) exited with code 3 while it ran item 0" || errors.Is(e, weft.ErrPermanent) || !errors.Is(e, weft.ErrLost) {
		t.Errorf("%s", e)
	}
}
