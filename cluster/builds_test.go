package cluster_test

import (
	"context"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/weft-go/weft"
	"github.com/weft-go/weft/cluster"
)

const lessVariable = "CLUSTER_TEST_LESS"

func init() {
	if os.Getenv(lessVariable) == "" {
		weft.Register(onlyHere)
	}
}

func onlyHere(_ context.Context, n int) (int, error) { return n, nil }

// A worker of a program with other functions is used for what it has, and never
// given what it has not.
func TestOtherBuild(t *testing.T) {
	t.Parallel()
	b := newBundle(t, theServer(t))
	p, err := begin([]string{"weft-worker", "-slots", "1", b.url}, []string{lessVariable + "=1"})
	if err != nil {
		t.Fatal(err)
	}
	b.watch(p)
	b.await(p)
	c := b.dial()
	got, err := weft.Map(t.Context(), ints(5), double, weft.On(c), weft.Require(weft.Isolation))
	if err != nil || got[4] != 8 {
		t.Errorf("a function that both have: %v", err)
	}
	begun := time.Now()
	_, err = weft.Map(t.Context(), ints(5), onlyHere, weft.On(c), weft.Require(weft.Isolation))
	if err == nil || !strings.Contains(err.Error(), "onlyHere") || !strings.Contains(err.Error(), "without it") || !strings.Contains(err.Error(), "weft-worker") {
		t.Errorf("a function that no worker has: %v", err)
	}
	if took := time.Since(begun); took > 10*time.Second {
		t.Errorf("it took %v to say so", took)
	}
	ws, err := c.Workers(t.Context())
	if err != nil || len(ws) != 1 || ws[0].Slots != 1 || ws[0].Name == "" {
		t.Errorf("%+v, %v", ws, err)
	}
}

// What a worker has beside CPUs is a queue of its own.
func TestResources(t *testing.T) {
	t.Parallel()
	b := newBundle(t, theServer(t))
	ctx, cancel := context.WithCancel(t.Context())
	served := make(chan error, 1)
	var log lines
	go func() {
		served <- cluster.Serve(ctx, b.url, cluster.WorkerConfig{Slots: 1, Resources: map[string]int{"gpu": 1}, Log: &log})
	}()
	t.Cleanup(func() {
		cancel()
		if err := <-served; err != nil {
			t.Error(err)
		}
	})
	until(t, "the worker has joined", func() bool { return strings.Contains(log.String(), " joined ") })
	b.url = strings.Replace(b.url, "&store=", ".gpu&store=", 1)
	c := b.dial(cluster.Config{Priority: 1, Fairness: "me", FairnessWeight: 2})
	got, err := weft.Map(t.Context(), ints(5), double, weft.On(c), weft.Require(weft.Isolation))
	if err != nil || got[4] != 8 {
		t.Errorf("%v", err)
	}
}

// Work that is done sooner here stays here, and the plan says so.
func TestStaysAtHome(t *testing.T) {
	t.Parallel()
	b := newBundle(t, theServer(t))
	b.start("-slots", "2")
	c := b.dial()
	var rep weft.Report
	got, err := weft.Map(t.Context(), ints(100_000), double, weft.On(c), weft.ReportTo(&rep))
	if err != nil || got[99_999] != 199_998 {
		t.Fatal(err)
	}
	if s := rep.String(); !strings.Contains(s, "stays in goroutines") || !strings.Contains(s, "weft.Require(weft.Isolation)") {
		t.Errorf("the plan says why it came home:\n%s", s)
	}
}
