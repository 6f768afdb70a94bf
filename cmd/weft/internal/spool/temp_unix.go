//go:build unix

package spool

import "os"

// temporary makes a file and takes its name away at once.
func temporary(dir string) (File, error) {
	f, err := os.CreateTemp(dir, "weft-")
	if err != nil {
		return nil, err
	}
	if err := os.Remove(f.Name()); err != nil {
		_ = f.Close()
		return nil, err
	}
	return f, nil
}
