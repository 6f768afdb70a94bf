package weft_test

import (
	"bytes"
	"runtime"
)

// goroutineID is the number of the calling goroutine, as stacks print it.
func goroutineID() string {
	b := make([]byte, 64)
	b = b[:runtime.Stack(b, false)]
	b = bytes.TrimPrefix(b, []byte("goroutine "))
	return string(b[:bytes.IndexByte(b, ' ')])
}
