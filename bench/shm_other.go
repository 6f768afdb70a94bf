//go:build !linux

package main

import (
	"context"
	"errors"
)

var (
	sharedArray = sectionBenchmark("shm", sharedArrayDoc, sharedArrayTitle, 1, func(context.Context, sectionOptions) (string, error) {
		return "", errors.New("it needs Linux, whose kernel tells how much memory processes share")
	})
	sharedCaseHelper   = benchmark{name: "shm-case", hidden: true}
	sharedWorkerHelper = benchmark{name: "shm-worker", hidden: true}
)
