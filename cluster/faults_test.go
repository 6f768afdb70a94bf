package cluster_test

import (
	"context"
	"errors"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/weft-go/weft"
	"github.com/weft-go/weft/cluster"
	"github.com/weft-go/weft/internal/breaking"
	"github.com/weft-go/weft/internal/clustertest"
)

// slow makes n items of some milliseconds that leave marks in dir.
func slow(n int, dir string, takes time.Duration) []Slow {
	items := make([]Slow, n)
	for i := range items {
		items[i] = Slow{N: i, Dir: dir, Takes: takes}
	}
	return items
}

func wantSquares(t *testing.T, got []int, err error, n int) {
	t.Helper()
	if err != nil || len(got) != n {
		t.Fatalf("%d results of %d: %v", len(got), n, err)
	}
	for i, v := range got {
		if v != i*i {
			t.Fatalf("item %d: %d", i, v)
		}
	}
}

// marks counts how often items have begun.
func marks(t *testing.T, dir string) int {
	t.Helper()
	es, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	return len(es)
}

// during runs a Map and calls f when some of its items have begun.
func during(t *testing.T, c *cluster.Cluster, items []Slow, begun int, f func()) ([]int, error) {
	t.Helper()
	done := make(chan struct{})
	go func() {
		defer close(done)
		until(t, "items run", func() bool { return marks(t, items[0].Dir) >= begun })
		f()
	}()
	got, err := weft.Map(t.Context(), items, slowly, weft.On(c), weft.Require(weft.Isolation), weft.Chunk(5))
	<-done
	return got, err
}

const quick = time.Second // Config.Lost in tests

func TestWorkerKilled(t *testing.T) {
	t.Parallel()
	b := newBundle(t, theServer(t))
	first := b.start("-slots", "1")
	b.start("-slots", "1")
	c := b.dial(cluster.Config{Lost: quick})
	items := slow(80, t.TempDir(), 20*time.Millisecond)
	got, err := during(t, c, items, 20, first.kill)
	wantSquares(t, got, err, 80)
	// What was under way at the one that was killed runs again: one batch.
	if n := marks(t, items[0].Dir); n > 80+5 {
		t.Errorf("%d items ran for 80, of which 5 were with the worker that was killed", n)
	}
}

func TestAllWorkersKilled(t *testing.T) {
	t.Parallel()
	b := newBundle(t, theServer(t))
	one, two := b.start("-slots", "1"), b.start("-slots", "1")
	c := b.dial(cluster.Config{Lost: quick})
	items := slow(60, t.TempDir(), 20*time.Millisecond)
	got, err := during(t, c, items, 20, func() {
		one.kill()
		two.kill()
		b.start("-slots", "2")
	})
	wantSquares(t, got, err, 60)
	if n := marks(t, items[0].Dir); n > 60+2*5 {
		t.Errorf("%d items ran for 60, of which 10 were with the workers that were killed", n)
	}
}

func TestServerKilled(t *testing.T) {
	t.Parallel()
	theServer(t)
	s := clustertest.Start(t, clustertest.Options{File: true})
	b := newBundle(t, s)
	b.start("-slots", "1")
	b.start("-slots", "1")
	c := b.dial(cluster.Config{Lost: 2 * time.Second})
	items := slow(80, t.TempDir(), 20*time.Millisecond)
	got, err := during(t, c, items, 20, func() { s.Restart(t) })
	wantSquares(t, got, err, 80)
}

func TestWorkerStopped(t *testing.T) {
	t.Parallel()
	b := newBundle(t, theServer(t))
	first := b.start("-slots", "1")
	b.start("-slots", "1")
	c := b.dial(cluster.Config{Lost: quick})
	items := slow(60, t.TempDir(), 20*time.Millisecond)
	got, err := during(t, c, items, 10, func() { pause(t, first) })
	wantSquares(t, got, err, 60)
	resume(t, first)
	got, err = weft.Map(t.Context(), slow(20, t.TempDir(), 0), slowly, weft.On(c), weft.Require(weft.Isolation))
	wantSquares(t, got, err, 20)
}

func TestNetworkCut(t *testing.T) {
	t.Parallel()
	s := theServer(t)
	b := newBundle(t, s)
	p, err := breaking.Listen(s.Address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = p.Close() })
	direct := b.url
	b.url = strings.Replace(b.url, s.Address, p.Address(), 1)
	b.start("-slots", "1") // behind the proxy
	b.url = direct
	b.start("-slots", "1")
	c := b.dial(cluster.Config{Lost: quick})
	items := slow(60, t.TempDir(), 20*time.Millisecond)
	got, err := during(t, c, items, 10, func() {
		p.Silence()
		time.AfterFunc(3*quick, p.Resume) // the outage is what is tested
	})
	wantSquares(t, got, err, 60)
}

