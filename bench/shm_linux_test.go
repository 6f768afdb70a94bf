package main

import (
	"strings"
	"testing"
)

// The whole of it, with a small array and without Python.
func TestSharedArray(t *testing.T) {
	t.Chdir(t.TempDir()) // where no peers are
	var log strings.Builder
	text, err := measureSharedArray(t.Context(), sectionOptions{quick: true, log: &log})
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"**The Python peers did not run**", "| **weft/shm** |", "5 kills", "at most 2"} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in\n%s", want, text)
		}
	}
	if !strings.Contains(log.String(), "run `make peers` first") {
		t.Errorf("quiet about it: %s", log.String())
	}
}

// A peer that wins stays in the table and is named.
func TestSharedArrayTable(t *testing.T) {
	hand := func(shared, plain float64) []Hand {
		return []Hand{{Shared: shared, Plain: plain, SharedRead: 1, SharedMemory: 100, PlainMemory: 210, Death: []float64{0.01}}}
	}
	text := sharedArrayTable([]string{weftShared, "joblib"}, map[string][]Hand{
		weftShared: hand(0.002, 0.3), "joblib": hand(0.010, 0.1),
	}, 100)
	for _, want := range []string{"| joblib | 10 (10–10) | 5.00 | 100 (100–100) | 0.33 |", "1.000 x | 2.100 x", "Ahead of Weft here: joblib in copying."} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in\n%s", want, text)
		}
	}
}
