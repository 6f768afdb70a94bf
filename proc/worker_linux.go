package proc

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"reflect"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/weft-go/weft/internal/budget"
	"github.com/weft-go/weft/internal/wire"
	"github.com/weft-go/weft/shm"
)

// worker is one process, seen from here. Whoever has taken a place at it sends
// its batch and reads the results itself, in turn with the one before.
type worker struct {
	pool    *Pool
	name    string
	pid     int
	proc    *os.Process
	data    *socket
	control *socket
	page    *page
	frames  frames
	stderr  *output
	results arrivals // segments with results

	// With the pool's mutex:
	load  int             // batches at it
	gone  bool            // gets no more
	depth int             // how many batches may be at it
	left  int             // items until it is replaced, with MaxTasks
	since time.Time       // idle since
	has   map[uint64]bool // what it has been sent of shelves

	send    sync.Mutex       // who sends, and joins the queue
	handles map[shm.Ref]bool // segments of package shm that it has; with the pool's mutex
	seq     uint64           // of the last batch sent
	line    line
	telling sync.Mutex // guards the control socket against being closed while in use
	shut    bool
	sent    uint64 // control messages that later batches wait for

	// For those who do not hold send:
	posted atomic.Uint64 // seq
	sentTo atomic.Uint64 // seq of the last batch that has been written

	// What the watcher sees:
	parentRSS int64
	peak      atomic.Int64
	limit     atomic.Int64 // of one item of the batch that runs, nanoseconds
	at        uint64       // page.at when last looked at
	atSince   time.Time
	asked     time.Time
	answered  atomic.Int64 // Unix nanoseconds
	pings     uint64
	looked    time.Time

	killMu  sync.Mutex
	reason  *killing // why the pool killed it
	dead    chan struct{}
	state   *os.ProcessState
	threads sync.WaitGroup
}

// killing is why and at which item a worker was killed by the pool.
type killing struct {
	why  string
	at   uint64 // page.at
	ran  time.Duration
	sure bool   // the item is to blame
	seq  uint64 // the message to blame, if it is one that has been seen to do wrong
}

// newWorker starts a process and waits until it is ready.
func (p *Pool) newWorker(name string) (*worker, error) {
	greeting, err := p.newHello(name)
	if err != nil {
		return nil, &startError{worker: name, err: err}
	}
	b, err := p.spawner.start(&p.cfg, name)
	if err != nil {
		return nil, &startError{worker: name, err: err}
	}
	w := &worker{
		pool: p, name: name, pid: b.proc.Pid, proc: b.proc, data: b.data, control: b.control, page: b.page,
		parentRSS: b.parentRSS, left: p.cfg.MaxTasks, since: time.Now(), has: map[uint64]bool{}, handles: map[shm.Ref]bool{},
		dead: make(chan struct{}),
	}
	w.frames.r = w.data
	w.results.init()
	w.answered.Store(time.Now().UnixNano())
	stdout := newOutput(name, &p.out, false)
	w.stderr = newOutput(name, &p.err, true)
	w.threads.Go(func() { stdout.copy(b.stdout); _ = b.stdout.Close() })
	w.threads.Go(func() { w.stderr.copy(b.stderr); _ = b.stderr.Close() })
	w.threads.Go(w.listen)
	p.tasks.Go(w.reap)
	stopped := make(chan struct{})
	// Setup may take as long as it likes, but not longer than the pool.
	p.tasks.Go(func() {
		select {
		case <-p.stop:
			w.kill(&killing{why: "the pool was closed"})
		case <-stopped:
		}
	})
	defer close(stopped)
	if err := w.greet(greeting); err != nil {
		if errors.Is(err, errNoAnswer) && w.killedFor(errLate) {
			err = fmt.Errorf("%w within %v: call it as the first line of main; what init functions and package variables do comes before that", errLate, p.cfg.late)
		}
		w.kill(&killing{why: "it did not start"})
		<-w.dead
		w.killMu.Lock()
		defer w.killMu.Unlock()
		if errors.Is(err, errNoAnswer) {
			err = fmt.Errorf("%w: it %s", err, ended(w.state))
		}
		return nil, &startError{worker: name, err: err, stderr: w.stderr.tail()}
	}
	return w, nil
}

var errNoAnswer = errors.New("the process ended before it was ready")

