package cluster_test

import (
	"strings"
	"testing"
	"time"

	"github.com/weft-go/weft"
	"github.com/weft-go/weft/cluster"
	"github.com/weft-go/weft/executortest"
)

// Most of the suite shares two workers; what ends workers has its own.
func TestConformance(t *testing.T) {
	t.Parallel()
	s := theServer(t)
	both := newBundle(t, s)
	both.keep(2, "-slots", "2")
	executortest.Run(t, func(t *testing.T) weft.Executor {
		if strings.Contains(t.Name(), "Loss") {
			own := newBundle(t, s)
			own.keep(2, "-slots", "1")
			return own.dial(cluster.Config{Lost: time.Second})
		}
		here := &bundle{t: t, server: s, url: both.url}
		return here.dial()
	})
}
