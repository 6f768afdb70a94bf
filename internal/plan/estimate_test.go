package plan

import (
	"math"
	"testing"
	"time"

	"pgregory.net/rapid"
)

func near(got, want, tolerance float64) bool { return math.Abs(got-want) <= tolerance*want }

func TestEstimatorIsReadyAtZero(t *testing.T) {
	t.Parallel()
	var e Estimator
	if est := e.Estimate(); est.Items != 0 || est.Nanos != 0 || est.Share != 1 {
		t.Errorf("%+v", est)
	}
	e.Add(0, time.Second)
	e.Add(-1, time.Second)
	if e.Blocks() != 0 {
		t.Error("an empty block counts")
	}
}

func TestEstimatorAverages(t *testing.T) {
	t.Parallel()
	var e Estimator
	e.Add(1, 100)
	e.Add(3, 500)
	est := e.Estimate()
	if est.Items != 4 || est.Nanos != 150 || est.Wall != 150 {
		t.Errorf("%+v", est)
	}
	// Parts of a nanosecond are kept.
	var f Estimator
	f.Add(1000, 300)
	if n := f.Estimate().Nanos; n != 0.3 {
		t.Errorf("%v", n)
	}
}

// The first items are cold: caches, connections, lazy initialisation.
func TestEstimatorForgetsColdItems(t *testing.T) {
	t.Parallel()
	for _, row := range []struct{ cold, warm int }{{1, 6}, {1, 40}, {4, 40}} {
		var e Estimator
		for range row.cold {
			e.Add(1, 50*time.Millisecond)
		}
		block := 1
		for range row.warm {
			e.Add(block, time.Duration(block)*time.Microsecond)
			block = min(2*block, 100)
		}
		if n := e.Estimate().Nanos; !near(n, 1000, 0.2) {
			t.Errorf("%d cold items of 50ms and %d blocks of 1us items: %v ns", row.cold, row.warm, n)
		}
	}
}

// One slow block among many does not decide, wherever it stands.
func TestEstimatorIgnoresAnOutlier(t *testing.T) {
	t.Parallel()
	for at := range 16 {
		var e Estimator
		for i := range 16 {
			d := time.Millisecond
			if i == at {
				d = 100 * time.Millisecond
			}
			e.Add(10, d)
		}
		if n := e.Estimate().Nanos; !near(n, 1e5, 0.1) {
			t.Errorf("outlier at block %d: %v ns, want 1e5", at, n)
		}
	}
}

// Nor does one in blocks that double, where the last holds half of the items.
// When the next block is as slow, it counts.
func TestEstimatorWaitsForASecondSlowBlock(t *testing.T) {
	t.Parallel()
	for blocks := 4; blocks < 12; blocks++ {
		var e Estimator
		for i := range blocks {
			d := time.Duration(1<<i) * 100
			if i == blocks-1 {
				d += 10 * time.Millisecond
			}
			e.Add(1<<i, d)
		}
		if n := e.Estimate().Nanos; !near(n, 100, 0.1) {
			t.Errorf("a hiccup in the last of %d blocks: %v ns, want 100", blocks, n)
		}
		e.Add(1<<blocks, time.Duration(1<<blocks)*100*100)
		if n := e.Estimate().Nanos; n < 2000 {
			t.Errorf("two slow blocks at the end of %d: %v ns", blocks+1, n)
		}
	}
}

// When items get slower for good the estimate follows.
func TestEstimatorFollowsAChange(t *testing.T) {
	t.Parallel()
	for _, factor := range []time.Duration{2, 10, 100} {
		var e Estimator
		for range 50 {
			e.Add(10, time.Millisecond)
		}
		for range 16 {
			e.Add(10, factor*time.Millisecond)
		}
		if n := e.Estimate().Nanos; !near(n, 1e5*float64(factor), 0.05) {
			t.Errorf("%d times slower: %v ns", factor, n)
		}
	}
	// Half of the blocks are as good as a change.
	var e Estimator
	for i := range 16 {
		e.Add(10, time.Duration(1+i/8*99)*time.Millisecond)
	}
	if n := e.Estimate().Nanos; n < 4e6 {
		t.Errorf("half of the blocks take 10ms an item: %v ns", n)
	}
}

func TestEstimatorShare(t *testing.T) {
	t.Parallel()
	var e Estimator
	e.Add(1, time.Millisecond)
	for _, row := range []struct {
		cpu, wall time.Duration
		want      float64
	}{{0, 100, 0}, {50, 100, 0.5}, {150, 100, 1}, {-5, 100, 0}, {5, 0, 1}} {
		e.CPU(row.cpu, row.wall)
		if s := e.Estimate().Share; s != row.want {
			t.Errorf("%v of %v: %v, want %v", row.cpu, row.wall, s, row.want)
		}
	}
}

func TestEstimateIsSane(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		var e Estimator
		least, most, items := math.Inf(1), 0.0, 0
		for range rapid.IntRange(1, 40).Draw(t, "blocks") {
			k := rapid.IntRange(1, 1000).Draw(t, "items")
			d := time.Duration(rapid.Int64Range(0, 1e12).Draw(t, "wall"))
			e.Add(k, d)
			items += k
			least, most = min(least, float64(d)/float64(k)), max(most, float64(d)/float64(k))
		}
		est := e.Estimate()
		if est.Items != items || !(est.Nanos >= least*0.999) || !(est.Nanos <= most*1.001) || math.IsNaN(est.Spread) || est.Spread < 0 {
			t.Fatalf("%+v; items took %v to %v", est, least, most)
		}
	})
}
