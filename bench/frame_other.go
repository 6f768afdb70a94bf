//go:build !cgo

package main

import (
	"context"
	"errors"
)

var frameBenchmark = sectionBenchmark("frame", frameDoc, frameTitle, 3, withoutDuckDB)

func withoutDuckDB(context.Context, sectionOptions) (string, error) {
	return "", errors.New("this binary was built without cgo, and so without DuckDB; build it with CGO_ENABLED=1 and a C compiler")
}
