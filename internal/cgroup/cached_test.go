package cgroup

import (
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

func TestCachedAge(t *testing.T) {
	t.Parallel()
	var now time.Duration
	reads := 0
	c := Cached[int]{
		Read: func() int { reads++; return reads },
		Now:  func() time.Duration { return now },
	}
	for _, step := range []struct {
		at   time.Duration
		want int
	}{
		{5 * time.Second, 1},
		{5 * time.Second, 1},
		{5*time.Second + MaxAge - 1, 1},
		{5*time.Second + MaxAge, 2},
		{time.Second, 3}, // a clock that went back, as one in a bubble does
		{time.Second, 3},
	} {
		now = step.at
		if got := c.Get(); got != step.want {
			t.Errorf("at %v: read number %d, want %d", now, got, step.want)
		}
	}
}

// While one caller reads anew, the others must not wait for it.
func TestCachedServesTheOldValueMeanwhile(t *testing.T) {
	t.Parallel()
	var now atomic.Int64
	reading, finish := make(chan bool), make(chan bool)
	first := true
	c := Cached[int]{Now: func() time.Duration { return time.Duration(now.Load()) }}
	c.Read = func() int {
		if first {
			first = false
			return 1
		}
		reading <- true
		<-finish
		return 2
	}
	c.Get()
	now.Store(int64(MaxAge))
	var slow sync.WaitGroup
	slow.Go(func() {
		if got := c.Get(); got != 2 {
			t.Errorf("the reader got %d, want 2", got)
		}
	})
	<-reading
	if got := c.Get(); got != 1 {
		t.Errorf("meanwhile got %d, want 1", got)
	}
	close(finish)
	slow.Wait()
	if got := c.Get(); got != 2 {
		t.Errorf("afterwards got %d, want 2", got)
	}
}

func TestCachedAtOnce(t *testing.T) {
	t.Parallel()
	var reads atomic.Int64
	c := Cached[int64]{
		Read: func() int64 { return reads.Add(1) },
		Now:  func() time.Duration { return 0 },
	}
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 100 {
				if got := c.Get(); got != 1 {
					t.Errorf("got read number %d, want 1", got)
				}
			}
		})
	}
	wg.Wait()
}

// A value that was read under a bubble's clock must not stay after it.
func TestCachedInBubble(t *testing.T) {
	reads := 0
	c := Cached[int]{Read: func() int { reads++; return reads }}
	c.Get()
	synctest.Test(t, func(t *testing.T) {
		c.Get()
		time.Sleep(2 * MaxAge)
		before := reads
		if c.Get(); reads != before+1 {
			t.Error("not read again after two ages of the bubble's time")
		}
	})
	before := reads
	if c.Get(); reads != before+1 {
		t.Error("not read again outside the bubble")
	}
}

func BenchmarkCached(b *testing.B) {
	c := Cached[int]{Read: func() int { return 1 }}
	b.ReportAllocs()
	for b.Loop() {
		c.Get()
	}
}
