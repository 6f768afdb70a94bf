package main

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/weft-go/weft/shm"
	"golang.org/x/sys/unix"
)

// sharedArray compares how a large array gets to two processes.
var sharedArray = sectionBenchmark("shm", sharedArrayDoc, sharedArrayTitle, 10, measureSharedArray)

const (
	sharedBytes   = 256 << 20
	sharedWorkers = 2
	weftShared    = "weft/shm"
)

func measureSharedArray(ctx context.Context, o sectionOptions) (string, error) {
	size, pause := sharedBytes, 2*time.Second
	if o.quick {
		size, pause = 8<<20, 0
		o.rounds = 1
	}
	exe, err := os.Executable()
	if err != nil {
		return "", err
	}
	contenders := []string{weftShared}
	about := ""
	py, err := findPython(filepath.Join("bench", "peers"))
	switch {
	case errors.Is(err, errNoPeers):
		fmt.Fprintf(o.log, "shm: %v\n", err)
		about = "**The Python peers did not run**: `make peers` sets them up.\n\n"
	case err != nil:
		return "", err
	default:
		defer py.close()
		contenders = append(contenders, "shared_memory", "joblib")
		interpreter, libraries := py.versions(ctx)
		about = fmt.Sprintf("- Python: %s; %s\n\n", interpreter, libraries)
	}
	results := map[string][]Hand{}
	for round := range o.rounds {
		fmt.Fprintf(o.log, "shm: round %d of %d\n", round+1, o.rounds)
		for i := range contenders {
			// Each follows each: also in the other direction.
			if round%2 == 1 {
				i = len(contenders) - 1 - i
			}
			name := contenders[(i+round/2)%len(contenders)]
			// The processes of the one before are ending and give memory back.
			if err := sleep(ctx, pause); err != nil {
				return "", err
			}
			var h Hand
			decode := func(line []byte) error { return json.Unmarshal(line, &h) }
			if name == weftShared {
				cmd := exec.CommandContext(ctx, exe, "shm-case", strconv.Itoa(size))
				cmd.Stderr = os.Stderr
				out, err := cmd.Output()
				if err == nil {
					err = decode(out)
				}
				if err != nil {
					return "", fmt.Errorf("%s: %w", name, err)
				}
			} else if err := py.script(ctx, "arrays.py", decode, name, "--bytes", strconv.Itoa(size)); err != nil {
				return "", fmt.Errorf("%s: %w", name, err)
			}
			if h.Shared <= 0 || h.PlainMemory <= 0 {
				return "", fmt.Errorf("%s: no figures", name)
			}
			results[name] = append(results[name], h)
		}
	}
	return about + sharedArrayTable(contenders, results, size), nil
}

