package cluster_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/weft-go/weft"
)

var (
	_ = weft.Register(add)
	_ = weft.Register(double)
	_ = weft.Register(failThird)
	_ = weft.Register(length)
	_ = weft.Register(slowly)
	_ = weft.Register(zeros)
)

func double(_ context.Context, n int) (int, error)    { return 2 * n, nil }
func length(_ context.Context, b []byte) (int, error) { return len(b), nil }
func zeros(_ context.Context, n int) ([]byte, error)  { return make([]byte, n), nil }

// Slow is an item that leaves a mark each time that it runs.
type Slow struct {
	N       int
	Dir     string
	Takes   time.Duration
	Poison  bool // ends its process
	Endless bool // does not even look at its context
}

func slowly(ctx context.Context, s Slow) (int, error) {
	if s.Dir != "" {
		for k := 0; ; k++ {
			f, err := os.OpenFile(filepath.Join(s.Dir, strconv.Itoa(s.N)+"."+strconv.Itoa(k)), os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
			if os.IsExist(err) {
				continue
			}
			if err != nil {
				return 0, err
			}
			if err := f.Close(); err != nil {
				return 0, err
			}
			break
		}
	}
	if s.Poison {
		os.Exit(3)
	}
	if s.Endless {
		select {}
	}
	select {
	case <-time.After(s.Takes): // stands for work
	case <-ctx.Done():
		return 0, context.Cause(ctx)
	}
	return s.N * s.N, nil
}

func add(_ context.Context, a, b int) (int, error) { return a + b, nil }

func failThird(_ context.Context, n int) (int, error) {
	if n%3 == 2 {
		return 0, fmt.Errorf("%d is one of the third", n)
	}
	return n, nil
}
