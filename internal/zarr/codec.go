package zarr

import (
	"bytes"
	"compress/gzip"
	"compress/zlib"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"sync"

	"github.com/klauspost/compress/zstd"
)

// step makes bytes of bytes.
type step struct {
	name  string // gzip, zlib, zstd or crc32c
	level int
}

func newStep(name string, level int) (step, error) {
	switch name {
	case "gzip", "zlib", "zstd", "crc32c":
		return step{name, level}, nil
	case "numcodecs.zlib":
		return step{"zlib", level}, nil
	}
	return step{}, fmt.Errorf("%w: the codec %q is not known; write it with gzip, zstd or none (in Python: zarr.codecs.ZstdCodec(); version 2: numcodecs.Zstd())", ErrFormat, name)
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// room is how many bytes a codec may make of n: what does not compress grows
// a little.
func room(n int64) int64 { return n + n/8 + 64<<10 }

var zstdReaders = sync.Pool{New: func() any {
	d, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxWindow(1<<27))
	if err != nil {
		panic(err) // the options are constant
	}
	return d
}}

// decode undoes the steps. want is how many bytes come out in the end.
func decode(steps []step, b []byte, want int64) ([]byte, error) {
	for i := len(steps) - 1; i >= 0; i-- {
		limit := want
		if i > 0 {
			limit = room(want)
		}
		var err error
		switch steps[i].name {
		case "crc32c":
			if len(b) < 4 {
				return nil, malformed("%d bytes, less than a checksum", len(b))
			}
			n := len(b) - 4
			if sum := crc32.Checksum(b[:n], castagnoli); sum != binary.LittleEndian.Uint32(b[n:]) {
				return nil, malformed("the checksum (crc32c) is %08x, %08x is said", sum, binary.LittleEndian.Uint32(b[n:]))
			}
			b = b[:n]
		case "gzip":
			var r *gzip.Reader
			if r, err = gzip.NewReader(bytes.NewReader(b)); err == nil {
				b, err = atMost(r, limit)
			}
		case "zlib":
			var r io.ReadCloser
			if r, err = zlib.NewReader(bytes.NewReader(b)); err == nil {
				b, err = atMost(r, limit)
			}
		case "zstd":
			d := zstdReaders.Get().(*zstd.Decoder)
			if err = d.Reset(bytes.NewReader(b)); err == nil {
				b, err = atMost(d, limit)
			}
			d.Reset(nil)
			zstdReaders.Put(d)
		}
		if err != nil {
			if errors.Is(err, io.ErrUnexpectedEOF) {
				err = fmt.Errorf("it ends too early: %w", err)
			}
			return nil, malformed("%s: %w", steps[i].name, err)
		}
	}
	if int64(len(b)) != want {
		return nil, malformed("%d bytes, %d are needed", len(b), want)
	}
	return b, nil
}

// atMost reads all, growing as bytes arrive.
func atMost(r io.Reader, limit int64) ([]byte, error) {
	var b bytes.Buffer
	b.Grow(int(min(limit, 1<<20) + bytes.MinRead))
	n, err := b.ReadFrom(io.LimitReader(r, limit+1))
	if err == nil && n > limit {
		err = fmt.Errorf("more than the %d bytes of a chunk", limit)
	}
	return b.Bytes(), err
}

// encode does the steps.
func encode(steps []step, b []byte) ([]byte, error) {
	for _, s := range steps {
		switch s.name {
		case "crc32c":
			b = binary.LittleEndian.AppendUint32(b[:len(b):len(b)], crc32.Checksum(b, castagnoli))
		case "gzip", "zlib":
			var out bytes.Buffer
			var w io.WriteCloser
			var err error
			if s.name == "gzip" {
				w, err = gzip.NewWriterLevel(&out, s.level)
			} else {
				w, err = zlib.NewWriterLevel(&out, s.level)
			}
			if err == nil {
				_, err = w.Write(b)
			}
			if err == nil {
				err = w.Close()
			}
			if err != nil {
				return nil, err
			}
			b = out.Bytes()
		case "zstd":
			e, err := zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1), zstd.WithEncoderLevel(zstd.EncoderLevelFromZstd(max(s.level, 1))))
			if err != nil {
				return nil, err
			}
			b = e.EncodeAll(b, nil)
		}
	}
	return b, nil
}
