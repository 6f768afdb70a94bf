package memo

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// The tests here start the test binary again, as processes that share a cache.

// marked computes something slowly, and writes down when it runs: a byte for
// its key is taken at the beginning and given back at the end.
func marked(ctx context.Context, n int) ([]uint64, error) {
	dir := os.Getenv("MEMO_TEST_MARKS")
	name := filepath.Join(dir, strconv.Itoa(n))
	// Whoever finds a mark of a process that lives has found two at once.
	self := strconv.Itoa(os.Getpid())
	f, err := os.OpenFile(name, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if errors.Is(err, os.ErrExist) {
		b, _ := os.ReadFile(name)
		other := strings.TrimSpace(string(b))
		if pid, err := strconv.Atoi(other); err == nil && processLives(pid) {
			return nil, fmt.Errorf("two at once: %s and %s compute %d", other, self, n)
		}
		err = os.WriteFile(name, []byte(self), 0o600)
		if err != nil {
			return nil, err
		}
	} else if err != nil {
		return nil, err
	} else {
		_, err = f.WriteString(self)
		if err := errors.Join(err, f.Close()); err != nil {
			return nil, err
		}
	}
	// Some CPU, and some time in which a kill may come.
	out := make([]uint64, markedLen(n))
	for begin := time.Now(); ; {
		for i := range out {
			out[i] = uint64(n)*1e6 + uint64(i)
		}
		if time.Since(begin) > 2*time.Millisecond {
			break
		}
	}
	ran(ctx, n)
	return out, os.Remove(name)
}

func markedRight(n int, out []uint64) bool {
	for i, x := range out {
		if x != uint64(n)*1e6+uint64(i) {
			return false
		}
	}
	return len(out) == markedLen(n)
}

// markedLen has half of the results written at their place, as they are small.
func markedLen(n int) int {
	if n%2 == 0 {
		return 20 + n%100
	}
	return 2000 + n
}

// children are what else a started process may do, by what MEMO_TEST_CHILD says.
var children = map[string]func() int{"hold": hold}

// child is what a started process does: calls in random order, and a word on
// what was wrong. It prints "ran N" at its end.
func child() int {
	if f := children[os.Getenv("MEMO_TEST_CHILD")]; f != nil {
		return f()
	}
	c, err := Open(os.Getenv("MEMO_TEST_CACHE"), Config{Compress: os.Getenv("MEMO_TEST_COMPRESS") != ""})
	if err != nil {
		fmt.Println("open:", err)
		return 1
	}
	seed, _ := strconv.Atoi(os.Getenv("MEMO_TEST_SEED"))
	keys, _ := strconv.Atoi(os.Getenv("MEMO_TEST_KEYS"))
	var r recorder
	f := Wrap(c, marked)
	random := rand.New(rand.NewPCG(uint64(seed), 7))
	for _, n := range random.Perm(keys) {
		if random.IntN(3) == 0 {
			n += 1000 * (seed + 1) // a key of its own
		}
		out, err := f(r.in(context.Background()), n)
		if err != nil || !markedRight(n, out) {
			fmt.Println("wrong:", n, len(out), err)
			return 1
		}
	}
	if s := c.Stats(); s.Damaged > 0 {
		fmt.Println("wrong: damaged", s.Damaged)
		return 1
	}
	fmt.Println("ran", r.count())
	if err := c.Close(); err != nil {
		fmt.Println("wrong:", err)
		return 1
	}
	return 0
}

// hold computes until it is killed, and says when it has begun.
func hold() int {
	c, err := Open(os.Getenv("MEMO_TEST_CACHE"), Config{})
	if err != nil {
		return 1
	}
	_, _ = Wrap(c, forever, Version("1"))(context.Background(), 1)
	return 1
}

func forever(ctx context.Context, n int) (int, error) {
	if os.Getenv("MEMO_TEST_CHILD") == "" {
		return n, nil
	}
	fmt.Println("begun")
	time.Sleep(time.Hour) // it is killed
	return 0, ctx.Err()
}

func startChild(t *testing.T, out *bytes.Buffer, env ...string) *exec.Cmd {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(exe)
	cmd.Env = append(append(os.Environ(), "GORACE=atexit_sleep_ms=0"), env...)
	cmd.Stdout, cmd.Stderr = out, out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	return cmd
}

// 32 processes on the same and on different keys, some killed at random: no
// result is wrong, no key is computed twice at once, none computed more often
// than killings explain.
func TestManyProcesses(t *testing.T) {
	t.Parallel()
	processes, rounds := 32, 1
	if os.Getenv("WEFT_SOAK") != "" {
		rounds = 40
	} else if testing.Short() {
		processes = 8
	}
	for round := range rounds {
		cache, marks := filepath.Join(t.TempDir(), "cache"), t.TempDir()
		const keys = 40
		var mu sync.Mutex
		killed, computed := 0, 0
		own := 0
		var wg sync.WaitGroup
		for i := range processes {
			wg.Go(func() {
				random := rand.New(rand.NewPCG(uint64(i), uint64(round)))
				var out bytes.Buffer
				env := []string{"MEMO_TEST_CHILD=1", "MEMO_TEST_CACHE=" + cache, "MEMO_TEST_MARKS=" + marks,
					"MEMO_TEST_SEED=" + strconv.Itoa(i), "MEMO_TEST_KEYS=" + strconv.Itoa(keys)}
				if i%2 == 0 {
					env = append(env, "MEMO_TEST_COMPRESS=1")
				}
				cmd := startChild(t, &out, env...)
				timer := time.AfterFunc(time.Hour, func() {})
				if i%3 == 0 {
					// At a random moment of its life.
					timer = time.AfterFunc(time.Duration(random.IntN(600))*time.Millisecond, func() { _ = cmd.Process.Kill() })
				}
				err := cmd.Wait()
				timer.Stop()
				mu.Lock()
				defer mu.Unlock()
				if strings.Contains(out.String(), "wrong") || strings.Contains(out.String(), "DATA RACE") {
					t.Errorf("process %d: %v: %s", i, err, out.String())
				}
				if err != nil {
					killed++
					if i%3 != 0 {
						t.Errorf("process %d: %v: %s", i, err, out.String())
					}
					return
				}
				n, _ := strconv.Atoi(strings.TrimSpace(strings.TrimPrefix(out.String(), "ran ")))
				computed += n
			})
		}
		wg.Wait()
		// What is there is whole, and the journal knows it.
		c, err := Open(cache, Config{})
		if err != nil {
			t.Fatal(err)
		}
		counted := c.Stats().Items
		v, err := c.Verify(t.Context())
		if err != nil || len(v.Damaged) > 0 {
			t.Errorf("%+v %v", v, err)
		}
		own = int(v.Items)
		// Each entry was computed once by a process that lived, or by a killed
		// one; a killed one may have left one more, not renamed.
		if computed > own {
			t.Errorf("%d computations of processes that lived for %d entries", computed, own)
		}
		if counted < v.Items || counted > v.Items+int64(killed) {
			t.Errorf("%d entries counted, %d there, %d processes killed", counted, v.Items, killed)
		}
		t.Logf("%d entries, %d computed by processes that lived, %d killed", own, computed, killed)
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	}
}

// The death of whoever computes lets the next one go on.
func TestKilledHolderFreesItsKey(t *testing.T) {
	t.Parallel()
	cache := filepath.Join(t.TempDir(), "cache")
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(exe)
	cmd.Env = append(os.Environ(), "MEMO_TEST_CHILD=hold", "MEMO_TEST_CACHE="+cache)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	begun := make([]byte, 6)
	if _, err := out.Read(begun); err != nil {
		t.Fatal(err)
	}
	c, err := Open(cache, Config{})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	f := Wrap(c, forever, Version("1"))
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	if _, err := f(ctx, 1); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("while it computes: %v", err)
	}
	done := make(chan error)
	go func() {
		_, err := f(t.Context(), 1)
		done <- err
	}()
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait()
	if err := <-done; err != nil {
		t.Error(err)
	}
}
