package weft

import (
	"testing"
	"time"
	"unicode/utf8"

	"github.com/weft-go/weft/internal/memory"
)

func TestProgressLine(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name string
		s    progressState
		bar  bool
		want string
	}{
		{"begin", progressState{name: "job", total: 100}, false, "job   0 %  0 of 100  0.00 ns"},
		{"half", progressState{name: "job", done: 50, total: 100, workers: 8, elapsed: 10 * time.Second}, false,
			"job  50 %  50 of 100  5.0/s  10.0 s, 10s left  8 at once"},
		{"bar", progressState{name: "job", done: 50, total: 100, workers: 1, elapsed: 10 * time.Second}, true,
			"job ━━━━━━━━━━━━────────────  50 %  50 of 100  5.0/s  10.0 s, 10s left"},
		{"full bar", progressState{name: "job", done: 100, total: 100, elapsed: 10 * time.Second}, true,
			"job ━━━━━━━━━━━━━━━━━━━━━━━━ 100 %  100 of 100  10/s  took 10.0 s"},
		{"failures", progressState{name: "job", done: 20_000, total: 1_000_000, failed: 3, workers: 2, elapsed: time.Second}, false,
			"job   2 %  20_000 of 1_000_000, 3 failed  20_000/s  1.00 s, 49s left  2 at once"},
		{"stream", progressState{name: "job", done: 12, total: -1, workers: 4, elapsed: 2 * time.Second}, false,
			"job  12 done  6.0/s  2.00 s  4 at once"},
		{"over", progressState{name: "job", done: 12, total: -1, workers: 4, elapsed: 2 * time.Second, over: true}, false,
			"job  12 done  6.0/s  took 2.00 s"},
		{"stopped early", progressState{name: "job", done: 12, total: 100, failed: 1, workers: 4, elapsed: 2 * time.Second, over: true}, false,
			"job  12 %  12 of 100, 1 failed  6.0/s  took 2.00 s"},
		{"hours", progressState{name: "job", done: 1, total: 100, elapsed: time.Hour}, false,
			"job   1 %  1 of 100  0.0/s  1h0m0s, 99h0m0s left"},
	} {
		if got := progressLine(row.s, row.bar, false); got != row.want {
			t.Errorf("%s:\n%s\nwant\n%s", row.name, got, row.want)
		}
	}
}

// 99.6 % is not yet 100.
func TestProgressLineIsNotFullTooEarly(t *testing.T) {
	t.Parallel()
	got := progressLine(progressState{name: "job", done: 999, total: 1000, elapsed: time.Second}, false, false)
	if want := "job  99 %"; len(got) < len(want) || got[:len(want)] != want {
		t.Errorf("999 of 1000 is shown as %q", got)
	}
}

func TestClip(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		s    string
		n    int
		want string
	}{
		{"abc", 3, "abc"}, {"abcd", 3, "abc\x1b[0m"}, {"\x1b[32mab\x1b[0mc", 3, "\x1b[32mab\x1b[0mc"}, {"━━━━", 2, "━━\x1b[0m"}, {"a", 0, "\x1b[0m"},
	} {
		if got := clip(row.s, row.n); got != row.want || !utf8.ValidString(got) {
			t.Errorf("clip(%q, %d) is %q, want %q", row.s, row.n, got, row.want)
		}
	}
}

func TestCountAndByteSize(t *testing.T) {
	t.Parallel()
	for n, want := range map[int]string{0: "0", 9999: "9999", 10_000: "10_000", 1_234_567: "1_234_567", -1: "-1"} {
		if got := count(n); got != want {
			t.Errorf("count(%d) is %q, want %q", n, got, want)
		}
	}
	for n, want := range map[int64]string{0: "0 B", 1023: "1023 B", 1024: "1.00 KiB", 15 << 20: "15.0 MiB", 3 << 40: "3.00 TiB", 1<<63 - 1: "8192 PiB"} {
		if got := memory.Text(n); got != want {
			t.Errorf("memory.Text(%d) is %q, want %q", n, got, want)
		}
	}
}
