package pilot

import (
	"math"
	"runtime"
	"runtime/metrics"
	"testing"
	"time"
)

var sink []byte

func burn(d time.Duration) {
	for end := time.Now().Add(d); time.Now().Before(end); {
	}
}

func TestProcessCPUMoves(t *testing.T) {
	before := ProcessCPU()
	burn(20 * time.Millisecond)
	if d := ProcessCPU() - before; d <= 0 {
		t.Errorf("computing cost %v", d)
	}
}

func TestThreadCPU(t *testing.T) {
	if !HasThreadCPU {
		t.Skip("there is no thread clock here")
	}
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	tid := ThreadID()
	before, seen := ThreadCPU(), CPUOf(tid)
	burn(20 * time.Millisecond)
	if ThreadCPU() <= before || CPUOf(tid) <= seen {
		t.Error("computing cost this thread nothing")
	}
	before = ThreadCPU()
	waits, preempted := Switches()
	time.Sleep(30 * time.Millisecond)
	if d := ThreadCPU() - before; d > 20*time.Millisecond {
		t.Errorf("sleeping 30ms cost %v", d)
	}
	if w, p := Switches(); w < waits || p < preempted {
		t.Errorf("switches ran backwards, from %d and %d to %d and %d", waits, preempted, w, p)
	}
	if Blocked(tid) {
		t.Error("the thread that asks is not asleep")
	}
	if CPUOf(1<<22+1) != 0 || Blocked(1<<22+1) {
		t.Error("a thread that is not there")
	}
}

func TestBlockedSeesASleeper(t *testing.T) {
	if !HasThreadCPU {
		t.Skip("there is no thread clock here")
	}
	tid, quit, gone := make(chan int), make(chan struct{}), make(chan struct{})
	go func() {
		defer close(gone)
		runtime.LockOSThread()
		tid <- ThreadID()
		<-quit
	}()
	id := <-tid
	// The scheduler may spin a while before the thread sleeps.
	asleep := false
	for end := time.Now().Add(10 * time.Second); !asleep && time.Now().Before(end); {
		asleep = Blocked(id)
	}
	close(quit)
	<-gone
	if !asleep {
		t.Error("a thread that waits counts as running")
	}
}

func TestReadCounts(t *testing.T) {
	before := Read()
	for range 100 {
		sink = make([]byte, 1<<16)
	}
	after := Read()
	if d := after.Allocated - before.Allocated; d < 100<<16 {
		t.Errorf("%d bytes were allocated, at least %d are counted for", d, 100<<16)
	}
	if after.Live <= 0 || after.Running < 1 || after.LockWait < before.LockWait {
		t.Errorf("%+v", after)
	}
	if n := testing.AllocsPerRun(100, func() { Read() }); n > 0.5 {
		t.Errorf("reading allocates %v times", n)
	}
}

func TestGCShare(t *testing.T) {
	for _, row := range []struct {
		from, to Counters
		want     float64
	}{
		{Counters{}, Counters{}, 0},
		{Counters{GC: 1, CPU: 10}, Counters{GC: 2, CPU: 14}, 0.25},
		{Counters{GC: 1, CPU: 10}, Counters{GC: 9, CPU: 11}, 1},
		{Counters{GC: 2, CPU: 10}, Counters{GC: 1, CPU: 11}, 0},
		{Counters{GC: 1, CPU: 10}, Counters{GC: 2, CPU: 9}, 0},
	} {
		if got := GCShare(row.from, row.to); got != row.want {
			t.Errorf("from %v to %v: %v, want %v", row.from, row.to, got, row.want)
		}
	}
}

func TestOneInTen(t *testing.T) {
	bounds := []float64{math.Inf(-1), 0, 1e-6, 1e-3, 1e-2, math.Inf(1)}
	at := func(counts ...uint64) ReadyTimes {
		return ReadyTimes{&metrics.Float64Histogram{Counts: counts, Buckets: bounds}}
	}
	for _, row := range []struct {
		name     string
		from, to ReadyTimes
		want     time.Duration
	}{
		{"nothing read", ReadyTimes{}, ReadyTimes{}, 0},
		{"none ran", at(1, 2, 3, 4, 5), at(1, 2, 3, 4, 5), 0},
		{"at once", at(0, 0, 0, 0, 9), at(0, 100, 0, 0, 9), 0},
		{"one in ten", at(0, 0, 0, 0, 0), at(0, 90, 0, 10, 0), time.Millisecond},
		{"one in eleven", at(0, 0, 0, 0, 0), at(0, 100, 0, 10, 0), 0},
		{"before does not count", at(0, 0, 0, 500, 0), at(0, 100, 50, 501, 0), time.Microsecond},
		{"together", at(0, 0, 0, 0, 0), at(0, 89, 0, 6, 5), time.Millisecond},
		{"the last bucket", at(0, 0, 0, 0, 0), at(0, 0, 0, 0, 1), 10 * time.Millisecond},
	} {
		if got := OneInTen(row.from, row.to); got != row.want {
			t.Errorf("%s: %v, want %v", row.name, got, row.want)
		}
	}
	r := ReadReady()
	done := make(chan struct{})
	go close(done)
	<-done
	if OneInTen(r, ReadReady()) < 0 || r.h == nil {
		t.Error("the runtime's own counts can't be read")
	}
}
