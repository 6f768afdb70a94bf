//go:build linux

package proc_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/weft-go/weft"
	"github.com/weft-go/weft/proc"
)

// soak is set for the long forms of these tests.
var soak = os.Getenv("WEFT_SOAK") != ""

// wantDeath runs one item that ends its worker among others, and returns the
// certificate.
func wantDeath(t *testing.T, p *proc.Pool, bad do, opts ...weft.MapOption) *proc.DeathError {
	t.Helper()
	items := make([]do, 40)
	for i := range items {
		items[i].N = i
	}
	items[23] = bad
	got, err := weft.Map(t.Context(), items, act, append([]weft.MapOption{weft.On(p), weft.KeepGoing()}, opts...)...)
	all, ok := err.(interface{ Unwrap() []error })
	if !ok || len(all.Unwrap()) != 1 {
		t.Fatalf("%+v: want one failure: %v", bad, err)
	}
	ie, _ := errors.AsType[*weft.ItemError](err)
	d, ok := errors.AsType[*proc.DeathError](err)
	if !ok || ie.Index != 23 || d.Index != 23 || !errors.Is(err, weft.ErrLost) {
		t.Fatalf("%+v: want the death of item 23: %v", bad, err)
	}
	for i, v := range got {
		if i != 23 && v != i {
			t.Errorf("%+v: item %d: %d", bad, i, v)
		}
	}
	return d
}

func TestDeaths(t *testing.T) {
	t.Parallel()
	p := start(t, proc.Config{Workers: 2})
	last := ""
	for _, chunk := range []int{1, 40} {
		opt := weft.Chunk(chunk)
		d := wantDeath(t, p, do{What: "kill"}, opt)
		if d.Signal != syscall.SIGKILL || d.ExitCode != -1 || !slices.Contains(d.Stderr, "about to die") || d.PeakRSS < 1<<20 || d.PID == 0 || len(d.Input) != 12 || d.Input != last && last != "" {
			t.Errorf("%#v, input %q before", d, last)
		}
		last = d.Input
		// One of many is run once more by itself, to make sure; of short items
		// sent one by one several may be under way at a worker too.
		if d.Deaths != 2 && (chunk > 1 || d.Deaths != 1) {
			t.Errorf("in chunks of %d: %d deaths", chunk, d.Deaths)
		}
		if d := wantDeath(t, p, do{What: "abort"}, opt); d.ExitCode != 2 && d.Signal != syscall.SIGABRT {
			t.Errorf("%#v", d)
		}
		if d := wantDeath(t, p, do{What: "exit", N: 7}, opt); d.ExitCode != 7 || d.Signal != 0 {
			t.Errorf("%#v", d)
		}
		if d := wantDeath(t, p, do{What: "fatal"}, opt); d.ExitCode != 1 || !slices.Contains(d.Stderr, "this is the end") {
			t.Errorf("%#v", d)
		}
		if d := wantDeath(t, p, do{What: "throw"}, opt); d.ExitCode != 2 || !slices.Contains(d.Stderr, "fatal error: sync: unlock of unlocked mutex") {
			t.Errorf("%#v", d)
		}
		if d := wantDeath(t, p, do{What: "garbage"}, opt); !strings.Contains(d.Error(), "not of this protocol") {
			t.Errorf("%v", d)
		}
		wantDeath(t, p, do{What: "close"}, opt)
	}
}

func TestTaskTimeout(t *testing.T) {
	t.Parallel()
	p := start(t, proc.Config{Workers: 2, TaskTimeout: 150 * time.Millisecond})
	d := wantDeath(t, p, do{What: "hang"}, weft.Chunk(40))
	if !strings.Contains(d.Error(), "(TaskTimeout)") || d.Ran < 150*time.Millisecond || d.Deaths != 1 {
		t.Errorf("%v", d)
	}
	wantDeath(t, p, do{What: "busy", N: 60_000})
	// Items that end in time are left alone, however many there are.
	items := slices.Repeat([]do{{What: "busy", N: 20}}, 30)
	if _, err := weft.Map(t.Context(), items, act, weft.On(p), weft.Chunk(15)); err != nil {
		t.Error(err)
	}
}

func TestMemoryLimit(t *testing.T) {
	t.Parallel()
	p := start(t, proc.Config{Workers: 2, MemoryLimit: 200 << 20})
	d := wantDeath(t, p, do{What: "memory", N: 2000})
	if !strings.Contains(d.Error(), "(MemoryLimit)") || d.PeakRSS < 100<<20 || d.PeakRSS > 600<<20 {
		t.Errorf("%v", d)
	}
	if got, err := weft.Map(t.Context(), []do{{What: "memory", N: 50}}, act, weft.On(p)); err != nil || got[0] != 50 {
		t.Errorf("below the limit: %v, %v", got, err)
	}
}

