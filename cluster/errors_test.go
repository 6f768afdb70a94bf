package cluster_test

import (
	"errors"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/weft-go/weft"
	"github.com/weft-go/weft/cluster"
)

func TestNoWorkers(t *testing.T) {
	t.Parallel()
	b := newBundle(t, theServer(t))
	c := b.dial()
	begun := time.Now()
	_, err := weft.Map(t.Context(), ints(10), double, weft.On(c))
	if !errors.Is(err, cluster.ErrNoWorkers) || !strings.Contains(err.Error(), "weft-worker") || !strings.Contains(err.Error(), "WEFT_CLUSTER") {
		t.Errorf("what to start is said: %v", err)
	}
	if took := time.Since(begun); took > 10*time.Second {
		t.Errorf("it took %v to say that there is no worker", took)
	}
}

// A worker that was killed a moment ago is still in the server's list.
func TestWorkersJustGone(t *testing.T) {
	t.Parallel()
	b := newBundle(t, theServer(t))
	p := b.start("-slots", "1")
	c := b.dial()
	if _, err := weft.Map(t.Context(), ints(10), double, weft.On(c), weft.Require(weft.Isolation)); err != nil {
		t.Fatal(err)
	}
	p.kill()
	begun := time.Now()
	_, err := weft.Map(t.Context(), ints(10), double, weft.On(c), weft.Require(weft.Isolation))
	if !errors.Is(err, cluster.ErrNoWorkers) {
		t.Errorf("%v", err)
	}
	if took := time.Since(begun); took > 20*time.Second {
		t.Errorf("it took %v to say that there is no worker", took)
	}
}

func TestDialRefuses(t *testing.T) {
	t.Parallel()
	s := theServer(t)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	closed := l.Addr().String()
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	file := t.TempDir() + "/file"
	for _, c := range []struct {
		name, url, want string
		cfg             cluster.Config
	}{
		{"no URL", "", "WEFT_CLUSTER", cluster.Config{}},
		{"a page", "http://localhost:8233", "temporal://localhost:7233", cluster.Config{}},
		{"no scheme", "localhost:7233", "temporal://", cluster.Config{}},
		{"no host", "temporal:///default", "names no host", cluster.Config{}},
		{"a password", "temporal://me:secret@h/default", "APIKey", cluster.Config{}},
		{"a typo", "temporal://h/default?que=x", `"que"`, cluster.Config{}},
		{"a bad queue", "temporal://h/default?queue=a/b", "queue", cluster.Config{}},
		{"two namespaces", "temporal://h/a/b", "namespace", cluster.Config{}},
		{"no server", "temporal://" + closed + "/default", "start-dev", cluster.Config{}},
		{"no namespace", s.URL + "/nowhere", "namespace create", cluster.Config{}},
		{"a bad store", s.URL + "/default?store=ftp://x", "store", cluster.Config{}},
		{"a short key", s.URL + "/default", "AES", cluster.Config{Key: []byte("short")}},
		{"half a certificate", s.URL + "/default", "KeyFile", cluster.Config{CertFile: file}},
		{"no such CA", s.URL + "/default", "CAFile", cluster.Config{CAFile: file}},
		{"too impatient", s.URL + "/default", "Lost", cluster.Config{Lost: time.Millisecond}},
		{"no such priority", s.URL + "/default", "Priority", cluster.Config{Priority: 9}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			begun := time.Now()
			d, err := cluster.Dial(t.Context(), c.url, c.cfg)
			if err == nil {
				_ = d.Close()
				t.Fatal("it was taken")
			}
			if !strings.HasPrefix(err.Error(), "cluster: Dial: ") || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "secret") {
				t.Errorf("want a word of %q: %v", c.want, err)
			}
			if took := time.Since(begun); took > 15*time.Second {
				t.Errorf("it took %v", took)
			}
		})
	}
}

func TestServeRefuses(t *testing.T) {
	t.Parallel()
	s := theServer(t)
	for _, c := range []struct {
		want string
		cfg  cluster.WorkerConfig
	}{
		{"Slots", cluster.WorkerConfig{Slots: 1 << 20}},
		{"Memory", cluster.WorkerConfig{Memory: -1}},
		{"Isolate", cluster.WorkerConfig{ItemMemory: 1 << 30}},
		{"Resources", cluster.WorkerConfig{Resources: map[string]int{"a/b": 1}}},
		{"Drain", cluster.WorkerConfig{Drain: -1}},
	} {
		c.cfg.Log = io.Discard
		if err := cluster.Serve(t.Context(), s.URL+"/default", c.cfg); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("want a word of %s: %v", c.want, err)
		}
	}
}

// Large values need a store, and are refused with the mend if there is none.
func TestValueOverTheLimit(t *testing.T) {
	t.Parallel()
	b := newBundle(t, theServer(t))
	b.url, _, _ = strings.Cut(b.url, "&store=")
	b.start("-slots", "1")
	c := b.dial()
	items := [][]byte{make([]byte, 100), make([]byte, 3<<20), make([]byte, 100)}
	got, err := weft.Map(t.Context(), items, length, weft.On(c), weft.KeepGoing(), weft.Require(weft.Isolation))
	ie, ok := errors.AsType[*weft.ItemError](err)
	if !ok || ie.Index != 1 || !strings.Contains(err.Error(), "&store=") || got[0] != 100 || got[2] != 100 {
		t.Errorf("an item over the limit: %v, %v", got, err)
	}
	_, err = weft.Map(t.Context(), []int{3 << 20}, zeros, weft.On(c), weft.Require(weft.Isolation))
	if err == nil || !strings.Contains(err.Error(), "&store=") {
		t.Errorf("a result over the limit: %v", err)
	}
	// Together they are too large, each by itself is not.
	parts, err := weft.Map(t.Context(), []int{800 << 10, 800 << 10, 800 << 10}, zeros, weft.On(c), weft.Require(weft.Isolation), weft.Chunk(3))
	if err != nil || len(parts[2]) != 800<<10 {
		t.Errorf("three results that do not fit into one message: %v", err)
	}
}
