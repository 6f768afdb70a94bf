package cluster_test

import (
	"context"

	"github.com/weft-go/weft"
)

var (
	_ = weft.Register(double)
)

func double(_ context.Context, n int) (int, error) { return 2 * n, nil }
