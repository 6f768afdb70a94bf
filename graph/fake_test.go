package graph

import (
	"container/heap"
	"fmt"
	"math/rand/v2"
	"time"
)

// fake makes records of runs that never were, the same every time. Tasks run in
// the order of their places, each as soon as its inputs and a worker are ready.
type fake struct {
	rec Record
	rng *rand.Rand
	// took is how long tasks of a name take about; others some milliseconds.
	took map[string]time.Duration
	// fails are the places of tasks that fail.
	fails map[int]bool
}

func newFake(seed uint64) *fake {
	return &fake{rng: rand.New(rand.NewPCG(seed, 99)), rec: Record{Graph: "the graph made at main.go:12"}, took: map[string]time.Duration{}, fails: map[int]bool{}}
}

func (f *fake) add(kind Kind, name string, inputs ...int) int {
	order := -1
	if kind != KindConst {
		order = len(f.rec.Tasks)
	}
	f.rec.Tasks = append(f.rec.Tasks, Task{ID: len(f.rec.Tasks), Name: name, Group: name, Kind: kind, Inputs: inputs, Order: order, Worker: -1})
	return len(f.rec.Tasks) - 1
}

func (f *fake) call(name string, inputs ...int) int { return f.add(KindCall, name, inputs...) }

// reduce joins values by fan at a time, one after the other, as Reduce does.
func (f *fake) reduce(name string, values []int, fan int) int {
	for len(values) > 1 {
		var next []int
		for i := 0; i < len(values); i += fan {
			at := values[i]
			for _, v := range values[i+1 : min(len(values), i+fan)] {
				at = f.add(KindReduce, name, at, v)
			}
			next = append(next, at)
		}
		values = next
	}
	return values[0]
}

// free is when workers are free.
type free []struct {
	at     time.Duration
	worker int
}

func (h free) Len() int { return len(h) }
func (h free) Less(i, j int) bool {
	return h[i].at < h[j].at || h[i].at == h[j].at && h[i].worker < h[j].worker
}
func (h free) Swap(i, j int) { h[i], h[j] = h[j], h[i] }
func (h *free) Push(x any) {
	*h = append(*h, x.(struct {
		at     time.Duration
		worker int
	}))
}
func (h *free) Pop() any { old := *h; x := old[len(old)-1]; *h = old[:len(old)-1]; return x }

// run fills in a run on so many workers.
func (f *fake) run(workers int, asked ...int) *Record {
	r := &f.rec
	r.Asked, r.Ran, r.Workers, r.Begun, r.Budget = asked, true, workers, time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC), 64<<20
	h := make(free, workers)
	for i := range h {
		h[i].worker = i
	}
	uses := make([]int, len(r.Tasks))
	best, from := make([]time.Duration, len(r.Tasks)), make([]int, len(r.Tasks))
	for i := range r.Tasks {
		for _, d := range r.Tasks[i].Inputs {
			uses[d]++
		}
	}
	var bytes int64
	results := 0
	last := -1
	for i := range r.Tasks {
		t := &r.Tasks[i]
		from[i] = -1
		if t.Kind == KindConst {
			t.State, t.Bytes = StateDone, 16
			continue
		}
		ready, ok := time.Duration(0), true
		for _, d := range t.Inputs {
			in := &r.Tasks[d]
			ready = max(ready, in.End)
			ok = ok && in.State == StateDone
			if in.Kind != KindConst && (from[i] < 0 || best[d] > best[from[i]]) {
				from[i] = d
			}
		}
		if !ok {
			t.State = StateSkipped
			continue
		}
		took := f.took[t.Name]
		if took == 0 {
			took = 2 * time.Millisecond
		}
		took = time.Duration(float64(took) * (0.5 + f.rng.Float64()))
		w := &h[0]
		t.Start = max(ready, w.at)
		t.End, t.Worker, t.Attempts, t.State = t.Start+took, w.worker, 1, StateDone
		w.at = t.End
		heap.Fix(&h, 0)
		best[i] = took
		if from[i] >= 0 {
			best[i] += best[from[i]]
		}
		if last < 0 || best[i] > best[last] {
			last = i
		}
		r.Took = max(r.Took, t.End+100*time.Microsecond)
		if f.fails[i] {
			t.State, t.Err, t.Attempts = StateFailed, fmt.Sprintf("graph: %s (task %d): open part-%03d.csv: no such file or directory", t.Name, t.ID, i), 3
			r.Err = t.Err
			continue
		}
		t.Bytes = int64(f.rng.IntN(2 << 20))
		bytes += t.Bytes
		results++
		for _, d := range t.Inputs {
			if uses[d]--; uses[d] == 0 && r.Tasks[d].Kind != KindConst {
				bytes -= r.Tasks[d].Bytes
				results--
			}
		}
		if n := len(r.Memory); n == 0 || t.End > r.Memory[n-1].At {
			r.Memory = append(r.Memory, Sample{At: t.End, Bytes: bytes, Disk: bytes / 8, Results: results})
		}
	}
	if len(r.Memory) > 2000 {
		every := len(r.Memory)/2000 + 1
		var kept []Sample
		for i := 0; i < len(r.Memory); i += every {
			kept = append(kept, r.Memory[i])
		}
		r.Memory = kept
	}
	for i := last; i >= 0; i = from[i] {
		r.Critical = append([]int{i}, r.Critical...)
	}
	return r
}