func sharedArrayTable(contenders []string, results map[string][]Hand, size int) string {
	var b strings.Builder
	fmt.Fprintf(&b, "An array of %d MiB of float64 goes to %d worker processes that are up, have their libraries loaded and have been "+
		"given a small array before. `shared`: the array is in shared memory from the start (joblib: a memory-mapped file in /dev/shm); "+
		"the time is until both workers have read both ends of it and have answered. `copied`: it is in ordinary memory, and the time "+
		"includes the copy that the contender makes. `read` is until both workers have added it all up after that, a loop in Go and numpy's "+
		"sum in Python, page faults included. `memory` is what all processes have more than before when both workers have read all of it and "+
		"still have it, what is shared counted once (PSS), relative to one copy; in `copied` the ordinary array is the second. "+
		"Each contender has a process of its own each round, in turns, in both directions, two seconds apart; medians of %d rounds, lowest and highest in brackets. For Weft a handle and "+
		"a descriptor go over a unix socket, without package proc around it.\n\n", size>>20, sharedWorkers, len(results[weftShared]))
	b.WriteString("| contender | shared ms | ÷ Weft | copied ms | ÷ Weft | read s | memory shared | memory copied |\n|---|---:|---:|---:|---:|---:|---:|---:|\n")
	column := func(name string, get func(Hand) float64) (mid float64, text string) {
		var vs []float64
		for _, h := range results[name] {
			vs = append(vs, get(h))
		}
		mid = medianOf(vs)
		return mid, fmt.Sprintf("%.3g (%.3g–%.3g)", mid, slices.Min(vs), slices.Max(vs))
	}
	shared := func(h Hand) float64 { return 1e3 * h.Shared }
	plain := func(h Hand) float64 { return 1e3 * h.Plain }
	read := func(h Hand) float64 { return h.SharedRead }
	ourShared, _ := column(weftShared, shared)
	ourRead, _ := column(weftShared, read)
	ourPlain, _ := column(weftShared, plain)
	var ahead []string
	for _, name := range contenders {
		s, sharedText := column(name, shared)
		p, plainText := column(name, plain)
		r, _ := column(name, read)
		mem, _ := column(name, func(h Hand) float64 { return float64(h.SharedMemory) / float64(size) })
		memCopied, _ := column(name, func(h Hand) float64 { return float64(h.PlainMemory) / float64(size) })
		title := name
		if name == weftShared {
			title = "**" + name + "**"
		} else {
			if s < ourShared {
				ahead = append(ahead, name+" in handing over what is shared")
			}
			if p < ourPlain {
				ahead = append(ahead, name+" in copying")
			}
			if r < ourRead {
				ahead = append(ahead, name+" in adding up, with numpy's loop")
			}
		}
		fmt.Fprintf(&b, "| %s | %s | %.2f | %s | %.2f | %.3f | %.3f x | %.3f x |\n",
			title, sharedText, s/ourShared, plainText, p/ourPlain, r, mem, memCopied)
	}
	if len(ahead) == 0 && len(contenders) > 1 {
		b.WriteString("\nNo peer is ahead of Weft here.\n")
	} else if len(ahead) > 0 {
		fmt.Fprintf(&b, "\nAhead of Weft here: %s.\n", strings.Join(ahead, ", "))
	}
	_, each := column(weftShared, func(h Hand) float64 { return 1e3 * h.SharedEach })
	_, made := column(weftShared, func(h Hand) float64 { return 1e3 * h.Make })
	_, lock := column(weftShared, func(h Hand) float64 { return 1e9 * h.Lock })
	var deaths []float64
	for _, h := range results[weftShared] {
		for _, d := range h.Death {
			deaths = append(deaths, 1e3*d)
		}
	}
	fmt.Fprintf(&b, "\n| of Weft | | aim |\n|---|---:|---:|\n")
	fmt.Fprintf(&b, "| hand-over to one worker, the slower of the two, ms | %s | at most 2 |\n", each)
	fmt.Fprintf(&b, "| `shm.Make` of the array, ms | %s | |\n", made)
	fmt.Fprintf(&b, "| `Mutex` Lock and Unlock, free, ns | %s | |\n", lock)
	fmt.Fprintf(&b, "| from kill -9 of a `Mutex`'s holder until the one who waits has it, ms, %d kills | %.3g (%.3g–%.3g) | |\n",
		len(deaths), medianOf(deaths), slices.Min(deaths), slices.Max(deaths))
	return b.String()
}

// sharedCaseHelper is Weft's side, in a process of its own as the others have.
var sharedCaseHelper = benchmark{name: "shm-case", doc: "one round of shm", hidden: true, run: runSharedCase}

func runSharedCase(_ context.Context, out io.Writer, args []string) error {
	if len(args) != 1 {
		return errors.New("shm-case: how many bytes?")
	}
	size, err := strconv.Atoi(args[0])
	if err != nil {
		return err
	}
	var ws []*sharedWorker
	defer func() {
		for _, w := range ws {
			w.end()
		}
	}()
	pids := []int{os.Getpid()}
	for range sharedWorkers {
		w, err := startSharedWorker()
		if err != nil {
			return err
		}
		ws = append(ws, w)
		pids = append(pids, w.cmd.Process.Pid)
	}
	small, err := shm.Make[float64](1 << 18)
	if err != nil {
		return err
	}
	if _, _, err := handOver(ws, small); err != nil {
		return err
	}
	if err := giveUp(ws, small); err != nil {
		return err
	}

	var h Hand
	n := size / 8
	debug.FreeOSMemory()
	base, err := pss(pids)
	if err != nil {
		return err
	}
	begin := time.Now()
	data, err := shm.Make[float64](n)
	if err != nil {
		return err
	}
	h.Make = time.Since(begin).Seconds()
	fillArray(data.Slice())
	if h.Shared, h.SharedEach, err = handOver(ws, data); err != nil {
		return err
	}
	if h.SharedRead, h.SharedMemory, err = readAll(ws, n, pids, base); err != nil {
		return err
	}
	if err := giveUp(ws, data); err != nil {
		return err
	}

	debug.FreeOSMemory()
	if base, err = pss(pids); err != nil {
		return err
	}
	plain := make([]float64, n)
	fillArray(plain)
	begin = time.Now()
	if data, err = shm.Copy(plain); err != nil {
		return err
	}
	if _, _, err = handOver(ws, data); err != nil {
		return err
	}
	h.Plain = time.Since(begin).Seconds()
	if h.PlainRead, h.PlainMemory, err = readAll(ws, n, pids, base); err != nil {
		return err
	}
	runtime.KeepAlive(plain)
	if err := giveUp(ws, data); err != nil {
		return err
	}
	if err := measureMutex(&h); err != nil {
		return err
	}
	return json.NewEncoder(out).Encode(h)
}

