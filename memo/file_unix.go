//go:build unix

package memo

import (
	"fmt"
	"io/fs"
	"syscall"
)

// fileIdent tells apart files whose size and time are the same: one that was
// put in place of another, or whose time was set back.
func fileIdent(info fs.FileInfo) string {
	st, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return ""
	}
	return fmt.Sprintf("%d-%s", st.Ino, changeTime(st))
}
