package proc

import (
	"context"
	"fmt"
	"reflect"
	"time"

	"golang.org/x/sys/unix"

	"github.com/weft-go/weft"
	"github.com/weft-go/weft/internal/wire"
)

// job is the batch that is being run.
type job struct {
	b       *weft.Batch
	head    resultHead
	ctx     context.Context
	flushed time.Time
	look    int // the item before which the clock is read
}

// flushEvery is how often results are sent while a batch goes on.
const flushEvery = 5 * time.Millisecond

// weigh tells the parent what this process has held, now and then.
func (s *server) weigh(now time.Time) {
	if now.Sub(s.weighed) > weighEvery {
		s.weighed = now
		s.page.peak.Store(peakRSS("/proc/self/status"))
	}
}

// weighEvery makes looking at the memory, some 20 us, less than a thousandth.
const weighEvery = 50 * time.Millisecond

// accept reads a batch.
func (s *server) accept(payload []byte) bool {
	begun := time.Now()
	s.weigh(begun)
	s.segments.begin()
	d := wire.Decoder{Buf: payload, Bulk: s.segments.bulk, Shared: s.segments.shared}
	var h batchHead
	err := h.read(&d)
	b := &weft.Batch{First: h.first, Timeout: h.timeout, KeepGoing: h.keepGoing, Most: h.most}
	if err == nil {
		s.segments.wait(h.controls)
		b.Func, err = weft.Lookup(h.fn)
	}
	if err == nil && b.Func.Item() == nil {
		err = fmt.Errorf("%s takes no item", h.fn)
	}
	if err == nil {
		b.Items = reflect.New(reflect.SliceOf(b.Func.Item())).Elem()
		err = d.Value(b.Items)
	}
	if err == nil && len(d.Buf) > 0 {
		err = fmt.Errorf("%w: %d bytes after the items", wire.ErrCorrupt, len(d.Buf))
	}
	s.job = &job{b: b, head: resultHead{seq: h.seq}}
	if err != nil {
		s.job.head.final, s.job.head.refused = true, err.Error()
		s.report()
		s.job = nil
		return false
	}
	n := b.Items.Len()
	b.Errs = make([]error, n)
	if t := b.Func.Result(); t != nil {
		b.Results = reflect.MakeSlice(reflect.SliceOf(t), n, n)
	}
	s.mu.Lock()
	s.current = h.seq
	ctx, cancel := context.WithCancelCause(context.Background())
	s.job.ctx, s.cancel = ctx, cancel
	if s.cancelled[h.seq] {
		delete(s.cancelled, h.seq)
		cancel(errCancelled)
	}
	s.mu.Unlock()
	s.job.flushed = time.Now()
	s.job.head.encoding = s.job.flushed.Sub(begun)
	return true
}

// finish runs the batch, or the rest of it after an item ended the goroutine.
func (s *server) finish(resumed bool) {
	j := s.job
	if !resumed || j.b.KeepGoing {
		j.b.Here(j.ctx, s.before)
	}
	s.page.at.Store(0)
	j.head.count, j.head.final = j.b.Ran-j.head.first, true
	j.head.wall = time.Since(j.flushed)
	// What short messages took is told by one of many, as asking takes as long
	// as they do.
	if now := time.Now(); j.head.wall > tinyBatch || now.Sub(s.billed) > time.Millisecond {
		cpu := processCPU()
		j.head.cpu, s.cpu, s.billed = cpu-s.cpu, cpu, now
	}
	s.mu.Lock()
	s.cancel(nil)
	s.cancel = nil
	s.mu.Unlock()
	s.report()
	s.job = nil
}

// before is called before each item. What is done is sent now and then, so
// that it is safe if a later item ends the process.
func (s *server) before(i int) bool {
	j := s.job
	if i >= j.look {
		since := time.Since(j.flushed)
		if i > j.head.first && since > flushEvery {
			j.head.count, j.head.wall = i-j.head.first, since
			s.page.at.Store(0)
			s.report()
			j.head.first, j.head.encoding = i, 0
			j.flushed = time.Now()
		}
		j.look = i + 1
		if done := i - j.head.first; done > 0 && since < time.Duration(done)*lookEvery {
			j.look = i + 16
		}
	}
	s.page.at.Store(j.head.seq<<32 | uint64(i+1))
	return true
}

// lookEvery is how long an item must take for the clock to be read before each:
// ten times what that takes.
const lookEvery = time.Microsecond

func processCPU() time.Duration {
	var u unix.Rusage
	if unix.Getrusage(unix.RUSAGE_SELF, &u) != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
