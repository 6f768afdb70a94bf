package proc

import (
	"context"
	"encoding"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"reflect"
	"runtime"
	"runtime/debug"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/weft-go/weft"
	"github.com/weft-go/weft/internal/wire"
	"github.com/weft-go/weft/shm"
)

// inited tells that main has called Init.
var inited atomic.Bool

// Init makes this process a worker if a pool has started it as one, and then
// never returns. In every other process it returns at once. Call it as the
// first line of main, and of TestMain in tests:
//
//	func main() {
//		proc.Init()
//		...
//	}
func Init() {
	v, isWorker := os.LookupEnv(marker)
	if !isWorker {
		inited.Store(true)
		return
	}
	// What this process starts is no worker of the same pool.
	_ = os.Unsetenv(marker)
	if v != strconv.Itoa(protocol) || !isSocket(dataFD) || !isSocket(controlFD) {
		fmt.Fprintf(os.Stderr, "%s=%s is set, but no pool has started this process: unset it\n", marker, v)
		os.Exit(2)
	}
	inited.Store(true)
	serve()
	select {}
}

func isSocket(fd int) bool {
	var st unix.Stat_t
	return unix.Fstat(fd, &st) == nil && st.Mode&unix.S_IFMT == unix.S_IFSOCK
}

// Control messages. Each is one byte of kind, eight of a number, and what is
// said below.
const (
	controlCancel  = 'c' // to the worker: batch n
	controlPing    = 'p' // to the worker; it answers the same
	controlSegment = 's' // both ways: a descriptor comes with it, known as n
	controlForget  = 'f' // to the worker: it needs segment or value n no more
	controlHandle  = 'h' // both ways: a descriptor comes with it, of the shm.Ref that follows
	controlClosed  = 'x' // to the worker: the segment of shm whose ID follows is closed
)

// server is a worker process from inside.
type server struct {
	data     *socket
	control  *socket
	page     *page
	frames   frames
	out      wire.Encoder
	results  wire.Encoder
	errs     map[string]error
	segments *segments
	share    int
	offered  uint64 // segments with results
	sent     uint64 // control messages that bring something
	job      *job
	weighed  time.Time
	billed   time.Time     // when CPU time was last told to the parent
	cpu      time.Duration // as it was then

	mu        sync.Mutex
	current   uint64
	cancel    context.CancelCauseFunc
	cancelled map[uint64]bool
}

func serve() {
	for fd := dataFD; fd <= pageFD; fd++ {
		unix.CloseOnExec(fd)
	}
	s := &server{
		data: &socket{fd: dataFD}, control: &socket{fd: controlFD},
		errs: weft.RegisteredErrors(), cancelled: map[uint64]bool{},
	}
	s.frames.r = s.data
	p, err := mapPage(pageFD)
	if err != nil {
		fmt.Fprintln(os.Stderr, "proc: worker:", err)
		os.Exit(2)
	}
	_ = unix.Close(pageFD)
	s.page = p
	s.segments = newSegments()
	// From here on the end of the parent is the end of this process.
	go s.listen()
	if err := s.greet(); err != nil {
		os.Exit(2)
	}
	s.cpu = processCPU()
	go s.work()
}

// greet answers the parent's hello and becomes what it says. If that may take
// long, as a setup may, it says first that it is there.
func (s *server) greet() error {
	k, payload, err := s.frames.next()
	if err != nil || k != kindHello {
		return errFrame
	}
	var h hello
	d := wire.Decoder{Buf: payload}
	answer := hello{Protocol: protocol}
	answer.Build, err = build()
	switch {
	case err != nil:
		answer.Error = "the executable can't be read: " + err.Error()
	case d.Value(reflect.ValueOf(&h).Elem()) != nil:
		answer.Error = "the first message can't be read: it is of another build; start the program again"
	case h.Protocol != protocol || h.Build != answer.Build:
		answer.Error = mismatch(h, answer)
	default:
		if h.Setup != "" {
			if err := s.answer(answer); err != nil {
				return err
			}
		}
		answer.Error = s.become(h)
	}
	answer.Ready = true
	if err := s.answer(answer); err != nil {
		return err
	}
	if answer.Error != "" {
		return errors.New(answer.Error)
	}
	return nil
}

