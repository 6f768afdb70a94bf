package command

import "syscall"

// Pdeathsig reaches the command even if the guard is killed together with weft.
func attributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
}

const rssUnit = 1024
