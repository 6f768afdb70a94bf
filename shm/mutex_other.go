//go:build !linux

package shm

import (
	"fmt"
	"os"
	"runtime"
	"sync/atomic"
	"time"
)

var errNoMutex = fmt.Errorf("shm.Mutex is not supported on %s yet: %w", runtime.GOOS, ErrUnsupported)

func claimOwner(*os.File, uint32) (*os.File, error)         { return nil, errNoMutex }
func ownerAlive(*os.File, uint32) (bool, error)             { return false, errNoMutex }
func futexWait(*atomic.Uint32, uint32, time.Duration) error { return errNoMutex }
func futexWake(*atomic.Uint32)                              {}