func (s *server) answer(h hello) error {
	s.out.Buf = beginFrame(s.out.Buf[:0])
	if err := s.out.Append(reflect.ValueOf(h)); err != nil {
		return err
	}
	if err := endFrame(s.out.Buf, kindHello); err != nil {
		return err
	}
	_, err := s.data.Write(s.out.Buf)
	s.out.Buf = s.out.Buf[:0]
	return err
}

func mismatch(parent, worker hello) string {
	if parent.Protocol != worker.Protocol {
		return fmt.Sprintf("the pool speaks protocol %d and the worker %d: they are different builds; start the program again", parent.Protocol, worker.Protocol)
	}
	return fmt.Sprintf("the pool is build %s and the worker %s: the executable has changed under the running program; start it again", parent.Build, worker.Build)
}

func (s *server) become(h hello) string {
	runtime.GOMAXPROCS(max(1, h.CPUs))
	s.share = h.ShareFrom
	if h.MemoryLimit > 0 {
		debug.SetMemoryLimit(h.MemoryLimit / 10 * 9)
		// Far above, as the runtime reserves more than it uses: for what grows
		// faster than it is looked at.
		limit := uint64(h.MemoryLimit)*2 + 512<<20
		_ = unix.Setrlimit(unix.RLIMIT_DATA, &unix.Rlimit{Cur: limit, Max: limit})
	}
	if h.Nice > 0 {
		nice(h.Nice)
	}
	if h.Setup != "" {
		f, err := weft.Lookup(h.Setup)
		if err == nil {
			err = f.Setup(context.Background())
		}
		if err != nil {
			return fmt.Sprintf("the setup %s failed: %v", h.Setup, err)
		}
	}
	return ""
}

// nice is per thread on Linux; threads to come inherit it.
func nice(n int) {
	tasks, err := os.ReadDir("/proc/self/task")
	if err != nil {
		return
	}
	for _, t := range tasks {
		if tid, err := strconv.Atoi(t.Name()); err == nil {
			old, err := unix.Getpriority(unix.PRIO_PROCESS, tid)
			if err == nil {
				_ = unix.Setpriority(unix.PRIO_PROCESS, tid, min(19, 20-old+n))
			}
		}
	}
}

// listen obeys control messages. When the parent is gone, so is this process,
// and what it has started in its process group.
func (s *server) listen() {
	buf := make([]byte, mostControl)
	oob := make([]byte, unix.CmsgSpace(4*4))
	for {
		n, fds, err := receive(s.control.fd, buf, oob)
		if err != nil {
			if pgid, err := unix.Getpgid(0); err == nil && pgid == os.Getpid() {
				_ = unix.Kill(-pgid, unix.SIGKILL)
			}
			os.Exit(0)
		}
		if n < 9 {
			continue
		}
		id := binary.LittleEndian.Uint64(buf[1:])
		switch buf[0] {
		case controlPing:
			_ = send(s.control.fd, controlPing, id, nil, -1)
		case controlCancel:
			s.mu.Lock()
			if s.current == id && s.cancel != nil {
				s.cancel(errCancelled)
			} else if id > s.current {
				s.cancelled[id] = true
			}
			s.mu.Unlock()
		case controlSegment:
			if len(fds) == 1 {
				s.segments.arrived(id, fds[0])
				s.segments.count()
				fds = nil
			}
		case controlHandle:
			if len(fds) == 1 {
				accept(buf[9:n], fds[0])
				s.segments.count()
				fds = nil
			}
		case controlClosed:
			var id shm.ID
			if copy(id[:], buf[9:n]) == len(id) {
				_ = shm.Forget(id)
			}
			s.segments.count()
		case controlForget:
			s.segments.forget(id)
		}
		for _, fd := range fds {
			_ = unix.Close(fd)
		}
	}
}

var errCancelled = errors.New("the run was stopped")

// mostControl is the size of the largest control message.
const mostControl = 512

