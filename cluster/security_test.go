package cluster

import (
	"context"
	"errors"
	"io"
	"strings"
	"testing"

	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/converter"
	"go.temporal.io/sdk/workflow"

	"github.com/weft-go/weft"
	"github.com/weft-go/weft/internal/objects"
)

var _ = weft.Register(harmless)

func harmless(_ context.Context, b []byte) (int, error) { return len(b), nil }

// Whoever can write to the server can ask a worker for registered functions
// only, and for values of the run that it says it is.
func TestForgedTasksAreRefused(t *testing.T) {
	t.Parallel()
	st, err := objects.Open(t.Context(), "mem://"+t.Name(), objects.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = st.Close() })
	items, err := encode([][]byte{[]byte("a")})
	if err != nil {
		t.Fatal(err)
	}
	other, err := st.Put(t.Context(), objectPrefix("another-run"), items)
	if err != nil {
		t.Fatal(err)
	}
	own, err := st.Put(t.Context(), objectPrefix("this-run"), items)
	if err != nil {
		t.Fatal(err)
	}
	w := &server{c: &Cluster{store: st}, cfg: WorkerConfig{Log: io.Discard}, name: "w"}
	name := "github.com/weft-go/weft/cluster.harmless"
	changed := own
	changed.Size++
	for _, c := range []struct {
		name, want string
		p          part
	}{
		{"an unregistered function", "weft.Register", part{Func: "os.RemoveAll", Count: 1, Loads: []load{{Count: 1, Items: items}}}},
		{"a function of this package", "weft.Register", part{Func: "github.com/weft-go/weft/cluster.dial", Count: 1, Loads: []load{{Count: 1, Items: items}}}},
		{"an object of another run", "not of the run", part{Func: name, Count: 1, Loads: []load{{Count: 1, Ref: other}}}},
		{"a path out of the store", "not a reference", part{Func: name, Count: 1, Loads: []load{{Count: 1, Ref: objects.Ref{Path: "runs/this-run/../../etc/passwd", Size: 1}}}}},
		{"a path out of the run", "not a reference", part{Func: name, Count: 1, Loads: []load{{Count: 1, Ref: objects.Ref{Path: "runs/this-run/../another-run/" + other.Path[len(other.Path)-64:], Size: other.Size}}}}},
		{"another size", "object", part{Func: name, Count: 1, Loads: []load{{Count: 1, Ref: changed}}}},
		{"a large value that is not there", "", part{Func: name, Count: 1, Loads: []load{{Count: 1, Items: []byte{0x81, 0xdb, 0x77, 0x65, 0x66, 0x74, 0, 0, 0, 1, 0x05}}}}},
		{"fewer items", "items came", part{Func: name, Count: 2, Loads: []load{{Count: 2, Items: items}}}},
		{"no items", "", part{Func: name, Count: 1, Loads: []load{{Count: 1, Items: []byte("rubbish")}}}},
	} {
		b, err := encode(c.p)
		if err != nil {
			t.Fatal(err)
		}
		in, err := encode(task{Part: b, Hi: c.p.Count})
		if err != nil {
			t.Fatal(err)
		}
		j := &job{w: w, info: activity.Info{WorkflowExecution: workflow.Execution{ID: "this-run"}}}
		if err := j.accept(t.Context(), in); err == nil || !strings.Contains(err.Error(), c.want) || j.b != nil {
			t.Errorf("%s: %v", c.name, err)
		}
	}
	// What is right is taken, else none of the above would tell anything.
	b, err := encode(part{Func: name, Count: 1, Loads: []load{{Count: 1, Ref: own}}})
	if err != nil {
		t.Fatal(err)
	}
	in, err := encode(task{Part: b, Hi: 1})
	if err != nil {
		t.Fatal(err)
	}
	j := &job{w: w, info: activity.Info{WorkflowExecution: workflow.Execution{ID: "this-run"}}}
	if err := j.accept(t.Context(), in); err != nil || j.b.Items.Len() != 1 {
		t.Errorf("%v", err)
	}
	if err := j.accept(t.Context(), []byte("rubbish")); err == nil {
		t.Error("rubbish is taken")
	}
}

// With a key nothing that is not encrypted with it is read.
func TestKeyIsNeeded(t *testing.T) {
	t.Parallel()
	one, err := newConverter([]byte("0123456789abcdef"))
	if err != nil {
		t.Fatal(err)
	}
	two, err := newConverter([]byte("fedcba9876543210"))
	if err != nil {
		t.Fatal(err)
	}
	p, err := one.ToPayloads([]byte("secret"))
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(p.String(), "secret") {
		t.Error("a payload shows what is in it")
	}
	var b []byte
	if err := one.FromPayloads(p, &b); err != nil || string(b) != "secret" {
		t.Errorf("%q, %v", b, err)
	}
	if err := two.FromPayloads(p, &b); err == nil || !strings.Contains(err.Error(), "another Key") {
		t.Errorf("with another key: %v", err)
	}
	plain, err := converter.GetDefaultDataConverter().ToPayloads([]byte("x"))
	if err != nil {
		t.Fatal(err)
	}
	if err := one.FromPayloads(plain, &b); err == nil || !strings.Contains(err.Error(), "not encrypted") {
		t.Errorf("without one: %v", err)
	}
}

func TestAccountAlwaysAdmitsOne(t *testing.T) {
	t.Parallel()
	held := int64(100)
	a := newAccount(1000, func() int64 { return held })
	s := newSlots(3, a)
	first := s.TryReserveSlot(nil)
	if first == nil {
		t.Fatal("the first is not admitted")
	}
	a.begin()
	s.mu.Lock()
	s.busy[first] = true
	s.mu.Unlock()
	held = 900 // one batch takes 800
	a.mu.Lock()
	a.each = 800
	a.mu.Unlock()
	if s.TryReserveSlot(nil) != nil {
		t.Error("a second one is admitted though there is no room")
	}
	a.end()
	s.mu.Lock()
	delete(s.busy, first)
	s.used--
	s.mu.Unlock()
	if s.TryReserveSlot(nil) == nil {
		t.Error("with nothing running none is admitted: it would wait for ever")
	}
	if held = anonymousNow(); held < 0 {
		t.Error("memory below nothing")
	}
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(errors.New("over"))
	full := newSlots(1, a)
	full.used = 1
	if _, err := full.ReserveSlot(ctx, nil); err == nil {
		t.Error("waiting for a slot does not end with its context")
	}
}

func anonymousNow() int64 { return (&server{}).held() }