// A process that is stopped neither runs nor answers.
func TestStoppedWorker(t *testing.T) {
	t.Parallel()
	p := start(t, proc.WithQuiet(proc.Config{Workers: 2}, 300*time.Millisecond))
	d := wantDeath(t, p, do{What: "stop"})
	if !strings.Contains(d.Error(), "has not answered") {
		t.Errorf("%v", d)
	}
	// Stopped from outside, while it has nothing to do: it does not read what it
	// is sent, more than fits the socket.
	for _, pid := range p.PIDs() {
		if err := syscall.Kill(pid, syscall.SIGSTOP); err != nil {
			t.Fatal(err)
		}
	}
	items := slices.Repeat([]do{{Dir: strings.Repeat("x", 100_000)}}, 40)
	if _, err := weft.Map(t.Context(), items, act, weft.On(p), weft.Chunk(20), isolated); err != nil {
		t.Errorf("nothing had begun, so nothing fails: %v", err)
	}
}

func TestRetryAfterDeath(t *testing.T) {
	t.Parallel()
	p := start(t, proc.Config{Workers: 2})
	items := make([]do, 30)
	for i := range items {
		items[i] = do{N: i}
	}
	dir := t.TempDir()
	items[4] = do{What: "once", N: 4, Dir: dir}
	items[20] = do{What: "once", N: 20, Dir: dir}
	got, err := weft.Map(t.Context(), items, act, weft.On(p), weft.Retry(2), weft.Chunk(1))
	if err != nil || got[4] != 4 || got[20] != 20 {
		t.Errorf("%v, %v", got, err)
	}
	// In a chunk the suspect has its second run in any case.
	items[4].Dir, items[20].Dir = t.TempDir(), t.TempDir()
	if got, err = weft.Map(t.Context(), items, act, weft.On(p), weft.Chunk(30)); err != nil || got[4] != 4 {
		t.Errorf("%v, %v", got, err)
	}
}

// What a worker started goes with it.
func TestChildrenOfWorkersEnd(t *testing.T) {
	t.Parallel()
	p := start(t, proc.Config{Workers: 1})
	got, err := weft.Map(t.Context(), []do{{What: "child"}}, act, weft.On(p))
	if err != nil {
		t.Fatal(err)
	}
	if !alive(got[0]) {
		t.Fatal("it should run still")
	}
	_ = p.Close()
	eventually(t, 10*time.Second, "the worker's child ends", func() bool { return !alive(got[0]) })
}

// J1: runs of 300 tiny items, with workers killed at any moment: each ends, every
// result is right, and what failed is named.
func TestRandomKills(t *testing.T) {
	runs := 40
	if soak {
		runs = 10_000
	}
	p := start(t, proc.Config{Workers: 2})
	stop := make(chan struct{})
	var wg sync.WaitGroup
	kills := 0
	wg.Go(func() {
		for {
			select {
			case <-stop:
				return
			case <-time.After(time.Duration(rand.IntN(8000)) * time.Microsecond): // a random moment is what is tested
			}
			if pids := p.PIDs(); len(pids) > 0 {
				_ = syscall.Kill(pids[rand.IntN(len(pids))], syscall.SIGKILL)
				kills++
			}
		}
	})
	defer func() {
		close(stop)
		wg.Wait()
		t.Logf("%d workers killed in %d runs", kills, runs)
	}()
	lost, longest := 0, time.Duration(0)
	for range runs {
		begun := time.Now()
		got, err := weft.Map(t.Context(), numbers(300), square, weft.On(p), weft.KeepGoing(), isolated)
		longest = max(longest, time.Since(begun))
		failed := map[int]bool{}
		if err != nil {
			all, ok := err.(interface{ Unwrap() []error })
			if !ok {
				t.Fatal(err)
			}
			for _, e := range all.Unwrap() {
				ie, ok := errors.AsType[*weft.ItemError](e)
				if !ok || !errors.Is(e, weft.ErrLost) {
					t.Fatalf("not the loss of an item: %v", e)
				}
				failed[ie.Index] = true
			}
		}
		lost += len(failed)
		for i, v := range got {
			if !failed[i] && v != i*i {
				t.Fatalf("item %d: %d", i, v)
			}
		}
	}
	t.Logf("%d items of %d lost; the longest run took %v", lost, 300*runs, longest)
	if longest > 20*time.Second {
		t.Errorf("a run took %v", longest)
	}
}