// accept takes the descriptor of a segment of package shm. If it does not fit,
// opening the handle says so.
func accept(ref []byte, fd int) {
	var r shm.Ref
	f := os.NewFile(uintptr(fd), "shm")
	if err := r.UnmarshalBinary(ref); err != nil {
		_ = f.Close()
		return
	}
	_ = r.Accept(f)
}

// send sends a control message, with a descriptor if fd is not -1.
func send(to int, k byte, id uint64, more []byte, fd int) error {
	b := make([]byte, 9, 9+len(more))
	b[0] = k
	binary.LittleEndian.PutUint64(b[1:], id)
	b = append(b, more...)
	var oob []byte
	if fd >= 0 {
		oob = unix.UnixRights(fd)
	}
	for {
		_, err := unix.SendmsgN(to, b, oob, nil, unix.MSG_NOSIGNAL)
		if err != syscall.EINTR { //nolint:errorlint // system calls return it as it is
			return err
		}
	}
}

// receive reads a control message and the descriptors with it.
func receive(from int, buf, oob []byte) (n int, fds []int, err error) {
	for {
		n, oobn, _, _, err := unix.Recvmsg(from, buf, oob, unix.MSG_CMSG_CLOEXEC)
		if err == syscall.EINTR { //nolint:errorlint // system calls return it as it is
			continue
		}
		if err == nil && n == 0 {
			err = io.EOF
		}
		if err != nil {
			return 0, nil, err
		}
		if oobn > 0 {
			msgs, err := unix.ParseSocketControlMessage(oob[:oobn])
			for i := 0; err == nil && i < len(msgs); i++ {
				got, rightsErr := unix.ParseUnixRights(&msgs[i])
				if rightsErr == nil {
					fds = append(fds, got...)
				}
			}
		}
		return n, fds, nil
	}
}

// work runs batches, one after the other. An item may end the goroutine by
// runtime.Goexit; another one then goes on where it was.
func (s *server) work() {
	defer func() { go s.work() }()
	if s.job != nil {
		s.finish(true)
	}
	for {
		if !s.frames.ready() {
			s.flush()
		}
		k, payload, err := s.frames.next()
		switch {
		case errors.Is(err, errFrame):
			s.complain("the pool sent something that is not a frame of this protocol")
		case err != nil:
			s.complain("its connection to the pool: " + err.Error())
		case k == kindBlob:
			if err := s.segments.blob(payload); err != nil {
				s.complain(err.Error())
			}
		case k == kindBatch:
			if s.accept(payload) {
				s.finish(false)
			}
		}
	}
}

// complain ends the worker: the two sides do not understand each other.
func (s *server) complain(why string) {
	// Unless the parent is gone: then listen ends the process, with all that it
	// has started.
	time.Sleep(overtime / 10)
	fmt.Fprintln(os.Stderr, "proc: worker:", why)
	os.Exit(2)
}

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

// report sends what the job's head says. Its time counts as encoding of the
// next report.
func (s *server) report() {
	j := s.job
	h := &j.head
	from, to := h.first, h.first+h.count
	var failures []failed
	for i := from; i < to; i++ {
		if err := j.b.Errs[i]; err != nil {
			failures = append(failures, failed{i - from, *pack(err, s.errs)})
		}
	}
	begun := time.Now()
	results := j.b.Results
	if results.IsValid() {
		results = results.Slice(from, to)
		failures = s.tryEncode(results, failures)
	}
	h.failures = len(failures)
	h.encoding += time.Since(begun)
	h.controls = s.sent
	at := len(s.out.Buf)
	s.out.Buf = beginFrame(s.out.Buf)
	h.append(&s.out)
	err := s.out.Append(reflect.ValueOf(failures))
	s.out.Buf = append(s.out.Buf, s.results.Buf...)
	if err == nil {
		err = endFrame(s.out.Buf[at:], kindResults)
	}
	if err != nil {
		s.complain(err.Error())
	}
	s.results.Buf = s.results.Buf[:0]
	if cap(s.results.Buf) > keepBuffer {
		s.results.Buf = nil
	}
	// Those of short messages go together, as long as there are more of them.
	if !h.final || h.wall > tinyBatch || len(s.out.Buf) > 32<<10 {
		s.flush()
	}
}