func ended(st *os.ProcessState) string {
	if ws, ok := st.Sys().(syscall.WaitStatus); ok && ws.Signaled() {
		return "was ended by " + signalName(ws.Signal())
	}
	return fmt.Sprintf("exited with code %d", st.ExitCode())
}

var errLate = errors.New("the process did not get to proc.Init")

// killedFor tells whether the pool killed the worker for that reason.
func (w *worker) killedFor(why error) bool {
	w.killMu.Lock()
	defer w.killMu.Unlock()
	return w.reason != nil && w.reason.why == why.Error()
}

func (w *worker) greet(greeting []byte) error {
	late := time.AfterFunc(w.pool.cfg.late, func() { w.kill(&killing{why: errLate.Error()}) })
	defer late.Stop()
	if _, err := w.data.Write(greeting); err != nil {
		return errNoAnswer
	}
	for {
		k, payload, err := w.frames.next()
		if err != nil && !errors.Is(err, errFrame) {
			return errNoAnswer
		}
		var h hello
		d := wire.Decoder{Buf: payload}
		if err != nil || k != kindHello || d.Value(reflect.ValueOf(&h).Elem()) != nil {
			return fmt.Errorf("it does not speak the protocol of this pool: %w", errFrame)
		}
		if h.Error != "" {
			return errors.New(h.Error)
		}
		if mine, err := build(); err != nil || h.Build != mine || h.Protocol != protocol {
			return errors.New(mismatch(hello{Protocol: protocol, Build: mine}, h))
		}
		if h.Ready {
			return nil
		}
		late.Stop()
	}
}

// listen takes control messages until the worker is gone.
func (w *worker) listen() {
	buf := make([]byte, mostControl)
	oob := make([]byte, unix.CmsgSpace(4*4))
	for {
		n, fds, err := receive(w.control.fd, buf, oob)
		if err != nil {
			w.results.close()
			return
		}
		if n >= 9 {
			id := binary.LittleEndian.Uint64(buf[1:])
			switch {
			case buf[0] == controlPing:
				w.answered.Store(time.Now().UnixNano())
			case buf[0] == controlSegment && len(fds) == 1:
				w.results.arrived(id, fds[0])
				w.results.count()
				fds = nil
			case buf[0] == controlHandle && len(fds) == 1:
				accept(buf[9:n], fds[0])
				w.results.count()
				fds = nil
			}
		}
		for _, fd := range fds {
			_ = unix.Close(fd)
		}
	}
}

// tell sends a control message.
func (w *worker) tell(k byte, id uint64, more []byte, fd int) error {
	w.telling.Lock()
	defer w.telling.Unlock()
	if w.shut {
		return errNoAnswer
	}
	return send(w.control.fd, k, id, more, fd)
}

// bring sends a control message that batches sent later wait for.
func (w *worker) bring(k byte, id uint64, more []byte, fd int) error {
	w.telling.Lock()
	defer w.telling.Unlock()
	if w.shut {
		return errNoAnswer
	}
	w.sent++
	return send(w.control.fd, k, id, more, fd)
}

// brought is how many of those were sent.
func (w *worker) brought() uint64 {
	w.telling.Lock()
	defer w.telling.Unlock()
	return w.sent
}

// reap waits for the process to end and cleans up.
func (w *worker) reap() {
	st, err := w.proc.Wait()
	_ = err // with no child left there is no state, and it counts as killed
	// What it started and left behind in its process group goes too.
	_ = unix.Kill(-w.pid, unix.SIGKILL)
	w.data.shut()
	w.telling.Lock()
	w.shut = true
	w.control.shut()
	w.telling.Unlock()
	w.threads.Wait()
	w.killMu.Lock()
	w.state = st
	w.killMu.Unlock()
	close(w.dead)
	p := w.pool
	p.mu.Lock()
	w.gone = true
	delete(p.workers, w)
	idle := w.load == 0
	p.reviveLocked()
	p.mu.Unlock()
	if idle {
		w.bury()
	}
}

// bury closes what is left when nobody uses the worker any more.
func (w *worker) bury() {
	w.killMu.Lock()
	defer w.killMu.Unlock()
	if w.page == nil {
		return
	}
	w.data.close()
	w.control.close()
	w.page.unmap()
	w.page = nil
}