// Workers come and go while items run.
func TestMaxTasksUnderLoad(t *testing.T) {
	n := 2000
	if soak {
		n = 1_000_000
	}
	p := start(t, proc.Config{Workers: 2, MaxTasks: 100})
	got, err := weft.Map(t.Context(), numbers(n), square, weft.On(p), isolated)
	if err != nil {
		t.Fatal(err)
	}
	for i, v := range got {
		if v != i*i {
			t.Fatalf("item %d: %d", i, v)
		}
	}
}

// M4: submits without end, more than any queue holds. What is under way stays
// bounded, here and in the workers.
func TestManySubmits(t *testing.T) {
	n := 200_000
	if soak {
		n = 10_000_000
	}
	p := start(t, proc.Config{Workers: 2})
	for _, c := range []struct {
		name string
		n    int
		opts []weft.StreamOption
	}{
		{"in chunks", n, nil},
		{"one by one", n / 10, []weft.StreamOption{weft.Chunk(1)}},
	} {
		t.Run(c.name, func(t *testing.T) {
			var read, done, ahead atomic.Int64
			items := func(yield func(int) bool) {
				for i := range c.n {
					if n := read.Add(1) - done.Load(); n > ahead.Load() {
						ahead.Store(n)
					}
					if !yield(i) {
						return
					}
				}
			}
			runtime.GC()
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			peak := uint64(0)
			next := 0
			for v, err := range weft.Stream(t.Context(), items, square, append(c.opts, weft.On(p), isolated)...) {
				if err != nil || v != next*next {
					t.Fatalf("item %d: %d, %v", next, v, err)
				}
				done.Add(1)
				if next++; next%(c.n/20) == 0 {
					runtime.ReadMemStats(&after)
					peak = max(peak, after.HeapAlloc)
				}
			}
			if next != c.n {
				t.Errorf("%d of %d items", next, c.n)
			}
			t.Logf("at most %d items under way, %d KiB more here than before", ahead.Load(), (int64(peak)-int64(before.HeapAlloc))>>10)
			if ahead.Load() > 50_000 {
				t.Errorf("%d items were under way", ahead.Load())
			}
			if more := int64(peak) - int64(before.HeapAlloc); more > 64<<20 {
				t.Errorf("%d MiB more than before", more>>20)
			}
			for _, pid := range p.PIDs() {
				if b := residentOf(t, pid); b > 128<<20 {
					t.Errorf("a worker holds %d MiB", b>>20)
				}
			}
		})
	}
}

// residentOf is the memory that a process holds, in bytes.
func residentOf(t *testing.T, pid int) int64 {
	t.Helper()
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/statm", pid))
	if err != nil {
		t.Fatal(err)
	}
	pages, err := strconv.ParseInt(strings.Fields(string(b))[1], 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	return pages * int64(os.Getpagesize())
}

// program starts this test binary as another program.
func program(t *testing.T, name string, env ...string) (*exec.Cmd, *bufio.Scanner) {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(append(os.Environ(), role+"="+name), env...)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	return cmd, bufio.NewScanner(out)
}

func init() {
	// hold runs items that never end in a pool, and pools below it.
	roles["hold"] = func() int {
		p, err := proc.Start(context.Background(), proc.Config{Workers: 2, Stderr: io.Discard})
		if err != nil {
			fmt.Println("error:", err)
			return 1
		}
		fmt.Println(p.PIDs())
		_, err = weft.Map(context.Background(), []int{3, 0, 3, 0}, holdBelow, weft.On(p), weft.Chunk(1))
		fmt.Println("error:", err)
		return 1
	}
	roles["noinit"] = func() int {
		_, err := proc.Start(context.Background(), proc.Config{})
		fmt.Println(err)
		return 0
	}
	roles["late"] = func() int {
		cfg := proc.Config{Workers: 2, Stderr: io.Discard}
		_, err := proc.Start(context.Background(), proc.WithLate(cfg, 100*time.Millisecond))
		fmt.Println(err)
		ctx, cancel := context.WithTimeoutCause(context.Background(), 50*time.Millisecond, errors.New("enough"))
		defer cancel()
		_, err = proc.Start(ctx, cfg)
		fmt.Println(err)
		return 0
	}
	roles["files"] = func() int {
		if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &syscall.Rlimit{Cur: 64, Max: 64}); err != nil {
			fmt.Println(err)
			return 1
		}
		if _, err := proc.Start(context.Background(), proc.Config{Workers: 30, Stderr: io.Discard}); err == nil {
			fmt.Println("30 workers can't be had with 64 descriptors")
			return 1
		} else if !errors.Is(err, syscall.EMFILE) {
			fmt.Println(err)
			return 1
		}
		p, err := proc.Start(context.Background(), proc.Config{Workers: 4, Stderr: io.Discard})
		if err != nil {
			fmt.Println(err)
			return 1
		}
		defer p.Close() //nolint:errcheck // always nil
		// Large slices want a descriptor each; without one they are copied.
		items := make([]part, 100)
		for i := range items {
			items[i] = part{Numbers: make([]float64, 1<<18), Hi: 1 << 18}
		}
		if _, err := weft.Map(context.Background(), items, sumNumbers, weft.On(p), isolated); err != nil {
			fmt.Println(err)
			return 1
		}
		kills := 0
		for _, pid := range p.PIDs() {
			_ = syscall.Kill(pid, syscall.SIGKILL)
			kills++
		}
		got, err := weft.Map(context.Background(), numbers(1000), square, weft.On(p), isolated, weft.Retry(2))
		if err != nil || got[999] != 999*999 {
			fmt.Println(err)
			return 1
		}
		fmt.Println("fine")
		return 0
	}
}

