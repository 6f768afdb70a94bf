//go:build darwin || freebsd || netbsd

package memo

import (
	"fmt"
	"syscall"
)

func changeTime(st *syscall.Stat_t) string {
	return fmt.Sprintf("%d.%d", st.Ctimespec.Sec, st.Ctimespec.Nsec)
}