func TestStoreFailsNowAndThen(t *testing.T) {
	t.Parallel()
	b := newBundle(t, theServer(t))
	st := clustertest.StartS3(t, clustertest.S3Options{FailEvery: 10, SlowEvery: 10, Delay: 200 * time.Millisecond})
	u, _, _ := strings.Cut(b.url, "&store=")
	b.url = u + "&store=" + escape(st.URL)
	b.start("-slots", "1")
	b.start("-slots", "1")
	c := b.dial(cluster.Config{CacheBytes: -1})
	items := make([][]byte, 40)
	for i := range items {
		items[i] = make([]byte, 20<<10+i)
	}
	got, err := weft.Map(t.Context(), items, length, weft.On(c), weft.Require(weft.Isolation), weft.Chunk(2))
	if err != nil {
		t.Fatal(err)
	}
	for i, n := range got {
		if n != 20<<10+i {
			t.Errorf("item %d: %d", i, n)
		}
	}
	if st.Failed.Load() == 0 {
		t.Error("the store has not failed")
	}
}

func TestPoison(t *testing.T) {
	t.Parallel()
	b := newBundle(t, theServer(t))
	b.keep(2, "-slots", "1")
	c := b.dial(cluster.Config{Lost: quick})
	items := slow(30, "", 0)
	items[13].Poison = true
	got, err := weft.Map(t.Context(), items, slowly, weft.On(c), weft.KeepGoing(), weft.Chunk(10))
	ie, ok := errors.AsType[*weft.ItemError](err)
	if !ok || ie.Index != 13 || !errors.Is(err, weft.ErrLost) {
		t.Errorf("the item that ends its workers is named: %v", err)
	}
	for i, v := range got {
		if i != 13 && v != i*i {
			t.Errorf("item %d: %d", i, v)
		}
	}
}

func TestEndlessItem(t *testing.T) {
	t.Parallel()
	b := newBundle(t, theServer(t))
	b.start("-slots", "2")
	c := b.dial(cluster.Config{Lost: quick})
	items := slow(4, t.TempDir(), 0)
	items[2].Endless = true
	ctx, cancel := context.WithCancelCause(t.Context())
	go func() {
		until(t, "all run", func() bool { return marks(t, items[0].Dir) == 4 })
		cancel(errors.New("enough of it"))
	}()
	begun := time.Now()
	_, err := weft.Map(ctx, items, slowly, weft.On(c), weft.Require(weft.Isolation), weft.Chunk(1))
	if err == nil || !strings.Contains(err.Error(), "enough of it") {
		t.Errorf("%v", err)
	}
	if took := time.Since(begun); took > 40*time.Second {
		t.Errorf("it took %v to leave an item that does not end", took)
	}
	// The cluster goes on with the other slot.
	got, err := weft.Map(t.Context(), ints(10), double, weft.On(c), weft.Require(weft.Isolation))
	if err != nil || got[9] != 18 {
		t.Errorf("afterwards: %v", err)
	}
}

func TestCancelledFromOutside(t *testing.T) {
	t.Parallel()
	b := newBundle(t, theServer(t))
	b.start("-slots", "1")
	c := b.dial()
	items := slow(1000, t.TempDir(), 50*time.Millisecond)
	go func() {
		until(t, "items run", func() bool { return marks(t, items[0].Dir) >= 2 })
		until(t, "the run is listed and cancelled", func() bool {
			rs, err := c.Runs(t.Context())
			if err != nil || len(rs) == 0 {
				return false
			}
			if rs[0].Status != "running" || !rs[0].Driven || !strings.HasSuffix(rs[0].Func, ".slowly") || !strings.Contains(rs[0].Page, rs[0].ID) {
				t.Errorf("%+v", rs[0])
			}
			r, err := c.Attach(t.Context(), rs[0].ID)
			return err == nil && r.Cancel(t.Context()) == nil
		})
	}()
	_, err := weft.Map(t.Context(), items, slowly, weft.On(c), weft.Require(weft.Isolation))
	if !errors.Is(err, cluster.ErrEnded) {
		t.Errorf("%v", err)
	}
}

