package proc

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"reflect"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/weft-go/weft"
	"github.com/weft-go/weft/internal/crossing"
	"github.com/weft-go/weft/internal/wire"
	"github.com/weft-go/weft/shm"
)

// shipment is one batch on its way through the pool. It may take several
// messages: for what a worker can't take at once, and what one that died left.
type shipment struct {
	pool  *Pool
	ctx   context.Context
	b     *weft.Batch
	shelf *shelf

	deaths map[int]int // workers that an item has ended, by its place
}

// stretch is some items of a batch that go in one message, or one item that
// has failed already.
type stretch struct {
	lo, hi int
	err    error
	alone  bool // goes to a worker that gets nothing else meanwhile
	crowd  bool // the worker had other messages when it was sent
}

func (s *shipment) run() error {
	todo := []stretch{{hi: s.b.Items.Len()}} // the next one last
	for len(todo) > 0 {
		st := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		if st.err != nil {
			s.b.Errs[st.lo] = st.err
			s.b.Ran = st.lo + 1
			if !s.b.KeepGoing {
				return nil
			}
			continue
		}
		if st.lo >= st.hi {
			continue
		}
		if s.ctx.Err() != nil {
			return context.Cause(s.ctx)
		}
		out, err := s.send(st)
		st.lo += out.ran
		s.b.Ran = max(s.b.Ran, st.lo)
		switch {
		case out.died != nil:
			todo = s.afterDeath(todo, st, out.died)
		case err != nil:
			return err
		case out.bad != nil:
			todo = append(todo, stretch{lo: out.bad.lo + 1, hi: st.hi}, *out.bad, stretch{lo: st.lo, hi: out.bad.lo})
		case out.stop:
			return nil
		default:
			todo = append(todo, st)
		}
	}
	return nil
}

// death is how a worker died with a message under way.
type death struct {
	at    int  // the place in the batch of the item that ran, -1 if none
	sure  bool // the item is to blame
	crowd bool // messages of other batches were under way there too
	err   *DeathError
}

// afterDeath decides what follows from a death, for the items of st, which are
// those of the message that were not done.
//
// Of several items the one that ran is the likely culprit, but what an earlier
// one left behind may have done it, of another batch too. So it is run once more
// by itself: if that ends a worker too, it is named and given up. Those before it go again too, as
// their results are lost; those after it had not begun.
func (s *shipment) afterDeath(todo []stretch, st stretch, d *death) []stretch {
	if st.lo >= st.hi {
		return todo // all were done
	}
	single := st.hi-st.lo == 1
	if d.at < 0 {
		// It died between two items: while it read a message or answered some,
		// this one or another. To find out which, this one goes to a worker
		// that has no other; then item by item.
		switch {
		case !st.alone:
			st.alone = true
			return append(todo, st)
		case !single:
			for i := st.hi - 1; i >= st.lo; i-- {
				todo = append(todo, stretch{lo: i, hi: i + 1, alone: true})
			}
			return todo
		}
		d.at, d.sure = st.lo, true
	}
	at := max(st.lo, min(d.at, st.hi-1))
	if s.deaths == nil {
		s.deaths = map[int]int{}
	}
	s.deaths[at]++
	todo = append(todo, stretch{lo: at + 1, hi: st.hi})
	suspect := stretch{lo: at, hi: at + 1, alone: true}
	if d.sure || single && !d.crowd {
		d.err.Deaths, d.err.Index, d.err.Input = s.deaths[at], s.b.First+at, s.digest(at)
		suspect.err = d.err
	}
	return append(todo, suspect, stretch{lo: st.lo, hi: at, alone: st.alone || d.crowd})
}

// digest is DeathError.Input of the item at a place in the batch.
func (s *shipment) digest(at int) string {
	var e wire.Encoder
	if encode(&e, s.b.Items.Index(at)) != nil {
		return ""
	}
	sum := sha256.Sum256(e.Buf)
	return hex.EncodeToString(sum[:6])
}

