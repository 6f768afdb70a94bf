//go:build linux

package proc_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/weft-go/weft"
	"github.com/weft-go/weft/proc"
)

var (
	_ = weft.Register(square)
	_ = weft.Register(pid)
	_ = weft.Register(dieAt)
)

func square(_ context.Context, n int) (int, error) { return n * n, nil }

func pid(context.Context, int) (int, error) { return os.Getpid(), nil }

// dieAt ends its process at the item n itself says.
func dieAt(_ context.Context, n int) (int, error) {
	if n < 0 {
		fmt.Fprintln(os.Stderr, "about to die")
		if err := syscall.Kill(os.Getpid(), syscall.SIGKILL); err != nil {
			return 0, err
		}
		select {}
	}
	return n * n, nil
}

func start(t *testing.T, cfg proc.Config) *proc.Pool {
	t.Helper()
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

func TestMapInProcesses(t *testing.T) {
	t.Parallel()
	p := start(t, proc.Config{Workers: 2})
	got, err := weft.Map(t.Context(), numbers(10_000), square, weft.On(p))
	if err != nil {
		t.Fatal(err)
	}
	for i, v := range got {
		if v != i*i {
			t.Fatalf("item %d: %d", i, v)
		}
	}
	pids, err := weft.Map(t.Context(), numbers(100), pid, weft.On(p))
	if err != nil {
		t.Fatal(err)
	}
	if slices.Contains(pids, os.Getpid()) || !slices.Contains(p.PIDs(), pids[0]) {
		t.Errorf("%v: not run in the pool's processes %v", pids, p.PIDs())
	}
}

func TestKilledWorkerIsNamed(t *testing.T) {
	t.Parallel()
	p := start(t, proc.Config{Workers: 2, Stderr: &strings.Builder{}})
	items := numbers(100)
	items[42] = -1
	got, err := weft.Map(t.Context(), items, dieAt, weft.On(p), weft.KeepGoing())
	ie, ok := errors.AsType[*weft.ItemError](err)
	if !ok || ie.Index != 42 {
		t.Fatalf("want item 42 to fail: %v", err)
	}
	d, ok := errors.AsType[*proc.DeathError](err)
	if !ok || d.Signal != syscall.SIGKILL || d.Index != 42 || !errors.Is(err, weft.ErrLost) {
		t.Fatalf("%#v: %v", d, err)
	}
	if !slices.Equal(d.Stderr, []string{"about to die"}) || d.PeakRSS <= 0 {
		t.Errorf("the certificate lacks something: %+v", d)
	}
	for i, v := range got {
		if i != 42 && v != i*i {
			t.Errorf("item %d: %d", i, v)
		}
	}
}
