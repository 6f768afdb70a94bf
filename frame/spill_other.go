//go:build cgo && !unix

package frame

import (
	"errors"
	"io/fs"
	"os"
)

func newSpillDir(parent string) (*spillDir, error) {
	dir, err := os.MkdirTemp(parent, "weft-frame-")
	if err != nil {
		return nil, err
	}
	return &spillDir{path: dir}, os.Remove(dir)
}

func (d *spillDir) lock() error {
	if err := os.Mkdir(d.path, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return nil
}

// diskFree is not known here; 100 GiB are taken to be there.
func diskFree(string) int64 { return 100 << 30 }
