//go:build linux

package shm

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// guarded is what the processes of these tests share. A and B are always equal
// for whoever holds Mu, unless a holder was killed between the two.
type guarded struct {
	Mu       Mutex
	A, B     int64
	Inside   atomic.Int32 // how many believe they hold Mu
	Broken   Counter      // how often that was more than one, or A was not B
	Orphaned Counter
	Done     Counter
}

// change takes the lock, changes both numbers and gives it back.
func (g *guarded) change(ctx context.Context) error {
	orphaned, err := g.Mu.Lock(ctx)
	if err != nil {
		return err
	}
	defer g.Mu.Unlock()
	if orphaned {
		g.Orphaned.Add(1)
		g.Inside.Store(0) // whoever was inside is dead
		g.B = g.A
	}
	if g.Inside.Add(1) != 1 || g.A != g.B {
		g.Broken.Add(1)
	}
	g.A++
	g.B++
	g.Inside.Add(-1)
	return nil
}

func init() {
	// lock HANDLE: takes the lock, says so, and keeps it until a line comes.
	children["lock"] = func(args []string, in *bufio.Reader) error {
		s, err := take[guarded](args[0], 3)
		if err != nil {
			return err
		}
		orphaned, err := s.Slice()[0].Mu.Lock(context.Background())
		if err != nil {
			return err
		}
		fmt.Println("held", orphaned)
		if _, err := in.ReadString('\n'); err != nil {
			os.Exit(0) // with the lock
		}
		s.Slice()[0].Mu.Unlock()
		return s.Close()
	}
	// change HANDLE N G: changes N times in each of G goroutines; N is 0 for
	// ever.
	children["change"] = func(args []string, in *bufio.Reader) error {
		s, err := take[guarded](args[0], 3)
		if err != nil {
			return err
		}
		n, _ := strconv.Atoi(args[1])
		goroutines, _ := strconv.Atoi(args[2])
		fmt.Println("ready")
		in.ReadString('\n')
		g := &s.Slice()[0]
		errs := make(chan error, goroutines)
		for range goroutines {
			go func() {
				for i := 0; n == 0 || i < n; i++ {
					if err := g.change(context.Background()); err != nil {
						errs <- err
						return
					}
					g.Done.Add(1)
				}
				errs <- nil
			}()
		}
		for range goroutines {
			err = errors.Join(err, <-errs)
		}
		return errors.Join(err, s.Close())
	}
}

