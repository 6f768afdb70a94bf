package cluster

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
)

// held is the anonymous memory of this process and its children, in bytes. The
// kernel's cache of files is not in it, as it goes when memory is short.
func (w *server) held() int64 {
	n := anonymous("/proc/self/status")
	if w.pool != nil {
		for _, pid := range w.pool.PIDs() {
			n += anonymous(fmt.Sprintf("/proc/%d/status", pid))
		}
	}
	return n
}

func anonymous(name string) int64 {
	b, err := os.ReadFile(name)
	if err != nil {
		return 0
	}
	_, rest, ok := bytes.Cut(b, []byte("RssAnon:"))
	if !ok {
		return 0
	}
	f := bytes.Fields(rest)
	if len(f) == 0 {
		return 0
	}
	kb, _ := strconv.ParseInt(string(f[0]), 10, 64)
	return kb << 10
}