// outcome is what came of a message.
type outcome struct {
	ran  int      // items done, from the first
	stop bool     // the batch ends here
	died *death   // the worker did
	bad  *stretch // an item that can't be sent, and why
}

// send sends the items of a stretch to a worker, as many as it may take, and
// waits for what comes of them.
func (s *shipment) send(st stretch) (out outcome, err error) {
	p := s.pool
	var m *message
	if p.cfg.MaxTasks == 0 {
		// Encoded while the workers are at something else.
		if m, out.bad = s.pack(st); out.bad != nil {
			return out, nil
		}
		defer m.release()
	}
	depth := 1
	if !st.alone {
		depth = s.shelf.depth()
	}
	w, crowd, err := p.get(s.ctx, depth)
	if err != nil {
		return out, err
	}
	defer p.put(w)
	st.crowd = crowd
	if p.cfg.MaxTasks > 0 {
		p.mu.Lock()
		st.hi = min(st.hi, st.lo+w.left)
		w.left -= st.hi - st.lo
		p.mu.Unlock()
		if m, out.bad = s.pack(st); out.bad != nil {
			return out, nil
		}
		defer m.release()
	}
	w.post(m, s.ctx, s.b.Timeout)
	defer s.shelf.watch(s.ctx, w, m)()
	w.await(m)
	defer w.leave(m)
	return s.receive(w, m.seq, st, out)
}

// pack encodes the items of st, or tells which one can't be.
func (s *shipment) pack(st stretch) (*message, *stretch) {
	begun := time.Now()
	m := newMessage(s.shelf)
	if from := s.pool.cfg.ShareFrom; from > 0 {
		m.e.Bulk, m.e.BulkFrom = m.bulk, from
	}
	if s.shelf.fixed {
		m.e.Shared = &m.parcel
	}
	m.e.Notice = m.notice
	m.e.Buf = beginFrame(m.e.Buf[:0])
	h := batchHead{
		fn: s.b.Func.Name(), first: s.b.First + st.lo, keepGoing: s.b.KeepGoing,
		timeout: s.b.Timeout, most: s.b.Most,
	}
	h.append(&m.e)
	err := encode(&m.e, s.b.Items.Slice(st.lo, st.hi))
	if err == nil {
		err = endFrame(m.e.Buf, kindBatch)
	}
	if err == nil {
		m.took = time.Since(begun)
		s.b.Cost.Encoding += m.took
		s.b.Cost.Bytes += int64(len(m.e.Buf))
		return m, nil
	}
	m.release()
	if st.hi-st.lo == 1 {
		return nil, &stretch{lo: st.lo, hi: st.hi, err: fmt.Errorf("the item can't be sent to another process: %w", err)}
	}
	// Which one is it? If none by itself, they are too large together: half of
	// them then, marked as nothing bad.
	for i := st.lo; i < st.hi; i++ {
		one, bad := s.pack(stretch{lo: i, hi: i + 1})
		if bad != nil {
			return nil, bad
		}
		one.release()
	}
	half := (st.lo + st.hi) / 2
	m, bad := s.pack(stretch{lo: st.lo, hi: half})
	return m, bad
}

// encode is Append, with panics of the user's MarshalBinary as errors.
func encode(e *wire.Encoder, v reflect.Value) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = crossing.NewPanic(p)
		}
	}()
	return e.Append(v)
}

// provide sends what a message refers to, once. Called with w.send locked.
func (w *worker) provide(u *shared) {
	w.pool.mu.Lock()
	has := w.has[u.id]
	w.has[u.id] = true
	w.pool.mu.Unlock()
	if has {
		return
	}
	if u.fd >= 0 {
		if err := w.bring(controlSegment, u.id, nil, u.fd); err != nil {
			w.data.shut()
		}
		return
	}
	e := wire.Encoder{Buf: beginFrame(nil)}
	e.Uint(u.id)
	e.Buf = append(e.Buf, u.data...)
	if err := endFrame(e.Buf, kindBlob); err != nil {
		w.data.shut()
		return
	}
	w.gather(e.Buf)
}

