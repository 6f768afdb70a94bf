package cluster_test

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/weft-go/weft"
	"github.com/weft-go/weft/cluster"
	"github.com/weft-go/weft/internal/breaking"
	"github.com/weft-go/weft/internal/clustertest"
)

var _ = weft.Register(stir)

// stir returns as many bytes as it is given, too many for a message.
func stir(_ context.Context, b []byte) ([]byte, error) {
	out := make([]byte, len(b))
	for i := range b {
		out[i] = b[len(b)-1-i] ^ 0x5a
	}
	return out, nil
}

// heaps are n values of 400 kB that differ.
func heaps(n int) [][]byte {
	r := rand.New(rand.NewPCG(1, 2))
	out := make([][]byte, n)
	for i := range out {
		out[i] = make([]byte, 400_000)
		for j := 0; j < len(out[i]); j += 97 {
			out[i][j] = byte(r.Uint32())
		}
	}
	return out
}

// stirs checks what the cluster makes of n heaps against the plain loop.
func stirs(t *testing.T, c *cluster.Cluster, n int) {
	t.Helper()
	items := heaps(n)
	got, err := weft.Map(t.Context(), items, stir, weft.On(c), weft.Require(weft.Isolation))
	if err != nil {
		t.Fatal(err)
	}
	for i, item := range items {
		if want, _ := stir(t.Context(), item); !bytes.Equal(got[i], want) {
			t.Fatalf("item %d is not what the plain loop has", i)
		}
	}
}

// A store that fails for one call in ten and is slow for another costs time,
// nothing else, and nothing is left in it.
func TestStoreFailsOneInTen(t *testing.T) {
	t.Parallel()
	s := theServer(t)
	s3 := clustertest.StartS3(t, clustertest.S3Options{FailEvery: 10, SlowEvery: 9, Delay: 200 * time.Millisecond})
	b := newBundle(t, s)
	b.url, _, _ = strings.Cut(b.url, "&store=")
	b.url += "&store=" + url.QueryEscape(s3.URL)
	cache := "XDG_CACHE_HOME=" + t.TempDir()
	b.workers = append(b.workers, b.with([]string{cache}), b.with([]string{cache}))
	stirs(t, b.dial(cluster.Config{CacheDir: filepath.Join(t.TempDir(), "cache")}), 24)
	if s3.Failed.Load() < 5 || s3.Slowed.Load() < 5 {
		t.Errorf("of %d requests %d failed and %d were slow: nothing was tested", s3.Requests.Load(), s3.Failed.Load(), s3.Slowed.Load())
	}
}

// with starts a worker with environment variables.
func (b *bundle) with(env []string, args ...string) *process {
	b.t.Helper()
	p, err := begin(append(append([]string{"weft-worker"}, args...), b.url), env)
	if err != nil {
		b.t.Fatal(err)
	}
	b.watch(p)
	b.await(p)
	return p
}

// slowItems are items that leave marks in a directory.
func slowItems(t *testing.T, n int, takes time.Duration) (items []Slow, dir string) {
	t.Helper()
	dir = t.TempDir()
	for i := range n {
		items = append(items, Slow{N: i, Dir: dir, Takes: takes})
	}
	return items, dir
}

// begunIn counts items that have begun, and how often one began again.
func begunIn(t *testing.T, dir string) (begun, again int) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if strings.HasSuffix(e.Name(), ".0") {
			begun++
		} else {
			again++
		}
	}
	return begun, again
}

