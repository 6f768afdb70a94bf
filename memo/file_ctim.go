//go:build linux || openbsd || dragonfly || solaris

package memo

import (
	"fmt"
	"syscall"
)

func changeTime(st *syscall.Stat_t) string { return fmt.Sprintf("%d.%d", st.Ctim.Sec, st.Ctim.Nsec) }
