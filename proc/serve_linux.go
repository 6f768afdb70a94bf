package proc

import (
	"context"
	"errors"
	"fmt"
	"os"
	"reflect"
	"runtime"
	"runtime/debug"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"github.com/weft-go/weft"
	"github.com/weft-go/weft/internal/wire"
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
