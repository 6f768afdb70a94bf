package key

import (
	"bytes"
	"encoding/binary"
	"math"
	"runtime"
	"sync"
	"sync/atomic"

	"github.com/zeebo/blake3"

	"github.com/weft-go/weft/memo/internal/raw"
)

// piece is what of a long slice is hashed by itself, so that all CPUs can take
// part. It is part of the format.
const piece = 4 << 20

// long hashes bytes that are numbers of a float width, or 0. The buffer must be
// empty.
func (e *encoder) long(b []byte, float int) {
	if len(b) <= piece {
		numbersInto(e.hash, b, float)
		return
	}
	sums := make([][32]byte, (len(b)+piece-1)/piece)
	var next atomic.Int64
	var wg sync.WaitGroup
	for range min(len(sums), runtime.GOMAXPROCS(0)) {
		wg.Go(func() {
			h := hashers.Get().(*blake3.Hasher)
			defer hashers.Put(h)
			for i := int(next.Add(1)) - 1; i < len(sums); i = int(next.Add(1)) - 1 {
				h.Reset()
				numbersInto(h, b[i*piece:min(len(b), (i+1)*piece)], float)
				h.Sum(sums[i][:0])
			}
		})
	}
	wg.Wait()
	for i := range sums {
		_, _ = e.hash.Write(sums[i][:])
	}
}

// bits64 and bits32 make all NaNs one.
func bits64(f float64) uint64 {
	if f != f {
		return 0x7ff8000000000001
	}
	return math.Float64bits(f)
}

func bits32(f float32) uint32 {
	if f != f {
		return 0x7fc00000
	}
	return math.Float32bits(f)
}

// numbersInto hashes numbers with all NaNs made one.
func numbersInto(h *blake3.Hasher, b []byte, float int) {
	if float == 0 {
		_, _ = h.Write(b)
		return
	}
	for len(b) > 0 {
		part := b[:min(chunk, len(b))]
		b = b[len(part):]
		if float == 8 && hasNaN(raw.Floats64(part)) {
			part = bytes.Clone(part)
			for i := 0; i < len(part); i += 8 {
				f := math.Float64frombits(binary.LittleEndian.Uint64(part[i:]))
				binary.LittleEndian.PutUint64(part[i:], bits64(f))
			}
		} else if float == 4 && hasNaN(raw.Floats32(part)) {
			part = bytes.Clone(part)
			for i := 0; i < len(part); i += 4 {
				f := math.Float32frombits(binary.LittleEndian.Uint32(part[i:]))
				binary.LittleEndian.PutUint32(part[i:], bits32(f))
			}
		}
		_, _ = h.Write(part)
	}
}

// hasNaN tells whether there is a NaN. A number times 0 is 0, and a NaN is all
// it takes to make a sum one; four sums, as each addition waits for the one
// before.
func hasNaN[F float32 | float64](fs []F) bool {
	var a, b, c, d F
	rest := fs
	for len(rest) >= 4 {
		a += rest[0] * 0
		b += rest[1] * 0
		c += rest[2] * 0
		d += rest[3] * 0
		rest = rest[4:]
	}
	for _, f := range rest {
		a += f * 0
	}
	if sum := a + b + c + d; sum == sum {
		return false
	}
	// Or an infinity.
	for _, f := range fs {
		if f != f {
			return true
		}
	}
	return false
}
