//go:build cgo

package frame

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/weft-go/weft/internal/budget"
	"github.com/weft-go/weft/internal/memory"
)

func open(t *testing.T, cfg Config) *Engine {
	t.Helper()
	e, err := Open(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := e.Close(); err != nil {
			t.Error(err)
		}
	})
	return e
}

// numbers is n rows that the engine makes itself.
func series(n string) *Frame {
	return SQL("SELECT i, hash(i) AS h FROM range("+n+") t(i)", nil)
}

func TestConfig(t *testing.T) {
	t.Parallel()
	for want, cfg := range map[string]Config{
		"at least 16 MiB":    {MemoryLimit: 1},
		"Config.MemoryLimit": {MemoryLimit: -1},
		"at most 1024":       {Threads: 5000},
		"Config.MaxSpill":    {MaxSpill: -2},
		"no name of":         {Options: map[string]string{"a b": "1"}},
		"a field of its own": {Options: map[string]string{"Memory_Limit": "1"}},
		"see Config.Options": {Options: map[string]string{"no_such_setting": "1"}},
		"Config.SpillDir":    {SpillDir: "/dev/null/x"},
	} {
		if e, err := Open(cfg); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%+v: %v, %v; want %q", cfg, e, err, want)
		}
	}
	dir := filepath.Join(t.TempDir(), "spill")
	e := open(t, Config{MemoryLimit: 100 * mib, Threads: 1, SpillDir: dir, MaxSpill: 50 * mib, Options: map[string]string{"preserve_insertion_order": "false"}})
	type setting struct{ Name, Value string }
	got := collect[setting](t, SQL("SELECT name, value FROM duckdb_settings() WHERE name IN ('memory_limit', 'threads', 'temp_directory', 'max_temp_directory_size', 'autoload_known_extensions', 'autoinstall_known_extensions', 'preserve_insertion_order', 'TimeZone') ORDER BY lower(name)", nil).On(e))
	want := []setting{{"autoinstall_known_extensions", "false"}, {"autoload_known_extensions", "false"}, {"max_temp_directory_size", "50.0 MiB"}, {"memory_limit", "80.0 MiB"}, {"preserve_insertion_order", "false"}, {"temp_directory", e.spill.path}, {"threads", "1"}, {"TimeZone", "UTC"}}
	if len(got) != len(want) {
		t.Fatalf("%v", got)
	}
	for i := range want {
		if got[i] != want[i] {
			t.Errorf("%v, want %v", got[i], want[i])
		}
	}
	if filepath.Dir(e.spill.path) != dir {
		t.Errorf("it spills to %s, not in %s", e.spill.path, dir)
	}
	if e.MemoryLimit() != 100*mib || e.Threads() != 1 {
		t.Error(e.MemoryLimit(), e.Threads())
	}
	if _, err := items().On(e).Join(items().On(open(t, Config{})), Inner, "k").Count(t.Context()); err == nil || !strings.Contains(err.Error(), "two engines") {
		t.Errorf("two engines: %v", err)
	}
}

func TestClosed(t *testing.T) {
	t.Parallel()
	e := open(t, Config{})
	if _, err := items().On(e).Count(t.Context()); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := e.Close(); err != nil {
			t.Error(err)
		}
	}
	if _, err := items().On(e).Count(t.Context()); !errors.Is(err, ErrClosed) {
		t.Errorf("%v", err)
	}
}

// The directory of a process that is gone is removed by the next one; that of
// one that lives is not.
func TestSpillDir(t *testing.T) {
	t.Parallel()
	parent := t.TempDir()
	take := func() *spillDir {
		d, err := newSpillDir(parent)
		if err == nil {
			err = d.take()
		}
		if err != nil {
			t.Fatal(err)
		}
		return d
	}
	live := take()
	dead := filepath.Join(parent, "weft-frame-dead")
	if err := errors.Join(os.Mkdir(dead, 0o700), os.WriteFile(filepath.Join(dead, "lock"), nil, 0o600), os.WriteFile(filepath.Join(dead, "x.tmp"), nil, 0o600)); err != nil {
		t.Fatal(err)
	}
	other := take()
	if _, err := os.Stat(dead); err == nil && runtime.GOOS != "windows" {
		t.Error("the dead one's is there")
	}
	for _, dir := range []*spillDir{live, other} {
		if _, err := os.Stat(dir.path); err != nil {
			t.Error(err)
		}
	}
	live.give()
	other.remove()
	if left := files(t, parent); len(left) != 0 {
		t.Errorf("left %v", left)
	}
	if err := live.take(); err != nil || len(files(t, parent)) != 1 {
		t.Errorf("taken again: %v, %v", err, files(t, parent))
	}
	live.remove()
	// An engine's is there while a query runs, and what it is in until Close, if it was made.
	e := open(t, Config{})
	if _, err := os.Stat(e.spill.path); err == nil {
		t.Error("an idle engine has a directory")
	}
	for range Rows[int64](t.Context(), series("10000").On(e).Select("i")) {
		if _, err := os.Stat(e.spill.path); err != nil {
			t.Errorf("a query runs without: %v", err)
		}
		break
	}
	if _, err := os.Stat(e.spill.path); err == nil {
		t.Error("it is left after the query")
	}
	mine := open(t, Config{SpillDir: filepath.Join(parent, "a", "b")})
	if got := files(t, filepath.Join(parent, "a", "b")); len(got) != 0 {
		t.Errorf("idle, and there is %v", got)
	}
	if err := mine.Close(); err != nil || len(files(t, filepath.Join(parent, "a"))) != 0 {
		t.Errorf("%v, left %v", err, files(t, filepath.Join(parent, "a")))
	}
}

