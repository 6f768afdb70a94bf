//go:build cgo && !unix

package frame

import "os"

func ownSpillDir(parent string) (string, func(), error) {
	dir, err := os.MkdirTemp(parent, "weft-frame-")
	return dir, func() { _ = os.RemoveAll(dir) }, err
}

// diskFree is not known here; 100 GiB are taken to be there.
func diskFree(string) int64 { return 100 << 30 }
