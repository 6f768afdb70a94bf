package store

import (
	"io/fs"
	"sync"

	"github.com/weft-go/weft/memo/internal/key"
	"github.com/weft-go/weft/memo/internal/raw"
)

// mapFrom is the size of a payload from which mapping beats reading.
const mapFrom = 64 << 10

// mappings are the files that this process has mapped. They stay mapped for
// its life: slices may point into them.
type mappings struct {
	mu sync.Mutex
	m  map[key.Key]mapping
}

type mapping struct {
	b    []byte
	info fs.FileInfo
}

func (m *mappings) get(k key.Key, info fs.FileInfo, f File) ([]byte, bool) {
	of, ok := f.(interface{ Fd() uintptr })
	if !ok || info.Size() > int64(^uint(0)>>1) {
		return nil, false
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if old, ok := m.m[k]; ok && sameFile(old.info, info) && old.info.Size() == info.Size() {
		return old.b, true
	}
	b, err := raw.Map(of.Fd(), int(info.Size()))
	if err != nil {
		return nil, false
	}
	if m.m == nil {
		m.m = map[key.Key]mapping{}
	}
	m.m[k] = mapping{b, info}
	return b, true
}
