//go:build !unix

package spool

import "os"

type named struct{ *os.File }

// Close also removes the file, which could not be removed while it was open.
func (n named) Close() error {
	err := n.File.Close()
	_ = os.Remove(n.Name())
	return err
}

func temporary(dir string) (File, error) {
	f, err := os.CreateTemp(dir, "weft-")
	if err != nil {
		return nil, err
	}
	return named{f}, nil
}