func TestOutOfMemory(t *testing.T) {
	t.Parallel()
	e := open(t, Config{MemoryLimit: 64 * mib, Threads: 2})
	// A list can't spill.
	_, err := series("20000000").On(e).GroupBy().Agg(List("h")).Count(t.Context())
	if err == nil {
		_, err = Collect[[]uint64](t.Context(), series("20000000").On(e).GroupBy().Agg(List("h")))
	}
	if !errors.Is(err, ErrMemory) || !strings.Contains(err.Error(), "raise the limit") {
		t.Errorf("%v", err)
	}
	// A sort can, up to MaxSpill.
	small := open(t, Config{MemoryLimit: 64 * mib, Threads: 2, MaxSpill: 16 * mib})
	sorted := series("8000000").Sort("h").Select(Sum("i").Over().SortedBy("h").RowsBetween(1, 1).As("s")).GroupBy().Agg(Max("s"))
	_, err = sorted.On(small).Count(t.Context())
	if err == nil {
		_, err = Collect[float64](t.Context(), sorted.On(small))
	}
	if !errors.Is(err, ErrSpill) || !strings.Contains(err.Error(), "Config.MaxSpill") {
		t.Errorf("%v", err)
	}
	if _, err := items().On(small).Count(t.Context()); err != nil {
		t.Errorf("after it: %v", err)
	}
}

// A query that computes, whatever it is run for, ends within half a second of
// its cancelling. A machine that is busy may spoil a try, but not all.
func TestCancel(t *testing.T) {
	t.Parallel()
	e := open(t, Config{Threads: 2})
	cause := errors.New("enough")
	dir := t.TempDir()
	for name, run := range map[string]func(ctx context.Context, f *Frame) error{
		"count":   func(ctx context.Context, f *Frame) error { _, err := f.Count(ctx); return err },
		"collect": func(ctx context.Context, f *Frame) error { _, err := Collect[float64](ctx, f); return err },
		"write": func(ctx context.Context, f *Frame) error {
			return f.WriteCSV(ctx, filepath.Join(dir, "x.csv"))
		},
		"show": func(ctx context.Context, f *Frame) error { return f.Show(ctx, &bytes.Buffer{}) },
		"arrow": func(ctx context.Context, f *Frame) error {
			for _, err := range f.Arrow(ctx) {
				if err != nil {
					return err
				}
			}
			return nil
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			const tries = 8
			for try := 1; ; try++ {
				ctx, cancel := context.WithCancelCause(t.Context())
				started := make(chan struct{})
				cancelled := make(chan time.Time, 1)
				go func() {
					<-started
					cancelled <- time.Now()
					cancel(cause)
				}()
				err := run(ctx, slow(started).On(e))
				took := time.Since(<-cancelled)
				if !errors.Is(err, context.Canceled) || !errors.Is(err, cause) {
					t.Fatalf("%v", err)
				}
				if took <= 500*time.Millisecond {
					return
				}
				if try == tries {
					t.Fatalf("it took %v to stop, and more than half a second %d times", took, tries)
				}
			}
		})
	}
	t.Run("before", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err := items().On(e).Count(ctx); !errors.Is(err, context.Canceled) {
			t.Errorf("%v", err)
		}
	})
}

// slow computes for hours. It closes started once, when the engine is at it.
func slow(started chan struct{}) *Frame {
	var once sync.Once
	one := FromSeq(func(yield func(int) bool) {
		if yield(1) {
			once.Do(func() { close(started) })
		}
	})
	return SQL("SELECT sum(sqrt(a.i * b.i + one.value)) AS s FROM one, range(1000000) a(i), range(1000000) b(i)", map[string]*Frame{"one": one})
}

