//go:build cgo

package main

import (
	"bytes"
	"testing"
)

func TestJoining(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	if err := run(t.Context(), &out, t.TempDir()); err != nil {
		t.Fatal(err)
	}
	want := `name      gross
VARCHAR  DOUBLE
---------------
Ada       142.8
Cy         8.33
2 columns, 2 rows
`
	if out.String() != want {
		t.Errorf("printed\n%swant\n%s", out.String(), want)
	}
}