// disturbed runs slow items on a cluster and does something to it when some
// have begun. The result must be the plain loop's, and no more items may have
// run twice than were in flight: two workers with one slot hold batches of a
// fifth of a second, and a few wait at each.
func disturbed(t *testing.T, c *cluster.Cluster, n int, disturb func()) {
	t.Helper()
	items, dir := slowItems(t, n, 30*time.Millisecond)
	type result struct {
		got []int
		err error
	}
	done := make(chan result, 1)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	go func() {
		got, err := weft.Map(ctx, items, slowly, weft.On(c), weft.Require(weft.Isolation))
		done <- result{got, err}
	}()
	until(t, "some items have begun", func() bool { begun, _ := begunIn(t, dir); return begun >= 10 })
	begun, _ := begunIn(t, dir)
	disturb()
	var r result
	select {
	case r = <-done:
	case <-time.After(2 * time.Minute):
		cancel()
		<-done
		t.Fatal("the run hangs")
	}
	if r.err != nil {
		t.Fatal(r.err)
	}
	var want []int
	for i := range n {
		want = append(want, i*i)
	}
	if !slices.Equal(r.got, want) {
		t.Errorf("the result is %v", r.got)
	}
	_, again := begunIn(t, dir)
	t.Logf("%d of %d had begun when it was disturbed; %d ran again", begun, n, again)
	if begun == n {
		t.Error("all items had begun before it was disturbed: nothing was tested")
	}
	// Two workers of one slot, each with a batch of 200 ms of items of 30 ms.
	if again > 2*(200/30+2) {
		t.Errorf("%d items of %d ran again, more than were in flight", again, n)
	}
}

// throughProxy is a bundle whose workers reach the server by a proxy, the
// driver does not.
func throughProxy(t *testing.T) (*bundle, *breaking.Proxy, string) {
	t.Helper()
	s := theServer(t)
	p, err := breaking.Listen(s.Address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := p.Close(); err != nil {
			t.Error(err)
		}
	})
	b := newBundle(t, s)
	direct := b.url
	b.url = strings.Replace(b.url, s.Address, p.Address(), 1)
	b.start("-slots", "1")
	b.start("-slots", "1")
	return b, p, direct
}

// The network between workers and server goes away for longer than a worker may be
// silent, once with connections that are refused and once without a word.
func TestAllWorkersCutOff(t *testing.T) {
	t.Parallel()
	if os.Getenv("WEFT_SOAK") == "" {
		t.Skip("WEFT_SOAK=1 cuts all workers off, for 30 seconds")
	}
	for name, cut := range map[string]func(*breaking.Proxy){"cut": (*breaking.Proxy).Cut, "silent": (*breaking.Proxy).Silence} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b, p, direct := throughProxy(t)
			b.url = direct
			c := b.dial(cluster.Config{Lost: 5 * time.Second, Batch: 200 * time.Millisecond})
			disturbed(t, c, 150, func() {
				cut(p)
				away := time.NewTimer(30 * time.Second)
				<-away.C // the fault itself
				p.Resume()
			})
		})
	}
}

// The server is killed in the middle of a run and started again on its file.
func TestServerKilledKeepsWhatWasDone(t *testing.T) {
	t.Parallel()
	if _, err := clustertest.Binary(); err != nil {
		t.Skipf("NOT TESTED: a server that is killed, as there is none: %v", err)
	}
	s := clustertest.Start(t, clustertest.Options{File: true})
	b := newBundle(t, s)
	b.start("-slots", "1")
	b.start("-slots", "1")
	c := b.dial(cluster.Config{Lost: 2 * time.Second, Batch: 200 * time.Millisecond})
	disturbed(t, c, 150, func() {
		s.Kill()
		s.Restart(t)
	})
}

// A worker whose disk is full computes on without its cache.
func TestWorkerWithFullDisk(t *testing.T) {
	t.Parallel()
	s := theServer(t)
	disk := t.TempDir()
	if err := mountSmall(disk); err != nil {
		t.Skipf("NOT TESTED: a worker with a full disk: %v", err)
	}
	t.Cleanup(func() {
		if err := unmount(disk); err != nil {
			t.Error(err)
		}
	})
	s3 := clustertest.StartS3(t, clustertest.S3Options{})
	b := newBundle(t, s)
	b.url, _, _ = strings.Cut(b.url, "&store=")
	b.url += "&store=" + url.QueryEscape(s3.URL)
	// Also the files that a worker itself would make.
	b.with([]string{"XDG_CACHE_HOME=" + disk, "TMPDIR=" + disk, fmt.Sprintf("HOME=%s", disk)}, "-slots", "1")
	if err := fill(filepath.Join(disk, "full")); err != nil {
		t.Fatal(err)
	}
	stirs(t, b.dial(cluster.Config{CacheDir: filepath.Join(t.TempDir(), "cache")}), 20)
}
