package graph

import (
	"errors"

	"github.com/weft-go/weft/graph/internal/sched"
)

// memory is what a run knows about the memory of its results.
type memory struct {
	limit int64
	disk  int64 // bytes of results on disk
}

func (r *run) openMemory(*sched.Limits) {}
func (m *memory) close()                {}
func (m *memory) forget(uint32)         {}

func (r *run) spill(w *worker)     {}
func (r *run) load(w *worker) bool { return false }

func (r *run) refused(t uint32, need int64) {
	r.failures = append(r.failures, failure{t, errors.New("no room"), false})
}
