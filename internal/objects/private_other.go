//go:build !unix

package objects

import "io/fs"

// private trusts the user's profile directory: modes say nothing here.
func private(string, fs.FileInfo) error { return nil }