// Queries are cancelled at any moment, and nothing is left of them.
func TestCancelAnywhere(t *testing.T) {
	t.Parallel()
	e := open(t, Config{Threads: 2, MemoryLimit: 256 * mib})
	path := write(t, "log.csv", logCSV+strings.Repeat("x,200,7\n", 20_000))
	rounds := 60
	if os.Getenv("WEFT_SOAK") != "" {
		rounds = 1000
	}
	fds := openFiles()
	var before int64
	for i := range rounds {
		ctx, cancel := context.WithCancel(t.Context())
		stop := time.AfterFunc(time.Duration(i%20)*300*time.Microsecond, cancel)
		f := ReadCSV(path).On(e).Join(FromSeq(func(yield func(total) bool) {
			for i := int64(0); i < 50_000 && yield(total{"x", i}); i++ {
			}
		}), Cross).GroupBy("host", Col("total").Mod(7)).Agg(Sum("bytes"), List("status").Len().As("n"))
		switch i % 3 {
		case 0:
			_, _ = f.Count(ctx)
		case 1:
			for range Rows[map[string]any](ctx, f) {
				break
			}
		case 2:
			_ = MapBatches(f.Select("host"), func(_ context.Context, b []string) ([]string, error) { return b, nil }).WriteParquet(ctx, filepath.Join(t.TempDir(), "x"))
		}
		stop.Stop()
		cancel()
		if i == rounds/2 {
			before = memory.RSS()
		}
	}
	if n := feedsByID.size(); n > 8 { // other tests have some
		t.Errorf("%d feeds are left", n)
	}
	if now := openFiles(); now > fds+20 {
		t.Errorf("%d files were open, %d are", fds, now)
	}
	if os.Getenv("WEFT_SOAK") != "" {
		if grown := memory.RSS() - before; grown > 64*mib {
			t.Errorf("%d MiB more than half way", grown/mib)
		}
	}
}

func openFiles() int {
	list, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		return 0
	}
	return len(list)
}

func TestQueriesAtOnce(t *testing.T) {
	t.Parallel()
	e := open(t, Config{MemoryLimit: 256 * mib, Threads: 2})
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			got, err := Collect[int64](t.Context(), series("200000").On(e).GroupBy().Agg(Sum("i").As("n")))
			if err != nil || got[0] != 200000*199999/2 {
				t.Errorf("%v, %v", got, err)
			}
		})
	}
	wg.Wait()
	_ = budget.Shared.Used()
}

func TestProgress(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		percent     float64
		rows, total uint64
		want        string
	}{
		{-1, 0, 0, "frame: running for 1.5s"},
		{41.6, 500, 1200, "frame:  42 %, about 500 of 1200 rows read, 1.5s"},
		{100, 0, 0, "frame: 100 %, 1.5s"},
	} {
		if got := progressText(c.percent, c.rows, c.total, 1500*time.Millisecond); got != c.want {
			t.Errorf("%q, want %q", got, c.want)
		}
	}
	e := open(t, Config{Progress: &bytes.Buffer{}})
	if _, err := items().On(e).Count(t.Context()); err != nil {
		t.Error(err)
	}
}

// A process that is killed while it writes leaves the old file whole.
func TestKilledWriting(t *testing.T) {
	t.Parallel()
	if path := os.Getenv("WEFT_FRAME_WRITES"); path != "" {
		_ = SQL("SELECT i FROM range(100000000000) t(i)", nil).WriteCSV(context.Background(), path)
		return
	}
	if runtime.GOOS == "windows" {
		t.Skip("there is no SIGKILL")
	}
	path := write(t, "out.csv", "old\n")
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	p, err := os.StartProcess(self, []string{self, "-test.run=^TestKilledWriting$"}, &os.ProcAttr{Env: append(os.Environ(), "WEFT_FRAME_WRITES="+path), Files: []*os.File{nil, nil, nil}})
	if err != nil {
		t.Fatal(err)
	}
	// It writes when the file beside has something in it.
	deadline := time.Now().Add(30 * time.Second)
	for writing := false; !writing; {
		if time.Now().After(deadline) {
			t.Error("it does not write")
			break
		}
		found, _ := filepath.Glob(filepath.Join(filepath.Dir(path), ".out.csv.weft-*", "out.csv"))
		for _, f := range found {
			info, err := os.Stat(f)
			writing = writing || err == nil && info.Size() > 0
		}
		runtime.Gosched()
	}
	if err := p.Signal(syscall.SIGKILL); err != nil {
		t.Error(err)
	}
	_, _ = p.Wait()
	if b, err := os.ReadFile(path); err != nil || string(b) != "old\n" {
		t.Errorf("%q, %v", b, err)
	}
}
