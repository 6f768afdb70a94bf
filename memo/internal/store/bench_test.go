package store

import (
	"io"
	"log/slog"
	"math"
	"os"
	"strconv"
	"testing"
	"time"
)

// BenchmarkTrimUsedAgain trims 1 % of a store of which every entry was used
// again, also as it was without reading on. WEFT_BENCH_ENTRIES says how many there are; it is 50,000 by
// default.
func BenchmarkTrimUsedAgain(b *testing.B) {
	n := 50_000
	if s := os.Getenv("WEFT_BENCH_ENTRIES"); s != "" {
		n, _ = strconv.Atoi(s)
	}
	now := time.Now()
	s, err := OpenDir(b.TempDir(), Config{Log: slog.New(slog.NewTextHandler(io.Discard, nil)), Now: func() time.Time { return now }})
	if err != nil {
		b.Fatal(err)
	}
	defer s.Close()
	for i := range n {
		if err := s.Put(Head{Key: keyOf(i), Function: "f"}, []byte("x"), true); err != nil {
			b.Fatal(err)
		}
	}
	s.Idle()
	trim := func(b *testing.B) {
		for range b.N {
			b.StopTimer()
			now = now.Add(time.Hour)
			items, _ := s.Totals()
			for i := n - int(items); i < n; i++ {
				s.touch(keyOf(i), now)
			}
			b.StartTimer()
			if t, err := s.Trim(b.Context(), Limits{MaxItems: items - int64(n)/100}); err != nil || t.Items != int64(n)/100 {
				b.Fatal(t, err)
			}
		}
	}
	b.Run("read on", trim)
	b.Run("look at each", func(b *testing.B) {
		s.trim.lookAfter = math.MaxInt
		trim(b)
	})
}