// kill ends the process at once. The first reason counts.
func (w *worker) kill(why *killing) {
	w.killMu.Lock()
	defer w.killMu.Unlock()
	select {
	case <-w.dead:
		return
	default:
	}
	if w.reason == nil {
		w.reason = why
	}
	_ = unix.Kill(-w.pid, unix.SIGKILL)
	_ = w.proc.Kill()
}

// end ends the worker and waits: at once if it runs something.
func (w *worker) end() {
	w.pool.mu.Lock()
	busy := w.load > 0
	w.gone = true
	w.pool.mu.Unlock()
	if busy {
		w.kill(&killing{why: "the pool was closed"})
	} else {
		w.retire()
	}
	<-w.dead
}

// graceful is how long an idle worker may take to end.
const graceful = 500 * time.Millisecond

// retire ends a worker that runs nothing: the end of its control socket tells
// it to.
func (w *worker) retire() {
	w.telling.Lock()
	w.shut = true
	w.control.shut()
	w.telling.Unlock()
	t := time.NewTimer(graceful)
	defer t.Stop()
	select {
	case <-w.dead:
	case <-t.C:
		w.kill(&killing{why: "it did not end when told to"})
		<-w.dead
	}
}

// take and rest are called with the pool locked: a worker with something to do
// uses a CPU slot.
func (w *worker) take() {
	if w.load == 0 {
		budget.Shared.Force()
	}
	w.load++
}

func (w *worker) rest() {
	budget.Shared.Release(1)
	w.since = time.Now()
	select {
	case <-w.dead:
		w.gone = true
		delete(w.pool.workers, w)
		w.bury()
	default:
	}
}

// look is the watcher's: it returns true if there is something to watch.
func (w *worker) look(now time.Time) bool {
	w.killMu.Lock()
	pg := w.page
	if pg == nil {
		w.killMu.Unlock()
		return false
	}
	at := pg.at.Load()
	w.killMu.Unlock()
	w.pool.mu.Lock()
	busy := w.load > 0
	w.pool.mu.Unlock()
	if at != w.at || !busy {
		w.at, w.atSince = at, now
	}
	if now.Sub(w.looked) > lookSeldom/2 || w.pool.cfg.MemoryLimit > 0 {
		w.looked = now
		if b := rss(w.pid); b > w.peak.Load() {
			w.peak.Store(b)
		}
	}
	if !busy {
		w.asked = time.Time{}
		return false
	}
	ran := now.Sub(w.atSince)
	if limit := w.pool.cfg.MemoryLimit; limit > 0 {
		if held := ownMemory(w.pid); held > limit {
			w.kill(&killing{why: fmt.Sprintf("out of memory: it held %.1f MiB and the limit is %.1f MiB (MemoryLimit)", mib(held), mib(limit)), at: at, ran: ran, sure: true})
		}
	}
	running := at != 0
	if limit := w.pool.cfg.TaskTimeout; limit > 0 && running && ran > limit {
		w.kill(&killing{why: fmt.Sprintf("its item ran for %v and may run for %v (TaskTimeout)", ran.Round(time.Millisecond), limit), at: at, ran: ran, sure: true})
	}
	limit := time.Duration(w.limit.Load())
	if limit > 0 && running && ran > limit+overtime {
		w.kill(&killing{why: fmt.Sprintf("its item timed out after %v and did not end within %v more", limit, overtime), at: at, ran: ran, sure: true})
	}
	w.question(now, at, ran)
	return limit > 0
}

// overtime is how long an item may go on after its context has ended.
const overtime = 500 * time.Millisecond

func mib(b int64) float64 { return float64(b) / (1 << 20) }

// question asks a busy worker whether it is there, and kills one that does not
// answer: it is stopped, or out of order.
func (w *worker) question(now time.Time, at uint64, ran time.Duration) {
	quiet := w.pool.cfg.quiet
	answered := time.Unix(0, w.answered.Load())
	switch {
	case w.asked.IsZero() || answered.After(w.asked) && now.Sub(w.asked) > quiet/8:
		w.pings++
		w.asked = now
		if answered.Before(now) {
			_ = w.tell(controlPing, w.pings, nil, -1)
		}
	case answered.Before(w.asked) && now.Sub(w.asked) > quiet:
		w.kill(&killing{why: fmt.Sprintf("it has not answered for %v: it is stopped, or out of order", quiet), at: at, ran: ran, sure: true})
	}
}
