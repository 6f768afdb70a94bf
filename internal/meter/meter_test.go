package meter

import (
	"sync"
	"testing"
	"time"
)

func TestMeterAddsUp(t *testing.T) {
	t.Parallel()
	if From(t.Context()) != nil {
		t.Fatal("a meter from a context without one")
	}
	var m Meter
	if From(With(t.Context(), &m)) != &m {
		t.Fatal("the context lost its meter")
	}
	var wg sync.WaitGroup
	for i := range 100 {
		wg.Go(func() { m.Charge(2*time.Second, time.Second, int64(i)) })
	}
	wg.Wait()
	if s := m.Sum(); s != (Sum{Items: 100, Wall: 200 * time.Second, CPU: 100 * time.Second, PeakBytes: 99}) {
		t.Errorf("%+v", s)
	}
}
