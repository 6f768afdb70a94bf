package memory

import "golang.org/x/sys/unix"

func systemTotal() int64 {
	n, err := unix.SysctlUint64("hw.memsize")
	if err != nil || n == 0 || n >= noLimit {
		return None
	}
	return int64(n)
}
