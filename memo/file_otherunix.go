//go:build unix && !linux

package memo

import "syscall"

// changeTime is left out here: its field has another name on each system.
func changeTime(*syscall.Stat_t) string { return "" }