func TestTwoDrivers(t *testing.T) {
	t.Parallel()
	b := newBundle(t, theServer(t))
	b.start("-slots", "2")
	one, two := b.dial(), b.dial()
	second := make(chan struct{})
	go func() {
		defer close(second)
		got, err := weft.Map(t.Context(), slow(60, "", 5*time.Millisecond), slowly, weft.On(two), weft.Require(weft.Isolation))
		if err != nil || len(got) != 60 || got[59] != 59*59 {
			t.Errorf("the second driver: %v", err)
		}
	}()
	got, err := weft.Map(t.Context(), slow(60, "", 5*time.Millisecond), slowly, weft.On(one), weft.Require(weft.Isolation))
	wantSquares(t, got, err, 60)
	<-second
}

// After an error the next run on the same connection is as good as the first.
func TestErrorsLeaveNothing(t *testing.T) {
	t.Parallel()
	b := newBundle(t, theServer(t))
	b.start("-slots", "2")
	c := b.dial()
	for range 3 {
		if _, err := weft.Map(t.Context(), ints(20), failThird, weft.On(c), weft.Require(weft.Isolation)); err == nil {
			t.Fatal("no error")
		}
		got, err := weft.Map(t.Context(), ints(20), double, weft.On(c), weft.Require(weft.Isolation))
		if err != nil || got[19] != 38 {
			t.Fatalf("after an error: %v", err)
		}
	}
}

func TestWorkerDrains(t *testing.T) {
	t.Parallel()
	b := newBundle(t, theServer(t))
	first := b.start("-slots", "1")
	b.start("-slots", "1")
	c := b.dial()
	items := slow(60, t.TempDir(), 20*time.Millisecond)
	got, err := during(t, c, items, 10, func() {
		if err := first.cmd.Process.Signal(os.Interrupt); err != nil {
			t.Error(err)
		}
		<-first.dead
		if code := first.cmd.ProcessState.ExitCode(); code != 0 {
			t.Errorf("a worker that drains exits with %d", code)
		}
	})
	wantSquares(t, got, err, 60)
	if n := marks(t, items[0].Dir); n != 60 {
		t.Errorf("%d items ran for 60 though nothing was lost", n)
	}
}

func TestIsolated(t *testing.T) {
	t.Parallel()
	b := newBundle(t, theServer(t))
	b.start("-slots", "2", "-isolate", "-item-timeout", "2s")
	c := b.dial()
	items := slow(30, "", 0)
	items[7].Poison, items[21].Endless = true, true
	got, err := weft.Map(t.Context(), items, slowly, weft.On(c), weft.KeepGoing(), weft.Chunk(10))
	all, ok := err.(interface{ Unwrap() []error })
	if !ok || len(all.Unwrap()) != 2 {
		t.Fatalf("two items fail, and no worker is lost: %v", err)
	}
	for k, want := range []struct {
		index int
		text  string
	}{{7, "exit"}, {21, "2s"}} {
		ie, ok := errors.AsType[*weft.ItemError](all.Unwrap()[k])
		if !ok || ie.Index != want.index || !errors.Is(ie, weft.ErrLost) || !strings.Contains(ie.Error(), want.text) {
			t.Errorf("item %d: %v", want.index, all.Unwrap()[k])
		}
	}
	for i, v := range got {
		if i != 7 && i != 21 && v != i*i {
			t.Errorf("item %d: %d", i, v)
		}
	}
}

func TestEncrypted(t *testing.T) {
	t.Parallel()
	b := newBundle(t, theServer(t))
	key := []byte("0123456789abcdef0123456789abcdef")
	ctx, cancel := context.WithCancel(t.Context())
	served := make(chan error, 1)
	var log lines
	go func() {
		served <- cluster.Serve(ctx, b.url, cluster.WorkerConfig{Slots: 1, Log: &log, Config: cluster.Config{Key: key}})
	}()
	t.Cleanup(func() {
		cancel()
		if err := <-served; err != nil {
			t.Error(err)
		}
	})
	until(t, "the worker has joined", func() bool { return strings.Contains(log.String(), " joined ") })
	c := b.dial(cluster.Config{Key: key})
	got, err := weft.Map(t.Context(), [][]byte{make([]byte, 10), make([]byte, 300<<10)}, length, weft.On(c), weft.Require(weft.Isolation))
	if err != nil || got[0] != 10 || got[1] != 300<<10 {
		t.Errorf("%v, %v", got, err)
	}
}