// fakeWide reads parts and joins them.
func fakeWide(n int, fails ...int) *Record {
	f := newFake(1)
	f.took["main.readPart"], f.took["main.sum"] = 8*time.Millisecond, time.Millisecond
	var parts []int
	for i := range n {
		parts = append(parts, f.call("main.readPart", f.add(KindConst, fmt.Sprintf("\"part-%03d.csv\"", i))))
	}
	for _, i := range fails {
		f.fails[parts[i]] = true
	}
	return f.run(4, f.reduce("main.sum", parts, 8))
}

// fakeFan has one input, n tasks, and one that joins them.
func fakeFan(n int) *Record {
	f := newFake(2)
	load := f.call("load")
	var all []int
	for range n {
		all = append(all, f.call("score", load))
	}
	return f.run(4, f.call("best", all...))
}

// fakeDeep is a chain.
func fakeDeep(n int) *Record {
	f := newFake(3)
	at := f.call("begin")
	for i := 1; i < n; i++ {
		at = f.call(fmt.Sprintf("step%02d", i%40), at)
	}
	return f.run(2, at)
}

// fakeDiamonds are diamonds below each other.
func fakeDiamonds(n int) *Record {
	f := newFake(4)
	at := f.call("begin")
	for range n {
		at = f.call("join", f.call("left", at), f.call("right", at))
	}
	return f.run(2, at)
}

// fakeRandom is a random layered graph.
func fakeRandom(ranks, wide int, fails ...int) *Record {
	f := newFake(5)
	names := []string{"clean", "filter", "group", "merge", "a much longer name than fits into a box"}
	var all []int
	for i := range ranks * wide {
		var in []int
		if i >= wide {
			for range 1 + f.rng.IntN(2) {
				in = append(in, all[(i/wide-1)*wide+f.rng.IntN(wide)])
			}
		}
		all = append(all, f.call(names[(i/wide+i%2)%len(names)], in...))
	}
	for _, i := range fails {
		f.fails[i] = true
	}
	return f.run(4, all[len(all)-wide:]...)
}

// fakeStencil is a grid in which a cell needs three of the row above.
func fakeStencil(rows, wide int) *Record {
	f := newFake(6)
	var above []int
	for r := range rows {
		var row []int
		for c := range wide {
			var in []int
			if r > 0 {
				for k := max(0, c-1); k <= min(wide-1, c+1); k++ {
					in = append(in, above[k])
				}
			}
			row = append(row, f.call("stencil", in...))
		}
		above = row
	}
	return f.run(4, above...)
}

// fakePipeline is a chain of maps with a reduction.
func fakePipeline(n int, fails ...int) *Record {
	f := newFake(7)
	f.took["read"], f.took["parse"], f.took["sum"], f.took["list"] = 3*time.Millisecond, 9*time.Millisecond, 500*time.Microsecond, 20*time.Millisecond
	list := f.call("list")
	var all []int
	for range n {
		all = append(all, f.call("parse", f.call("read", list)))
	}
	for _, i := range fails {
		f.fails[all[i]] = true
	}
	top := f.reduce("sum", all, 16)
	return f.run(4, f.call("top", top), f.call("write", top))
}

// fakeTour is the pipeline of the tour: what is parsed has two uses.
func fakeTour(n int) *Record {
	f := newFake(8)
	f.took["parse"] = 30 * time.Millisecond
	var sizes, imports []int
	for i := range n {
		parsed := f.call("parse", f.add(KindConst, fmt.Sprintf("%d files", i)))
		sizes, imports = append(sizes, f.call("size", parsed)), append(imports, f.call("imports", parsed))
	}
	return f.run(2, f.call("top list", f.reduce("add sizes", sizes, 8), f.reduce("add imports", imports, 8)))
}

// fakes are the records that pictures are looked at with.
func fakes() map[string]*Record {
	return map[string]*Record{
		"wide20": fakeWide(20), "wide100": fakeWide(100, 3, 40), "wide240": fakeWide(240), "wide5000": fakeWide(5000, 77),
		"fan20": fakeFan(20), "fan500": fakeFan(498), "fan5": fakeFan(5),
		"deep20": fakeDeep(20), "deep100": fakeDeep(100), "deep500": fakeDeep(500),
		"diamonds6": fakeDiamonds(6), "diamonds33": fakeDiamonds(33),
		"random20": fakeRandom(5, 4, 6), "random100": fakeRandom(10, 10, 23), "random500": fakeRandom(25, 20), "random5000": fakeRandom(100, 50, 1000),
		"tour60":  fakeTour(60),
		"stencil": fakeStencil(6, 10), "pipeline20": fakePipeline(9), "pipeline150": fakePipeline(150, 33), "pipeline5000": fakePipeline(5000, 700),
	}
}