// hand sends what a handle of package shm stands for, once. A handle that
// stands for nothing goes without: opening it there says so.
func (w *worker) hand(r shm.Ref) {
	p := w.pool
	p.mu.Lock()
	has := w.handles[r]
	p.mu.Unlock()
	if has {
		return
	}
	w.telling.Lock()
	defer w.telling.Unlock()
	if w.shut {
		w.data.shut()
		return
	}
	if sendHandle(w.control.fd, r) != nil {
		return
	}
	w.sent++
	p.mu.Lock()
	w.handles[r] = true
	p.mu.Unlock()
}

// segmentClosed is told of segments of package shm that this process has
// closed.
func (p *Pool) segmentClosed(id shm.ID) {
	p.mu.Lock()
	var had []*worker
	for w := range p.workers {
		for r := range w.handles {
			if r.ID() == id {
				delete(w.handles, r)
				had = append(had, w)
			}
		}
	}
	p.mu.Unlock()
	for _, w := range had {
		_ = w.bring(controlClosed, 0, id[:], -1)
	}
}

// runs tells whether the worker is at an item of that batch.
func (w *worker) runs(seq uint64) bool {
	w.killMu.Lock()
	defer w.killMu.Unlock()
	return w.page != nil && w.page.at.Load()>>32 == seq&(1<<32-1)
}

// receive reads the results of a message.
func (s *shipment) receive(w *worker, seq uint64, st stretch, out outcome) (outcome, error) {
	w.data.crowd = w.posted.Load() > seq
	for {
		k, payload, err := w.frames.next()
		if err != nil {
			return s.mourn(w, seq, st, out, errors.Is(err, errFrame))
		}
		begun := time.Now()
		d := wire.Decoder{Buf: payload, Bulk: w.fetch}
		var h resultHead
		var failures []failed
		if k != kindResults || h.read(&d) != nil || h.seq != seq || h.first != out.ran || st.lo+h.first+h.count > st.hi ||
			d.Value(reflect.ValueOf(&failures).Elem()) != nil || len(failures) != h.failures {
			return s.mourn(w, seq, st, out, true)
		}
		w.results.wait(h.controls)
		if h.refused != "" {
			return s.refused(st, h.refused)
		}
		lo := st.lo + h.first
		if t := s.b.Func.Result(); t != nil {
			got := reflect.New(reflect.SliceOf(t)).Elem()
			if err := d.Value(got); err != nil || got.Len() != h.count-len(failures) {
				return s.unreadable(w, st, out, lo, h.count, err)
			}
			if !s.fill(got, failures, lo, h.count) {
				return s.mourn(w, seq, st, out, true)
			}
		}
		failed := false
		for i := range failures {
			if at := failures[i].At; at >= 0 && at < h.count {
				s.b.Errs[lo+at] = failures[i].F.Unpack(w.pool.errs)
				failed = true
			}
		}
		out.ran += h.count
		s.b.Ran = lo + h.count
		c := &s.b.Cost
		c.Wall += h.wall
		c.CPU += h.cpu
		c.Encoding += h.encoding + time.Since(begun)
		c.Bytes += int64(len(payload))
		c.PeakBytes = max(c.PeakBytes, w.peak.Load(), w.page.peak.Load())
		if !h.final {
			continue
		}
		s.shelf.took(h.wall)
		out.stop = failed && !s.b.KeepGoing || out.ran < st.hi-st.lo
		if out.stop && s.ctx.Err() != nil {
			return out, context.Cause(s.ctx)
		}
		return out, nil
	}
}

// fill puts the results of the items that did not fail in their places. It
// returns false if there are not as many of those.
func (s *shipment) fill(got reflect.Value, failures []failed, lo, count int) bool {
	if len(failures) == 0 {
		reflect.Copy(s.b.Results.Slice(lo, lo+count), got)
		return true
	}
	bad := make(map[int]bool, len(failures))
	for _, f := range failures {
		if f.At < 0 || f.At >= count || bad[f.At] {
			return false
		}
		bad[f.At] = true
	}
	next := 0
	for i := range count {
		if !bad[i] {
			s.b.Results.Index(lo + i).Set(got.Index(next))
			next++
		}
	}
	return true
}