func TestDescriptorLimit(t *testing.T) {
	t.Parallel()
	_, out := program(t, "files")
	if out.Scan(); out.Text() != "fine" {
		t.Error(out.Text())
	}
}

// A worker that never comes to Init fails Start, and so does a context that
// ends meanwhile.
func TestStartIsBounded(t *testing.T) {
	t.Parallel()
	_, out := program(t, "late")
	if out.Scan(); !strings.Contains(out.Text(), "proc: Start: worker") || !strings.Contains(out.Text(), "did not get to proc.Init within 100ms: call it as the first line of main") {
		t.Error(out.Text())
	}
	if out.Scan(); out.Text() != "proc: Start: enough" {
		t.Error(out.Text())
	}
}

func TestStartWithoutInit(t *testing.T) {
	t.Parallel()
	_, out := program(t, "noinit")
	if out.Scan(); !strings.Contains(out.Text(), "call proc.Init() as the first line of main") {
		t.Error(out.Text())
	}
}

func TestMarkerByHand(t *testing.T) {
	t.Parallel()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), "WEFT_PROC_WORKER=1")
	b, err := cmd.CombinedOutput()
	if err == nil || !strings.Contains(string(b), "no pool has started this process: unset it") {
		t.Errorf("%v: %s", err, b)
	}
}

// kill -9 of a program ends its workers, and theirs, four levels down, within a
// second, and no file is left; SIGTERM does too.
func TestKilledParent(t *testing.T) {
	rounds := 4
	if soak {
		rounds = 200
	}
	files := func() int {
		n := 0
		for _, dir := range []string{"/dev/shm", os.TempDir()} {
			m, _ := os.ReadDir(dir)
			for _, e := range m {
				if strings.Contains(e.Name(), "weft") {
					n++
				}
			}
		}
		return n
	}
	before := files()
	deepest := 0
	for round := range rounds {
		cmd, out := program(t, "hold")
		if !out.Scan() || strings.HasPrefix(out.Text(), "error") {
			t.Fatal(out.Text())
		}
		var pids []int
		for _, f := range strings.Fields(strings.Trim(out.Text(), "[]")) {
			pid, err := strconv.Atoi(f)
			if err != nil {
				t.Fatal(err)
			}
			pids = append(pids, pid)
		}
		if len(pids) != 2 {
			t.Fatal(out.Text())
		}
		time.Sleep(time.Duration(rand.IntN(200)) * time.Millisecond) // a random moment is what is tested
		var below []int
		depth := 1
		for level := pids; ; depth++ {
			var next []int
			for _, pid := range level {
				next = append(next, childrenOf(pid)...)
			}
			if len(next) == 0 {
				break
			}
			below = append(below, next...)
			level = next
		}
		deepest = max(deepest, depth)
		if err := cmd.Process.Signal([]os.Signal{syscall.SIGKILL, syscall.SIGTERM}[round%2]); err != nil {
			t.Fatal(err)
		}
		eventually(t, time.Second, fmt.Sprintf("the workers %v and those below %v end", pids, below), func() bool {
			return !slices.ContainsFunc(append(below, pids...), alive)
		})
		_ = cmd.Wait()
	}
	t.Logf("%d rounds, pools up to %d levels deep", rounds, deepest)
	if n := files(); n != before {
		t.Errorf("%d files before, %d after", before, n)
	}
}

func childrenOf(pid int) (pids []int) {
	tasks, _ := os.ReadDir(fmt.Sprintf("/proc/%d/task", pid))
	for _, task := range tasks {
		b, _ := os.ReadFile(fmt.Sprintf("/proc/%d/task/%s/children", pid, task.Name()))
		for _, f := range strings.Fields(string(b)) {
			if n, err := strconv.Atoi(f); err == nil {
				pids = append(pids, n)
			}
		}
	}
	return pids
}
