package command

import (
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestEscaped has a process leave the group and hold the output open.
func TestEscaped(t *testing.T) {
	t.Parallel()
	b := setup(t, Config{Linger: 50 * time.Millisecond})
	fifo := filepath.Join(t.TempDir(), "fifo")
	if err := syscall.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	res := b.run(t.Context(), "setsid sh -c 'echo $$ > "+fifo+"; exec sleep 1000' & cat "+fifo, 0)
	pid, err := strconv.Atoi(strings.TrimSpace(b.out.String()))
	if !res.OK() || err != nil {
		t.Fatalf("%+v, %q", res, b.out.String())
	}
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		t.Errorf("a daemon was ended: %v", err)
	}
}
