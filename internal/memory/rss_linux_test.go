package memory

import (
	"os"
	"testing"
)

func TestParseStatm(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		line string
		want int64
	}{
		{"765 423 394 5 0 123 0\n", 423}, {"765 423", 423}, {"", 0}, {"765", 0}, {"765 ", 0},
		{"a b c", 0}, {"1 -5 3", 0}, {"1 99999999999999999999999 3", 0},
	} {
		if got := parseStatm([]byte(tt.line)); got != tt.want {
			t.Errorf("parseStatm(%q) = %d, want %d", tt.line, got, tt.want)
		}
	}
}

func FuzzStatm(f *testing.F) {
	f.Add([]byte("765 423 394 5 0 123 0\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		if n := parseStatm(data) * pageSize; n < 0 {
			t.Errorf("parseStatm(%q): %d bytes", data, n)
		}
	})
}

// BenchmarkRSSOpening is the rejected alternative: open the file each time.
func BenchmarkRSSOpening(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		data, err := os.ReadFile("/proc/self/statm")
		if err != nil {
			b.Skip(err)
		}
		parseStatm(data)
	}
}
