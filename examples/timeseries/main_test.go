//go:build cgo

package main

import (
	"bytes"
	"strings"
	"testing"
)

func TestTimeseries(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	if err := run(t.Context(), &out, 3*60); err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(out.String(), "\n")
	if len(lines) < 10 || !strings.Contains(lines[3], "2024-03-01 00:00:00") || !strings.Contains(lines[3], "attic") || !strings.HasSuffix(lines[3], "-") {
		t.Errorf("the first hour:\n%s", out.String())
	}
	if !strings.Contains(out.String(), "6 columns, 6 rows") {
		t.Error(out.String())
	}
}
