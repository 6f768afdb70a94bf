package executortest

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"time"

	"github.com/weft-go/weft"
)

var (
	_ = weft.Register(addFloat)
	_ = weft.Register(alone)
	_ = weft.Register(attempt)
	_ = weft.Register(double)
	_ = weft.Register(echoCallback)
	_ = weft.Register(echoHidden)
	_ = weft.Register(echoPicky)
	_ = weft.Register(echoRecord)
	_ = weft.Register(echoText)
	_ = weft.Register(errOdd)
	_ = weft.Register(exitIfNegative)
	_ = weft.Register(failOdd)
	_ = weft.Register(failRude)
	_ = weft.Register(failStandard)
	_ = weft.Register(goexitAt3)
	_ = weft.Register(makeNumbers)
	_ = weft.Register(meet)
	_ = weft.Register(nested)
	_ = weft.Register(panicAt3)
	_ = weft.Register(panicError)
	_ = weft.Register(panicFold)
	_ = weft.Register(touch)
	_ = weft.Register(waitForEnd)
	_ = weft.Register(waitForEndAt1)
	_ = weft.Register(waitOrFail)
)

var errOdd = errors.New("executortest: an odd number")

// Record has a field of each kind that crosses.
type Record struct {
	Name    string
	Bytes   []byte
	Numbers []float64
	Small   [3]int16
	On      bool
	Tags    map[string]int
	When    time.Time
	Took    time.Duration
	Next    *Record
	Ints    []int
	Z       complex128
	U       uint64
	F       float32
	Deep    [][]string
}

// Hidden can't cross: it has an unexported field.
type Hidden struct{ Inner struct{ secret int } }

// Callback can't cross: it has a function.
type Callback struct{ Do func() }

// Picky crosses unless it is negative.
type Picky struct{ N int }

// MarshalBinary refuses negative numbers.
func (p Picky) MarshalBinary() ([]byte, error) {
	if p.N < 0 {
		return nil, fmt.Errorf("the type does not like %d", p.N)
	}
	return []byte{byte(p.N)}, nil
}

// UnmarshalBinary undoes MarshalBinary.
func (p *Picky) UnmarshalBinary(b []byte) error {
	if len(b) != 1 {
		return errors.New("one byte")
	}
	p.N = int(b[0])
	return nil
}

// Attempt is an item that leaves a mark in a directory each time that it runs,
// for processes to see each other's.
type Attempt struct {
	Dir       string
	Item      int
	Fail      int // how many attempts fail
	Permanent bool
	Exit      bool // instead of failing, it ends its process
	Wait      bool // it waits for the end of its context
	BackOff   time.Duration
}

func (a Attempt) mark(n int) string {
	return filepath.Join(a.Dir, fmt.Sprintf("item%d-attempt%d", a.Item, n))
}

