//go:build unix && !linux

package command

import (
	"runtime"
	"syscall"
)

func attributes() *syscall.SysProcAttr { return &syscall.SysProcAttr{} }

// The systems do not agree on the unit of ru_maxrss.
var rssUnit = func() int64 {
	if runtime.GOOS == "darwin" || runtime.GOOS == "ios" {
		return 1
	}
	return 1024
}()

// groupRuns can not tell zombies apart here.
func groupRuns(int) bool { return true }