// handOver gives the array to all workers and waits for all answers: seconds
// in all, and the longest until one had answered.
func handOver(ws []*sharedWorker, data *shm.Slice[float64]) (all, each float64, err error) {
	want := data.Slice()[0] + data.Slice()[data.Len()-1]
	begin := time.Now()
	var sent []time.Time
	for _, w := range ws {
		sent = append(sent, time.Now())
		if err := w.send('o', data.Handle(shm.ReadOnly)); err != nil {
			return 0, 0, err
		}
	}
	for i, w := range ws {
		got, err := w.answer()
		if err != nil {
			return 0, 0, err
		}
		each = max(each, time.Since(sent[i]).Seconds())
		if got != want {
			return 0, 0, fmt.Errorf("a worker read %v, not %v", got, want)
		}
	}
	return time.Since(begin).Seconds(), each, nil
}

// readAll has all workers add up the array, and measures memory while they
// have it.
func readAll(ws []*sharedWorker, n int, pids []int, base int64) (seconds float64, memory int64, err error) {
	want := float64(n/1000*499_500 + (n%1000)*(n%1000-1)/2)
	begin := time.Now()
	for _, w := range ws {
		if err := w.ask('s'); err != nil {
			return 0, 0, err
		}
	}
	for _, w := range ws {
		got, err := w.answer()
		if err != nil {
			return 0, 0, err
		}
		if got != want {
			return 0, 0, fmt.Errorf("a worker added up to %v, not %v", got, want)
		}
	}
	seconds = time.Since(begin).Seconds()
	memory, err = pss(pids)
	return seconds, memory - base, err
}

func giveUp(ws []*sharedWorker, data *shm.Slice[float64]) error {
	for _, w := range ws {
		if err := w.ask('c'); err != nil {
			return err
		}
		if _, err := w.answer(); err != nil {
			return err
		}
	}
	return data.Close()
}

func fillArray(a []float64) {
	for i := range a {
		a[i] = float64(i % 1000)
	}
}

func measureMutex(h *Hand) error {
	s, err := shm.Make[shm.Mutex](1)
	if err != nil {
		return err
	}
	defer s.Close()
	mu, ctx := &s.Slice()[0], context.Background()
	const n = 200_000
	begin := time.Now()
	for range n {
		if _, err := mu.Lock(ctx); err != nil {
			return err
		}
		mu.Unlock()
	}
	h.Lock = time.Since(begin).Seconds() / n
	for range 5 {
		w, err := startSharedWorker()
		if err != nil {
			return err
		}
		if err := w.send('l', s.Handle(shm.ReadWrite)); err != nil {
			return err
		}
		if _, err := w.answer(); err != nil {
			return err
		}
		got := make(chan error, 1)
		go func() {
			orphaned, err := mu.Lock(ctx)
			if err == nil && !orphaned {
				err = errors.New("it was not told that the holder had died")
			}
			got <- err
		}()
		time.Sleep(30 * time.Millisecond) // it waits in the kernel by then
		begin := time.Now()
		if err := w.cmd.Process.Kill(); err != nil {
			return err
		}
		if err := <-got; err != nil {
			return err
		}
		h.Death = append(h.Death, time.Since(begin).Seconds())
		mu.Unlock()
		w.end()
	}
	return nil
}

// pss is the memory of processes, what they share counted once.
func pss(pids []int) (total int64, err error) {
	for _, pid := range pids {
		text, err := os.ReadFile(fmt.Sprintf("/proc/%d/smaps_rollup", pid))
		if err != nil {
			return 0, err
		}
		_, rest, ok := bytes.Cut(text, []byte("\nPss:"))
		if !ok {
			return 0, fmt.Errorf("no Pss of process %d", pid)
		}
		kb, err := strconv.ParseInt(string(bytes.Fields(rest)[0]), 10, 64)
		if err != nil {
			return 0, err
		}
		total += kb << 10
	}
	return total, nil
}

// sharedWorker is a process that gets memory over a socket.
type sharedWorker struct {
	cmd  *exec.Cmd
	conn *net.UnixConn
}

