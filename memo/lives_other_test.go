//go:build !unix

package memo

import "os"

// processLives tells whether a process can be opened.
func processLives(pid int) bool {
	p, err := os.FindProcess(pid)
	if err != nil {
		return false
	}
	_ = p.Release()
	return true
}
