package store

import (
	"encoding/binary"
	"fmt"
	"sync"

	"github.com/klauspost/compress/zstd"
)

// Compression pays from here: below, a file takes a block of the disk anyway.
const (
	packFrom = 4 << 10
	// sample is how much of a long payload is tried first.
	sample = 64 << 10
	// gain is what must be saved, in eighths: reading back costs time.
	gain = 1
)

// One encoder and decoder with one goroutine's worth of buffers each: by
// default they start several.
var (
	encoder = sync.OnceValue(func() *zstd.Encoder {
		e, err := zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1), zstd.WithEncoderLevel(zstd.SpeedFastest))
		if err != nil {
			panic(err) // the options are constants
		}
		return e
	})
	decoder = sync.OnceValue(func() *zstd.Decoder {
		d, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxMemory(1<<40))
		if err != nil {
			panic(err)
		}
		return d
	})
)

// pack compresses b, if that pays.
func pack(b []byte) ([]byte, bool) {
	if len(b) < packFrom {
		return nil, false
	}
	pays := func(packed, plain int) bool { return packed <= plain-plain*gain/8 }
	if len(b) > 4*sample {
		mid := b[len(b)/2 : len(b)/2+sample]
		if !pays(len(encoder().EncodeAll(mid, nil)), sample) {
			return nil, false
		}
	}
	packed := encoder().EncodeAll(b, nil)
	return packed, pays(len(packed), len(b))
}

func unpack(b []byte, size int64) ([]byte, error) {
	var h zstd.Header
	if err := h.Decode(b); err != nil {
		return nil, fmt.Errorf("can't be unpacked: %w", err)
	}
	if !h.HasFCS || h.FrameContentSize != uint64(size) {
		return nil, fmt.Errorf("would unpack to %d bytes instead of %d", h.FrameContentSize, size)
	}
	out, err := decoder().DecodeAll(b, nil)
	if err != nil {
		return nil, fmt.Errorf("can't be unpacked: %w", err)
	}
	if int64(len(out)) != size {
		return nil, fmt.Errorf("unpacks to %d bytes instead of %d", len(out), size)
	}
	return out, nil
}

func leUint64(b []byte) uint64               { return binary.LittleEndian.Uint64(b) }
func appendUint64(b []byte, n uint64) []byte { return binary.LittleEndian.AppendUint64(b, n) }