func TestMutexExcludes(t *testing.T) {
	t.Parallel()
	const processes, goroutines, n = 3, 3, 3000
	s := make1[guarded](t, 1)
	g := &s.Slice()[0]
	var cs []*child
	for range processes {
		h, f := pass(t, s, ReadWrite)
		c := start(t, "change", []*os.File{f}, h, strconv.Itoa(n), strconv.Itoa(goroutines))
		if got := c.line(); got != "ready" {
			t.Fatal(got)
		}
		cs = append(cs, c)
	}
	for _, c := range cs {
		c.send("go")
	}
	var wg sync.WaitGroup
	for range goroutines {
		wg.Go(func() {
			for range n {
				if err := g.change(t.Context()); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
	for _, c := range cs {
		c.done()
	}
	if want := int64((processes + 1) * goroutines * n); g.A != want || g.B != want {
		t.Errorf("counted %d and %d, want %d", g.A, g.B, want)
	}
	if g.Broken.Load() != 0 || g.Orphaned.Load() != 0 {
		t.Errorf("%d times not alone, %d times orphaned", g.Broken.Load(), g.Orphaned.Load())
	}
}

// The mutex is worth something only if the test above can fail: without it, the
// same work must be found broken.
func TestWithoutMutexIsFound(t *testing.T) {
	t.Parallel()
	s := make1[guarded](t, 1)
	g := &s.Slice()[0]
	g.Inside.Add(1) // somebody else is inside
	if err := g.change(t.Context()); err != nil {
		t.Fatal(err)
	}
	if g.Broken.Load() == 0 {
		t.Error("two were inside at once, and it was not found")
	}
}

// lockSoon takes the lock and fails the test if that takes long.
func lockSoon(t *testing.T, m *Mutex) (orphaned bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	orphaned, err := m.Lock(ctx)
	if err != nil {
		t.Fatal(err)
	}
	return orphaned
}

func TestMutexSurvivesItsHolder(t *testing.T) {
	t.Parallel()
	for _, how := range []string{"killed", "killed and not reaped", "exits", "closes"} {
		t.Run(how, func(t *testing.T) {
			t.Parallel()
			s := make1[guarded](t, 1)
			mu := &s.Slice()[0].Mu
			if lockSoon(t, mu) {
				t.Fatal("orphaned at first")
			}
			mu.Unlock()
			h, f := pass(t, s, ReadWrite)
			c := start(t, "lock", []*os.File{f}, h)
			if got := c.line(); got != "held false" {
				t.Fatal(got)
			}
			ctx, cancel := context.WithTimeout(t.Context(), 3*probe)
			defer cancel()
			if _, err := mu.Lock(ctx); !errors.Is(err, context.DeadlineExceeded) {
				t.Fatalf("it was held, and Lock returned %v", err)
			}
			switch how {
			case "killed":
				c.kill()
				c.wait()
			case "killed and not reaped":
				c.kill() // a zombie until the end of the test
			case "exits":
				c.done()
			case "closes":
				c.send("unlock") // properly
			}
			if got, want := lockSoon(t, mu), how != "closes"; got != want {
				t.Errorf("orphaned: %v, want %v", got, want)
			}
			mu.Unlock()
			if lockSoon(t, mu) {
				t.Error("orphaned again, after an Unlock")
			}
			mu.Unlock()
		})
	}
}

// Of many who wait when the holder dies, one is told, and all get the lock.
func TestOneWaiterIsTold(t *testing.T) {
	t.Parallel()
	s := make1[guarded](t, 1)
	h, f := pass(t, s, ReadWrite)
	holder := start(t, "lock", []*os.File{f}, h)
	holder.line()
	var cs []*child
	for range 3 {
		h, f := pass(t, s, ReadWrite)
		c := start(t, "change", []*os.File{f}, h, "1", "2")
		c.line()
		c.send("go")
		cs = append(cs, c)
	}
	g := &s.Slice()[0]
	within(t, 5*time.Second, "somebody waits", func() bool { return g.Mu.word.Load()&waiters != 0 })
	holder.kill()
	for _, c := range cs {
		c.done()
	}
	if g.A != 6 || g.B != 6 || g.Orphaned.Load() != 1 || g.Broken.Load() != 0 {
		t.Errorf("counted %d and %d, orphaned %d, broken %d", g.A, g.B, g.Orphaned.Load(), g.Broken.Load())
	}
}

// When several find at the same moment that the holder is dead, one is the
// next. They are as different processes here, with numbers of their own.
func TestOneIsNext(t *testing.T) {
	t.Parallel()
	s := make1[guarded](t, 1)
	owners := []*guarded{&s.Slice()[0]}
	for range 2 {
		h, f := pass(t, s, ReadWrite)
		other, err := importAnew[guarded](t, h, f)
		owners = append(owners, &open(t, other, err).Slice()[0])
	}
	const dead = 1 << 29 // nobody has had this number
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	for round := range 3000 {
		owners[0].Mu.word.Store(dead<<1 | waiters)
		var ready atomic.Int32
		var orphans, inside, broken atomic.Int32
		var wg sync.WaitGroup
		for _, g := range owners {
			wg.Go(func() {
				for ready.Add(1); int(ready.Load()) < len(owners); {
					runtime.Gosched()
				}
				orphaned, err := g.Mu.Lock(ctx)
				if err != nil {
					t.Error(err)
					return
				}
				if orphaned {
					orphans.Add(1)
				}
				if inside.Add(1) != 1 {
					broken.Add(1)
				}
				runtime.Gosched()
				inside.Add(-1)
				if broken.Load() == 0 {
					g.Mu.Unlock()
				}
			})
		}
		wg.Wait()
		if orphans.Load() != 1 || broken.Load() != 0 {
			t.Fatalf("round %d: %d were told, %d times not alone", round, orphans.Load(), broken.Load())
		}
	}
}

// Processes that change for ever are killed at random moments; the others and
// their followers go on, and nobody ever finds the numbers apart.
func TestMutexUnderKills(t *testing.T) {
	t.Parallel()
	kills := 25
	if os.Getenv("WEFT_SOAK") != "" {
		kills = 1000
	}
	s := make1[guarded](t, 1)
	g := &s.Slice()[0]
	begin := func() *child {
		h, f := pass(t, s, ReadWrite)
		c := start(t, "change", []*os.File{f}, h, "0", "2")
		c.line()
		c.send("go")
		return c
	}
	cs := []*child{begin(), begin(), begin()}
	random := rand.New(rand.NewPCG(1, 2))
	for range kills {
		for range random.IntN(3000) {
			runtime.Gosched()
		}
		i := random.IntN(len(cs))
		cs[i].kill()
		before := g.Done.Load()
		within(t, 5*time.Second, "the others go on", func() bool { return g.Done.Load() > before+10 })
		cs[i].wait()
		cs[i] = begin()
	}
	for _, c := range cs {
		c.kill()
		c.wait()
	}
	if lockSoon(t, &g.Mu) {
		g.B = g.A
	}
	g.Mu.Unlock()
	if g.A != g.B || g.Broken.Load() != 0 {
		t.Errorf("%d and %d, broken %d times", g.A, g.B, g.Broken.Load())
	}
	t.Logf("%d kills, %d of them with the lock held, %d changes", kills, g.Orphaned.Load(), g.Done.Load())
}

// A holder that closes its memory with the lock is as good as dead.
func TestMutexOfClosedMemory(t *testing.T) {
	t.Parallel()
	s := make1[guarded](t, 1)
	h, f := pass(t, s, ReadWrite)
	other, err := importAnew[guarded](t, h, f)
	if err != nil {
		t.Fatal(err)
	}
	if lockSoon(t, &other.Slice()[0].Mu) {
		t.Error("orphaned at first")
	}
	if err := other.Close(); err != nil {
		t.Fatal(err)
	}
	if !lockSoon(t, &s.Slice()[0].Mu) {
		t.Error("not orphaned")
	}
	s.Slice()[0].Mu.Unlock()
}

func TestMutexMisuse(t *testing.T) {
	t.Parallel()
	var heap Mutex
	_, err := heap.Lock(t.Context())
	wantError(t, err, nil, "not in memory of shm.Make")

	s := make1[guarded](t, 1)
	ro, err := s.Handle(ReadOnly).Open()
	open(t, ro, err)
	_, err = ro.Slice()[0].Mu.Lock(t.Context())
	wantError(t, err, ErrReadOnly, "read-write")
	cow, err := s.Handle(CopyOnWrite).Open()
	open(t, cow, err)
	_, err = cow.Slice()[0].Mu.Lock(t.Context())
	wantError(t, err, ErrReadOnly)

	file, err := MapFile[Mutex](t.TempDir()+"/m", Create, Length(1))
	open(t, file, err)
	_, err = file.Slice()[0].Lock(t.Context())
	wantError(t, err, nil, "not in memory of shm.Make")

	func() {
		defer func() {
			if v := fmt.Sprint(recover()); !strings.Contains(v, "does not hold") {
				t.Errorf("panic %q", v)
			}
		}()
		s.Slice()[0].Mu.Unlock()
	}()

	ctx, cancel := context.WithCancelCause(t.Context())
	because := errors.New("because")
	mu := &s.Slice()[0].Mu
	lockSoon(t, mu)
	cancel(because)
	_, err = mu.Lock(ctx)
	wantError(t, err, because)
	mu.Unlock()
	if orphaned, err := mu.Lock(ctx); err != nil || orphaned {
		t.Errorf("a free lock with an ended context: %v %v", orphaned, err)
	}
	mu.Unlock()
}

// Goroutines that wait for another process do not cost a thread each.
func TestWaitingCostsOneThread(t *testing.T) {
	t.Parallel()
	s := make1[guarded](t, 1)
	h, f := pass(t, s, ReadWrite)
	c := start(t, "lock", []*os.File{f}, h)
	c.line()
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	var waiting atomic.Int32
	for range 300 {
		wg.Go(func() {
			waiting.Add(1)
			if _, err := s.Slice()[0].Mu.Lock(ctx); !errors.Is(err, context.Canceled) {
				t.Errorf("%v", err)
			}
		})
	}
	within(t, 5*time.Second, "all wait", func() bool { return waiting.Load() == 300 && s.Slice()[0].Mu.word.Load()&waiters != 0 })
	threads := threadCount(t)
	cancel()
	wg.Wait()
	if threads > 150 {
		t.Errorf("%d threads while 300 goroutines wait", threads)
	}
}

func threadCount(t *testing.T) int {
	text, err := os.ReadFile("/proc/self/status")
	if err != nil {
		t.Fatal(err)
	}
	for line := range bytes.Lines(text) {
		if rest, ok := bytes.CutPrefix(line, []byte("Threads:")); ok {
			n, err := strconv.Atoi(string(bytes.TrimSpace(rest)))
			if err != nil {
				t.Fatal(err)
			}
			return n
		}
	}
	t.Fatal("no Threads in /proc/self/status")
	return 0
}

func TestOwnersRunOut(t *testing.T) {
	t.Parallel()
	s := make1[guarded](t, 1)
	s.mem.header().nextOwner.Store(maxOwner - 2)
	if lockSoon(t, &s.Slice()[0].Mu) {
		t.Error("orphaned")
	}
	s.Slice()[0].Mu.Unlock()
	h, f := pass(t, s, ReadWrite)
	other, err := importAnew[guarded](t, h, f)
	open(t, other, err)
	_, err = other.Slice()[0].Mu.Lock(t.Context())
	wantError(t, err, nil, "make a new segment")
}

func BenchmarkMutex(b *testing.B) {
	s := make1[guarded](b, 1)
	mu := &s.Slice()[0].Mu
	for b.Loop() {
		if _, err := mu.Lock(b.Context()); err != nil {
			b.Fatal(err)
		}
		mu.Unlock()
	}
}
