//go:build linux

package proc_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/weft-go/weft"
	"github.com/weft-go/weft/proc"
	"github.com/weft-go/weft/shm"
)

var (
	_ = weft.Register(act)
	_ = weft.Register(badSetup)
	_ = weft.Register(environment)
	_ = weft.Register(holdBelow)
	_ = weft.Register(nestedPool)
	_ = weft.Register(panickySetup)
	_ = weft.Register(pid)
	_ = weft.Register(rowSum)
	_ = weft.Register(setup)
	_ = weft.Register(sharedSum)
	_ = weft.Register(square)
	_ = weft.Register(sumNumbers)
	_ = weft.Register(makeShared)
)

func square(_ context.Context, n int) (int, error) { return n * n, nil }

func pid(context.Context, int) (int, error) { return os.Getpid(), nil }

// do is an item that does something to its process.
type do struct {
	What string
	N    int
	Dir  string
}

func act(ctx context.Context, d do) (int, error) {
	switch d.What {
	case "":
	case "abort":
		if err := syscall.Kill(os.Getpid(), syscall.SIGABRT); err != nil {
			return 0, err
		}
		select {}
	case "busy":
		for begun := time.Now(); time.Since(begun) < time.Duration(d.N)*time.Millisecond; {
		}
	case "child":
		cmd := exec.Command("sleep", "1000")
		if err := cmd.Start(); err != nil {
			return 0, err
		}
		return cmd.Process.Pid, nil
	case "close":
		return 0, syscall.Close(3)
	case "exit":
		os.Exit(d.N)
	case "fatal":
		log.SetFlags(0)
		log.Fatal("this is the end")
	case "garbage":
		if _, err := syscall.Write(3, []byte("this is no frame at all, but it is long enough")); err != nil {
			return 0, err
		}
	case "hang":
		select {}
	case "kill":
		fmt.Fprintln(os.Stderr, "about to die")
		if err := syscall.Kill(os.Getpid(), syscall.SIGKILL); err != nil {
			return 0, err
		}
		select {}
	case "memory":
		var all [][]byte
		for range d.N {
			b := make([]byte, 1<<20)
			for i := range b {
				b[i] = byte(i)
			}
			all = append(all, b)
			time.Sleep(time.Millisecond) // for the watcher to see it grow
		}
		return len(all), nil
	case "mark": // says that it runs, and hangs
		f, err := os.Create(filepath.Join(d.Dir, "mark"))
		if err != nil {
			return 0, err
		}
		_ = f.Close()
		select {}
	case "once": // ends the process the first time
		f, err := os.OpenFile(filepath.Join(d.Dir, "mark"+strconv.Itoa(d.N)), os.O_CREATE|os.O_EXCL, 0o600)
		if err == nil {
			_ = f.Close()
			os.Exit(1)
		}
	case "print":
		lines := strings.Repeat(strings.Repeat("x", 1023)+"\n", 64)
		for range d.N / 64 {
			fmt.Print(lines)
		}
	case "say":
		fmt.Println("to stdout")
		fmt.Fprint(os.Stderr, "to stderr\nno end of line")
	case "stop":
		if err := syscall.Kill(os.Getpid(), syscall.SIGSTOP); err != nil {
			return 0, err
		}
		select {}
	case "throw":
		var mu sync.Mutex
		mu.Unlock()
	case "wait":
		<-ctx.Done()
		return 0, ctx.Err()
	default:
		return 0, errors.New("do what?")
	}
	return d.N, nil
}

var wasSetUp = false

func setup(context.Context) error { wasSetUp = true; return nil }

func badSetup(context.Context) error { return errors.New("no licence server") }

func panickySetup(context.Context) error { panic("no setup today") }

// environment tells about the process.
func environment(_ context.Context, key string) (string, error) {
	switch key {
	case "cwd":
		return os.Getwd()
	case "nice":
		n, err := syscall.Getpriority(syscall.PRIO_PROCESS, 0)
		return fmt.Sprint(20 - n), err
	case "setup":
		return fmt.Sprint(wasSetUp), nil
	case "descriptors":
		fds, err := os.ReadDir("/proc/self/fd")
		return fmt.Sprint(len(fds)), err
	}
	return os.Getenv(key), nil
}

// nestedPool starts a pool in a worker and returns the processes.
func nestedPool(ctx context.Context, depth int) ([]int, error) {
	p, err := proc.Start(ctx, proc.Config{})
	if err != nil {
		return nil, err
	}
	defer p.Close() //nolint:errcheck // always nil
	pids := p.PIDs()
	if depth > 1 {
		deeper, err := weft.Map(ctx, []int{depth - 1}, nestedPool, weft.On(p), weft.Require(weft.Isolation))
		if err != nil {
			return nil, err
		}
		return append(pids, deeper[0]...), nil
	}
	_, err = weft.Map(ctx, numbers(10), square, weft.On(p), weft.Require(weft.Isolation))
	return pids, err
}

// holdBelow runs an item that never ends, so many levels of pools below.
func holdBelow(ctx context.Context, levels int) (int, error) {
	if levels == 0 {
		select {}
	}
	p, err := proc.Start(ctx, proc.Config{})
	if err != nil {
		return 0, err
	}
	defer p.Close() //nolint:errcheck // always nil
	_, err = weft.Map(ctx, []int{levels - 1}, holdBelow, weft.On(p))
	return 0, err
}

// table is an argument that many items share.
type table struct{ Rows [][]int }

type row struct {
	Table *table
	N     int
}

func rowSum(_ context.Context, r row) (int, error) {
	sum := 0
	for _, v := range r.Table.Rows[r.N] {
		sum += v
	}
	return sum, nil
}

type part struct {
	Numbers []float64
	Lo, Hi  int
}

func sumNumbers(_ context.Context, p part) (float64, error) {
	sum := 0.0
	for _, v := range p.Numbers[p.Lo:p.Hi] {
		sum += v
	}
	p.Numbers[p.Lo] = -1 // its own copy
	return sum, nil
}

type sharedPart struct {
	Data   shm.Handle[float64]
	Lo, Hi int
}

func sharedSum(_ context.Context, p sharedPart) (float64, error) {
	data, err := p.Data.Open()
	if err != nil {
		return 0, err
	}
	defer data.Close() //nolint:errcheck // only read
	sum := 0.0
	for _, v := range data.Slice()[p.Lo:p.Hi] {
		sum += v
	}
	return sum, nil
}

// kept holds what makeShared made until its process ends.
var kept []*shm.Slice[int32]

func makeShared(_ context.Context, n int) (shm.Handle[int32], error) {
	s, err := shm.Make[int32](n)
	if err != nil {
		return shm.Handle[int32]{}, err
	}
	for i := range s.Slice() {
		s.Slice()[i] = int32(i)
	}
	kept = append(kept, s)
	return s.Handle(shm.ReadOnly), nil
}