func startSharedWorker() (*sharedWorker, error) {
	exe, err := os.Executable()
	if err != nil {
		return nil, err
	}
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	mine, theirs := os.NewFile(uintptr(pair[0]), "socket"), os.NewFile(uintptr(pair[1]), "socket")
	defer mine.Close()
	defer theirs.Close()
	conn, err := net.FileConn(mine)
	if err != nil {
		return nil, err
	}
	w := &sharedWorker{cmd: exec.Command(exe, "shm-worker"), conn: conn.(*net.UnixConn)}
	w.cmd.ExtraFiles = []*os.File{theirs}
	w.cmd.Stderr = os.Stderr
	return w, w.cmd.Start()
}

func (w *sharedWorker) end() {
	w.conn.Close() // which ends it
	w.cmd.Wait()
}

func (w *sharedWorker) ask(what byte) error {
	_, err := w.conn.Write([]byte{what})
	return err
}

func (w *sharedWorker) answer() (float64, error) {
	var b [8]byte
	if _, err := io.ReadFull(w.conn, b[:]); err != nil {
		return 0, err
	}
	return math.Float64frombits(binary.NativeEndian.Uint64(b[:])), nil
}

// send sends a handle and its descriptor.
func (w *sharedWorker) send(what byte, h interface {
	MarshalBinary() ([]byte, error)
	Ref() shm.Ref
}) error {
	message, err := h.MarshalBinary()
	if err != nil {
		return err
	}
	f, err := h.Ref().File()
	if err != nil {
		return err
	}
	defer f.Close()
	_, _, err = w.conn.WriteMsgUnix(append([]byte{what}, message...), unix.UnixRights(int(f.Fd())), nil)
	return err
}

var sharedWorkerHelper = benchmark{name: "shm-worker", doc: "a process that gets memory", hidden: true, run: runSharedWorker}

func runSharedWorker(_ context.Context, _ io.Writer, _ []string) error {
	c, err := net.FileConn(os.NewFile(3, "socket"))
	if err != nil {
		return err
	}
	conn := c.(*net.UnixConn)
	var data *shm.Slice[float64]
	message, control := make([]byte, 1024), make([]byte, 256)
	for {
		n, k, _, _, err := conn.ReadMsgUnix(message, control)
		if err != nil || n == 0 {
			return nil // the parent has ended
		}
		var got float64
		switch message[0] {
		case 'o':
			if data, err = receive[float64](message[1:n], control[:k]); err != nil {
				return err
			}
			got = data.Slice()[0] + data.Slice()[data.Len()-1]
		case 'l':
			s, err := receive[shm.Mutex](message[1:n], control[:k])
			if err != nil {
				return err
			}
			if _, err := s.Slice()[0].Lock(context.Background()); err != nil {
				return err
			}
		case 's':
			got = addUp(data.Slice())
		case 'c':
			id := data.Handle(shm.ReadOnly).Ref().ID()
			if err := errors.Join(data.Close(), shm.Forget(id)); err != nil {
				return err
			}
		}
		if _, err := conn.Write(binary.NativeEndian.AppendUint64(nil, math.Float64bits(got))); err != nil {
			return err
		}
	}
}

func receive[T any](message, control []byte) (*shm.Slice[T], error) {
	var h shm.Handle[T]
	if err := h.UnmarshalBinary(message); err != nil {
		return nil, err
	}
	parts, err := unix.ParseSocketControlMessage(control)
	if err != nil || len(parts) != 1 {
		return nil, errors.Join(errors.New("no descriptor came"), err)
	}
	fds, err := unix.ParseUnixRights(&parts[0])
	if err != nil || len(fds) != 1 {
		return nil, errors.Join(errors.New("not one descriptor came"), err)
	}
	unix.CloseOnExec(fds[0])
	if err := h.Ref().Accept(os.NewFile(uintptr(fds[0]), "received")); err != nil {
		return nil, err
	}
	return h.Open()
}

// addUp adds in eight sums, so that it waits for memory and not for additions.
func addUp(a []float64) float64 {
	var s0, s1, s2, s3, s4, s5, s6, s7 float64
	for ; len(a) >= 8; a = a[8:] {
		s0 += a[0]
		s1 += a[1]
		s2 += a[2]
		s3 += a[3]
		s4 += a[4]
		s5 += a[5]
		s6 += a[6]
		s7 += a[7]
	}
	for _, v := range a {
		s0 += v
	}
	return s0 + s1 + s2 + s3 + s4 + s5 + s6 + s7
}