// refused is a message that the worker could not read: one of its items can't
// be decoded.
func (s *shipment) refused(st stretch, why string) (outcome, error) {
	err := errors.New("the item can't be read in the worker: " + why)
	if st.hi-st.lo == 1 {
		return outcome{bad: &stretch{lo: st.lo, hi: st.hi, err: err}}, nil
	}
	// One by one.
	first := st.lo
	one, sendErr := s.send(stretch{lo: first, hi: first + 1})
	return one, sendErr
}

// unreadable is a result that can't be decoded here, by the type's own
// UnmarshalBinary.
func (s *shipment) unreadable(w *worker, st stretch, out outcome, lo, count int, err error) (outcome, error) {
	w.kill(&killing{why: "its results can't be read"})
	<-w.dead
	if err == nil {
		err = fmt.Errorf("%w: the wrong number of results", wire.ErrCorrupt)
	}
	if count == 1 {
		out.bad = &stretch{lo: lo, hi: lo + 1, err: fmt.Errorf("its result can't be read: %w", err)}
		return out, nil
	}
	one, sendErr := s.send(stretch{lo: lo, hi: lo + 1})
	one.ran += out.ran
	return one, sendErr
}

// fetch is wire.Decoder.Bulk for results: a copy in memory of this process's
// own.
func (w *worker) fetch(id uint64) ([]byte, error) {
	m, err := w.results.take(id)
	if err != nil {
		return nil, err
	}
	b := make([]byte, len(m))
	copy(b, m)
	_ = unix.Munmap(m)
	return b, nil
}

// mourn finds out how a worker died.
func (s *shipment) mourn(w *worker, seq uint64, st stretch, out outcome, broke bool) (outcome, error) {
	if broke {
		w.kill(&killing{why: "it sent something that is not of this protocol", seq: seq})
	}
	// The end of its connection is most often that of the process.
	t := time.NewTimer(overtime)
	select {
	case <-w.dead:
	case <-t.C:
		w.kill(&killing{why: "its connection to the pool was closed", seq: seq})
		<-w.dead
	}
	t.Stop()
	p := s.pool
	p.mu.Lock()
	closed, cause := p.closed, p.cause
	p.mu.Unlock()
	if closed {
		return out, cause
	}
	if s.ctx.Err() != nil {
		return out, context.Cause(s.ctx)
	}
	w.killMu.Lock()
	defer w.killMu.Unlock()
	e := &DeathError{Worker: w.name, PID: w.pid, ExitCode: -1, Signal: syscall.SIGKILL, PeakRSS: max(w.peak.Load(), w.page.peak.Load()), Stderr: w.stderr.tail()}
	if w.state != nil {
		if ws, ok := w.state.Sys().(syscall.WaitStatus); ok && ws.Signaled() {
			e.Signal = ws.Signal()
		} else {
			e.Signal, e.ExitCode = 0, w.state.ExitCode()
		}
		// The kernel counts from what this process held when it started the
		// worker: below that its figure says nothing.
		if u, ok := w.state.SysUsage().(*syscall.Rusage); ok && u.Maxrss<<10 > w.parentRSS {
			e.PeakRSS = max(e.PeakRSS, u.Maxrss<<10)
		}
	}
	d := &death{at: -1, err: e, crowd: st.crowd || w.posted.Load() > seq}
	at := w.page.at.Load()
	switch running := at >> 32; {
	case at == 0, running != seq&(1<<32-1):
	default:
		d.at = st.lo + int(at&(1<<32-1)) - 1
	}
	if r := w.reason; r != nil {
		e.Killed, e.Ran = r.why, r.ran
		d.sure = r.sure && r.at == at && d.at >= 0
		if r.seq != 0 && r.seq != seq {
			// The one before did wrong, and this one had only just begun.
			d.at = -1
		}
	}
	out.died = d
	return out, nil
}
