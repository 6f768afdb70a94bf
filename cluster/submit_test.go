package cluster_test

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/weft-go/weft"
	"github.com/weft-go/weft/cluster"
	"github.com/weft-go/weft/graph"
)

func escape(s string) string { return url.QueryEscape(s) }

func init() { roles["submit"] = submitAndStay }

// submitAndStay is a driver that is killed after it has submitted.
func submitAndStay() int {
	ctx := context.Background()
	c, err := cluster.Dial(ctx, "", cluster.Config{Lost: quick})
	if err != nil {
		fmt.Println(err)
		return 1
	}
	items := slow(60, os.Getenv("CLUSTER_TEST_DIR"), 20*time.Millisecond)
	id, err := cluster.Submit(ctx, c, items, slowly, cluster.SubmitConfig{ID: "of-a-driver-that-dies-" + fmt.Sprint(os.Getpid())})
	if err != nil {
		fmt.Println(err)
		return 1
	}
	fmt.Println("submitted", id, "end")
	time.Sleep(time.Hour) // until it is killed
	return 0
}

func TestDriverKilledThenAttach(t *testing.T) {
	t.Parallel()
	b := newBundle(t, theServer(t))
	b.start("-slots", "1")
	dir := t.TempDir()
	p, err := begin(nil, []string{roleVariable + "=submit", "WEFT_CLUSTER=" + b.url, "CLUSTER_TEST_DIR=" + dir})
	if err != nil {
		t.Fatal(err)
	}
	b.watch(p)
	until(t, "the driver has submitted", func() bool {
		select {
		case <-p.dead:
			t.Fatalf("the driver ended:\n%s", p.out)
		default:
		}
		return strings.Contains(p.out.String(), " end\n") && marks(t, dir) > 5
	})
	p.kill()
	_, id, _ := strings.Cut(p.out.String(), "submitted ")
	id, _, _ = strings.Cut(id, " end")
	c := b.dial()
	r, err := c.Attach(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	if i := r.Info(); i.Driven || i.Items != 60 || !strings.HasSuffix(i.Func, ".slowly") {
		t.Errorf("%+v", i)
	}
	for range 2 { // while it runs, and when it is over
		got := []int{}
		for v, err := range cluster.Results[int](t.Context(), r) {
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, v)
		}
		wantSquares(t, got, nil, 60)
	}
	if n := marks(t, dir); n != 60 {
		t.Errorf("%d items ran for 60 though no worker was lost", n)
	}
	if err := r.Wait(t.Context()); err != nil {
		t.Error(err)
	}
	pr, err := r.Progress(t.Context())
	if err != nil || pr.Done != 60 || pr.Failed != 0 || !pr.Ended || len(pr.Workers) != 1 {
		t.Errorf("%+v, %v", pr, err)
	}
	if err := r.Discard(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestSubmitFailures(t *testing.T) {
	t.Parallel()
	b := newBundle(t, theServer(t))
	b.start("-slots", "2")
	c := b.dial()
	id, err := cluster.Submit(t.Context(), c, ints(500), failThird)
	if err != nil {
		t.Fatal(err)
	}
	r, err := c.Attach(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	i := 0
	for v, err := range cluster.Results[int](t.Context(), r) {
		ie, failed := errors.AsType[*weft.ItemError](err)
		if (i%3 == 2) != failed || failed && ie.Index != i || !failed && (v != i || err != nil) {
			t.Fatalf("item %d: %d, %v", i, v, err)
		}
		i++
	}
	if i != 500 {
		t.Errorf("%d results of 500", i)
	}
	// Left early, nothing hangs.
	for _, err := range cluster.Results[int](t.Context(), r) {
		if err != nil {
			t.Error(err)
		}
		break
	}
	if _, err := c.Attach(t.Context(), "no-such-run"); err == nil || !strings.Contains(err.Error(), "weft cluster runs") {
		t.Errorf("%v", err)
	}
	if _, err := cluster.Submit(t.Context(), c, ints(3), func(context.Context, int) (int, error) { return 0, nil }); err == nil || !strings.Contains(err.Error(), "closure") {
		t.Errorf("%v", err)
	}
}

func TestSubmitLostWorkersAndCancel(t *testing.T) {
	t.Parallel()
	b := newBundle(t, theServer(t))
	b.keep(2, "-slots", "1")
	c := b.dial(cluster.Config{Lost: quick, Batch: 200 * time.Millisecond})
	items := slow(40, "", 5*time.Millisecond)
	items[11].Poison = true
	id, err := cluster.Submit(t.Context(), c, items, slowly)
	if err != nil {
		t.Fatal(err)
	}
	r, err := c.Attach(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	i := 0
	for v, err := range cluster.Results[int](t.Context(), r) {
		if i == 11 {
			if !errors.Is(err, weft.ErrLost) {
				t.Errorf("the item that ends its workers: %v", err)
			}
		} else if err != nil || v != i*i {
			t.Fatalf("item %d: %d, %v", i, v, err)
		}
		i++
	}
	id, err = cluster.Submit(t.Context(), c, slow(10_000, "", 50*time.Millisecond), slowly)
	if err != nil {
		t.Fatal(err)
	}
	if r, err = c.Attach(t.Context(), id); err != nil {
		t.Fatal(err)
	}
	for _, err := range cluster.Results[int](t.Context(), r) {
		if err != nil {
			if !errors.Is(err, cluster.ErrEnded) {
				t.Error(err)
			}
			break
		}
		if err := r.Cancel(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if err := r.Wait(t.Context()); !errors.Is(err, cluster.ErrEnded) {
		t.Errorf("%v", err)
	}
}

func TestGraph(t *testing.T) {
	t.Parallel()
	b := newBundle(t, theServer(t))
	b.start("-slots", "2")
	c := b.dial()
	g := graph.New()
	var vs []graph.Value[int]
	for i := range 20 {
		vs = append(vs, graph.Call(g, double, graph.Const(g, i)))
	}
	sum, err := graph.Compute(t.Context(), graph.Reduce(g, add, vs, 4), graph.On(c))
	if err != nil || sum != 380 {
		t.Errorf("%d, %v", sum, err)
	}
}

// Nothing of a run stays in the store, and what a crash left is collected.
func TestCollect(t *testing.T) {
	t.Parallel()
	b := newBundle(t, theServer(t))
	b.start("-slots", "1")
	c := b.dial()
	items := [][]byte{make([]byte, 10<<10), make([]byte, 200<<10)}
	if _, err := weft.Map(t.Context(), items, length, weft.On(c), weft.Require(weft.Isolation)); err != nil {
		t.Fatal(err)
	}
	_, dir, _ := strings.Cut(b.url, "store=file://")
	if es, err := os.ReadDir(dir + "/runs"); err == nil && len(es) > 0 {
		left, _ := os.ReadDir(dir + "/runs/" + es[0].Name())
		if len(left) > 0 {
			t.Errorf("a run has left %d objects", len(left))
		}
	}
	id, err := cluster.Submit(t.Context(), c, items, length)
	if err != nil {
		t.Fatal(err)
	}
	r, err := c.Attach(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	if err := r.Wait(t.Context()); err != nil {
		t.Fatal(err)
	}
	if n, runs, err := c.Collect(t.Context(), time.Hour); n != 0 || err != nil {
		t.Errorf("what may still be asked for stays: %d of %v, %v", n, runs, err)
	}
	if n, runs, err := c.Collect(t.Context(), 0); n == 0 || err != nil || len(runs) != 1 || runs[0] != id {
		t.Errorf("what nobody asks for goes: %d of %v, %v", n, runs, err)
	}
}