// leaveMark returns which attempt it is, from 1.
func (a Attempt) leaveMark() (int, error) {
	for n := 1; ; n++ {
		f, err := os.OpenFile(a.mark(n), os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
		if errors.Is(err, os.ErrExist) {
			continue
		}
		if err != nil {
			return 0, err
		}
		return n, f.Close()
	}
}

func readAttempts(dir string, item int) int {
	names, err := filepath.Glob(filepath.Join(dir, fmt.Sprintf("item%d-attempt*", item)))
	if err != nil {
		panic(err)
	}
	return len(names)
}

func attempt(ctx context.Context, a Attempt) (int, error) {
	n, err := a.leaveMark()
	switch {
	case err != nil:
		return 0, err
	case a.Wait:
		<-ctx.Done()
		return 0, ctx.Err()
	case n > a.Fail:
		return n, nil
	case a.Exit:
		os.Exit(3)
	case a.Permanent:
		return 0, fmt.Errorf("attempt %d: %w", n, weft.ErrPermanent)
	case a.BackOff > 0:
		return 0, fmt.Errorf("attempt %d: %w", n, weft.BackOff{After: a.BackOff})
	}
	return 0, fmt.Errorf("attempt %d failed", n)
}

func touch(_ context.Context, a Attempt) error {
	_, err := a.leaveMark()
	return err
}

// alone fails if another one of its number runs.
func alone(_ context.Context, a Attempt) (int, error) {
	name := filepath.Join(a.Dir, fmt.Sprintf("alone%d", a.Item))
	if err := os.Mkdir(name, 0o700); err != nil {
		return 0, err
	}
	time.Sleep(2 * time.Millisecond) // long enough for another one to be seen
	return 0, os.Remove(name)
}

// meet returns when two of them run.
func meet(ctx context.Context, a Attempt) (int, error) {
	if _, err := a.leaveMark(); err != nil {
		return 0, err
	}
	for deadline := time.Now().Add(30 * time.Second); readAttempts(a.Dir, 1-a.Item) == 0; {
		if time.Now().After(deadline) || ctx.Err() != nil {
			return 0, errors.New("the other one never began")
		}
		time.Sleep(time.Millisecond) // another process: there is nothing to wait on
	}
	return 0, nil
}

func double(_ context.Context, n int) (int, error)            { return 2 * n, nil }
func echoText(_ context.Context, s string) (string, error)    { return s, nil }
func echoRecord(_ context.Context, r Record) (Record, error)  { return r, nil }
func echoHidden(_ context.Context, h Hidden) (Hidden, error)  { h.Inner.secret++; return h, nil }
func echoPicky(_ context.Context, p Picky) (Picky, error)     { return p, nil }
func echoCallback(_ context.Context, c Callback) (int, error) { return 0, nil }
func addFloat(a, b float64) float64                           { return a + b }
func notRegistered(_ context.Context, n int) (int, error)     { return n, nil }
func waitForEnd(ctx context.Context, _ int) (int, error)      { <-ctx.Done(); return 0, ctx.Err() }

func makeNumbers(_ context.Context, n int) ([]int32, error) {
	s := make([]int32, n)
	for i := range s {
		s[i] = int32(i)
	}
	return s, nil
}

func failOdd(_ context.Context, n int) (int, error) {
	if n%2 == 1 {
		return 0, fmt.Errorf("%d: %w", n, errOdd)
	}
	return n, nil
}

func failStandard(context.Context, int) (int, error) {
	return 0, fmt.Errorf("with this text: %w", context.DeadlineExceeded)
}

type rudeError struct{}

func (rudeError) Error() string { panic("no text for you") }

func failRude(context.Context, int) (int, error) { return 0, rudeError{} }

func panicAt3(_ context.Context, n int) (int, error) {
	if n == 3 {
		panic("no threes")
	}
	return n, nil
}

func panicError(context.Context, int) (int, error) { panic(fmt.Errorf("wrapped: %w", errOdd)) }

func panicFold(a, n int) int {
	if n == 500 {
		panic("no five hundreds")
	}
	return a + n
}

func goexitAt3(_ context.Context, n int) (int, error) {
	if n == 3 {
		runtime.Goexit()
	}
	return n, nil
}

func waitForEndAt1(ctx context.Context, n int) (int, error) {
	if n == 1 {
		<-ctx.Done()
		return 0, ctx.Err()
	}
	return n, nil
}

func waitOrFail(ctx context.Context, n int) (int, error) {
	if n == 0 {
		time.Sleep(20 * time.Millisecond) // until the others run
		return 0, errors.New("the first one fails")
	}
	<-ctx.Done()
	return 0, ctx.Err()
}

func nested(ctx context.Context, n int) (int, error) {
	got, err := weft.Map(ctx, ints(100), func(_ context.Context, k int) (int, error) { return n, nil })
	sum := 0
	for _, v := range got {
		sum += v
	}
	return sum, err
}

func exitIfNegative(_ context.Context, n int) (int, error) {
	if n < 0 {
		os.Exit(3)
	}
	return n, nil
}
