package graph

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/weft-go/weft/graph/internal/spill"
)

// blocks is a graph of n results of 64 KiB that are all needed twice, so that
// most must go to disk with a budget of a megabyte. made counts those that were
// computed.
func blocks(g *Graph, n int, made *atomic.Int64) (first, sum Value[float64]) {
	ids := make([]int, n)
	for i := range ids {
		ids[i] = i
	}
	read := Map(g, func(_ context.Context, i int) ([]float64, error) {
		made.Add(1)
		b := make([]float64, 8<<10)
		for k := range b {
			b[k] = float64(i)
		}
		return b, nil
	}, Consts(g, ids), Name("read"))
	at := func(_ context.Context, b []float64) (float64, error) { return b[len(b)-1], nil }
	join := func(_ context.Context, a, b float64) (float64, error) { return a + b, nil }
	first = Call(g, at, read[0], Name("first"), Priority(1))
	all := Reduce(g, join, Map(g, at, read), 8, Name("all"))
	weighed := make([]Value[float64], n)
	for i, b := range read {
		weighed[i] = Call2(g, func(_ context.Context, b []float64, all float64) (float64, error) { return b[0] * all, nil }, b, all, Name("weigh"))
	}
	return first, Reduce(g, join, weighed, 8, Name("sum"))
}

const wantBlocks = 99 * 100 / 2 * (99 * 100 / 2) // of 100

// disk is a disk in memory with faults.
type disk struct {
	mu     sync.Mutex
	data   []byte
	room   int                      // ENOSPC beyond; 0 is no limit
	damage func(p []byte, at int64) // changes what is read
	reads  int
}

func (d *disk) WriteAt(p []byte, at int64) (int, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	end := int(at) + len(p)
	if d.room > 0 && end > d.room {
		return 0, fmt.Errorf("write results: %w", syscall.ENOSPC)
	}
	if end > len(d.data) {
		d.data = append(d.data, make([]byte, end-len(d.data))...)
	}
	return copy(d.data[at:], p), nil
}

func (d *disk) ReadAt(p []byte, at int64) (int, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	n := copy(p, d.data[at:])
	d.reads++
	if d.damage != nil {
		d.damage(p, at)
	}
	return n, nil
}

func (d *disk) Close() error { return nil }

func onDisk(d *disk) RunOption {
	return runOption(func(c *config) { c.disk = func(string) (*spill.File, error) { return spill.On(d), nil } })
}

// A spill file that is damaged costs what it held: that is computed again, and
// nothing else.
func TestDamagedSpillFile(t *testing.T) {
	t.Parallel()
	for _, workers := range []int{1, 3} {
		var made atomic.Int64
		g := New()
		_, sum := blocks(g, 100, &made)
		large, damaged := 0, 0
		d := &disk{damage: func(p []byte, _ int64) {
			if len(p) < 16<<10 {
				return
			}
			if large++; large%10 == 5 && damaged < 4 {
				damaged++
				p[len(p)/2] ^= 1
			}
		}}
		got, err := Compute(t.Context(), sum, Workers(workers), MemoryLimit(1<<20), onDisk(d))
		if err != nil || got != wantBlocks {
			t.Errorf("%v, %v", got, err)
		}
		if damaged != 4 || made.Load() != 104 {
			t.Errorf("%d workers: %d blocks were damaged, and %d computed for the 100 there are", workers, damaged, made.Load())
		}
	}
	// Where everything comes back damaged, all of it is computed again.
	var made atomic.Int64
	g := New()
	_, sum := blocks(g, 100, &made)
	d := &disk{damage: func(p []byte, _ int64) { p[0] ^= 1 }}
	got, err := Compute(t.Context(), sum, Workers(1), MemoryLimit(1<<20), onDisk(d))
	if err != nil || got != wantBlocks || made.Load() < 150 || made.Load() > 400 {
		t.Errorf("%v, %v, %d blocks", got, err, made.Load())
	}
}

