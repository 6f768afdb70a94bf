//go:build cgo

package main

import (
	"bytes"
	"strings"
	"testing"
)

func TestLogs(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	if err := run(t.Context(), &out, t.TempDir(), 3000); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"access-1.csv, line 1502: host3,200,rotated,1\n", "host", "p99 ms", "4 columns, 5 rows\n", "3 broken lines\n"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("no %q in\n%s", want, out.String())
		}
	}
}
