package graph_test

import (
	"errors"
	"os"
	"strings"
	"testing"

	"github.com/weft-go/weft/graph"
	"golang.org/x/sys/unix"
)

// On a disk that is really full the run ends with the system's error, the task
// that has no room, and nothing left on the disk.
func TestReallyFullDisk(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := unix.Mount("tmpfs", dir, "tmpfs", unix.MS_NOSUID|unix.MS_NODEV, "size=1m"); err != nil {
		t.Skipf("a small file system can't be mounted here: %v", err)
	}
	t.Cleanup(func() {
		if err := unix.Unmount(dir, unix.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	for _, workers := range []int{1, 2} {
		g := graph.New()
		_, err := graph.Compute(t.Context(), reading(g, 100, 8<<10), graph.Workers(workers), graph.MemoryLimit(1<<20), graph.SpillTo(dir))
		if te, ok := errors.AsType[*graph.TaskError](err); !ok || te.Task == "" || !errors.Is(err, unix.ENOSPC) || !strings.Contains(err.Error(), "could not go to disk: read (task ") {
			t.Errorf("%v", err)
		}
		if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
			t.Errorf("left over: %v, %v", left, err)
		}
		var s unix.Statfs_t
		if err := unix.Statfs(dir, &s); err != nil || s.Bfree != s.Blocks {
			t.Errorf("%d of %d blocks are free, %v", s.Bfree, s.Blocks, err)
		}
	}
}
