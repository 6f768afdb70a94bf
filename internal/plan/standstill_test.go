package plan

import (
	"testing"
	"time"
)

func TestStandstill(t *testing.T) {
	t.Parallel()
	const ms = time.Millisecond
	type look struct {
		running, counted int64
		cpu              time.Duration // since the look before, which is 1 ms ago
		want             int
	}
	for _, row := range []struct {
		name  string
		looks []look
	}{
		{"computes", []look{{2, 10, 2 * ms, 0}, {2, 20, 2 * ms, 0}, {1, 20, 2 * ms, 0}}},
		{"waits", []look{{2, 10, 2 * ms, 0}, {0, 10, ms / 10, 1}, {0, 10, 0, 2}, {0, 10, 0, 3}}},
		{"gets something finished meanwhile", []look{{0, 10, 0, 0}, {0, 11, 0, 0}, {0, 12, 0, 0}}},
		{"one look is chance", []look{{0, 0, 0, 1}, {1, 0, ms, 0}, {0, 0, 0, 1}}},
		{"other programs have the CPU", []look{{2, 0, 0, 0}, {2, 0, 0, 0}, {2, 0, 0, 0}}},
		{"computes in C", []look{{0, 0, ms, 1}, {0, 0, ms, 0}, {0, 0, ms, 1}, {0, 0, ms, 0}}},
		{"waits in C", []look{{0, 0, 0, 1}, {0, 0, ms / 4, 2}}},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			var s Standstill
			now, cpu := ms, time.Duration(0)
			for i, l := range row.looks {
				now, cpu = now+ms, cpu+l.cpu
				if got := s.Look(now, l.running, l.counted, cpu); got != l.want {
					t.Errorf("look %d: %d in a row, want %d", i, got, l.want)
				}
			}
		})
	}
}
