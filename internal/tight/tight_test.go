package tight

import (
	"context"
	"errors"
	"slices"
	"testing"
)

func TestLoop(t *testing.T) {
	t.Parallel()
	boom := errors.New("boom")
	at := 0
	out := make([]string, 4)
	n, err := Loop(context.Background(), &at, []int{1, 2, 3}, out, func(_ context.Context, x int) (string, error) {
		if x == 3 {
			return "lost", boom
		}
		return string(rune('a' + x)), nil
	})
	if n != 3 || !errors.Is(err, boom) || at != 2 || !slices.Equal(out, []string{"b", "c", "", ""}) {
		t.Errorf("%d items, %v, at %d, %q", n, err, at, out)
	}
	// Nothing is written past a slice that is too short.
	if n, err := Loop(context.Background(), &at, []int{1, 2}, out[:1], func(context.Context, int) (string, error) { return "x", nil }); n != 0 || err != nil || out[0] != "b" {
		t.Errorf("%d items, %v, %q", n, err, out)
	}
	n, err = Loop(context.Background(), &at, []struct{}{{}, {}}, make([]struct{}, 2), func(context.Context, struct{}) (struct{}, error) { return struct{}{}, nil })
	if n != 2 || err != nil {
		t.Errorf("results without size: %d, %v", n, err)
	}
}
