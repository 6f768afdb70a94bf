//go:build !linux

package cluster_test

import "errors"

var errNoDisk = errors.New("a small disk can be mounted on Linux only")

func mountSmall(string) error { return errNoDisk }
func unmount(string) error    { return errNoDisk }
func fill(string) error       { return errNoDisk }