// A result that was damaged again and again is given up, and the error says what
// to do.
func TestDamagedTooOften(t *testing.T) {
	t.Parallel()
	var made atomic.Int64
	g := New()
	_, sum := blocks(g, 100, &made)
	p, err := g.plan([]uint32{sum.task}, nil)
	if err != nil {
		t.Fatal(err)
	}
	r := &run{begun: time.Now(), planned: p, cfg: config{workers: 1, memory: 1 << 20}}
	r.cfg.disk = func(string) (*spill.File, error) {
		r.memory.lost = map[uint32]int{}
		for i := range p.task { // as often as may be
			r.memory.lost[uint32(i)] = mostLost - 1
		}
		return spill.On(&disk{damage: func(p []byte, _ int64) { p[0] ^= 1 }}), nil
	}
	if err := r.open(t.Context(), "Compute"); err != nil {
		t.Fatal(err)
	}
	r.drive(t.Context())
	err = errors.Join(r.outcome(t.Context(), "Compute"), r.memory.close())
	if !errors.Is(err, spill.ErrDamaged) || !strings.Contains(err.Error(), "the result of read (task ") || !strings.Contains(err.Error(), "damaged on disk 3 times; set graph.SpillTo to another disk") {
		t.Errorf("%v", err)
	}
}

// A full disk is named in the error, with the task that has no room for it, and
// what had finished is returned.
func TestFullSpillDisk(t *testing.T) {
	t.Parallel()
	for _, workers := range []int{1, 3} {
		var made atomic.Int64
		g := New()
		first, sum := blocks(g, 100, &made)
		one := Call(g, func(_ context.Context, f float64) (int, error) { return int(f) + 1, nil }, first, Priority(1))
		got, _, err := Compute2(t.Context(), one, sum, Workers(workers), MemoryLimit(1<<20), onDisk(&disk{room: 1 << 20}))
		if te, ok := errors.AsType[*TaskError](err); !ok || te.Task == "" || !errors.Is(err, syscall.ENOSPC) ||
			!strings.Contains(err.Error(), "results could not go to disk: read (task ") || !strings.Contains(err.Error(), "raise graph.MemoryLimit") {
			t.Errorf("%v", err)
		}
		if got != 1 {
			t.Errorf("%d workers: what had finished is not returned: %d", workers, got)
		}
		if n := made.Load(); n > 40 {
			t.Errorf("%d blocks were computed, and there is room for 32", n)
		}
	}
}

// A run whose scheduler was not told that a task has ended fails, and prints what
// waits for what.
func TestStallIsToldOf(t *testing.T) {
	t.Parallel()
	for _, workers := range []int{1, 2, 0} {
		g := New()
		read := Call0(g, func(context.Context) (int, error) { return 1, nil }, Name("read"))
		clean := Call(g, nothing, read, Name("clean"))
		other := Call(g, nothing, Const(g, 1), Name("other"))
		sum := Call2(g, plus, clean, other, Name("sum"))
		p, err := g.plan([]uint32{sum.task}, nil)
		if err != nil {
			t.Fatal(err)
		}
		r := &run{begun: time.Now(), planned: p, cfg: config{workers: workers}}
		if err := r.open(t.Context(), "Compute"); err != nil {
			t.Fatal(err)
		}
		// A worker takes the first task, and is not heard of again.
		r.m.SetWorkers(r.m.Workers + 1)
		r.m.Take(r.m.Workers)
		if len(r.m.Out.Run) != 1 {
			t.Fatal(r.m.Out.Run)
		}
		r.m.Out.Reset()
		r.drive(t.Context())
		err = r.outcome(t.Context(), "Compute")
		want := "graph: nothing runs and nothing can start, with 1 of 4 tasks ended; what waits for what:\n" +
			"  read (task 0), running: it runs and has not said that it ended\n" +
			"  clean (task 1), waiting, for read (task 0)\n" +
			"  sum (task 4), waiting, for clean (task 1)"
		if err == nil || err.Error() != want {
			t.Errorf("%d workers: %v\nwant %s", workers, err, want)
		}
	}
}
