package proc

import (
	"context"
	"encoding/binary"
	"fmt"
	"sync"
	"time"

	"github.com/weft-go/weft/internal/wire"
)

// message is an encoded batch, and its place among those at its worker.
type message struct {
	parcel
	e    wire.Encoder
	took time.Duration

	seq  uint64
	done <-chan struct{} // of its context
	turn chan struct{}   // gets one when those before have been read
	over chan struct{}   // closed when its results have been read; nil until somebody wants to know
}

var messages = sync.Pool{New: func() any { return &message{turn: make(chan struct{}, 1)} }}

func newMessage(s *shelf) *message {
	m := messages.Get().(*message)
	m.shelf, m.took = s, 0
	return m
}

func (m *message) release() {
	m.parcel.release()
	clear(m.since)
	clear(m.refs)
	m.parcel = parcel{uses: m.uses[:0], since: m.since[:0], refs: m.refs[:0]}
	m.e.Bulk, m.e.Shared, m.e.Notice = nil, nil, nil
	m.done, m.over = nil, nil
	if cap(m.e.Buf) <= keepBuffer {
		messages.Put(m)
	}
}

// line is the messages at one worker, the first to be read first.
//
// Not each of them is written by itself: while the worker has some to run, new
// ones are gathered until they are as many. So with tiny items a system call
// carries several messages, as it does on the way back, and the worker always
// has some while others are gathered.
type line struct {
	mu      sync.Mutex
	waiting []*message

	// With worker.send:
	gathered []byte
	last     uint64 // seq of the last message gathered
	unsent   int
}

// mostGathered is how many bytes are gathered. A longer message is written as
// it is.
const mostGathered = 32 << 10

// post puts a message into the line of w, and sends what is due.
func (w *worker) post(m *message, ctx context.Context, limit time.Duration) {
	w.send.Lock()
	defer w.send.Unlock()
	w.seq++
	m.seq, m.done = w.seq, ctx.Done()
	w.posted.Store(w.seq)
	w.limit.Store(int64(limit))
	l := &w.line
	l.mu.Lock()
	l.waiting = append(l.waiting, m)
	n := len(l.waiting)
	l.mu.Unlock()
	if n == 1 {
		m.turn <- struct{}{}
	}
	for _, u := range m.uses {
		w.provide(u)
	}
	for _, r := range m.refs {
		w.hand(r)
	}
	binary.LittleEndian.PutUint64(m.e.Buf[frameHead:], m.seq)
	binary.LittleEndian.PutUint64(m.e.Buf[frameHead+8:], w.brought())
	w.gather(m.e.Buf)
	l.last = m.seq
	l.unsent++
	if len(l.gathered) == 0 || l.unsent >= n-l.unsent {
		w.flush()
	}
}

// gather and flush are called with w.send locked. What can't be written ends
// the connection, and those who read from it see that.
func (w *worker) gather(b []byte) {
	l := &w.line
	if len(l.gathered)+len(b) > mostGathered {
		w.flush()
	}
	if len(b) > mostGathered {
		w.write(b)
		return
	}
	l.gathered = append(l.gathered, b...)
}

func (w *worker) flush() {
	l := &w.line
	if len(l.gathered) > 0 {
		w.write(l.gathered)
		l.gathered = l.gathered[:0]
	}
	l.unsent = 0
	w.sentTo.Store(l.last)
}

func (w *worker) write(b []byte) {
	if _, err := w.data.Write(b); err != nil {
		w.data.shut()
	}
}

// await waits for the turn of m to read its results.
func (w *worker) await(m *message) {
	<-m.turn
	if w.sentTo.Load() < m.seq {
		w.send.Lock()
		w.flush()
		w.send.Unlock()
	}
}

// leave takes the first message out of the line, whose results have been read.
func (w *worker) leave(m *message) {
	l := &w.line
	l.mu.Lock()
	defer l.mu.Unlock()
	n := copy(l.waiting, l.waiting[1:])
	l.waiting[n] = nil
	l.waiting = l.waiting[:n]
	if m.over != nil {
		close(m.over)
	}
	if n > 0 {
		l.waiting[0].turn <- struct{}{}
	}
}

// watch sees to it that m is stopped at w when ctx ends. It returns what is to
// be called when m is over.
func (s *shelf) watch(ctx context.Context, w *worker, m *message) (end func()) {
	if s.watchAll(ctx) && ctx.Err() == nil {
		return func() {}
	}
	stopped := make(chan struct{})
	seq := m.seq
	unwatch := context.AfterFunc(ctx, func() {
		defer close(stopped)
		stopMessages(map[*worker]func(*message) bool{w: func(o *message) bool { return o.seq == seq }})
	})
	return func() {
		if !unwatch() {
			<-stopped
		}
	}
}

// watchAll watches the context of a run, once for all its messages. It returns
// false if ctx is another one, of a single attempt say.
func (s *shelf) watchAll(ctx context.Context) bool {
	done := ctx.Done()
	if done == nil {
		return true
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.watched == nil && s.run != nil {
		s.watched, s.stopped = done, make(chan struct{})
		s.unwatch = context.AfterFunc(ctx, func() {
			defer close(s.stopped)
			s.pool.mu.Lock()
			which := make(map[*worker]func(*message) bool, len(s.pool.workers))
			for w := range s.pool.workers {
				which[w] = func(m *message) bool { return m.done == done }
			}
			s.pool.mu.Unlock()
			stopMessages(which)
		})
	}
	return s.watched == done
}

// unwatchAll returns when nothing watches the run's context any more.
func (s *shelf) unwatchAll() {
	s.mu.Lock()
	unwatch := s.unwatch
	s.mu.Unlock()
	if unwatch != nil && !unwatch() {
		<-s.stopped
	}
}

// stopMessages asks workers to end messages, and ends those that do not. It
// returns when all are over.
func stopMessages(which map[*worker]func(*message) bool) {
	type stopping struct {
		w    *worker
		seq  uint64
		over chan struct{}
	}
	var all []stopping
	for w, is := range which {
		w.line.mu.Lock()
		for _, m := range w.line.waiting {
			if is(m) {
				if m.over == nil {
					m.over = make(chan struct{})
				}
				all = append(all, stopping{w, m.seq, m.over})
			}
		}
		w.line.mu.Unlock()
	}
	for _, s := range all {
		_ = s.w.tell(controlCancel, s.seq, nil, -1)
	}
	t := time.NewTimer(overtime)
	defer t.Stop()
	late := false
	for _, s := range all {
		if !late {
			select {
			case <-s.over:
				continue
			case <-t.C:
				late = true
			}
		}
		select {
		case <-s.over:
			continue
		default:
		}
		if s.w.runs(s.seq) {
			s.w.kill(&killing{why: fmt.Sprintf("the run was stopped, and its item did not end within %v", overtime)})
		}
	}
}