// flush sends what report has gathered.
func (s *server) flush() {
	if len(s.out.Buf) == 0 {
		return
	}
	if _, err := s.data.Write(s.out.Buf); err != nil {
		s.complain("its connection to the pool: " + err.Error())
	}
	s.out.Buf = s.out.Buf[:0]
	if cap(s.out.Buf) > keepBuffer {
		s.out.Buf = nil
	}
}

// failed is the failure of one item of a report.
type failed struct {
	At int
	F  failure
}

// tryEncode encodes the results of the items that have not failed. One that
// can't be encoded becomes the failure of its item.
func (s *server) tryEncode(results reflect.Value, failures []failed) []failed {
	s.results.Bulk, s.results.BulkFrom, s.results.Notice = nil, s.share, s.notice
	if s.share > 0 {
		s.results.Bulk = s.offer
	}
	err := s.encode(&s.results, without(results, failures))
	if err == nil && len(s.results.Buf) <= mostFrame-keepBuffer {
		return failures
	}
	s.results.Buf = s.results.Buf[:0]
	have := make(map[int]bool, len(failures))
	for _, f := range failures {
		have[f.At] = true
	}
	tooMany := err == nil
	if tooMany {
		err = fmt.Errorf("the results of one batch are more than the %d bytes that travel at once; return less, or put the data into shared memory (package shm)", mostFrame-keepBuffer)
	}
	for i := range results.Len() {
		if have[i] {
			continue
		}
		if tooMany {
			failures = append(failures, failed{i, failure{Text: err.Error()}})
			continue
		}
		var e wire.Encoder
		if err := s.encode(&e, results.Slice(i, i+1)); err != nil {
			failures = append(failures, failed{i, failure{Text: "its result can't be encoded: " + err.Error()}})
		}
	}
	s.results.Bulk = nil
	if err := s.encode(&s.results, without(results, failures)); err != nil {
		s.complain(err.Error())
	}
	return failures
}

// without returns the results of the items that have not failed: what a failed
// item leaves may not be fit to be sent.
func without(results reflect.Value, failures []failed) reflect.Value {
	if len(failures) == 0 {
		return results
	}
	bad := make(map[int]bool, len(failures))
	for _, f := range failures {
		bad[f.At] = true
	}
	good := reflect.MakeSlice(results.Type(), 0, results.Len()-len(failures))
	for i := range results.Len() {
		if !bad[i] {
			good = reflect.Append(good, results.Index(i))
		}
	}
	return good
}

// encode is Append, with the panics of the user's MarshalBinary as errors.
func (s *server) encode(e *wire.Encoder, v reflect.Value) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = newPanic(p)
		}
	}()
	return e.Append(v)
}

// offer puts a large slice of a result into a segment of its own and sends its
// descriptor ahead.
func (s *server) offer(memory []byte) (uint64, bool, error) {
	fd, err := newSegment(memory)
	if err != nil {
		return 0, false, nil // no room: it is copied through the socket
	}
	defer unix.Close(fd) //nolint:errcheck // the parent has its own
	s.offered++
	if err := send(s.control.fd, controlSegment, s.offered, nil, fd); err != nil {
		return 0, false, nil
	}
	s.sent++
	return s.offered, true, nil
}

// notice sends the descriptors of handles that results hold ahead.
func (s *server) notice(v encoding.BinaryMarshaler) {
	h, ok := v.(interface{ Ref() shm.Ref })
	if !ok {
		return
	}
	if sendHandle(s.control.fd, h.Ref()) == nil {
		s.sent++
	}
}

// sendHandle sends what a handle stands for. One that stands for nothing (any
// more) goes without; opening it says so.
func sendHandle(to int, r shm.Ref) error {
	data, err := r.MarshalBinary()
	if err != nil {
		return err
	}
	f, err := r.File()
	if err != nil {
		return err
	}
	defer f.Close() //nolint:errcheck // the other side has its own
	return send(to, controlHandle, 0, data, int(f.Fd()))
}

func processCPU() time.Duration {
	var u unix.Rusage
	if unix.Getrusage(unix.RUSAGE_SELF, &u) != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
